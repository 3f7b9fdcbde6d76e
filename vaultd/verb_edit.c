/*
 * verb_edit.c - vaultd.Connections.Edit and Rename.
 */
#include <stdio.h>
#include <string.h>

#include "common/errors.h"
#include "common/role.h"
#include "vaultd/check.h"
#include "vaultd/named.h"
#include "vaultd/vault.h"
#include "vaultd/verbs.h"

struct edit_args {
	struct named	 n;
	const char	*name, *description, *account_class, *auth_type, *connector;
	int64_t		 check_interval;	/* minutes; 0 = not said */
	bool		 check_default;
};

static const struct field rename_fields[] = {
	{ "connection", F_STR, offsetof(struct edit_args, n.connection), true, 0 },
	{ "name", F_NAME, offsetof(struct edit_args, name), true, 0 },
	{ "revision", F_INT, offsetof(struct edit_args, n.revision), false, 0 },
	{ 0 },
};

static const struct field edit_fields[] = {
	{ "connection", F_STR, offsetof(struct edit_args, n.connection), true, 0 },
	{ "name", F_NAME, offsetof(struct edit_args, name), false, 0 },
	{ "description", F_STR, offsetof(struct edit_args, description), false, 159 },
	{ "check_interval", F_INT, offsetof(struct edit_args, check_interval), false, 0 },
	{ "check_default", F_BOOL, offsetof(struct edit_args, check_default), false, 0 },
	{ "account_class", F_STR, offsetof(struct edit_args, account_class), false, 20 },
	{ "auth_type", F_STR, offsetof(struct edit_args, auth_type), false, 40 },
	{ "connector", F_STR, offsetof(struct edit_args, connector), false, 63 },
	{ "revision", F_INT, offsetof(struct edit_args, n.revision), false, 0 },
	{ 0 },
};

/* Said again as it is, it is no wish to change it. */
static int
check_immutable(const struct edit_args *a, struct err *e)
{
	const struct connection *c = &a->n.t.c;
	const char *type = auth_type_name(c->auth_type);

	if (a->auth_type != NULL && strcmp(a->auth_type, type) != 0)
		return err_name(e, ERR_IMMUTABLE, "the authentication type of '%s' is %s and stays so",
		    c->name, type);
	if (a->connector != NULL && strcmp(a->connector, c->connector) != 0)
		return err_name(e, ERR_IMMUTABLE, "the connector of '%s' is %s and stays so", c->name,
		    c->connector);
	return 0;
}

static int
set_interval(struct edit_args *a, struct err *e)
{
	struct connection *c = &a->n.t.c;

	if (a->check_interval != 0 &&
	    (a->check_interval < CHECK_MIN_MINUTES || a->check_interval > CHECK_MAX_MINUTES))
		return err_name(e, ERR_INTERVAL_RANGE, "a check interval is %d to %d minutes, not %lld",
		    CHECK_MIN_MINUTES, CHECK_MAX_MINUTES, (long long)a->check_interval);
	if (a->check_interval != 0)
		c->check_interval_s = (uint32_t)a->check_interval * 60;
	else if (a->check_default)
		c->check_interval_s = 0;
	return 0;
}

static int
set_class(struct edit_args *a, struct err *e)
{
	static const char *const names[] = { "unknown", "personal", "service" };

	if (a->account_class == NULL)
		return 0;
	for (uint8_t i = 0; i < 3; i++)
		if (strcmp(a->account_class, names[i]) == 0) {
			a->n.t.c.account_class = i;
			return 0;
		}
	return err_parameter(e, "account_class",
	    "account_class is personal, service or unknown");
}

static int
rename_to(struct request *r, struct edit_args *a, struct err *e)
{
	struct connection *c = &a->n.t.c;
	unsigned char key[KEY_MAX_LEN];
	struct slice value;

	if (store_get(r->vault->store, TABLE_CONNECTION_BY_FOLDER,
		object_name_key(&c->folder, a->name, key), &value, NULL, e) != V_NOT_FOUND)
		return err_name(e, ERR_NAME_TAKEN, "there is a connection '%s' already in %s",
		    a->name, r->folder);
	return object_rename_connection(r->vault, &r->changes, c, a->name, a->n.t.generation, e);
}

static int
edit_run(struct request *r, struct err *e)
{
	struct edit_args *a = r->args;
	struct connection *c = &a->n.t.c, before = *c;

	if (named_check_revision(&a->n, e) != 0 || check_immutable(a, e) != 0 ||
	    set_interval(a, e) != 0 || set_class(a, e) != 0)
		return e->code;
	if (a->description != NULL)
		snprintf(c->description, sizeof c->description, "%s", a->description);
	if (c->check_interval_s != before.check_interval_s)
		check_plan(r->vault, &r->changes, c);
	c->updated = wall_seconds();
	r->after = named_reply;
	if (a->name != NULL && strcmp(c->name, a->name) != 0)
		return rename_to(r, a, e);
	return object_put_connection(r->vault, &r->changes, c, a->n.t.generation, e);
}

const struct verb verb_connection_edit = {
	.method = "vaultd.Connections.Edit",
	.help = "change name, description, check interval or account class",
	.action = ACT_CONN_EDIT,
	.flags = VERB_CHANGE,
	.fields = edit_fields,
	.args_size = sizeof(struct edit_args),
	.object = named_object_verified,
	.run = edit_run,
};

static int
rename_run(struct request *r, struct err *e)
{
	struct edit_args *a = r->args;

	if (strcmp(a->n.t.c.name, a->name) != 0)
		return edit_run(r, e);
	if (named_check_revision(&a->n, e) != 0)
		return e->code;
	named_reply(r);
	return 0;
}

const struct verb verb_connection_rename = {
	.method = "vaultd.Connections.Rename",
	.help = "give a connection another name",
	.action = ACT_CONN_EDIT,
	.flags = VERB_CHANGE,
	.fields = rename_fields,
	.args_size = sizeof(struct edit_args),
	.object = named_object_verified,
	.run = rename_run,
};

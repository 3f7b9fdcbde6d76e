/*
 * verb_app.c - vaultd.Apps: the organisation's own OAuth apps. Their secrets: verb_app_secret.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/advice.h"
#include "common/auto.h"
#include "common/errors.h"
#include "common/role.h"
#include "common/scope.h"
#include "vaultd/conn.h"
#include "vaultd/notice.h"
#include "vaultd/objects.h"
#include "vaultd/schedule.h"
#include "vaultd/vault.h"
#include "vaultd/verb_app.h"
#include "vaultd/verbs.h"

void
app_args_done(void *args)
{
	struct app_args *a = args;

	secret_done(&a->client_secret);
	secret_done(&a->key_pem);
	buf_done(&a->wrap);
	app_done(&a->a);
}

int
app_object(struct request *r, struct err *e)
{
	struct app_args *a = r->args;

	if (object_find_app(r->vault, a->name, &a->a, &a->generation, e) != 0)
		return e->code;
	snprintf(r->object_name, sizeof r->object_name, "app %s", a->a.name);
	r->object_id = a->a.id;
	r->object.app = a->a.name;
	r->object.connector = a->a.connector;
	return 0;
}

void
app_reply(struct request *r)
{
	struct app_args *a = r->args;
	struct err e;
	char id[ID_TEXT];

	id_text(&a->a.id, id);
	app_done(&a->a);
	schedule_poke(r->vault->schedule);
	if (object_find_app(r->vault, id, &a->a, &a->generation, &e) == 0)
		r->reply = json_pack("{s:o}", "app", app_json(r, &a->a, a->generation));
}

#define USES_MAX 10000

static void
add_secret(json_t *list, const char *state, uint64_t version, int64_t since, int64_t until,
    const struct app *tested)
{
	static const char *const found[] = { NULL, "taken", "refused" };
	bool told = tested != NULL && tested->tested_text[0] != '\0';

	json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:I, s:s?, s:s?}", "state", state,
	    "version", (json_int_t)version, "since", (json_int_t)since, "until", (json_int_t)until,
	    "tested", tested == NULL ? NULL : found[tested->tested], "test_text",
	    told ? tested->tested_text : NULL));
}

static json_t *
secrets_json(const struct app *a)
{
	json_t *list = json_array();

	add_secret(list, "in_use", a->version, 0, a->secret_expires, NULL);
	if (a->slot == SLOT_STAGED)
		add_secret(list, "staged", a->slot_version, a->slot_since, 0, a);
	else if (a->slot == SLOT_PREVIOUS)
		add_secret(list, "previous", a->slot_version, a->slot_since, a->slot_until, NULL);
	return list;
}

json_t *
app_json(struct request *r, const struct app *a, uint64_t generation)
{
	json_t *o = object_app_json(a, generation);
	bool bad = a->flag != ERR_NONE;

	json_object_set_new(o, "connections",
	    json_integer((json_int_t)app_count_uses(r->vault, &a->id, USES_MAX)));
	json_object_set_new(o, "secrets", secrets_json(a));
	json_object_set_new(o, "problem",
	    bad ? json_string(err_row(a->flag)->name) : json_null());
	json_object_set_new(o, "problem_text", bad ? json_string(a->flag_text) : json_null());
	json_object_set_new(o, "problem_time", json_integer(a->flag_time));
	json_object_set_new(o, "advice",
	    bad ? json_string(err_row(a->flag)->advice) : json_null());
	return o;
}

int
app_check_revision(const struct app_args *a, struct err *e)
{
	if (a->revision == 0 || (uint64_t)a->revision == a->generation)
		return 0;
	return err_name(e, ERR_CONFLICT, "the OAuth app was changed since revision %lld",
	    (long long)a->revision);
}

/* ---- Add */

static const struct field add_fields[] = {
	{ "name", F_NAME, offsetof(struct app_args, name), true, 0 },
	{ "connector", F_STR, offsetof(struct app_args, connector), true, 63 },
	{ "client_id", F_STR, offsetof(struct app_args, client_id), true, 511 },
	{ "client_secret", F_SECRET, offsetof(struct app_args, client_secret), false, 8192 },
	{ "scopes", F_STRINGS, offsetof(struct app_args, scopes), false, 200 },
	{ "variables", F_MAP, offsetof(struct app_args, variables), false, 0 },
	{ "client_auth", F_STR, offsetof(struct app_args, client_auth), false, 31 },
	{ "redirect_uri", F_STR, offsetof(struct app_args, redirect_uri), false, EX_URL - 1 },
	{ "owner", F_STR, offsetof(struct app_args, owner), true, 159 },
	{ "purpose", F_STR, offsetof(struct app_args, purpose), true, 159 },
	{ "rotate_by", F_INT, offsetof(struct app_args, rotate_by), false, 0 },
	{ "key", F_STR, offsetof(struct app_args, key), false, 7 },
	{ "key_pem", F_SECRET, offsetof(struct app_args, key_pem), false, PAIR_PEM },
	{ "certificate", F_STR, offsetof(struct app_args, certificate), false, PAIR_PEM },
	{ "kid", F_STR, offsetof(struct app_args, kid), false, 127 },
	{ "algorithm", F_STR, offsetof(struct app_args, algorithm), false, 7 },
	{ "subject", F_STR, offsetof(struct app_args, subject), false, PAIR_TEXT - 1 },
	{ "certificate_days", F_INT, offsetof(struct app_args, certificate_days), false, 0 },
	{ "secret_expires", F_INT, offsetof(struct app_args, secret_expires), false, 0 },
	{ 0 },
};

static int
add_object(struct request *r, struct err *e)
{
	struct app_args *a = r->args;
	const struct connector *k;

	snprintf(r->object_name, sizeof r->object_name, "app %s", a->name);
	r->object.app = a->name;
	if ((k = catalogue_find(&r->vault->catalogue, a->connector)) == NULL)
		return err_name(e, ERR_CONNECTOR_UNKNOWN, "there is no connector '%.60s'",
		    a->connector);
	a->connector = k->id;		/* not an alias */
	return 0;
}

int
app_fill_scopes(struct app_args *a, struct err *e)
{
	for (size_t i = 0; i < a->scopes.n; i++) {
		if (!scope_valid(a->scopes.v[i]))
			return err_parameter(e, "scopes",
			    "a scope must not be empty or hold spaces");
		if (!scope_add(a->a.scope, sizeof a->a.scope, a->scopes.v[i]))
			return err_parameter(e, "scopes", "the scopes are too many");
	}
	return 0;
}

/* RFC 8252 section 7.3: http is for this machine alone. */
static bool
is_redirect(const char *uri)
{
	static const char *const here[] = { "http://127.0.0.1", "http://[::1]", "http://localhost" };

	if (strncmp(uri, "https://", 8) == 0)
		return uri[8] != '\0';
	for (size_t i = 0; i < sizeof here / sizeof *here; i++) {
		size_t n = strlen(here[i]);

		if (strncmp(uri, here[i], n) == 0 && (uri[n] == ':' || uri[n] == '/'))
			return true;
	}
	return false;
}

static int
fill_redirect(struct request *r, struct app_args *a, const struct connector *k, struct err *e)
{
	char id[ID_TEXT];

	/* One per app, so that an answer for one cannot be taken for another's. */
	id_text(&a->a.id, id);
	if (a->redirect_uri != NULL)
		snprintf(a->a.redirect_uri, sizeof a->a.redirect_uri, "%s", a->redirect_uri);
	else
		snprintf(a->a.redirect_uri, sizeof a->a.redirect_uri, "%s/%s",
		    r->vault->conf.redirect_base, id);
	if (!is_redirect(a->a.redirect_uri))
		return err_parameter(e, "redirect_uri",
		    "a redirect URI is https, or http on a loopback address");
	if (k->redirect_https_only && strncmp(a->a.redirect_uri, "https://", 8) != 0)
		return err_parameter(e, "redirect_uri",
		    "this provider takes https redirect URIs alone: "
		    "name one of yours, and paste the address at which the browser ends");
	return 0;
}

static const char *
or_empty(const char *s)
{
	return s == NULL ? "" : s;
}

static int
add_run(struct request *r, struct err *e)
{
	struct app_args *a = r->args;
	const struct connector *k = catalogue_find(&r->vault->catalogue, a->connector);
	struct app *app = &a->a;
	struct slice value;

	if (store_get(r->vault->store, TABLE_APP_BY_NAME,
		(struct slice){ a->name, strlen(a->name) }, &value, NULL, e) != V_NOT_FOUND)
		return err_name(e, ERR_NAME_TAKEN, "there is an OAuth app '%s' already", a->name);
	app->id = r->object_id = id_new();
	app->version = 1;
	app->vars = a->variables;
	app->created = wall_seconds();
	app->created_by = r->conn->peer.uid;
	app->rotate_by = a->rotate_by;
	app->secret_expires = a->secret_expires;
	snprintf(app->name, sizeof app->name, "%s", a->name);
	snprintf(app->connector, sizeof app->connector, "%s", a->connector);
	snprintf(app->client_id, sizeof app->client_id, "%s", a->client_id);
	snprintf(app->client_auth, sizeof app->client_auth, "%s", or_empty(a->client_auth));
	snprintf(app->owner_note, sizeof app->owner_note, "%s", a->owner);
	snprintf(app->purpose_note, sizeof app->purpose_note, "%s", a->purpose);
	if (app_fill_scopes(a, e) != 0 || fill_redirect(r, a, k, e) != 0)
		return e->code;
	if (a->certificate_days < 0 || a->certificate_days > 3650)
		return err_parameter(e, "certificate_days",
		    "a certificate is for 1 to 3650 days");
	if (app->rotate_by != 0 && app->rotate_by <= app->created)
		return err_parameter(e, "rotate_by",
		    "the day by which the secret must be replaced is over");
	a->generation = EXPECT_ABSENT;
	changes_put(&r->changes, TABLE_APP_BY_NAME,
	    (struct slice){ app->name, strlen(app->name) }, EXPECT_ABSENT,
	    id_key(&app->id));
	return app_seal(r, &(struct sealed){ 0 });
}

const struct verb verb_app_add = {
	.method = "vaultd.Apps.Add",
	.help = "register an OAuth app",
	.action = ACT_APP_EDIT,
	.flags = VERB_CHANGE | VERB_UNSEALED | VERB_HSM,
	.fields = add_fields,
	.args_size = sizeof(struct app_args),
	.args_done = app_args_done,
	.object = add_object,
	.run = add_run,
};

/* ---- List, Show */

static bool
list_app(void *arg, struct slice key, struct slice value, uint64_t generation)
{
	struct { struct vault *v; json_t *out; } *l = arg;
	AUTO(app) a = { 0 };
	struct id id;
	struct err e;

	(void)key;
	(void)generation;
	if (!id_behind(value, 0, &id))
		return true;
	if (object_app(l->v, &id, &a, &generation, &e) == 0)
		json_array_append_new(l->out, object_app_json(&a, generation));
	return true;
}

static int
list_run(struct request *r, struct err *e)
{
	static const struct slice all = { "", 0 };
	struct { struct vault *v; json_t *out; } l = { r->vault, json_array() };
	int rc = store_walk(r->vault->store, TABLE_APP_BY_NAME, all, all, list_app, &l, e);

	r->reply = json_pack("{s:o}", "apps", l.out);
	return rc;
}

const struct verb verb_app_list = {
	.method = "vaultd.Apps.List",
	.help = "OAuth apps",
	.action = ACT_APP_VIEW,
	.run = list_run,
};

static const struct field app_fields[] = {
	{ "app", F_STR, offsetof(struct app_args, name), true, NAME_MAX_LEN },
	{ 0 },
};

static int
show_run(struct request *r, struct err *e)
{
	struct app_args *a = r->args;

	(void)e;
	r->reply = json_pack("{s:o}", "app", app_json(r, &a->a, a->generation));
	return 0;
}

const struct verb verb_app_show = {
	.method = "vaultd.Apps.Show",
	.help = "one OAuth app; never its secret",
	.action = ACT_APP_VIEW,
	.fields = app_fields,
	.args_size = sizeof(struct app_args),
	.args_done = app_args_done,
	.object = app_object,
	.run = show_run,
};

/* ---- Delete */

struct users {
	struct vault	*vault;
	size_t		 n;		/* connections */
	size_t		 deleted;	/* besides: those that are still being revoked, with its secret */
	int64_t		 deadline;	/* of the last of them */
};

static bool
count_user(void *arg, struct slice key, struct slice value, uint64_t generation)
{
	struct users *u = arg;
	struct tombstone t;
	struct id id;
	struct err e;

	(void)value;
	(void)generation;
	if (!id_behind(key, sizeof id.b, &id))
		return true;
	if (object_tombstone(u->vault, &id, &t, NULL, &e) != 0) {
		u->n++;
		return false;
	}
	u->deleted++;
	if (t.deadline > u->deadline)
		u->deadline = t.deadline;
	return true;
}

static int
is_unused(struct request *r, struct err *e)
{
	static const struct slice start = { "", 0 };
	struct app_args *a = r->args;
	struct users u = { .vault = r->vault };
	char left[32];

	if (store_walk(r->vault->store, TABLE_CONNECTION_BY_APP, id_key(&a->a.id), start, count_user,
		&u, e) != 0)
		return e->code;
	if (u.n > 0)
		return err_name(e, ERR_IN_USE, "connections use OAuth app '%s'", a->a.name);
	if (u.deleted == 0)
		return 0;
	advice_span(u.deadline > wall_seconds() ? u.deadline - wall_seconds() : 1, left, sizeof left);
	return err_name(e, ERR_IN_USE, "deleted connections of OAuth app '%s' are still being revoked at "
	    "the provider, which takes its secret: until that is done, at most %s from now", a->a.name,
	    left);
}

static void
delete_conflict(struct request *r)
{
	struct err e = { 0 };

	if (is_unused(r, &e) != 0)
		r->err = e;
}

/* What begins to use it until then is seen by the commit. */
static int
delete_run(struct request *r, struct err *e)
{
	struct app_args *a = r->args;

	if (is_unused(r, e) != 0)
		return e->code;
	if (a->a.key_kind != 0 && object_wrap(r->vault, &a->a.id, PURPOSE_GRANT, &a->wrap, e) != 0)
		return e->code;
	r->after = app_forget_key;
	r->conflict = delete_conflict;
	changes_expect_none(&r->changes, TABLE_CONNECTION_BY_APP, id_key(&a->a.id));
	notice_of_app(&r->changes, &a->a, NULL);
	changes_remove(&r->changes, TABLE_APP, id_key(&a->a.id), a->generation);
	changes_remove(&r->changes, TABLE_APP_BY_NAME,
	    (struct slice){ a->a.name, strlen(a->a.name) }, EXPECT_ANY);
	if (object_remove_wrap_at(r->vault, &r->changes, &a->a.id, PURPOSE_GRANT, 1, e) != 0)
		return e->code;
	return object_remove_wrap(r->vault, &r->changes, &a->a.id, PURPOSE_GRANT, e);
}

const struct verb verb_app_delete = {
	.method = "vaultd.Apps.Delete",
	.help = "forget an OAuth app that nothing uses",
	.action = ACT_APP_EDIT,
	.flags = VERB_CHANGE,
	.fields = app_fields,
	.args_size = sizeof(struct app_args),
	.args_done = app_args_done,
	.object = app_object,
	.run = delete_run,
};

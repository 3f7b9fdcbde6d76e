/*
 * verb_default.c - vaultd.Connections.SetDefault and ClearDefault: which connection of a folder is
 * meant where none is named.
 */
#include <stdio.h>

#include "common/errors.h"
#include "vaultd/bindings.h"
#include "vaultd/objects.h"
#include "vaultd/vault.h"
#include "vaultd/verbs.h"

struct default_args {
	const char	*connection;
	struct target	 t;
};

static const struct field default_fields[] = {
	{ "connection", F_STR, offsetof(struct default_args, connection), true, 0 },
	{ 0 },
};

static int
default_object(struct request *r, struct err *e)
{
	struct default_args *a = r->args;

	return object_find_connection(r, a->connection, true, &a->t, e);
}

static void
reply(struct request *r)
{
	struct default_args *a = r->args;
	char id[ID_TEXT];
	struct err e;

	id_text(&a->t.c.id, id);
	if (object_find_connection(r, id, true, &a->t, &e) == 0)
		r->reply = json_pack("{s:o}", "connection", object_connection_json(r, &a->t));
}

/* One that is not usable now may be the default: it is what is meant, and the caller is told. */
static int
set_run(struct request *r, struct err *e)
{
	struct default_args *a = r->args;

	if (a->t.c.state == CONN_DELETED)
		return object_not_found(e, "connection", a->connection);
	r->after = reply;
	return default_put(r->vault, &r->changes, &a->t.c, e);
}

const struct verb verb_connection_set_default = {
	.method = "vaultd.Connections.SetDefault",
	.help = "the one that is meant where none is named",
	.action = ACT_CONN_DEFAULT,
	.flags = VERB_CHANGE,
	.fields = default_fields,
	.args_size = sizeof(struct default_args),
	.object = default_object,
	.run = set_run,
};

static int
clear_run(struct request *r, struct err *e)
{
	struct default_args *a = r->args;

	r->after = reply;
	if (!default_is(r->vault, &a->t.c)) {
		reply(r);
		return 0;
	}
	return default_forget(r->vault, &r->changes, &a->t.c, e);
}

const struct verb verb_connection_clear_default = {
	.method = "vaultd.Connections.ClearDefault",
	.help = "it is meant no more where none is named",
	.action = ACT_CONN_DEFAULT,
	.flags = VERB_CHANGE,
	.fields = default_fields,
	.args_size = sizeof(struct default_args),
	.object = default_object,
	.run = clear_run,
};

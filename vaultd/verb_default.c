/*
 * verb_default.c - vaultd.Connections.SetDefault and ClearDefault: which connection of a folder is
 * meant where none is named.
 */
#include "vaultd/bindings.h"
#include "vaultd/named.h"
#include "vaultd/vault.h"
#include "vaultd/verbs.h"

static const struct field default_fields[] = {
	{ "connection", F_STR, offsetof(struct named, connection), true, 0 },
	{ 0 },
};

/* One that is not usable now may be the default: it is what is meant, and the caller is told. */
static int
set_run(struct request *r, struct err *e)
{
	struct named *n = r->args;

	r->after = named_reply;
	return default_put(r->vault, &r->changes, &n->t.c, e);
}

const struct verb verb_connection_set_default = {
	.method = "vaultd.Connections.SetDefault",
	.help = "the one that is meant where none is named",
	.action = ACT_CONN_DEFAULT,
	.flags = VERB_CHANGE,
	.fields = default_fields,
	.args_size = sizeof(struct named),
	.object = named_object_verified,
	.run = set_run,
};

static int
clear_run(struct request *r, struct err *e)
{
	struct named *n = r->args;

	r->after = named_reply;
	if (!default_is(r->vault, &n->t.c)) {
		named_reply(r);
		return 0;
	}
	return default_forget(r->vault, &r->changes, &n->t.c, e);
}

const struct verb verb_connection_clear_default = {
	.method = "vaultd.Connections.ClearDefault",
	.help = "it is meant no more where none is named",
	.action = ACT_CONN_DEFAULT,
	.flags = VERB_CHANGE,
	.fields = default_fields,
	.args_size = sizeof(struct named),
	.object = named_object_verified,
	.run = clear_run,
};

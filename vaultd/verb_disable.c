/*
 * verb_disable.c - vaultd.Connections.Disable and Enable.
 */
#include <stdio.h>

#include "common/errors.h"
#include "common/role.h"
#include "vaultd/conn.h"
#include "vaultd/dek_cache.h"
#include "vaultd/named.h"
#include "vaultd/schedule.h"
#include "vaultd/vault.h"
#include "vaultd/verbs.h"

struct disable_args {
	struct named	 n;
	const char	*note;
};

static const struct field disable_fields[] = {
	{ "connection", F_STR, offsetof(struct disable_args, n.connection), true, 0 },
	{ "note", F_STR, offsetof(struct disable_args, note), false, 159 },
	{ "revision", F_INT, offsetof(struct disable_args, n.revision), false, 0 },
	{ 0 },
};

static void
disabled(struct request *r)
{
	struct named *n = r->args;

	dek_cache_forget(r->vault->deks, &n->t.c.id);
	named_reply(r);
}

static int
disable_run(struct request *r, struct err *e)
{
	struct disable_args *a = r->args;
	struct connection *c = &a->n.t.c;
	int64_t now = wall_seconds();

	if (named_check_revision(&a->n, e) != 0)
		return e->code;
	if (!conn_state_apply(c, CONN_DISABLE, now)) {
		named_reply(r);
		return 0;
	}
	c->updated = now;
	c->disabled_by = r->conn->peer.uid;
	snprintf(c->disabled_note, sizeof c->disabled_note, "%s", a->note != NULL ? a->note : "");
	r->after = disabled;
	return object_put_connection(r->vault, &r->changes, c, a->n.t.generation, e);
}

const struct verb verb_connection_disable = {
	.method = "vaultd.Connections.Disable",
	.help = "hand out no tokens of it until it is enabled",
	.action = ACT_CONN_DISABLE,
	.flags = VERB_CHANGE,
	.fields = disable_fields,
	.args_size = sizeof(struct disable_args),
	.object = named_object_verified,
	.run = disable_run,
};

/* ---- Enable */

static const struct field enable_fields[] = {
	{ "connection", F_STR, offsetof(struct named, connection), true, 0 },
	{ "revision", F_INT, offsetof(struct named, revision), false, 0 },
	{ 0 },
};

static void
enabled(struct request *r)
{
	schedule_poke(r->vault->schedule);
	named_reply(r);
}

static int
enable_run(struct request *r, struct err *e)
{
	struct named *n = r->args;
	struct connection *c = &n->t.c;
	int64_t now = wall_seconds();

	if (named_check_revision(n, e) != 0)
		return e->code;
	if (c->state == CONN_LOCKED)
		return conn_state_refuse(c, e);
	if (!conn_state_apply(c, CONN_ENABLE, now)) {
		named_reply(r);
		return 0;
	}
	c->updated = now;
	c->disabled_by = 0;
	c->disabled_note[0] = '\0';
	if (conn_state_usable(c->state))	/* what came due meanwhile was let go */
		due_put(&r->changes, clock_ms(&r->vault->clock), &c->id, DUE_REFRESH);
	r->after = enabled;
	return object_put_connection(r->vault, &r->changes, c, n->t.generation, e);
}

const struct verb verb_connection_enable = {
	.method = "vaultd.Connections.Enable",
	.help = "take back a Disable: it is what it would have become",
	.action = ACT_CONN_DISABLE,
	.flags = VERB_CHANGE,
	.fields = enable_fields,
	.args_size = sizeof(struct named),
	.object = named_object_verified,
	.run = enable_run,
};

/*
 * introspect.c - see introspect.h.
 */
#include "vaultd/introspect.h"

#include <stdlib.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/log.h"
#include "common/role.h"
#include "vaultd/attempt.h"
#include "vaultd/audit_line.h"
#include "vaultd/egress.h"
#include "vaultd/objects.h"
#include "vaultd/refresh.h"
#include "vaultd/schedule.h"
#include "vaultd/vault.h"

struct asked {
	struct vault	*vault;
	struct id	 connection;
	uint64_t	 version;	/* of the grant that was asked about */
};

/* As it is now, if the question still stands: a reconnect, a retry or a deletion settles it. */
static bool
still_open(const struct asked *q, struct connection *c, uint64_t *generation)
{
	AUTO(grant) g = { 0 };
	struct err e;

	return attempt_find(q->vault, &q->connection) == NULL &&
	    object_connection(q->vault, &q->connection, true, c, generation, &e) == 0 &&
	    object_grant(q->vault, &q->connection, &g, NULL, &e) == 0 &&
	    c->ambiguous_since != 0 && conn_state_usable(c->state) && g.version == q->version;
}

static void
settle(const struct asked *q, enum token_state state)
{
	struct connection c;
	uint64_t generation;
	struct err e = { 0 };
	struct job *j;

	if (state == TOKEN_UNKNOWN || !still_open(q, &c, &generation) ||
	    (j = calloc(1, sizeof *j)) == NULL)
		return;
	refresh_introspected(q->vault, &j->changes, &c, state == TOKEN_ACTIVE, &e);
	audit_line_system(&j->line, q->vault, "refresh.introspect", NULL, &q->connection,
	    e.code != 0 ? &e : NULL);
	if (object_put_connection(q->vault, &j->changes, &c, generation, &e) != 0) {
		log_error("what introspection said cannot be stored: %s", e.text);
		job_free(j);
		return;
	}
	j->has_changes = true;
	j->owed = true;
	j->done = job_free;	/* a conflict: somebody else was faster, and knows more */
	journal_submit(q->vault->journal, j);
	schedule_poke(q->vault->schedule);
}

static void
told(void *arg, int rc, struct slice body, struct err *e)
{
	struct asked *q = arg;
	struct msg m;
	unsigned state;

	if (rc != 0) {
		log_debug("introspection: %s", e->text);
	} else {
		msg_read(&m, body);
		state = msg_get_u8(&m);
		settle(q, m.failed || state > TOKEN_INACTIVE ? TOKEN_UNKNOWN :
		    (enum token_state)state);
	}
	free(q);
}

static int
ask(struct asked *q, const struct connection *c, struct err *e)
{
	struct vault *v = q->vault;
	AUTO(msg) m = { 0 };
	AUTO(app) app = { 0 };
	AUTO(grant) g = { 0 };
	AUTO(buf) app_wrap = { 0 }, grant_wrap = { 0 };
	struct introspect body;

	if (object_app(v, &c->app, &app, NULL, e) != 0 ||
	    object_grant(v, &c->id, &g, NULL, e) != 0 ||
	    object_wrap(v, &app.id, PURPOSE_GRANT, &app_wrap, e) != 0 ||
	    object_wrap(v, &c->id, PURPOSE_GRANT, &grant_wrap, e) != 0)
		return e->code;
	q->version = g.version;
	body.app = sealed_of(&app.id, app.version, &app.blob, &app_wrap);
	body.grant = sealed_of(&c->id, g.version, &g.blob, &grant_wrap);
	introspect_put(&m, &body);
	egress_call(v->egress, EGRESS_INTROSPECT, &m, EGRESS_SHORT_MS, told, q);
	return 0;
}

void
introspect(struct vault *v, const struct id *connection)
{
	struct asked *q = calloc(1, sizeof *q);
	struct connection c;
	struct err e = { 0 };

	if (q == NULL)
		return;
	*q = (struct asked){ .vault = v, .connection = *connection };
	if (object_connection(v, connection, true, &c, NULL, &e) == 0 &&
	    c.ambiguous_since != 0 && ask(q, &c, &e) == 0)
		return;
	if (e.code != 0)
		log_debug("introspection: %s", e.text);
	free(q);
}

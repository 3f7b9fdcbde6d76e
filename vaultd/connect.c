/*
 * connect.c - the exchange of an authorization code, in the same order as a refresh, and the end
 * of sessions that nobody finished. The verbs are in verb_connect.c and verb_finish.c, the session's
 * record is session.c's, devices are device.c's.
 */
#include "vaultd/connect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "common/log.h"
#include "common/role.h"
#include "vaultd/audit_line.h"
#include "vaultd/dek_cache.h"
#include "vaultd/device.h"
#include "vaultd/objects.h"
#include "vaultd/refresh.h"
#include "vaultd/refresh_rules.h"
#include "vaultd/revoke.h"
#include "vaultd/schedule.h"
#include "vaultd/session.h"
#include "vaultd/vault.h"

/* ---- the exchange's end */

/* The code is spent or refused: what is left is to sign in again. */
static void
note_failure(struct connection *c, const struct exchange_result *res)
{
	conn_state_apply(c, CONN_ENDED, wall_seconds());
	c->updated = wall_seconds();
	refresh_note_cause(c, res, c->updated);
	if (res->phase != PHASE_AMBIGUOUS)
		return;
	c->cause = ERR_SIGNIN_LOST;
	snprintf(c->cause_text, sizeof c->cause_text, "the answer to the sign-in was lost: %.100s",
	    res->err.text);
}

static int
rebuild(struct attempt *a, struct changes *ch, struct err *e)
{
	struct vault *v = a->vault;
	AUTO(pending) p = { 0 };
	struct connection c;
	uint64_t generation;
	bool other;
	int rc;

	other = session_load(v, &a->intent.pending, &p, e) == 0 && p.other_account;
	session_remove(ch, &a->intent.pending);
	rc = object_connection(v, &a->intent.connection, true, &c, &generation, e);
	if (rc == V_NOT_FOUND)
		return revoke_take_answer(v, ch, &a->res, &a->intent, e);
	if (rc != 0)
		return e->code;
	if (a->res.phase == PHASE_ANSWERED && refresh_take_account(v, &c, &a->res, other,
	    &a->res.err) == 0) {
		if (refresh_store_result(v, ch, &c, &a->res, &a->intent, e) != 0)
			return e->code;
	} else if (c.state == CONN_PENDING && a->res.phase == PHASE_REJECTED &&
	    a->session_done != NULL) {
		/* It never was, and who waits is told why: its name is free for the next try. */
		return object_remove_connection(v, ch, &c, generation, e);
	} else if (c.state == CONN_PENDING) {
		note_failure(&c, &a->res);
	}
	/* A failed reconnect leaves the old grant, and what is known of it, alone. */
	return object_put_connection(v, ch, &c, generation, e);
}

static void
finished(struct attempt *a)
{
	if (a->res.phase == PHASE_ANSWERED)
		a->res.err = (struct err){ 0 };
	if (!a->stored) {
		a->session_done(a->arg, (int)a->res.err.code, &a->res.err);
		attempt_abandon(a);
		return;
	}
	/* Nothing was spent: the session stays, the caller may finish again. */
	a->keep_session = a->res.phase == PHASE_NOT_SENT;
	attempt_commit(a);
}

static int
rebuild_or_keep(struct attempt *a, struct changes *ch, struct err *e)
{
	return a->keep_session ? 0 : rebuild(a, ch, e);
}

static void
committed(struct attempt *a, int rc, const struct err *e)
{
	dek_cache_forget(a->vault->deks, &a->intent.connection);
	if (a->session_done != NULL)
		a->session_done(a->arg, rc != 0 ? rc : (int)a->res.err.code,
		    rc != 0 ? e : &a->res.err);
	schedule_poke(a->vault->schedule);
}

void
connect_recover(struct attempt *a)
{
	if (a->intent.kind == EX_DEVICE) {
		device_recover(a);
		return;
	}
	a->done = finished;
	a->rebuild = rebuild_or_keep;
	a->committed = committed;
}

/* ---- the exchange's start */

int
connect_load(struct attempt *a, const struct pending *p, struct err *e)
{
	struct vault *v = a->vault;
	AUTO(app) app = { 0 };
	AUTO(grant) g = { 0 };
	AUTO(release) r = { 0 };

	if (object_app(v, &p->app, &app, NULL, e) != 0 ||
	    object_wrap(v, &app.id, PURPOSE_GRANT, &a->app_wrap, e) != 0)
		return e->code;
	if (object_grant(v, &p->connection, &g, NULL, e) != 0 && e->id != ERR_NOT_FOUND)
		return e->code;
	if (object_release(v, &p->connection, &r, NULL, e) != 0 && e->id != ERR_NOT_READY)
		return e->code;
	a->app_blob = buf_take(&app.blob);
	if (!buf_add(&a->secret_blob, p->blob.p, p->blob.len) ||
	    !buf_add(&a->secret_wrap, p->wrap.p, p->wrap.len))
		return err_set(e, V_LIMIT, "out of memory");
	a->intent.connection = a->ex.connection = p->connection;
	a->intent.pending = p->id;
	a->intent.grant_version = a->ex.grant_version = g.version + 1;
	a->intent.release_version = a->ex.release_version = r.version + 1;
	a->ex.app = sealed_of(&app.id, app.version, &a->app_blob, &a->app_wrap);
	a->ex.secret = sealed_of(&p->id, 1, &a->secret_blob, &a->secret_wrap);
	snprintf(a->ex.scope, sizeof a->ex.scope, "%s", p->scope);
	return 0;
}

int
connect_exchange(struct vault *v, const struct pending *p, struct secret *code,
    const char *iss, const struct ex_vars *parameters, void (*done)(void *arg, int rc, const struct err *e),
    void *arg, struct err *e)
{
	struct attempt *a;

	if (attempt_find(v, &p->connection) != NULL)
		return err_name(e, ERR_BUSY, "an exchange for this connection is under way");
	if ((a = attempt_new(v, EX_CODE)) == NULL)
		return err_set(e, V_LIMIT, "out of memory");
	connect_recover(a);
	if (connect_load(a, p, e) != 0) {
		attempt_abandon(a);
		return e->code;
	}
	a->ex.code = secret_take(code);
	snprintf(a->ex.iss, sizeof a->ex.iss, "%s", iss == NULL ? "" : iss);
	a->ex.parameters = *parameters;
	a->session_done = done;
	a->arg = arg;
	attempt_start(a);
	return 0;
}

/* ---- sessions nobody finished */

void
connect_expire(struct vault *v, const struct id *id)
{
	AUTO(pending) p = { 0 };
	struct job *j;
	struct err e = { 0 };
	bool waits;
	int rc;

	if (session_load(v, id, &p, &e) != 0 || attempt_find(v, &p.connection) != NULL)
		return;
	if (p.expires > clock_s(&v->clock) || (j = calloc(1, sizeof *j)) == NULL)
		return;
	waits = p.over == SESSION_WAITS;
	rc = waits && p.kind == EX_DEVICE ?
	    device_expire(v, &p, &j->changes, &e) : session_forget(v, &p, &j->changes, &e);
	if (rc != 0) {
		log_error("a sign-in that nobody finished cannot be removed: %s", e.text);
		job_free(j);
		return;
	}
	if (waits)
		audit_line_system(&j->line, v, "session.expired", NULL, &p.connection, NULL);
	j->has_changes = true;
	j->done = job_free;
	journal_submit(v->journal, j);
}

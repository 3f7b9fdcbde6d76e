/*
 * connect.c - an authorization-code session: begun durably, finished by the same uid,
 * exchanged through the same ordering as a refresh. The verbs are in verb_connect.c.
 *
 * The session's record holds the sealed verifier and the hash of `state`; its id is in
 * `state` too, so that finding it needs no index: state = base64url(id | 16 random bytes).
 */
#include "vaultd/connect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "common/log.h"
#include "common/role.h"
#include "vaultd/connect_session.h"
#include "vaultd/dek_cache.h"
#include "vaultd/objects.h"
#include "vaultd/refresh.h"
#include "vaultd/schedule.h"
#include "vaultd/vault.h"

static struct slice
id_key(const struct id *id)
{
	return (struct slice){ id->b, sizeof id->b };
}

void
session_state(const struct id *pending, char ret[STATE_TEXT])
{
	unsigned char raw[32];

	memcpy(raw, pending->b, 16);
	random_bytes(raw + 16, 16);
	b64url_encode(raw, sizeof raw, ret);
}

int
session_load(struct vault *v, const struct id *id, struct pending *ret, struct err *e)
{
	struct slice in;
	int rc = store_get(v->store, TABLE_PENDING, id_key(id), &in, NULL, e);

	if (rc == V_NOT_FOUND)
		return err_name(e, ERR_STATE_INVALID, "this sign-in was not begun here, is "
		    "finished, or was too long ago");
	if (rc != 0 || pending_decode(in, ret, e) != 0)
		return err_name(e, ERR_RECORD_CORRUPT, "the session of this sign-in is damaged");
	return 0;
}

int
session_find(struct vault *v, const char *state, struct pending *ret, struct err *e)
{
	unsigned char raw[32], hash[32], diff = 0;
	struct id id;
	size_t n = strlen(state);

	if (n != STATE_TEXT - 1 || b64url_decode(state, n, raw) != sizeof raw)
		return err_name(e, ERR_STATE_INVALID, "`state` is not one of this vault's");
	memcpy(id.b, raw, sizeof id.b);
	if (session_load(v, &id, ret, e) != 0)
		return e->code;
	sha256((struct slice){ state, n }, hash);
	for (size_t i = 0; i < sizeof hash; i++)
		diff |= hash[i] ^ ret->state_hash[i];
	if (diff != 0)
		return err_name(e, ERR_STATE_INVALID, "`state` is not the one this sign-in was "
		    "given");
	return 0;
}

/* ---- the exchange's end */

static void
session_remove(struct changes *ch, const struct id *pending)
{
	changes_remove(ch, TABLE_PENDING, id_key(pending), EXPECT_ANY);
}

/* An account that changes silently on reconnect is refused, and so is one that nobody can tell. */
static int
same_account(const struct connection *c, const struct exchange_result *res, struct err *e)
{
	if (c->account[0] == '\0' || strcmp(c->account, res->account) == 0)
		return 0;
	if (res->account[0] == '\0')
		return err_name(e, ERR_ACCOUNT_MISMATCH, "this connection belongs to account '%.100s', "
		    "and the provider did not say whose the sign-in was", c->account);
	err_name(e, ERR_ACCOUNT_MISMATCH, "this connection belongs to account '%.100s', and the "
	    "sign-in was with '%.100s'", c->account, res->account);
	err_detail(e, "expected", "%s", c->account);
	err_detail(e, "got", "%s", res->account);
	return e->code;
}

/* The code is spent or refused: what is left is to sign in again. */
static void
note_failure(struct connection *c, const struct exchange_result *res)
{
	struct err e = res->err;

	if (res->phase == PHASE_AMBIGUOUS)
		err_name(&e, ERR_SIGNIN_LOST, "the answer to the sign-in was lost: %.200s",
		    res->err.text);
	c->state = CONN_DISCONNECTED;
	c->cause = e.id;
	snprintf(c->cause_text, sizeof c->cause_text, "%.*s", (int)sizeof c->cause_text - 1,
	    e.text);
	c->cause_time = c->updated = wall_seconds();
}

static int
rebuild(struct attempt *a, struct changes *ch, struct err *e)
{
	struct vault *v = a->vault;
	struct connection c;
	uint64_t generation;

	session_remove(ch, &a->intent.pending);
	if (object_connection(v, &a->intent.connection, true, &c, &generation, e) != 0)
		return e->code;
	if (a->res.phase == PHASE_ANSWERED && same_account(&c, &a->res, &a->res.err) == 0) {
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
	a->done = finished;
	a->rebuild = rebuild_or_keep;
	a->committed = committed;
}

/* ---- the exchange's start */

static int
load(struct attempt *a, const struct pending *p, struct err *e)
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
	a->ex.app = (struct sealed){ app.id, app.version, buf_slice(&a->app_blob),
		buf_slice(&a->app_wrap) };
	a->ex.secret = (struct sealed){ p->id, 1, buf_slice(&a->secret_blob),
		buf_slice(&a->secret_wrap) };
	snprintf(a->ex.scope, sizeof a->ex.scope, "%s", p->scope);
	return 0;
}

int
session_exchange(struct vault *v, const struct pending *p, struct secret *code,
    const char *iss, void (*done)(void *arg, int rc, const struct err *e), void *arg,
    struct err *e)
{
	struct attempt *a;

	if (attempt_find(v, &p->connection) != NULL)
		return err_name(e, ERR_BUSY, "an exchange for this connection is under way");
	if ((a = attempt_new(v, EX_CODE)) == NULL)
		return err_set(e, V_LIMIT, "out of memory");
	connect_recover(a);
	if (load(a, p, e) != 0) {
		attempt_abandon(a);
		return e->code;
	}
	a->ex.code = secret_take(code);
	snprintf(a->ex.iss, sizeof a->ex.iss, "%s", iss == NULL ? "" : iss);
	a->session_done = done;
	a->arg = arg;
	attempt_start(a);
	return 0;
}

/* ---- sessions nobody finished */

int
session_forget(struct vault *v, const struct pending *p, struct changes *ch, struct err *e)
{
	struct connection c;
	uint64_t generation;
	struct err gone;

	if (!p->reconnect &&
	    object_connection(v, &p->connection, false, &c, &generation, &gone) == 0 &&
	    c.state == CONN_PENDING && object_remove_connection(v, ch, &c, generation, e) != 0) {
		changes_done(ch);
		return e->code;
	}
	session_remove(ch, &p->id);
	return 0;
}

void
connect_expire(struct vault *v, const struct id *id)
{
	AUTO(pending) p = { 0 };
	struct job *j;
	struct err e = { 0 };

	if (session_load(v, id, &p, &e) != 0 || attempt_find(v, &p.connection) != NULL)
		return;
	if (p.expires > wall_seconds() || (j = calloc(1, sizeof *j)) == NULL)
		return;
	if (session_forget(v, &p, &j->changes, &e) != 0) {
		log_error("a sign-in that nobody finished cannot be removed: %s", e.text);
		job_free(j);
		return;
	}
	audit_line_system(&j->line, v, "session.expired", NULL, &p.connection, NULL);
	j->has_changes = true;
	j->done = job_free;
	journal_submit(v->journal, j);
}

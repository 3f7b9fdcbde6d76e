/*
 * revoke.c - see revoke.h.
 *
 * Order: tombstone durable (nobody gets a token any more), the provider is asked, the end durable
 * together with the destruction of keys. A crash in between asks again: revoking what is revoked
 * is no error (RFC 7009 section 2.2).
 */
#include "vaultd/revoke.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/log.h"
#include "common/role.h"
#include "vaultd/attempt.h"
#include "vaultd/audit_line.h"
#include "vaultd/egress.h"
#include "vaultd/hsm.h"
#include "vaultd/objects.h"
#include "vaultd/refresh.h"
#include "vaultd/refresh_rules.h"
#include "vaultd/schedule.h"
#include "vaultd/vault.h"

#define KEPT_S		(30 * 86400)	/* a tombstone tells for so long */
#define AWAY_S		3		/* our own helper, or an exchange, is not there yet */
#define AWAY_MAX_S	60

struct waiter {
	struct waiter	*next;
	struct revoking	*of;
	struct event	*timer;
	void		(*done)(void *arg, const struct tombstone *t);
	void		*arg;
};

/* One under way. */
struct revoking {
	struct revoking	 *next;
	struct vault	 *vault;
	struct id	  id;
	struct waiter	 *waiters;
	struct tombstone  t;
	bool		  known;	/* that it has to wait, and for what */
};

/* ---- burying */

static bool
has_token(struct vault *v, const struct id *id)
{
	struct slice key = { id->b, sizeof id->b }, in;
	struct err e;

	return store_get(v->store, TABLE_RELEASE, key, &in, NULL, &e) == 0 ||
	    store_get(v->store, TABLE_GRANT, key, &in, NULL, &e) == 0;
}

/* Where nothing has to be asked. */
static enum revocation
at_once(struct vault *v, const struct connection *c, bool wanted)
{
	if (!has_token(v, &c->id) && attempt_find(v, &c->id) == NULL)
		return REVOCATION_NOTHING;
	if (!wanted)
		return REVOCATION_NOT_WANTED;
	return auth_type_flags(c->auth_type) & AUTH_STATIC ? REVOCATION_NO_WAY : REVOCATION_QUEUED;
}

int
revoke_bury(struct vault *v, struct changes *ch, const struct connection *c, uint64_t expect,
    uid_t by, bool wanted, struct tombstone *ret, struct err *e)
{
	int64_t now = wall_seconds();

	*ret = (struct tombstone){
		.id = c->id, .folder = c->folder, .app = c->app, .auth_type = c->auth_type,
		.owner = c->owner, .deleted_by = by, .deleted = now,
		.deadline = now + v->conf.revoke_seconds,
		.revocation = at_once(v, c, wanted),
	};
	snprintf(ret->name, sizeof ret->name, "%s", c->name);
	snprintf(ret->connector, sizeof ret->connector, "%s", c->connector);
	if (ret->revocation != REVOCATION_QUEUED)
		ret->ended = now;
	due_put(ch, (ret->ended != 0 ? now + KEPT_S : now + AWAY_S) * 1000, &c->id, DUE_REVOKE);
	return object_bury_connection(v, ch, c, expect, ret, e);
}

int
revoke_take_answer(struct vault *v, struct changes *ch, const struct exchange_result *res,
    const struct intent *in, struct err *e)
{
	struct tombstone t;
	struct connection c;

	if (object_tombstone(v, &in->connection, &t, NULL, e) != 0)
		return e->code;
	if (t.ended != 0)
		return err_name(e, ERR_NOT_FOUND, "the connection was deleted");
	c = (struct connection){ .id = t.id, .app = t.app, .auth_type = t.auth_type,
		.state = CONN_DELETED };
	due_put(ch, wall_seconds() * 1000, &t.id, DUE_REVOKE);
	return res->phase == PHASE_ANSWERED ? refresh_store_tokens(v, ch, &c, res, in, e) : 0;
}

bool
revoke_is_open(struct vault *v, const struct id *connection)
{
	struct tombstone t;
	struct err e;

	return object_tombstone(v, connection, &t, NULL, &e) == 0 && t.ended == 0;
}

/* ---- who waits */

static void
waiter_free(struct waiter *w)
{
	if (w->timer != NULL)
		event_free(w->timer);
	free(w);
}

static void
wake(struct revoking *r)
{
	struct waiter *w = r->waiters, *next;

	r->waiters = NULL;
	for (; w != NULL; w = next) {
		next = w->next;
		w->done(w->arg, &r->t);
		waiter_free(w);
	}
}

static void
waited(evutil_socket_t fd, short what, void *arg)
{
	struct waiter *w = arg, **at = &w->of->waiters;

	(void)fd;
	(void)what;
	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	w->done(w->arg, &w->of->t);
	waiter_free(w);
}

static struct revoking *
find(struct vault *v, const struct id *id)
{
	for (struct revoking *r = v->revoking; r != NULL; r = r->next)
		if (id_equal(&r->id, id))
			return r;
	return NULL;
}

static void
over(struct revoking *r)
{
	struct revoking **at = &r->vault->revoking;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	wake(r);
	free(r);
}

/* ---- the end, or the next try */

static void
stored(struct job *j)
{
	struct revoking *r = j->arg;
	struct vault *v = r->vault;

	if (j->rc != 0)		/* the lease in the due index brings it back */
		log_error("what became of a revocation cannot be stored: %s", j->err.text);
	if (j->rc != 0 && r->t.ended != 0) {
		r->t.ended = 0;
		r->t.revocation = REVOCATION_QUEUED;
	}
	job_free(j);
	over(r);
	schedule_poke(v->schedule);
}

/* Who deletes many while a helper is away fills neither disk nor log: less often with time. */
static int64_t
away_s(const struct tombstone *t, int64_t now)
{
	int64_t s = (now - t->deleted) / 8;

	return s < AWAY_S ? AWAY_S : s > AWAY_MAX_S ? AWAY_MAX_S : s;
}

static int64_t
next_try(const struct tombstone *t, int64_t now, bool local)
{
	int64_t at = now + (local ? away_s(t, now) : refresh_backoff_s(t->tries));

	return at < t->deadline ? at : t->deadline;
}

/* R->T is what is to be stored. */
static void
store(struct revoking *r, int64_t next, const struct err *why)
{
	struct vault *v = r->vault;
	struct job *j = calloc(1, sizeof *j);
	struct tombstone before;
	uint64_t generation;
	struct err e = { 0 };

	if (j == NULL || object_tombstone(v, &r->id, &before, &generation, &e) != 0 ||
	    (r->t.ended != 0 && object_forget_tokens(v, &j->changes, &r->id, &r->t.app, &e) != 0) ||
	    object_put_tombstone(v, &j->changes, &r->t, generation, &e) != 0) {
		log_error("what became of a revocation cannot be stored: %s", e.text);
		if (j != NULL)
			job_free(j);
		over(r);
		return;
	}
	due_put(&j->changes, (r->t.ended != 0 ? r->t.ended + KEPT_S : next) * 1000, &r->id,
	    DUE_REVOKE);
	if (!r->known || r->t.ended != 0)
		audit_line_system(&j->line, v, r->t.ended != 0 ? "revoke.end" : "revoke.again", r->t.name,
	    &r->id, why);
	j->has_changes = true;
	j->done = stored;
	j->arg = r;
	journal_submit(v->journal, j);
}

static void
end(struct revoking *r, enum revocation how, const struct err *why)
{
	r->t.revocation = how;
	r->t.ended = wall_seconds();
	store(r, 0, why);
}

static void
failed(struct revoking *r, const struct err *e, bool local)
{
	int64_t now = wall_seconds();

	r->known = local && r->t.cause == (unsigned)e->id;
	r->t.cause = e->id != ERR_NONE ? e->id : ERR_INTERNAL;
	snprintf(r->t.cause_text, sizeof r->t.cause_text, "%s", e->text);
	r->t.tries += !local;
	if (now >= r->t.deadline)
		end(r, REVOCATION_GIVEN_UP, e);
	else
		store(r, next_try(&r->t, now, local), e);
}

/* ---- asking */

static void
told(void *arg, int rc, struct slice body, struct err *e)
{
	struct revoking *r = arg;
	struct revoke_result res = { 0 };

	if (rc == 0)
		rc = revoke_result_get(body, &res, e);
	if (rc != 0)
		failed(r, e, refresh_is_local(e->id) || e->code == V_TIMEOUT);
	else if (res.revoked)
		end(r, REVOCATION_DONE, NULL);
	else if (!res.supported)
		end(r, REVOCATION_NO_WAY, NULL);
	else
		failed(r, &res.err, false);
}

static int
ask(struct revoking *r, struct grant *g, struct err *e)
{
	struct vault *v = r->vault;
	const struct id *id = &r->id;
	AUTO(msg) m = { 0 };
	AUTO(app) app = { 0 };
	AUTO(release) rel = { 0 };
	AUTO(buf) aw = { 0 }, gw = { 0 }, rw = { 0 };
	struct revoke q = { .connection = *id };

	if (object_app(v, &r->t.app, &app, NULL, e) != 0 ||
	    object_wrap(v, &app.id, PURPOSE_GRANT, &aw, e) != 0)
		return e->code;
	q.app = sealed_of(&app.id, app.version, &app.blob, &aw);
	if (g->blob.len > 0 && object_wrap(v, id, PURPOSE_GRANT, &gw, e) == 0)
		q.grant = sealed_of(id, g->version, &g->blob, &gw);
	if (object_release(v, id, &rel, NULL, e) == 0 &&
	    object_wrap(v, id, PURPOSE_RELEASE, &rw, e) == 0)
		q.release = sealed_of(id, rel.version, &rel.blob, &rw);
	revoke_put(&m, &q);
	egress_call(v->egress, EGRESS_REVOKE, &m, EGRESS_SHORT_MS, told, r);
	return 0;
}

/* Not yet: nothing is asked, and nothing is wrong with the connection. */
static int
not_yet(struct revoking *r, struct err *e)
{
	struct vault *v = r->vault;

	if (attempt_find(v, &r->id) != NULL)
		return err_name(e, ERR_BUSY, "an exchange for the connection is under way");
	if (!egress_is_up(v->egress))
		return err_name(e, ERR_EGRESS_UNAVAILABLE, "vault-egress is not running");
	return hsm_need(v->hsm, e);
}

static void
start(struct revoking *r)
{
	AUTO(grant) g = { 0 };
	struct err e = { 0 };

	if (not_yet(r, &e) != 0) {
		failed(r, &e, true);
	} else if (object_grant(r->vault, &r->id, &g, NULL, &e) != 0 && e.id != ERR_NOT_FOUND) {
		failed(r, &e, false);
	} else if (object_has_sibling(r->vault, g.fingerprint, &r->id, NULL)) {
		end(r, REVOCATION_SHARED, NULL);
	} else {
		err_clear(&e);
		if (ask(r, &g, &e) != 0)
			failed(r, &e, false);
	}
}

static struct revoking *
begin(struct vault *v, const struct id *id)
{
	struct revoking *r = calloc(1, sizeof *r);
	struct err e;

	if (r == NULL || object_tombstone(v, id, &r->t, NULL, &e) != 0 || r->t.ended != 0) {
		free(r);
		return NULL;
	}
	r->vault = v;
	r->id = *id;
	r->next = v->revoking;
	v->revoking = r;
	return r;
}

static bool
add_waiter(struct revoking *r, int wait_ms, void (*done)(void *, const struct tombstone *),
    void *arg)
{
	struct timeval tv = { wait_ms / 1000, wait_ms % 1000 * 1000 };
	struct waiter *w = calloc(1, sizeof *w);

	if (w == NULL)
		return false;
	*w = (struct waiter){ .next = r->waiters, .of = r, .done = done, .arg = arg };
	if ((w->timer = evtimer_new(r->vault->base, waited, w)) == NULL ||
	    evtimer_add(w->timer, &tv) != 0) {
		waiter_free(w);
		return false;
	}
	r->waiters = w;
	return true;
}

void
revoke_want(struct vault *v, const struct id *connection, int wait_ms,
    void (*done)(void *arg, const struct tombstone *t), void *arg)
{
	struct revoking *r = find(v, connection), *begun = NULL;
	struct tombstone t = { 0 };
	struct err e;

	if (r == NULL && !v->stopping)
		r = begun = begin(v, connection);
	if (r == NULL || !add_waiter(r, wait_ms, done, arg)) {
		object_tombstone(v, connection, &t, NULL, &e);
		done(arg, &t);
	}
	if (begun != NULL)
		start(begun);
}

/* Kept long enough. */
static void
forget(struct vault *v, const struct id *id, uint64_t generation)
{
	struct job *j = calloc(1, sizeof *j);

	if (j == NULL)
		return;
	changes_remove(&j->changes, TABLE_TOMBSTONE, id_key(id),
	    generation);
	j->has_changes = true;
	j->done = job_free;
	journal_submit(v->journal, j);
}

void
revoke_due(struct vault *v, const struct id *connection)
{
	struct revoking *r;
	struct tombstone t;
	uint64_t generation;
	struct err e;

	if (v->stopping || find(v, connection) != NULL ||
	    object_tombstone(v, connection, &t, &generation, &e) != 0)
		return;
	if (t.ended != 0) {
		if (t.ended + KEPT_S <= wall_seconds())
			forget(v, connection, generation);
	} else if ((r = begin(v, connection)) != NULL) {
		start(r);
	}
}

/* ---- words */

void
revoke_note(const struct tombstone *t, char *ret, size_t cap)
{
	static const char there[] = "Remove the access in the account's settings at the provider.";

	*ret = '\0';
	switch (t->revocation) {
	case REVOCATION_QUEUED:
		if (t->cause_text[0] == '\0')
			snprintf(ret, cap, "Removed here; it is being revoked at the provider.");
		else
			snprintf(ret, cap, "Removed here, still live there: %.300s. It is tried again "
			    "until it works, for %lld h at most.", t->cause_text,
			    (long long)(t->deadline - t->deleted + 3599) / 3600);
		break;
	case REVOCATION_NO_WAY:
		if (auth_type_flags(t->auth_type) & AUTH_STATIC)
			snprintf(ret, cap, "Removed here, still live there: a static secret lives until "
			    "it is revoked. %s", there);
		else
			snprintf(ret, cap, "Removed here, still live there: the provider has no way to "
			    "revoke from here. %s", there);
		break;
	case REVOCATION_SHARED:
		snprintf(ret, cap, "Not revoked at the provider: another connection uses the same "
		    "grant, and would have lost it.");
		break;
	case REVOCATION_NOT_WANTED:
		snprintf(ret, cap, "Removed here, still live there, as you asked.");
		break;
	case REVOCATION_GIVEN_UP:
		snprintf(ret, cap, "Removed here, still live there: %.300s. %s", t->cause_text, there);
		break;
	default:
		break;
	}
}

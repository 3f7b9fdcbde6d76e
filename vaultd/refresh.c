/*
 * refresh.c - renewing a grant. See refresh.h; attempt.c has the ordering, this file the
 * meaning of each outcome.
 */
#include "vaultd/refresh.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/log.h"
#include "common/role.h"
#include "vaultd/attempt.h"
#include "vaultd/connect.h"
#include "vaultd/egress.h"
#include "vaultd/hsm.h"
#include "vaultd/objects.h"
#include "vaultd/schedule.h"
#include "vaultd/vault.h"

struct waiter {
	struct waiter	*next;
	void		(*done)(void *arg, int rc, const struct err *e);
	void		*arg;
};

#define BACKOFF_MAX_S	900
#define THROTTLED_S	60	/* when the provider does not say for how long */
#define RETRY_AFTER_MAX_S 3600
#define STRIKE_SPACING_S 60

/* ---- when */

/* Long enough before the end for a few tries, short enough not to renew for nothing. */
static int64_t
lead_s(int64_t lifetime)
{
	if (lifetime <= 180)
		return lifetime / 3;
	if (lifetime / 5 < 60)
		return 60;
	return lifetime / 5 > 900 ? 900 : lifetime / 5;
}

/* Spreads what was obtained together, after a restart or an outage. */
static int64_t
jitter_ms(int64_t lifetime)
{
	return lifetime * (lifetime <= 180 ? 50 : 100);
}

int64_t
refresh_due_ms(int64_t obtained, int64_t lifetime)
{
	unsigned r;

	random_bytes(&r, sizeof r);
	return (obtained + lifetime - lead_s(lifetime)) * 1000 -
	    (int64_t)(r % (uint64_t)(jitter_ms(lifetime) + 1));
}

bool
refresh_is_due(int64_t obtained, int64_t expires)
{
	int64_t lifetime = expires - obtained;

	return expires != 0 && wall_usec() / 1000 >=
	    (expires - lead_s(lifetime)) * 1000 - jitter_ms(lifetime);
}

void
due_put(struct changes *c, int64_t unix_ms, const struct id *id, enum due_kind kind)
{
	unsigned char key[24], value = (unsigned char)kind;

	for (int i = 0; i < 8; i++)
		key[i] = (unsigned char)((uint64_t)unix_ms >> 8 * (7 - i));
	memcpy(key + 8, id->b, sizeof id->b);
	changes_put(c, TABLE_DUE, (struct slice){ key, sizeof key }, EXPECT_ANY,
	    (struct slice){ &value, 1 });
}

static int64_t
backoff_s(unsigned failures)
{
	return failures >= 9 ? BACKOFF_MAX_S : (int64_t)2 << failures;
}

/* ---- results into records */

static int
store_release(struct vault *v, struct changes *ch, const struct connection *c,
    const struct exchange_result *res, const struct intent *in, struct err *e)
{
	AUTO(release) r = { 0 };
	uint64_t generation = EXPECT_ABSENT;
	int rc = object_release(v, &c->id, &r, &generation, e);

	if (rc != 0 && e->id != ERR_NOT_READY)
		return rc;
	buf_done(&r.blob);
	r.connection = c->id;
	r.version = in->release_version;
	r.generation++;
	r.obtained = in->t0;
	r.expires = res->expires_in_s == 0 ? 0 : in->t0 + res->expires_in_s;
	r.seals = res->release_wrap.len > 0 ? 1 : r.seals + 1;
	if (!buf_add(&r.blob, res->release_blob.p, res->release_blob.len))
		return err_set(e, V_LIMIT, "out of memory");
	if (res->release_wrap.len > 0 && object_put_wrap(v, ch, &c->id, PURPOSE_RELEASE,
		buf_slice(&res->release_wrap), e) != 0)
		return e->code;
	return object_put_release(v, ch, &r, generation, e);
}

static int
store_grant(struct vault *v, struct changes *ch, const struct connection *c,
    const struct exchange_result *res, const struct intent *in, struct err *e)
{
	AUTO(grant) g = { 0 };
	uint64_t generation = EXPECT_ABSENT;

	if (object_grant(v, &c->id, &g, &generation, e) != 0 && e->id != ERR_NOT_FOUND)
		return e->code;
	buf_done(&g.blob);
	g.connection = c->id;
	g.app = c->app;
	g.version = in->grant_version;
	g.instance = v->instance;
	g.obtained = in->t0;
	g.refresh_expires =
	    res->refresh_expires_in_s == 0 ? 0 : in->t0 + res->refresh_expires_in_s;
	memcpy(g.fingerprint, res->fingerprint, sizeof g.fingerprint);
	if (!buf_add(&g.blob, res->grant_blob.p, res->grant_blob.len))
		return err_set(e, V_LIMIT, "out of memory");
	if (object_put_wrap(v, ch, &c->id, PURPOSE_GRANT, buf_slice(&res->grant_wrap), e) != 0)
		return e->code;
	return object_put_grant(v, ch, &g, generation, e);
}

static void
note_result(struct connection *c, const struct exchange_result *res, const struct intent *in)
{
	c->state = CONN_CONNECTED;
	c->cause = ERR_NONE;
	c->cause_text[0] = '\0';
	c->failures = 0;
	c->retry_at = 0;
	c->ambiguous_since = 0;
	c->updated = c->last_refresh_ok = wall_seconds();
	if (res->scope[0] != '\0')
		snprintf(c->scope, sizeof c->scope, "%.*s", (int)sizeof c->scope - 1, res->scope);
	if (res->account[0] != '\0')
		snprintf(c->account, sizeof c->account, "%s", res->account);
	if (res->api_base[0] != '\0')
		snprintf(c->api_base, sizeof c->api_base, "%.*s", (int)sizeof c->api_base - 1,
		    res->api_base);
	(void)in;
}

int
refresh_store_result(struct vault *v, struct changes *ch, struct connection *c,
    const struct exchange_result *res, const struct intent *in, struct err *e)
{
	bool renewable = res->grant_blob.len > 0 || in->kind == EX_REFRESH;

	if (store_release(v, ch, c, res, in, e) != 0)
		return e->code;
	if (res->grant_blob.len > 0 && store_grant(v, ch, c, res, in, e) != 0)
		return e->code;
	note_result(c, res, in);
	if (renewable && res->expires_in_s > 0)
		due_put(ch, refresh_due_ms(in->t0, res->expires_in_s), &c->id, DUE_REFRESH);
	return 0;
}

/* ---- what a failure means */

enum verdict {
	TRANSIENT,	/* retry later; state changes only when the token is dead */
	ADMIN,		/* the app's owner must act; users need not reconnect */
	DEAD,		/* reconnect */
	LOCAL,		/* our own helpers: says nothing about the connection */
};

static enum verdict
verdict_of(const struct connection *c, const struct err *e)
{
	switch (e->id) {
	case ERR_GRANT_REVOKED:
	case ERR_SIGNIN_REQUIRED:
	case ERR_NO_REFRESH_TOKEN:
	case ERR_GRANT_LOST_IN_TRANSIT:
		return DEAD;
	case ERR_CLIENT_SECRET_WRONG:
	case ERR_GRANT_TYPE_NOT_ALLOWED:
	case ERR_SCOPE_INVALID:
	case ERR_TLS_UNTRUSTED:
	case ERR_HOST_NOT_ALLOWED:
	case ERR_WRONG_TENANT:
		return ADMIN;
	case ERR_PROVIDER_REFUSED:	/* no OAuth error: two strikes, a minute apart */
		return c->cause == ERR_PROVIDER_REFUSED &&
			wall_seconds() - c->cause_time >= STRIKE_SPACING_S ? DEAD : TRANSIENT;
	case ERR_HSM_UNAVAILABLE:
	case ERR_HSM_REFUSED:
	case ERR_EGRESS_UNAVAILABLE:
	case ERR_STORE_UNWRITABLE:
	case ERR_AUDIT_UNWRITABLE:
	case ERR_BUSY:
	case ERR_CONFLICT:
		return LOCAL;
	default:
		return TRANSIENT;
	}
}

static bool
token_alive(struct vault *v, const struct id *connection, int64_t *ret_expires)
{
	struct slice key = { connection->b, sizeof connection->b }, in;
	struct release_view view;
	struct err e;

	*ret_expires = 0;
	if (store_get(v->store, TABLE_RELEASE, key, &in, NULL, &e) != 0 ||
	    !release_view(in, &view))
		return false;
	*ret_expires = view.expires;
	return view.expires == 0 || view.expires > wall_seconds();
}

/* Until when the provider wants to be left alone (RFC 9110 10.2.3), 0 = it does not say. */
static int64_t
retry_at(const struct exchange_result *res)
{
	uint32_t s = res->retry_after_s;

	if (s == 0 && res->err.id == ERR_THROTTLED)
		s = THROTTLED_S;
	if (s > RETRY_AFTER_MAX_S)
		s = RETRY_AFTER_MAX_S;
	return s == 0 ? 0 : wall_seconds() + s;
}

static void
note_failure(struct vault *v, struct connection *c, const struct exchange_result *res)
{
	const struct err *e = &res->err;
	enum verdict verdict = verdict_of(c, e);
	int64_t expires;
	bool alive = token_alive(v, &c->id, &expires);

	c->cause = e->id != ERR_NONE ? e->id : ERR_INTERNAL;
	snprintf(c->cause_text, sizeof c->cause_text, "%.*s", (int)sizeof c->cause_text - 1,
	    e->text);
	c->updated = wall_seconds();
	if (!(e->id == ERR_PROVIDER_REFUSED && c->failures > 0 && verdict == TRANSIENT))
		c->cause_time = c->updated;	/* strikes are spaced from the first */
	c->failures++;
	c->retry_at = retry_at(res);
	if (verdict == DEAD)
		c->state = CONN_DISCONNECTED;
	else if (verdict == ADMIN || !alive)
		c->state = CONN_DEGRADED;
}

/*
 * Bytes went out and no answer came. Where the old refresh token certainly stays good, or does
 * for a while (its grace), it is used again soon; where it may be spent, exactly one retry is
 * allowed: at the end of the access token, or now if that is dead already. The marker is
 * ambiguous_since.
 */
static void
note_ambiguous(struct vault *v, struct connection *c, const struct intent *in,
    struct exchange_result *res)
{
	if (c->ambiguous_since == 0)
		c->ambiguous_since = in->t0;
	if (in->retries > 0) {
		err_name(&res->err, ERR_GRANT_LOST_IN_TRANSIT, "an answer of the provider was "
		    "lost twice; whether the grant still works cannot be known");
		note_failure(v, c, res);
		return;
	}
	if (res->err.id != ERR_OUTCOME_UNKNOWN)
		err_rename(&res->err, ERR_OUTCOME_UNKNOWN);
	note_failure(v, c, res);
}

/* Using the refresh token again costs nothing, however long ago it may have been spent. */
static bool
reuse_is_harmless(const struct vault *v, const struct connection *c)
{
	const struct connector *k = catalogue_find(&v->catalogue, c->connector);

	return k != NULL && (k->refresh != REFRESH_ROTATING || k->refresh_reuse_harmless);
}

/* The same now, after an answer was lost: that, or the provider's grace is not over yet. */
static bool
reuse_is_safe(const struct vault *v, const struct connection *c)
{
	const struct connector *k = catalogue_find(&v->catalogue, c->connector);

	return reuse_is_harmless(v, c) || (k != NULL && c->ambiguous_since != 0 &&
	    wall_seconds() < c->ambiguous_since + (int64_t)k->refresh_reuse_grace_s);
}

static bool
holds(const struct vault *v, const struct connection *c)
{
	const struct connector *k = catalogue_find(&v->catalogue, c->connector);

	return k != NULL && k->on_ambiguous_hold;
}

/* Unix ms of the next attempt by the scheduler, 0 = none. */
static int64_t
next_try(struct vault *v, const struct connection *c)
{
	int64_t now = wall_seconds(), expires;
	bool alive = token_alive(v, &c->id, &expires);

	if (c->state == CONN_DISCONNECTED)
		return 0;
	if (c->ambiguous_since != 0 && holds(v, c))
		return 0;
	if (c->ambiguous_since != 0 && !reuse_is_safe(v, c) && alive && expires > 0)
		return expires * 1000;
	if (c->retry_at != 0)
		return c->retry_at * 1000;
	if (c->cause == ERR_OUTCOME_UNKNOWN)	/* the one that is allowed, or one that is safe */
		return (now + (reuse_is_safe(v, c) ? backoff_s(c->failures) / 2 : 1)) * 1000;
	return (now + backoff_s(c->failures)) * 1000;
}

/* ---- what the provider itself says (RFC 7662) */

#define STILL_COMING_S	30	/* a request whose line broke may be worked on so long */

void
refresh_introspected(struct vault *v, struct changes *ch, struct connection *c, bool active,
    struct err *e)
{
	struct exchange_result res = { 0 };
	int64_t now = wall_seconds(), certain = c->ambiguous_since + STILL_COMING_S;

	if (!active) {
		err_name(&res.err, ERR_GRANT_LOST_IN_TRANSIT, "the answer to a refresh was lost, and "
		    "the provider says that the refresh token is spent");
		note_failure(v, c, &res);
		*e = res.err;
	} else if (now < certain) {	/* not spent yet */
		due_put(ch, certain * 1000, &c->id, DUE_INTROSPECT);
	} else {
		c->ambiguous_since = 0;
		due_put(ch, now * 1000, &c->id, DUE_REFRESH);
	}
}

/* ---- one refresh */

static int
rebuild(struct attempt *a, struct changes *ch, struct err *e)
{
	struct vault *v = a->vault;
	struct connection c;
	AUTO(grant) g = { 0 };
	uint64_t generation;
	int64_t due;

	if (object_connection(v, &a->intent.connection, true, &c, &generation, e) != 0 ||
	    object_grant(v, &c.id, &g, NULL, e) != 0)
		return e->code;
	if (g.version + 1 != a->intent.grant_version)
		return 0;	/* a reconnect was faster: its grant wins, this answer goes */
	if (a->res.phase == PHASE_ANSWERED) {
		if (refresh_store_result(v, ch, &c, &a->res, &a->intent, e) != 0)
			return e->code;
		return object_put_connection(v, ch, &c, generation, e);
	}
	if (a->res.phase == PHASE_NOT_SENT && verdict_of(&c, &a->res.err) == LOCAL)
		return 0;
	if (a->res.phase == PHASE_AMBIGUOUS) {
		note_ambiguous(v, &c, &a->intent, &a->res);
	} else {
		if (c.ambiguous_since != 0 && a->res.err.id == ERR_GRANT_REVOKED)
			err_name(&a->res.err, ERR_GRANT_LOST_IN_TRANSIT, "the provider answered a "
			    "refresh, the answer was lost, and the refresh token was spent by it");
		note_failure(v, &c, &a->res);
	}
	if ((due = next_try(v, &c)) != 0)
		due_put(ch, due, &c.id, DUE_REFRESH);
	if (a->res.phase == PHASE_AMBIGUOUS && c.ambiguous_since != 0 && !reuse_is_safe(v, &c))
		due_put(ch, wall_usec() / 1000, &c.id, DUE_INTROSPECT);
	return object_put_connection(v, ch, &c, generation, e);
}

static void
wake(struct attempt *a, int rc, const struct err *e)
{
	struct waiter *w = a->arg, *next;

	a->arg = NULL;
	for (; w != NULL; w = next) {
		next = w->next;
		w->done(w->arg, rc, e);
		free(w);
	}
}

/* What an earlier run had not sent yet is no answer to those who ask in this one. */
static void
begin_again(struct attempt *a)
{
	struct waiter *w = a->arg, *next;

	a->arg = NULL;
	for (; w != NULL; w = next) {
		next = w->next;
		refresh_want(a->vault, &a->intent.connection, w->done, w->arg);
		free(w);
	}
}

static void
committed(struct attempt *a, int rc, const struct err *e)
{
	if (rc == 0 && a->recovered && a->res.phase == PHASE_NOT_SENT)
		begin_again(a);
	else if (rc != 0)
		wake(a, rc, e);
	else
		wake(a, (int)a->res.err.code, &a->res.err);
	schedule_poke(a->vault->schedule);
}

static void
finished(struct attempt *a)
{
	if (a->res.phase == PHASE_ANSWERED) {
		a->res.err = (struct err){ 0 };
		if (!a->res.spooled)
			log_error("an answer could not be spooled: it is in memory alone until "
			    "the commit");
	}
	if (!a->stored) {
		wake(a, (int)a->res.err.code, &a->res.err);
		attempt_abandon(a);
		return;
	}
	attempt_commit(a);
}

static void
unsettled(struct attempt *a, const struct err *e)
{
	wake(a, (int)e->code, e);
}

static void
set_callbacks(struct attempt *a)
{
	a->done = finished;
	a->unsettled = unsettled;
	a->rebuild = rebuild;
	a->committed = committed;
}

static struct sealed
sealed(const struct id *record, uint64_t version, const struct buf *blob,
    const struct buf *wrap)
{
	return (struct sealed){ *record, version, buf_slice(blob), buf_slice(wrap) };
}

/*
 * From a copy of the store, and spent if another copy went on: using it again would cost
 * the grant where refresh tokens rotate. Reconnecting, or adoption, makes it good.
 */
static bool
is_suspect(const struct vault *v, const struct connection *c, const struct grant *g)
{
	return !v->adopted && !id_equal(&g->instance, &v->instance) &&
	    !reuse_is_harmless(v, c);
}

static int
load(struct attempt *a, const struct connection *c, struct err *e)
{
	struct vault *v = a->vault;
	AUTO(grant) g = { 0 };
	AUTO(release) r = { 0 };
	AUTO(app) app = { 0 };

	if (object_grant(v, &c->id, &g, NULL, e) != 0) {
		if (e->id == ERR_NOT_FOUND)
			err_name(e, ERR_NO_REFRESH_TOKEN, "the token has ended and the provider gave "
			    "no refresh token");
		return e->code;
	}
	if (is_suspect(v, c, &g))
		return err_name(e, ERR_GRANT_SUSPECT, "the store was restored from a copy, and the "
		    "refresh token of this connection may have been used since the copy was made");
	if (object_release(v, &c->id, &r, NULL, e) != 0 ||
	    object_app(v, &c->app, &app, NULL, e) != 0 ||
	    object_wrap(v, &c->id, PURPOSE_GRANT, &a->secret_wrap, e) != 0 ||
	    object_wrap(v, &c->id, PURPOSE_RELEASE, &a->release_wrap, e) != 0 ||
	    object_wrap(v, &app.id, PURPOSE_GRANT, &a->app_wrap, e) != 0)
		return e->code;
	a->secret_blob = buf_take(&g.blob);
	a->app_blob = buf_take(&app.blob);
	a->intent.connection = a->ex.connection = c->id;
	a->intent.grant_version = a->ex.grant_version = g.version + 1;
	a->intent.release_version = a->ex.release_version = r.version + 1;
	a->intent.retries = c->ambiguous_since != 0 && !reuse_is_safe(v, c);
	memcpy(a->intent.fingerprint, g.fingerprint, sizeof g.fingerprint);
	a->intent.deadline = a->intent.t0 + EGRESS_EXCHANGE_MS / 1000;
	a->ex.secret = sealed(&c->id, g.version, &a->secret_blob, &a->secret_wrap);
	a->ex.app = sealed(&app.id, app.version, &a->app_blob, &a->app_wrap);
	a->ex.release_wrap = buf_slice(&a->release_wrap);
	snprintf(a->ex.scope, sizeof a->ex.scope, "%s", c->scope);
	return 0;
}

/* The cause as the error it was, for those who ask while nothing new can be tried. */
static int
cause_error(const struct connection *c, struct err *e)
{
	err_name(e, c->cause, "%s", c->cause_text);
	err_detail(e, "connection", "%s", c->name);
	return e->code;
}

static int
may_start(struct vault *v, const struct connection *c, struct err *e)
{
	int64_t expires, until = c->retry_at != 0 ? c->retry_at :
	    c->cause_time + backoff_s(c->failures) / 2;

	if (c->state == CONN_PENDING)
		return err_name(e, ERR_NOT_READY, "the sign-in of this connection was never "
		    "finished");
	if (c->state == CONN_DISCONNECTED && c->cause != ERR_NONE)
		return cause_error(c, e);
	if (c->ambiguous_since != 0 && (holds(v, c) || (!reuse_is_safe(v, c) &&
	    token_alive(v, &c->id, &expires))))
		return cause_error(c, e);
	if (c->cause != ERR_OUTCOME_UNKNOWN && c->cause != ERR_NONE && c->failures > 0 &&
	    wall_seconds() < until)
		return cause_error(c, e);
	if (v->stopping)
		return err_name(e, ERR_BUSY, "the vault is stopping");
	if (!egress_is_up(v->egress))
		return err_name(e, ERR_EGRESS_UNAVAILABLE, "vault-egress is not running");
	return hsm_need(v->hsm, e);
}

static bool
join(struct attempt *a, void (*done)(void *, int, const struct err *), void *arg)
{
	struct waiter *w = calloc(1, sizeof *w);

	if (w == NULL)
		return false;
	*w = (struct waiter){ .next = a->arg, .done = done, .arg = arg };
	a->arg = w;
	return true;
}

static int
start(struct vault *v, const struct id *connection,
    void (*done)(void *, int, const struct err *), void *arg, struct err *e)
{
	struct connection c;
	struct attempt *a;

	if (object_connection(v, connection, true, &c, NULL, e) != 0 || may_start(v, &c, e) != 0)
		return e->code;
	if (c.auth_type != AUTH_OAUTH2_CODE)
		return err_name(e, ERR_NO_REFRESH_TOKEN, "a static token cannot be renewed");
	if ((a = attempt_new(v, EX_REFRESH)) == NULL)
		return err_set(e, V_LIMIT, "out of memory");
	set_callbacks(a);
	if (load(a, &c, e) != 0 || !join(a, done, arg)) {
		attempt_abandon(a);
		return e->code;
	}
	attempt_start(a);
	return 0;
}

void
refresh_want(struct vault *v, const struct id *connection,
    void (*done)(void *arg, int rc, const struct err *e), void *arg)
{
	struct attempt *a = attempt_find(v, connection);
	struct err e = { 0 };
	int rc = 0;

	if (a == NULL)
		rc = start(v, connection, done, arg, &e);
	else if (a->intent.kind != EX_REFRESH)
		rc = err_name(&e, ERR_BUSY, "this connection is being reconnected");
	else if (!join(a, done, arg))
		rc = err_set(&e, V_LIMIT, "out of memory");
	if (rc != 0)
		done(arg, rc, &e);
}

/* ---- after a crash */

struct recover {
	struct vault	*vault;
	unsigned	 n;
};

static bool
recover_one(void *arg, struct slice key, struct slice value, uint64_t generation)
{
	struct recover *rec = arg;
	struct intent in;
	struct attempt *a;
	struct err e;

	(void)key;
	(void)generation;
	if (intent_decode(value, &in, &e) != 0) {
		log_error("an intent in the store cannot be read: %s", e.text);
		return true;
	}
	must((a = attempt_new(rec->vault, in.kind)) != NULL);
	a->intent = in;
	a->ex.attempt = in.attempt;
	if (in.kind == EX_REFRESH)
		set_callbacks(a);
	else
		connect_recover(a);
	attempt_recover(a);
	rec->n++;
	return true;
}

int
refresh_recover(struct vault *v, struct err *e)
{
	static const struct slice all = { "", 0 };
	struct recover rec = { .vault = v };

	if (store_walk(v->store, TABLE_INTENT, all, all, recover_one, &rec, e) != 0)
		return err_wrap(e, "open intents");
	if (rec.n > 0)
		log_info("%u exchanges were open at the last stop: asking vault-egress", rec.n);
	return 0;
}

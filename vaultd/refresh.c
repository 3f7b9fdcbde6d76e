/*
 * refresh.c - renewing a grant. See refresh.h; attempt.c has the ordering, refresh_rules.c the
 * rules, this file brings records and rules together.
 */
#include "vaultd/refresh.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/log.h"
#include "common/role.h"
#include "vaultd/app_secret.h"
#include "vaultd/attempt.h"
#include "vaultd/check.h"
#include "vaultd/connect.h"
#include "vaultd/dek_cache.h"
#include "vaultd/egress.h"
#include "vaultd/explain.h"
#include "vaultd/hsm.h"
#include "vaultd/notice.h"
#include "vaultd/objects.h"
#include "vaultd/place.h"
#include "vaultd/refresh_rules.h"
#include "vaultd/revoke.h"
#include "vaultd/schedule.h"
#include "vaultd/siblings.h"
#include "vaultd/turn.h"
#include "vaultd/vault.h"
#include "vaultd/waiters.h"

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

/* As the provider says, or else as its connector does of every sign-in. */
static int64_t
refresh_end(const struct vault *v, const struct connection *c, const struct exchange_result *res,
    const struct intent *in, int64_t signed_in)
{
	const struct connector *k = catalogue_pinned(&v->catalogue, c->connector,
	    c->connector_version);

	if (res->refresh_expires_in_s != 0)
		return in->t0 + res->refresh_expires_in_s;
	return k == NULL || k->refresh_absolute_s == 0 ? 0 : signed_in + k->refresh_absolute_s;
}

/* The refresh token stays, and the provider says anew when it ends. */
static int
store_end(struct vault *v, struct changes *ch, const struct connection *c,
    const struct exchange_result *res, const struct intent *in, struct err *e)
{
	AUTO(grant) g = { 0 };
	uint64_t generation;

	if (res->refresh_expires_in_s == 0)
		return 0;
	if (object_grant(v, &c->id, &g, &generation, e) != 0)
		return e->id == ERR_NOT_FOUND ? 0 : (int)e->code;
	g.refresh_expires = in->t0 + res->refresh_expires_in_s;
	return object_put_grant(v, ch, &g, generation, e);
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
	if (exchange_is_signin(in->kind) || g.signed_in == 0)
		g.signed_in = exchange_is_signin(in->kind) ? in->t0 : c->created;
	g.refresh_expires = refresh_end(v, c, res, in, g.signed_in);
	memcpy(g.fingerprint, res->fingerprint, sizeof g.fingerprint);
	if (!buf_add(&g.blob, res->grant_blob.p, res->grant_blob.len))
		return err_set(e, V_LIMIT, "out of memory");
	if (object_put_wrap(v, ch, &c->id, PURPOSE_GRANT, buf_slice(&res->grant_wrap), e) != 0)
		return e->code;
	return object_put_grant(v, ch, &g, generation, e);
}

/* What is told anew takes the place of the old; what a refresh does not tell stays. */
static void
keep_captured(struct ex_vars *kept, const struct ex_vars *told)
{
	for (size_t i = 0; i < told->n; i++) {
		size_t k = 0;

		while (k < kept->n && strcmp(kept->v[k].name, told->v[i].name) != 0)
			k++;
		if (told->v[i].value[0] == '\0' || k == EX_VARS)
			continue;
		kept->v[k] = told->v[i];
		kept->n += k == kept->n;
	}
}

static void
note_result(struct connection *c, const struct exchange_result *res, enum exchange_kind kind)
{
	conn_state_apply(c, exchange_is_signin(kind) ? CONN_SIGNED_IN : CONN_RENEWED, wall_seconds());
	c->cause = ERR_NONE;
	refresh_clear_cause(c);
	c->failures = 0;
	c->ambiguous = 0;
	c->retry_at = 0;
	c->ambiguous_since = 0;
	c->updated = c->last_refresh_ok = wall_seconds();
	if (res->http_status != 0)
		c->skew_s = res->skew_s;
	if (res->scope[0] != '\0')
		snprintf(c->scope, sizeof c->scope, "%s", res->scope);
	if (res->account[0] != '\0')
		snprintf(c->account, sizeof c->account, "%s", res->account);
	keep_captured(&c->captured, &res->captured);
	if (res->api_base[0] != '\0')
		snprintf(c->api_base, sizeof c->api_base, "%.*s", (int)sizeof c->api_base - 1,
		    res->api_base);
}

/* Ids that the provider tells (realmId, workspace) are a part of whose it is. */
static int
same_ids(const struct vault *v, const struct connection *c, const struct exchange_result *res,
    struct err *e)
{
	const struct connector *k = catalogue_pinned(&v->catalogue, c->connector, c->connector_version);

	for (size_t i = 0; k != NULL && i < k->ncapture; i++) {
		const char *was = ex_var(&c->captured, k->capture[i].name);
		const char *is = ex_var(&res->captured, k->capture[i].name);

		if (k->capture[i].type != CAPTURE_ID || was == NULL || is == NULL || strcmp(was, is) == 0)
			continue;
		err_name(e, ERR_ACCOUNT_MISMATCH, "this connection belongs to %.60s '%.100s', and the "
		    "sign-in was with '%.100s'", k->capture[i].name, was, is);
		err_detail(e, "expected", "%s", was);
		err_detail(e, "got", "%s", is);
		return e->code;
	}
	return 0;
}

/* An account that changes silently on reconnect is refused, and so is one that nobody can tell. */
int
refresh_same_account(const struct vault *v, const struct connection *c,
    const struct exchange_result *res, struct err *e)
{
	if (same_ids(v, c, res, e) != 0)
		return e->code;
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

int
refresh_take_account(const struct vault *v, struct connection *c,
    const struct exchange_result *res, bool other, struct err *e)
{
	if (refresh_same_account(v, c, res, e) == 0)
		return 0;
	if (!other)
		return e->code;
	err_clear(e);
	c->account[0] = '\0';	/* what is not told now is not known any more */
	c->captured.n = 0;
	return 0;
}

int
refresh_store_tokens(struct vault *v, struct changes *ch, const struct connection *c,
    const struct exchange_result *res, const struct intent *in, struct err *e)
{
	if (store_release(v, ch, c, res, in, e) != 0)
		return e->code;
	return res->grant_blob.len > 0 ? store_grant(v, ch, c, res, in, e) :
	    store_end(v, ch, c, res, in, e);
}

int
refresh_store_result(struct vault *v, struct changes *ch, struct connection *c,
    const struct exchange_result *res, const struct intent *in, struct err *e)
{
	bool renewable = res->grant_blob.len > 0 || !exchange_is_signin(in->kind);
	bool worked = c->state == CONN_CONNECTED;
	int64_t due;

	if (refresh_store_tokens(v, ch, c, res, in, e) != 0)
		return e->code;
	note_result(c, res, in->kind);
	if (worked && exchange_is_signin(in->kind))	/* no change of state tells of it */
		notice_about_connection(v, ch, NOTICE_RECONNECTED, c, 0);
	if (in->kind != EX_REFRESH) {
		c->gap_time = 0;
		c->gap_scope[0] = '\0';
		check_plan(v, ch, c);
	}
	if (renewable && (due = refresh_due_ms(v, c, in->t0, res->expires_in_s)) != 0)
		due_put(ch, due, &c->id, DUE_REFRESH);
	return 0;
}

/* ---- what the rules (refresh_rules.h) judge by */

static void
note_token(const struct vault *v, const struct id *connection, struct refresh_facts *f)
{
	struct slice key = { connection->b, sizeof connection->b }, in;
	struct release_view view;
	struct err e;

	if (store_get(v->store, TABLE_RELEASE, key, &in, NULL, &e) != 0 ||
	    !release_view(in, &view))
		return;
	f->expires = view.expires;
	f->generation = view.generation;
	f->alive = view.expires == 0 || view.expires > f->now;
}

/* Records carry the number of the commit that wrote them: C's is the one of its failure, or later. */
static bool
app_changed(const struct vault *v, const struct connection *c)
{
	struct slice key = { c->id.b, sizeof c->id.b }, app = { c->app.b, sizeof c->app.b }, in;
	uint64_t failed, changed;
	struct err e;

	return c->cause != ERR_NONE && err_row(c->cause)->owner == OWNER_ADMIN &&
	    store_get(v->store, TABLE_CONNECTION, key, &in, &failed, &e) == 0 &&
	    store_get(v->store, TABLE_APP, app, &in, &changed, &e) == 0 && changed > failed;
}

struct refresh_facts
refresh_facts_of(const struct vault *v, const struct connection *c)
{
	const struct connector *k = catalogue_pinned(&v->catalogue, c->connector,
	    c->connector_version);
	struct refresh_facts f = { .now = clock_s(&v->clock), .lockout = v->conf.lockout_failures };

	note_token(v, &c->id, &f);
	f.app_changed = app_changed(v, c);
	if (!exchange_spends(exchange_renews(c->auth_type))) {
		f.reuse_harmless = true;
	} else if (k != NULL) {
		f.reuse_harmless = k->refresh != REFRESH_ROTATING || k->refresh_reuse_harmless;
		f.reuse_grace_s = k->refresh_reuse_grace_s;
		f.hold = k->on_ambiguous_hold;
	}
	return f;
}

/* ---- what the provider itself says (RFC 7662) */

void
refresh_introspected(struct vault *v, struct changes *ch, struct connection *c, bool active,
    struct err *e)
{
	struct exchange_result res = { 0 };
	struct refresh_facts f = refresh_facts_of(v, c);
	int64_t certain = c->ambiguous_since + REFRESH_STILL_COMING_S;

	if (!active) {
		err_name(&res.err, ERR_GRANT_LOST_IN_TRANSIT, "the answer to a refresh was lost, and "
		    "the provider says that the refresh token is spent");
		refresh_note_failure(c, &res, &f);
		*e = res.err;
	} else if (f.now < certain) {	/* not spent yet */
		due_put(ch, certain * 1000, &c->id, DUE_INTROSPECT);
	} else {
		c->ambiguous_since = 0;
		due_put(ch, f.now * 1000, &c->id, DUE_REFRESH);
	}
}

/* ---- one refresh */

/* What the provider said, with what the vault knows besides. */
static void
judge(struct attempt *a, struct connection *c)
{
	struct diagnose_facts f;
	enum err_id is;

	if (a->res.http_status != 0)
		c->skew_s = a->res.skew_s;
	f = explain_facts(a->vault, c, clock_s(&a->vault->clock));
	is = diagnose(a->res.err.id, &f);
	if (is == ERR_GRANT_LOST_IN_TRANSIT && is != a->res.err.id)
		err_name(&a->res.err, is, "the provider answered a refresh, the answer was lost, and "
		    "the refresh token was spent by it");
	else if (is != a->res.err.id)
		err_rename(&a->res.err, is);
}

/* It did not bring a token: into C, and when it is tried again. */
static void
note_outcome(struct attempt *a, struct changes *ch, struct connection *c)
{
	struct refresh_facts f = refresh_facts_of(a->vault, c);
	bool ambiguous = a->res.phase == PHASE_AMBIGUOUS;
	int64_t due;

	if (ambiguous) {
		refresh_note_ambiguous(c, &a->intent, &a->res, &f);
	} else {
		judge(a, c);
		refresh_note_failure(c, &a->res, &f);
		if (app_refused(a->vault, ch, &c->app, a->recovered ? 0 : a->ex.app.version,
			a->res.err.id, a->res.err.text)) {
			c->failures = 1;	/* with the app's other secret, at once */
			c->retry_at = f.now;
		}
	}
	attempt_trace(a, c->cause_trace);
	if ((due = refresh_next_try(c, &f)) != 0)
		due_put(ch, due, &c->id, DUE_REFRESH);
	if (ambiguous && refresh_is_last_try(c, &f))
		due_put(ch, clock_ms(&a->vault->clock), &c->id, DUE_INTROSPECT);
}

static int
rebuild(struct attempt *a, struct changes *ch, struct err *e)
{
	struct vault *v = a->vault;
	struct connection c;
	AUTO(grant) g = { 0 };
	uint64_t generation;
	int rc;

	rc = object_connection(v, &a->intent.connection, true, &c, &generation, e);
	if (rc == V_NOT_FOUND)
		return revoke_take_answer(v, ch, &a->res, &a->intent, e);
	if (rc != 0 ||
	    object_grant(v, &c.id, &g, NULL, e) != 0)
		return e->code;
	if (g.version + 1 != a->intent.grant_version) {
		/* A reconnect was faster: its grant wins, this answer goes, and whatever it said is
		 * not said of the one that there is now. */
		a->res.err = (struct err){ 0 };
		return 0;
	}
	if (a->res.phase == PHASE_ANSWERED) {
		if (refresh_store_result(v, ch, &c, &a->res, &a->intent, e) != 0 ||
		    object_put_connection(v, ch, &c, generation, e) != 0)
			return e->code;
		return siblings_store(a, ch, e);
	}
	if (a->res.phase == PHASE_NOT_SENT && refresh_is_local(a->res.err.id))
		return 0;
	note_outcome(a, ch, &c);
	if (object_put_connection(v, ch, &c, generation, e) != 0)
		return e->code;
	return siblings_fail(a, ch, note_outcome, e);	/* it is their token too */
}

static void
wake(struct attempt *a, int rc, const struct err *e)
{
	waiters_wake(&a->arg, rc, e);
}

static void
want_again(void *to, void (*done)(void *, int, const struct err *), void *arg)
{
	struct attempt *a = to;

	refresh_want(a->vault, &a->intent.connection, done, arg);
}

/* What an earlier run had not sent yet is no answer to those who ask in this one. */
static void
begin_again(struct attempt *a)
{
	waiters_move(&a->arg, want_again, a);
}

static void
committed(struct attempt *a, int rc, const struct err *e)
{
	if (a->res.release_wrap.len > 0)	/* the new token has a new key */
		dek_cache_forget(a->vault->deks, &a->intent.connection);
	siblings_forget_keys(a);
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
	turn_over(a->vault, &a->intent.connection, &a->res);
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
	if (a->res.phase == PHASE_ANSWERED)
		siblings_share(a, attempt_commit);
	else
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

/*
 * From a copy of the store, and spent if another copy went on: using it again would cost
 * the grant where refresh tokens rotate. Reconnecting, or adoption, makes it good.
 */
static bool
is_suspect(const struct vault *v, const struct connection *c, const struct grant *g)
{
	return !v->adopted && !id_equal(&g->instance, &v->instance) &&
	    !refresh_facts_of(v, c).reuse_harmless;
}

static int
load(struct attempt *a, const struct connection *c, struct err *e)
{
	struct vault *v = a->vault;
	struct refresh_facts f = refresh_facts_of(v, c);
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
	a->intent.retries = refresh_is_last_try(c, &f);
	a->ex.secret = sealed_of(&c->id, g.version, &a->secret_blob, &a->secret_wrap);
	a->ex.app = sealed_of(&app.id, app.version, &a->app_blob, &a->app_wrap);
	if (!refresh_wants_new_key(&r))		/* egress makes one when it is given none */
		a->ex.release_wrap = buf_slice(&a->release_wrap);
	snprintf(a->ex.scope, sizeof a->ex.scope, "%s", c->scope);
	return 0;
}

/* Why there is nothing new to try, for those who ask. */
static int
cause_error(struct vault *v, const struct connection *c, struct err *e)
{
	if (conn_state_refuse(c, e) != 0)
		return e->code;
	if (c->cause != ERR_NONE) {
		explain(v, c, e);
		return e->code;
	}
	err_name(e, ERR_SIGNIN_REQUIRED, "the sign-in of this connection has ended");
	explain_add(v, c, e);
	return e->code;
}

static int
may_start(struct vault *v, const struct connection *c, struct err *e)
{
	struct refresh_facts f = refresh_facts_of(v, c);
	const struct connector *k;

	if (place_connector(v, c->connector, c->connector_version, &k, e) != 0)
		return e->code;
	switch (refresh_may_start(c, &f)) {
	case REFRESH_UNFINISHED:
		return err_name(e, ERR_NOT_READY, "the sign-in of this connection was never "
		    "finished");
	case REFRESH_NOT_NOW:
		return cause_error(v, c, e);
	case REFRESH_MAY:
		break;
	}
	if (v->stopping)
		return err_name(e, ERR_BUSY, "the vault is stopping");
	if (!egress_is_up(v->egress))
		return err_name(e, ERR_EGRESS_UNAVAILABLE, "vault-egress is not running");
	return hsm_need(v->hsm, e);
}

int
refresh_check(struct vault *v, const struct id *connection, struct connection *ret, struct err *e)
{
	if (object_connection(v, connection, true, ret, NULL, e) != 0 || may_start(v, ret, e) != 0)
		return e->code;
	if (!(auth_type_flags(ret->auth_type) & AUTH_RENEWS))
		return err_name(e, ERR_NO_REFRESH_TOKEN, "a static token cannot be renewed");
	return 0;
}

int
refresh_start(struct vault *v, const struct id *connection, void **waiters, struct err *e)
{
	struct connection c;
	struct attempt *a;

	if (refresh_check(v, connection, &c, e) != 0)
		return e->code;
	if ((a = attempt_new(v, exchange_renews(c.auth_type))) == NULL)
		return err_set(e, V_LIMIT, "out of memory");
	set_callbacks(a);
	if (load(a, &c, e) != 0) {
		attempt_abandon(a);
		return e->code;
	}
	a->arg = *waiters;
	*waiters = NULL;
	attempt_start(a);
	return 0;
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
	if (exchange_is_signin(in.kind))
		connect_recover(a);
	else
		set_callbacks(a);
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

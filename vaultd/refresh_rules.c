/*
 * refresh_rules.c - see refresh_rules.h. docs/ARCHITECTURE.md says the same in words.
 */
#include "vaultd/refresh_rules.h"

#include <stdio.h>

#include "common/errors.h"

#define BACKOFF_MAX_S		900
#define THROTTLED_S		60	/* when the provider does not say for how long */
#define RETRY_AFTER_MAX_S	3600
#define STRIKE_SPACING_S	60
#define DAY_S			86400
#define APP_AGAIN_S		3600
#define NEVER			INT64_MAX

/* ---- of a token that lives */

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

void
refresh_due_span(int64_t obtained, int64_t lifetime, int64_t *ret_from, int64_t *ret_to)
{
	*ret_to = (obtained + lifetime - lead_s(lifetime)) * 1000;
	*ret_from = *ret_to - jitter_ms(lifetime);
}

int64_t
refresh_keep_alive_s(uint32_t idle_s)
{
	int64_t half = idle_s / 2, late = (int64_t)idle_s / 4 * 3;

	if (half >= DAY_S)
		return half;
	return late < DAY_S ? late : DAY_S;
}

bool
refresh_wants_new_key(const struct release *r)
{
	return r->seals >= RELEASE_SEALS_MAX;
}

/* ---- after a failure */

int64_t
refresh_backoff_s(unsigned failures)
{
	return failures >= 9 ? BACKOFF_MAX_S : (int64_t)2 << failures;
}

bool
refresh_reuse_is_safe(const struct connection *c, const struct refresh_facts *f)
{
	return f->reuse_harmless || (c->ambiguous_since != 0 &&
	    f->now < c->ambiguous_since + (int64_t)f->reuse_grace_s);
}

bool
refresh_is_last_try(const struct connection *c, const struct refresh_facts *f)
{
	return c->ambiguous_since != 0 && !refresh_reuse_is_safe(c, f);
}

/* Certain until the app's owner does something, here or at the provider. */
static bool
needs_app_owner(enum err_id id)
{
	switch (id) {
	case ERR_CLIENT_SECRET_WRONG:
	case ERR_CLIENT_SECRET_EXPIRED:
	case ERR_CLIENT_AUTH_ENCODING:
	case ERR_GRANT_TYPE_NOT_ALLOWED:
	case ERR_SCOPE_INVALID:
	case ERR_CERT_EXPIRED:
	case ERR_CERT_REJECTED:
		return true;
	default:
		return false;
	}
}

/*
 * Not before this (unix s) may anybody try; 0 = at once. The one place that says so: who asks is
 * let in by it, and the scheduler waits at least for it.
 */
static int64_t
not_before(const struct connection *c, const struct refresh_facts *f)
{
	if (!conn_state_usable(c->state))
		return NEVER;
	if (c->ambiguous_since != 0 && f->hold)
		return NEVER;
	/* The last try may cost the grant: not while there is a token to live on. */
	if (refresh_is_last_try(c, f) && f->alive)
		return f->expires > 0 ? f->expires : NEVER;
	/* Otherwise a lost answer is no reason to wait: each moment the old token is less sure. */
	if (c->failures == 0 || c->cause == ERR_NONE || c->cause == ERR_OUTCOME_UNKNOWN)
		return 0;
	if (c->retry_at != 0)
		return c->retry_at;
	if (c->cause == ERR_PROVIDER_REFUSED)	/* the next one counts */
		return c->cause_time + STRIKE_SPACING_S;
	if (needs_app_owner(c->cause))		/* whoever asks: nothing has changed */
		return f->app_changed ? 0 : c->cause_time + APP_AGAIN_S;
	return c->cause_time + refresh_backoff_s(c->failures) / 2;
}

enum refresh_may
refresh_may_start(const struct connection *c, const struct refresh_facts *f)
{
	if (c->state == CONN_PENDING)
		return REFRESH_UNFINISHED;
	return f->now >= not_before(c, f) ? REFRESH_MAY : REFRESH_NOT_NOW;
}

/* Nobody waits for the scheduler, so it is the more patient one. */
static int64_t
patience_s(const struct connection *c, const struct refresh_facts *f)
{
	if (c->cause != ERR_OUTCOME_UNKNOWN)
		return refresh_backoff_s(c->failures);
	return refresh_is_last_try(c, f) ? 1 : refresh_backoff_s(c->failures) / 2;
}

int64_t
refresh_next_try(const struct connection *c, const struct refresh_facts *f)
{
	int64_t from = not_before(c, f);
	int64_t at = c->retry_at != 0 ? c->retry_at : f->now + patience_s(c, f);

	if (from == NEVER)
		return 0;
	return (at > from ? at : from) * 1000;
}

/* ---- what a failure means */

enum verdict {
	TRANSIENT,	/* retry later; state changes only when the token is dead */
	ADMIN,		/* the app's owner must act; users need not reconnect */
	DEAD,		/* reconnect */
};

bool
refresh_is_local(enum err_id id)
{
	switch (id) {
	case ERR_HSM_UNAVAILABLE:
	case ERR_HSM_REFUSED:
	case ERR_EGRESS_UNAVAILABLE:
	case ERR_STORE_UNWRITABLE:
	case ERR_AUDIT_UNWRITABLE:
	case ERR_BUSY:
	case ERR_CONFLICT:
		return true;
	default:
		return false;
	}
}

static enum verdict
verdict_of(const struct connection *c, enum err_id id, int64_t now)
{
	switch (id) {
	case ERR_GRANT_REVOKED:
	case ERR_SIGNIN_REQUIRED:
	case ERR_NO_REFRESH_TOKEN:
	case ERR_GRANT_LOST_IN_TRANSIT:
	case ERR_GRANT_EXPIRED_IDLE:
	case ERR_GRANT_EXPIRED_ABSOLUTE:
	case ERR_GRANT_TEST_MODE:
	case ERR_GRANT_DISPLACED:
	case ERR_GRANT_REUSED_ELSEWHERE:
	case ERR_PASSWORD_REJECTED:
	case ERR_KEY_EXPIRED:
		return DEAD;
	case ERR_CLIENT_SECRET_WRONG:
	case ERR_CLIENT_SECRET_EXPIRED:
	case ERR_CLIENT_AUTH_ENCODING:
	case ERR_CERT_EXPIRED:
	case ERR_CERT_REJECTED:
	case ERR_GRANT_TYPE_NOT_ALLOWED:
	case ERR_SCOPE_INVALID:
	case ERR_TLS_UNTRUSTED:
	case ERR_HOST_NOT_ALLOWED:
	case ERR_WRONG_TENANT:
		return ADMIN;
	case ERR_PROVIDER_REFUSED:	/* no OAuth error: two strikes, a minute apart */
		return c->cause == ERR_PROVIDER_REFUSED &&
			now - c->cause_time >= STRIKE_SPACING_S ? DEAD : TRANSIENT;
	default:
		return TRANSIENT;
	}
}

/* The provider answered, and what it said is no answer: of these a row locks the connection, for
 * trying on may lock the account. Faults of the network, and what is certain, never count. */
static bool
says_nothing_certain(enum err_id id)
{
	return id == ERR_PROVIDER_REFUSED || id == ERR_BAD_ANSWER;
}

int64_t
refresh_retry_after_s(const struct exchange_result *res)
{
	return res->retry_after_s > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : res->retry_after_s;
}

/* Until when the provider wants to be left alone, 0 = it does not say. */
static int64_t
retry_at(const struct exchange_result *res, int64_t now)
{
	int64_t s = refresh_retry_after_s(res);

	if (s == 0 && res->err.id == ERR_THROTTLED)
		s = THROTTLED_S;
	return s == 0 ? 0 : now + s;
}

void
refresh_clear_cause(struct connection *c)
{
	c->cause = ERR_NONE;
	c->cause_time = 0;
	c->cause_phase = 0;
	c->cause_status = 0;
	c->cause_generation = 0;
	c->cause_text[0] = c->cause_code[0] = c->cause_provider_text[0] = c->cause_trace[0] = '\0';
}

void
refresh_note_cause(struct connection *c, const struct exchange_result *res, int64_t now)
{
	c->cause = res->err.id != ERR_NONE ? res->err.id : ERR_INTERNAL;
	c->cause_time = now;
	c->cause_phase = res->phase;
	c->cause_status = (uint16_t)res->http_status;
	snprintf(c->cause_text, sizeof c->cause_text, "%.*s", (int)sizeof c->cause_text - 1,
	    res->err.text);
	snprintf(c->cause_code, sizeof c->cause_code, "%s", res->provider_code);
	snprintf(c->cause_provider_text, sizeof c->cause_provider_text, "%.*s",
	    (int)sizeof c->cause_provider_text - 1, res->provider_text);
}

void
refresh_note_failure(struct connection *c, const struct exchange_result *res,
    const struct refresh_facts *f)
{
	const struct err *e = &res->err;
	enum verdict verdict = verdict_of(c, e->id, f->now);
	bool struck = e->id == ERR_PROVIDER_REFUSED && c->cause == e->id && verdict == TRANSIENT;

	refresh_note_cause(c, res, struck ? c->cause_time : f->now);	/* strikes: from the first */
	c->cause_generation = f->generation;
	c->updated = f->now;
	c->failures++;
	c->retry_at = retry_at(res, f->now);
	if (says_nothing_certain(e->id))
		c->ambiguous++;
	if (verdict == DEAD)
		conn_state_apply(c, CONN_ENDED, f->now);
	else if (f->lockout != 0 && c->ambiguous >= f->lockout &&
	    !(auth_type_flags(c->auth_type) & AUTH_REMINTS))
		conn_state_apply(c, CONN_LOCK_OUT, f->now);
	else if (verdict == ADMIN || !f->alive)
		conn_state_apply(c, CONN_TROUBLE, f->now);
}

void
refresh_note_ambiguous(struct connection *c, const struct intent *in,
    struct exchange_result *res, const struct refresh_facts *f)
{
	bool unclear = says_nothing_certain(res->err.id);

	/* The first one counts: where a grace is counted from, and the mark of the last try. */
	if (c->ambiguous_since == 0)
		c->ambiguous_since = in->t0;
	if (in->retries > 0)
		err_name(&res->err, ERR_GRANT_LOST_IN_TRANSIT, "an answer of the provider was "
		    "lost twice; whether the grant still works cannot be known");
	else if (res->err.id != ERR_OUTCOME_UNKNOWN)
		err_rename(&res->err, ERR_OUTCOME_UNKNOWN);
	c->ambiguous += unclear;
	refresh_note_failure(c, res, f);
}

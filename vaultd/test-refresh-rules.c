#include "tests/unit.h"

#include "common/errors.h"
#include "vaultd/refresh_rules.h"

#define T	1000000		/* now */
#define NEVER	0

/* Connections, by what of them counts. */
#define FAILED(n, why) .state = CONN_CONNECTED, .failures = (n), .cause = (why), .cause_time = T
#define LOST(ago) FAILED(1, ERR_OUTCOME_UNKNOWN), .ambiguous_since = T - (ago)

/* Facts. ENDS: of an access token that lives on. */
#define DEAD_TOKEN	.now = T, .alive = false, .expires = T - 5
#define ENDS(in)	.now = T, .alive = true, .expires = T + (in)
#define ENDLESS		.now = T, .alive = true, .expires = 0

struct rule {
	const char		*what;
	struct connection	 c;
	struct refresh_facts	 f;
	enum refresh_may	 may;
	int64_t			 next;		/* seconds from now; NEVER */
	bool			 last;		/* the one sanctioned retry */
};

static const struct rule rules[] = {
	/* states */
	{ "never signed in", { .state = CONN_PENDING }, { DEAD_TOKEN },
	    REFRESH_UNFINISHED, NEVER, false },
	{ "nothing is wrong", { .state = CONN_CONNECTED }, { ENDS(600) }, REFRESH_MAY, 2, false },
	{ "signed out", { .state = CONN_DISCONNECTED, .cause = ERR_GRANT_REVOKED, .failures = 1 },
	    { DEAD_TOKEN }, REFRESH_NOT_NOW, NEVER, false },
	{ "signed out, nobody knows why", { .state = CONN_DISCONNECTED }, { DEAD_TOKEN },
	    REFRESH_NOT_NOW, NEVER, false },
	{ "signed out long ago, with a Retry-After", { .state = CONN_DISCONNECTED,
	    .cause = ERR_GRANT_REVOKED, .failures = 1, .retry_at = T - 500 },
	    { DEAD_TOKEN, .reuse_harmless = true }, REFRESH_NOT_NOW, NEVER, false },
	{ "degraded is tried again", { .state = CONN_DEGRADED, .failures = 1,
	    .cause = ERR_PROVIDER_DOWN, .cause_time = T - 100 }, { DEAD_TOKEN },
	    REFRESH_MAY, 4, false },

	/* one attempt after a certain no, until something changes; one after an unclear one */
	{ "the app's secret is wrong", { .state = CONN_DEGRADED, .failures = 1,
	    .cause = ERR_CLIENT_SECRET_WRONG, .cause_time = T - 100 }, { DEAD_TOKEN },
	    REFRESH_NOT_NOW, 3500, false },
	{ "the app's secret was wrong", { .state = CONN_DEGRADED, .failures = 1,
	    .cause = ERR_CLIENT_SECRET_WRONG, .cause_time = T - 100 }, { DEAD_TOKEN,
	    .app_changed = true }, REFRESH_MAY, 4, false },
	{ "an hour later", { .state = CONN_DEGRADED, .failures = 1,
	    .cause = ERR_CLIENT_SECRET_WRONG, .cause_time = T - 3600 }, { DEAD_TOKEN },
	    REFRESH_MAY, 4, false },
	{ "refused, nobody knows why", { .state = CONN_CONNECTED, .failures = 1,
	    .cause = ERR_PROVIDER_REFUSED, .cause_time = T - 59 }, { ENDS(600) },
	    REFRESH_NOT_NOW, 4, false },
	{ "the second strike", { .state = CONN_CONNECTED, .failures = 1,
	    .cause = ERR_PROVIDER_REFUSED, .cause_time = T - 60 }, { ENDS(600) },
	    REFRESH_MAY, 4, false },

	/* backoff, by cause_time and failures */
	{ "just failed", { FAILED(1, ERR_PROVIDER_DOWN) }, { ENDS(600) }, REFRESH_NOT_NOW, 4, false },
	{ "half the wait is over", { .state = CONN_CONNECTED, .failures = 1,
	    .cause = ERR_PROVIDER_DOWN, .cause_time = T - 2 }, { ENDS(600) }, REFRESH_MAY, 4, false },
	{ "one second less", { .state = CONN_CONNECTED, .failures = 1,
	    .cause = ERR_PROVIDER_DOWN, .cause_time = T - 1 }, { ENDS(600) },
	    REFRESH_NOT_NOW, 4, false },
	{ "the fifth time", { FAILED(5, ERR_PROVIDER_DOWN) }, { DEAD_TOKEN },
	    REFRESH_NOT_NOW, 64, false },
	{ "the longest wait", { FAILED(400, ERR_PROVIDER_DOWN) }, { DEAD_TOKEN },
	    REFRESH_NOT_NOW, 900, false },
	{ "half the longest wait", { .state = CONN_DEGRADED, .failures = 400,
	    .cause = ERR_PROVIDER_DOWN, .cause_time = T - 450 }, { DEAD_TOKEN },
	    REFRESH_MAY, 900, false },

	/* Retry-After instead of it */
	{ "asked to wait", { FAILED(1, ERR_THROTTLED), .retry_at = T + 77 }, { ENDS(600) },
	    REFRESH_NOT_NOW, 77, false },
	{ "waited as asked, whatever the failures", { FAILED(8, ERR_THROTTLED), .retry_at = T },
	    { ENDS(600) }, REFRESH_MAY, 0, false },

	/* an answer was lost, strictly: the refresh token may be spent */
	{ "a token to live on", { LOST(1) }, { ENDS(600) }, REFRESH_NOT_NOW, 600, true },
	{ "its last second", { LOST(600) }, { ENDS(1) }, REFRESH_NOT_NOW, 1, true },
	{ "it is dead: the last try, at once", { LOST(1) }, { DEAD_TOKEN }, REFRESH_MAY, 1, true },
	{ "a token without an end is not risked", { LOST(1) }, { ENDLESS },
	    REFRESH_NOT_NOW, NEVER, true },
	{ "another failure since does not hide it", { FAILED(2, ERR_PROVIDER_DOWN),
	    .ambiguous_since = T - 50 }, { ENDS(600) }, REFRESH_NOT_NOW, 600, true },
	{ "nor does a Retry-After that is over before", { LOST(1), .retry_at = T + 30 },
	    { ENDS(600) }, REFRESH_NOT_NOW, 600, true },
	{ "a Retry-After that is over after it", { LOST(1), .retry_at = T + 900 },
	    { ENDS(600) }, REFRESH_NOT_NOW, 900, true },
	{ "another failure, and the token is dead", { FAILED(2, ERR_PROVIDER_DOWN),
	    .ambiguous_since = T - 50 }, { DEAD_TOKEN }, REFRESH_NOT_NOW, 8, true },

	/* a grace */
	{ "in its grace", { LOST(10) }, { ENDS(600), .reuse_grace_s = 30 }, REFRESH_MAY, 2, false },
	{ "its last second of grace", { LOST(29) }, { ENDS(600), .reuse_grace_s = 30 },
	    REFRESH_MAY, 2, false },
	{ "the grace is over", { LOST(30) }, { ENDS(600), .reuse_grace_s = 30 },
	    REFRESH_NOT_NOW, 600, true },
	{ "the grace is over and the token dead", { LOST(30) }, { DEAD_TOKEN, .reuse_grace_s = 30 },
	    REFRESH_MAY, 1, true },

	/* a provider whose old refresh tokens stay good */
	{ "harmless", { LOST(5000) }, { ENDS(600), .reuse_harmless = true }, REFRESH_MAY, 2, false },
	{ "harmless, many times", { FAILED(6, ERR_OUTCOME_UNKNOWN), .ambiguous_since = T - 9 },
	    { DEAD_TOKEN, .reuse_harmless = true }, REFRESH_MAY, 64, false },

	/* hold: only a person goes on */
	{ "held", { LOST(1) }, { DEAD_TOKEN, .hold = true }, REFRESH_NOT_NOW, NEVER, true },
	{ "held, even in a grace", { LOST(1) }, { ENDS(600), .hold = true, .reuse_grace_s = 30 },
	    REFRESH_NOT_NOW, NEVER, false },
	{ "nothing was lost, nothing is held", { FAILED(1, ERR_PROVIDER_DOWN) },
	    { ENDS(600), .hold = true }, REFRESH_NOT_NOW, 4, false },
};

TEST(when)
{
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		const struct rule *r = &rules[i];
		int64_t next = refresh_next_try(&r->c, &r->f);
		bool never = r->next == NEVER && r->may != REFRESH_MAY;

		if (refresh_may_start(&r->c, &r->f) != r->may ||
		    next != (never ? 0 : (T + r->next) * 1000) ||
		    refresh_is_last_try(&r->c, &r->f) != r->last)
			fail_msg("%s: may %d, next %lld, last %d", r->what,
			    (int)refresh_may_start(&r->c, &r->f), (long long)(next / 1000 - T),
			    (int)refresh_is_last_try(&r->c, &r->f));
	}
}

/* The two are one rule: what the scheduler picks is let in, with the facts of that moment. */
TEST(the_scheduler_never_comes_too_early)
{
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		const struct rule *r = &rules[i];
		struct refresh_facts then = r->f;
		int64_t next = refresh_next_try(&r->c, &r->f);

		if (next == 0 || r->c.state == CONN_PENDING)
			continue;
		then.now = next / 1000;
		then.alive = then.alive && (then.expires == 0 || then.expires > then.now);
		/* A grace that ends meanwhile makes it the last try, at the token's end. */
		if (refresh_is_last_try(&r->c, &then) && then.alive)
			continue;
		if (refresh_may_start(&r->c, &then) != REFRESH_MAY)
			fail_msg("%s", r->what);
	}
}

TEST(backoff)
{
	static const int64_t wait[] = { 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900 };

	for (unsigned i = 0; i < sizeof wait / sizeof *wait; i++)
		T_EQ(refresh_backoff_s(i), wait[i]);
	T_EQ(refresh_backoff_s(UINT32_MAX), 900);
}

TEST(renewed_before_the_end_and_spread)
{
	static const struct { int64_t lifetime, from_ms, to_ms; } due[] = {
		{ 0, 0, 0 }, { 60, 37000, 40000 }, { 180, 111000, 120000 },
		{ 200, 120000, 140000 }, { 3600, 2520000, 2880000 },
		{ 86400, 76860000, 85500000 },
	};

	for (size_t i = 0; i < sizeof due / sizeof *due; i++) {
		int64_t from, to;

		refresh_due_span(T, due[i].lifetime, &from, &to);
		T_EQ(from, T * 1000LL + due[i].from_ms);
		T_EQ(to, T * 1000LL + due[i].to_ms);
	}
}

TEST(row_37_a_refresh_token_is_used_before_it_dies_of_not_being_used)
{
	static const struct { uint32_t idle; int64_t at; } t[] = {
		{ 0, 0 }, { 3600, 2700 }, { 86400, 64800 }, { 115200, 86400 }, { 172800, 86400 },
		{ 14 * 86400, 7 * 86400 }, { 90 * 86400, 45 * 86400 },
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		T_EQ(refresh_keep_alive_s(t[i].idle), t[i].at);
}

TEST(a_key_is_used_for_so_many_tokens)
{
	struct release r = { .seals = RELEASE_SEALS_MAX - 1 };

	T_NOT(refresh_wants_new_key(&r));
	r.seals++;
	T_OK(refresh_wants_new_key(&r));
	r.seals = UINT64_MAX;
	T_OK(refresh_wants_new_key(&r));
	r.seals = 0;			/* a connection that has no token yet */
	T_NOT(refresh_wants_new_key(&r));
}

/* ---- what a failure makes of a connection */

struct outcome {
	enum err_id	id;
	bool		alive;
	enum conn_state	state;		/* after it */
};

TEST(what_each_failure_means)
{
	static const struct outcome out[] = {
		{ ERR_PROVIDER_DOWN, true, CONN_CONNECTED },
		{ ERR_PROVIDER_DOWN, false, CONN_DEGRADED },
		{ ERR_THROTTLED, true, CONN_CONNECTED },
		{ ERR_OUTCOME_UNKNOWN, true, CONN_CONNECTED },
		{ ERR_PROVIDER_REFUSED, true, CONN_CONNECTED },
		{ ERR_CLIENT_SECRET_WRONG, true, CONN_DEGRADED },
		{ ERR_SCOPE_INVALID, true, CONN_DEGRADED },
		{ ERR_TLS_UNTRUSTED, true, CONN_DEGRADED },
		{ ERR_WRONG_TENANT, true, CONN_DEGRADED },
		{ ERR_GRANT_REVOKED, true, CONN_DISCONNECTED },
		{ ERR_SIGNIN_REQUIRED, true, CONN_DISCONNECTED },
		{ ERR_NO_REFRESH_TOKEN, false, CONN_DISCONNECTED },
		{ ERR_GRANT_LOST_IN_TRANSIT, true, CONN_DISCONNECTED },
	};

	for (size_t i = 0; i < sizeof out / sizeof *out; i++) {
		struct connection c = { .state = CONN_CONNECTED };
		struct exchange_result res = { 0 };
		struct refresh_facts f = { .now = T, .alive = out[i].alive };

		err_name(&res.err, out[i].id, "what was said");
		refresh_note_failure(&c, &res, &f);
		T_EQ(c.state, out[i].state);
		T_EQ(c.cause, out[i].id);
		T_STR(c.cause_text, "what was said");
		T_EQ(c.cause_time, T);
		T_EQ(c.updated, T);
		T_EQ(c.failures, 1);
		T_EQ(c.ambiguous_since, 0);
		T_NOT(refresh_is_local(out[i].id));
	}
}

TEST(an_error_without_a_name_is_a_cause_too)
{
	struct connection c = { .state = CONN_CONNECTED };
	struct exchange_result res = { .err = { .code = V_IO } };

	refresh_note_failure(&c, &res, &(struct refresh_facts){ .now = T, .alive = true });
	T_EQ(c.cause, ERR_INTERNAL);
	T_EQ(c.state, CONN_CONNECTED);
}

TEST(our_own_failures)
{
	static const enum err_id local[] = { ERR_HSM_UNAVAILABLE, ERR_HSM_REFUSED,
		ERR_EGRESS_UNAVAILABLE, ERR_STORE_UNWRITABLE, ERR_AUDIT_UNWRITABLE, ERR_BUSY,
		ERR_CONFLICT };

	for (size_t i = 0; i < sizeof local / sizeof *local; i++)
		T_OK(refresh_is_local(local[i]));
}

static void
refused(struct connection *c, enum err_id id, int64_t at)
{
	struct exchange_result res = { 0 };

	err_name(&res.err, id, "no");
	refresh_note_failure(c, &res, &(struct refresh_facts){ .now = at, .alive = true });
}

TEST(two_refusals_a_minute_apart)
{
	struct connection c = { .state = CONN_CONNECTED };

	refused(&c, ERR_PROVIDER_REFUSED, T);
	refused(&c, ERR_PROVIDER_REFUSED, T + 59);
	T_EQ(c.state, CONN_CONNECTED);
	T_EQ(c.cause_time, T);		/* spaced from the first */
	refused(&c, ERR_PROVIDER_REFUSED, T + 60);
	T_EQ(c.state, CONN_DISCONNECTED);
}

TEST(a_failure_of_another_kind_is_no_refusal)
{
	struct connection c = { .state = CONN_CONNECTED };

	refused(&c, ERR_PROVIDER_DOWN, T - 3600);
	refused(&c, ERR_PROVIDER_REFUSED, T);
	T_EQ(c.cause_time, T);
	refused(&c, ERR_PROVIDER_REFUSED, T + 1);
	T_EQ(c.state, CONN_CONNECTED);
}

TEST(retry_after)
{
	static const struct { enum err_id id; uint32_t said; int64_t wait; } t[] = {
		{ ERR_PROVIDER_DOWN, 0, 0 }, { ERR_PROVIDER_DOWN, 7, 7 },
		{ ERR_THROTTLED, 0, 60 }, { ERR_THROTTLED, 5, 5 },
		{ ERR_THROTTLED, 86400, 3600 }, { ERR_THROTTLED, UINT32_MAX, 3600 },
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct connection c = { .state = CONN_CONNECTED };
		struct exchange_result res = { .retry_after_s = t[i].said };

		err_name(&res.err, t[i].id, "wait");
		refresh_note_failure(&c, &res, &(struct refresh_facts){ .now = T });
		T_EQ(c.retry_at, t[i].wait == 0 ? 0 : T + t[i].wait);
	}
}

TEST(a_lost_answer_counts_from_the_first)
{
	struct connection c = { .state = CONN_CONNECTED };
	struct intent first = { .t0 = T - 20 }, again = { .t0 = T + 5 };
	struct exchange_result res = { 0 };
	struct refresh_facts f = { .now = T, .alive = true, .expires = T + 600 };

	err_name(&res.err, ERR_PROVIDER_DOWN, "it broke off");
	refresh_note_ambiguous(&c, &first, &res, &f);
	T_EQ(c.ambiguous_since, T - 20);
	T_EQ(c.cause, ERR_OUTCOME_UNKNOWN);
	T_EQ(res.err.id, ERR_OUTCOME_UNKNOWN);
	T_HAS(c.cause_text, "it broke off");
	refresh_note_ambiguous(&c, &again, &res, &f);	/* harmless, or in the grace */
	T_EQ(c.ambiguous_since, T - 20);
	T_EQ(c.state, CONN_CONNECTED);
}

TEST(the_last_try_lost_too_is_the_end)
{
	struct connection c = { .state = CONN_DEGRADED, .ambiguous_since = T - 500 };
	struct intent in = { .t0 = T - 1, .retries = 1 };
	struct exchange_result res = { 0 };

	err_name(&res.err, ERR_OUTCOME_UNKNOWN, "again");
	refresh_note_ambiguous(&c, &in, &res, &(struct refresh_facts){ .now = T });
	T_EQ(c.state, CONN_DISCONNECTED);
	T_EQ(c.cause, ERR_GRANT_LOST_IN_TRANSIT);
	T_EQ(res.err.id, ERR_GRANT_LOST_IN_TRANSIT);
}

/* Row 45: N in a row lock; what is certain, or says nothing of the connection, never counts. */
TEST(a_row_of_failures_that_say_nothing_locks)
{
	static const struct {
		unsigned	 id;
		enum auth_type	 type;
		unsigned	 lockout;
		enum conn_state	 want;		/* after five */
	} cases[] = {
		{ ERR_BAD_ANSWER, AUTH_OAUTH2_CODE, 5, CONN_LOCKED },
		{ ERR_BAD_ANSWER, AUTH_OAUTH2_CODE, 6, CONN_DEGRADED },
		{ ERR_BAD_ANSWER, AUTH_OAUTH2_CODE, 0, CONN_DEGRADED },
		{ ERR_BAD_ANSWER, AUTH_CLIENT_CREDENTIALS, 5, CONN_DEGRADED },
		{ ERR_PROVIDER_REFUSED, AUTH_OAUTH2_CODE, 5, CONN_LOCKED },
		{ ERR_GRANT_REVOKED, AUTH_OAUTH2_CODE, 5, CONN_DISCONNECTED },
		{ ERR_CLIENT_SECRET_WRONG, AUTH_OAUTH2_CODE, 5, CONN_DEGRADED },
		{ ERR_PROVIDER_DOWN, AUTH_OAUTH2_CODE, 1, CONN_DEGRADED },
		{ ERR_THROTTLED, AUTH_OAUTH2_CODE, 1, CONN_DEGRADED },
		{ ERR_UNREACHABLE_CONNECT, AUTH_OAUTH2_CODE, 1, CONN_DEGRADED },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct connection c = { .state = CONN_CONNECTED, .auth_type = cases[i].type };
		struct refresh_facts f = { DEAD_TOKEN, .lockout = cases[i].lockout };
		struct exchange_result res = { .phase = PHASE_REJECTED };

		for (int n = 0; n < 5; n++) {
			T_NE(c.state, CONN_LOCKED);
			err_name(&res.err, cases[i].id, "no");
			refresh_note_failure(&c, &res, &f);
		}
		T_EQ(c.state, cases[i].want);
	}
}

TEST(a_lost_answer_never_locks_and_one_that_is_none_does)
{
	struct connection c = { .state = CONN_CONNECTED, .auth_type = AUTH_OAUTH2_CODE };
	struct refresh_facts f = { DEAD_TOKEN, .lockout = 2, .reuse_harmless = true };
	struct intent in = { .t0 = T };
	struct exchange_result res = { .phase = PHASE_AMBIGUOUS };

	for (int n = 0; n < 9; n++) {
		err_name(&res.err, ERR_OUTCOME_UNKNOWN, "gone");
		refresh_note_ambiguous(&c, &in, &res, &f);
	}
	T_EQ(c.state, CONN_DEGRADED);
	for (int n = 0; n < 2; n++) {
		err_name(&res.err, ERR_BAD_ANSWER, "<html>");
		refresh_note_ambiguous(&c, &in, &res, &f);
	}
	T_EQ(c.state, CONN_LOCKED);
	T_EQ(refresh_may_start(&c, &f), REFRESH_NOT_NOW);
}

int
main(void)
{
	return unit_run();
}

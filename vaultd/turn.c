/*
 * turn.c - see turn.h. The way of a refresh: refresh_want() or turn_due(), a place in the queue,
 * refresh_start() when its turn comes, turn_over() when the provider has answered, or has not.
 */
#include "vaultd/turn.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "common/advice.h"
#include "common/auto.h"
#include "common/errors.h"
#include "common/log.h"
#include "common/role.h"
#include "vaultd/attempt.h"
#include "vaultd/explain.h"
#include "vaultd/objects.h"
#include "vaultd/pacing.h"
#include "vaultd/refresh.h"
#include "vaultd/refresh_rules.h"
#include "vaultd/siblings.h"
#include "vaultd/vault.h"
#include "vaultd/waiters.h"

#define PATIENCE_MS	2000	/* who asks waits so long for a provider that wants to be left alone */

/* ---- clients */

static void
hashed(const char *a, const char *b, struct id *ret)
{
	unsigned char h[32];
	AUTO(buf) text = { 0 };

	buf_add_str(&text, a);
	buf_add(&text, "", 1);
	buf_add_str(&text, b);
	sha256(buf_slice(&text), h);
	memcpy(ret->b, h, sizeof ret->b);
}

/* Two registrations of one client at one host are one client to the provider. */
static int
client_of(struct vault *v, const struct connection *c, struct pacing_client *ret, struct err *e)
{
	const struct connector *k = catalogue_pinned(&v->catalogue, c->connector,
	    c->connector_version);
	AUTO(app) app = { 0 };
	char host[256];

	*ret = (struct pacing_client){ 0 };
	if (object_app(v, &c->app, &app, NULL, e) != 0)
		return e->code;
	explain_host(app.token_url, host, sizeof host);
	hashed(host, "", &ret->host);
	hashed(host, app.client_id, &ret->key);
	if (k != NULL) {
		ret->limit = k->refresh_limit;
		ret->limit_s = k->refresh_limit_s;
	}
	return 0;
}

/* ---- wanted */

static int
left_alone(struct vault *v, enum pacing_block why, const struct connection *c, int64_t ms,
    struct err *e)
{
	char span[32];

	advice_span((ms + 999) / 1000, span, sizeof span);
	if (why == PACING_DOWN)
		err_name(e, ERR_PROVIDER_DOWN, "the provider did not answer several times: the next "
		    "try is in %s", span);
	else if (why == PACING_THROTTLED)
		err_name(e, ERR_THROTTLED, "the provider limits this OAuth app: the next try is in %s",
		    span);
	else
		err_name(e, ERR_THROTTLED, "as many tokens were renewed with this OAuth app as its "
		    "provider allows: the next try is in %s", span);
	err_detail(e, "next_try", "in %s", span);
	explain_add(v, c, e);
	return e->code;
}

static int
may_ask(struct vault *v, const struct id *connection, struct pacing_client *ret, struct err *e)
{
	struct connection c;
	int64_t now = boot_ms(), until;
	enum pacing_block why;

	if (refresh_check(v, connection, &c, e) != 0 || client_of(v, &c, ret, e) != 0)
		return e->code;
	why = pacing_blocked(v->pacing, ret, now, &until);
	if (why != PACING_FREE && until > now + PATIENCE_MS)
		return left_alone(v, why, &c, until - now, e);
	return 0;
}

static int
wait_turn(struct vault *v, const struct id *connection,
    void (*done)(void *, int, const struct err *), void *arg, struct err *e)
{
	struct pacing_client client;
	void **waiters;

	if (may_ask(v, connection, &client, e) != 0)
		return e->code;
	if (!pacing_add(v->pacing, connection, &client, 0, true, boot_ms()) ||
	    (waiters = pacing_arg(v->pacing, connection)) == NULL ||
	    !waiters_join(waiters, done, arg))
		return err_set(e, V_LIMIT, "out of memory");
	turn_pump(v);
	return 0;
}

void
refresh_want(struct vault *v, const struct id *connection,
    void (*done)(void *arg, int rc, const struct err *e), void *arg)
{
	struct attempt *a = siblings_attempt(v, connection);
	struct err e = { 0 };
	int rc = 0;

	if (a == NULL)
		rc = wait_turn(v, connection, done, arg, &e);
	else if (exchange_is_signin(a->intent.kind))
		rc = err_name(&e, ERR_BUSY, "this connection is being reconnected");
	else if (!waiters_join(&a->arg, done, arg))
		rc = err_set(&e, V_LIMIT, "out of memory");
	if (rc != 0)
		done(arg, rc, &e);
}

bool
refresh_is_wanted(struct vault *v, const struct id *connection)
{
	return attempt_find(v, connection) != NULL || pacing_arg(v->pacing, connection) != NULL;
}

/* ---- due */

void
turn_due(struct vault *v, const struct id *connection)
{
	struct pacing_client client;
	struct connection c;
	struct err e;
	int64_t ends;

	if (!refresh_is_due(v, connection, &ends) || attempt_find(v, connection) != NULL)
		return;
	if (refresh_check(v, connection, &c, &e) != 0 || client_of(v, &c, &client, &e) != 0) {
		log_debug("a refresh ahead of time: %s", e.text);
		return;
	}
	pacing_add(v->pacing, connection, &client, ends * 1000, false, boot_ms());
}

/* ---- turns */

struct wanted {
	struct vault	*v;
	struct id	 connection;
};

static void
want(void *to, void (*done)(void *, int, const struct err *), void *arg)
{
	struct wanted *w = to;

	refresh_want(w->v, &w->connection, done, arg);
}

static void
begin(struct vault *v, const struct id *connection, void *waiters)
{
	struct err e = { 0 };
	int64_t ends;
	bool there = siblings_attempt(v, connection) != NULL;

	/* One that only was due may have been renewed meanwhile, with a sibling. */
	if (!there && (waiters != NULL || refresh_is_due(v, connection, &ends)) &&
	    refresh_start(v, connection, &waiters, &e) == 0)
		return;
	pacing_done(v->pacing, connection, PACED_NOTHING, 0, boot_ms());
	if (there) {
		waiters_move(&waiters, want, &(struct wanted){ v, *connection });
		return;
	}
	log_debug("a refresh does not begin: %s", e.text);
	waiters_wake(&waiters, (int)e.code, &e);
}

static void
arm(struct vault *v)
{
	int64_t ms = pacing_wait_ms(v->pacing, boot_ms());
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 + 500 };

	if (ms >= 0)
		evtimer_add(v->turn_timer, &tv);
}

void
turn_pump(struct vault *v)
{
	struct id connection;
	void *waiters;

	if (v->in_turn)		/* a start that failed at once comes back here */
		return;
	v->in_turn = true;
	while (pacing_next(v->pacing, boot_ms(), &connection, &waiters))
		begin(v, &connection, waiters);
	v->in_turn = false;
	arm(v);
}

static void
fired(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	turn_pump(arg);
}

static enum pacing_end
end_of(const struct exchange_result *res)
{
	if (res->phase == PHASE_ANSWERED)
		return PACED_ANSWERED;
	if (refresh_is_local(res->err.id))
		return PACED_NOTHING;
	if (res->err.id == ERR_THROTTLED)
		return PACED_THROTTLED;
	return res->phase == PHASE_REJECTED ? PACED_ANSWERED : PACED_FAILED;
}

void
turn_over(struct vault *v, const struct id *connection, const struct exchange_result *res)
{
	int64_t now = boot_ms(), until = refresh_retry_after_s(res);

	pacing_done(v->pacing, connection, end_of(res), until == 0 ? 0 : now + until * 1000, now);
	arm(v);
}

int
turn_new(struct vault *v, struct err *e)
{
	struct pacing_conf conf = { v->conf.refresh_concurrency, v->conf.refresh_rate,
		v->conf.refresh_background };

	if (pacing_new(&conf, &v->pacing, e) != 0)
		return e->code;
	if ((v->turn_timer = evtimer_new(v->base, fired, v)) == NULL)
		return err_set(e, V_LIMIT, "out of memory");
	return 0;
}

/*
 * device.c - see device.h.
 */
#include "vaultd/device.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/log.h"
#include "vaultd/app_choice.h"
#include "vaultd/audit_line.h"
#include "vaultd/connect.h"
#include "vaultd/dek_cache.h"
#include "vaultd/egress.h"
#include "vaultd/hsm.h"
#include "vaultd/objects.h"
#include "vaultd/refresh.h"
#include "vaultd/refresh_rules.h"
#include "vaultd/revoke.h"
#include "vaultd/schedule.h"
#include "vaultd/session.h"
#include "vaultd/vault.h"

#define SLOWER_S	5	/* RFC 8628 section 3.5 */
#define UNHEARD_MAX_S	60	/* a provider that does not answer is asked half as often each time */

/* ---- rules */

static void
ask_less(struct pending *p)
{
	uint32_t twice = p->interval_s * 2;

	if (p->interval_s < UNHEARD_MAX_S)
		p->interval_s = twice < UNHEARD_MAX_S ? twice : UNHEARD_MAX_S;
}

bool
device_goes_on(struct pending *p, const struct exchange_result *res, int64_t now)
{
	enum err_id id = res->err.id;

	if (res->phase == PHASE_AMBIGUOUS)
		p->lost = true;
	else if (id != ERR_NONE && !err_row(id)->retry)
		return false;
	if (res->phase == PHASE_AMBIGUOUS || (res->phase == PHASE_NOT_SENT && !refresh_is_local(id)))
		ask_less(p);
	else if (strcmp(res->provider_code, "slow_down") == 0)
		p->interval_s += SLOWER_S;
	p->next_poll = now + (res->retry_after_s > p->interval_s ? res->retry_after_s :
	    p->interval_s);
	return true;
}

void
device_name_end(const struct pending *p, struct err *e)
{
	if (e->id == ERR_CODE_REJECTED && p->lost)
		err_name(e, ERR_SIGNIN_LOST, "an answer of the provider was lost, and the code for the "
		    "device was spent by it");
}

/* ---- the session's record */

static int
put(struct vault *v, struct changes *ch, const struct pending *p, struct err *e)
{
	if (session_put(v, ch, p, EXPECT_ANY, e) != 0)
		return e->code;
	if (p->over == SESSION_WAITS)
		due_put(ch, p->next_poll * 1000, &p->id, DUE_POLL);
	else
		due_put(ch, p->expires * 1000, &p->id, DUE_PENDING);
	return 0;
}

/* How it ended is kept as long as a sign-in may take; the device code is not. WHY: NULL = well. */
static int
end(struct vault *v, struct pending *p, struct changes *ch, const struct err *why, struct err *e)
{
	p->over = why == NULL ? SESSION_SIGNED_IN : SESSION_FAILED;
	p->expires = clock_s(&v->clock) + v->conf.session_seconds;
	if (why != NULL) {
		p->cause = why->id != ERR_NONE ? why->id : ERR_INTERNAL;
		snprintf(p->cause_text, sizeof p->cause_text, "%.*s",
		    (int)sizeof p->cause_text - 1, why->text);
	}
	buf_done(&p->blob);
	buf_done(&p->wrap);
	return put(v, ch, p, e);
}

void
device_begun(struct pending *p, const struct begin_result *res, int64_t now, struct changes *ch)
{
	snprintf(p->user_code, sizeof p->user_code, "%s", res->user_code);
	snprintf(p->verification_uri, sizeof p->verification_uri, "%s", res->verification_uri);
	snprintf(p->verification_uri_complete, sizeof p->verification_uri_complete, "%s",
	    res->verification_uri_complete);
	p->interval_s = res->interval_s;
	p->expires = now + res->expires_in_s;
	p->next_poll = now + p->interval_s;
	due_put(ch, p->next_poll * 1000, &p->id, DUE_POLL);
}

/* A connection that never was goes: its name is free for the next try. One that was stays as it is. */
static int
fail(struct vault *v, struct pending *p, struct changes *ch, const struct err *why, struct err *e)
{
	struct connection c;
	uint64_t generation;
	struct err gone;

	if (!p->reconnect &&
	    object_connection(v, &p->connection, true, &c, &generation, &gone) == 0 &&
	    c.state == CONN_PENDING &&
	    object_remove_connection(v, ch, &c, generation, e) != 0)
		return e->code;
	return end(v, p, ch, why, e);
}

int
device_expire(struct vault *v, struct pending *p, struct changes *ch, struct err *e)
{
	struct err why;

	err_name(&why, ERR_DEVICE_CODE_EXPIRED, "nobody entered the code in time");
	return fail(v, p, ch, &why, e);
}

/* ---- one question */

/* Tokens. The error that is no reason to give them up, but the sign-in, is in a->res.err. */
static int
take(struct attempt *a, struct pending *p, struct changes *ch, struct err *e)
{
	struct vault *v = a->vault;
	struct connection c;
	uint64_t generation;
	int rc = object_connection(v, &a->intent.connection, true, &c, &generation, e);

	if (rc == V_NOT_FOUND)
		return revoke_take_answer(v, ch, &a->res, &a->intent, e);
	if (rc != 0)
		return e->code;
	if (refresh_take_account(v, &c, &a->res, p->other_account, &a->res.err) != 0)
		return fail(v, p, ch, &a->res.err, e);
	if (refresh_store_result(v, ch, &c, &a->res, &a->intent, e) != 0 ||
	    object_put_connection(v, ch, &c, generation, e) != 0)
		return e->code;
	return end(v, p, ch, NULL, e);
}

static int
rebuild(struct attempt *a, struct changes *ch, struct err *e)
{
	struct vault *v = a->vault;
	AUTO(pending) p = { 0 };

	if (session_load(v, &a->intent.pending, &p, e) != 0)
		return e->code;
	if (a->res.phase == PHASE_ANSWERED)
		return take(a, &p, ch, e);
	if (device_goes_on(&p, &a->res, clock_s(&v->clock)))
		return put(v, ch, &p, e);
	device_name_end(&p, &a->res.err);
	return fail(v, &p, ch, &a->res.err, e);
}

static void
finished(struct attempt *a)
{
	if (a->res.phase == PHASE_ANSWERED)
		a->res.err = (struct err){ 0 };
	if (a->stored)
		attempt_commit(a);
	else
		attempt_abandon(a);	/* its due entry was moved on, and brings it again */
}

static void
committed(struct attempt *a, int rc, const struct err *e)
{
	(void)rc;
	(void)e;
	dek_cache_forget(a->vault->deks, &a->intent.connection);
	schedule_poke(a->vault->schedule);
}

void
device_recover(struct attempt *a)
{
	a->done = finished;
	a->rebuild = rebuild;
	a->committed = committed;
}

/* ---- when it is time */

int64_t
device_again_ms(struct vault *v, const struct id *pending, int64_t now_ms)
{
	AUTO(pending) p = { 0 };
	struct err e;

	if (session_load(v, pending, &p, &e) != 0 || p.over != SESSION_WAITS ||
	    p.next_poll * 1000 > now_ms)
		return 0;
	return now_ms + (int64_t)p.interval_s * 1000;
}

/* The connection is gone, or what is sealed for it, or the right to it: there is nobody to ask for. */
static void
give_up(struct vault *v, struct pending *p, const struct err *why)
{
	struct job *j = calloc(1, sizeof *j);
	struct err e;

	if (j == NULL)
		return;
	if (fail(v, p, &j->changes, why, &e) != 0) {
		log_error("a sign-in that cannot go on cannot be ended: %s", e.text);
		job_free(j);
		return;
	}
	audit_line_system(&j->line, v, "session.ended", NULL, &p->connection, why);
	j->has_changes = true;
	j->done = job_free;
	journal_submit(v->journal, j);
}

static bool
can_ask(struct vault *v)
{
	struct err e;

	return !v->stopping && egress_is_up(v->egress) && hsm_need(v->hsm, &e) == 0;
}

/* Who began must still be allowed to by the policy of now, as at Finish; whose groups are those of
 * when it was begun. Tokens come by a question alone: where this says no, none is asked. */
static int
still_may(struct vault *v, const struct pending *p, const struct connection *c, struct err *e)
{
	struct policy_subject s = { .uid = p->uid, .gids = p->gids, .ngids = p->ngids,
		.unit = p->unit[0] != '\0' ? p->unit : NULL };
	struct policy_object o = { .connector = c->connector,
		.auth_type = auth_type_name(c->auth_type) };
	struct policy_decision d;
	struct policy_byoa byoa = { 0 };
	AUTO(app) app = { 0 };
	struct folder f;
	char path[400];

	if (object_folder(v, &c->folder, &f, e) != 0 || object_app(v, &p->app, &app, NULL, e) != 0)
		return e->code;
	object_folder_path(v, NULL, &f, path, sizeof path);
	object_about(&f, path, p->uid, &o);
	if (!p->reconnect)
		app_about(v->policy, &s, &app, &o, &byoa);
	if (!policy_decide(v->policy, &s, p->reconnect ? ACT_CONN_RECONNECT : ACT_CONN_CREATE, &o, &d))
		return d.id == ERR_NOT_FOUND ? object_not_found(e, "connection", c->name) :
		    err_name(e, d.id, "%s", d.text);
	return app_is_locked_out(&byoa, app.name, app.connector, e);
}

static void
poll_now(struct vault *v, struct pending *p)
{
	struct attempt *a;
	struct connection c;
	struct err e;
	int rc = object_connection(v, &p->connection, true, &c, NULL, &e);

	if (rc == V_NOT_FOUND || (rc == 0 && (rc = still_may(v, p, &c, &e)) != 0))
		give_up(v, p, &e);
	if (rc != 0 || (a = attempt_new(v, EX_DEVICE)) == NULL)
		return;
	device_recover(a);
	if (connect_load(a, p, &e) == 0) {
		attempt_start(a);
		return;
	}
	attempt_abandon(a);
	if (!err_row(e.id)->retry)
		give_up(v, p, &e);
}

void
device_due(struct vault *v, const struct id *pending)
{
	AUTO(pending) p = { 0 };
	struct err e;

	/* The entry was moved on: what does not begin now begins then. */
	if (session_load(v, pending, &p, &e) != 0 || p.over != SESSION_WAITS ||
	    p.next_poll > clock_s(&v->clock) || p.expires <= clock_s(&v->clock) ||
	    attempt_find(v, &p.connection) != NULL || !can_ask(v))
		return;
	poll_now(v, &p);
}

/*
 * check.c - see check.h.
 */
#include "vaultd/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/log.h"
#include "common/role.h"
#include "vaultd/audit_line.h"
#include "vaultd/egress.h"
#include "vaultd/objects.h"
#include "vaultd/refresh.h"
#include "vaultd/refresh_rules.h"
#include "vaultd/schedule.h"
#include "vaultd/vault.h"

struct check_waiter {
	struct check_waiter *next;
	void		(*done)(void *arg, int rc, const struct err *e);
	void		*arg;
};

/* One under way. */
struct checks {
	struct checks	*next;
	struct vault	*vault;
	struct id	 id;
	bool		 renewed;	/* the one forced renewal was made */
	unsigned	 conflicts;
	struct check_result res;
	struct check_waiter *waiters;
};

static void probe(struct checks *k);
static void store(struct checks *k);

/* ---- when */

static uint32_t
interval_s(const struct vault *v, const struct connection *c)
{
	return c->check_interval_s != 0 ? c->check_interval_s : v->conf.check_seconds;
}

void
check_plan(struct vault *v, struct changes *ch, const struct connection *c)
{
	int64_t ms = (int64_t)interval_s(v, c) * 1000;
	uint32_t r;

	if (ms == 0)
		return;
	random_bytes(&r, sizeof r);	/* what was made together is not looked at together */
	due_put(ch, wall_usec() / 1000 + ms - ms / 8 + (int64_t)(r % (uint64_t)(ms / 4 + 1)) - ms / 8,
	    &c->id, DUE_CHECK);
}

/* A check on demand, or another interval, planned one besides: of several only one goes on. */
static bool
is_early(const struct vault *v, const struct connection *c)
{
	int64_t s = interval_s(v, c);

	return s == 0 || wall_seconds() - c->last_checked < s / 2;	/* planned at three quarters or later */
}

/* ---- the end */

static void
over(struct checks *k, int rc, const struct err *e)
{
	struct checks **at = &k->vault->checks;
	struct check_waiter *w = k->waiters, *next;

	while (*at != k)
		at = &(*at)->next;
	*at = k->next;
	for (; w != NULL; w = next) {
		next = w->next;
		w->done(w->arg, rc, e);
		free(w);
	}
	free(k);
}

static void
stored(struct job *j)
{
	struct checks *k = j->arg;
	int rc = j->rc;
	struct err e = j->err;

	job_free(j);
	schedule_poke(k->vault->schedule);	/* the next one may be what is due first */
	if (rc == V_CONFLICT && ++k->conflicts < 20)
		store(k);	/* a refresh came in between: the verdict stands */
	else
		over(k, rc, &e);
}

static void
note_gap(struct connection *c, int64_t now)
{
	if (c->gap_time == 0)
		c->gap_time = now;
}

/* The key itself was refused, and nothing can renew it. */
static void
note_rejected(struct connection *c, const struct checks *k, int64_t now)
{
	if (!(auth_type_flags(c->auth_type) & AUTH_STATIC)) {
		conn_state_apply(c, CONN_TROUBLE, now);
		return;
	}
	conn_state_apply(c, CONN_ENDED, now);
	c->cause = k->res.err.id;
	snprintf(c->cause_text, sizeof c->cause_text, "%.159s", k->res.err.text);
	c->cause_time = now;
	c->cause_status = k->res.status;
}

static void
note_good(struct connection *c, int64_t now)
{
	bool is_static = auth_type_flags(c->auth_type) & AUTH_STATIC;

	if (c->cause != ERR_NONE && !is_static)
		return;		/* renewing it is what fails: the API cannot know */
	if (c->state != CONN_DISCONNECTED || is_static)
		conn_state_apply(c, CONN_RENEWED, now);
	c->cause = ERR_NONE;
	c->cause_text[0] = '\0';
	c->cause_time = 0;
	c->cause_status = 0;
}

/* 401: the token is not good. 403: it is, and may not do that. Anything else says nothing of it. */
static void
note(struct connection *c, struct checks *k)
{
	int64_t now = wall_seconds();
	struct err *e = &k->res.err;

	if ((e->id == ERR_KEY_REJECTED || e->id == ERR_KEY_EXPIRED) && k->res.status == 403)
		err_rename(e, ERR_SCOPE_INSUFFICIENT);
	c->last_checked = now;
	c->check_cause = e->code == 0 ? ERR_NONE : e->id != ERR_NONE ? e->id : ERR_INTERNAL;
	c->check_status = k->res.status;
	snprintf(c->check_text, sizeof c->check_text, "%.159s", e->code == 0 ? "" : e->text);
	if (e->code == 0)
		note_good(c, now);
	else if (c->check_cause == ERR_SCOPE_INSUFFICIENT)
		note_gap(c, now);
	else if (c->check_cause == ERR_KEY_REJECTED || c->check_cause == ERR_KEY_EXPIRED)
		note_rejected(c, k, now);
}

static void
store(struct checks *k)
{
	struct vault *v = k->vault;
	struct job *j = calloc(1, sizeof *j);
	bool found = k->res.asked || k->res.err.code != 0;	/* else there is no test call */
	struct connection c;
	uint64_t generation;
	struct err e = { 0 };

	if (j == NULL) {
		err_set(&e, V_LIMIT, "out of memory");
		over(k, (int)e.code, &e);
		return;
	}
	if (object_connection(v, &k->id, true, &c, &generation, &e) == 0) {
		check_plan(v, &j->changes, &c);
		if (found) {
			note(&c, k);
			object_put_connection(v, &j->changes, &c, generation, &e);
		}
	}
	if (e.code != 0) {
		job_free(j);
		over(k, (int)e.code, &e);
		return;
	}
	if (found)
		audit_line_system(&j->line, v, "connection.check", NULL, &k->id,
		    k->res.err.code != 0 ? &k->res.err : NULL);
	j->has_changes = true;
	j->done = stored;
	j->arg = k;
	journal_submit(v->journal, j);
}

/* ---- the API */

static void
renewed(void *arg, int rc, const struct err *e)
{
	struct checks *k = arg;

	(void)e;
	if (rc == 0)
		probe(k);
	else
		store(k);	/* why is in the record; the API said 401, if it was asked */
}

static void
told(void *arg, int rc, struct slice body, struct err *e)
{
	struct checks *k = arg;
	struct connection c;
	struct err gone;

	k->res = (struct check_result){ 0 };
	if (rc == 0)
		rc = check_result_get(body, &k->res, e);
	if (rc != 0) {
		over(k, rc, e);
		return;
	}
	if (k->res.status == 401 && !k->renewed &&
	    object_connection(k->vault, &k->id, true, &c, NULL, &gone) == 0 &&
	    auth_type_flags(c.auth_type) & AUTH_RENEWS) {
		k->renewed = true;
		refresh_want(k->vault, &k->id, renewed, k);
		return;
	}
	store(k);
}

static int
ask(struct checks *k, struct err *e)
{
	struct vault *v = k->vault;
	AUTO(msg) m = { 0 };
	AUTO(app) app = { 0 };
	AUTO(release) rel = { 0 };
	AUTO(buf) aw = { 0 }, rw = { 0 };
	struct check q = { 0 };
	struct connection c;

	if (object_connection(v, &k->id, true, &c, NULL, e) != 0 ||
	    object_release(v, &k->id, &rel, NULL, e) != 0 ||
	    object_wrap(v, &k->id, PURPOSE_RELEASE, &rw, e) != 0)
		return e->code;
	if (!id_is_null(&c.app) && (object_app(v, &c.app, &app, NULL, e) != 0 ||
	    object_wrap(v, &app.id, PURPOSE_GRANT, &aw, e) != 0))
		return e->code;
	if (!id_is_null(&c.app))
		q.app = sealed_of(&app.id, app.version, &app.blob, &aw);
	q.release = sealed_of(&c.id, rel.version, &rel.blob, &rw);
	snprintf(q.connector, sizeof q.connector, "%s", c.connector);
	q.version = c.connector_version;
	q.auth_type = c.auth_type;
	q.vars = c.vars;
	q.captured = c.captured;
	check_put(&m, &q);
	egress_call(v->egress, EGRESS_CHECK, &m, EGRESS_SHORT_MS, told, k);
	return 0;
}

static void
probe(struct checks *k)
{
	struct err e = { 0 };

	if (ask(k, &e) != 0)
		over(k, (int)e.code, &e);
}

/* ---- the start */

static bool
token_lives(struct vault *v, const struct id *id)
{
	struct slice in;
	struct release_view view;
	struct err e;

	return store_get(v->store, TABLE_RELEASE, id_key(id), &in, NULL,
	    &e) == 0 && release_view(in, &view) &&
	    (view.expires == 0 || view.expires > wall_seconds());
}

/* A renewal that is due comes first; one that fails is no reason not to ask with what lives. */
static void
due_renewed(void *arg, int rc, const struct err *e)
{
	struct checks *k = arg;

	if (rc == 0 || token_lives(k->vault, &k->id)) {
		probe(k);
		return;
	}
	k->res = (struct check_result){ .err = *e };
	store(k);
}

static void
start(struct checks *k, const struct connection *c)
{
	bool renews = auth_type_flags(c->auth_type) & AUTH_RENEWS;
	int64_t ends;

	if (renews && (!token_lives(k->vault, &k->id) ||
	    refresh_is_due(k->vault, &k->id, &ends)))
		refresh_want(k->vault, &k->id, due_renewed, k);
	else
		probe(k);
}

static bool
add_waiter(struct checks *k, void (*done)(void *, int, const struct err *), void *arg)
{
	struct check_waiter *w = done == NULL ? NULL : calloc(1, sizeof *w);

	if (done == NULL)
		return true;
	if (w == NULL)
		return false;
	*w = (struct check_waiter){ k->waiters, done, arg };
	k->waiters = w;
	return true;
}

static struct checks *
find(struct vault *v, const struct id *id)
{
	struct checks *k = v->checks;

	while (k != NULL && !id_equal(&k->id, id))
		k = k->next;
	return k;
}

/* One that was never signed in, is locked, disabled, or waits for a sign-in has nothing to ask
 * with; a static secret may have become good again. */
static bool
can_be_asked(const struct connection *c)
{
	return conn_state_usable(c->state) || (c->state == CONN_DISCONNECTED &&
	    auth_type_flags(c->auth_type) & AUTH_STATIC);
}

void
check_want(struct vault *v, const struct id *connection,
    void (*done)(void *arg, int rc, const struct err *e), void *arg)
{
	struct checks *k = find(v, connection), *begun = NULL;
	struct connection c;
	struct err e = { 0 };
	int rc = object_connection(v, connection, true, &c, NULL, &e);

	if (rc == 0 && k == NULL && !can_be_asked(&c)) {
		if (done != NULL)
			done(arg, 0, &e);
		return;
	}
	if (rc == 0 && k == NULL && (k = begun = calloc(1, sizeof *k)) != NULL) {
		*k = (struct checks){ .next = v->checks, .vault = v, .id = *connection };
		v->checks = k;
	}
	if (rc == 0 && (k == NULL || !add_waiter(k, done, arg)))
		rc = err_set(&e, V_LIMIT, "out of memory");
	if (rc != 0 && done != NULL)
		done(arg, rc, &e);
	if (begun != NULL)
		start(begun, &c);
}

bool
check_is_due(struct vault *v, const struct id *connection)
{
	struct connection c;
	struct err e;

	return object_connection(v, connection, true, &c, NULL, &e) == 0 && !is_early(v, &c);
}

void
check_due(struct vault *v, const struct id *connection)
{
	if (!v->stopping && egress_is_up(v->egress) && check_is_due(v, connection))
		check_want(v, connection, NULL, NULL);
}

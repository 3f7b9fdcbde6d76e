/*
 * app_secret.c - see app_secret.h.
 */
#include "vaultd/app_secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/log.h"
#include "common/role.h"
#include "vaultd/objects.h"
#include "vaultd/schedule.h"

#define REARM_AT_ONCE	16	/* connections in one turn */
#define REARM_APART_MS	100	/* of these */
#define REARM_TURN_MS	2000

uint64_t
app_next_version(const struct app *a)
{
	return (a->slot_version > a->version ? a->slot_version : a->version) + 1;
}

/* ---- two secrets */

static int
put_wrap_if_there(struct vault *v, struct changes *c, const struct id *app, unsigned slot,
    const struct buf *wrap, struct err *e)
{
	if (wrap->len == 0)
		return object_remove_wrap_at(v, c, app, PURPOSE_GRANT, slot, e);
	return object_put_wrap_at(v, c, app, PURPOSE_GRANT, slot, buf_slice(wrap), e);
}

static int
swap_wraps(struct vault *v, struct changes *c, const struct id *app, struct err *e)
{
	AUTO(buf) used = { 0 }, other = { 0 };

	if (object_wrap_at(v, app, PURPOSE_GRANT, 0, &used, e) != 0 ||
	    object_wrap_at(v, app, PURPOSE_GRANT, 1, &other, e) != 0 ||
	    put_wrap_if_there(v, c, app, 0, &other, e) != 0)
		return e->code;
	return put_wrap_if_there(v, c, app, 1, &used, e);
}

static void
forget_test(struct app *a)
{
	a->tested = APP_UNTESTED;
	a->tested_at = 0;
	a->tested_text[0] = '\0';
}

int
app_swap(struct vault *v, struct changes *c, struct app *a, struct err *e)
{
	struct buf blob = a->blob;
	uint64_t version = a->version;

	if (swap_wraps(v, c, &a->id, e) != 0)
		return e->code;
	a->blob = a->slot_blob;
	a->version = a->slot_version;
	a->slot_blob = blob;
	a->slot_version = version;
	a->slot_since = wall_seconds();
	forget_test(a);
	return 0;
}

int
app_drop_slot(struct vault *v, struct changes *c, struct app *a, struct err *e)
{
	if (object_remove_wrap_at(v, c, &a->id, PURPOSE_GRANT, 1, e) != 0)
		return e->code;
	a->slot = SLOT_EMPTY;
	a->slot_since = a->slot_until = 0;
	buf_done(&a->slot_blob);
	forget_test(a);
	return 0;
}

/* ---- what is held against an app */

bool
app_is_to_blame(enum err_id id)
{
	switch (id) {
	case ERR_CLIENT_SECRET_WRONG:
	case ERR_CLIENT_SECRET_EXPIRED:
	case ERR_CLIENT_AUTH_ENCODING:
	case ERR_GRANT_TYPE_NOT_ALLOWED:
	case ERR_CERT_EXPIRED:
	case ERR_CERT_REJECTED:
		return true;
	default:
		return false;
	}
}

static bool
is_of_the_secret(enum err_id id)
{
	return id == ERR_CLIENT_SECRET_WRONG || id == ERR_CLIENT_SECRET_EXPIRED ||
	    id == ERR_CLIENT_AUTH_ENCODING;
}

void
app_absolve(struct changes *c, struct app *a)
{
	a->flag = ERR_NONE;
	a->flag_time = 0;
	a->flag_text[0] = '\0';
	a->rearm = (struct id){ .b = { [15] = 1 } };
	due_put(c, wall_usec() / 1000, &a->id, DUE_APP);
}

static void
blame(struct app *a, enum err_id id, const char *text)
{
	a->flag = id;
	a->flag_time = wall_seconds();
	snprintf(a->flag_text, sizeof a->flag_text, "%.*s", (int)sizeof a->flag_text - 1, text);
}

/* The one before it is in use again; the one that was refused is staged, to be looked at. */
static int
fall_back(struct vault *v, struct changes *c, struct app *a, const char *text, struct err *e)
{
	if (app_swap(v, c, a, e) != 0)
		return e->code;
	a->slot = SLOT_STAGED;
	a->slot_until = 0;
	a->tested = APP_REFUSED;
	a->tested_at = wall_seconds();
	snprintf(a->tested_text, sizeof a->tested_text, "%.*s", (int)sizeof a->tested_text - 1,
	    text);
	app_absolve(c, a);
	log_warn("the provider refused the new secret of OAuth app '%s': the previous one is in "
	    "use again", a->name);
	return 0;
}

bool
app_refused(struct vault *v, struct changes *c, const struct id *app, uint64_t version,
    enum err_id id, const char *text)
{
	AUTO(app) a = { 0 };
	uint64_t generation;
	bool again = false;
	struct err e = { 0 };

	if (id_is_null(app) || !app_is_to_blame(id) ||
	    object_app(v, app, &a, &generation, &e) != 0)
		return false;
	if (version != 0 && version != a.version)
		return true;		/* it has another one by now */
	if (version != 0 && is_of_the_secret(id) && a.slot == SLOT_PREVIOUS)
		again = fall_back(v, c, &a, text, &e) == 0;
	else if (a.flag != (unsigned)id)
		blame(&a, id, text);
	else
		return false;
	if (e.code == 0)
		object_put_app(v, c, &a, generation, &e);
	return again && e.code == 0;
}

/* ---- what is due */

struct rearm {
	struct vault	*v;
	struct changes	*c;
	struct app	*a;
	int64_t		 now_ms;
	unsigned	 n;
	struct id	 next;		/* null: there are no more */
};

static void
try_again(struct rearm *r, const struct id *id)
{
	struct connection k;
	uint64_t generation;
	struct err e;

	if (object_connection(r->v, id, true, &k, &generation, &e) != 0 ||
	    !app_is_to_blame(k.cause) || !conn_state_usable(k.state))
		return;
	k.failures = 1;			/* whatever the token's age, and at once */
	k.retry_at = r->now_ms / 1000;
	if (object_put_connection(r->v, r->c, &k, generation, &e) == 0)
		due_put(r->c, r->now_ms + (int64_t)r->n * REARM_APART_MS, id, DUE_REFRESH);
}

static bool
rearm_one(void *arg, struct slice key, struct slice value, uint64_t generation)
{
	struct rearm *r = arg;
	struct id id;

	(void)value;
	(void)generation;
	if (!id_behind(key, sizeof id.b, &id))
		return true;
	if (r->n == REARM_AT_ONCE) {
		r->next = id;
		return false;
	}
	r->n++;
	try_again(r, &id);
	return true;
}

static int
rearm(struct vault *v, struct changes *c, struct app *a, int64_t now_ms, struct err *e)
{
	struct rearm r = { .v = v, .c = c, .a = a, .now_ms = now_ms };
	unsigned char from[32];

	memcpy(from, a->id.b, 16);
	memcpy(from + 16, a->rearm.b, 16);
	if (store_walk(v->store, TABLE_CONNECTION_BY_APP, id_key(&a->id),
		(struct slice){ from, sizeof from }, rearm_one, &r, e) != 0)
		return e->code;
	a->rearm = r.next;
	if (!id_is_null(&r.next))
		due_put(c, now_ms + REARM_TURN_MS, &a->id, DUE_APP);
	return 0;
}

static bool
overlap_is_over(const struct app *a)
{
	return a->slot == SLOT_PREVIOUS && a->slot_until != 0 && a->slot_until <= wall_seconds();
}

static bool
has_due(const struct app *a)
{
	return overlap_is_over(a) || !id_is_null(&a->rearm);
}

bool
app_has_due(struct vault *v, const struct id *app)
{
	AUTO(app) a = { 0 };
	struct err e;

	return object_app(v, app, &a, NULL, &e) == 0 && has_due(&a);
}

static int
do_due(struct vault *v, struct changes *c, struct app *a, uint64_t generation, struct err *e)
{
	if (!id_is_null(&a->rearm) && rearm(v, c, a, wall_usec() / 1000, e) != 0)
		return e->code;
	if (overlap_is_over(a)) {
		if (app_drop_slot(v, c, a, e) != 0)
			return e->code;
		log_info("the previous secret of OAuth app '%s' is forgotten", a->name);
	}
	return object_put_app(v, c, a, generation, e);
}

static void
did_due(struct job *j)
{
	struct vault *v = j->arg;

	if (j->rc != 0)		/* its entry stands there again, a lease later */
		log_debug("what is due of an OAuth app: %s", j->err.text);
	job_free(j);
	schedule_poke(v->schedule);
}

void
app_due(struct vault *v, const struct id *app)
{
	AUTO(app) a = { 0 };
	uint64_t generation;
	struct job *j;
	struct err e = { 0 };

	if (object_app(v, app, &a, &generation, &e) != 0 || !has_due(&a) ||
	    (j = calloc(1, sizeof *j)) == NULL)
		return;
	if (do_due(v, &j->changes, &a, generation, &e) != 0) {
		log_error("what is due of OAuth app '%s': %s", a.name, e.text);
		changes_done(&j->changes);
		free(j);
		return;
	}
	j->has_changes = true;
	j->done = did_due;
	j->arg = v;
	journal_submit(v->journal, j);
}

/* ---- uses */

size_t
app_count_uses(struct vault *v, const struct id *app, size_t max)
{
	return store_count(v->store, TABLE_CONNECTION_BY_APP, id_key(app), max);
}

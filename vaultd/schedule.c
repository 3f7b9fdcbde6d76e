/*
 * schedule.c - the due index: one timer for the earliest entry; nothing scans everything.
 *
 * An entry that fires is moved a minute on before its work starts (a lease), so that a
 * crash loses nothing; the commit adds the real next one, and an entry that turns out
 * early is just moved on. On-demand refreshes do not pass through here and so go first.
 */
#include "vaultd/schedule.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "common/log.h"
#include "common/role.h"
#include "vaultd/attempt.h"
#include "vaultd/connect.h"
#include "vaultd/introspect.h"
#include "vaultd/objects.h"
#include "vaultd/refresh.h"
#include "vaultd/session.h"
#include "vaultd/vault.h"
#include "vaultd/warn.h"

#define BACKGROUND_MAX	16	/* after a long stop the rest drips */
#define TURN_MAX	64
#define LEASE_MS	60000
#define LONGEST_MS	60000	/* the wall clock may be set: look at least this often */

/* u64 ms | id | the kind of a warning, which must not stand in the place of a refresh. */
#define DUE_KEY		25

struct schedule {
	struct vault	*vault;
	struct event	*timer;
	struct attempt	*first;
	unsigned	 inflight;
	bool		 moving;		/* a turn's commit is under way */
};

struct due {
	int64_t		 ms;
	struct id	 id;
	enum due_kind	 kind;
	unsigned char	 key[DUE_KEY];
	size_t		 keylen;
};

struct turn {
	struct vault	*vault;
	int64_t		 now_ms;
	size_t		 n, max;
	int64_t		 next_ms;		/* of the first one not taken; 0 = none */
	struct due	 due[TURN_MAX];
};

void
schedule_link(struct schedule *s, struct attempt *a)
{
	a->next = s->first;
	a->prev = NULL;
	if (s->first != NULL)
		s->first->prev = a;
	s->first = a;
	s->inflight++;
}

void
schedule_unlink(struct schedule *s, struct attempt *a)
{
	*(a->prev != NULL ? &a->prev->next : &s->first) = a->next;
	if (a->next != NULL)
		a->next->prev = a->prev;
	s->inflight--;
}

struct attempt *
schedule_first(const struct schedule *s)
{
	return s->first;
}

unsigned
schedule_inflight(const struct schedule *s)
{
	unsigned n = 0;

	for (const struct attempt *a = s->first; a != NULL; a = a->next)
		n += !a->asking;
	return n;
}

bool
schedule_holds_answer(const struct schedule *s)
{
	for (const struct attempt *a = s->first; a != NULL; a = a->next)
		if (a->res.phase == PHASE_ANSWERED && !a->res.spooled)
			return true;
	return false;
}

static struct slice
due_key(int64_t unix_ms, const struct id *id, enum due_kind kind, unsigned char key[DUE_KEY])
{
	for (int i = 0; i < 8; i++)
		key[i] = (unsigned char)((uint64_t)unix_ms >> 8 * (7 - i));
	memcpy(key + 8, id->b, sizeof id->b);
	key[24] = (unsigned char)kind;
	return (struct slice){ key, kind == DUE_WARN ? DUE_KEY : DUE_KEY - 1 };
}

void
due_put(struct changes *c, int64_t unix_ms, const struct id *id, enum due_kind kind)
{
	unsigned char key[DUE_KEY], value = (unsigned char)kind;

	changes_put(c, TABLE_DUE, due_key(unix_ms, id, kind, key), EXPECT_ANY,
	    (struct slice){ &value, 1 });
}

void
due_remove(struct changes *c, int64_t unix_ms, const struct id *id, enum due_kind kind)
{
	unsigned char key[DUE_KEY];

	changes_remove(c, TABLE_DUE, due_key(unix_ms, id, kind, key), EXPECT_ANY);
}

static void
arm(struct schedule *s, int64_t ms)
{
	struct timeval tv;

	if (ms < 1)
		ms = 1;
	if (ms > LONGEST_MS)
		ms = LONGEST_MS;
	tv = (struct timeval){ ms / 1000, ms % 1000 * 1000 };
	evtimer_add(s->timer, &tv);
}

void
schedule_poke(struct schedule *s)
{
	arm(s, 5);
}

static bool
take(void *arg, struct slice key, struct slice value, uint64_t generation)
{
	struct turn *t = arg;
	struct due *d = &t->due[t->n];
	const unsigned char *k = key.p;

	(void)generation;
	if ((key.len != DUE_KEY && key.len != DUE_KEY - 1) || value.len != 1)
		return true;
	*d = (struct due){ .kind = *(const unsigned char *)value.p };
	memcpy(d->key, k, d->keylen = key.len);
	for (int i = 0; i < 8; i++)
		d->ms = d->ms << 8 | k[i];
	memcpy(d->id.b, k + 8, sizeof d->id.b);
	if (d->ms > t->now_ms || t->n == t->max) {
		t->next_ms = d->ms;
		return false;
	}
	t->n++;
	return true;
}

static void
refreshed(void *arg, int rc, const struct err *e)
{
	(void)arg;
	if (rc != 0)
		log_debug("a refresh ahead of time: %s", e->text);
}

/* Is it still time? The token may have been renewed on demand meanwhile. After a failure it is,
 * whatever the token's age: the entry is that failure's next try, and refresh.c knows whether it
 * may be one. */
static bool
still_due(struct vault *v, const struct due *d)
{
	AUTO(release) r = { 0 };
	struct connection c;
	struct err e;

	if (object_connection(v, &d->id, true, &c, NULL, &e) == 0 && c.failures > 0)
		return conn_state_usable(c.state);
	return object_release(v, &d->id, &r, NULL, &e) == 0 &&
	    refresh_is_due(r.obtained, r.expires);
}

static void
moved(struct job *j)
{
	struct turn *t = j->arg;
	struct vault *v = t->vault;
	int rc = j->rc;

	job_free(j);
	v->schedule->moving = false;
	for (size_t i = 0; rc == 0 && i < t->n; i++) {
		if (t->due[i].kind == DUE_PENDING)
			connect_expire(v, &t->due[i].id);
		else if (t->due[i].kind == DUE_INTROSPECT)
			introspect(v, &t->due[i].id);
		else if (t->due[i].kind == DUE_REFRESH && still_due(v, &t->due[i]))
			refresh_want(v, &t->due[i].id, refreshed, NULL);
	}
	free(t);
	schedule_poke(v->schedule);
}

/* A session stays due until it is gone: it is not while its exchange is under way. */
static bool
wants_lease(struct vault *v, const struct due *d)
{
	AUTO(pending) p = { 0 };
	struct err e;

	if (d->kind == DUE_PENDING)
		return session_load(v, &d->id, &p, &e) == 0;
	return d->kind == DUE_REFRESH && still_due(v, d);
}

static void
move_on(struct vault *v, struct turn *t)
{
	struct job *j = calloc(1, sizeof *j);

	if (j == NULL) {
		free(t);
		return;
	}
	for (size_t i = 0; i < t->n; i++) {
		struct due *d = &t->due[i];

		changes_remove(&j->changes, TABLE_DUE,
		    (struct slice){ d->key, d->keylen }, EXPECT_ANY);
		if (d->kind == DUE_WARN)
			warn_due(v, &j->changes, d->ms, &d->id);
		if (wants_lease(v, d))
			due_put(&j->changes, t->now_ms + LEASE_MS, &d->id, d->kind);
	}
	j->has_changes = true;
	j->done = moved;
	j->arg = t;
	v->schedule->moving = true;
	journal_submit(v->journal, j);
}

static void
turn(evutil_socket_t fd, short what, void *arg)
{
	static const struct slice all = { "", 0 };
	struct schedule *s = arg;
	struct turn *t;
	struct err e;

	(void)fd;
	(void)what;
	if (s->moving || s->vault->stopping)
		return;
	if (s->vault->meta_key == NULL) {	/* nothing can be checked, nor written, yet */
		arm(s, 1000);
		return;
	}
	if (s->inflight >= BACKGROUND_MAX || (t = calloc(1, sizeof *t)) == NULL) {
		arm(s, 200);
		return;
	}
	t->vault = s->vault;
	t->now_ms = wall_usec() / 1000;
	t->max = BACKGROUND_MAX - s->inflight;
	if (store_walk(s->vault->store, TABLE_DUE, all, all, take, t, &e) != 0)
		log_error("the due index cannot be read: %s", e.text);
	arm(s, t->next_ms == 0 ? LONGEST_MS : t->next_ms - t->now_ms);
	if (t->n > 0 && journal_state(s->vault->journal) == JOURNAL_OK)
		move_on(s->vault, t);
	else
		free(t);
}

int
schedule_new(struct vault *v, struct schedule **ret, struct err *e)
{
	struct schedule *s = calloc(1, sizeof *s);

	if (s == NULL || (s->timer = evtimer_new(v->base, turn, s)) == NULL) {
		free(s);
		return err_set(e, V_LIMIT, "out of memory");
	}
	s->vault = v;
	schedule_poke(s);
	*ret = s;
	return 0;
}

/*
 * schedule.c - the due index: one timer for the earliest entry; nothing scans everything.
 *
 * An entry that fires is moved a minute on before its work starts (a lease), so that a
 * crash loses nothing; the commit adds the real next one, and an entry that turns out
 * early is just dropped. What is due then waits for its turn (turn.h).
 */
#include "vaultd/schedule.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "common/log.h"
#include "common/role.h"
#include "vaultd/app_secret.h"
#include "vaultd/attempt.h"
#include "vaultd/check.h"
#include "vaultd/connect.h"
#include "vaultd/device.h"
#include "vaultd/idempotency.h"
#include "vaultd/introspect.h"
#include "vaultd/objects.h"
#include "vaultd/refresh.h"
#include "vaultd/revoke.h"
#include "vaultd/session.h"
#include "vaultd/turn.h"
#include "vaultd/vault.h"
#include "vaultd/warn.h"

#define TURN_MAX	128
#define LEASE_MS	60000
#define HOUR_MS		3600000
#define LONGEST_MS	60000	/* a timer that suspend held back: look at least this often */

/* u64 ms | id | the kind of a warning, a check or a poll, which must not stand in the place of what
 * else is due of the same record. */
#define DUE_KEY		25

struct schedule {
	struct vault	*vault;
	struct event	*timer;
	struct attempt	*first;
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
	struct due	 due[TURN_MAX + 1];	/* the first one not taken is read, too */
};

void
schedule_link(struct schedule *s, struct attempt *a)
{
	a->next = s->first;
	a->prev = NULL;
	if (s->first != NULL)
		s->first->prev = a;
	s->first = a;
}

void
schedule_unlink(struct schedule *s, struct attempt *a)
{
	*(a->prev != NULL ? &a->prev->next : &s->first) = a->next;
	if (a->next != NULL)
		a->next->prev = a->prev;
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

static bool
is_beside(enum due_kind kind)
{
	return kind == DUE_WARN || kind == DUE_CHECK || kind == DUE_POLL;
}

static struct slice
due_key(int64_t unix_ms, const struct id *id, enum due_kind kind, unsigned char key[DUE_KEY])
{
	for (int i = 0; i < 8; i++)
		key[i] = (unsigned char)((uint64_t)unix_ms >> 8 * (7 - i));
	memcpy(key + 8, id->b, sizeof id->b);
	key[24] = (unsigned char)kind;
	return (struct slice){ key, is_beside(kind) ? DUE_KEY : DUE_KEY - 1 };
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
		else if (t->due[i].kind == DUE_APP)
			app_due(v, &t->due[i].id);
		else if (t->due[i].kind == DUE_CHECK)
			check_due(v, &t->due[i].id);
		else if (t->due[i].kind == DUE_POLL)
			device_due(v, &t->due[i].id);
		else if (t->due[i].kind == DUE_REVOKE)
			revoke_due(v, &t->due[i].id);
		else if (t->due[i].kind == DUE_REFRESH)
			turn_due(v, &t->due[i].id);
	}
	free(t);
	turn_pump(v);
	schedule_poke(v->schedule);
}

/*
 * When an entry that fires is looked at again, should a crash come between; 0 = never. What then
 * still waits for its turn finds itself there. What did not fit comes in the order of its end.
 */
static int64_t
lease_ms(struct vault *v, const struct due *d, int64_t now_ms)
{
	AUTO(pending) p = { 0 };
	struct err e;
	int64_t ends, left;

	if (d->kind == DUE_PENDING)	/* until it is gone: its exchange may be under way */
		return session_load(v, &d->id, &p, &e) == 0 ? now_ms + LEASE_MS : 0;
	if (d->kind == DUE_APP)
		return app_has_due(v, &d->id) ? now_ms + LEASE_MS : 0;
	if (d->kind == DUE_CHECK)
		return check_is_due(v, &d->id) ? now_ms + LEASE_MS : 0;
	if (d->kind == DUE_POLL)
		return device_again_ms(v, &d->id, now_ms);
	if (d->kind == DUE_REVOKE)
		return revoke_is_open(v, &d->id) ? now_ms + LEASE_MS : 0;
	if (d->kind != DUE_REFRESH || !refresh_is_due(v, &d->id, &ends))
		return 0;
	left = ends * 1000 - now_ms;
	left = left < 0 ? 0 : left > HOUR_MS ? HOUR_MS : left;
	return now_ms + LEASE_MS + left / 60;
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
		int64_t again = lease_ms(v, d, t->now_ms);

		changes_remove(&j->changes, TABLE_DUE,
		    (struct slice){ d->key, d->keylen }, EXPECT_ANY);
		if (d->kind == DUE_IDEMPOTENCY)
			idempotency_due(v, &j->changes, &d->id);
		if (d->kind == DUE_WARN)
			warn_due(v, &j->changes, d->ms, &d->id);
		if (again != 0)
			due_put(&j->changes, again, &d->id, d->kind);
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
	if ((t = calloc(1, sizeof *t)) == NULL) {
		arm(s, 200);
		return;
	}
	t->vault = s->vault;
	t->now_ms = clock_ms(&s->vault->clock);
	t->max = TURN_MAX;
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

/*
 * due.c - what a turn of the scheduler costs when N connections wait in the due index: the first 128
 * entries of a real store are read, taken away and written again an hour later, in one commit; and what
 * putting one into the queue of those whose turn it is costs, and taking it out.
 *
 *	due DIRECTORY N...
 *
 * Prints "N ns-to-read-an-entry us-to-commit-a-turn ns-to-queue-one" for each, medians of 101 turns.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "vaultd/pacing.h"
#include "vaultd/schedule.h"
#include "vaultd/store.h"

#define TURN	128
#define TURNS	101
#define SET	20000		/* of the filling commits */

struct taken {
	size_t		n;
	unsigned char	key[TURN][32];
	size_t		len[TURN];
	struct id	id[TURN];
};

static uint64_t commit;

static long long
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void
check(int rc, const struct err *e)
{
	if (rc != 0) {
		fprintf(stderr, "due: %s\n", e->text);
		exit(1);
	}
}

static void
apply(struct store *s, struct changes *c)
{
	struct changes *sets[] = { c };
	struct err e = { 0 };
	int rc = 0;

	check(store_apply(s, sets, 1, &rc, NULL, ++commit, &e), &e);
	check(rc, &e);
	changes_done(c);
	store_read_end(s);
}

static struct store *
filled(const char *dir, long n)
{
	struct store_conf conf = { .dir = dir, .map_size = 1ULL << 31 };
	struct changes c = { 0 };
	struct store *s;
	struct err e = { 0 };

	check(store_open(&conf, &s, &e), &e);
	for (long i = 0; i < n; i++) {
		struct id id = id_new();

		due_put(&c, 1800000000000 + i, &id, DUE_REFRESH);
		if (c.n == SET || i == n - 1)
			apply(s, &c);
	}
	return s;
}

static bool
take(void *arg, struct slice key, struct slice value, uint64_t generation)
{
	struct taken *t = arg;

	(void)value;
	(void)generation;
	if (t->n == TURN)
		return false;
	memcpy(t->key[t->n], key.p, t->len[t->n] = key.len);
	memcpy(t->id[t->n++].b, (const unsigned char *)key.p + 8, sizeof t->id->b);
	return true;
}

static int
by_size(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;

	return x < y ? -1 : x > y;
}

static long long
median(long long *v)
{
	qsort(v, TURNS, sizeof *v, by_size);
	return v[TURNS / 2];
}

static void
turns(struct store *s, long n, long long *ret_read, long long *ret_commit)
{
	static const struct slice all = { "", 0 };
	static struct taken t;
	long long read[TURNS], written[TURNS], t0;
	struct changes c = { 0 };
	struct err e = { 0 };

	for (int i = 0; i < TURNS; i++) {
		t.n = 0;
		t0 = now_ns();
		check(store_walk(s, TABLE_DUE, all, all, take, &t, &e), &e);
		read[i] = (now_ns() - t0) / (long long)(t.n == 0 ? 1 : t.n);
		for (size_t k = 0; k < t.n; k++) {
			changes_remove(&c, TABLE_DUE, (struct slice){ t.key[k], t.len[k] }, EXPECT_ANY);
			due_put(&c, 1800003600000 + n + i, &t.id[k], DUE_REFRESH);
		}
		t0 = now_ns();
		apply(s, &c);
		written[i] = (now_ns() - t0) / 1000;
	}
	*ret_read = median(read);
	*ret_commit = median(written);
}

/* In and out again, behind as many others as fit. */
static long long
queue_ns(long n)
{
	struct pacing_conf conf = { 1 << 20, 0, 1 << 20 };
	struct pacing_client client = { .key = { { 1 } }, .host = { { 2 } } };
	struct pacing *p;
	struct id id;
	struct err e = { 0 };
	void *arg;
	long fit = n > 40000 ? 40000 : n, done;
	long long t0;

	check(pacing_new(&conf, &p, &e), &e);
	for (long i = 0; i < fit; i++) {
		id = id_new();
		pacing_add(p, &id, &client, 1800000000000 + i, false, 0);
	}
	t0 = now_ns();
	for (done = 0; done < 20000 && pacing_next(p, 0, &id, &arg); done++) {
		pacing_done(p, &id, PACED_NOTHING, 0, 0);
		pacing_add(p, &id, &client, 1800000000000 + done, false, 0);
	}
	t0 = (now_ns() - t0) / (done == 0 ? 1 : done);
	pacing_free(p);
	return t0;
}

int
main(int argc, char **argv)
{
	for (int i = 2; i < argc; i++) {
		long n = atol(argv[i]);
		char dir[400];
		long long r, w;
		struct store *s;

		snprintf(dir, sizeof dir, "%.300s/%ld", argv[1], n);
		mkdir(dir, 0700);
		commit = 0;
		s = filled(dir, n);
		turns(s, n, &r, &w);
		store_close(s);
		printf("%ld\t%lld\t%lld\t%lld\n", n, r, w, queue_ns(n));
	}
	return 0;
}

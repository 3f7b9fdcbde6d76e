#include "tests/unit.h"

#include <pthread.h>

#include "common/auto.h"
#include "common/secret.h"

TEST(wipe_reaches_the_last_owned_byte)
{
	AUTO(secret) s = { 0 };
	struct err e = { 0 };

	T_DO(secret_set(&s, "0123456789abcdef", 16, &e), e);
	T_DO(secret_set(&s, "short", 5, &e), e);	/* stale bytes must not survive */
	for (size_t i = 5; i < s.cap; i++)
		T_EQ(s.p[i], 0);
	secret_wipe(&s);
	for (size_t i = 0; i < s.cap; i++)
		T_EQ(s.p[i], 0);
}

TEST(growing_copies_and_wipes_the_old_block)
{
	AUTO(secret) s = { 0 };
	struct err e = { 0 };
	unsigned char *old;
	size_t cap;

	T_DO(secret_set(&s, "sixteen bytes ok", 16, &e), e);
	old = s.p;
	cap = s.cap;
	T_DO(secret_reserve(&s, 5000, &e), e);
	T_NE(old, s.p);
	T_MEM(s.p, "sixteen bytes ok", 16);
	/* The freed block begins with the links of the free list; the rest is zero. */
	T_EQ(memmem(old, cap, "sixteen", 7) == NULL, 1);
	for (size_t i = 2 * sizeof(void *); i < cap; i++)
		T_EQ(old[i], 0);
}

TEST(taking_moves)
{
	struct err e = { 0 };
	AUTO(secret) s = { 0 }, t = { 0 };

	T_DO(secret_set(&s, "x", 1, &e), e);
	t = secret_take(&s);
	T_OK(s.p == NULL && s.len == 0);
	T_OK(secret_equal(&t, "x", 1));
	T_NOT(secret_equal(&t, "y", 1));
	T_NOT(secret_equal(&t, "xx", 2));
}

TEST(what_is_freed_is_used_again_and_nothing_leaks)
{
	size_t before = secret_in_use();
	struct err e = { 0 };

	for (int i = 0; i < 10000; i++) {
		AUTO(secret) s = { 0 };

		T_DO(secret_set(&s, "abc", 3, &e), e);
		T_DO(secret_reserve(&s, (size_t)(i % 3000), &e), e);
	}
	T_EQ(secret_in_use(), before);
}

/* As many as fit, all of one size; gives back how many. */
static size_t
fill(void **held, size_t max, size_t each)
{
	size_t n = 0;

	while (n < max && (held[n] = secret_alloc(each)) != NULL)
		n++;
	return n;
}

TEST(large_values_that_are_gone_leave_room_for_small_ones_and_the_other_way_round)
{
	static void *held[8192];
	size_t large = fill(held, 8192, 60000), small, again;

	T_OK(large >= 2);
	for (size_t i = 0; i < large; i++)
		secret_free(held[i]);
	small = fill(held, 8192, 16);
	T_OK(small > 4000);
	for (size_t i = 0; i < small; i += 2)		/* in any order */
		secret_free(held[i]);
	for (size_t i = 1; i < small; i += 2)
		secret_free(held[i]);
	again = fill(held, 8192, 60000);
	T_EQ(again, large);
	for (size_t i = 0; i < again; i++)
		secret_free(held[i]);
}

TEST(what_is_handed_out_is_zero_and_nobody_elses)
{
	static struct { unsigned char *p; size_t n; unsigned char mark; } live[200];
	unsigned seed = 1;

	for (int i = 0; i < 20000; i++) {
		size_t at = (size_t)rand_r(&seed) % 200;

		for (size_t k = 0; live[at].p != NULL && k < live[at].n; k++)
			T_EQ(live[at].p[k], live[at].mark);
		secret_free(live[at].p);
		live[at].n = (size_t)rand_r(&seed) % (i % 10 == 0 ? 9000 : 300);
		live[at].mark = (unsigned char)rand_r(&seed);
		live[at].p = secret_alloc(live[at].n);
		for (size_t k = 0; live[at].p != NULL && k < live[at].n; k++)
			T_EQ(live[at].p[k], 0);
		if (live[at].p != NULL)
			memset(live[at].p, live[at].mark, live[at].n);
	}
	for (size_t at = 0; at < 200; at++)
		secret_free(live[at].p);
}

TEST(exhaustion_is_an_error_not_an_end)
{
	AUTO(secret) s = { 0 };
	struct err e = { 0 };

	T_EQ(secret_reserve(&s, 64 << 20, &e), V_LIMIT);
	T_HAS(e.text, "exhausted");
	T_EQ(secret_reserve(&s, (size_t)1 << 40, &e), V_LIMIT);
}

/* ---- many threads at once: every block is zero when it comes, and nobody else's */

#define HELD 24

static void *
worry(void *arg)
{
	unsigned char *held[HELD] = { NULL }, mark = (unsigned char)(uintptr_t)arg;
	size_t len[HELD] = { 0 };
	unsigned seed = mark;

	for (int i = 0; i < 40000; i++) {
		int at = rand_r(&seed) % HELD;

		for (size_t k = 0; k < len[at]; k++)
			must(held[at][k] == mark);
		secret_free(held[at]);
		len[at] = (size_t)rand_r(&seed) % (1u << rand_r(&seed) % 11);
		if ((held[at] = secret_alloc(len[at])) == NULL)
			len[at] = 0;
		for (size_t k = 0; k < len[at]; k++) {
			must(held[at][k] == 0);
			held[at][k] = mark;
		}
	}
	for (int i = 0; i < HELD; i++)
		secret_free(held[i]);
	return NULL;
}

TEST(threads_share_the_arena_and_all_of_it_comes_back)
{
	size_t before = secret_in_use();
	pthread_t t[4];
	void *whole;

	for (uintptr_t i = 0; i < 4; i++)
		T_EQ(pthread_create(&t[i], NULL, worry, (void *)(i + 1)), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	T_EQ(secret_in_use(), before);
	whole = secret_alloc((256 << 10) - 16);
	T_OK(whole != NULL);
	secret_free(whole);
}

TEST(a_length_that_wraps_is_refused)
{
	AUTO(secret) s = { 0 };
	struct err e;

	T_DO(secret_set(&s, "abc", 3, &e), e);
	T_EQ(secret_append(&s, "x", SIZE_MAX - 1, &e), V_LIMIT);
	T_EQ(secret_reserve(&s, SIZE_MAX, &e), V_LIMIT);
	T_EQ(s.len, 3);
}

int
main(void)
{
	struct err e;

	if (secret_arena_init(256 << 10, false, &e) != 0) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	return unit_run();
}

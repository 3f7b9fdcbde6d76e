#include "tests/unit.h"

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
	/* The freed block's first word links the free list; the rest is zero. */
	for (size_t i = 0; i < cap; i++)
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

TEST(exhaustion_is_an_error_not_an_end)
{
	AUTO(secret) s = { 0 };
	struct err e = { 0 };

	T_EQ(secret_reserve(&s, 64 << 20, &e), V_LIMIT);
	T_HAS(e.text, "exhausted");
	T_EQ(secret_reserve(&s, (size_t)1 << 40, &e), V_LIMIT);
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

/*
 * unit.h - cmocka, with tests that register themselves.
 *
 *	TEST(name) { T_EQ(1 + 1, 2); }
 *	int main(void) { return unit_run(); }
 *
 * unit_dir() makes a private directory, which goes with all it holds when unit_run() ends.
 */
#pragma once

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define UNIT_MAX 256
static struct CMUnitTest unit_tests[UNIT_MAX];
static size_t unit_count;

#define TEST(name)                                                                       \
	static void test_##name(void **state);                                           \
	__attribute__((constructor)) static void register_##name(void)                   \
	{                                                                                \
		unit_tests[unit_count++] = (struct CMUnitTest){ #name, test_##name, NULL,\
			NULL, NULL };                                                    \
	}                                                                                \
	static void test_##name(void **state __attribute__((unused)))

#define T_EQ(a, b)     assert_int_equal((a), (b))
#define T_NE(a, b)     assert_int_not_equal((a), (b))
#define T_OK(x)        assert_true(x)
#define T_NOT(x)       assert_false(x)
#define T_STR(a, b)    assert_string_equal((a), (b))
#define T_MEM(a, b, n) assert_memory_equal((a), (b), (n))
#define T_HAS(hay, needle)                                                               \
	do {                                                                             \
		if (strstr((hay), (needle)) == NULL)                                     \
			fail_msg("\"%s\" does not contain \"%s\"", (hay), (needle));     \
	} while (0)
/* A call that must succeed; prints what it said. E is a struct err. */
#define T_DO(call, e)                                                                    \
	do {                                                                             \
		if ((call) != 0)                                                         \
			fail_msg("%s: %s", #call, (e).text);                             \
	} while (0)

static char unit_dirs[UNIT_MAX][64];
static size_t unit_ndirs;

/* RET, of at least 64 bytes: "/tmp/test-NAME." and six characters. */
static inline void
unit_dir(const char *name, char *ret)
{
	snprintf(ret, 64, "/tmp/test-%.30s.XXXXXX", name);
	T_OK(mkdtemp(ret) != NULL && unit_ndirs < UNIT_MAX);
	strcpy(unit_dirs[unit_ndirs++], ret);
}

static inline int
unit_remove(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static inline int
unit_run(void)
{
	int rc = _cmocka_run_group_tests("unit", unit_tests, unit_count, NULL, NULL);

	for (size_t i = 0; i < unit_ndirs; i++)
		nftw(unit_dirs[i], unit_remove, 16, FTW_DEPTH | FTW_PHYS);
	return rc;
}

#include "tests/unit.h"

#include "common/errors.h"
#include "common/fault.h"

static void
add(struct faults *f, const char *file, const char *text)
{
	struct err e = { 0 };

	err_name(&e, ERR_POLICY_INVALID, "%s", text);
	faults_add(f, file, &e);
}

TEST(an_error_is_taken_apart)
{
	struct faults f = { 0 };

	add(&f, "a:b.json", "a:b.json:12:3: unknown key 'x': y");
	add(&f, "none.json", "none.json: No such file or directory");
	add(&f, "dir", "dir is not a regular file");
	add(&f, "a.json", "a.json:7 policies");
	T_EQ(f.v[0].line, 12);
	T_EQ(f.v[0].column, 3);
	T_STR(f.v[0].message, "unknown key 'x': y");
	T_EQ(f.v[1].line, 0);
	T_STR(f.v[1].message, "No such file or directory");
	T_STR(f.v[2].message, "dir is not a regular file");
	T_EQ(f.v[3].line, 0);
	T_STR(f.v[3].message, "7 policies");
	faults_done(&f);
	T_EQ(f.n, 0);
}

TEST(they_stand_in_order_and_are_bounded)
{
	struct faults f = { 0 };

	add(&f, "b", "b:1:1: third");
	add(&f, "a", "a:10:1: second");
	add(&f, "a", "a:9:30: first");
	faults_sort(&f);
	T_STR(f.v[0].message, "first");
	T_STR(f.v[1].message, "second");
	T_STR(f.v[2].message, "third");
	T_NOT(f.more);
	for (int i = 0; i < FAULTS_MAX; i++)
		add(&f, "c", "c:1:1: x");
	T_EQ(f.n, FAULTS_MAX);
	T_OK(f.more);
	faults_done(&f);
}

int
main(void)
{
	return unit_run();
}

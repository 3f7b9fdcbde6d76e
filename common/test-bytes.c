#include "tests/unit.h"

#include "common/auto.h"
#include "common/bytes.h"

static bool
is(uint64_t n, unsigned width, const char *want)
{
	AUTO(buf) b = { 0 };

	return buf_add_uint(&b, n, width) && b.len == strlen(want) &&
	    memcmp(b.p, want, b.len) == 0;
}

TEST(numbers_are_decimal_with_the_zeros_asked_for)
{
	T_OK(is(0, 1, "0"));
	T_OK(is(7, 6, "000007"));
	T_OK(is(1234567, 6, "1234567"));
	T_OK(is(UINT64_MAX, 1, "18446744073709551615"));
	T_OK(is(UINT64_MAX, 99, "18446744073709551615"));
	T_OK(is(1, 20, "00000000000000000001"));
	T_OK(is(1, 99, "00000000000000000001"));
}

TEST(strings_add_up)
{
	AUTO(buf) b = { 0 };

	T_OK(buf_add_str(&b, "one"));
	T_OK(buf_add_str(&b, ""));
	T_OK(buf_add_str(&b, "two"));
	T_MEM(b.p, "onetwo", 6);
	T_EQ(b.len, 6);
}

int
main(void)
{
	return unit_run();
}

#include "tests/unit.h"

#include "vaultd/clock.h"
#include "vaultd/refresh_rules.h"

static long long boot_now = 5000, wall_now = 1700000000000;

static long long
fake_boot(void)
{
	return boot_now;
}

static long long
fake_wall(void)
{
	return wall_now;
}

static void
pass(long long ms)
{
	boot_now += ms;
	wall_now += ms;
}

TEST(row_37_a_wall_clock_that_is_set_changes_nothing_that_is_due)
{
	struct clock c;
	int64_t start;

	clock_init(&c, fake_boot, fake_wall);
	start = clock_s(&c);
	T_EQ(start, 1700000000);
	pass(60000);
	T_EQ(clock_s(&c), start + 60);
	wall_now += 86400000;			/* forward: nothing is due at once */
	T_EQ(clock_s(&c), start + 60);
	wall_now -= 10 * 86400000LL;		/* back: tokens end when they end */
	pass(1000);
	T_EQ(clock_s(&c), start + 61);
	T_EQ(clock_ms(&c), (start + 61) * 1000);
}

TEST(row_37_what_is_due_comes_after_the_time_that_passed_whatever_the_wall_says)
{
	struct connection con = { .state = CONN_CONNECTED };
	struct refresh_facts f = { .alive = true };
	struct clock c;
	int64_t from, to;

	clock_init(&c, fake_boot, fake_wall);
	refresh_due_span(clock_s(&c), 3600, &from, &to);
	wall_now += 7200000;
	T_OK(clock_ms(&c) < from);
	wall_now -= 720000000;
	pass(2880000);
	T_OK(clock_ms(&c) >= to);
	f.now = clock_s(&c);
	T_EQ(refresh_may_start(&con, &f), REFRESH_MAY);
}

TEST(clients_are_told_times_of_their_clock)
{
	struct clock c;
	int64_t now;

	clock_init(&c, fake_boot, fake_wall);
	now = clock_s(&c);
	T_EQ(clock_shown(&c, now + 100), now + 100);
	wall_now += 1999;			/* read one after the other */
	T_EQ(clock_shown(&c, now + 100), now + 100);
	wall_now += 3598001;
	T_EQ(clock_shown(&c, now + 100), now + 3700);
	T_EQ(clock_shown(&c, 0), 0);
	wall_now -= 7200000;
	T_EQ(clock_shown(&c, now + 100), now - 3500);
}

int
main(void)
{
	return unit_run();
}

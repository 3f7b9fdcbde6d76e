/*
 * clock.c - see clock.h.
 */
#include "vaultd/clock.h"

#include <stddef.h>

#include "common/role.h"

#define SET_MS	2000	/* less is reading two clocks one after the other */

static int64_t
boot(const struct clock *c)
{
	return c->boot_ms != NULL ? c->boot_ms() : boot_ms();
}

static int64_t
wall(const struct clock *c)
{
	return c->wall_ms != NULL ? c->wall_ms() : wall_usec() / 1000;
}

void
clock_init(struct clock *c, long long (*boot_fn)(void), long long (*wall_fn)(void))
{
	*c = (struct clock){ .boot_ms = boot_fn, .wall_ms = wall_fn };
	c->offset_ms = wall(c) - boot(c);
}

int64_t
clock_ms(const struct clock *c)
{
	return boot(c) + c->offset_ms;
}

int64_t
clock_s(const struct clock *c)
{
	return clock_ms(c) / 1000;
}

int64_t
clock_shown(const struct clock *c, int64_t t)
{
	int64_t set = wall(c) - clock_ms(c);

	if (t == 0 || (set < SET_MS && set > -SET_MS))
		return t;
	return t + set / 1000;
}

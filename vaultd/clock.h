/*
 * clock.h - the time that deadlines are kept by. It is the wall clock's of the moment when vaultd
 * started, and goes on with CLOCK_BOOTTIME: a wall clock that is set while vaultd runs neither makes
 * everything due nor lets tokens run out. Times in the store are of this clock; the next start takes
 * them for the wall clock's. Loop thread.
 */
#pragma once

#include <stdint.h>

struct clock {
	long long	(*boot_ms)(void), (*wall_ms)(void);	/* NULL: the real ones */
	int64_t		 offset_ms;
};

/* BOOT_MS and WALL_MS: NULL for the machine's own. */
void clock_init(struct clock *c, long long (*boot_ms)(void), long long (*wall_ms)(void));
/* Unix ms, s. */
int64_t clock_ms(const struct clock *c);
int64_t clock_s(const struct clock *c);
/* A time of C (unix s) as clients' wall clocks have it now; 0 stays 0. */
int64_t clock_shown(const struct clock *c, int64_t t);

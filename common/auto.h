/*
 * auto.h - the cleanup attribute, spelled once.
 *
 * AUTO(secret) s = {0}; calls secret_done(&s) when s leaves scope. A type takes part
 * by having TYPE_done(struct TYPE *), which accepts a zeroed object.
 */
#pragma once

#include <stdlib.h>
#include <unistd.h>

#define AUTO(type) __attribute__((cleanup(type##_done))) struct type
#define AUTO_FREE  __attribute__((cleanup(auto_free)))
#define AUTO_CLOSE __attribute__((cleanup(auto_close)))

static inline void
auto_free(void *p)
{
	free(*(void **)p);
}

static inline void
auto_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

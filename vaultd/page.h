/*
 * page.h - lists come in pages, and one call looks at a bounded number of records in its turn of the
 * loop, however few of them are wanted: `next` of the answer is `after` of the next call.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define PAGE_LOOKS	4	/* records looked at for each that a page holds */

/* What a page holds at most, by the caller's `limit`; 0 = not said. */
static inline size_t
page_size(int64_t limit, size_t max)
{
	return limit == 0 || limit > (int64_t)max ? max : (size_t)limit;
}

/*
 * used.h - when a token of each connection was last released: kept in memory on the hot path, and
 * written now and then.
 */
#pragma once

#include <stdint.h>

#include "common/bytes.h"
#include "common/err.h"

struct vault;

int used_new(struct vault *v, struct err *e);
void used_free(struct vault *v);
/* Now. */
void used_note(struct vault *v, const struct id *connection);
/* Unix s; 0 = never, as far as is known. */
int64_t used_at(struct vault *v, const struct id *connection);
/* What was noted since becomes durable: every few minutes, and before the journal closes. */
void used_flush(struct vault *v);

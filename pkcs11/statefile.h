/*
 * statefile.h - the small files of vault-hsm's state directory: read whole, replaced
 * whole, on the disk before the call returns. Used by binding.c and guard.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/bytes.h"
#include "common/err.h"

#define STATEFILE_MAX 16384

/* Reads DIR/NAME, terminated with NUL. V_NOT_FOUND, V_IO, V_LIMIT. */
int statefile_read(const char *dir, const char *name, struct buf *ret, struct err *e);

/* Writes DIR/NAME anew. FRESH: it must not exist yet (V_CONFLICT). */
int statefile_write(const char *dir, const char *name, struct slice text, bool fresh,
    struct err *e);

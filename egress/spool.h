/*
 * spool.h - answers that cannot be had twice: one file per attempt.
 *
 * Made just before the first byte of the request goes out, preallocated and synced with
 * its directory: no file means certainly not sent. The raw answer is sealed into it and
 * synced before it is parsed. It goes when vaultd has committed (EGRESS_DROP).
 *
 * File: "VSP3" | u32 length | plain header (wraps of the keys made beforehand) | at 4096:
 * u32 length of the sealed answer, 0 = none yet | sealed answer. See docs/FORMATS.md.
 */
#pragma once

#include "common/bytes.h"
#include "common/err.h"

struct spool;

int spool_open(const char *state_dir, struct spool **ret, struct err *e);
void spool_close(struct spool *s);

/* Before the first byte. HEADER at most 4000 bytes. Errors: V_IO; then nothing was made. */
int spool_create(struct spool *s, const struct id *attempt, struct slice header,
    struct err *e);
/* Seals is the caller's; this makes BLOB durable. */
int spool_write(struct spool *s, const struct id *attempt, struct slice blob,
    struct err *e);
/* V_NOT_FOUND: no file. BLOB empty: begun, and no answer kept. FORMAT is of BLOB: 3, or 2 of an earlier
 * version. */
int spool_read(struct spool *s, const struct id *attempt, struct buf *ret_header,
    struct buf *ret_blob, unsigned *ret_format, struct err *e);
/* Removes; nothing to remove is fine. */
void spool_drop(struct spool *s, const struct id *attempt);
/* Attempts that have a file, for hello. */
size_t spool_list(struct spool *s, struct id *ret, size_t cap);

/*
 * dek_cache.h - unwrapped `release` data keys: 32 bytes each in locked memory, bounded,
 * least recently used first out, each for a bounded time.
 *
 * An entry leaves with a delete and with a new key in the completion of that commit, and all leave
 * with `vaultctl seal`.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/err.h"
#include "common/secret.h"

struct dek_cache;

/* Takes its locked memory at once. ENTRIES 0: nothing is ever cached. */
int dek_cache_new(unsigned entries, unsigned seconds, struct dek_cache **ret,
    struct err *e);
void dek_cache_free(struct dek_cache *c);

/*
 * The key of RECORD (32 locked bytes, valid until the next call here), or NULL.
 * RET_CHECKED: the caller's mark beside it, 0 at first and as valid as the key: which
 * generation of the plaintext it has found good, so that it looks once and not each time.
 */
const unsigned char *dek_cache_get(struct dek_cache *c, const struct id *record,
    long long now_ms, uint64_t **ret_checked);
/* Copies DEK in. */
void dek_cache_put(struct dek_cache *c, const struct id *record, const struct secret *dek,
    long long now_ms);
void dek_cache_forget(struct dek_cache *c, const struct id *record);
void dek_cache_wipe(struct dek_cache *c);
size_t dek_cache_count(const struct dek_cache *c);

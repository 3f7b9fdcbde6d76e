/*
 * secret.h - the only home of PINs, tokens, client secrets, verifiers and keys.
 *
 * One arena per process, made at start: memfd_secret where the kernel has it, else
 * locked anonymous memory; never dumped, never inherited by fork, wiped on free. There
 * is no char pointer to hand to printf. Thread-safe.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

struct secret {
	unsigned char	*p;	/* from the arena, or NULL */
	size_t		 len;	/* bytes in use */
	size_t		 cap;	/* bytes owned; all of them are wiped */
};

/*
 * Makes the arena of BYTES (rounded up to pages). Call once, before any other function
 * here. MLOCK_ONLY skips memfd_secret, whose pages not even root can read: for memory
 * scans in tests. Errors: V_LIMIT (RLIMIT_MEMLOCK too low: the text says what to raise).
 */
int secret_arena_init(size_t bytes, bool mlock_only, struct err *e);

/* Raw blocks from the arena, zeroed. NULL when exhausted. free wipes; NULL is fine. */
void *secret_alloc(size_t n);
void secret_free(void *p);
/* Bytes in use now, for `status` and for leak checks in tests. */
size_t secret_in_use(void);

/* Replaces the content. Grows by copy and wipe. Errors: V_LIMIT. */
int secret_set(struct secret *s, const void *p, size_t n, struct err *e);
int secret_append(struct secret *s, const void *p, size_t n, struct err *e);
/* Owns at least N bytes afterwards, content kept. */
int secret_reserve(struct secret *s, size_t n, struct err *e);
/* A copy of the value. */
int secret_copy(struct secret *to, const struct secret *from, struct err *e);
/* Empties and wipes, keeps the block. */
void secret_wipe(struct secret *s);
/* Wipes and frees; accepts a zeroed one. */
void secret_done(struct secret *s);
/* Moves: *S is empty afterwards. */
struct secret secret_take(struct secret *s);
/* Constant time. */
bool secret_equal(const struct secret *s, const void *p, size_t n);

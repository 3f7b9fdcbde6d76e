/*
 * bytes.h - slices, growing buffers that are wiped, ids, hex and base64url.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

/* Borrowed bytes. Whoever hands one out says for how long. */
struct slice {
	const void	*p;
	size_t		 len;
};

/* Owned heap bytes, for what is not secret (ciphertext, records). Wiped all the same. */
struct buf {
	unsigned char	*p;
	size_t		 len, cap;
	bool		 failed;	/* sticky: memory ran out */
};

void buf_done(struct buf *b);
void buf_reset(struct buf *b);			/* empties, wipes, keeps the block */
bool buf_add(struct buf *b, const void *p, size_t n);
bool buf_add_str(struct buf *b, const char *s);
/* Decimal, with leading zeros up to WIDTH (at most 20) digits. What printf(3) does, in a
 * tenth of the time: audit lines and answers are made of it. */
bool buf_add_uint(struct buf *b, uint64_t n, unsigned width);
void *buf_room(struct buf *b, size_t n);	/* N bytes behind len, not yet counted; NULL = failed */
struct buf buf_take(struct buf *b);

/* FROM into TO of CAP bytes behind its first AT, always terminated, cut off where it does not
 * fit. Returns the length. For what snprintf(3) is too slow for. */
size_t str_put(char *to, size_t cap, size_t at, const char *from);

static inline struct slice
buf_slice(const struct buf *b)
{
	return (struct slice){ b->p, b->len };
}

/* V with room for an element of SIZE behind its N, to be used for arrays that only ever grow by it:
 * they double. NULL: out of memory, V is as it was. */
void *array_more(void *v, size_t n, size_t size);

/* 128 random bits that name a vault, a record, an attempt. */
struct id { unsigned char b[16]; };
#define ID_TEXT 33		/* 32 hex digits and NUL */

struct id id_new(void);
bool id_is_null(const struct id *id);
/* Its bytes, borrowed. */
struct slice id_key(const struct id *id);
/* The id that follows AT bytes of S and ends it; FALSE: there is none. */
bool id_behind(struct slice s, size_t at, struct id *ret);

static inline bool
id_equal(const struct id *a, const struct id *b)
{
	return memcmp(a->b, b->b, sizeof a->b) == 0;
}

void id_text(const struct id *id, char out[ID_TEXT]);
bool id_parse(const char *text, struct id *ret);	/* exactly 32 lower-case hex digits */

/* Kernel randomness; aborts if there is none. */
void random_bytes(void *p, size_t n);

/* Lower-case hex; OUT holds 2n+1. */
void hex_encode(const void *p, size_t n, char *out);
/* base64url without padding (RFC 4648 section 5); OUT holds (n*4+2)/3+1. Returns length. */
size_t b64url_encode(const void *p, size_t n, char *out);
/* Returns bytes, or -1. OUT holds len*3/4. Accepts no padding and no white space. */
ssize_t b64url_decode(const char *text, size_t len, void *out);

/*
 * msg.h - typed bytes between our own processes and in our own files.
 *
 * Integers are big-endian; byte strings have a 32-bit length in front. Writing fails
 * stickily and is checked once (msg_ok, or at send); reading past the end fails
 * stickily too, and msg_end() refuses leftover bytes. A msg whose bytes may hold a
 * secret is started with msg_secret(): its bytes then live in the secret arena.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/secret.h"

struct msg {
	struct buf	 b;		/* when !locked */
	struct secret	 s;		/* when locked */
	struct slice	 in;		/* when reading */
	size_t		 pos;
	bool		 locked, failed;
};

void msg_done(struct msg *m);
void msg_secret(struct msg *m);		/* before the first put */

/* ---- writing; a zeroed struct msg is an empty one */
void msg_put_u8(struct msg *m, uint8_t v);
void msg_put_u16(struct msg *m, uint16_t v);
void msg_put_u32(struct msg *m, uint32_t v);
void msg_put_u64(struct msg *m, uint64_t v);
void msg_put_bytes(struct msg *m, const void *p, size_t n);	/* with length */
void msg_put_slice(struct msg *m, struct slice s);		/* with length */
void msg_put_str(struct msg *m, const char *s);			/* with length; NULL = "" */
void msg_put_id(struct msg *m, const struct id *id);		/* 16 bytes, no length */
void msg_put_raw(struct msg *m, const void *p, size_t n);	/* no length */
void msg_put_secret(struct msg *m, const struct secret *s);	/* M must be locked */
bool msg_ok(const struct msg *m);
struct slice msg_slice(const struct msg *m);			/* what was written; borrowed */

/* ---- reading; borrowed from IN, which must outlive the msg */
void msg_read(struct msg *m, struct slice in);
uint8_t msg_get_u8(struct msg *m);
uint16_t msg_get_u16(struct msg *m);
uint32_t msg_get_u32(struct msg *m);
uint64_t msg_get_u64(struct msg *m);
struct slice msg_get_slice(struct msg *m);			/* borrowed from IN */
struct id msg_get_id(struct msg *m);
struct slice msg_get_raw(struct msg *m, size_t n);
/* A string without NUL inside, at most cap-1 bytes, copied and terminated. */
void msg_get_str(struct msg *m, char *out, size_t cap);
/* Copies into a secret; V_CORRUPT or V_LIMIT. */
int msg_get_secret(struct msg *m, struct secret *ret, struct err *e);
/* V_CORRUPT unless everything was read and nothing failed. WHAT names the thing. */
int msg_end(struct msg *m, const char *what, struct err *e);

/* A struct err across a line: class, id, text, details. */
void msg_put_err(struct msg *m, const struct err *e);
void msg_get_err(struct msg *m, struct err *ret);

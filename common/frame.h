/*
 * frame.h - how messages are cut on a stream socket between roles.
 *
 *	u32 length of what follows | u32 id | u16 op or status | u16 reserved (0) |
 *	u32 deadline in ms | body
 *
 * The answer carries the id of its question; status 0 is success, 1 carries a
 * struct err as its body. A deadline counts from receipt; 0 = the server's default.
 */
#pragma once

#include "common/msg.h"

#define FRAME_HEADER	16			/* with the length word */
#define FRAME_MAX	(2u << 20)		/* whole frame; an answer of 1 MiB fits, sealed */

enum { FRAME_OK = 0, FRAME_ERR = 1 };

struct frame {
	uint32_t	id;
	uint16_t	op;		/* status in an answer */
	uint32_t	deadline_ms;
	struct slice	body;		/* borrowed */
};

/* The header alone, for who sends the body from where it is. */
void frame_head(const struct frame *f, unsigned char h[FRAME_HEADER]);
/* Writes header and body into OUT (appended). FALSE: too long or memory. */
bool frame_pack(struct buf *out, const struct frame *f);

/*
 * Is there a whole frame at the start of IN? Returns its length in bytes and fills
 * RET (borrowed from IN), 0 = not yet, -1 = not a frame (close the line).
 */
ssize_t frame_parse(struct slice in, struct frame *ret);

/*
 * Blocking pair for straight-line programs (vault-hsm; egress's key line). The whole
 * frame must come or go within MS milliseconds. The receive buffer is locked memory,
 * wiped by secret_done(). Errors: V_TIMEOUT, V_UNAVAILABLE (peer gone), V_CORRUPT, V_IO.
 */
int frame_send(int fd, const struct frame *f, int ms, struct err *e);
int frame_recv(int fd, struct secret *buf, struct frame *ret, int ms, struct err *e);

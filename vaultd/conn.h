/*
 * conn.h - one client connection: bytes in, messages cut at NUL, answers out in call
 * order. Raw libevent events. While an answer waits for durability the connection is
 * referenced and its descriptor stays open, or a reused number would hand one client's
 * answer to the next.
 */
#pragma once

#include <event2/event.h>
#include <stdint.h>

#include "common/bytes.h"
#include "policy/policy.h"
#include "vaultd/limits.h"
#include "vaultd/peer.h"
#include "vaultd/record.h"

struct vault;
struct request;

struct conn {
	struct vault	*vault;
	struct conn	*next, *prev;		/* all connections */
	int		 fd;
	struct event	*rd, *wr;
	struct peer	 peer;
	struct bucket	*bucket;		/* limits of its uid */
	bool		 operator;
	struct folder	 workspace;		/* its own, as of WORKSPACE_VERSION of the store */
	uint64_t	 workspace_version;	/* 0 = not looked up */
	struct buf	 in;			/* allocated on demand; wiped */
	size_t		 scanned;		/* of in: known to hold no NUL */
	size_t		 charged;		/* of in.cap, to the bucket */
	struct request	*first, *last;		/* in call order; their answers too */
	size_t		 sent;			/* of first's answer */
	unsigned	 inflight;
	bool		 eof;			/* the peer sends no more; may still read */
	bool		 closing;		/* serves no more; ends with its answers */
	bool		 gone;			/* the peer left; waits for its requests */
	bool		 stalled;		/* PIPELINE_MAX reached: reads no more */
	struct conn	*dirty_next;		/* has ready answers this pass */
	bool		 dirty;
};

/* Who it is, as policy asks. Borrowed from C. */
struct policy_subject conn_subject(const struct conn *c);
/* Takes FD. Reads the peer's identity; over a limit: one error message, then close. */
void conn_accept(struct vault *v, int fd);
/* Puts R at the end of the queue; request.c calls it once per request. C owns R, and
 * frees it when its answer was sent or, if request_start() says false, at once. */
void conn_enqueue(struct conn *c, struct request *r);
/* R's answer is complete (r->out): sends what is ready at the head of the queue at the
 * end of the loop pass. */
void conn_ready(struct conn *c, struct request *r);
/* End of the loop pass: sends all dirty connections. */
void conn_flush_all(struct vault *v);
void conn_close_all(struct vault *v);

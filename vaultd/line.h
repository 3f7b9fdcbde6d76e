/*
 * line.h - an asynchronous line to a helper role: frames on a Unix stream socket, on
 * the loop. Connects by itself, again after each loss (50 ms, doubling to 2 s).
 */
#pragma once

#include <event2/event.h>

#include "common/frame.h"

struct line;

struct line_conf {
	const char	*path;		/* copied */
	const char	*what;		/* "vault-hsm", for texts; a literal */
	unsigned	 unavailable;	/* ERR_ of a call that finds no line */
	bool		 secret;	/* received bytes live in locked memory */
	/*
	 * After each connect. Calls fail until line_ready(), except those of the handshake,
	 * line_call_first().
	 */
	void		(*on_up)(void *arg);
	void		(*on_down)(void *arg);		/* may be NULL */
	void		*arg;
};

typedef void line_done_fn(void *arg, int rc, struct slice body, struct err *e);

struct line *line_new(struct event_base *base, const struct line_conf *conf);
/* Calls in flight fail with `unavailable` first. */
void line_free(struct line *l);
void line_ready(struct line *l);
bool line_is_up(const struct line *l);		/* connected and ready */
unsigned line_pending(const struct line *l);

/*
 * Asks OP with BODY (copied, into locked memory if it is locked). DONE runs exactly
 * once, never before line_call() returns: RC 0 with BODY borrowed for the call, or a
 * class and E: what the helper answered, the `unavailable` error when there is no line
 * or it broke, V_TIMEOUT (ERR_TIMED_OUT) after MS. At most 1024 are under way: then
 * ERR_BUSY. A question that was not sent when its time is up is never sent.
 */
void line_call(struct line *l, uint16_t op, const struct msg *body, int ms,
    line_done_fn *done, void *arg);
/* The same in the handshake, before line_ready(). When it fails the line is closed
 * after DONE, and tried again. */
void line_call_first(struct line *l, uint16_t op, const struct msg *body, int ms,
    line_done_fn *done, void *arg);

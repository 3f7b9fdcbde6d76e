/*
 * attempt.h - one request to egress that may spend something: a code or a refresh token.
 *
 * Order: intent durable, request sent, answer (or, after a lost line or a crash, what
 * egress kept of it), the owner's commit which removes the intent, then EGRESS_DROP. A
 * lost line never repeats a request: egress is asked what became of it.
 */
#pragma once

#include "common/exchange.h"
#include "vaultd/record.h"

struct vault;

struct attempt {
	struct attempt		*next, *prev;	/* of schedule's list */
	struct vault		*vault;
	struct intent		 intent;
	struct exchange		 ex;		/* slices point into the bufs below */
	struct buf		 app_blob, app_wrap, secret_blob, secret_wrap, release_wrap;
	struct exchange_result	 res;
	struct event		*timer;
	void			(*later)(struct attempt *a);	/* when it fires */
	/*
	 * Runs once, with a->res filled: what happened, phase and diagnosis. When the intent
	 * could not be stored phase is NOT_SENT and res.err says so. Ends with
	 * attempt_commit() or attempt_abandon().
	 */
	void			(*done)(struct attempt *a);
	/* May be NULL. While egress cannot say what became of it, and that takes long, or the
	 * disk takes no answer: E is for those who wait. Runs again and again; A stays. */
	void			(*unsettled)(struct attempt *a, const struct err *e);
	void			*arg;
	/* of attempt_commit() */
	void			(*committed)(struct attempt *a, int rc, const struct err *e);
	int			(*rebuild)(struct attempt *a, struct changes *ret, struct err *e);
	struct siblings		*siblings;	/* siblings.c */
	unsigned		 tries, conflicts, asks;
	/* of a code exchange: who finishes it, if anybody still waits */
	void			(*session_done)(void *arg, int rc, const struct err *e);
	bool			 keep_session;	/* nothing was spent */
	bool			 stored;	/* the intent is in the store */
	bool			 recovered;	/* of an earlier run of vaultd */
	bool			 asking;	/* it waits for egress's word, and may be left */
};

/* A new one with a fresh attempt id; the caller fills intent, ex and the bufs. */
struct attempt *attempt_new(struct vault *v, enum exchange_kind kind);
/* Stores the intent, sends, calls a->done. */
void attempt_start(struct attempt *a);
/* For an intent found at start: asks egress as soon as it is there, calls a->done. */
void attempt_recover(struct attempt *a);

/*
 * Commits what a->rebuild() makes of the result, with the intent's removal; on a conflict
 * it is built again from the records as they now are; when the disk refuses it is tried
 * again for as long as it takes (the answer is in egress's spool, and in memory). Then
 * EGRESS_DROP, and a->committed() when A is on no list any more; then A is freed.
 */
void attempt_commit(struct attempt *a);
/* Nothing to store, intent never stored: frees A. */
void attempt_abandon(struct attempt *a);
/* FN(A), on the loop, in MS. One at a time. */
void attempt_later(struct attempt *a, int ms, void (*fn)(struct attempt *a));
/* As audit names it: the first half of its id, in hex. */
void attempt_trace(const struct attempt *a, char ret[17]);
/* Is one under way for this connection? */
struct attempt *attempt_find(struct vault *v, const struct id *connection);

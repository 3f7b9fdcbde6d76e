/*
 * work.h - jobs in worker threads. A job runs in two steps: the first unwraps and learns
 * the host, the second talks to it; between them it may wait for its host's turn without
 * holding a thread.
 */
#pragma once

#include "common/frame.h"

/* What one vaultd may have in hand here, and how much of that may wait for one slow host. More
 * is answered ERR_BUSY at once: nothing was sent for it. */
#define WORK_MAX	1024U
#define WORK_HOST_MAX	256U

struct egress;

struct job {
	struct job	*next;
	struct egress	*x;
	uint64_t	 client;	/* which line asked; 0 = gone or nobody */
	uint32_t	 frame_id;
	uint16_t	 op;
	struct secret	 body;		/* the question; gone after prepare() */
	struct id	 attempt;	/* of an exchange; null = none */
	char		 host[256];	/* set by prepare(): whose turn to wait for */
	bool		 talking;	/* has its turn; under the mutex of work.c */
	int		 rc;
	struct err	 err;
	struct msg	 answer;
	void		*state;		/* between the steps */
	/* 0: perform() follows (host may be ""); else the error is answered. */
	int		(*prepare)(struct job *j, struct err *e);
	int		(*perform)(struct job *j, struct err *e);
	void		(*done_state)(void *state);
};

struct work;

int work_new(struct egress *x, struct work **ret, struct err *e);
/* Waits for running jobs, drops queued ones. */
void work_free(struct work *w);
/* Takes J when it returns 0; its answer comes back through server_answer() on the loop. ERR_BUSY:
 * too many are in hand. */
int work_submit(struct work *w, struct job *j, struct err *e);
/* Is this attempt queued or running? */
bool work_has(struct work *w, const struct id *attempt);
unsigned work_busy(struct work *w);
void job_free(struct job *j);

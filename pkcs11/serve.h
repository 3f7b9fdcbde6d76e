/*
 * serve.h - the two listeners and their connections: one question at a time, in turn.
 *
 * A peer that sends half a question, floods or does not read its answers costs nobody
 * else anything: reading never blocks, each connection gets one question per round, and
 * each line has connections of its own.
 */
#pragma once

#include "common/role.h"
#include "common/signing.h"
#include "pkcs11/hsm.h"

#define SERVE_CONNS 16		/* per line */

enum serve_end {
	SERVE_TERM = 1,	/* SIGTERM, SIGINT */
	SERVE_RELOAD,	/* SIGHUP */
	SERVE_TIMEOUT,
	SERVE_LEAVE,	/* h->leave */
};

struct serve_conn {
	int		fd;		/* -1 = free */
	struct secret	in;		/* a key may be on its way in */
};

struct serve_line {
	enum key_line		line;
	int			listener;
	struct hsm_count	reported;
	struct serve_conn	conn[SERVE_CONNS];
};

struct serve {
	struct hsm		*h;
	int			 signals;
	long long		 report_ms;
	struct serve_line	 line[2];
};

/* Finds both listeners in FDS, blocks the signals. V_INVALID: a socket is missing. */
int serve_init(struct serve *s, struct hsm *h, const struct role_fds *fds, struct err *e);

/* Serves for MS milliseconds, -1 = until something ends it. */
enum serve_end serve_run(struct serve *s, long long ms);

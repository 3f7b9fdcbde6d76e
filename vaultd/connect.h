/*
 * connect.h - authorization codes behind the verbs: their exchange, and what is left of a sign-in
 * when a crash, or time, got in between.
 */
#pragma once

#include "vaultd/attempt.h"

/* Sets A's callbacks for a code exchange that was open at the last stop. */
void connect_recover(struct attempt *a);

/* The OAuth app, what is sealed with session P, and the versions to be, into A, which is new. */
int connect_load(struct attempt *a, const struct pending *p, struct err *e);

/* The session PENDING was never finished: removes it, and a connection that was only
 * begun. */
void connect_expire(struct vault *v, const struct id *pending);

/* Exchanges CODE (moved from), with what is captured of the redirect's PARAMETERS. DONE on the loop after the commit, RC 0 or the diagnosis. */
int connect_exchange(struct vault *v, const struct pending *p, struct secret *code,
    const char *iss, const struct ex_vars *parameters, void (*done)(void *arg, int rc, const struct err *e),
    void *arg, struct err *e);

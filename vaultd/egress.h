/*
 * egress.h - vaultd's line to vault-egress: typed calls over an async line, opened by
 * hello(epoch).
 */
#pragma once

#include "common/exchange.h"

struct egress;
struct vault;

/* How long vaultd waits for an exchange; egress's own bound is shorter. */
#define EGRESS_EXCHANGE_MS	150000
#define EGRESS_SHORT_MS		40000
#define EGRESS_KEY_MS		100000	/* a token may look for primes for a while */

int egress_new(struct vault *v, struct egress **ret, struct err *e);

/* DONE runs exactly once on the loop: RC 0 with the answer's BODY (borrowed), else the
 * class and E. Without a line: ERR_EGRESS_UNAVAILABLE. */
void egress_call(struct egress *x, enum egress_op op, const struct msg *body, int ms,
    void (*done)(void *arg, int rc, struct slice body, struct err *e), void *arg);
bool egress_is_up(const struct egress *x);
/* Says hello again: the vault id became known. */
void egress_greet(struct egress *x);

/*
 * siblings.h - connections to which a provider gave one refresh token: it is renewed once for all of
 * them. The answer is sealed again for each (EGRESS_RESEAL), and all are stored in one commit, so
 * that none is left with a token that is spent. Loop thread.
 */
#pragma once

#include <stdbool.h>

#include "common/bytes.h"
#include "common/err.h"

struct attempt;
struct changes;
struct connection;
struct vault;

/* The refresh that is under way for CONNECTION: its own, or one of a sibling; else NULL. */
struct attempt *siblings_attempt(struct vault *v, const struct id *connection);

/* A was answered: has its tokens sealed for its siblings, then calls THEN(A). At once when there
 * are none. While egress cannot do it A waits, its answer is in the spool. */
void siblings_share(struct attempt *a, void (*then)(struct attempt *a));
/* What A brought for its siblings, or what it failed of (EACH), into CH. */
int siblings_store(struct attempt *a, struct changes *ch, struct err *e);
int siblings_fail(struct attempt *a, struct changes *ch,
    void (*each)(struct attempt *a, struct changes *ch, struct connection *c), struct err *e);
/* A is committed. */
void siblings_forget_keys(struct attempt *a);
void siblings_free(struct attempt *a);

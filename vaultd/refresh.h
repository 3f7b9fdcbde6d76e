/*
 * refresh.h - keeping grants alive: single flight per connection, the ordering that
 * survives a crash at any point (docs/ARCHITECTURE.md, Refresh), and the due index.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/exchange.h"
#include "vaultd/record.h"

struct vault;
struct schedule;

int schedule_new(struct vault *v, struct schedule **ret, struct err *e);

/* Exchanges under way (refreshes and codes) that stopping waits for. One that only waits for
 * egress's word is left to the next run. */
unsigned schedule_inflight(const struct schedule *s);
/* Is there an answer that is in memory alone? Then stopping would lose a grant. */
bool schedule_holds_answer(const struct schedule *s);

/* Something was put into the due index, or a helper came back: look again soon. */
void schedule_poke(struct schedule *s);

/*
 * Wants a new token for CONNECTION now: starts a refresh, or joins the one under way.
 * DONE(ARG) runs once on the loop, RC 0 after the commit. A caller that went away
 * changes nothing: the refresh goes on.
 */
void refresh_want(struct vault *v, const struct id *connection,
    void (*done)(void *arg, int rc, const struct err *e), void *arg);

/* At start, before there are clients: makes every intent that a crash left open an attempt
 * under way again, which asks egress what became of it. Errors: the store cannot be read. */
int refresh_recover(struct vault *v, struct err *e);

/* What introspection said of the refresh token that a lost answer may have spent, into C and CH.
 * E is what became of the grant. */
void refresh_introspected(struct vault *v, struct changes *ch, struct connection *c,
    bool active, struct err *e);

/* When to renew a token that lives LIFETIME seconds from OBTAINED (unix ms). */
int64_t refresh_due_ms(int64_t obtained, int64_t lifetime);
/* Could refresh_due_ms() have said now, or earlier, for a token of these times? */
bool refresh_is_due(int64_t obtained, int64_t expires);

/* TABLE_DUE entries. */
enum due_kind { DUE_REFRESH = 1, DUE_PENDING = 2, DUE_INTROSPECT = 3 };
void due_put(struct changes *c, int64_t unix_ms, const struct id *id, enum due_kind kind);

/* Records of an answer into a change set: release, grant, wraps, due; also used by the
 * code exchange. C is updated (state, cause, scope, account). */
int refresh_store_result(struct vault *v, struct changes *ch, struct connection *c,
    const struct exchange_result *res, const struct intent *in, struct err *e);

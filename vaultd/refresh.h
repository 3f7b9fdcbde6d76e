/*
 * refresh.h - keeping grants alive: single flight per connection, and what an answer, or none,
 * makes of the records. When it is time is schedule.h's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/exchange.h"
#include "vaultd/record.h"

struct vault;

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

/* When to renew C's token that lives LIFETIME seconds (0: for ever) from OBTAINED (unix ms); 0 = it
 * need not be. */
int64_t refresh_due_ms(const struct vault *v, const struct connection *c, int64_t obtained,
    int64_t lifetime);
/* Is it time to renew the token of CONNECTION? RET_ENDS: unix s, 0 = it does not. */
bool refresh_is_due(struct vault *v, const struct id *connection, int64_t *ret_ends);

/* What the rules (refresh_rules.h) judge C by. */
struct refresh_facts;
struct refresh_facts refresh_facts_of(const struct vault *v, const struct connection *c);

/* Of turn.c. May a refresh of CONNECTION begin now? Into RET. Errors: why not. */
int refresh_check(struct vault *v, const struct id *connection, struct connection *ret,
    struct err *e);
/* Begins it; takes WAITERS when it returns 0. */
int refresh_start(struct vault *v, const struct id *connection, void **waiters, struct err *e);

/* The tokens alone: release, grant, wraps. C is not changed. */
int refresh_store_tokens(struct vault *v, struct changes *ch, const struct connection *c,
    const struct exchange_result *res, const struct intent *in, struct err *e);

/* Records of an answer into a change set: release, grant, wraps, due; also used by the
 * code exchange. C is updated (state, cause, scope, account). */
int refresh_store_result(struct vault *v, struct changes *ch, struct connection *c,
    const struct exchange_result *res, const struct intent *in, struct err *e);
/* Of a reconnect: is it the account C belongs to? Errors: ERR_ACCOUNT_MISMATCH, also when nobody
 * can tell. */
int refresh_same_account(const struct vault *v, const struct connection *c,
    const struct exchange_result *res, struct err *e);
/* The same, and with OTHER it need not be: what C knew of the old one is forgotten then. */
int refresh_take_account(const struct vault *v, struct connection *c,
    const struct exchange_result *res, bool other, struct err *e);

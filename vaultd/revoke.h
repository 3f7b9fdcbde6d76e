/*
 * revoke.h - taking back, at the provider, the access of connections that were deleted: a queue in
 * the due index, worked on until the provider confirms or the deadline passes. Then the grant, the
 * token and their keys are destroyed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/exchange.h"
#include "vaultd/record.h"

struct vault;

/* The tombstone of C, deleted now by BY, and when it is worked on, into CH. WANTED: revoke it. */
int revoke_bury(struct vault *v, struct changes *ch, const struct connection *c, uint64_t expect,
    uid_t by, bool wanted, struct tombstone *ret, struct err *e);

/* An entry of the due index fired: tries once more, or removes a tombstone that was kept long
 * enough. */
void revoke_due(struct vault *v, const struct id *connection);
/* Is there still something to do for it? */
bool revoke_is_open(struct vault *v, const struct id *connection);

/*
 * Tries now. DONE(ARG) runs once on the loop, with T as it then stands: ended, or queued when
 * WAIT_MS passed or trying on is for later.
 */
void revoke_want(struct vault *v, const struct id *connection, int wait_ms,
    void (*done)(void *arg, const struct tombstone *t), void *arg);

/*
 * An answer came for a connection that was deleted meanwhile: its tokens are kept to be revoked, in
 * place of those before. ERR_NOT_FOUND: there is no tombstone that waits for them.
 */
int revoke_take_answer(struct vault *v, struct changes *ch, const struct exchange_result *res,
    const struct intent *in, struct err *e);

/* What to tell people: "" when nothing is left to be done. */
void revoke_note(const struct tombstone *t, char *ret, size_t cap);

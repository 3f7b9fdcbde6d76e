/*
 * outcome.h - what an answer comes to: tokens, sealed, or the reason there are none.
 */
#pragma once

#include "egress/flight.h"

/*
 * Judges A, parses, checks and seals. RET->spooled is set by the caller. Not 0: our own
 * trouble kept the tokens from being sealed now, and the spool has the answer: ask again
 * (ERR_EGRESS_UNAVAILABLE). Our trouble is never reported as the provider's "no", which
 * would have vaultd send a refresh token again that is spent.
 */
int outcome_judge(struct egress *x, struct flight *f, const struct http_answer *a,
    struct exchange_result *ret, struct err *e);

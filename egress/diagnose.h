/*
 * diagnose.h - from an answer to phase and named error: what happened, and whose move it
 * is.
 */
#pragma once

#include "egress/http.h"
#include "egress/reply.h"

/*
 * Judges an answer of a token endpoint. P is NULL when the body could not be parsed. KIND:
 * a code exchange and a refresh mean different things by `invalid_grant`. Fills phase,
 * err, http_status, provider_code, provider_text, retry_after_s, skew_s of RET.
 */
void diagnose(enum exchange_kind kind, const struct http_answer *a, const struct reply *p,
    struct exchange_result *ret);

/* Takes every occurrence of SECRET out of TEXT, which has room for CAP bytes, and one that is cut
 * off at its end. */
void redact(char *text, size_t cap, const struct secret *secret);

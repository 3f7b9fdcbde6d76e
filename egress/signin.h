/*
 * signin.h - what a provider answers to the beginning of a sign-in. Pure; fuzzed.
 */
#pragma once

#include "common/exchange.h"

/* RFC 8628 section 3.2: the codes. Errors: ERR_BAD_ANSWER, V_LIMIT. */
int device_reply(struct slice body, struct secret *ret_code, struct begin_result *ret,
    struct err *e);
/* RFC 9126 section 2.2: the name of what was pushed. Errors: ERR_BAD_ANSWER. */
int pushed_reply(struct slice body, char *ret_uri, size_t cap, struct err *e);

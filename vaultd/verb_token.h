/*
 * verb_token.h - vaultd.Tokens.Get, the one call programs make; see verb_token.c.
 */
#pragma once

#include "vaultd/verb.h"

extern const struct verb verb_token_get, verb_token_headers;

/* Fills args as the decoder would: CONNECTION is borrowed, MIN_TTL -1 = not given. */
void verb_token_get_quick(void *args, const char *connection, long long min_ttl);

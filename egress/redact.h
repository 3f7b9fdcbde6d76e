/*
 * redact.h - nothing secret in what a provider says, before anybody reads it. Pure.
 */
#pragma once

#include "common/secret.h"

/* Takes every occurrence of SECRET out of TEXT, which has room for CAP bytes, and one that is cut
 * off at its end. */
void redact(char *text, size_t cap, const struct secret *secret);

/* Every word that may be a token becomes "***": JWTs, and long words with digits among letters of
 * both cases, or of hexadecimal. UUIDs stay: providers name their traces so. */
void redact_tokens(char *text);

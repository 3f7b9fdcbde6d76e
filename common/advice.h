/*
 * advice.h - the next step in a person's words: the advice of an error's row (errors.h) with the
 * values filled in that the error brings as details. Used by whoever shows an error.
 */
#pragma once

#include <stdbool.h>

#include "common/err.h"

#define ADVICE_MAX	320	/* what clients keep of it (client/vaultd.h), NUL included */

/* The advice of E's row into RET: {host} becomes the detail `host`, or words that fit without. */
void advice_text(const struct err *e, char *ret, size_t cap);

/* Are all placeholders of TEMPLATE ones that advice_text() knows? */
bool advice_is_good(const char *template);

/* A span of SECONDS for people: "6 h", "90 days". */
void advice_span(long long seconds, char *ret, size_t cap);

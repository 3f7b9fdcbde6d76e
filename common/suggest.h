/*
 * suggest.h - what somebody who wrote a name that is not known may have meant.
 */
#pragma once

#include <stddef.h>

#define SUGGEST_TEXT 100

/* The closest of N names to WORD, or NULL if none is close. */
const char *suggest(const char *word, const char *const *names, size_t n);
/* "; did you mean 'X'?" into OUT (SUGGEST_TEXT bytes), "" if none is close. Returns X or NULL. */
const char *suggest_text(const char *word, const char *const *names, size_t n, char *out);

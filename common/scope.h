/*
 * scope.h - OAuth scopes as they are kept and sent: words with a space between (RFC 6749 3.3).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* One scope: not empty, no space, quote, backslash or control character, ASCII alone. */
bool scope_valid(const char *word);
/* Is WORD one of those in LIST? */
bool scope_has(const char *list, const char *word);
/* WORD at the end of LIST (CAP bytes), unless it is there. FALSE: no room, LIST is as it was. */
bool scope_add(char *list, size_t cap, const char *word);

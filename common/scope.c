/*
 * scope.c - see scope.h.
 */
#include "common/scope.h"

#include <stdio.h>
#include <string.h>

bool
scope_valid(const char *word)
{
	const char *p = word;

	while (*p > 0x20 && *p < 0x7f && *p != '"' && *p != '\\')
		p++;
	return p != word && *p == '\0';
}

bool
scope_has(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = list; n > 0 && (at = strstr(at, word)) != NULL; at += n)
		if ((at == list || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
			return true;
	return false;
}

bool
scope_add(char *list, size_t cap, const char *word)
{
	size_t n = strlen(list);

	if (scope_has(list, word))
		return true;
	if (n + (n > 0) + strlen(word) >= cap)
		return false;
	snprintf(list + n, cap - n, "%s%s", n > 0 ? " " : "", word);
	return true;
}

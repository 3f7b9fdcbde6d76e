/*
 * suggest.c - see suggest.h.
 */
#include "common/suggest.h"

#include <stdio.h>
#include <string.h>

static size_t
distance(const char *a, const char *b)
{
	size_t row[64], n = strlen(b);

	if (n >= 63 || strlen(a) >= 63)
		return 99;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t was = row[j], best = diagonal + (a[i - 1] != b[j - 1]);

			if (was + 1 < best)
				best = was + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
			diagonal = was;
		}
	}
	return row[n];
}

const char *
suggest(const char *word, const char *const *names, size_t n)
{
	const char *found = NULL;
	size_t best = strlen(word) / 3 + 1;

	for (size_t i = 0; i < n; i++) {
		size_t d = distance(word, names[i]);

		if (d <= best && (found == NULL || d < best)) {
			best = d;
			found = names[i];
		}
	}
	return found;
}

const char *
suggest_text(const char *word, const char *const *names, size_t n, char *out)
{
	const char *close = suggest(word, names, n);

	*out = '\0';
	if (close != NULL)
		snprintf(out, SUGGEST_TEXT, "; did you mean '%s'?", close);
	return close;
}

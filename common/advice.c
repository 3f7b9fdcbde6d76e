/*
 * advice.c - see advice.h.
 */
#include "common/advice.h"

#include <stdio.h>
#include <string.h>

#include "common/errors.h"

/* Placeholder and detail, how its value reads, and what stands there without one. */
static const struct word { const char *key, *with, *without; } words[] = {
	{ "connection", "'%s'", "the connection" },
	{ "provider", "%s", "the provider" },
	{ "app", "OAuth app '%s'", "the OAuth app" },
	{ "redirect_uri", "%s", "the redirect URI shown" },
	{ "scopes", "%s", "every scope asked for" },
	{ "days", "%s", "too long" },
	{ "limit", "%s", "a time" },
	{ "affected", "%s", "all connections of it" },
	{ "ended", " on %s", "" },
	{ "next_try", "%s", "later" },
	{ "host", "%s", "the host" },
	{ "expires", " The token that there is ends %s.", "" },
	{ "skew", "%s", "more than a minute" },
};

/* AT points to a '{'. NULL: no placeholder of ours. */
static const struct word *
word_at(const char *at, size_t *ret_len)
{
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		size_t n = strlen(words[i].key);

		if (strncmp(at + 1, words[i].key, n) == 0 && at[n + 1] == '}') {
			*ret_len = n + 2;
			return &words[i];
		}
	}
	return NULL;
}

static size_t
put_word(const struct word *w, const struct err *e, char *ret, size_t cap)
{
	const char *value = err_detail_get(e, w->key), *at = strstr(w->with, "%s");
	int n;

	if (value == NULL || *value == '\0')
		n = snprintf(ret, cap, "%s", w->without);
	else
		n = snprintf(ret, cap, "%.*s%s%s", (int)(at - w->with), w->with, value, at + 2);
	return n < 0 ? 0 : (size_t)n < cap ? (size_t)n : cap - 1;
}

void
advice_text(const struct err *e, char *ret, size_t cap)
{
	const char *t = err_row_of(e)->advice;
	size_t n = 0, len;

	while (*t != '\0' && n + 1 < cap) {
		const struct word *w = *t == '{' ? word_at(t, &len) : NULL;

		if (w == NULL) {
			ret[n++] = *t++;
			continue;
		}
		n += put_word(w, e, ret + n, cap - n);
		t += len;
	}
	ret[n] = '\0';
}

bool
advice_is_good(const char *template)
{
	size_t len;

	for (const char *at = template; (at = strchr(at, '{')) != NULL; at += len)
		if (word_at(at, &len) == NULL)
			return false;
	return true;
}

void
advice_span(long long seconds, char *ret, size_t cap)
{
	static const struct { long long s; const char *one, *many; } units[] = {
		{ 86400, "day", "days" }, { 3600, "h", "h" }, { 60, "min", "min" }, { 1, "s", "s" },
	};
	size_t i = 0;
	long long n;

	while (i < 3 && seconds < 2 * units[i].s)
		i++;
	n = seconds / units[i].s;
	snprintf(ret, cap, "%lld %s", n, n == 1 ? units[i].one : units[i].many);
}

/*
 * quick.c - see quick.h. Strict on purpose: escapes, non-ASCII, other members, other
 * methods all go to the full parser, so the two can never read one call differently
 * (tests/fuzz/fuzz-quick.c holds them against each other).
 */
#include "vaultd/quick.h"

struct cursor { const char *p, *end; };

static void
space(struct cursor *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' ||
	    *c->p == '\r'))
		c->p++;
}

static bool
lit(struct cursor *c, char x)
{
	space(c);
	if (c->p >= c->end || *c->p != x)
		return false;
	c->p++;
	return true;
}

static bool
str(struct cursor *c, struct slice *ret)
{
	const char *from;

	if (!lit(c, '"'))
		return false;
	from = c->p;
	while (c->p < c->end && *c->p != '"') {
		unsigned char x = (unsigned char)*c->p;

		if (x < 0x20 || x >= 0x7f || x == '\\')
			return false;
		c->p++;
	}
	if (c->p >= c->end)
		return false;
	*ret = (struct slice){ from, (size_t)(c->p - from) };
	c->p++;
	return true;
}

/* Up to nine digits, no sign, no leading zero. */
static bool
number(struct cursor *c, int64_t *ret)
{
	int64_t v = 0;
	int digits = 0;

	space(c);
	while (c->p < c->end && *c->p >= '0' && *c->p <= '9' && digits < 10) {
		if (digits == 1 && v == 0)
			return false;
		v = v * 10 + (*c->p++ - '0');
		digits++;
	}
	*ret = v;
	return digits > 0 && digits < 10 && (c->p >= c->end || strchr(" \t\r\n,}", *c->p));
}

static bool
is(struct slice s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.p, text, s.len) == 0;
}

static bool
parameters(struct cursor *c, struct quick_call *ret)
{
	struct slice key;

	if (!lit(c, '{'))
		return false;
	do {
		if (!str(c, &key) || !lit(c, ':'))
			return false;
		if (is(key, "connection") && ret->connection.p == NULL) {
			if (!str(c, &ret->connection))
				return false;
		} else if (is(key, "min_ttl") && !ret->has_min_ttl) {
			if (!number(c, &ret->min_ttl) || ret->min_ttl > 315360000)
				return false;
			ret->has_min_ttl = true;
		} else {
			return false;
		}
	} while (lit(c, ','));
	return lit(c, '}');
}

bool
quick_token_get(const char *text, size_t len, struct quick_call *ret)
{
	struct cursor c = { text, text + len };
	struct slice key, method = { NULL, 0 };
	bool seen = false;

	*ret = (struct quick_call){ 0 };
	if (!lit(&c, '{'))
		return false;
	do {
		if (!str(&c, &key) || !lit(&c, ':'))
			return false;
		if (is(key, "method") && method.p == NULL) {
			if (!str(&c, &method))
				return false;
		} else if (is(key, "parameters") && !seen) {
			if (!parameters(&c, ret))
				return false;
			seen = true;
		} else {
			return false;
		}
	} while (lit(&c, ','));
	if (!lit(&c, '}'))
		return false;
	space(&c);
	return c.p == c.end && method.p != NULL && is(method, "vaultd.Tokens.Get") &&
	    ret->connection.len > 0;
}

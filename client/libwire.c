/*
 * libwire.c - see libwire.h. A scanner that copies nothing, and a buffer that wipes.
 */
#include "client/libwire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 32

/* ---- characters */

/* Bytes of the UTF-8 character at P, 0 when it is none. Overlong forms, surrogates and
 * what is beyond Unicode are none. */
static size_t
character(const unsigned char *p, size_t n)
{
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 :
	    p[0] < 0xf5 ? 4 : 0;

	if (len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

static int
hex4(const char *p, const char *end)
{
	int v = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int c = p[i] | 32;

		if (p[i] >= '0' && p[i] <= '9')
			v = v * 16 + (p[i] - '0');
		else if (c >= 'a' && c <= 'f')
			v = v * 16 + (c - 'a' + 10);
		else
			return -1;
	}
	return v;
}

static size_t
encode(unsigned c, char out[4])
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 63));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 63));
		out[2] = (char)(0x80 | (c & 63));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 63));
	out[2] = (char)(0x80 | (c >> 6 & 63));
	out[3] = (char)(0x80 | (c & 63));
	return 4;
}

/* \uXXXX at P, behind the u; moves P. 0: malformed, a lone surrogate, or U+0000. */
static size_t
escaped_unicode(const char **p, const char *end, char out[4])
{
	int high = hex4(*p, end), low;

	if (high <= 0 || (high >= 0xdc00 && high <= 0xdfff))
		return 0;
	*p += 4;
	if (high < 0xd800 || high > 0xdbff)
		return encode((unsigned)high, out);
	if (end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u')
		return 0;
	low = hex4(*p + 2, end);
	if (low < 0xdc00 || low > 0xdfff)
		return 0;
	*p += 6;
	return encode(0x10000u + ((unsigned)(high - 0xd800) << 10) + (unsigned)(low - 0xdc00),
	    out);
}

/* One character of a string's inside; moves P. 0: malformed. */
static size_t
unescape(const char **p, const char *end, char out[4])
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *q;
	size_t n;

	if (**p != '\\') {
		n = (unsigned char)**p < 0x20 ? 0 :
		    character((const unsigned char *)*p, (size_t)(end - *p));
		memcpy(out, *p, n);
		*p += n;
		return n;
	}
	if (++*p == end)
		return 0;
	if (**p == 'u') {
		++*p;
		return escaped_unicode(p, end, out);
	}
	if (**p == '\0' || (q = strchr(from, **p)) == NULL)
		return 0;
	out[0] = to[q - from];
	++*p;
	return 1;
}

/* ---- values */

static void
space(const char **p, const char *end)
{
	while (*p < end && (**p == ' ' || **p == '\t' || **p == '\n' || **p == '\r'))
		++*p;
}

static bool
eat(const char **p, const char *end, char c)
{
	space(p, end);
	if (*p == end || **p != c)
		return false;
	++*p;
	return true;
}

static bool
skip_string(const char **p, const char *end)
{
	char c[4];

	if (!eat(p, end, '"'))
		return false;
	while (*p < end && **p != '"')
		if (unescape(p, end, c) == 0)
			return false;
	return eat(p, end, '"');
}

static bool
digits(const char **p, const char *end)
{
	const char *start = *p;

	while (*p < end && **p >= '0' && **p <= '9')
		++*p;
	return *p > start;
}

static bool
skip_number(const char **p, const char *end)
{
	if (*p < end && **p == '-')
		++*p;
	if (*p < end && **p == '0')
		++*p;
	else if (!digits(p, end))
		return false;
	if (*p < end && **p == '.' && (++*p, !digits(p, end)))
		return false;
	if (*p == end || (**p | 32) != 'e')
		return true;
	if (++*p < end && (**p == '+' || **p == '-'))
		++*p;
	return digits(p, end);
}

static bool
skip_word(const char **p, const char *end)
{
	static const char *const words[] = { "true", "false", "null" };

	for (size_t i = 0; i < 3; i++) {
		size_t n = strlen(words[i]);

		if ((size_t)(end - *p) >= n && memcmp(*p, words[i], n) == 0) {
			*p += n;
			return true;
		}
	}
	return false;
}

static bool skip(const char **p, const char *end, int depth);

static bool
skip_many(const char **p, const char *end, char close, int depth)
{
	bool object = close == '}';

	++*p;
	if (eat(p, end, close))
		return true;
	do {
		if (object && (!skip_string(p, end) || !eat(p, end, ':')))
			return false;
		if (!skip(p, end, depth))
			return false;
	} while (eat(p, end, ','));
	return eat(p, end, close);
}

static bool
skip(const char **p, const char *end, int depth)
{
	space(p, end);
	if (*p == end || depth == 0)
		return false;
	switch (**p) {
	case '{':
		return skip_many(p, end, '}', depth - 1);
	case '[':
		return skip_many(p, end, ']', depth - 1);
	case '"':
		return skip_string(p, end);
	case 't': case 'f': case 'n':
		return skip_word(p, end);
	default:
		return skip_number(p, end);
	}
}

bool
wire_object(struct span s)
{
	const char *p = s.p, *end = s.p + s.n;

	space(&p, end);
	if (p == end || *p != '{' || !skip(&p, end, DEPTH_MAX))
		return false;
	space(&p, end);
	return p == end;
}

/* ---- members */

bool
wire_next(struct span object, const char **at, struct span *key, struct span *value)
{
	const char *p = *at == NULL ? object.p : *at, *end = object.p + object.n;

	if (!eat(&p, end, *at == NULL ? '{' : ','))
		return false;
	space(&p, end);
	key->p = p + 1;
	if (!skip_string(&p, end))
		return false;
	key->n = (size_t)(p - key->p) - 1;
	if (!eat(&p, end, ':'))
		return false;
	space(&p, end);
	value->p = p;
	if (!skip(&p, end, DEPTH_MAX))
		return false;
	value->n = (size_t)(p - value->p);
	*at = p;
	return true;
}

bool
wire_is(struct span s, const char *word)
{
	return s.n == strlen(word) && memcmp(s.p, word, s.n) == 0;
}

bool
wire_find(struct span object, const char *key, struct span *ret)
{
	const char *at = NULL;
	struct span k;

	while (wire_next(object, &at, &k, ret))
		if (wire_is(k, key))
			return true;
	*ret = (struct span){ "", 0 };
	return false;
}

/* Into TO, which is long enough or else cut. Returns bytes written. */
static size_t
inside(struct span v, char *to, size_t cap)
{
	const char *p = v.p + 1, *end = v.p + v.n - 1;
	size_t n = 0, k;
	char c[4];

	while (p < end && (k = unescape(&p, end, c)) > 0 && n + k < cap) {
		memcpy(to + n, c, k);
		n += k;
	}
	explicit_bzero(c, sizeof c);
	to[n] = '\0';
	return n;
}

char *
wire_string(struct span v)
{
	char *s;

	if (v.n < 2 || *v.p != '"' || (s = malloc(v.n)) == NULL)
		return NULL;
	inside(v, s, v.n);
	return s;
}

void
wire_cut(struct span v, char *to, size_t cap)
{
	if (v.n < 2 || *v.p != '"')
		*to = '\0';
	else
		inside(v, to, cap);
}

int64_t
wire_int(struct span v)
{
	char copy[24], *end;
	long long n;

	if (v.n == 0 || v.n >= sizeof copy)
		return 0;
	memcpy(copy, v.p, v.n);
	copy[v.n] = '\0';
	errno = 0;
	n = strtoll(copy, &end, 10);
	return errno == 0 && *end == '\0' ? n : 0;
}

/* ---- text that is wiped */

bool
text_room(struct text *t, size_t more)
{
	size_t want = t->cap == 0 ? 4096 : t->cap;
	char *q;

	while (want < t->len + more + 1)
		want *= 2;
	if (want == t->cap)
		return true;
	if ((q = malloc(want)) == NULL)
		return false;	/* never realloc: the old block would survive unwiped */
	if (t->len > 0)
		memcpy(q, t->p, t->len);
	q[t->len] = '\0';
	if (t->p != NULL)
		explicit_bzero(t->p, t->cap);
	free(t->p);
	t->p = q;
	t->cap = want;
	return true;
}

bool
text_add(struct text *t, const char *p, size_t n)
{
	if (!text_room(t, n))
		return false;
	memcpy(t->p + t->len, p, n);
	t->len += n;
	t->p[t->len] = '\0';
	return true;
}

bool
text_puts(struct text *t, const char *s)
{
	return text_add(t, s, strlen(s));
}

bool
text_quote(struct text *t, const char *s)
{
	size_t left = strlen(s), n;
	char escaped[8];

	if (!text_add(t, "\"", 1))
		return false;
	for (; left > 0; s += n, left -= n) {
		n = character((const unsigned char *)s, left);
		if (n == 0)
			return false;
		if (*s == '"' || *s == '\\')
			snprintf(escaped, sizeof escaped, "\\%c", *s);
		else if ((unsigned char)*s < 0x20)
			snprintf(escaped, sizeof escaped, "\\u%04x", (unsigned)*s);
		else
			*escaped = '\0';
		if (*escaped != '\0' ? !text_puts(t, escaped) : !text_add(t, s, n))
			return false;
	}
	return text_add(t, "\"", 1);
}

void
text_done(struct text *t)
{
	if (t->p != NULL)
		explicit_bzero(t->p, t->cap);
	free(t->p);
	*t = (struct text){ 0 };
}

/*
 * libscan.c - see libscan.h. One pass decides whether a text is well formed; the walkers
 * after it may trust every byte.
 */
#include "client/libscan.h"

#include <stdlib.h>
#include <string.h>

struct scan {
	const char	*p, *end;
};

static bool value_ok(struct scan *s, int depth);

static void
skip_space(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
		s->p++;
}

static bool
take(struct scan *s, char c)
{
	if (s->p == s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

static bool
digit(const struct scan *s)
{
	return s->p < s->end && *s->p >= '0' && *s->p <= '9';
}

/* ---- strings */

/* Bytes of the UTF-8 character at P, 0 when it is none: overlong, a surrogate, cut off. */
static size_t
utf8_len(const char *text, const char *end)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;

	if (n == 1)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4 || (size_t)(end - text) < n)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

/* The four digits behind \u, or -1. */
static int
hex4(const char *p, const char *end)
{
	int v = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = p[i];

		if (c >= '0' && c <= '9')
			v = v << 4 | (c - '0');
		else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
			v = v << 4 | ((c | 32) - 'a' + 10);
		else
			return -1;
	}
	return v;
}

/* Behind a backslash. */
static bool
escape_ok(struct scan *s)
{
	int v, low;

	if (s->p == s->end)
		return false;
	if (*s->p != 'u')
		return strchr("\"\\/bfnrt", *s->p++) != NULL && s->p[-1] != '\0';
	v = hex4(s->p + 1, s->end);
	if (v <= 0 || (v >= 0xdc00 && v < 0xe000))
		return false;
	s->p += 5;
	if (v < 0xd800 || v >= 0xe000)
		return true;
	if (s->end - s->p < 6 || s->p[0] != '\\' || s->p[1] != 'u')
		return false;
	low = hex4(s->p + 2, s->end);
	s->p += 6;
	return low >= 0xdc00 && low < 0xe000;
}

static bool
string_ok(struct scan *s)
{
	if (!take(s, '"'))
		return false;
	while (s->p < s->end) {
		unsigned char c = (unsigned char)*s->p;
		size_t n;

		if (c == '"') {
			s->p++;
			return true;
		}
		if (c < 0x20)
			return false;
		if (c == '\\') {
			s->p++;
			if (!escape_ok(s))
				return false;
			continue;
		}
		if ((n = utf8_len(s->p, s->end)) == 0)
			return false;
		s->p += n;
	}
	return false;
}

static size_t
put_utf8(char out[4], unsigned v)
{
	if (v < 0x80) {
		out[0] = (char)v;
		return 1;
	}
	if (v < 0x800) {
		out[0] = (char)(0xc0 | v >> 6);
		out[1] = (char)(0x80 | (v & 63));
		return 2;
	}
	if (v < 0x10000) {
		out[0] = (char)(0xe0 | v >> 12);
		out[1] = (char)(0x80 | (v >> 6 & 63));
		out[2] = (char)(0x80 | (v & 63));
		return 3;
	}
	out[0] = (char)(0xf0 | v >> 18);
	out[1] = (char)(0x80 | (v >> 12 & 63));
	out[2] = (char)(0x80 | (v >> 6 & 63));
	out[3] = (char)(0x80 | (v & 63));
	return 4;
}

/* Decodes one character at *P, which is inside a good string. Returns its bytes. */
static size_t
next_char(const char **p, const char *end, char out[4])
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *at;
	unsigned v;
	size_t n;

	if (**p != '\\') {
		n = utf8_len(*p, end);
		memcpy(out, *p, n);
		*p += n;
		return n;
	}
	if ((*p)[1] != 'u') {
		at = strchr(from, (*p)[1]);
		out[0] = at != NULL ? to[at - from] : (*p)[1];
		*p += 2;
		return 1;
	}
	v = (unsigned)hex4(*p + 2, end);
	*p += 6;
	if (v >= 0xd800 && v < 0xdc00) {
		v = 0x10000 + ((v - 0xd800) << 10) + (unsigned)hex4(*p + 2, end) - 0xdc00;
		*p += 6;
	}
	return put_utf8(out, v);
}

/* ---- numbers */

/* What a 64-bit integer or a double holds; nobody sends more. */
static bool
number_fits(const char *p, size_t digits, bool whole, bool minus, long exponent)
{
	if (!whole)
		return (long)digits + exponent <= 308;
	if (digits != 19)
		return digits < 19;
	return memcmp(p, minus ? "9223372036854775808" : "9223372036854775807", 19) <= 0;
}

static bool
exponent_ok(struct scan *s, long *ret)
{
	bool minus = false;
	long v = 0;

	if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
		minus = *s->p++ == '-';
	if (!digit(s))
		return false;
	for (; digit(s); s->p++)
		v = v > 100000 ? v : v * 10 + (*s->p - '0');
	*ret = minus ? -v : v;
	return true;
}

static bool
number_ok(struct scan *s)
{
	bool minus = take(s, '-'), whole = true;
	const char *first = s->p;
	size_t digits;
	long exponent = 0;

	if (!digit(s))
		return false;
	if (!take(s, '0'))
		while (digit(s))
			s->p++;
	digits = (size_t)(s->p - first);
	if (take(s, '.')) {
		whole = false;
		if (!digit(s))
			return false;
		while (digit(s))
			s->p++;
	}
	if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
		whole = false;
		s->p++;
		if (!exponent_ok(s, &exponent))
			return false;
	}
	return number_fits(first, digits, whole, minus, exponent);
}

/* ---- objects, arrays, values */

static bool
same_key(struct span a, struct span b)
{
	const char *p = a.p, *q = b.p, *pe = a.p + a.len, *qe = b.p + b.len;

	while (p < pe && q < qe) {
		char x[4], y[4];
		size_t n = next_char(&p, pe, x);

		if (next_char(&q, qe, y) != n || memcmp(x, y, n) != 0)
			return false;
	}
	return p == pe && q == qe;
}

/* Is KEY also one of the members between FROM and its own start? Objects of the protocol
 * have a dozen. */
static bool
seen_before(const char *from, struct span key)
{
	struct span known, value, object = { from, (size_t)(key.p - 1 - from) };
	size_t at = 0;

	while (libscan_next(object, &at, &known, &value))
		if (same_key(known, key))
			return true;
	return false;
}

static bool
member_ok(struct scan *s, const char *object, int depth)
{
	struct span key;

	skip_space(s);
	key.p = s->p + 1;
	if (!string_ok(s))
		return false;
	key.len = (size_t)(s->p - 1 - key.p);
	if (seen_before(object, key))
		return false;
	skip_space(s);
	return take(s, ':') && value_ok(s, depth);
}

/* Behind the opening bracket. OBJECT: where the object starts, NULL for an array. */
static bool
list_ok(struct scan *s, const char *object, int depth)
{
	char close = object != NULL ? '}' : ']';

	if (depth <= 0)
		return false;
	skip_space(s);
	if (take(s, close))
		return true;
	do {
		if (object != NULL ? !member_ok(s, object, depth - 1) : !value_ok(s, depth - 1))
			return false;
		skip_space(s);
	} while (take(s, ','));
	return take(s, close);
}

static bool
word_ok(struct scan *s, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
		return false;
	s->p += n;
	return true;
}

static bool
value_ok(struct scan *s, int depth)
{
	const char *start;

	skip_space(s);
	if (s->p == s->end)
		return false;
	start = s->p;
	switch (*start) {
	case '{':
		s->p++;
		return list_ok(s, start, depth);
	case '[':
		s->p++;
		return list_ok(s, NULL, depth);
	case '"':
		return string_ok(s);
	case 't':
		return word_ok(s, "true");
	case 'f':
		return word_ok(s, "false");
	case 'n':
		return word_ok(s, "null");
	default:
		return number_ok(s);
	}
}

bool
libscan_object(struct span text, int depth)
{
	struct scan s = { text.p, text.p + text.len };

	skip_space(&s);
	if (s.p == s.end || *s.p != '{' || !value_ok(&s, depth))
		return false;
	skip_space(&s);
	return s.p == s.end;
}

/* ---- walking what is known to be good */

static void
skip_string(struct scan *s)
{
	for (s->p++; *s->p != '"'; s->p++)
		if (*s->p == '\\')
			s->p++;
	s->p++;
}

static void
skip_value(struct scan *s)
{
	int depth = 0;

	do {
		if (*s->p == '"') {
			skip_string(s);
			continue;
		}
		if (*s->p == '{' || *s->p == '[')
			depth++;
		else if (*s->p == '}' || *s->p == ']')
			depth--;
		s->p++;
	} while (depth > 0);
	/* numbers and words go on to the next separator */
	while (s->p < s->end && strchr(",}] \t\r\n", *s->p) == NULL)
		s->p++;
}

bool
libscan_next(struct span object, size_t *at, struct span *key, struct span *value)
{
	struct scan s = { object.p + *at, object.p + object.len };

	skip_space(&s);
	if (*at == 0 && !take(&s, '{'))
		return false;
	skip_space(&s);
	take(&s, ',');
	skip_space(&s);
	if (s.p == s.end || *s.p != '"')
		return false;
	key->p = s.p + 1;
	skip_string(&s);
	key->len = (size_t)(s.p - 1 - key->p);
	skip_space(&s);
	s.p++;
	skip_space(&s);
	value->p = s.p;
	skip_value(&s);
	value->len = (size_t)(s.p - value->p);
	*at = (size_t)(s.p - object.p);
	return true;
}

bool
libscan_key_is(struct span key, const char *name)
{
	return same_key(key, (struct span){ name, strlen(name) });
}

bool
libscan_member(struct span object, const char *name, struct span *ret)
{
	struct span key, value;
	size_t at = 0;

	while (libscan_next(object, &at, &key, &value)) {
		if (!libscan_key_is(key, name))
			continue;
		if (*value.p == 'n')
			return false;
		*ret = value;
		return true;
	}
	return false;
}

/* ---- values out */

void
libscan_copy(struct span value, char *out, size_t cap)
{
	const char *p = value.p + 1, *end = value.p + value.len - 1;
	size_t n = 0, k;
	char c[4];

	if (value.len >= 2 && *value.p == '"')
		for (; p < end && n + (k = next_char(&p, end, c)) < cap; n += k)
			memcpy(out + n, c, k);
	out[n] = '\0';
}

char *
libscan_text(struct span value)
{
	char *out;

	if (value.len < 2 || *value.p != '"' || (out = malloc(value.len)) == NULL)
		return NULL;
	libscan_copy(value, out, value.len);
	return out;
}

bool
libscan_integer(struct span value, int64_t *ret)
{
	uint64_t v = 0;
	size_t i = *value.p == '-';

	for (; i < value.len; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(value.p[i] - '0');
	}
	*ret = *value.p == '-' ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

/* ---- strings in */

static bool
plain(unsigned char c)
{
	return c >= 0x20 && c != '"' && c != '\\';
}

size_t
libscan_quoted_len(const char *text)
{
	const char *end = text + strlen(text);
	size_t total = 2, n;

	for (const char *p = text; p < end; p += n) {
		if ((n = utf8_len(p, end)) == 0)
			return 0;
		total += plain((unsigned char)*p) ? n : (unsigned char)*p < 0x20 ? 6 : 2;
	}
	return total;
}

char *
libscan_quote(char *out, const char *text)
{
	static const char hex[] = "0123456789abcdef";

	*out++ = '"';
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20) {
			memcpy(out, "\\u00", 4);
			out[4] = hex[c >> 4];
			out[5] = hex[c & 15];
			out += 6;
			continue;
		}
		if (!plain(c))
			*out++ = '\\';
		*out++ = (char)c;
	}
	*out++ = '"';
	return out;
}

/*
 * bytes.c - see bytes.h.
 */
#include "common/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "common/err.h"

void
buf_done(struct buf *b)
{
	if (b->p != NULL)
		explicit_bzero(b->p, b->cap);
	free(b->p);
	*b = (struct buf){ 0 };
}

void
buf_reset(struct buf *b)
{
	if (b->p != NULL)
		explicit_bzero(b->p, b->len);
	b->len = 0;
	b->failed = false;
}

/* Never realloc(): the old block would be freed unwiped. */
static bool
grow(struct buf *b, size_t need)
{
	size_t cap = b->cap < 256 ? 256 : b->cap;
	unsigned char *p;

	while (cap < need) {
		if (cap > SIZE_MAX / 2)
			return false;
		cap *= 2;
	}
	if ((p = malloc(cap)) == NULL)
		return false;
	if (b->p != NULL) {
		memcpy(p, b->p, b->len);
		explicit_bzero(b->p, b->cap);
		free(b->p);
	}
	b->p = p;
	b->cap = cap;
	return true;
}

void *
buf_room(struct buf *b, size_t n)
{
	if (b->failed || n > SIZE_MAX - b->len ||
	    (b->len + n > b->cap && !grow(b, b->len + n))) {
		b->failed = true;
		return NULL;
	}
	return b->p + b->len;
}

bool
buf_add(struct buf *b, const void *p, size_t n)
{
	void *to;

	if (n == 0)
		return !b->failed;
	if ((to = buf_room(b, n)) == NULL)
		return false;
	memcpy(to, p, n);
	b->len += n;
	return true;
}

bool
buf_add_str(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

bool
buf_add_uint(struct buf *b, uint64_t n, unsigned width)
{
	char text[20];
	unsigned at = sizeof text;

	do {
		text[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	while (sizeof text - at < width && at > 0)
		text[--at] = '0';
	return buf_add(b, text + at, sizeof text - at);
}

size_t
str_put(char *to, size_t cap, size_t at, const char *from)
{
	size_t n = strlen(from);

	must(at < cap);
	if (n > cap - at - 1)
		n = cap - at - 1;
	memcpy(to + at, from, n);
	to[at + n] = '\0';
	return at + n;
}

struct buf
buf_take(struct buf *b)
{
	struct buf was = *b;

	*b = (struct buf){ 0 };
	return was;
}

void
random_bytes(void *p, size_t n)
{
	unsigned char *at = p;

	while (n > 0) {
		ssize_t got = getrandom(at, n, 0);

		if (got < 0) {
			must(errno == EINTR);
			continue;
		}
		at += got;
		n -= (size_t)got;
	}
}

void *
array_more(void *v, size_t n, size_t size)
{
	bool full = n == 0 || (n >= 4 && (n & (n - 1)) == 0);

	return full ? reallocarray(v, n < 4 ? 4 : 2 * n, size) : v;
}

struct id
id_new(void)
{
	struct id id;

	random_bytes(id.b, sizeof id.b);
	return id;
}

bool
id_is_null(const struct id *id)
{
	static const struct id null;

	return id_equal(id, &null);
}

struct slice
id_key(const struct id *id)
{
	return (struct slice){ id->b, sizeof id->b };
}

bool
id_behind(struct slice s, size_t at, struct id *ret)
{
	if (s.len != at + sizeof ret->b)
		return false;
	memcpy(ret->b, (const unsigned char *)s.p + at, sizeof ret->b);
	return true;
}

void
id_text(const struct id *id, char out[ID_TEXT])
{
	hex_encode(id->b, sizeof id->b, out);
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool
id_parse(const char *text, struct id *ret)
{
	struct id id;

	if (strlen(text) != 2 * sizeof id.b)
		return false;
	for (size_t i = 0; i < sizeof id.b; i++) {
		int hi = hex_digit(text[2 * i]), lo = hex_digit(text[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		id.b[i] = (unsigned char)(hi << 4 | lo);
	}
	*ret = id;
	return true;
}

void
hex_encode(const void *p, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *b = p;

	for (size_t i = 0; i < n; i++) {
		*out++ = digits[b[i] >> 4];
		*out++ = digits[b[i] & 15];
	}
	*out = '\0';
}

static const char b64url[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t
b64url_encode(const void *p, size_t n, char *out)
{
	const unsigned char *b = p;
	char *o = out;

	for (size_t i = 0; i < n; i += 3) {
		size_t left = n - i;
		unsigned v = (unsigned)b[i] << 16 | (left > 1 ? b[i + 1] << 8 : 0) |
		    (left > 2 ? b[i + 2] : 0);

		*o++ = b64url[v >> 18];
		*o++ = b64url[v >> 12 & 63];
		if (left > 1)
			*o++ = b64url[v >> 6 & 63];
		if (left > 2)
			*o++ = b64url[v & 63];
	}
	*o = '\0';
	return (size_t)(o - out);
}

ssize_t
b64url_decode(const char *text, size_t len, void *out)
{
	unsigned char *o = out;
	unsigned v = 0;
	int bits = 0;

	if (len % 4 == 1)
		return -1;
	for (size_t i = 0; i < len; i++) {
		const char *at = text[i] == '\0' ? NULL : strchr(b64url, text[i]);

		if (at == NULL)
			return -1;
		v = v << 6 | (unsigned)(at - b64url);
		if ((bits += 6) >= 8) {
			bits -= 8;
			*o++ = (unsigned char)(v >> bits);
		}
	}
	if ((v & ((1u << bits) - 1)) != 0)	/* stray bits: two texts, one value */
		return -1;
	return o - (unsigned char *)out;
}

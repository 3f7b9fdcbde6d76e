/*
 * redact.c - see redact.h.
 */
#include "egress/redact.h"

#include <ctype.h>
#include <string.h>

/* What begins like a secret at the end of a text that is whole is a word, until it is so long. */
#define PART_MIN	16
#define WORD_MIN	20

void
redact(char *text, size_t cap, const struct secret *secret)
{
	size_t len = strlen(text), least = len + 1 == cap ? 4 : PART_MIN;
	char *at = text;

	if (secret->len < 4)
		return;
	for (; (at = memmem(at, len - (size_t)(at - text), secret->p, secret->len)) != NULL;
	    at += secret->len)
		memset(at, '*', secret->len);
	/* A text that fills its place was cut: the beginning of a secret may be what is left. */
	for (size_t n = secret->len < len ? secret->len : len; n >= least; n--)
		if (memcmp(text + len - n, secret->p, n) == 0) {
			memset(text + len - n, '*', n);
			break;
		}
}

/* What tokens are made of: base64 and its kin, with the marks vendors put between parts. */
static size_t
word_length(const char *p)
{
	return strspn(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.~+/=%!");
}

static bool
is_uuid(const char *p, size_t n)
{
	static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	for (; n > 36 && strchr(".!", p[n - 1]) != NULL; n--)	/* the sentence's */
		;
	if (n != 36)
		return false;
	for (size_t i = 0; i < 36; i++)
		if (shape[i] == 'x' ? !isxdigit((unsigned char)p[i]) : p[i] != '-')
			return false;
	return true;
}

/* Of a path or URL each part is a word by itself, and so is what has a dot behind it. */
static size_t
run_length(const char *p, size_t n)
{
	size_t k = 0;

	while (k < n && p[k] != '/' && p[k] != '.')
		k++;
	return k;
}

static bool
run_is_secret(const char *p, size_t n)
{
	size_t digits = 0, upper = 0, lower = 0, hex = 0;

	for (size_t i = 0; i < n; i++) {
		digits += isdigit((unsigned char)p[i]) != 0;
		upper += isupper((unsigned char)p[i]) != 0;
		lower += islower((unsigned char)p[i]) != 0;
		hex += isxdigit((unsigned char)p[i]) != 0;
	}
	return n >= WORD_MIN && digits >= 2 &&
	    ((upper >= 2 && lower >= 2) || hex == n || digits * 5 >= n);
}

static bool
may_be_token(const char *p, size_t n)
{
	if (n < WORD_MIN || is_uuid(p, n))
		return false;
	if (strncmp(p, "eyJ", 3) == 0)
		return true;
	for (size_t i = 0; i < n;) {
		size_t k = run_length(p + i, n - i);

		if (run_is_secret(p + i, k) && !is_uuid(p + i, k))
			return true;
		i += k + 1;
	}
	return false;
}

void
redact_tokens(char *text)
{
	for (char *p = text; *p != '\0';) {
		size_t n = word_length(p);

		if (n == 0) {
			p++;
			continue;
		}
		if (may_be_token(p, n)) {
			memcpy(p, "***", 3);
			memmove(p + 3, p + n, strlen(p + n) + 1);
			n = 3;
		}
		p += n;
	}
}

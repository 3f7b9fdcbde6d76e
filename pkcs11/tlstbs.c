/*
 * tlstbs.c - see tlstbs.h.
 */
#include "pkcs11/tlstbs.h"

static const char context[] = "TLS 1.3, client CertificateVerify";	/* its NUL belongs to it */
#define SPACES 64

static bool
is_13(struct slice tbs)
{
	const unsigned char *p = tbs.p;
	size_t hash = tbs.len - SPACES - sizeof context;

	if (tbs.len < SPACES + sizeof context || (hash != 32 && hash != 48 && hash != 64))
		return false;
	for (size_t i = 0; i < SPACES; i++)
		if (p[i] != ' ')
			return false;
	return memcmp(p + SPACES, context, sizeof context) == 0;
}

enum { CLIENT_HELLO = 1, SERVER_HELLO = 2, CERTIFICATE_REQUEST = 13,
	SERVER_HELLO_DONE = 14, CLIENT_KEY_EXCHANGE = 16 };

/* u8 type | u24 length | body, again and again. */
static bool
is_12(struct slice tbs)
{
	const unsigned char *p = tbs.p;
	unsigned seen = 0;
	int type = 0, first = 0;

	for (size_t at = 0; at < tbs.len;) {
		size_t n;

		if (tbs.len - at < 4)
			return false;
		type = p[at];
		n = (size_t)p[at + 1] << 16 | (size_t)p[at + 2] << 8 | p[at + 3];
		if (n > tbs.len - at - 4 || type > CLIENT_KEY_EXCHANGE + 8)
			return false;
		if (at == 0)
			first = type;
		seen |= 1U << type;
		at += 4 + n;
	}
	return first == CLIENT_HELLO && type == CLIENT_KEY_EXCHANGE &&
	    (seen & 1U << SERVER_HELLO) && (seen & 1U << CERTIFICATE_REQUEST) &&
	    (seen & 1U << SERVER_HELLO_DONE);
}

bool
tlstbs_is_client(struct slice tbs)
{
	return is_13(tbs) || is_12(tbs);
}

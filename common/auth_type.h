/*
 * auth_type.h - the ways a connection authenticates, and the ways a client shows who it is at a
 * token endpoint: one row each, for catalogue, policy, store and every role.
 */
#pragma once

#include <stdbool.h>

/* Bits; stored as numbers: new ones go to the end. */
enum auth_type {
	AUTH_OAUTH2_CODE	= 1 << 0,	/* RFC 6749 section 4.1 */
	AUTH_PAT		= 1 << 1,	/* a token that a person made at the provider */
	AUTH_CLIENT_CREDENTIALS	= 1 << 2,	/* section 4.4 */
	AUTH_PASSWORD		= 1 << 3,	/* section 4.3; RFC 9700 section 2.4 forbids it: legacy */
	AUTH_DEVICE		= 1 << 4,	/* RFC 8628 */
	AUTH_JWT_BEARER		= 1 << 5,	/* RFC 7523 section 2.1 */
	AUTH_API_KEY		= 1 << 6,	/* in a header or a query parameter */
	AUTH_BASIC		= 1 << 7,	/* RFC 7617 */
	AUTH_HEADERS		= 1 << 8,	/* several secret headers */
	AUTH_TYPE_END		= 1 << 9,
};

/* They are shown in headers or a query, and there is nothing to call a token. */
#define AUTH_WITHOUT_TOKEN (AUTH_API_KEY | AUTH_BASIC | AUTH_HEADERS)

/* What follows from it. */
enum {
	AUTH_NEEDS_APP	= 1,	/* an OAuth app: the client that asks for tokens */
	AUTH_NEEDS_USER	= 2,	/* a person signs in, and again when the grant is dead */
	AUTH_RENEWS	= 4,	/* the vault gets new tokens by itself */
	AUTH_REMINTS	= 8,	/* and without a refresh token: asking again costs nothing */
	AUTH_STATIC	= 16,	/* what was stored is what callers get */
	AUTH_SERVICE	= 32,	/* no person's account, unless somebody says otherwise */
};

/* "oauth2_code", ...; "unknown" for what is none. */
const char *auth_type_name(enum auth_type t);
bool auth_type_parse(const char *name, enum auth_type *ret);
unsigned auth_type_flags(enum auth_type t);
/* All of them, for error texts and completion. */
#define AUTH_TYPE_WORDS "oauth2_code pat oauth2_client_credentials oauth2_password " \
    "oauth2_device jwt_bearer api_key basic headers"

enum client_auth {	/* sealed as numbers: new ones go to the end */
	CLIENT_BASIC,		/* RFC 6749 section 2.3.1: form-encoded, then Basic */
	CLIENT_BASIC_RAW,	/* as RFC 7617 alone says */
	CLIENT_POST,
	CLIENT_NONE,
	CLIENT_PRIVATE_KEY_JWT,	/* RFC 7523 section 2.2, the key in the HSM */
	CLIENT_TLS,		/* RFC 8705, the key in the HSM */
	CLIENT_AUTH_END,
};
const char *client_auth_name(enum client_auth a);
bool client_auth_parse(const char *name, enum client_auth *ret);
/* By a key in the HSM, and without a secret. */
bool client_auth_has_key(enum client_auth a);
extern const char *const client_auth_words[];	/* by number; NULL ended */
#define CLIENT_AUTH_WORDS "basic basic_raw post none private_key_jwt tls_client_auth"

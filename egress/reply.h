/*
 * reply.h - any provider's answer from a token endpoint, as one struct. Pure: bytes in,
 * fields out; fuzzed. Success and error are told apart by content, not by status.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "common/exchange.h"
#include "connectors/catalogue.h"
#include "egress/lifetime.h"

struct reply {
	struct secret	access_token, refresh_token, id_token;	/* empty = absent */
	char		token_type[32];		/* "Bearer" when absent */
	char		scope[EX_SCOPE];	/* separated by spaces; "" = absent */
	struct lifetime	expires, refresh_expires;
	char		error[64];		/* "" = none */
	uint32_t	number;			/* Entra ID's, of error_codes or of AADSTS...; or 0 */
	char		description[501];	/* printable, cut; secrets taken out by the caller */
	char		account[256];		/* of ACCOUNT_ANSWER */
	struct ex_vars	captured;
	char		strayed[EX_NAME];	/* a captured url that leads elsewhere; "" = none */
};
void reply_done(struct reply *r);

/* A provider's name of somebody, to be compared with another one: whole and as it is, or not at
 * all (too long for CAP, or with control characters in it). */
void reply_name(const json_t *v, char *ret, size_t cap);
/* A provider's text as anybody may see it: printable ASCII, cut to CAP-1 bytes. RET is left alone
 * when V is no string. */
void reply_text(const json_t *v, char *ret, size_t cap);

/* V_CORRUPT: not the answer of a token endpoint. V_LIMIT: no secret memory now. CONTENT_TYPE may be
 * "". C may be NULL. */
int reply_parse(struct slice body, const char *content_type, const struct connector *c,
    struct reply *ret, struct err *e);

/* RFC 7662 section 2.2: `active` alone counts. Anything else is no answer. */
enum token_state reply_introspection(struct slice body);

/* The text of one member of an object, as reply_text() does it: the answer to a test call. */
void reply_member(struct slice body, const char *member, char *ret, size_t cap);

/* When an access token ends that is a JWT one can read; nothing otherwise. */
struct lifetime reply_jwt_end(const struct secret *jwt);

/* Claims of an ID token (not its signature: OIDC Core section 3.1.3.7, direct TLS). */
struct id_claims {
	char	iss[EX_URL], nonce[64], account[256];
	bool	aud_ok;
};
int reply_id_token(const struct secret *jwt, const char *client_id, const char *member,
    struct id_claims *ret, struct err *e);

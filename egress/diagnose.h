/*
 * diagnose.h - from an answer to phase and named error: what happened, and whose move it
 * is. One table (diagnose_table.c) from what is seen to what it means; whose move that is, and the
 * next step, stand in common/errors.c.
 */
#pragma once

#include "egress/http.h"
#include "egress/redact.h"
#include "egress/reply.h"

/* What was asked for: the same word means different things. Bits. */
enum asked {
	ASKED_CODE	= 1,	/* tokens for a code */
	ASKED_REFRESH	= 2,
	ASKED_CLIENT	= 4,	/* client credentials */
	ASKED_PASSWORD	= 8,
	ASKED_ASSERTION	= 16,	/* JWT bearer */
	ASKED_DEVICE	= 32,
	ASKED_ANY	= 63,
};

/* What is known beside the answer. */
struct facts {
	enum asked	 asked;
	const struct connector *connector;	/* or NULL */
	enum client_auth client_auth;
	bool		 reserved;	/* the client secret has characters that encoding changes */
};

/* Has SECRET any? */
bool secret_is_reserved(const struct secret *secret);

/*
 * Judges an answer of a token endpoint. P is NULL when the body could not be parsed. Fills phase,
 * err, http_status, provider_code, provider_text, retry_after_s, skew_s of RET.
 */
void diagnose(const struct facts *f, const struct http_answer *a, const struct reply *p,
    struct exchange_result *ret);

/* The answer to a call that tries a token or key: 0, or ERR_KEY_REJECTED, ERR_KEY_EXPIRED, or why
 * it says nothing about the key. Returns the class. */
int diagnose_probe(const struct http_answer *a, struct err *e);

/* ---- the table */

enum {	/* what must hold beside the rest */
	SEEN_RETRY_AFTER = 1,
	SEEN_PAGE	= 2,	/* HTML */
	SEEN_RESERVED	= 4,	/* Basic, with a secret of reserved characters */
	SEEN_SKEW	= 8,	/* the clocks differ by more than a minute */
	SEEN_SIGNED	= 16,	/* the client showed a signature: private_key_jwt, JWT bearer */
	SEEN_CERT	= 32,	/* or a certificate */
	SEEN_NOTHING	= 64,	/* an empty body */
	SEEN_NO_NAME	= 128,	/* no name of an error */
};

struct symptom {
	unsigned	 asked;		/* 0: any */
	unsigned	 from, to;	/* HTTP status; 0: any */
	const char	*code;		/* the provider's name, '-' being '_'; NULL: any */
	uint32_t	 number;	/* Entra ID's; 0: any */
	const char	*words;		/* in the description, whatever the case; NULL: any */
	unsigned	 seen;
	enum err_id	 id;
	const char	*says;		/* instead of the provider's name and words */
};

struct sight {
	const struct facts *f;
	unsigned	 status, seen;
	const char	*code, *words;
	uint32_t	 number;
};

/* The first row that fits, of those before the connector's own map (EARLY) or after it; NULL. */
const struct symptom *symptom_find(const struct sight *s, bool early);

/*
 * jwk.h - public keys as others want them: JWK (RFC 7517), its thumbprint (RFC 7638), PEM,
 * and thumbprints of certificates. SPKI is a SubjectPublicKeyInfo in DER, of RSA or P-256.
 */
#pragma once

#include "common/bytes.h"
#include "common/err.h"

/* {"e":"AQAB","kty":"RSA","n":"..."}: the members the thumbprint is of, in its order, without
 * the closing brace when OPEN, so that more can follow. V_INVALID: no such key. */
int jwk_of(struct slice spki, bool open, struct buf *out, struct err *e);

#define THUMBPRINT_TEXT 44
/* base64url of the SHA-256; without padding. */
int jwk_thumbprint(struct slice spki, char out[THUMBPRINT_TEXT], struct err *e);

/* "-----BEGIN LABEL-----..." of DER. FALSE: memory. */
bool pem_of(const char *label, struct slice der, struct buf *out);

/* A certificate as the vault keeps it. */
struct cert_info {
	int64_t	not_before, not_after;		/* unix s */
	char	x5t[29], x5t_s256[THUMBPRINT_TEXT];	/* RFC 7515 section 4.1.7, 4.1.8 */
	char	subject[256], issuer[256];		/* RFC 2253 */
	bool	self_signed;
};
/* Reads the first certificate of PEM. KEY, when not empty, is the SPKI it must be for.
 * V_INVALID says what is wrong. */
int cert_read(struct slice pem, struct slice key, struct cert_info *ret, struct err *e);

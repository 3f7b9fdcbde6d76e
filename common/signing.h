/*
 * signing.h - key pairs in the token that connections sign with, the asker's side: what
 * vault-egress may ask of vault-hsm, and nobody else. Part of the key contract (keyline.h).
 *
 * Whoever makes a pair says what it is for, and vault-hsm writes that down: the record (an
 * OAuth app), the use, issuer, subject and audiences. Later questions bring claims, never a
 * digest, and are held against what was written down.
 */
#pragma once

#include "common/keyline.h"

enum pair_kind { PAIR_RSA = 1, PAIR_EC };	/* RSA 2048; P-256 */
enum pair_use { PAIR_ASSERTION = 1, PAIR_TLS };
enum jws_alg { JWS_RS256 = 1, JWS_PS256, JWS_ES256 };

const char *pair_kind_name(enum pair_kind k);	/* "rsa", "ec" */
bool pair_kind_parse(const char *name, enum pair_kind *ret);
const char *pair_use_name(enum pair_use u);	/* "assertion", "tls" */
bool pair_use_parse(const char *name, enum pair_use *ret);
const char *jws_alg_name(enum jws_alg a);	/* "RS256", ... */
bool jws_alg_parse(const char *name, enum jws_alg *ret);
bool jws_alg_fits(enum jws_alg a, enum pair_kind k);

#define PAIR_ID		(KEK_ID_LEN + 1)	/* CKA_ID as text: [0-9a-f], with its NUL */
#define PAIR_TEXT	1024
#define PAIR_AUDIENCES	4
#define PAIR_SPKI	600			/* of RSA 4096 and a little */
#define PAIR_PEM	16384
#define PAIR_ANY	"*"			/* as a subject: any */

/* A new CKA_ID. */
void pair_id_new(char ret[PAIR_ID]);

/* What assertions under a key may say. */
struct pair_rule {
	char		iss[PAIR_TEXT], sub[PAIR_TEXT];	/* sub may be PAIR_ANY */
	size_t		naud;
	char		aud[PAIR_AUDIENCES][PAIR_TEXT];
	char		endpoint[PAIR_TEXT];	/* where they are sent: for people */
};

/*
 * KEY_GENERATE (PEM empty), KEY_IMPORT. The asker chooses the id, so that the same question
 * asked twice makes one key.
 */
struct pair_make {
	char			id[PAIR_ID];
	struct id		record;
	enum pair_kind		kind;		/* of an import: what the PEM holds */
	enum pair_use		use;
	struct pair_rule	rule;
	struct secret		pem;
};
void pair_make_done(struct pair_make *q);
void pair_make_put(struct msg *m, const struct pair_make *q);	/* M locked with a PEM */
int pair_make_get(struct slice body, struct pair_make *ret, struct err *e);

/* What they answer, and KEY_PUBLIC. */
struct pair_public {
	enum pair_kind	kind;
	enum pair_use	use;
	bool		imported;
	int64_t		made;			/* unix s */
	size_t		spki_len;
	unsigned char	spki[PAIR_SPKI];	/* SubjectPublicKeyInfo, DER */
};
void pair_public_put(struct msg *m, const struct pair_public *v);
int pair_public_get(struct slice body, struct pair_public *ret, struct err *e);

/* KEY_PUBLIC, KEY_DESTROY: which. */
void pair_name_put(struct msg *m, const char *id, const struct id *record);

#define CLAIMS_EXTRA 8
/* KEY_SIGN_JWT -> compact JWS. vault-hsm adds iat, nbf, exp and jti. */
struct claims {
	char		id[PAIR_ID];
	struct id	record;
	enum jws_alg	alg;
	/* header: "" = left out */
	char		kid[256], x5t[64], x5t_s256[64];
	char		iss[PAIR_TEXT], sub[PAIR_TEXT], aud[PAIR_TEXT];
	size_t		nextra;			/* more claims, texts all: scope, ... */
	struct { char name[64], value[2048]; } extra[CLAIMS_EXTRA];
};
void claims_put(struct msg *m, const struct claims *v);
int claims_get(struct slice body, struct claims *ret, struct err *e);

/* KEY_SIGN_TLS -> signature as TLS wants it. */
#define TLS_TBS_MAX 32768
enum tls_scheme {		/* IANA: TLS SignatureScheme */
	TLS_RSA_PKCS1_SHA256 = 0x0401,
	TLS_ECDSA_P256_SHA256 = 0x0403,
	TLS_RSA_PSS_SHA256 = 0x0804,
};
void sign_tls_put(struct msg *m, const char *id, const struct id *record,
    enum tls_scheme scheme, struct slice tbs);

/* KEY_CERTIFY -> DER: a request for a certificate, or one signed by the key itself. */
struct certify {
	char		id[PAIR_ID];
	struct id	record;
	bool		request;		/* PKCS#10; DAYS does not count */
	char		common_name[65];
	uint32_t	days;
};
void certify_put(struct msg *m, const struct certify *v);
int certify_get(struct slice body, struct certify *ret, struct err *e);

/* Reads the one byte string of an answer (JWS, signature, DER) into RET. */
int signed_get(struct slice body, struct secret *ret, struct err *e);

/* Longest question of this kind. */
#define PAIR_QUESTION	(TLS_TBS_MAX + 1024)

/* Blocking, on the asker's line. MS of the first covers making a key, which takes its time. */
int keyline_pair_make(struct keyline *k, const struct pair_make *q, struct pair_public *ret,
    struct err *e);
int keyline_pair_public(struct keyline *k, const char *id, const struct id *record,
    struct pair_public *ret, struct err *e);
/* A key that is not there is no error. */
int keyline_pair_destroy(struct keyline *k, const char *id, const struct id *record,
    struct err *e);
int keyline_sign_jwt(struct keyline *k, const struct claims *c, struct secret *ret,
    struct err *e);
int keyline_sign_tls(struct keyline *k, const char *id, const struct id *record,
    enum tls_scheme scheme, struct slice tbs, struct secret *ret, struct err *e);
int keyline_certify(struct keyline *k, const struct certify *q, struct secret *ret,
    struct err *e);

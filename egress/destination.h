/*
 * destination.h - where a grant may be sent: sealed in front of every grant plaintext,
 * written by this role alone. No URL is ever taken from vaultd.
 */
#pragma once

#include "common/exchange.h"
#include "common/signing.h"
#include "connectors/catalogue.h"

struct destination {
	char		connector[EX_NAME];
	uint32_t	version;
	char		issuer[EX_URL], authorization_url[EX_URL], token_url[EX_URL],
			revocation_url[EX_URL], par_url[EX_URL], device_url[EX_URL],
			introspection_url[EX_URL], api_base[EX_URL], probe_url[EX_URL];
	enum client_auth client_auth;
	char		refresh_url[EX_URL];	/* "": the token URL */
	struct ex_vars	vars;			/* what parameters of requests are made of */
};

void destination_put(struct msg *m, const struct destination *d);
void destination_get(struct msg *m, struct destination *ret);
bool destination_equal(const struct destination *a, const struct destination *b);
/* What is opened together must be sealed for one destination. Errors: ERR_RECORD_CORRUPT. */
int destination_agree(const struct destination *a, const struct destination *b, struct err *e);

/* What D was made of, or NULL: it was withdrawn. */
const struct connector *destination_connector(const struct catalogue *c,
    const struct destination *d);
/* Where refresh tokens go. */
const char *destination_refresh_url(const struct destination *d);

/* Expands C's templates with VARS; discovery is not its business. */
int destination_expand(const struct connector *c, const struct ex_vars *vars,
    const char *client_id, struct destination *ret, struct err *e);

/* ---- the three grant plaintexts */

/* Of an app that signs: which key of the token, and what it says with it. */
struct app_key {
	char			id[PAIR_ID];	/* "": the app has none */
	struct id		record;
	enum pair_kind		kind;
	enum pair_use		use;
	enum jws_alg		alg;		/* of assertions */
	enum assertion_header	header;
	char			kid[256];
	char			audience[EX_URL], subject[PAIR_TEXT];	/* as recorded for the key */
	struct secret		certificate;	/* PEM, its authorities behind it; not secret */
};
struct app_secret {
	struct destination	d;
	char			client_id[512];
	struct secret		client_secret;	/* may be empty */
	struct app_key		key;
};
struct flow_secret {		/* of a pending session */
	struct destination	d;
	bool			device;
	struct secret		verifier;	/* of PKCE; DEVICE: the device code */
	char			nonce[64];
	char			redirect_uri[EX_URL];
};
struct grant_secret {		/* what buys tokens; what is not needed is empty */
	struct destination	d;
	enum exchange_kind	kind;
	struct secret		refresh_token;
	char			username[256];
	struct secret		password;
	struct ex_vars		params;		/* audience, or claims of an assertion */
};

int app_secret_put(const struct app_secret *v, struct secret *ret, struct err *e);
int app_secret_get(const struct secret *plain, struct app_secret *ret, struct err *e);
void app_secret_done(struct app_secret *v);
int flow_secret_put(const struct flow_secret *v, struct secret *ret, struct err *e);
int flow_secret_get(const struct secret *plain, struct flow_secret *ret, struct err *e);
void flow_secret_done(struct flow_secret *v);
int grant_secret_put(const struct grant_secret *v, struct secret *ret, struct err *e);
int grant_secret_get(const struct secret *plain, struct grant_secret *ret, struct err *e);
void grant_secret_done(struct grant_secret *v);

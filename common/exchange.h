/*
 * exchange.h - what vaultd may ask vault-egress, and what it gets back. One put/get
 * pair per body, used by both sides and by the fuzzers.
 *
 * Egress takes no URL from vaultd. Everything it sends goes to the destination sealed
 * in front of a grant plaintext (struct destination), which only egress writes.
 * Grant secrets travel sealed, except in the request that first brings them
 * (EGRESS_SEAL_APP, EGRESS_EXCHANGE's code, EGRESS_CREATE), whose msg is locked memory.
 */
#pragma once

#include "common/auth_type.h"
#include "common/envelope.h"
#include "common/errors.h"
#include "common/frame.h"
#include "common/signing.h"

enum egress_op {
	EGRESS_HELLO = 1,	/* struct hello -> u32 number of connectors */
	EGRESS_SEAL_APP,	/* struct seal_app -> struct seal_app_result */
	EGRESS_BEGIN,		/* struct begin -> struct begin_result */
	EGRESS_EXCHANGE,	/* struct exchange -> struct exchange_result */
	EGRESS_ATTEMPT,		/* id -> u8 enum attempt_state, then exchange_result if SPOOLED */
	EGRESS_DROP,		/* id -> {} : the answer is committed, forget it */
	EGRESS_REVOKE,		/* struct revoke -> struct revoke_result */
	EGRESS_CREATE,		/* struct create -> struct exchange_result */
	EGRESS_INTROSPECT,	/* struct introspect -> u8 enum token_state */
	EGRESS_APP_KEY,		/* struct app_key_ask -> struct app_key_result */
	EGRESS_APP_FORGET,	/* struct app_key_ask -> {} : its key is destroyed, if it has one */
	EGRESS_DISCOVER,	/* text issuer -> text: what its metadata says, as JSON */
	EGRESS_RESEAL,		/* struct reseal -> struct exchange_result */
	EGRESS_TEST_APP,	/* struct test_app -> struct test_app_result */
	EGRESS_CHECK,		/* struct check -> struct check_result */
};

#define EX_VARS		8
#define EX_SECRETS	8
#define EX_NAME		64
#define EX_URL		1024
#define EX_SCOPE	2048

/* A connector's variables ({host}, {tenant}, {issuer}), as the registrant gave them. */
struct ex_vars {
	size_t	n;
	struct { char name[EX_NAME], value[256]; } v[EX_VARS];
};
const char *ex_var(const struct ex_vars *v, const char *name);	/* NULL if absent */
void ex_vars_put(struct msg *m, const struct ex_vars *v);
void ex_vars_get(struct msg *m, struct ex_vars *ret);	/* M fails: more than EX_VARS, too long */

/* What somebody brings for a connection, by name: {token}, {username}, {password}. */
struct ex_secrets {
	size_t	n;
	struct { char name[EX_NAME]; struct secret value; } v[EX_SECRETS];
};
const struct secret *ex_secret(const struct ex_secrets *v, const char *name);	/* NULL if absent */
void ex_secrets_done(struct ex_secrets *v);

/* A sealed secret on its way: which record and version it is bound to. Borrowed bytes. */
struct sealed {
	struct id	record;
	uint64_t	version;
	struct slice	blob;		/* empty = none */
	struct slice	wrap;
};

/* Borrowed from BLOB and WRAP. */
static inline struct sealed
sealed_of(const struct id *record, uint64_t version, const struct buf *blob, const struct buf *wrap)
{
	return (struct sealed){ *record, version, buf_slice(blob), buf_slice(wrap) };
}

/*
 * HELLO opens every line. A line with a newer epoch (vaultd counts its starts) closes
 * the older ones unread; an older one is refused.
 */
struct hello {
	uint64_t	epoch;
	struct id	vault;
};

struct seal_app {
	struct id	app;
	uint64_t	version;
	char		connector[EX_NAME];
	struct ex_vars	vars;
	char		client_id[512];
	struct secret	client_secret;	/* may be empty: a public client */
	char		client_auth[32];/* "" = the connector's; else basic, basic_raw, post, none */
	/* The app as it is sealed, to give it another secret: its destination stays, to the letter,
	 * or its grants could be used no more. All but app, version and client_secret is unused. */
	struct sealed	old;
	/* An app that signs: its key is made in the token ("rsa", "ec"), or brought in ("import"). */
	char		key[8];		/* "" = none */
	struct secret	key_pem;
	struct slice	certificate;	/* PEM, borrowed; with OLD: this is what changes */
	char		kid[128], alg[8];	/* "" = of itself */
	char		subject[PAIR_TEXT];	/* of assertions; "" = the client id */
	uint32_t	cert_days;	/* of a certificate by the key itself; 0 = of itself */
};
struct seal_app_result {
	uint32_t	connector_version;
	char		authorization_url[EX_URL];	/* expanded, for people */
	char		token_url[EX_URL];
	char		issuer[EX_URL];			/* "" when the provider has none */
	bool		iss_required;			/* RFC 9207 advertised */
	uint8_t		key_kind;			/* enum pair_kind; 0 = no key */
	char		kid[128];
	int64_t		cert_not_after;			/* unix s; 0 = no certificate */
	struct buf	blob, wrap;			/* owned by the receiver */
};

/* The key of an app that signs; REQUEST: with a request for a certificate. */
struct app_key_ask {
	struct sealed	app;
	bool		request;
	char		common_name[65];	/* "": the client id */
};
struct app_key_result {
	char		id[PAIR_ID];
	enum jws_alg	alg;
	char		kid[256], audience[EX_URL], subject[PAIR_TEXT];
	struct pair_public public;
	struct buf	certificate, request;	/* PEM, empty = none; owned by the receiver */
};

enum exchange_kind {	/* sealed and stored as numbers: new ones go to the end */
	EX_CODE = 1,		/* an authorization code */
	EX_REFRESH,		/* a refresh token */
	EX_CLIENT_CREDENTIALS,	/* the app itself */
	EX_PASSWORD,		/* the refresh token it last brought, then name and password */
	EX_DEVICE,		/* a device code, asked about again and again */
	EX_JWT_BEARER,		/* an assertion, signed each time */
	EX_KIND_END,
};
/* What is sent can be sent once: intent and spool keep its answer. Else asking again is harmless. */
bool exchange_spends(enum exchange_kind k);
/* It ends a sign-in that was begun: what is sent is sealed with the session, not with the grant. */
bool exchange_is_signin(enum exchange_kind k);
/* How a connection of type T that renews itself does so. */
enum exchange_kind exchange_renews(enum auth_type t);

/* Starts an authorization-code flow: makes the PKCE verifier, seals it, builds the URL; or one for
 * a device: asks for the codes, seals the one that is secret. */
struct begin {
	enum exchange_kind kind;		/* CODE or DEVICE */
	struct id	pending;		/* record the verifier is sealed for, version 1 */
	struct sealed	app;
	char		redirect_uri[EX_URL];
	char		scope[EX_SCOPE];	/* space separated, mandatory ones included */
	char		state[64];
};
struct begin_result {
	char		authorization_url[8192];	/* CODE */
	/* DEVICE (RFC 8628 section 3.2) */
	char		user_code[64];
	char		verification_uri[EX_URL], verification_uri_complete[EX_URL];
	uint32_t	interval_s, expires_in_s;
	struct buf	blob, wrap;
};

struct exchange {
	enum exchange_kind kind;
	struct id	attempt;
	struct id	connection;	/* record id of the grant and release blobs to come */
	uint64_t	grant_version;	/* of the grant blob to come */
	uint64_t	release_version;/* of the release blob to come */
	struct sealed	app;
	struct sealed	secret;		/* of a sign-in: the session's; else the grant */
	struct slice	release_wrap;	/* the connection's release DEK; empty = make one */
	struct secret	code;		/* CODE only */
	char		iss[EX_URL];	/* CODE: what the callback said, "" = nothing */
	struct ex_vars	parameters;	/* CODE: those of the redirect that the connector captures */
	char		scope[EX_SCOPE];/* requested */
};

enum phase {
	PHASE_NOT_SENT,		/* DNS, connect, TLS: nothing was spent */
	PHASE_REJECTED,		/* 4xx with an OAuth error, 429, 503 + Retry-After */
	PHASE_AMBIGUOUS,	/* bytes went out and no whole answer came back */
	PHASE_ANSWERED,		/* tokens */
};

enum attempt_state {
	ATTEMPT_NOT_SENT,	/* no spool file; the id is barred from now on */
	ATTEMPT_RUNNING,
	ATTEMPT_SPOOLED,	/* the result follows */
	ATTEMPT_UNKNOWN,	/* begun, and no answer kept: ambiguous; barred */
};

struct exchange_result {
	enum phase	phase;
	bool		spooled;	/* the answer survives a crash until EGRESS_DROP */
	struct err	err;		/* when there are no tokens: the diagnosis */
	uint32_t	http_status;	/* 0 = none */
	char		provider_code[64];
	char		provider_text[512];	/* redacted, printable */
	uint32_t	retry_after_s;
	int32_t		skew_s;		/* provider's Date minus our clock */

	/* with tokens */
	struct buf	release_blob, release_wrap;	/* wrap empty: the old DEK was used */
	struct buf	grant_blob, grant_wrap;		/* empty: no (new) refresh token */
	uint32_t	expires_in_s;	/* from request start; 0 = does not expire */
	uint32_t	refresh_expires_in_s;	/* 0 = unknown */
	char		scope[EX_SCOPE];	/* granted; "" = as requested */
	char		account[256];	/* external account, "" = unknown */
	char		api_base[EX_URL];
	struct ex_vars	captured;
	unsigned char	fingerprint[32];	/* of the refresh token now valid; zero = none */
	unsigned char	fingerprint_sent[32];	/* REFRESH: of the one that was sent */
};

struct revoke {
	struct id	connection;
	struct sealed	app;
	struct sealed	grant;		/* may be empty */
	struct sealed	release;	/* may be empty */
};
struct revoke_result {
	bool		revoked;	/* the provider confirmed */
	bool		supported;	/* it has an endpoint for it */
	struct err	err;
};

/* Does the provider still know the refresh token of GRANT? RFC 7662. */
struct introspect {
	struct sealed	app, grant;
};
/*
 * Tokens that were bought for one connection, for another that has the same refresh token: opened,
 * and sealed for it under new keys. Nothing is sent.
 */
struct reseal {
	struct sealed	grant;		/* empty: the refresh token stayed the same */
	struct sealed	release;
	struct id	connection;	/* of the new blobs */
	uint64_t	grant_version, release_version;
};
enum token_state {
	TOKEN_UNKNOWN,		/* it has no endpoint for it, or did not say */
	TOKEN_ACTIVE,
	TOKEN_INACTIVE,		/* spent, revoked or ended */
};

/* Does the provider take the secret of APP? Asked with a client credentials request, which spends
 * nobody's grant: what it brings is dropped. */
struct test_app {
	struct sealed	app;
};
enum app_test {		/* stored as numbers */
	APP_UNTESTED,		/* the provider's answer says nothing of the secret */
	APP_GOOD,
	APP_REFUSED,
};
struct test_app_result {
	enum app_test	found;
	uint32_t	http_status;	/* 0 = none */
	char		text[160];	/* for people; what the provider said is redacted */
};

/* Does the API take what RELEASE holds? APP empty: a secret of CONNECTOR without one. */
struct check {
	char		connector[EX_NAME];
	uint32_t	version;
	enum auth_type	auth_type;
	struct ex_vars	vars, captured;
	struct sealed	app, release;
};
struct check_result {
	bool		asked;		/* false: the connector has no test call */
	uint16_t	status;		/* HTTP, of a no; 0 = there was none */
	struct err	err;		/* code 0: it does */
};

/*
 * A connection without a sign-in. Static types: SECRETS are tried at the provider and sealed as
 * `release`. The others: the first token is bought, what buys the next is sealed as a grant. Both
 * under new keys.
 */
struct create {
	struct id	connection;
	uint64_t	grant_version, release_version;
	enum auth_type	auth_type;
	char		connector[EX_NAME];
	uint32_t	version;	/* of the connector; 0 = the newest */
	struct ex_vars	vars;		/* of the connector; of grants its `grant_params` */
	struct sealed	app;		/* of grants */
	char		scope[EX_SCOPE];
	struct ex_secrets secrets;
};

void hello_put(struct msg *m, const struct hello *v);
int hello_get(struct slice body, struct hello *ret, struct err *e);
void seal_app_put(struct msg *m, const struct seal_app *v);	/* M locked */
int seal_app_get(struct slice body, struct seal_app *ret, struct err *e);	/* borrows BODY */
void seal_app_done(struct seal_app *v);
void seal_app_result_put(struct msg *m, const struct seal_app_result *v);
int seal_app_result_get(struct slice body, struct seal_app_result *ret, struct err *e);
void seal_app_result_done(struct seal_app_result *v);
void app_key_ask_put(struct msg *m, const struct app_key_ask *v);
int app_key_ask_get(struct slice body, struct app_key_ask *ret, struct err *e); /* borrows BODY */
void app_key_result_put(struct msg *m, const struct app_key_result *v);
int app_key_result_get(struct slice body, struct app_key_result *ret, struct err *e);
void app_key_result_done(struct app_key_result *v);
void begin_put(struct msg *m, const struct begin *v);
int begin_get(struct slice body, struct begin *ret, struct err *e);	/* borrows BODY */
void begin_result_put(struct msg *m, const struct begin_result *v);
int begin_result_get(struct slice body, struct begin_result *ret, struct err *e);
void begin_result_done(struct begin_result *v);
void exchange_put(struct msg *m, const struct exchange *v);	/* M locked for CODE */
int exchange_get(struct slice body, struct exchange *ret, struct err *e);	/* borrows BODY */
void exchange_done(struct exchange *v);
void exchange_result_put(struct msg *m, const struct exchange_result *v);
/* Reads from M's position: it may follow an attempt state. */
int exchange_result_get(struct msg *m, struct exchange_result *ret, struct err *e);
void exchange_result_done(struct exchange_result *v);
void revoke_put(struct msg *m, const struct revoke *v);
int revoke_get(struct slice body, struct revoke *ret, struct err *e);	/* borrows BODY */
void revoke_result_put(struct msg *m, const struct revoke_result *v);
int revoke_result_get(struct slice body, struct revoke_result *ret, struct err *e);
void introspect_put(struct msg *m, const struct introspect *v);
int introspect_get(struct slice body, struct introspect *ret, struct err *e);	/* borrows BODY */
void reseal_put(struct msg *m, const struct reseal *v);
int reseal_get(struct slice body, struct reseal *ret, struct err *e);	/* borrows BODY */
void test_app_put(struct msg *m, const struct test_app *v);
int test_app_get(struct slice body, struct test_app *ret, struct err *e);	/* borrows BODY */
void test_app_result_put(struct msg *m, const struct test_app_result *v);
int test_app_result_get(struct slice body, struct test_app_result *ret, struct err *e);
void check_put(struct msg *m, const struct check *v);
int check_get(struct slice body, struct check *ret, struct err *e);	/* borrows BODY */
void check_result_put(struct msg *m, const struct check_result *v);
int check_result_get(struct slice body, struct check_result *ret, struct err *e);
void create_put(struct msg *m, const struct create *v);	/* M locked */
int create_get(struct slice body, struct create *ret, struct err *e);	/* borrows BODY */
void create_done(struct create *v);

const char *phase_name(enum phase p);

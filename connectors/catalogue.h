/*
 * catalogue.h - reads the files of connectors/: what each provider is like. vaultd, vault-egress
 * and `vaultctl connector check` use the same reader; the files are root-owned.
 *
 * A file holds one connector. Unknown keys are errors (with line and column), except
 * "$schema" and "$comment". See vault-connector(5).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/auth_type.h"
#include "common/err.h"
#include "common/exchange.h"

enum refresh_kind { REFRESH_ROTATING, REFRESH_STATIC, REFRESH_NONE };
enum revoke_style {
	REVOKE_NONE,
	REVOKE_RFC7009,
	REVOKE_RFC7009_TOKEN_ONLY,	/* token parameter alone, no client authentication (Google) */
	REVOKE_GITHUB,			/* DELETE, Basic client id and secret, JSON access_token */
	REVOKE_DELETE_BEARER,		/* DELETE with the access token (Zendesk, Smartsheet) */
	REVOKE_POST_BEARER,		/* POST with the access token (Slack, Dropbox, Intercom) */
	REVOKE_QUERY,			/* POST, ?token= (Zoho) */
	REVOKE_PATH,			/* DELETE, the refresh token is the end of the path (HubSpot v1) */
	REVOKE_CLIENT_HEADER,		/* POST, `Authorization: Client SECRET`, JSON (Square) */
};
/* How an assertion names its key. */
enum assertion_header { ASSERTION_KID, ASSERTION_X5T, ASSERTION_X5T_S256 };
enum probe_method { PROBE_GET, PROBE_POST };
enum probe_token { PROBE_HEADER, PROBE_FORM };	/* where the token is */
enum account_from { ACCOUNT_NONE, ACCOUNT_ID_TOKEN, ACCOUNT_ANSWER, ACCOUNT_PROBE };

#define CONNECTOR_LIST 16
#define CONNECTOR_PATHS 8
#define CONNECTOR_ERRORS 32
#define CONNECTOR_HEADERS 4

struct name_value { char *name, *value; };

struct connector_var {
	char	*name;		/* {name} in a URL template */
	char	*label;		/* for people */
	char	*dflt;		/* may be NULL: then required */
	char	*suffix;	/* the value must end in it, or one of them, with spaces between; NULL
				   = any host (on-premises) */
	char	*values;	/* the only ones there are, with spaces between; or NULL */
	char	*example;	/* for people; or NULL */
	bool	 url;		/* an https URL (issuer), not a host label */
	bool	 text;		/* for parameters and scopes: visible ASCII, no part of a URL */
};

/* How long something lives, as the answer says it; AUTO: seconds, and of a time its size tells. */
enum expiry_unit {
	EXPIRY_AUTO, EXPIRY_S, EXPIRY_MS, EXPIRY_EPOCH_S, EXPIRY_EPOCH_MS, EXPIRY_ISO8601,
	EXPIRY_D_HH_MM,
};

/* A member of the answer, or a parameter of the callback, that is kept beside the tokens. */
enum capture_type {
	CAPTURE_TEXT,		/* for people */
	CAPTURE_ID,		/* letters, digits, '-', '_', '.', '~' */
	CAPTURE_URL,		/* https, on one of `hosts` */
};
struct connector_capture {
	char		*name, *path;
	bool		 from_callback;
	enum capture_type type;
	char		*hosts[CONNECTOR_LIST];	/* whole, or what they end in (".a.com") */
	size_t		 nhosts;
	bool		 token_host;		/* `hosts` says token_url: the host of that, too */
};

/* A provider's name of an error, or "http_403" for an answer without one; what it means. */
struct connector_error {
	char		*name;
	bool		 refresh, code;		/* at a refresh, at the exchange of a code */
	unsigned	 id;			/* enum err_id */
};

/* A secret that goes into a header as it is, behind PREFIX. */
struct connector_header { char *name, *label, *prefix; };

struct connector {
	char		*id, *name, *file;
	uint32_t	 version;
	char		*aliases[CONNECTOR_LIST];	/* other ids it is known by */
	size_t		 naliases;
	unsigned	 auth_types;		/* enum auth_type bits */
	bool		 discovery;		/* endpoints from {issuer}/.well-known (RFC 8414, OIDC) */
	char		*issuer, *authorization_url, *token_url, *revocation_url, *par_url,
			*device_url, *introspection_url;	/* templates; NULL = none */
	char		*refresh_url;		/* template; NULL: token_url */
	char		*api_base;		/* template or NULL */
	struct connector_var var[EX_VARS];
	size_t		 nvars;
	char		*scope_separator;	/* " " or "," */
	char		*scopes_mandatory[CONNECTOR_LIST];	/* requested always; must be granted */
	size_t		 nmandatory;
	char		*scopes_default[CONNECTOR_LIST];
	size_t		 ndefault;
	struct name_value authorize_params[CONNECTOR_LIST];
	size_t		 nauthorize_params;
	struct name_value token_params[CONNECTOR_LIST];
	size_t		 ntoken_params;
	struct name_value refresh_params[CONNECTOR_LIST];	/* of refreshes alone */
	size_t		 nrefresh_params;
	char		*offline_scope;		/* asks for a refresh token; granted when one came */
	bool		 pkce;			/* false only with pkce_off_proof */
	char		*pkce_off_proof;
	enum client_auth client_auth;
	bool		 body_json;
	enum refresh_kind refresh;
	uint32_t	 refresh_reuse_grace_s;
	bool		 refresh_reuse_harmless;	/* Microsoft: the old one stays valid */
	uint32_t	 refresh_limit, refresh_limit_s;	/* so many refreshes in so many seconds,
						   for one OAuth app; 0 = not known */
	uint32_t	 refresh_test_s;	/* how long grants of an app in testing live; 0 = as others */
	uint32_t	 refresh_idle_s, refresh_absolute_s;	/* how long a refresh token lives
						   unused, and at all; 0 = not known */
	bool		 on_ambiguous_hold;
	uint32_t	 default_expires_s;	/* when the answer has no expires_in; 0 = 3600 with a
						   refresh token, else never */
	uint32_t	 exchange_timeout_s;	/* 60..120 */
	enum account_from account_from;
	char		*account_member;	/* "email", "login" */
	enum revoke_style revoke;
	char		*headers[CONNECTOR_HEADERS];	/* "Name: value", of every request */
	size_t		 nheaders;
	char		*probe_url;		/* template; NULL = none */
	unsigned	 probe_types;		/* enum auth_type bits it is for; 0 = all */
	enum probe_method probe_method;
	enum probe_token probe_token;
	char		*probe_body;		/* JSON, of a POST */
	struct name_value probe_success[4];	/* path in the answer, and what must be there */
	size_t		 nprobe_success;
	char		*probe_scheme;		/* Authorization scheme: "Bearer", "token" */
	char		*probe_headers[CONNECTOR_HEADERS];
	size_t		 nprobe_headers;
	char		*pat_token_type;	/* what callers are told; "Bearer" */
	char		*pat_url;		/* where a person makes one */
	bool		 loopback_any_port;	/* RFC 8252 section 7.3 */
	bool		 redirect_https_only;
	struct connector_capture capture[EX_VARS];
	size_t		 ncapture;
	/* Where the answer has what (common/jsonpath.h); no paths: where RFC 6749 has it. */
	char		*reply_root[CONNECTOR_PATHS];	/* the first with an access token counts */
	size_t		 nreply_root;
	char		*reply_access_token, *reply_refresh_token, *reply_id_token,
			*reply_token_type, *reply_scope;
	char		*reply_token_type_is;	/* what callers are told, whatever it says; or NULL */
	char		*reply_expires, *reply_refresh_expires;
	enum expiry_unit reply_expires_unit, reply_refresh_expires_unit;
	struct name_value reply_success[4];	/* path, and the text its value must have */
	size_t		 nreply_success;
	char		*reply_error[CONNECTOR_PATHS];
	size_t		 nreply_error;
	char		*reply_error_text[CONNECTOR_PATHS];
	size_t		 nreply_error_text;
	struct connector_error error_map[CONNECTOR_ERRORS];
	size_t		 nerror_map;
	/* How callers show what they got; egress does the same in the test call. */
	char		*token_header, *token_prefix;	/* NULL: Authorization, and the token's type */
	char		*api_key_header, *api_key_query;	/* one of the two */
	char		*api_key_prefix, *api_key_label;
	char		*basic_username, *basic_password;	/* not asked for: always this */
	char		*basic_username_label, *basic_password_label;
	struct connector_header secret_header[EX_SECRETS];
	size_t		 nsecret_headers;
	/* What who makes a connection may say, and is sent along: a parameter; of a JWT a claim. */
	char		*grant_params[CONNECTOR_LIST];
	size_t		 ngrant_params;
	struct name_value device_params[CONNECTOR_LIST];
	size_t		 ndevice_params;
	char		*assertion_audience;	/* a text, or "token_url"; NULL: the issuer */
	enum assertion_header assertion_header;
	unsigned	 assertion_alg;		/* enum jws_alg; 0: RS256 or ES256 by the key */
	char		*requirements;		/* what must be done at the provider first; or NULL */
	char		*notes;			/* what one should know of it; or NULL */
	char		*status_url;		/* where it says that it is down; or NULL */
	char		*unverified;		/* what of this file nobody has checked; NULL */
};

struct catalogue {
	struct connector *v;	/* sorted by id */
	size_t		  n;
	struct connector *old;	/* former versions: by id, then version */
	size_t		  nold;
};

/* Is any of its authentication types one that an OAuth app asks with? */
bool connector_has_apps(const struct connector *c);

/* What somebody has to bring for a connection of one type, by the name Create knows it by. */
struct connector_secret { const char *name, *label; };
/* Of type T, in the order in which they are asked for. Texts are C's. Returns how many. */
size_t connector_secrets(const struct connector *c, enum auth_type t,
    struct connector_secret ret[EX_SECRETS]);

/* Reads every *.json in DIR, and former versions in DIR/old if there is one. All or nothing. Errors:
 * ERR_CONNECTOR_INVALID, V_IO. */
int catalogue_load(const char *dir, struct catalogue *ret, struct err *e);
/* One file; for `vaultctl connector check`. The caller frees with connector_done(). */
int connector_load(const char *path, struct connector *ret, struct err *e);
/* The same from memory, for the fuzzer; FILE is what errors call it. */
int connector_parse(const char *file, struct slice text, struct connector *ret, struct err *e);
void connector_done(struct connector *c);
void catalogue_done(struct catalogue *c);
/* The ids, in order, C->n of them; the array is the caller's to free(), the texts are borrowed.
 * NULL: out of memory. */
const char **catalogue_ids(const struct catalogue *c);
/* What new apps and connections are made with; ID may be an alias. */
const struct connector *catalogue_find(const struct catalogue *c, const char *id);
/*
 * What an app or connection made with VERSION of ID goes by: that version, or the next one that there
 * is. NULL: the connector was withdrawn.
 */
const struct connector *catalogue_pinned(const struct catalogue *c, const char *id,
    uint32_t version);
/* The word that C has for KEY, of those in connectors/keys.c; "" for what is no such key. */
const char *connector_word(const struct connector *c, const char *key);
/* Is the test call meant for connections of type T? */
bool connector_probes(const struct connector *c, enum auth_type t);

/* NULL: nothing of this name (LEN bytes) is captured. */
const struct connector_capture *connector_capture_find(const struct connector *c,
    const char *name, size_t len);
/* The parameter of a redirect that K is captured from; NULL: K is captured from the answer. */
const char *connector_callback_name(const struct connector_capture *k);
/* What C says a provider's error NAME means, at a refresh or at the exchange of a code; ERR_NONE:
 * nothing. C may be NULL. */
unsigned connector_error(const struct connector *c, const char *name, bool refresh);

/*
 * Expands {name} in TEMPLATE from VARS and the variables' defaults. Values are host
 * labels ([A-Za-z0-9.-]) unless the variable is a url; the result must be https (or
 * http on loopback never) and end in the variable's suffix. Errors: ERR_INVALID_PARAMETER
 * naming the variable. Names of captures stay as they are: connector_fill().
 */
int connector_expand(const struct connector *c, const char *template,
    const struct ex_vars *vars, char *ret, size_t cap, struct err *e);
/* Puts what was captured (and checked then) in the place of {name}. FALSE: one is missing, or the
 * whole does not fit; RET is not whole then. */
bool connector_fill(const char *template, const struct ex_vars *captured, char *ret, size_t cap);
/* The same for a parameter or scope: {name} of a variable alone is replaced, and the value need not be
 * a URL. */
int connector_expand_text(const struct connector *c, const char *template,
    const struct ex_vars *vars, char *ret, size_t cap, struct err *e);
/* Every one of VARS is one of C's variables. Errors: ERR_INVALID_PARAMETER naming it, with what was
 * probably meant. */
int connector_check_vars(const struct connector *c, const struct ex_vars *vars, struct err *e);

/*
 * oauth.h - what goes out: authorization URLs and token requests (RFC 6749, 7636, 9207).
 */
#pragma once

#include "egress/destination.h"
#include "egress/http.h"

/* A request body and its Authorization header, in locked memory. */
struct token_request {
	struct secret	body, authorization;	/* authorization empty = none */
	const char	*content_type;
	const struct app_key *tls;		/* the app shows itself with it; borrowed from the app */
};
void token_request_done(struct token_request *t);

/* What a token request is made of; of a kind only what it needs is looked at. */
struct token_asking {
	enum exchange_kind	   kind;
	const struct app_secret	  *app;
	const struct flow_secret  *flow;	/* CODE, DEVICE */
	const struct secret	  *code;	/* CODE */
	const struct grant_secret *grant;	/* the others */
	const char		  *scope;	/* of those that have no sign-in */
};
/* May ask vault-hsm to sign, as those below. */
int token_request_make(struct egress *x, const struct connector *c,
    const struct token_asking *q,
    struct token_request *ret, struct err *e);

/* RFC 8628 section 3.1: asks for the codes of a device. */
int device_request_make(struct egress *x, const struct connector *c,
    const struct app_secret *app, const char *scope, struct token_request *ret, struct err *e);

/* A question about TOKEN, with a HINT at what it is (RFC 7009 section 2.1, 7662 section 2.1), and
 * who asks; CLIENT false: the token alone. */
int about_token_make(struct egress *x, const struct app_secret *app, const struct secret *token,
    const char *hint, bool client, struct token_request *ret, struct err *e);

/* The client as itself (RFC 6749 section 4.4), for SCOPE, which may be "". */
int client_request_make(struct egress *x, const struct connector *c,
    const struct app_secret *app, const char *scope, struct token_request *ret, struct err *e);

/* Sends T by Q, whose method, URL and time are set. */
void token_request_send(struct egress *x, const struct token_request *t,
    struct http_request *q, struct http_answer *ret);

/* Adds "&name=value" (or the first without '&'), form-encoded. */
int form_add(struct secret *body, const char *name, const void *value, size_t len,
    struct err *e);

/* "Basic ..." of RFC 6749 section 2.3.1, or without its encoding (RAW). */
int basic_make(const char *id, const struct secret *password, bool raw, struct secret *ret,
    struct err *e);

/* The same parameters as authorization_url() puts into its URL, and the client: RFC 9126. */
int par_request_make(struct egress *x, const struct connector *c, const struct app_secret *app,
    const struct flow_secret *f, const char *scope, const char *state,
    struct token_request *ret, struct err *e);
/* The URL that goes with what was pushed. */
int par_authorization_url(const struct app_secret *app, const char *request_uri, char *ret,
    size_t cap, struct err *e);

/* The URL to open, with PKCE S256, state, and a nonce where `openid` is asked for. */
int authorization_url(const struct connector *c, const struct app_secret *app,
    const struct flow_secret *f, const char *scope, const char *state, char *ret, size_t cap,
    struct err *e);

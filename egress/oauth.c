/*
 * oauth.c - see oauth.h.
 */
#include "egress/oauth.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/json.h"
#include "egress/assert.h"

void
token_request_done(struct token_request *t)
{
	secret_done(&t->body);
	secret_done(&t->authorization);
}

/* ---- encoding */

static bool
unreserved(unsigned char c)
{
	return isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

/* application/x-www-form-urlencoded; every other byte as %XX. */
static int
encode(struct secret *to, const void *value, size_t len, struct err *e)
{
	static const char digits[] = "0123456789ABCDEF";
	const unsigned char *p = value;

	for (size_t i = 0; i < len; i++) {
		char x[3] = { '%', digits[p[i] >> 4], digits[p[i] & 15] };

		if (secret_append(to, unreserved(p[i]) ? (const char *)&p[i] : x,
			unreserved(p[i]) ? 1 : 3, e) != 0)
			return e->code;
	}
	return 0;
}

int
form_add(struct secret *body, const char *name, const void *value, size_t len,
    struct err *e)
{
	if (body->len > 0 && secret_append(body, "&", 1, e) != 0)
		return e->code;
	if (secret_append(body, name, strlen(name), e) != 0 ||
	    secret_append(body, "=", 1, e) != 0)
		return e->code;
	return encode(body, value, len, e);
}

static int
json_add(struct secret *body, const char *name, const void *value, size_t len,
    struct err *e)
{
	if (secret_append(body, body->len == 0 ? "{" : ",", 1, e) != 0 ||
	    json_quote_secret(body, name, strlen(name), e) != 0 ||
	    secret_append(body, ":", 1, e) != 0)
		return e->code;
	return json_quote_secret(body, value, len, e);
}

int
basic_make(const char *id, const struct secret *password, bool raw, struct secret *ret,
    struct err *e)
{
	AUTO(secret) pair = { 0 };
	size_t n = strlen(id);
	int rc = raw ? secret_append(&pair, id, n, e) : encode(&pair, id, n, e);

	if (rc == 0)
		rc = secret_append(&pair, ":", 1, e);
	if (rc == 0)
		rc = raw ? secret_append(&pair, password->p, password->len, e) :
			   encode(&pair, password->p, password->len, e);
	if (rc != 0 || secret_set(ret, "Basic ", 6, e) != 0 ||
	    secret_reserve(ret, 6 + pair.len * 4 / 3 + 8, e) != 0)
		return e->code;
	ret->len += (size_t)EVP_EncodeBlock(ret->p + 6, pair.p, (int)pair.len);
	return 0;
}

/* ---- token requests */

struct body {
	struct secret	*to;
	bool		 json;
	int		 rc;
	struct err	*e;
	bool		 has_client_id;
};

static void
add(struct body *b, const char *name, const void *value, size_t len)
{
	if (b->rc == 0)
		b->rc = (b->json ? json_add : form_add)(b->to, name, value, len, b->e);
}

static void
add_str(struct body *b, const char *name, const char *value)
{
	add(b, name, value, strlen(value));
}

/* RFC 7523 section 2.2; signed in the token for this one request. */
static void
add_assertion(struct body *b, struct egress *x, const struct app_secret *app)
{
	AUTO(secret) jwt = { 0 };

	if (b->rc == 0)
		b->rc = assert_client(x, app, &jwt, b->e);
	add_str(b, "client_assertion_type", CLIENT_ASSERTION_TYPE);
	add(b, "client_assertion", jwt.p, jwt.len);
}

static void
add_client(struct body *b, struct egress *x, const struct app_secret *app,
    struct token_request *t)
{
	switch (app->d.client_auth) {
	case CLIENT_BASIC:
	case CLIENT_BASIC_RAW:
		if (app->client_secret.len > 0) {
			if (b->rc == 0)
				b->rc = basic_make(app->client_id, &app->client_secret,
				    app->d.client_auth == CLIENT_BASIC_RAW, &t->authorization, b->e);
			return;
		}
		break;
	case CLIENT_POST:
		if (app->client_secret.len > 0)
			add(b, "client_secret", app->client_secret.p, app->client_secret.len);
		break;
	case CLIENT_PRIVATE_KEY_JWT:
		add_assertion(b, x, app);
		break;
	case CLIENT_TLS:	/* RFC 8705: the handshake shows it */
		t->tls = &app->key;
		break;
	case CLIENT_NONE:
	case CLIENT_AUTH_END:
		break;
	}
	if (!b->has_client_id)
		add_str(b, "client_id", app->client_id);
}

/* Scopes as this provider separates them. */
static void
separate(const char *scope, const char *separator, char *out, size_t cap)
{
	size_t n = 0;

	for (; *scope != '\0' && n + 2 < cap; scope++) {
		if (*scope == ' ')
			n += (size_t)snprintf(out + n, cap - n, "%s", separator);
		else
			out[n++] = *scope;
	}
	out[n < cap ? n : cap - 1] = '\0';
}

static const char *const grant_types[EX_KIND_END] = {
	[EX_CODE] = "authorization_code",
	[EX_REFRESH] = "refresh_token",
	[EX_CLIENT_CREDENTIALS] = "client_credentials",
	[EX_PASSWORD] = "password",
	[EX_DEVICE] = "urn:ietf:params:oauth:grant-type:device_code",
	[EX_JWT_BEARER] = "urn:ietf:params:oauth:grant-type:jwt-bearer",
};

/* Some providers have client credentials under another name (Zoom: account_credentials). */
static const char *
grant_type(const struct connector *c, enum exchange_kind kind)
{
	for (size_t i = 0; kind == EX_CLIENT_CREDENTIALS && i < c->ntoken_params; i++)
		if (strcmp(c->token_params[i].name, "grant_type") == 0)
			return c->token_params[i].value;
	return grant_types[kind];
}

static void
add_scope(struct body *b, const struct connector *c, const char *scope)
{
	char text[EX_SCOPE + 64];

	separate(scope, c->scope_separator, text, sizeof text);
	if (text[0] != '\0')
		add_str(b, "scope", text);
}

static void
add_params(struct body *b, const struct ex_vars *v)
{
	for (size_t i = 0; i < v->n; i++)
		add_str(b, v->v[i].name, v->v[i].value);
}

/* What the connector adds, of the variables the app was registered with. */
static void
add_pairs(struct body *b, const struct connector *c, const struct destination *d,
    const struct name_value *v, size_t n)
{
	char text[1024];

	for (size_t i = 0; i < n && b->rc == 0; i++) {
		if (strcmp(v[i].name, "grant_type") == 0)
			continue;	/* it was put before */
		b->rc = connector_expand_text(c, v[i].value, &d->vars, text, sizeof text, b->e);
		add_str(b, v[i].name, text);
	}
}

/* RFC 7523 section 2.1: signed anew each time; the params are its claims, `sub` for whom it is. */
static void
add_grant_assertion(struct body *b, struct egress *x, const struct token_asking *q)
{
	const struct ex_vars *v = &q->grant->params;
	const char *subject = ex_var(v, "sub");
	struct name_value claims[EX_VARS];
	AUTO(secret) jwt = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < v->n; i++)
		if (strcmp(v->v[i].name, "sub") != 0)
			claims[n++] = (struct name_value){ (char *)v->v[i].name,
				(char *)v->v[i].value };
	if (b->rc == 0)
		b->rc = assert_grant(x, q->app, subject == NULL ? "" : subject, q->scope, claims, n,
		    &jwt, b->e);
	add(b, "assertion", jwt.p, jwt.len);
}

/* What is shown in exchange for tokens. */
static void
add_grant(struct body *b, struct egress *x, const struct connector *c,
    const struct token_asking *q)
{
	switch (q->kind) {
	case EX_CODE:
		add(b, "code", q->code->p, q->code->len);
		add_str(b, "redirect_uri", q->flow->redirect_uri);
		if (c->pkce)
			add(b, "code_verifier", q->flow->verifier.p, q->flow->verifier.len);
		return;
	case EX_REFRESH:	/* no scope: as it was granted */
		add(b, "refresh_token", q->grant->refresh_token.p, q->grant->refresh_token.len);
		return;
	case EX_DEVICE:
		add(b, "device_code", q->flow->verifier.p, q->flow->verifier.len);
		return;
	case EX_PASSWORD:
		add_str(b, "username", q->grant->username);
		add(b, "password", q->grant->password.p, q->grant->password.len);
		break;
	case EX_JWT_BEARER:	/* its params are claims */
		add_grant_assertion(b, x, q);
		add_scope(b, c, q->scope);
		return;
	case EX_CLIENT_CREDENTIALS:
	case EX_KIND_END:
		break;
	}
	add_scope(b, c, q->scope);
	add_params(b, &q->grant->params);
}

static void
start_body(struct body *b, struct token_request *t)
{
	t->content_type = b->json ? "application/json" : "application/x-www-form-urlencoded";
}

static int
end_body(struct body *b, struct egress *x, const struct app_secret *app, struct token_request *t)
{
	add_client(b, x, app, t);
	if (b->rc == 0 && b->json)
		b->rc = secret_append(&t->body, "}", 1, b->e);
	return b->rc;
}

int
token_request_make(struct egress *x, const struct connector *c, const struct token_asking *q,
    struct token_request *t, struct err *e)
{
	struct body b = { .to = &t->body, .json = c->body_json, .e = e };

	start_body(&b, t);
	add_str(&b, "grant_type", grant_type(c, q->kind));
	add_grant(&b, x, c, q);
	add_pairs(&b, c, &q->app->d, c->token_params, c->ntoken_params);
	if (q->kind == EX_REFRESH)
		add_pairs(&b, c, &q->app->d, c->refresh_params, c->nrefresh_params);
	return end_body(&b, x, q->app, t);
}

int
device_request_make(struct egress *x, const struct connector *c, const struct app_secret *app,
    const char *scope, struct token_request *t, struct err *e)
{
	struct body b = { .to = &t->body, .e = e };

	start_body(&b, t);
	add_scope(&b, c, scope);
	add_pairs(&b, c, &app->d, c->device_params, c->ndevice_params);
	return end_body(&b, x, app, t);
}

int
client_request_make(struct egress *x, const struct connector *c,
    const struct app_secret *app, const char *scope, struct token_request *t, struct err *e)
{
	static const struct grant_secret none;
	struct token_asking q = { .kind = EX_CLIENT_CREDENTIALS, .app = app, .grant = &none,
		.scope = scope };

	return token_request_make(x, c, &q, t, e);
}

int
about_token_make(struct egress *x, const struct app_secret *app, const struct secret *token,
    const char *hint, bool client, struct token_request *ret, struct err *e)
{
	struct body b = { .to = &ret->body, .e = e };

	ret->content_type = "application/x-www-form-urlencoded";
	add(&b, "token", token->p, token->len);
	if (client) {
		add_str(&b, "token_type_hint", hint);
		add_client(&b, x, app, ret);
	}
	return b.rc;
}

void
token_request_send(struct egress *x, const struct token_request *t,
    struct http_request *q, struct http_answer *ret)
{
	q->body = t->body.len > 0 || strcmp(q->method, "POST") == 0 ? &t->body : NULL;
	q->content_type = t->content_type;
	q->authorization = t->authorization.len > 0 ? &t->authorization : NULL;
	q->tls = t->tls;
	http_send(x, q, ret);
}

/* ---- authorization URL */

static int
challenge_of(const struct secret *verifier, char out[64])
{
	unsigned char hash[32];

	sha256((struct slice){ verifier->p, verifier->len }, hash);
	b64url_encode(hash, sizeof hash, out);
	return 0;
}

static void
add_authorize(struct body *b, const struct connector *c, const struct app_secret *app,
    const struct flow_secret *f, const char *scope, const char *state)
{
	char text[64];

	add_str(b, "response_type", "code");
	add_str(b, "client_id", app->client_id);
	add_str(b, "redirect_uri", f->redirect_uri);
	add_scope(b, c, scope);
	add_str(b, "state", state);
	if (f->nonce[0] != '\0')
		add_str(b, "nonce", f->nonce);
	if (c->pkce) {
		challenge_of(&f->verifier, text);
		add_str(b, "code_challenge", text);
		add_str(b, "code_challenge_method", "S256");
	}
	add_pairs(b, c, &app->d, c->authorize_params, c->nauthorize_params);
}

static int
put_query(const struct app_secret *app, const struct secret *q, char *ret, size_t cap,
    struct err *e)
{
	const char *url = app->d.authorization_url;

	if (strlen(url) + 1 + q->len + 1 > cap)
		return err_set(e, V_LIMIT, "the authorization URL is too long");
	snprintf(ret, cap, "%s%c%.*s", url, strchr(url, '?') != NULL ? '&' : '?', (int)q->len,
	    (const char *)q->p);
	return 0;
}

int
authorization_url(const struct connector *c, const struct app_secret *app,
    const struct flow_secret *f, const char *scope, const char *state, char *ret, size_t cap,
    struct err *e)
{
	AUTO(secret) q = { 0 };
	struct body b = { .to = &q, .e = e };

	add_authorize(&b, c, app, f, scope, state);
	return b.rc != 0 ? b.rc : put_query(app, &q, ret, cap, e);
}

int
par_request_make(struct egress *x, const struct connector *c, const struct app_secret *app,
    const struct flow_secret *f, const char *scope, const char *state,
    struct token_request *t, struct err *e)
{
	struct body b = { .to = &t->body, .e = e };

	start_body(&b, t);
	add_authorize(&b, c, app, f, scope, state);
	b.has_client_id = true;
	return end_body(&b, x, app, t);
}

int
par_authorization_url(const struct app_secret *app, const char *request_uri, char *ret,
    size_t cap, struct err *e)
{
	AUTO(secret) q = { 0 };
	struct body b = { .to = &q, .e = e };

	add_str(&b, "client_id", app->client_id);
	add_str(&b, "request_uri", request_uri);
	return b.rc != 0 ? b.rc : put_query(app, &q, ret, cap, e);
}

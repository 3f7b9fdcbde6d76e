/*
 * account.c - see account.h.
 */
#include "egress/account.h"

#include <stdio.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/json.h"
#include "common/jsonpath.h"
#include "common/log.h"
#include "egress/diagnose.h"
#include "egress/egress.h"
#include "egress/http.h"
#include "egress/oauth.h"
#include "egress/reply.h"

#define PROBE_S		15
#define ACCOUNT_S	6	/* shorter than vaultd waits when it asks about an attempt */

static int
put(struct secret *to, const char *text, struct err *e)
{
	return secret_append(to, text, strlen(text), e);
}

int
fragment_make(const struct secret *token, const char *token_type, const char *scope,
    struct secret *ret, struct err *e)
{
	if (put(ret, "\"access_token\":", e) != 0 ||
	    json_quote_secret(ret, (const char *)token->p, token->len, e) != 0 ||
	    put(ret, ",\"token_type\":", e) != 0 ||
	    json_quote_secret(ret, token_type, strlen(token_type), e) != 0 ||
	    put(ret, ",\"scope\":", e) != 0)
		return e->code;
	return json_quote_secret(ret, scope, strlen(scope), e);
}

static void
read_account(const struct connector *c, const struct secret *body, char *out, size_t cap)
{
	if (c->account_from == ACCOUNT_PROBE)
		reply_member((struct slice){ body->p, body->len }, c->account_member, out, cap);
}

/* One line of a header: no token of any kind holds anything but visible ASCII. */
static bool
fits_header(const struct secret *token)
{
	for (size_t i = 0; i < token->len; i++)
		if (token->p[i] <= 0x20 || token->p[i] >= 0x7f)
			return false;
	return token->len > 0;
}

/* A test call: where the token goes, and what else belongs to it. */
static int
probe_request(const struct connector *c, const struct secret *token, struct http_request *q,
    struct secret *auth, struct secret *body, struct err *e)
{
	q->method = c->probe_method == PROBE_POST ? "POST" : "GET";
	http_headers(q, c->headers, c->nheaders);
	http_headers(q, c->probe_headers, c->nprobe_headers);
	if (c->probe_token == PROBE_FORM) {
		q->body = body;
		q->content_type = "application/x-www-form-urlencoded";
		return form_add(body, "access_token", token->p, token->len, e);
	}
	q->authorization = auth;
	q->authorization_name = c->token_header;
	if (c->probe_method == PROBE_POST) {
		q->body = body;
		q->content_type = c->probe_body != NULL ? "application/json" : NULL;
		if (put(body, c->probe_body != NULL ? c->probe_body : "", e) != 0)
			return e->code;
	}
	if (c->token_prefix != NULL ? put(auth, c->token_prefix, e) != 0 :
	    put(auth, c->probe_scheme, e) != 0 || put(auth, " ", e) != 0)
		return e->code;
	return secret_append(auth, token->p, token->len, e);
}

static bool
holds(const json_t *v, const char *text)
{
	if (json_is_boolean(v))
		return strcmp(text, json_is_true(v) ? "true" : "false") == 0;
	return json_is_string(v) && strcmp(json_string_value(v), text) == 0;
}

/* Some providers answer 200 to anything (Slack). */
bool
answer_succeeded(const struct connector *c, const struct secret *body)
{
	json_auto_t *o = NULL;
	struct err e;

	if (c->nprobe_success == 0)
		return true;
	o = json_parse((struct slice){ body->p, body->len }, HTTP_ANSWER_MAX, &e);
	for (size_t i = 0; i < c->nprobe_success; i++)
		if (!holds(jsonpath_get(o, c->probe_success[i].name),
			c->probe_success[i].value))
			return false;
	return true;
}

static void
judge(const struct connector *c, const struct http_answer *a, char *out, size_t cap,
    struct err *e)
{
	e->code = 0;
	if (a->phase != PHASE_ANSWERED)
		*e = a->err;
	else if (diagnose_probe(a, e) == 0 && !answer_succeeded(c, &a->body))
		err_name(e, ERR_KEY_REJECTED, "the provider answered %u to a test call, and in it "
		    "that what it was shown is not good", a->status);
	else if (e->code == 0)
		read_account(c, &a->body, out, cap);
}

int
fragment_token(const struct secret *fragment, struct secret *ret, struct err *e)
{
	AUTO(secret) text = { 0 };
	json_auto_t *o = NULL;
	json_t *v;

	if (secret_set(&text, "{", 1, e) != 0 ||
	    secret_append(&text, fragment->p, fragment->len, e) != 0 ||
	    secret_append(&text, "}", 1, e) != 0)
		return e->code;
	o = json_parse((struct slice){ text.p, text.len }, 1u << 20, e);
	v = json_object_get(o, "access_token");
	if (!json_is_string(v))
		return err_set(e, V_CORRUPT, "the sealed token is not readable");
	return secret_set(ret, json_string_value(v), json_string_length(v), e);
}

static int
probe(struct egress *x, const struct connector *c, const struct destination *d,
    const struct secret *token, unsigned timeout_s, char *out, size_t cap, struct err *e)
{
	AUTO(secret) auth = { 0 }, body = { 0 };
	struct http_request q = { .url = d->probe_url, .timeout_s = timeout_s };
	struct http_answer a = { 0 };

	if (!fits_header(token))
		return err_parameter(e, "token", "a token is visible ASCII without spaces");
	/* What is captured is not known before a sign-in, and never of a token that is brought. */
	if (d->probe_url[0] == '\0' || strchr(d->probe_url, '{') != NULL)
		return 0;
	if (probe_request(c, token, &q, &auth, &body, e) != 0)
		return e->code;
	http_send(x, &q, &a);
	judge(c, &a, out, cap, e);
	http_answer_done(&a);
	return (int)e->code;
}

int
token_probe(struct egress *x, const struct connector *c, const struct destination *d,
    const struct secret *token, char *out, size_t cap, struct err *e)
{
	return probe(x, c, d, token, PROBE_S, out, cap, e);
}

/* ---- the same with what is no token */

/* "Name: value", ended by NUL. */
static int
add_line(const struct shown *v, size_t i, struct secret *line, struct err *e)
{
	if (put(line, v->header[i].name, e) != 0 || put(line, ": ", e) != 0 ||
	    secret_append(line, v->header[i].value.p, v->header[i].value.len, e) != 0)
		return e->code;
	return secret_append(line, "", 1, e);
}

/* The probe URL with the parameter, ended by NUL. */
static int
add_query(const struct destination *d, const struct shown *v, struct secret *url, struct err *e)
{
	AUTO(secret) pair = { 0 };

	if (form_add(&pair, v->query, v->value.p, v->value.len, e) != 0 ||
	    put(url, d->probe_url, e) != 0 ||
	    put(url, strchr(d->probe_url, '?') == NULL ? "?" : "&", e) != 0 ||
	    secret_append(url, pair.p, pair.len, e) != 0)
		return e->code;
	return secret_append(url, "", 1, e);
}

static int
shown_request(const struct connector *c, const struct destination *d, const struct shown *v,
    struct http_request *q, struct secret line[EX_SECRETS], struct secret *url,
    struct secret *body, struct err *e)
{
	q->url = d->probe_url;
	q->method = c->probe_method == PROBE_POST ? "POST" : "GET";
	for (size_t i = 0; i < v->n; i++) {
		char *text;

		if (add_line(v, i, &line[i], e) != 0)
			return e->code;
		text = (char *)line[i].p;
		http_headers(q, &text, 1);
	}
	http_headers(q, c->probe_headers, c->nprobe_headers);
	http_headers(q, c->headers, c->nheaders);
	if (c->probe_method == PROBE_POST) {
		q->body = body;
		q->content_type = c->probe_body != NULL ? "application/json" : NULL;
		if (put(body, c->probe_body != NULL ? c->probe_body : "", e) != 0)
			return e->code;
	}
	if (v->query == NULL)
		return 0;
	if (add_query(d, v, url, e) != 0)
		return e->code;
	q->url = (const char *)url->p;
	return 0;
}

int
shown_probe(struct egress *x, const struct connector *c, const struct destination *d,
    const struct shown *v, char *out, size_t cap, struct err *e)
{
	struct secret line[EX_SECRETS] = { 0 };
	AUTO(secret) url = { 0 }, body = { 0 };
	struct http_request q = { .timeout_s = PROBE_S };
	struct http_answer a = { 0 };
	int rc;

	if (d->probe_url[0] == '\0')
		return 0;
	rc = shown_request(c, d, v, &q, line, &url, &body, e);
	if (rc == 0) {
		http_send(x, &q, &a);
		judge(c, &a, out, cap, e);
		rc = (int)e->code;
	}
	http_answer_done(&a);
	for (size_t i = 0; i < v->n; i++)
		secret_done(&line[i]);
	return rc;
}

void
account_probe(struct egress *x, const struct connector *c, const struct destination *d,
    const struct ex_vars *captured, const struct secret *token, char *out, size_t cap)
{
	struct destination to = *d;
	struct err e;

	if (!connector_fill(d->probe_url, captured, to.probe_url, sizeof to.probe_url))
		return;
	if (probe(x, c, &to, token, ACCOUNT_S, out, cap, &e) != 0)
		log_info("the account of a new connection is not known: %s", e.text);
}

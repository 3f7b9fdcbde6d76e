/*
 * signin.c - beginning a sign-in: of an authorization code, whose parameters are pushed where the
 * provider takes them so (RFC 9126), and of a device (RFC 8628).
 */
#include "egress/signin.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/json.h"
#include "common/scope.h"
#include "egress/diagnose.h"
#include "egress/egress.h"
#include "egress/oauth.h"
#include "egress/ops.h"

#define ASK_S		20
#define INTERVAL_S	5	/* RFC 8628 section 3.2 */
#define INTERVAL_MAX_S	300
#define DEVICE_MAX_S	3600

struct signin {
	struct begin		 q;
	const struct connector	*c;
	struct app_secret	 app;
	struct flow_secret	 flow;
};

static void
signin_free(void *p)
{
	struct signin *s = p;

	app_secret_done(&s->app);
	flow_secret_done(&s->flow);
	free(s);
}

/* ---- what comes back */

/* Something to open or to enter: visible, whole. */
static bool
take_visible(const json_t *v, char *ret, size_t cap)
{
	const char *s = json_string_value(v);
	size_t n = s == NULL ? 0 : strlen(s);

	if (n == 0 || n >= cap)
		return false;
	for (size_t i = 0; i < n; i++)
		if (s[i] < 0x20 || s[i] > 0x7e)
			return false;
	memcpy(ret, s, n + 1);
	return true;
}

static bool
take_link(const json_t *v, char *ret, size_t cap)
{
	return take_visible(v, ret, cap) && strncmp(ret, "https://", 8) == 0 &&
	    strpbrk(ret, " \"<>") == NULL;
}

static uint32_t
take_seconds(const json_t *v, uint32_t otherwise, uint32_t max)
{
	double s = json_is_number(v) ? json_number_value(v) :
	    json_is_string(v) ? atof(json_string_value(v)) : otherwise;

	return !(s >= 1) ? otherwise : s > max ? max : (uint32_t)s;
}

int
device_reply(struct slice body, struct secret *ret_code, struct begin_result *ret,
    struct err *e)
{
	json_auto_t *o = json_parse(body, HTTP_LARGE, e);
	const json_t *code = json_object_get(o, "device_code");
	const json_t *uri = json_object_get(o, "verification_uri");

	if (uri == NULL)
		uri = json_object_get(o, "verification_url");	/* before the RFC; Google */
	if (!json_is_string(code) || json_string_length(code) == 0 ||
	    !take_visible(json_object_get(o, "user_code"), ret->user_code, sizeof ret->user_code) ||
	    !take_link(uri, ret->verification_uri, sizeof ret->verification_uri))
		return err_name(e, ERR_BAD_ANSWER, "the provider's answer holds no codes for a device");
	if (!take_link(json_object_get(o, "verification_uri_complete"),
		ret->verification_uri_complete, sizeof ret->verification_uri_complete))
		ret->verification_uri_complete[0] = '\0';
	ret->interval_s = take_seconds(json_object_get(o, "interval"), INTERVAL_S, INTERVAL_MAX_S);
	ret->expires_in_s = take_seconds(json_object_get(o, "expires_in"), 300, DEVICE_MAX_S);
	return secret_set(ret_code, json_string_value(code), json_string_length(code), e);
}

int
pushed_reply(struct slice body, char *ret_uri, size_t cap, struct err *e)
{
	json_auto_t *o = json_parse(body, HTTP_LARGE, e);

	if (take_visible(json_object_get(o, "request_uri"), ret_uri, cap))
		return 0;
	return err_name(e, ERR_BAD_ANSWER, "the provider took the request and gave it no name");
}

/* ---- asking */

/* An answer that is none of the two: why. */
static int
refused(const struct signin *s, const struct http_answer *a, struct err *e)
{
	struct exchange_result res = { 0 };
	struct reply p = { 0 };
	struct facts facts = { .asked = ASKED_CODE, .connector = s->c,
		.client_auth = s->app.d.client_auth,
		.reserved = secret_is_reserved(&s->app.client_secret) };
	struct err ignored;
	int rc = reply_parse((struct slice){ a->body.p, a->body.len }, a->content_type, s->c, &p,
	    &ignored);

	redact(p.error, sizeof p.error, &s->app.client_secret);
	redact(p.description, sizeof p.description, &s->app.client_secret);
	redact(p.description, sizeof p.description, &s->flow.verifier);
	diagnose(&facts, a, rc == 0 ? &p : NULL, &res);
	*e = res.err;
	reply_done(&p);
	if (e->code == 0)	/* tokens, of all things */
		err_name(e, ERR_BAD_ANSWER, "the provider answered something else");
	return e->code;
}

static int
ask(struct job *j, struct signin *s, const char *url, const struct token_request *t,
    struct http_answer *a, struct err *e)
{
	struct http_request q = { .method = "POST", .url = url, .timeout_s = ASK_S };

	token_request_send(j->x, t, &q, a);
	if (a->phase != PHASE_ANSWERED) {
		*e = a->err;
		return (int)e->code;
	}
	return a->status >= 200 && a->status < 300 ? 0 : refused(s, a, e);
}

static int
answer(struct job *j, struct signin *s, struct begin_result *res, struct err *e)
{
	AUTO(secret) plain = { 0 }, dek = { 0 };

	if (flow_secret_put(&s->flow, &plain, e) != 0 ||
	    keys_make(j->x, PURPOSE_GRANT, &s->q.pending, &dek, &res->wrap, e) != 0 ||
	    keys_seal(j->x, PURPOSE_GRANT, &s->q.pending, 1, &dek,
		(struct slice){ plain.p, plain.len }, &res->blob, e) != 0)
		return e->code;
	begin_result_put(&j->answer, res);
	return 0;
}

static int
par_perform(struct job *j, struct err *e)
{
	struct signin *s = j->state;
	AUTO(begin_result) res = { 0 };
	AUTO(token_request) t = { 0 };
	struct http_answer a = { 0 };
	char uri[EX_URL];
	int rc = par_request_make(j->x, s->c, &s->app, &s->flow, s->q.scope, s->q.state, &t, e);

	if (rc == 0)
		rc = ask(j, s, s->app.d.par_url, &t, &a, e);
	if (rc == 0)
		rc = pushed_reply((struct slice){ a.body.p, a.body.len }, uri, sizeof uri, e);
	if (rc == 0)
		rc = par_authorization_url(&s->app, uri, res.authorization_url,
		    sizeof res.authorization_url, e);
	http_answer_done(&a);
	return rc == 0 ? answer(j, s, &res, e) : rc;
}

static int
device_perform(struct job *j, struct err *e)
{
	struct signin *s = j->state;
	AUTO(begin_result) res = { 0 };
	AUTO(token_request) t = { 0 };
	struct http_answer a = { 0 };
	int rc = device_request_make(j->x, s->c, &s->app, s->q.scope, &t, e);

	if (rc == 0)
		rc = ask(j, s, s->app.d.device_url, &t, &a, e);
	if (rc == 0)
		rc = device_reply((struct slice){ a.body.p, a.body.len }, &s->flow.verifier, &res, e);
	http_answer_done(&a);
	return rc == 0 ? answer(j, s, &res, e) : rc;
}

/* ---- EGRESS_BEGIN */

static int
make_flow(struct signin *s, struct err *e)
{
	struct flow_secret *f = &s->flow;
	unsigned char raw[48];
	char text[65];
	int rc;

	f->d = s->app.d;
	f->device = s->q.kind == EX_DEVICE;
	snprintf(f->redirect_uri, sizeof f->redirect_uri, "%s", s->q.redirect_uri);
	if (f->device)
		return 0;
	random_bytes(raw, sizeof raw);
	rc = secret_set(&f->verifier, text, b64url_encode(raw, sizeof raw, text), e);
	explicit_bzero(text, sizeof text);
	if (scope_has(s->q.scope, "openid")) {
		random_bytes(raw, 16);
		b64url_encode(raw, 16, f->nonce);
	}
	explicit_bzero(raw, sizeof raw);
	return rc;
}

static int
open_app(struct job *j, struct signin *s, struct err *e)
{
	AUTO(secret) plain = { 0 };

	if (keys_open(j->x, PURPOSE_GRANT, &s->q.app, &plain, e) != 0 ||
	    app_secret_get(&plain, &s->app, e) != 0)
		return e->code;
	s->c = destination_connector(&j->x->catalogue, &s->app.d);
	if (s->c == NULL)
		return err_name(e, ERR_CONNECTOR_GONE, "connector '%s' is not in the catalogue of "
		    "vault-egress any more", s->app.d.connector);
	return 0;
}

/* Whom it has to ask first; none: the address is made here. */
static int
route(struct job *j, struct signin *s, struct err *e)
{
	AUTO(begin_result) res = { 0 };
	const char *url = s->flow.device ? s->app.d.device_url : s->app.d.par_url;

	if (*url == '\0' && s->flow.device)
		return err_name(e, ERR_AUTH_TYPE_NOT_ALLOWED, "this provider has no sign-in for "
		    "devices");
	if (*url != '\0') {
		j->perform = s->flow.device ? device_perform : par_perform;
		if (http_host(url, j->host, sizeof j->host))
			return 0;
		return err_name(e, ERR_HOST_NOT_ALLOWED, "a sealed URL is not https");
	}
	if (authorization_url(s->c, &s->app, &s->flow, s->q.scope, s->q.state,
		res.authorization_url, sizeof res.authorization_url, e) != 0)
		return e->code;
	return answer(j, s, &res, e);
}

int
begin_prepare(struct job *j, struct err *e)
{
	struct signin *s = calloc(1, sizeof *s);

	must(s != NULL);
	j->state = s;
	j->done_state = signin_free;
	if (begin_get((struct slice){ j->body.p, j->body.len }, &s->q, e) != 0 ||
	    open_app(j, s, e) != 0 || make_flow(s, e) != 0)
		return e->code;
	return route(j, s, e);
}

/*
 * revoke.c - taking a grant back at the provider. See revoke.h.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/json.h"
#include "common/log.h"
#include "egress/account.h"
#include "egress/egress.h"
#include "egress/oauth.h"
#include "egress/ops.h"
#include "egress/revoke.h"

#define REVOKE_S 15

/* ---- EGRESS_REVOKE */

struct revoking {
	const struct connector	*c;
	struct app_secret	 app;
	struct grant_secret	 grant;
	struct secret		 access;	/* the token itself */
};

static void
revoking_free(void *p)
{
	struct revoking *r = p;

	app_secret_done(&r->app);
	grant_secret_done(&r->grant);
	secret_done(&r->access);
	free(r);
}

static int
open_tokens(struct job *j, const struct revoke *q, struct revoking *r, struct err *e)
{
	AUTO(secret) app = { 0 }, fragment = { 0 };
	int rc;

	if (q->grant.blob.len > 0)
		rc = keys_open_grant(j->x, &q->app, &q->grant, &r->app, &r->grant, e);
	else if ((rc = keys_open(j->x, PURPOSE_GRANT, &q->app, &app, e)) == 0)
		rc = app_secret_get(&app, &r->app, e);
	if (rc != 0)
		return rc;
	if (q->release.blob.len > 0 && keys_open(j->x, PURPOSE_RELEASE, &q->release, &fragment,
		e) != 0)
		return e->code;
	return fragment.len == 0 ? 0 : fragment_token(&fragment, &r->access, e);
}

static int revoke_perform(struct job *j, struct err *e);

int
revoke_prepare(struct job *j, struct err *e)
{
	struct revoking *r = calloc(1, sizeof *r);
	struct revoke q = { 0 };

	must(r != NULL);
	j->state = r;
	j->done_state = revoking_free;
	j->perform = revoke_perform;
	if (revoke_get((struct slice){ j->body.p, j->body.len }, &q, e) != 0 ||
	    open_tokens(j, &q, r, e) != 0)
		return e->code;
	r->c = destination_connector(&j->x->catalogue, &r->app.d);
	if (r->app.d.revocation_url[0] != '\0')
		http_host(r->app.d.revocation_url, j->host, sizeof j->host);
	return 0;
}

/* ---- one table: how each provider is told */

enum which { REFRESH_THEN_ACCESS, ACCESS_ONLY, REFRESH_ELSE_ACCESS };
enum where { IN_FORM, IN_FORM_ALONE, IN_JSON, IN_QUERY, IN_PATH, IN_HEADER };
enum shows { SHOWS_NONE, SHOWS_BASIC, SHOWS_TOKEN, SHOWS_CLIENT_SECRET };

static const struct style {
	const char	*method;	/* NULL: there is no way */
	enum which	 which;		/* of the two tokens */
	enum where	 where;		/* the token is */
	enum shows	 authorization;	/* IN_FORM: as at the token endpoint */
	bool		 client_id;	/* in the JSON */
} styles[] = {
	[REVOKE_NONE] = { 0 },
	[REVOKE_RFC7009] = { "POST", REFRESH_THEN_ACCESS, IN_FORM, SHOWS_NONE, false },
	[REVOKE_RFC7009_TOKEN_ONLY] = { "POST", REFRESH_THEN_ACCESS, IN_FORM_ALONE, SHOWS_NONE,
	    false },
	[REVOKE_GITHUB] = { "DELETE", ACCESS_ONLY, IN_JSON, SHOWS_BASIC, false },
	[REVOKE_DELETE_BEARER] = { "DELETE", ACCESS_ONLY, IN_HEADER, SHOWS_TOKEN, false },
	[REVOKE_POST_BEARER] = { "POST", ACCESS_ONLY, IN_HEADER, SHOWS_TOKEN, false },
	[REVOKE_QUERY] = { "POST", REFRESH_ELSE_ACCESS, IN_QUERY, SHOWS_NONE, false },
	[REVOKE_PATH] = { "DELETE", REFRESH_ELSE_ACCESS, IN_PATH, SHOWS_NONE, false },
	[REVOKE_CLIENT_HEADER] = { "POST", ACCESS_ONLY, IN_JSON, SHOWS_CLIENT_SECRET, true },
};

/* What is sent, all of it in locked memory. */
struct sending {
	struct token_request	 t;
	struct secret		 url;
};

static void
sending_done(struct sending *s)
{
	token_request_done(&s->t);
	secret_done(&s->url);
}

static int
add_text(struct secret *to, const char *text, struct err *e)
{
	return secret_append(to, text, strlen(text), e);
}

/* The endpoint, and the token behind it where it goes there. */
static int
make_url(const struct style *style, const char *endpoint, const struct secret *token,
    struct secret *ret, struct err *e)
{
	AUTO(secret) query = { 0 };

	if (add_text(ret, endpoint, e) != 0)
		return e->code;
	if (style->where == IN_QUERY || style->where == IN_PATH) {
		const char *name = style->where == IN_QUERY ? "token" : "";

		if (form_add(&query, name, token->p, token->len, e) != 0 ||
		    add_text(ret, style->where == IN_PATH ? "/" : strchr(endpoint, '?') != NULL ?
		    "&" : "?", e) != 0 || secret_append(ret, query.p + (*name == '\0'),
		    query.len - (*name == '\0'), e) != 0)
			return e->code;
	}
	return secret_append(ret, "", 1, e);
}

static int
make_json(const struct style *style, const struct revoking *r, const struct secret *token,
    struct token_request *t, struct err *e)
{
	t->content_type = "application/json";
	if (add_text(&t->body, "{", e) != 0 ||
	    (style->client_id && (add_text(&t->body, "\"client_id\":", e) != 0 ||
	    json_quote_secret(&t->body, r->app.client_id, strlen(r->app.client_id), e) != 0 ||
	    add_text(&t->body, ",", e) != 0)) ||
	    add_text(&t->body, "\"access_token\":", e) != 0 ||
	    json_quote_secret(&t->body, (const char *)token->p, token->len, e) != 0)
		return e->code;
	return add_text(&t->body, "}", e);
}

static int
make_authorization(const struct style *style, const struct revoking *r,
    const struct secret *token, struct secret *ret, struct err *e)
{
	const struct secret *what = style->authorization == SHOWS_TOKEN ? token :
									 &r->app.client_secret;

	if (style->authorization == SHOWS_NONE)
		return 0;
	if (style->authorization == SHOWS_BASIC)
		return basic_make(r->app.client_id, &r->app.client_secret, true, ret, e);
	if (add_text(ret, style->authorization == SHOWS_TOKEN ? "Bearer " : "Client ", e) != 0)
		return e->code;
	return secret_append(ret, what->p, what->len, e);
}

static int
make_sending(struct egress *x, const struct revoking *r, const struct secret *token, const char *hint,
    struct sending *s, struct err *e)
{
	const struct style *style = &styles[r->c->revoke];
	int rc = make_url(style, r->app.d.revocation_url, token, &s->url, e);

	if (rc == 0 && (style->where == IN_FORM || style->where == IN_FORM_ALONE))
		return about_token_make(x, &r->app, token, hint, style->where == IN_FORM, &s->t, e);
	if (rc == 0 && style->where == IN_JSON)
		rc = make_json(style, r, token, &s->t, e);
	if (rc == 0)
		rc = make_authorization(style, r, token, &s->t.authorization, e);
	return rc;
}

static void
judge(const struct connector *c, const struct http_answer *a, struct revoke_result *res)
{
	res->revoked = a->phase == PHASE_ANSWERED && a->status >= 200 && a->status < 300 &&
	    answer_succeeded(c, &a->body);
	if (a->phase != PHASE_ANSWERED)
		res->err = a->err;
	else if (!res->revoked)
		err_name(&res->err, ERR_PROVIDER_REFUSED, "the provider answered %u to the "
		    "revocation%s", a->status, a->status < 300 ? ", and in it that it did not" : "");
}

static int
revoke_one(struct egress *x, const struct revoking *r, const struct secret *token,
    const char *hint, struct revoke_result *res, struct err *e)
{
	struct sending s = { 0 };
	struct http_answer a = { 0 };
	struct http_request q = { .method = styles[r->c->revoke].method,
		.timeout_s = REVOKE_S, .header = { "User-Agent: vaultd" } };
	int rc = make_sending(x, r, token, hint, &s, e);

	if (rc == 0) {
		q.url = (const char *)s.url.p;
		http_headers(&q, r->c->headers, r->c->nheaders);
		token_request_send(x, &s.t, &q, &a);
		judge(r->c, &a, res);
	}
	sending_done(&s);
	http_answer_done(&a);
	return rc;
}

/* The refresh token first: its end usually ends the access token too (RFC 7009 section 2). */
static int
revoke_perform(struct job *j, struct err *e)
{
	struct revoking *r = j->state;
	const struct style *style = r->c == NULL ? &styles[REVOKE_NONE] : &styles[r->c->revoke];
	struct revoke_result res = { 0 };
	bool refresh = style->which != ACCESS_ONLY && r->grant.refresh_token.len > 0;
	int rc = 0;

	res.supported = style->method != NULL && r->app.d.revocation_url[0] != '\0';
	if (res.supported && refresh)
		rc = revoke_one(j->x, r, &r->grant.refresh_token, "refresh_token", &res, e);
	if (rc == 0 && res.supported && r->access.len > 0 &&
	    (!refresh || (res.revoked && style->which == REFRESH_THEN_ACCESS))) {
		struct revoke_result second = { .supported = true };

		rc = revoke_one(j->x, r, &r->access, "access_token", &second, e);
		if (!refresh)
			res = second;
	}
	if (rc == 0)
		revoke_result_put(&j->answer, &res);
	return rc;
}

void
revoke_later(struct egress *x, const struct connector *c, const struct app_secret *app,
    struct secret *refresh_token, struct secret *access_token)
{
	struct job *j = calloc(1, sizeof *j);
	struct revoking *r = calloc(1, sizeof *r);
	struct err e;

	must(j != NULL && r != NULL);
	j->x = x;
	j->state = r;
	j->done_state = revoking_free;
	j->perform = revoke_perform;
	r->c = c;
	r->app.d = app->d;
	snprintf(r->app.client_id, sizeof r->app.client_id, "%s", app->client_id);
	r->grant.refresh_token = secret_take(refresh_token);
	r->access = secret_take(access_token);
	if (app->d.revocation_url[0] == '\0' || c->revoke == REVOKE_NONE ||
	    !http_host(app->d.revocation_url, j->host, sizeof j->host) ||
	    secret_copy(&r->app.client_secret, &app->client_secret, &e) != 0) {
		job_free(j);
		return;
	}
	if (work_submit(x->work, j, &e) != 0) {
		log_warn("tokens that were refused are not revoked: %s", e.text);
		job_free(j);
	}
}

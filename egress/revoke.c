/*
 * revoke.c - taking a grant back at the provider, and static tokens. See revoke.h.
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

/* The token out of its fragment. */
static int
access_token(const struct secret *fragment, struct secret *ret, struct err *e)
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
	return fragment.len == 0 ? 0 : access_token(&fragment, &r->access, e);
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
	r->c = catalogue_find(&j->x->catalogue, r->app.d.connector);
	if (r->app.d.revocation_url[0] != '\0')
		http_host(r->app.d.revocation_url, j->host, sizeof j->host);
	return 0;
}

/* RFC 7009 section 2.1. */
static int
send_rfc7009(struct egress *x, const struct revoking *r, const struct secret *token,
    const char *hint, struct http_answer *a, struct err *e)
{
	AUTO(token_request) t = { 0 };
	struct http_request q = { .method = "POST", .url = r->app.d.revocation_url,
		.timeout_s = REVOKE_S };
	int rc = about_token_make(&r->app, token, hint, r->c->revoke == REVOKE_RFC7009, &t, e);

	if (rc == 0)
		token_request_send(x, &t, &q, a);
	return rc;
}

static int
send_github(struct egress *x, const struct revoking *r, struct http_answer *a,
    struct err *e)
{
	AUTO(secret) body = { 0 }, auth = { 0 };
	struct http_request q = { .method = "DELETE", .url = r->app.d.revocation_url,
		.body = &body, .content_type = "application/json", .authorization = &auth,
		.timeout_s = REVOKE_S, .header = { "User-Agent: vaultd" } };

	if (secret_set(&body, "{\"access_token\":", 16, e) != 0 ||
	    json_quote_secret(&body, (const char *)r->access.p, r->access.len, e) != 0 ||
	    secret_append(&body, "}", 1, e) != 0 ||
	    basic_make(r->app.client_id, &r->app.client_secret, true, &auth, e) != 0)
		return e->code;
	http_send(x, &q, a);
	return 0;
}

static void
judge(const struct http_answer *a, struct revoke_result *res)
{
	res->revoked = a->phase == PHASE_ANSWERED && a->status >= 200 && a->status < 300;
	if (a->phase != PHASE_ANSWERED)
		res->err = a->err;
	else if (!res->revoked)
		err_name(&res->err, ERR_PROVIDER_REFUSED, "the provider answered %u to the "
		    "revocation", a->status);
}

static int
revoke_one(struct egress *x, const struct revoking *r, const struct secret *token,
    const char *hint, struct revoke_result *res, struct err *e)
{
	struct http_answer a = { 0 };
	int rc = r->c->revoke == REVOKE_GITHUB ? send_github(x, r, &a, e) :
						 send_rfc7009(x, r, token, hint, &a, e);

	if (rc == 0)
		judge(&a, res);
	http_answer_done(&a);
	return rc;
}

/* The refresh token first: its end usually ends the access token too (RFC 7009 section 2). */
static int
revoke_perform(struct job *j, struct err *e)
{
	struct revoking *r = j->state;
	struct revoke_result res = { 0 };
	int rc = 0;

	res.supported = r->c != NULL && r->c->revoke != REVOKE_NONE &&
	    r->app.d.revocation_url[0] != '\0';
	if (res.supported && r->c->revoke != REVOKE_GITHUB && r->grant.refresh_token.len > 0)
		rc = revoke_one(j->x, r, &r->grant.refresh_token, "refresh_token", &res, e);
	if (rc == 0 && res.supported && r->access.len > 0 &&
	    (res.revoked || r->grant.refresh_token.len == 0 || r->c->revoke == REVOKE_GITHUB)) {
		struct revoke_result second = { .supported = true };

		rc = revoke_one(j->x, r, &r->access, "access_token", &second, e);
		if (r->grant.refresh_token.len == 0 || r->c->revoke == REVOKE_GITHUB)
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

/* ---- EGRESS_PAT */

struct static_token {
	struct pat		 q;
	const struct connector	*c;
	struct destination	 d;
};

static void
static_free(void *p)
{
	struct static_token *s = p;

	pat_done(&s->q);
	free(s);
}

static int pat_perform(struct job *j, struct err *e);

int
pat_prepare(struct job *j, struct err *e)
{
	struct static_token *s = calloc(1, sizeof *s);

	must(s != NULL);
	j->state = s;
	j->done_state = static_free;
	j->perform = pat_perform;
	if (pat_get((struct slice){ j->body.p, j->body.len }, &s->q, e) != 0)
		return e->code;
	s->c = catalogue_find(&j->x->catalogue, s->q.connector);
	if (s->c == NULL)
		return err_name(e, ERR_CONNECTOR_UNKNOWN, "connector '%s' is not in the catalogue of "
		    "vault-egress", s->q.connector);
	if (!(s->c->auth_types & AUTH_PAT))
		return err_name(e, ERR_AUTH_TYPE_NOT_ALLOWED, "connector '%s' has no static tokens",
		    s->c->id);
	if (destination_expand(s->c, &s->q.vars, "x", &s->d, e) != 0)
		return e->code;
	if (s->d.probe_url[0] != '\0')
		http_host(s->d.probe_url, j->host, sizeof j->host);
	return 0;
}

static int
pat_perform(struct job *j, struct err *e)
{
	struct static_token *s = j->state;
	struct exchange_result res = { .phase = PHASE_ANSWERED };
	AUTO(secret) text = { 0 }, dek = { 0 };
	int rc;

	rc = token_probe(j->x, s->c, &s->d, &s->q.token, res.account, sizeof res.account, e);
	if (rc == 0)
		rc = fragment_make(&s->q.token, s->c->pat_token_type, "", &text, e);
	if (rc == 0)
		rc = keys_make(j->x, PURPOSE_RELEASE, &s->q.connection, &dek, &res.release_wrap, e);
	if (rc == 0)
		rc = keys_seal(j->x, PURPOSE_RELEASE, &s->q.connection, s->q.release_version, &dek,
		    (struct slice){ text.p, text.len }, &res.release_blob, e);
	if (!connector_fill(s->d.api_base, &res.captured, res.api_base, sizeof res.api_base))
		res.api_base[0] = '\0';
	if (rc == 0)
		exchange_result_put(&j->answer, &res);
	exchange_result_done(&res);
	return rc;
}

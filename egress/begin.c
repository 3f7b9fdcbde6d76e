/*
 * begin.c - registering an app's secret, and beginning a sign-in.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/scope.h"
#include "egress/discovery.h"
#include "egress/egress.h"
#include "egress/http.h"
#include "egress/oauth.h"
#include "egress/ops.h"

/* ---- EGRESS_SEAL_APP */

struct sealing {
	struct seal_app		 q;
	const struct connector	*c;		/* NULL: an app that there is */
	struct app_secret	 app;
	bool			 discover;
};

static void
sealing_free(void *p)
{
	struct sealing *s = p;

	seal_app_done(&s->q);
	app_secret_done(&s->app);
	free(s);
}

static int
choose_client_auth(struct sealing *s, struct err *e)
{
	if (s->q.client_secret.len == 0)
		s->app.d.client_auth = CLIENT_NONE;
	if (s->q.client_auth[0] == '\0')
		return 0;
	if (client_auth_parse(s->q.client_auth, &s->app.d.client_auth))
		return 0;
	err_name(e, ERR_INVALID_PARAMETER, "client_auth is one of: " CLIENT_AUTH_WORDS);
	err_detail(e, "parameter", "client_auth");
	return e->code;
}

static int seal_app_perform(struct job *j, struct err *e);

static int
find(struct job *j, const char *id, const struct connector **ret, struct err *e)
{
	*ret = catalogue_find(&j->x->catalogue, id);
	if (*ret != NULL)
		return 0;
	return err_name(e, ERR_CONNECTOR_UNKNOWN, "connector '%.60s' is not in the catalogue of "
	    "vault-egress", id);
}

/* A new app: where its secrets go is expanded from the connector, and discovered. */
static int
prepare_new(struct job *j, struct sealing *s, struct err *e)
{
	if (find(j, s->q.connector, &s->c, e) != 0)
		return e->code;
	if (!connector_has_apps(s->c))
		return err_name(e, ERR_AUTH_TYPE_NOT_ALLOWED, "connector '%s' has no OAuth apps",
		    s->c->id);
	if (destination_expand(s->c, &s->q.vars, s->q.client_id, &s->app.d, e) != 0 ||
	    choose_client_auth(s, e) != 0)
		return e->code;
	snprintf(s->app.client_id, sizeof s->app.client_id, "%s", s->q.client_id);
	s->discover = s->c->discovery;
	if (s->discover)
		http_host(s->app.d.issuer, j->host, sizeof j->host);
	return 0;
}

/* Another secret for an app: all else is as it was sealed. */
static int
prepare_again(struct job *j, struct sealing *s, struct err *e)
{
	AUTO(secret) plain = { 0 };

	if (keys_open(j->x, PURPOSE_GRANT, &s->q.old, &plain, e) != 0 ||
	    app_secret_get(&plain, &s->app, e) != 0)
		return e->code;
	if (s->app.d.client_auth == CLIENT_NONE)
		return err_name(e, ERR_INVALID_PARAMETER, "this app is registered as a public client, "
		    "which has no secret: register it anew with one");
	return 0;
}

int
seal_app_prepare(struct job *j, struct err *e)
{
	struct sealing *s = calloc(1, sizeof *s);
	int rc;

	must(s != NULL);
	j->state = s;
	j->done_state = sealing_free;
	j->perform = seal_app_perform;
	rc = seal_app_get((struct slice){ j->body.p, j->body.len }, &s->q, e);
	if (rc == 0)
		rc = s->q.old.blob.len == 0 ? prepare_new(j, s, e) : prepare_again(j, s, e);
	if (rc == 0) {
		secret_done(&s->app.client_secret);	/* the one there was */
		s->app.client_secret = secret_take(&s->q.client_secret);
	}
	return rc;
}

static int
seal_app_result(struct job *j, struct sealing *s, bool iss_required, struct err *e)
{
	AUTO(seal_app_result) res = { .connector_version = s->app.d.version,
		.iss_required = iss_required };
	AUTO(secret) plain = { 0 }, dek = { 0 };

	snprintf(res.authorization_url, EX_URL, "%s", s->app.d.authorization_url);
	snprintf(res.token_url, EX_URL, "%s", s->app.d.token_url);
	snprintf(res.issuer, EX_URL, "%s", s->app.d.issuer);
	if (app_secret_put(&s->app, &plain, e) != 0 ||
	    keys_make(j->x, PURPOSE_GRANT, &s->q.app, &dek, &res.wrap, e) != 0 ||
	    keys_seal(j->x, PURPOSE_GRANT, &s->q.app, s->q.version, &dek,
		(struct slice){ plain.p, plain.len }, &res.blob, e) != 0)
		return e->code;
	seal_app_result_put(&j->answer, &res);
	return 0;
}

static int
seal_app_perform(struct job *j, struct err *e)
{
	struct sealing *s = j->state;
	bool iss_required = false;

	if (s->discover && discover(j->x, &s->app.d, &iss_required, e) != 0)
		return e->code;
	return seal_app_result(j, s, iss_required, e);
}

/* ---- EGRESS_BEGIN: no network, keys alone */

static int
make_flow(const struct begin *q, const struct app_secret *app, struct flow_secret *f,
    struct err *e)
{
	unsigned char raw[48];
	char text[65];
	int rc;

	f->d = app->d;
	snprintf(f->redirect_uri, sizeof f->redirect_uri, "%s", q->redirect_uri);
	random_bytes(raw, sizeof raw);
	rc = secret_set(&f->verifier, text, b64url_encode(raw, sizeof raw, text), e);
	explicit_bzero(text, sizeof text);
	if (scope_has(q->scope, "openid")) {
		random_bytes(raw, 16);
		b64url_encode(raw, 16, f->nonce);
	}
	explicit_bzero(raw, sizeof raw);
	return rc;
}

static int
begin_result(struct job *j, const struct begin *q, const struct app_secret *app,
    const struct flow_secret *f, struct err *e)
{
	const struct connector *c;
	AUTO(begin_result) res = { 0 };
	AUTO(secret) plain = { 0 }, dek = { 0 };

	if ((c = destination_connector(&j->x->catalogue, &app->d)) == NULL)
		return err_name(e, ERR_CONNECTOR_GONE, "connector '%s' is not in the catalogue of "
		    "vault-egress any more", app->d.connector);
	if (authorization_url(c, app, f, q->scope, q->state, res.authorization_url,
		sizeof res.authorization_url, e) != 0 ||
	    flow_secret_put(f, &plain, e) != 0 ||
	    keys_make(j->x, PURPOSE_GRANT, &q->pending, &dek, &res.wrap, e) != 0 ||
	    keys_seal(j->x, PURPOSE_GRANT, &q->pending, 1, &dek,
		(struct slice){ plain.p, plain.len }, &res.blob, e) != 0)
		return e->code;
	begin_result_put(&j->answer, &res);
	return 0;
}

int
begin_prepare(struct job *j, struct err *e)
{
	struct begin q = { 0 };
	AUTO(app_secret) app = { 0 };
	AUTO(flow_secret) flow = { 0 };
	AUTO(secret) plain = { 0 };

	if (begin_get((struct slice){ j->body.p, j->body.len }, &q, e) != 0 ||
	    keys_open(j->x, PURPOSE_GRANT, &q.app, &plain, e) != 0 ||
	    app_secret_get(&plain, &app, e) != 0 || make_flow(&q, &app, &flow, e) != 0)
		return e->code;
	return begin_result(j, &q, &app, &flow, e);
}

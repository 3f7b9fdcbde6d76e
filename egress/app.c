/*
 * app.c - registering an OAuth app: its destination is expanded or discovered, a key for it is
 * made in the token when it signs, and all is sealed. And what such an app has, for people.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/jwk.h"
#include "egress/app_key.h"
#include "egress/discovery.h"
#include "egress/egress.h"
#include "egress/http.h"
#include "egress/ops.h"

/* ---- EGRESS_SEAL_APP */

struct sealing {
	struct seal_app		 q;
	const struct connector	*c;		/* NULL: an app that there is */
	struct app_secret	 app;
	struct buf		 certificate;	/* q's, which has to outlive the question */
	bool			 discover;
};

static void
sealing_free(void *p)
{
	struct sealing *s = p;

	seal_app_done(&s->q);
	app_secret_done(&s->app);
	buf_done(&s->certificate);
	free(s);
}

static int
choose_client_auth(struct sealing *s, struct err *e)
{
	if (s->q.client_secret.len == 0 && !client_auth_has_key(s->app.d.client_auth))
		s->app.d.client_auth = CLIENT_NONE;
	if (s->q.client_auth[0] == '\0')
		return 0;
	if (client_auth_parse(s->q.client_auth, &s->app.d.client_auth))
		return 0;
	return err_parameter(e, "client_auth", "client_auth is one of: " CLIENT_AUTH_WORDS);
}

static int seal_app_perform(struct job *j, struct err *e);

static int
find(struct egress *x, const char *id, const struct connector **ret, struct err *e)
{
	*ret = catalogue_find(&x->catalogue, id);
	if (*ret != NULL)
		return 0;
	return err_name(e, ERR_CONNECTOR_UNKNOWN, "connector '%.60s' is not in the catalogue of "
	    "vault-egress", id);
}

/* A new app: where its secrets go is expanded from the connector, and discovered. */
static int
prepare_new(struct job *j, struct sealing *s, struct err *e)
{
	if (find(j->x, s->q.connector, &s->c, e) != 0)
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
	if (s->q.certificate.len > 0)
		return app_key_certify(j->x, &s->app.key, s->q.certificate, e);
	if (s->app.d.client_auth == CLIENT_NONE)
		return err_name(e, ERR_INVALID_PARAMETER, "this app is registered as a public client, "
		    "which has no secret: register it anew with one");
	if (client_auth_has_key(s->app.d.client_auth))
		return err_name(e, ERR_INVALID_PARAMETER, "this app shows itself with its key and has "
		    "no secret");
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
	must(buf_add(&s->certificate, s->q.certificate.p, s->q.certificate.len));
	s->q.certificate = buf_slice(&s->certificate);
	if (rc == 0)
		rc = s->q.old.blob.len == 0 ? prepare_new(j, s, e) : prepare_again(j, s, e);
	if (rc == 0 && s->q.certificate.len == 0) {
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
	app_key_result(&s->app.key, &res);
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
	if (s->c != NULL && app_key_make(j->x, s->c, &s->q, &s->app, e) != 0)
		return e->code;
	if (seal_app_result(j, s, iss_required, e) == 0)
		return 0;
	if (s->c != NULL)		/* nobody will know of it */
		app_key_unmake(j->x, &s->app.key);
	return e->code;
}

/* ---- EGRESS_APP_KEY, EGRESS_APP_FORGET: the key of an app */

static int
open_app(struct job *j, const struct sealed *app, struct app_secret *ret, struct err *e)
{
	AUTO(secret) plain = { 0 };

	if (keys_open(j->x, PURPOSE_GRANT, app, &plain, e) != 0 ||
	    app_secret_get(&plain, ret, e) != 0)
		return e->code;
	return 0;
}

int
app_key_prepare(struct job *j, struct err *e)
{
	struct app_key_ask q = { 0 };
	AUTO(app_secret) app = { 0 };
	AUTO(app_key_result) res = { 0 };

	if (app_key_ask_get((struct slice){ j->body.p, j->body.len }, &q, e) != 0 ||
	    open_app(j, &q.app, &app, e) != 0 || app_key_show(j->x, &app, &q, &res, e) != 0)
		return e->code;
	app_key_result_put(&j->answer, &res);
	return 0;
}

int
app_forget_prepare(struct job *j, struct err *e)
{
	struct app_key_ask q = { 0 };
	AUTO(app_secret) app = { 0 };

	if (app_key_ask_get((struct slice){ j->body.p, j->body.len }, &q, e) != 0 ||
	    open_app(j, &q.app, &app, e) != 0)
		return e->code;
	return app.key.id[0] == '\0' ? 0 : keys_pair_destroy(j->x, &app.key, e);
}

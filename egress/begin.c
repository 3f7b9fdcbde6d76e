/*
 * begin.c - beginning a sign-in.
 */
#include <stdio.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/scope.h"
#include "egress/egress.h"
#include "egress/oauth.h"
#include "egress/ops.h"

/* No network, keys alone. */

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

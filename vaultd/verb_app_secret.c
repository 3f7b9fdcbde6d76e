/*
 * verb_app_secret.c - the client secrets of OAuth apps. A secret goes to egress once, which seals it
 * behind the expanded destination; nothing reads it back.
 */
#include <stdio.h>
#include <string.h>

#include "common/auto.h"
#include "common/errors.h"
#include "vaultd/egress.h"
#include "vaultd/objects.h"
#include "vaultd/vault.h"
#include "vaultd/verb_app.h"
#include "vaultd/verbs.h"

/* ---- sealing */

static void
take_destination(struct app *app, const struct seal_app_result *res)
{
	app->connector_version = res->connector_version;
	snprintf(app->authorization_url, sizeof app->authorization_url, "%s",
	    res->authorization_url);
	snprintf(app->token_url, sizeof app->token_url, "%s", res->token_url);
	snprintf(app->issuer, sizeof app->issuer, "%s", res->issuer);
	app->iss_required = res->iss_required;
}

static int
seal_store(struct request *r, struct slice body, struct err *e)
{
	struct app_args *a = r->args;
	AUTO(seal_app_result) res = { 0 };
	struct app *app = &a->a;

	if (seal_app_result_get(body, &res, e) != 0)
		return e->code;
	buf_done(&app->blob);
	app->blob = buf_take(&res.blob);
	app->key_kind = res.key_kind;
	snprintf(app->kid, sizeof app->kid, "%s", res.kid);
	app->cert_not_after = res.cert_not_after;
	r->after = app_reply;
	if (a->generation == EXPECT_ABSENT) {
		take_destination(app, &res);
		if (!buf_add(&a->wrap, res.wrap.p, res.wrap.len))
			return err_set(e, V_LIMIT, "out of memory");
		r->conflict = app_key_conflict;
	}
	if (object_put_wrap(r->vault, &r->changes, &app->id, PURPOSE_GRANT,
		buf_slice(&res.wrap), e) != 0)
		return e->code;
	return object_put_app(r->vault, &r->changes, app, a->generation, e);
}

static void
sealed(void *arg, int rc, struct slice body, struct err *e)
{
	struct request *r = arg;

	if (rc == 0)
		rc = seal_store(r, body, e);
	request_resume(r, rc, e);
}

static void
take_key(struct app_args *a, struct seal_app *q)
{
	snprintf(q->key, sizeof q->key, "%s", a->key == NULL ? "" : a->key);
	snprintf(q->kid, sizeof q->kid, "%s", a->kid == NULL ? "" : a->kid);
	snprintf(q->alg, sizeof q->alg, "%s", a->algorithm == NULL ? "" : a->algorithm);
	snprintf(q->subject, sizeof q->subject, "%s", a->subject == NULL ? "" : a->subject);
	q->key_pem = secret_take(&a->key_pem);
	if (a->certificate != NULL)
		q->certificate = (struct slice){ a->certificate, strlen(a->certificate) };
	q->cert_days = (uint32_t)a->certificate_days;
}

int
app_seal(struct request *r, const struct sealed *old)
{
	struct app_args *a = r->args;
	struct seal_app q = { .app = a->a.id, .version = a->a.version, .vars = a->a.vars,
		.old = *old };
	AUTO(msg) m = { 0 };

	snprintf(q.connector, sizeof q.connector, "%s", a->a.connector);
	snprintf(q.client_id, sizeof q.client_id, "%s", a->a.client_id);
	snprintf(q.client_auth, sizeof q.client_auth, "%s", a->a.client_auth);
	q.client_secret = secret_take(&a->client_secret);
	take_key(a, &q);
	msg_secret(&m);
	seal_app_put(&m, &q);
	seal_app_done(&q);
	request_defer(r);
	egress_call(r->vault->egress, EGRESS_SEAL_APP, &m,
	    *q.key != '\0' ? EGRESS_KEY_MS : EGRESS_SHORT_MS, sealed, r);
	return REQUEST_WAIT;
}

/* ---- SetSecret */

static const struct field set_secret_fields[] = {
	{ "app", F_STR, offsetof(struct app_args, name), true, NAME_MAX_LEN },
	{ "client_secret", F_SECRET, offsetof(struct app_args, client_secret), true, 8192 },
	{ "secret_expires", F_INT, offsetof(struct app_args, secret_expires), false, 0 },
	{ 0 },
};

static int
set_secret_run(struct request *r, struct err *e)
{
	struct app_args *a = r->args;
	struct app *app = &a->a;
	AUTO(buf) wrap = { 0 };
	struct sealed old;

	if (object_wrap(r->vault, &app->id, PURPOSE_GRANT, &wrap, e) != 0)
		return e->code;
	old = sealed_of(&app->id, app->version, &app->blob, &wrap);
	app->version = app_next_version(app);
	app->secret_expires = a->secret_expires;
	app_absolve(&r->changes, app);
	return app_seal(r, &old);
}

const struct verb verb_app_set_secret = {
	.method = "vaultd.Apps.SetSecret",
	.help = "a new client secret for an OAuth app",
	.action = ACT_APP_EDIT,
	.flags = VERB_CHANGE | VERB_UNSEALED | VERB_HSM,
	.fields = set_secret_fields,
	.args_size = sizeof(struct app_args),
	.args_done = app_args_done,
	.object = app_object,
	.run = set_secret_run,
};


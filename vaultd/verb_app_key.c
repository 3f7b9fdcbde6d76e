/*
 * verb_app_key.c - the keys of OAuth apps that sign: what is registered of one at the provider, its
 * certificate, and its end. The private half is in the HSM, and vaultd cannot have it sign.
 */
#include <stdio.h>
#include <string.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/jwk.h"
#include "common/log.h"
#include "vaultd/egress.h"
#include "vaultd/objects.h"
#include "vaultd/vault.h"
#include "vaultd/verb_app.h"
#include "vaultd/verbs.h"

/* ---- destroying one */

static void
forgotten(void *arg, int rc, struct slice body, struct err *e)
{
	(void)arg;
	(void)body;
	if (rc != 0)
		log_warn("the key of a deleted OAuth app is left in the HSM, where nobody uses it (vault-hsm pair "
		    "destroy): %s", e->text);
}

void
app_forget_key(struct request *r)
{
	struct app_args *a = r->args;
	struct app_key_ask q = { .app = sealed_of(&a->a.id, a->a.version,
	    &a->a.blob, &a->wrap) };
	AUTO(msg) m = { 0 };

	if (a->a.key_kind == 0)
		return;
	app_key_ask_put(&m, &q);
	egress_call(r->vault->egress, EGRESS_APP_FORGET, &m, EGRESS_SHORT_MS, forgotten, NULL);
}

void
app_key_conflict(struct request *r)
{
	app_forget_key(r);
}

/* ---- Key */

static const struct field key_fields[] = {
	{ "app", F_STR, offsetof(struct app_args, name), true, NAME_MAX_LEN },
	{ "request", F_BOOL, offsetof(struct app_args, request), false, 0 },
	{ "common_name", F_STR, offsetof(struct app_args, common_name), false, 64 },
	{ 0 },
};

/* {"kty":...,"kid":...,"use":"sig","alg":...}: as the provider's form, or a JWKS, wants it. */
static json_t *
jwk_json(const struct app_key_result *k, struct err *e)
{
	AUTO(buf) text = { 0 };
	json_t *o;

	if (jwk_of((struct slice){ k->public.spki, k->public.spki_len }, false, &text, e) != 0 ||
	    (o = json_loadb((char *)text.p, text.len, 0, NULL)) == NULL)
		return NULL;
	json_object_set_new(o, "kid", json_string(k->kid));
	json_object_set_new(o, "use", json_string("sig"));
	json_object_set_new(o, "alg", json_string(jws_alg_name(k->alg)));
	return o;
}

static void
add_pem(json_t *o, const char *name, const struct buf *pem)
{
	json_object_set_new(o, name, pem->len == 0 ? json_null() :
	    json_stringn((const char *)pem->p, pem->len));
}

static int
add_certificate(json_t *o, const struct app_key_result *k, struct err *e)
{
	struct cert_info c;

	add_pem(o, "certificate", &k->certificate);
	add_pem(o, "certificate_request", &k->request);
	if (k->certificate.len == 0)
		return 0;
	if (cert_read(buf_slice(&k->certificate), (struct slice){ "", 0 }, &c, e) != 0)
		return e->code;
	json_object_set_new(o, "certificate_subject", json_string(c.subject));
	json_object_set_new(o, "certificate_issuer", json_string(c.issuer));
	json_object_set_new(o, "certificate_expires", json_integer(c.not_after));
	json_object_set_new(o, "x5t", json_string(c.x5t));
	json_object_set_new(o, "x5t_s256", json_string(c.x5t_s256));
	return 0;
}

static int
key_json(struct request *r, const struct app_key_result *k, struct err *e)
{
	json_t *jwk = jwk_json(k, e), *o;
	AUTO(buf) pem = { 0 };

	if (jwk == NULL || !pem_of("PUBLIC KEY", (struct slice){ k->public.spki,
		k->public.spki_len }, &pem)) {
		json_decref(jwk);
		return err_set(e, V_CORRUPT, "the public key of the app is not one");
	}
	o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:I, s:o}", "id", k->id, "kind",
	    pair_kind_name(k->public.kind), "use", pair_use_name(k->public.use), "algorithm",
	    jws_alg_name(k->alg), "kid", k->kid, "imported", k->public.imported, "created",
	    (json_int_t)k->public.made, "jwk", jwk);
	add_pem(o, "public_key", &pem);
	if (k->public.use == PAIR_ASSERTION) {
		json_object_set_new(o, "audience", json_string(k->audience));
		json_object_set_new(o, "subject", json_string(k->subject));
	}
	if (add_certificate(o, k, e) != 0) {
		json_decref(o);
		return e->code;
	}
	r->reply = json_pack("{s:o}", "key", o);
	return 0;
}

static void
told(void *arg, int rc, struct slice body, struct err *e)
{
	struct request *r = arg;
	AUTO(app_key_result) k = { 0 };

	if (rc == 0)
		rc = app_key_result_get(body, &k, e);
	if (rc == 0)
		rc = key_json(r, &k, e);
	request_resume(r, rc, e);
}

static int
key_run(struct request *r, struct err *e)
{
	struct app_args *a = r->args;
	struct app_key_ask q = { .request = a->request };
	AUTO(msg) m = { 0 };

	if (a->a.key_kind == 0)
		return err_name(e, ERR_NOT_FOUND, "OAuth app '%s' has no key in the HSM", a->a.name);
	if (object_wrap(r->vault, &a->a.id, PURPOSE_GRANT, &a->wrap, e) != 0)
		return e->code;
	q.app = sealed_of(&a->a.id, a->a.version, &a->a.blob, &a->wrap);
	if (a->common_name != NULL)
		snprintf(q.common_name, sizeof q.common_name, "%s", a->common_name);
	app_key_ask_put(&m, &q);
	request_defer(r);
	egress_call(r->vault->egress, EGRESS_APP_KEY, &m, EGRESS_SHORT_MS, told, r);
	return REQUEST_WAIT;
}

const struct verb verb_app_key = {
	.method = "vaultd.Apps.Key",
	.help = "what of an OAuth app's key is registered at the provider",
	.action = ACT_APP_VIEW,
	.flags = VERB_UNSEALED | VERB_HSM,
	.fields = key_fields,
	.args_size = sizeof(struct app_args),
	.args_done = app_args_done,
	.object = app_object,
	.run = key_run,
};

/* ---- SetCertificate */

static const struct field set_certificate_fields[] = {
	{ "app", F_STR, offsetof(struct app_args, name), true, NAME_MAX_LEN },
	{ "certificate", F_STR, offsetof(struct app_args, certificate), true, PAIR_PEM },
	{ 0 },
};

static int
set_certificate_run(struct request *r, struct err *e)
{
	struct app_args *a = r->args;
	struct app *app = &a->a;
	struct sealed old;

	if (app->key_kind == 0)
		return err_parameter(e, "app", "a certificate is for an app with a key");
	if (a->certificate[0] == '\0')
		return err_parameter(e, "certificate", "there is no certificate in it");
	if (object_wrap(r->vault, &app->id, PURPOSE_GRANT, &a->wrap, e) != 0)
		return e->code;
	old = sealed_of(&app->id, app->version, &app->blob, &a->wrap);
	app->version++;
	return app_seal(r, &old);
}

const struct verb verb_app_set_certificate = {
	.method = "vaultd.Apps.SetCertificate",
	.help = "a new certificate for the key of an OAuth app",
	.action = ACT_APP_EDIT,
	.flags = VERB_CHANGE | VERB_UNSEALED | VERB_HSM,
	.fields = set_certificate_fields,
	.args_size = sizeof(struct app_args),
	.args_done = app_args_done,
	.object = app_object,
	.run = set_certificate_run,
};

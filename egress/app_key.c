/*
 * app_key.c - see app_key.h.
 */
#include "egress/app_key.h"

#include <stdio.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/jwk.h"
#include "common/log.h"
#include "common/role.h"
#include "egress/assert.h"
#include "egress/egress.h"

#define DAYS 730	/* of a certificate that the key signs itself */

/* ---- making it */

static int
fill_rule(const struct connector *c, const struct seal_app *q, const struct app_secret *app,
    struct pair_rule *r, struct err *e)
{
	bool client = app->d.client_auth == CLIENT_PRIVATE_KEY_JWT;

	if (assert_audience(c, &app->d, r->aud[0], sizeof r->aud[0], e) != 0)
		return e->code;
	r->naud = 1;
	snprintf(r->iss, sizeof r->iss, "%s", app->client_id);
	snprintf(r->sub, sizeof r->sub, "%s", *q->subject != '\0' ? q->subject : app->client_id);
	snprintf(r->endpoint, sizeof r->endpoint, "%s", app->d.token_url);
	if (client && strcmp(r->sub, app->client_id) != 0 && strcmp(r->sub, PAIR_ANY) != 0)
		return err_parameter(e, "subject",
		    "with private_key_jwt the subject is the client id, or * "
		    "for a key that also asks for others");
	return 0;
}

static int
choose_alg(const struct connector *c, const struct seal_app *q, enum pair_kind kind,
    enum jws_alg *ret, struct err *e)
{
	*ret = kind == PAIR_EC ? JWS_ES256 : JWS_RS256;
	if (c->assertion_alg != 0)
		*ret = c->assertion_alg;
	if (*q->alg != '\0' && !jws_alg_parse(q->alg, ret))
		return err_parameter(e, "algorithm",
		    "the algorithm is one of: RS256 PS256 ES256");
	if (!jws_alg_fits(*ret, kind))
		return err_parameter(e, "algorithm", kind == PAIR_EC ?
		    "the provider or you want an RSA algorithm, and this is an EC key" :
		    "ES256 needs an EC key");
	return 0;
}

/* Signed by the key itself, for a provider that is shown the certificate beforehand. */
static int
self_signed(struct egress *x, struct app_key *k, const char *name, uint32_t days, struct err *e)
{
	struct certify q = { .record = k->record, .days = days == 0 ? DAYS : days };
	AUTO(secret) der = { 0 };
	AUTO(buf) pem = { 0 };

	snprintf(q.id, sizeof q.id, "%s", k->id);
	snprintf(q.common_name, sizeof q.common_name, "%.64s", name);
	if (keys_certify(x, &q, &der, e) != 0)
		return e->code;
	if (!pem_of("CERTIFICATE", (struct slice){ der.p, der.len }, &pem))
		return err_set(e, V_LIMIT, "out of memory");
	return secret_set(&k->certificate, pem.p, pem.len, e);
}

static int
complete(struct egress *x, const struct connector *c, const struct seal_app *q,
    struct app_secret *app, const struct pair_public *p, struct err *e)
{
	struct slice spki = { p->spki, p->spki_len };
	struct app_key *k = &app->key;

	k->kind = p->kind;
	if (choose_alg(c, q, p->kind, &k->alg, e) != 0)
		return e->code;
	snprintf(k->kid, sizeof k->kid, "%s", q->kid);
	if (k->kid[0] == '\0' && jwk_thumbprint(spki, k->kid, e) != 0)
		return e->code;
	if (q->certificate.len > 0)
		return app_key_certify(x, k, q->certificate, e);
	if (k->use != PAIR_TLS && k->header == ASSERTION_KID)
		return 0;
	return self_signed(x, k, app->client_id, q->cert_days, e);
}

static int
check_wish(const struct seal_app *q, const struct app_secret *app, struct pair_make *m,
    struct err *e)
{
	bool import = strcmp(q->key, "import") == 0;

	if (!import && !pair_kind_parse(q->key, &m->kind))
		return err_parameter(e, "key", "a key is one of: rsa ec import");
	if (import != (q->key_pem.len > 0))
		return err_parameter(e, "key_pem",
		    "a private key in PEM comes with `import`, and with "
		    "nothing else");
	if (app->d.client_auth == CLIENT_TLS && *q->subject != '\0')
		return err_parameter(e, "subject", "a key for TLS signs no assertions");
	return 0;
}

int
app_key_make(struct egress *x, const struct connector *c, const struct seal_app *q,
    struct app_secret *app, struct err *e)
{
	AUTO(pair_make) m = { .record = q->app, .kind = PAIR_RSA };
	struct app_key *k = &app->key;
	struct pair_public p = { 0 };

	if (*q->key == '\0' && client_auth_has_key(app->d.client_auth))
		return err_parameter(e, "key",
		    "this way of client authentication needs a key: one that is "
		    "made in the HSM (--key ec or --key rsa), or one you have (--import-key FILE)");
	if (*q->key == '\0')
		return q->certificate.len == 0 ? 0 : err_parameter(e, "certificate", "a certificate is for "
		    "an app with a key");
	m.use = app->d.client_auth == CLIENT_TLS ? PAIR_TLS : PAIR_ASSERTION;
	pair_id_new(m.id);
	if (check_wish(q, app, &m, e) != 0 ||
	    (m.use == PAIR_ASSERTION && fill_rule(c, q, app, &m.rule, e) != 0) ||
	    secret_copy(&m.pem, &q->key_pem, e) != 0)
		return e->code;
	snprintf(m.rule.endpoint, sizeof m.rule.endpoint, "%s", app->d.token_url);
	*k = (struct app_key){ .record = q->app, .use = m.use, .header = c->assertion_header };
	snprintf(k->audience, sizeof k->audience, "%s", m.rule.aud[0]);
	snprintf(k->subject, sizeof k->subject, "%s", m.rule.sub);
	if (keys_pair_make(x, &m, &p, e) != 0)
		return e->code;
	snprintf(k->id, sizeof k->id, "%s", m.id);
	if (complete(x, c, q, app, &p, e) == 0)
		return 0;
	app_key_unmake(x, k);
	return e->code;
}

void
app_key_unmake(struct egress *x, const struct app_key *k)
{
	struct err e;

	if (k->id[0] != '\0' && keys_pair_destroy(x, k, &e) != 0)
		log_warn("a key pair that nobody uses is left in the token id=%s why=\"%s\"", k->id,
		    e.text);
}

/* ---- certificates */

int
app_key_certify(struct egress *x, struct app_key *k, struct slice pem, struct err *e)
{
	struct pair_public p;
	struct cert_info info;

	if (k->id[0] == '\0')
		return err_parameter(e, "certificate",
		    "a certificate is for an app with a key");
	if (keys_pair_public(x, k, &p, e) != 0)
		return e->code;
	if (cert_read(pem, (struct slice){ p.spki, p.spki_len }, &info, e) != 0) {
		err_rename(e, ERR_INVALID_PARAMETER);
		err_detail(e, "parameter", "certificate");
		return e->code;
	}
	if (info.not_after <= wall_seconds())
		return err_parameter(e, "certificate",
		    "the certificate is not valid any more");
	return secret_set(&k->certificate, pem.p, pem.len, e);
}

static int64_t
not_after(const struct app_key *k)
{
	struct cert_info info;
	struct err e;

	if (k->certificate.len == 0 || cert_read((struct slice){ k->certificate.p,
		k->certificate.len }, (struct slice){ "", 0 }, &info, &e) != 0)
		return 0;
	return info.not_after;
}

void
app_key_result(const struct app_key *k, struct seal_app_result *res)
{
	if (k->id[0] == '\0')
		return;
	res->key_kind = (uint8_t)k->kind;
	snprintf(res->kid, sizeof res->kid, "%.127s", k->kid);
	res->cert_not_after = not_after(k);
}

/* ---- for people */

static int
request(struct egress *x, const struct app_key *k, const char *name, struct buf *ret,
    struct err *e)
{
	struct certify q = { .record = k->record, .request = true };
	AUTO(secret) der = { 0 };

	snprintf(q.id, sizeof q.id, "%s", k->id);
	snprintf(q.common_name, sizeof q.common_name, "%.64s", name);
	if (keys_certify(x, &q, &der, e) != 0)
		return e->code;
	return pem_of("CERTIFICATE REQUEST", (struct slice){ der.p, der.len }, ret) ? 0 :
	    err_set(e, V_LIMIT, "out of memory");
}

int
app_key_show(struct egress *x, const struct app_secret *app, const struct app_key_ask *q,
    struct app_key_result *ret, struct err *e)
{
	const struct app_key *k = &app->key;

	if (k->id[0] == '\0')
		return err_name(e, ERR_NOT_FOUND, "this OAuth app has no key in the HSM: it shows itself "
		    "by %s", client_auth_name(app->d.client_auth));
	if (keys_pair_public(x, k, &ret->public, e) != 0)
		return e->code;
	ret->alg = k->alg;
	snprintf(ret->id, sizeof ret->id, "%s", k->id);
	snprintf(ret->kid, sizeof ret->kid, "%s", k->kid);
	snprintf(ret->audience, sizeof ret->audience, "%s", k->audience);
	snprintf(ret->subject, sizeof ret->subject, "%s", k->subject);
	if (k->certificate.len > 0 &&
	    !buf_add(&ret->certificate, k->certificate.p, k->certificate.len))
		return err_set(e, V_LIMIT, "out of memory");
	if (!q->request)
		return 0;
	return request(x, k, q->common_name[0] != '\0' ? q->common_name : app->client_id,
	    &ret->request, e);
}

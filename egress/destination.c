/*
 * destination.c - see destination.h. The first byte after the destination says which of
 * the plaintexts it is, so that one can never be read as another.
 */
#include "egress/destination.h"

#include <stdio.h>

#include "common/auto.h"
#include "common/errors.h"

/* Appended to, and never used again: they are sealed. */
enum kind { KIND_APP = 1, KIND_FLOW, KIND_REFRESH_TOKEN, KIND_APP_KEY, KIND_GRANT, KIND_DEVICE };

#define AT(m) offsetof(struct destination, m)

static const size_t urls[] = { AT(issuer), AT(authorization_url), AT(token_url),
	AT(revocation_url), AT(par_url), AT(device_url), AT(introspection_url), AT(api_base),
	AT(probe_url) };
#define NURLS (sizeof urls / sizeof *urls)

#define FORMAT		2	/* 1 began with the connector's name, which is never empty */

static char *
url_at(const struct destination *d, size_t i)
{
	return (char *)d + urls[i];
}

void
destination_put(struct msg *m, const struct destination *d)
{
	msg_put_str(m, "");
	msg_put_u8(m, FORMAT);
	msg_put_str(m, d->connector);
	msg_put_u32(m, d->version);
	for (size_t i = 0; i < NURLS; i++)
		msg_put_str(m, url_at(d, i));
	msg_put_u8(m, (uint8_t)d->client_auth);
	msg_put_str(m, d->refresh_url);
	ex_vars_put(m, &d->vars);
}

void
destination_get(struct msg *m, struct destination *ret)
{
	uint8_t format = 1;

	msg_get_str(m, ret->connector, sizeof ret->connector);
	if (ret->connector[0] == '\0') {
		format = msg_get_u8(m);
		msg_get_str(m, ret->connector, sizeof ret->connector);
	}
	ret->version = msg_get_u32(m);
	for (size_t i = 0; i < NURLS; i++)
		msg_get_str(m, url_at(ret, i), EX_URL);
	ret->client_auth = msg_get_u8(m);
	if (ret->client_auth >= CLIENT_AUTH_END)
		m->failed = true;
	if (format == FORMAT) {
		msg_get_str(m, ret->refresh_url, sizeof ret->refresh_url);
		ex_vars_get(m, &ret->vars);
	} else if (format != 1) {
		m->failed = true;
	}
}

static bool
vars_equal(const struct ex_vars *a, const struct ex_vars *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->v[i].name, b->v[i].name) != 0 ||
		    strcmp(a->v[i].value, b->v[i].value) != 0)
			return false;
	return true;
}

bool
destination_equal(const struct destination *a, const struct destination *b)
{
	if (strcmp(a->connector, b->connector) != 0 || a->version != b->version ||
	    a->client_auth != b->client_auth || strcmp(a->refresh_url, b->refresh_url) != 0 ||
	    !vars_equal(&a->vars, &b->vars))
		return false;
	for (size_t i = 0; i < NURLS; i++)
		if (strcmp(url_at(a, i), url_at(b, i)) != 0)
			return false;
	return true;
}

int
destination_agree(const struct destination *a, const struct destination *b, struct err *e)
{
	if (destination_equal(a, b))
		return 0;
	return err_name(e, ERR_RECORD_CORRUPT, "app and grant are sealed for different destinations: "
	    "nothing is sent");
}

const struct connector *
destination_connector(const struct catalogue *c, const struct destination *d)
{
	return catalogue_pinned(c, d->connector, d->version);
}

const char *
destination_refresh_url(const struct destination *d)
{
	return d->refresh_url[0] != '\0' ? d->refresh_url : d->token_url;
}

int
destination_expand(const struct connector *c, const struct ex_vars *vars,
    const char *client_id, struct destination *d, struct err *e)
{
	const char *const templates[NURLS] = { c->issuer, c->authorization_url, c->token_url,
		c->revocation_url, c->par_url, c->device_url, c->introspection_url, c->api_base,
		c->probe_url };
	struct ex_vars all = *vars;

	if (connector_check_vars(c, vars, e) != 0)
		return e->code;
	snprintf(d->connector, sizeof d->connector, "%s", c->id);
	d->version = c->version;
	d->client_auth = c->client_auth;
	if (all.n < EX_VARS && *client_id != '\0') {
		snprintf(all.v[all.n].name, EX_NAME, "client_id");
		snprintf(all.v[all.n++].value, sizeof all.v[0].value, "%.255s", client_id);
	}
	for (size_t i = 0; i < NURLS; i++)
		if (templates[i] != NULL &&
		    connector_expand(c, templates[i], &all, url_at(d, i), EX_URL, e) != 0)
			return e->code;
	d->vars = *vars;
	return c->refresh_url == NULL ? 0 : connector_expand(c, c->refresh_url, &all,
	    d->refresh_url, EX_URL, e);
}

/* ---- plaintexts */

static int
finish_put(struct msg *m, struct secret *ret, struct err *e)
{
	if (!msg_ok(m))
		return err_set(e, V_LIMIT, "secret memory exhausted");
	*ret = secret_take(&m->s);
	return 0;
}

static void
start_put(struct msg *m, const struct destination *d, enum kind kind)
{
	msg_secret(m);
	destination_put(m, d);
	msg_put_u8(m, (uint8_t)kind);
}

/* One of two kinds. */
static enum kind
start_get(struct msg *m, const struct secret *plain, struct destination *d, enum kind kind,
    enum kind other)
{
	enum kind is;

	msg_read(m, (struct slice){ plain->p, plain->len });
	destination_get(m, d);
	is = msg_get_u8(m);
	if (is != kind && is != other)
		m->failed = true;
	return is;
}

static void
get_secret(struct msg *m, struct secret *ret)
{
	struct err e;

	if (!m->failed && msg_get_secret(m, ret, &e) != 0)
		m->failed = true;
}

static void
key_put(struct msg *m, const struct app_key *k)
{
	msg_put_str(m, k->id);
	msg_put_id(m, &k->record);
	msg_put_u8(m, (uint8_t)k->kind);
	msg_put_u8(m, (uint8_t)k->use);
	msg_put_u8(m, (uint8_t)k->alg);
	msg_put_u8(m, (uint8_t)k->header);
	msg_put_str(m, k->kid);
	msg_put_str(m, k->audience);
	msg_put_str(m, k->subject);
	msg_put_secret(m, &k->certificate);
}

static void
key_get(struct msg *m, struct app_key *ret)
{
	msg_get_str(m, ret->id, sizeof ret->id);
	ret->record = msg_get_id(m);
	ret->kind = msg_get_u8(m);
	ret->use = msg_get_u8(m);
	ret->alg = msg_get_u8(m);
	ret->header = msg_get_u8(m);
	msg_get_str(m, ret->kid, sizeof ret->kid);
	msg_get_str(m, ret->audience, sizeof ret->audience);
	msg_get_str(m, ret->subject, sizeof ret->subject);
	get_secret(m, &ret->certificate);
	if (ret->kind < PAIR_RSA || ret->kind > PAIR_EC || ret->use < PAIR_ASSERTION ||
	    ret->use > PAIR_TLS || ret->alg > JWS_ES256 || ret->header > ASSERTION_X5T_S256)
		m->failed = true;
}

int
app_secret_put(const struct app_secret *v, struct secret *ret, struct err *e)
{
	AUTO(msg) m = { 0 };

	start_put(&m, &v->d, v->key.id[0] != '\0' ? KIND_APP_KEY : KIND_APP);
	msg_put_str(&m, v->client_id);
	msg_put_secret(&m, &v->client_secret);
	if (v->key.id[0] != '\0')
		key_put(&m, &v->key);
	return finish_put(&m, ret, e);
}

int
app_secret_get(const struct secret *plain, struct app_secret *ret, struct err *e)
{
	struct msg m;
	bool signs = start_get(&m, plain, &ret->d, KIND_APP, KIND_APP_KEY) == KIND_APP_KEY;

	msg_get_str(&m, ret->client_id, sizeof ret->client_id);
	get_secret(&m, &ret->client_secret);
	if (signs)
		key_get(&m, &ret->key);
	return msg_end(&m, "sealed app", e);
}

void
app_secret_done(struct app_secret *v)
{
	secret_done(&v->client_secret);
	secret_done(&v->key.certificate);
}

int
flow_secret_put(const struct flow_secret *v, struct secret *ret, struct err *e)
{
	AUTO(msg) m = { 0 };

	start_put(&m, &v->d, v->device ? KIND_DEVICE : KIND_FLOW);
	msg_put_secret(&m, &v->verifier);
	msg_put_str(&m, v->nonce);
	msg_put_str(&m, v->redirect_uri);
	return finish_put(&m, ret, e);
}

int
flow_secret_get(const struct secret *plain, struct flow_secret *ret, struct err *e)
{
	struct msg m;

	ret->device = start_get(&m, plain, &ret->d, KIND_FLOW, KIND_DEVICE) == KIND_DEVICE;
	get_secret(&m, &ret->verifier);
	msg_get_str(&m, ret->nonce, sizeof ret->nonce);
	msg_get_str(&m, ret->redirect_uri, sizeof ret->redirect_uri);
	return msg_end(&m, "sealed sign-in", e);
}

void
flow_secret_done(struct flow_secret *v)
{
	secret_done(&v->verifier);
}

int
grant_secret_put(const struct grant_secret *v, struct secret *ret, struct err *e)
{
	AUTO(msg) m = { 0 };

	start_put(&m, &v->d, KIND_GRANT);
	msg_put_u8(&m, (uint8_t)v->kind);
	msg_put_secret(&m, &v->refresh_token);
	msg_put_str(&m, v->username);
	msg_put_secret(&m, &v->password);
	ex_vars_put(&m, &v->params);
	return finish_put(&m, ret, e);
}

int
grant_secret_get(const struct secret *plain, struct grant_secret *ret, struct err *e)
{
	struct msg m;
	enum kind kind = start_get(&m, plain, &ret->d, KIND_GRANT, KIND_REFRESH_TOKEN);

	ret->kind = kind == KIND_GRANT ? msg_get_u8(&m) : EX_REFRESH;
	get_secret(&m, &ret->refresh_token);
	if (kind == KIND_GRANT) {
		msg_get_str(&m, ret->username, sizeof ret->username);
		get_secret(&m, &ret->password);
		ex_vars_get(&m, &ret->params);
	}
	if (ret->kind == 0 || ret->kind >= EX_KIND_END)
		m.failed = true;
	return msg_end(&m, "sealed grant", e);
}

void
grant_secret_done(struct grant_secret *v)
{
	secret_done(&v->refresh_token);
	secret_done(&v->password);
}

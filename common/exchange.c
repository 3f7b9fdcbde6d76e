/*
 * exchange.c - see exchange.h. Field order is the format of the line; both ends are built
 * together, so there is no version in it.
 */
#include "common/exchange.h"

#include "common/auto.h"

const char *
phase_name(enum phase p)
{
	static const char *const names[] = { "not_sent", "rejected", "ambiguous", "answered" };

	return p <= PHASE_ANSWERED ? names[p] : "unknown";
}

const char *
ex_var(const struct ex_vars *v, const char *name)
{
	for (size_t i = 0; i < v->n; i++)
		if (strcmp(v->v[i].name, name) == 0)
			return v->v[i].value;
	return NULL;
}

const struct secret *
ex_secret(const struct ex_secrets *v, const char *name)
{
	for (size_t i = 0; i < v->n; i++)
		if (strcmp(v->v[i].name, name) == 0)
			return &v->v[i].value;
	return NULL;
}

void
ex_secrets_done(struct ex_secrets *v)
{
	for (size_t i = 0; i < v->n; i++)
		secret_done(&v->v[i].value);
	v->n = 0;
}

/* ---- kinds */

static const struct { enum auth_type renews; bool spends, signin; } kinds[EX_KIND_END] = {
	[EX_CODE] = { 0, true, true },
	[EX_REFRESH] = { AUTH_OAUTH2_CODE | AUTH_DEVICE, true, false },
	[EX_CLIENT_CREDENTIALS] = { AUTH_CLIENT_CREDENTIALS, false, false },
	[EX_PASSWORD] = { AUTH_PASSWORD, false, false },
	[EX_DEVICE] = { 0, true, true },
	[EX_JWT_BEARER] = { AUTH_JWT_BEARER, false, false },
};

bool
exchange_spends(enum exchange_kind k)
{
	return k < EX_KIND_END && kinds[k].spends;
}

bool
exchange_is_signin(enum exchange_kind k)
{
	return k < EX_KIND_END && kinds[k].signin;
}

enum exchange_kind
exchange_renews(enum auth_type t)
{
	enum exchange_kind k = EX_CODE;

	while (k < EX_KIND_END && !(kinds[k].renews & t))
		k++;
	return k < EX_KIND_END ? k : EX_REFRESH;
}

/* ---- pieces */

void
ex_vars_put(struct msg *m, const struct ex_vars *v)
{
	msg_put_u8(m, (uint8_t)v->n);
	for (size_t i = 0; i < v->n; i++) {
		msg_put_str(m, v->v[i].name);
		msg_put_str(m, v->v[i].value);
	}
}

void
ex_vars_get(struct msg *m, struct ex_vars *v)
{
	v->n = msg_get_u8(m);
	if (v->n > EX_VARS) {
		m->failed = true;
		v->n = 0;
	}
	for (size_t i = 0; i < v->n; i++) {
		msg_get_str(m, v->v[i].name, sizeof v->v[i].name);
		msg_get_str(m, v->v[i].value, sizeof v->v[i].value);
	}
}

static void
put_sealed(struct msg *m, const struct sealed *s)
{
	msg_put_id(m, &s->record);
	msg_put_u64(m, s->version);
	msg_put_slice(m, s->blob);
	msg_put_slice(m, s->wrap);
}

static void
get_sealed(struct msg *m, struct sealed *s)
{
	s->record = msg_get_id(m);
	s->version = msg_get_u64(m);
	s->blob = msg_get_slice(m);
	s->wrap = msg_get_slice(m);
	if (s->wrap.len > WRAP_MAX)
		m->failed = true;
}

static void
get_buf(struct msg *m, struct buf *ret)
{
	struct slice s = msg_get_slice(m);

	if (!m->failed && !buf_add(ret, s.p, s.len))
		m->failed = true;
}

/* A secret in a body that may not be there in full: the msg remembers the failure. */
static void
get_secret(struct msg *m, struct secret *ret)
{
	struct err e;

	if (!m->failed && msg_get_secret(m, ret, &e) != 0)
		m->failed = true;
}

static void
put_secrets(struct msg *m, const struct ex_secrets *v)
{
	msg_put_u8(m, (uint8_t)v->n);
	for (size_t i = 0; i < v->n; i++) {
		msg_put_str(m, v->v[i].name);
		msg_put_secret(m, &v->v[i].value);
	}
}

static void
get_secrets(struct msg *m, struct ex_secrets *v)
{
	size_t n = msg_get_u8(m);

	if (n > EX_SECRETS)
		m->failed = true;
	for (v->n = 0; !m->failed && v->n < n; v->n++) {
		msg_get_str(m, v->v[v->n].name, sizeof v->v[0].name);
		get_secret(m, &v->v[v->n].value);
	}
}

/* ---- hello */

void
hello_put(struct msg *m, const struct hello *v)
{
	msg_put_u64(m, v->epoch);
	msg_put_id(m, &v->vault);
}

int
hello_get(struct slice body, struct hello *ret, struct err *e)
{
	struct msg m;

	msg_read(&m, body);
	ret->epoch = msg_get_u64(&m);
	ret->vault = msg_get_id(&m);
	return msg_end(&m, "hello", e);
}

/* ---- seal_app */

void
seal_app_put(struct msg *m, const struct seal_app *v)
{
	msg_put_id(m, &v->app);
	msg_put_u64(m, v->version);
	msg_put_str(m, v->connector);
	ex_vars_put(m, &v->vars);
	msg_put_str(m, v->client_id);
	msg_put_secret(m, &v->client_secret);
	msg_put_str(m, v->client_auth);
	put_sealed(m, &v->old);
	msg_put_str(m, v->key);
	msg_put_secret(m, &v->key_pem);
	msg_put_slice(m, v->certificate);
	msg_put_str(m, v->kid);
	msg_put_str(m, v->alg);
	msg_put_str(m, v->subject);
	msg_put_u32(m, v->cert_days);
}

int
seal_app_get(struct slice body, struct seal_app *ret, struct err *e)
{
	struct msg m;

	msg_read(&m, body);
	ret->app = msg_get_id(&m);
	ret->version = msg_get_u64(&m);
	msg_get_str(&m, ret->connector, sizeof ret->connector);
	ex_vars_get(&m, &ret->vars);
	msg_get_str(&m, ret->client_id, sizeof ret->client_id);
	get_secret(&m, &ret->client_secret);
	msg_get_str(&m, ret->client_auth, sizeof ret->client_auth);
	get_sealed(&m, &ret->old);
	msg_get_str(&m, ret->key, sizeof ret->key);
	get_secret(&m, &ret->key_pem);
	ret->certificate = msg_get_slice(&m);
	msg_get_str(&m, ret->kid, sizeof ret->kid);
	msg_get_str(&m, ret->alg, sizeof ret->alg);
	msg_get_str(&m, ret->subject, sizeof ret->subject);
	ret->cert_days = msg_get_u32(&m);
	return msg_end(&m, "app to seal", e);
}

void
seal_app_done(struct seal_app *v)
{
	secret_done(&v->client_secret);
	secret_done(&v->key_pem);
}

void
seal_app_result_put(struct msg *m, const struct seal_app_result *v)
{
	msg_put_u32(m, v->connector_version);
	msg_put_str(m, v->authorization_url);
	msg_put_str(m, v->token_url);
	msg_put_str(m, v->issuer);
	msg_put_u8(m, v->iss_required);
	msg_put_u8(m, v->key_kind);
	msg_put_str(m, v->kid);
	msg_put_u64(m, (uint64_t)v->cert_not_after);
	msg_put_slice(m, buf_slice(&v->blob));
	msg_put_slice(m, buf_slice(&v->wrap));
}

int
seal_app_result_get(struct slice body, struct seal_app_result *ret, struct err *e)
{
	struct msg m;

	msg_read(&m, body);
	ret->connector_version = msg_get_u32(&m);
	msg_get_str(&m, ret->authorization_url, sizeof ret->authorization_url);
	msg_get_str(&m, ret->token_url, sizeof ret->token_url);
	msg_get_str(&m, ret->issuer, sizeof ret->issuer);
	ret->iss_required = msg_get_u8(&m) != 0;
	ret->key_kind = msg_get_u8(&m);
	msg_get_str(&m, ret->kid, sizeof ret->kid);
	ret->cert_not_after = (int64_t)msg_get_u64(&m);
	get_buf(&m, &ret->blob);
	get_buf(&m, &ret->wrap);
	return msg_end(&m, "sealed app", e);
}

void
seal_app_result_done(struct seal_app_result *v)
{
	buf_done(&v->blob);
	buf_done(&v->wrap);
}

/* ---- the key of an app */

void
app_key_ask_put(struct msg *m, const struct app_key_ask *v)
{
	put_sealed(m, &v->app);
	msg_put_u8(m, v->request);
	msg_put_str(m, v->common_name);
}

int
app_key_ask_get(struct slice body, struct app_key_ask *ret, struct err *e)
{
	struct msg m;

	msg_read(&m, body);
	get_sealed(&m, &ret->app);
	ret->request = msg_get_u8(&m) != 0;
	msg_get_str(&m, ret->common_name, sizeof ret->common_name);
	return msg_end(&m, "question about the key of an app", e);
}

void
app_key_result_put(struct msg *m, const struct app_key_result *v)
{
	AUTO(msg) public = { 0 };

	pair_public_put(&public, &v->public);
	msg_put_str(m, v->id);
	msg_put_u8(m, (uint8_t)v->alg);
	msg_put_str(m, v->kid);
	msg_put_str(m, v->audience);
	msg_put_str(m, v->subject);
	msg_put_slice(m, msg_slice(&public));
	msg_put_slice(m, buf_slice(&v->certificate));
	msg_put_slice(m, buf_slice(&v->request));
}

int
app_key_result_get(struct slice body, struct app_key_result *ret, struct err *e)
{
	struct slice public;
	struct msg m;

	msg_read(&m, body);
	msg_get_str(&m, ret->id, sizeof ret->id);
	ret->alg = msg_get_u8(&m);
	msg_get_str(&m, ret->kid, sizeof ret->kid);
	msg_get_str(&m, ret->audience, sizeof ret->audience);
	msg_get_str(&m, ret->subject, sizeof ret->subject);
	public = msg_get_slice(&m);
	get_buf(&m, &ret->certificate);
	get_buf(&m, &ret->request);
	if (msg_end(&m, "key of an app", e) != 0)
		return e->code;
	return pair_public_get(public, &ret->public, e);
}

void
app_key_result_done(struct app_key_result *v)
{
	buf_done(&v->certificate);
	buf_done(&v->request);
}

/* ---- begin */

void
begin_put(struct msg *m, const struct begin *v)
{
	msg_put_u8(m, (uint8_t)v->kind);
	msg_put_id(m, &v->pending);
	put_sealed(m, &v->app);
	msg_put_str(m, v->redirect_uri);
	msg_put_str(m, v->scope);
	msg_put_str(m, v->state);
}

int
begin_get(struct slice body, struct begin *ret, struct err *e)
{
	struct msg m;

	msg_read(&m, body);
	ret->kind = msg_get_u8(&m);
	if (!exchange_is_signin(ret->kind))
		m.failed = true;
	ret->pending = msg_get_id(&m);
	get_sealed(&m, &ret->app);
	msg_get_str(&m, ret->redirect_uri, sizeof ret->redirect_uri);
	msg_get_str(&m, ret->scope, sizeof ret->scope);
	msg_get_str(&m, ret->state, sizeof ret->state);
	return msg_end(&m, "sign-in to begin", e);
}

void
begin_result_put(struct msg *m, const struct begin_result *v)
{
	msg_put_str(m, v->authorization_url);
	msg_put_str(m, v->user_code);
	msg_put_str(m, v->verification_uri);
	msg_put_str(m, v->verification_uri_complete);
	msg_put_u32(m, v->interval_s);
	msg_put_u32(m, v->expires_in_s);
	msg_put_slice(m, buf_slice(&v->blob));
	msg_put_slice(m, buf_slice(&v->wrap));
}

int
begin_result_get(struct slice body, struct begin_result *ret, struct err *e)
{
	struct msg m;

	msg_read(&m, body);
	msg_get_str(&m, ret->authorization_url, sizeof ret->authorization_url);
	msg_get_str(&m, ret->user_code, sizeof ret->user_code);
	msg_get_str(&m, ret->verification_uri, sizeof ret->verification_uri);
	msg_get_str(&m, ret->verification_uri_complete, sizeof ret->verification_uri_complete);
	ret->interval_s = msg_get_u32(&m);
	ret->expires_in_s = msg_get_u32(&m);
	get_buf(&m, &ret->blob);
	get_buf(&m, &ret->wrap);
	return msg_end(&m, "begun sign-in", e);
}

void
begin_result_done(struct begin_result *v)
{
	buf_done(&v->blob);
	buf_done(&v->wrap);
}

/* ---- exchange */

void
exchange_put(struct msg *m, const struct exchange *v)
{
	msg_put_u8(m, (uint8_t)v->kind);
	msg_put_id(m, &v->attempt);
	msg_put_id(m, &v->connection);
	msg_put_u64(m, v->grant_version);
	msg_put_u64(m, v->release_version);
	put_sealed(m, &v->app);
	put_sealed(m, &v->secret);
	msg_put_slice(m, v->release_wrap);
	if (v->kind == EX_CODE)
		msg_put_secret(m, &v->code);
	msg_put_str(m, v->iss);
	ex_vars_put(m, &v->parameters);
	msg_put_str(m, v->scope);
}

int
exchange_get(struct slice body, struct exchange *ret, struct err *e)
{
	struct msg m;

	msg_read(&m, body);
	ret->kind = msg_get_u8(&m);
	ret->attempt = msg_get_id(&m);
	ret->connection = msg_get_id(&m);
	ret->grant_version = msg_get_u64(&m);
	ret->release_version = msg_get_u64(&m);
	get_sealed(&m, &ret->app);
	get_sealed(&m, &ret->secret);
	ret->release_wrap = msg_get_slice(&m);
	if (ret->kind == EX_CODE)
		get_secret(&m, &ret->code);
	else if (ret->kind == 0 || ret->kind >= EX_KIND_END)
		m.failed = true;
	msg_get_str(&m, ret->iss, sizeof ret->iss);
	ex_vars_get(&m, &ret->parameters);
	msg_get_str(&m, ret->scope, sizeof ret->scope);
	return msg_end(&m, "exchange", e);
}

void
exchange_done(struct exchange *v)
{
	secret_done(&v->code);
}

void
exchange_result_put(struct msg *m, const struct exchange_result *v)
{
	msg_put_u8(m, (uint8_t)v->phase);
	msg_put_u8(m, v->spooled);
	msg_put_err(m, &v->err);
	msg_put_u32(m, v->http_status);
	msg_put_str(m, v->provider_code);
	msg_put_str(m, v->provider_text);
	msg_put_u32(m, v->retry_after_s);
	msg_put_u32(m, (uint32_t)v->skew_s);
	msg_put_slice(m, buf_slice(&v->release_blob));
	msg_put_slice(m, buf_slice(&v->release_wrap));
	msg_put_slice(m, buf_slice(&v->grant_blob));
	msg_put_slice(m, buf_slice(&v->grant_wrap));
	msg_put_u32(m, v->expires_in_s);
	msg_put_u32(m, v->refresh_expires_in_s);
	msg_put_str(m, v->scope);
	msg_put_str(m, v->account);
	msg_put_str(m, v->api_base);
	ex_vars_put(m, &v->captured);
	msg_put_raw(m, v->fingerprint, sizeof v->fingerprint);
	msg_put_raw(m, v->fingerprint_sent, sizeof v->fingerprint_sent);
}

static void
get_fixed(struct msg *m, unsigned char *to, size_t n)
{
	struct slice s = msg_get_raw(m, n);

	if (s.len == n)
		memcpy(to, s.p, n);
}

int
exchange_result_get(struct msg *m, struct exchange_result *ret, struct err *e)
{
	ret->phase = msg_get_u8(m);
	ret->spooled = msg_get_u8(m) != 0;
	msg_get_err(m, &ret->err);
	ret->http_status = msg_get_u32(m);
	msg_get_str(m, ret->provider_code, sizeof ret->provider_code);
	msg_get_str(m, ret->provider_text, sizeof ret->provider_text);
	ret->retry_after_s = msg_get_u32(m);
	ret->skew_s = (int32_t)msg_get_u32(m);
	get_buf(m, &ret->release_blob);
	get_buf(m, &ret->release_wrap);
	get_buf(m, &ret->grant_blob);
	get_buf(m, &ret->grant_wrap);
	ret->expires_in_s = msg_get_u32(m);
	ret->refresh_expires_in_s = msg_get_u32(m);
	msg_get_str(m, ret->scope, sizeof ret->scope);
	msg_get_str(m, ret->account, sizeof ret->account);
	msg_get_str(m, ret->api_base, sizeof ret->api_base);
	ex_vars_get(m, &ret->captured);
	get_fixed(m, ret->fingerprint, sizeof ret->fingerprint);
	get_fixed(m, ret->fingerprint_sent, sizeof ret->fingerprint_sent);
	if (ret->phase > PHASE_ANSWERED ||
	    (ret->phase == PHASE_ANSWERED) != (ret->release_blob.len > 0) ||
	    (ret->phase != PHASE_ANSWERED && ret->err.code == 0))
		m->failed = true;
	if (msg_end(m, "result of an exchange", e) == 0)
		return 0;
	exchange_result_done(ret);
	return e->code;
}

void
exchange_result_done(struct exchange_result *v)
{
	buf_done(&v->release_blob);
	buf_done(&v->release_wrap);
	buf_done(&v->grant_blob);
	buf_done(&v->grant_wrap);
}

/* ---- revoke */

void
revoke_put(struct msg *m, const struct revoke *v)
{
	msg_put_id(m, &v->connection);
	put_sealed(m, &v->app);
	put_sealed(m, &v->grant);
	put_sealed(m, &v->release);
}

int
revoke_get(struct slice body, struct revoke *ret, struct err *e)
{
	struct msg m;

	msg_read(&m, body);
	ret->connection = msg_get_id(&m);
	get_sealed(&m, &ret->app);
	get_sealed(&m, &ret->grant);
	get_sealed(&m, &ret->release);
	return msg_end(&m, "revocation", e);
}

void
revoke_result_put(struct msg *m, const struct revoke_result *v)
{
	msg_put_u8(m, v->revoked);
	msg_put_u8(m, v->supported);
	msg_put_err(m, &v->err);
}

int
revoke_result_get(struct slice body, struct revoke_result *ret, struct err *e)
{
	struct msg m;

	msg_read(&m, body);
	ret->revoked = msg_get_u8(&m) != 0;
	ret->supported = msg_get_u8(&m) != 0;
	msg_get_err(&m, &ret->err);
	return msg_end(&m, "result of a revocation", e);
}

/* ---- introspect */

void
introspect_put(struct msg *m, const struct introspect *v)
{
	put_sealed(m, &v->app);
	put_sealed(m, &v->grant);
}

int
introspect_get(struct slice body, struct introspect *ret, struct err *e)
{
	struct msg m;

	msg_read(&m, body);
	get_sealed(&m, &ret->app);
	get_sealed(&m, &ret->grant);
	return msg_end(&m, "introspection", e);
}

/* ---- reseal */

void
reseal_put(struct msg *m, const struct reseal *v)
{
	put_sealed(m, &v->grant);
	put_sealed(m, &v->release);
	msg_put_id(m, &v->connection);
	msg_put_u64(m, v->grant_version);
	msg_put_u64(m, v->release_version);
}

int
reseal_get(struct slice body, struct reseal *ret, struct err *e)
{
	struct msg m;

	msg_read(&m, body);
	get_sealed(&m, &ret->grant);
	get_sealed(&m, &ret->release);
	ret->connection = msg_get_id(&m);
	ret->grant_version = msg_get_u64(&m);
	ret->release_version = msg_get_u64(&m);
	return msg_end(&m, "tokens to be sealed again", e);
}

/* ---- test of an app's secret */

void
test_app_put(struct msg *m, const struct test_app *v)
{
	put_sealed(m, &v->app);
}

int
test_app_get(struct slice body, struct test_app *ret, struct err *e)
{
	struct msg m;

	msg_read(&m, body);
	get_sealed(&m, &ret->app);
	return msg_end(&m, "test of a secret", e);
}

void
test_app_result_put(struct msg *m, const struct test_app_result *v)
{
	msg_put_u8(m, (uint8_t)v->found);
	msg_put_u32(m, v->http_status);
	msg_put_str(m, v->text);
}

int
test_app_result_get(struct slice body, struct test_app_result *ret, struct err *e)
{
	struct msg m;

	msg_read(&m, body);
	ret->found = msg_get_u8(&m);
	ret->http_status = msg_get_u32(&m);
	msg_get_str(&m, ret->text, sizeof ret->text);
	if (ret->found > APP_REFUSED)
		m.failed = true;
	return msg_end(&m, "result of a test", e);
}

/* ---- create */

void
create_put(struct msg *m, const struct create *v)
{
	msg_put_id(m, &v->connection);
	msg_put_u64(m, v->grant_version);
	msg_put_u64(m, v->release_version);
	msg_put_u32(m, v->auth_type);
	msg_put_str(m, v->connector);
	msg_put_u32(m, v->version);
	ex_vars_put(m, &v->vars);
	put_sealed(m, &v->app);
	msg_put_str(m, v->scope);
	put_secrets(m, &v->secrets);
}

int
create_get(struct slice body, struct create *ret, struct err *e)
{
	struct msg m;

	msg_read(&m, body);
	ret->connection = msg_get_id(&m);
	ret->grant_version = msg_get_u64(&m);
	ret->release_version = msg_get_u64(&m);
	ret->auth_type = msg_get_u32(&m);
	msg_get_str(&m, ret->connector, sizeof ret->connector);
	ret->version = msg_get_u32(&m);
	ex_vars_get(&m, &ret->vars);
	get_sealed(&m, &ret->app);
	msg_get_str(&m, ret->scope, sizeof ret->scope);
	get_secrets(&m, &ret->secrets);
	if (msg_end(&m, "connection to create", e) == 0)
		return 0;
	create_done(ret);
	return e->code;
}

void
create_done(struct create *v)
{
	ex_secrets_done(&v->secrets);
}

/* ---- check */

void
check_put(struct msg *m, const struct check *v)
{
	msg_put_str(m, v->connector);
	msg_put_u32(m, v->version);
	msg_put_u32(m, v->auth_type);
	ex_vars_put(m, &v->vars);
	ex_vars_put(m, &v->captured);
	put_sealed(m, &v->app);
	put_sealed(m, &v->release);
}

int
check_get(struct slice body, struct check *ret, struct err *e)
{
	struct msg m;

	msg_read(&m, body);
	msg_get_str(&m, ret->connector, sizeof ret->connector);
	ret->version = msg_get_u32(&m);
	ret->auth_type = msg_get_u32(&m);
	if (auth_type_flags(ret->auth_type) == 0)
		m.failed = true;
	ex_vars_get(&m, &ret->vars);
	ex_vars_get(&m, &ret->captured);
	get_sealed(&m, &ret->app);
	get_sealed(&m, &ret->release);
	return msg_end(&m, "check", e);
}

void
check_result_put(struct msg *m, const struct check_result *v)
{
	msg_put_u8(m, v->asked);
	msg_put_u16(m, v->status);
	msg_put_err(m, &v->err);
}

int
check_result_get(struct slice body, struct check_result *ret, struct err *e)
{
	struct msg m;

	msg_read(&m, body);
	ret->asked = msg_get_u8(&m) != 0;
	ret->status = msg_get_u16(&m);
	msg_get_err(&m, &ret->err);
	return msg_end(&m, "result of a check", e);
}

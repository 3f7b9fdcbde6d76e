/*
 * record.c - see record.h: one encode/decode pair per type. Field order is the format;
 * docs/FORMATS.md lists it.
 */
#include "vaultd/record.h"

#include <string.h>

#include "common/auto.h"

#define FORMAT 1

const char *
conn_state_name(enum conn_state s)
{
	switch (s) {
	case CONN_PENDING:
		return "pending";
	case CONN_CONNECTED:
		return "connected";
	case CONN_DEGRADED:
		return "degraded";
	case CONN_DISCONNECTED:
		return "disconnected";
	}
	return "unknown";
}

/* ---- tags */

static void
tag_of(const unsigned char *key, enum table t, struct slice k, struct slice rec,
    unsigned char out[32])
{
	AUTO(msg) m = { 0 };

	msg_put_u8(&m, (uint8_t)t);
	msg_put_slice(&m, k);
	msg_put_raw(&m, rec.p, rec.len);
	must(msg_ok(&m));
	hmac_sha256(key, msg_slice(&m), out);
}

void
record_tag(const unsigned char *key, enum table t, struct slice k, struct buf *rec)
{
	unsigned char tag[32];

	tag_of(key, t, k, buf_slice(rec), tag);
	buf_add(rec, tag, sizeof tag);
}

bool
record_tag_ok(const unsigned char *key, enum table t, struct slice k, struct slice rec,
    struct slice *ret_body)
{
	unsigned char tag[32], diff = 0;
	const unsigned char *have;

	if (rec.len < sizeof tag)
		return false;
	*ret_body = (struct slice){ rec.p, rec.len - sizeof tag };
	have = (const unsigned char *)rec.p + ret_body->len;
	tag_of(key, t, k, *ret_body, tag);
	for (size_t i = 0; i < sizeof tag; i++)
		diff |= tag[i] ^ have[i];
	return diff == 0;
}

/* ---- shared pieces */

static int
encoded(struct msg *m, struct buf *out, struct err *e)
{
	if (!msg_ok(m) || !buf_add(out, m->b.p, m->b.len))
		return err_set(e, V_LIMIT, "out of memory");
	return 0;
}

static void
start(struct msg *m, struct slice in)
{
	msg_read(m, in);
	if (msg_get_u8(m) != FORMAT)
		m->failed = true;
}

static void
get_buf(struct msg *m, struct buf *ret)
{
	struct slice s = msg_get_slice(m);

	if (!m->failed && !buf_add(ret, s.p, s.len))
		m->failed = true;
}

static void
put_time(struct msg *m, int64_t t)
{
	msg_put_u64(m, (uint64_t)t);
}

static int64_t
get_time(struct msg *m)
{
	return (int64_t)msg_get_u64(m);
}

static void
get_raw(struct msg *m, unsigned char *to, size_t n)
{
	struct slice s = msg_get_raw(m, n);

	if (s.len == n)
		memcpy(to, s.p, n);
}

static void
put_vars(struct msg *m, const struct ex_vars *v)
{
	msg_put_u8(m, (uint8_t)v->n);
	for (size_t i = 0; i < v->n; i++) {
		msg_put_str(m, v->v[i].name);
		msg_put_str(m, v->v[i].value);
	}
}

static void
get_vars(struct msg *m, struct ex_vars *v)
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

bool
name_is_good(const char *name)
{
	const unsigned char *p = (const unsigned char *)name;

	for (size_t i = 0; p[i] != '\0'; i++)
		if (p[i] < 0x20 || p[i] == 0x7f || p[i] == '/' ||
		    (p[i] == 0xc2 && p[i + 1] != '\0' && p[i + 1] < 0xa0))
			return false;
	return *p != '\0' && strlen(name) <= NAME_MAX_LEN;
}

/* ---- connection */

int
connection_encode(const struct connection *r, struct buf *out, struct err *e)
{
	AUTO(msg) m = { 0 };

	msg_put_u8(&m, FORMAT);
	msg_put_id(&m, &r->id);
	msg_put_id(&m, &r->folder);
	msg_put_id(&m, &r->app);
	msg_put_str(&m, r->name);
	msg_put_str(&m, r->connector);
	msg_put_u32(&m, r->connector_version);
	msg_put_u32(&m, r->auth_type);
	msg_put_u8(&m, (uint8_t)r->state);
	msg_put_u32(&m, r->owner);
	put_time(&m, r->created);
	put_time(&m, r->updated);
	put_time(&m, r->last_refresh_ok);
	msg_put_str(&m, r->account);
	msg_put_str(&m, r->api_base);
	msg_put_str(&m, r->scope);
	msg_put_u16(&m, (uint16_t)r->cause);
	msg_put_str(&m, r->cause_text);
	put_time(&m, r->cause_time);
	msg_put_u32(&m, r->failures);
	put_time(&m, r->retry_at);
	put_time(&m, r->ambiguous_since);
	return encoded(&m, out, e);
}

int
connection_decode(struct slice in, struct connection *ret, struct err *e)
{
	struct msg m;

	start(&m, in);
	ret->id = msg_get_id(&m);
	ret->folder = msg_get_id(&m);
	ret->app = msg_get_id(&m);
	msg_get_str(&m, ret->name, sizeof ret->name);
	msg_get_str(&m, ret->connector, sizeof ret->connector);
	ret->connector_version = msg_get_u32(&m);
	ret->auth_type = msg_get_u32(&m);
	ret->state = msg_get_u8(&m);
	ret->owner = msg_get_u32(&m);
	ret->created = get_time(&m);
	ret->updated = get_time(&m);
	ret->last_refresh_ok = get_time(&m);
	msg_get_str(&m, ret->account, sizeof ret->account);
	msg_get_str(&m, ret->api_base, sizeof ret->api_base);
	msg_get_str(&m, ret->scope, sizeof ret->scope);
	ret->cause = msg_get_u16(&m);
	msg_get_str(&m, ret->cause_text, sizeof ret->cause_text);
	ret->cause_time = get_time(&m);
	ret->failures = msg_get_u32(&m);
	ret->retry_at = get_time(&m);
	ret->ambiguous_since = get_time(&m);
	if (ret->state < CONN_PENDING || ret->state > CONN_DISCONNECTED ||
	    ret->cause >= ERR_MAX)
		m.failed = true;
	return msg_end(&m, "connection record", e);
}

/* ---- grant */

void
grant_done(struct grant *g)
{
	buf_done(&g->blob);
}

int
grant_encode(const struct grant *r, struct buf *out, struct err *e)
{
	AUTO(msg) m = { 0 };

	msg_put_u8(&m, FORMAT);
	msg_put_id(&m, &r->connection);
	msg_put_id(&m, &r->app);
	msg_put_u64(&m, r->version);
	msg_put_id(&m, &r->instance);
	msg_put_raw(&m, r->fingerprint, sizeof r->fingerprint);
	put_time(&m, r->obtained);
	put_time(&m, r->refresh_expires);
	msg_put_slice(&m, buf_slice(&r->blob));
	return encoded(&m, out, e);
}

int
grant_decode(struct slice in, struct grant *ret, struct err *e)
{
	struct msg m;

	start(&m, in);
	ret->connection = msg_get_id(&m);
	ret->app = msg_get_id(&m);
	ret->version = msg_get_u64(&m);
	ret->instance = msg_get_id(&m);
	get_raw(&m, ret->fingerprint, sizeof ret->fingerprint);
	ret->obtained = get_time(&m);
	ret->refresh_expires = get_time(&m);
	get_buf(&m, &ret->blob);
	if (msg_end(&m, "grant record", e) == 0)
		return 0;
	grant_done(ret);
	return e->code;
}

/* ---- release */

void
release_done(struct release *r)
{
	buf_done(&r->blob);
}

int
release_encode(const struct release *r, struct buf *out, struct err *e)
{
	AUTO(msg) m = { 0 };

	msg_put_u8(&m, FORMAT);
	msg_put_id(&m, &r->connection);
	msg_put_u64(&m, r->version);
	put_time(&m, r->obtained);
	put_time(&m, r->expires);
	msg_put_u64(&m, r->generation);
	msg_put_u64(&m, r->seals);
	msg_put_slice(&m, buf_slice(&r->blob));
	return encoded(&m, out, e);
}

int
release_decode(struct slice in, struct release *ret, struct err *e)
{
	struct msg m;

	start(&m, in);
	ret->connection = msg_get_id(&m);
	ret->version = msg_get_u64(&m);
	ret->obtained = get_time(&m);
	ret->expires = get_time(&m);
	ret->generation = msg_get_u64(&m);
	ret->seals = msg_get_u64(&m);
	get_buf(&m, &ret->blob);
	if (msg_end(&m, "token record", e) == 0)
		return 0;
	release_done(ret);
	return e->code;
}

bool
release_view(struct slice in, struct release_view *ret)
{
	struct msg m;
	struct err e;

	start(&m, in);
	msg_get_id(&m);
	ret->version = msg_get_u64(&m);
	ret->obtained = get_time(&m);
	ret->expires = get_time(&m);
	ret->generation = msg_get_u64(&m);
	msg_get_u64(&m);
	ret->blob = msg_get_slice(&m);
	return msg_end(&m, "token record", &e) == 0;
}

/* ---- folder */

int
folder_encode(const struct folder *r, struct buf *out, struct err *e)
{
	AUTO(msg) m = { 0 };

	msg_put_u8(&m, FORMAT);
	msg_put_id(&m, &r->id);
	msg_put_id(&m, &r->parent);
	msg_put_u8(&m, r->class);
	msg_put_u32(&m, r->owner);
	msg_put_str(&m, r->owner_name);
	msg_put_str(&m, r->name);
	put_time(&m, r->created);
	return encoded(&m, out, e);
}

int
folder_decode(struct slice in, struct folder *ret, struct err *e)
{
	struct msg m;

	start(&m, in);
	ret->id = msg_get_id(&m);
	ret->parent = msg_get_id(&m);
	ret->class = msg_get_u8(&m);
	ret->owner = msg_get_u32(&m);
	msg_get_str(&m, ret->owner_name, sizeof ret->owner_name);
	msg_get_str(&m, ret->name, sizeof ret->name);
	ret->created = get_time(&m);
	if (ret->class < 1 || ret->class > 2)
		m.failed = true;
	return msg_end(&m, "folder record", e);
}

/* ---- app */

void
app_done(struct app *a)
{
	buf_done(&a->blob);
}

int
app_encode(const struct app *r, struct buf *out, struct err *e)
{
	AUTO(msg) m = { 0 };

	msg_put_u8(&m, FORMAT);
	msg_put_id(&m, &r->id);
	msg_put_str(&m, r->name);
	msg_put_str(&m, r->connector);
	msg_put_u32(&m, r->connector_version);
	msg_put_u64(&m, r->version);
	msg_put_str(&m, r->client_id);
	msg_put_str(&m, r->client_auth);
	put_vars(&m, &r->vars);
	msg_put_str(&m, r->redirect_uri);
	msg_put_str(&m, r->scope);
	msg_put_str(&m, r->authorization_url);
	msg_put_str(&m, r->token_url);
	msg_put_str(&m, r->issuer);
	msg_put_u8(&m, r->iss_required);
	msg_put_str(&m, r->owner_note);
	msg_put_str(&m, r->purpose_note);
	put_time(&m, r->created);
	put_time(&m, r->rotate_by);
	msg_put_u32(&m, r->created_by);
	msg_put_slice(&m, buf_slice(&r->blob));
	return encoded(&m, out, e);
}

int
app_decode(struct slice in, struct app *ret, struct err *e)
{
	struct msg m;

	start(&m, in);
	ret->id = msg_get_id(&m);
	msg_get_str(&m, ret->name, sizeof ret->name);
	msg_get_str(&m, ret->connector, sizeof ret->connector);
	ret->connector_version = msg_get_u32(&m);
	ret->version = msg_get_u64(&m);
	msg_get_str(&m, ret->client_id, sizeof ret->client_id);
	msg_get_str(&m, ret->client_auth, sizeof ret->client_auth);
	get_vars(&m, &ret->vars);
	msg_get_str(&m, ret->redirect_uri, sizeof ret->redirect_uri);
	msg_get_str(&m, ret->scope, sizeof ret->scope);
	msg_get_str(&m, ret->authorization_url, sizeof ret->authorization_url);
	msg_get_str(&m, ret->token_url, sizeof ret->token_url);
	msg_get_str(&m, ret->issuer, sizeof ret->issuer);
	ret->iss_required = msg_get_u8(&m) != 0;
	msg_get_str(&m, ret->owner_note, sizeof ret->owner_note);
	msg_get_str(&m, ret->purpose_note, sizeof ret->purpose_note);
	ret->created = get_time(&m);
	ret->rotate_by = get_time(&m);
	ret->created_by = msg_get_u32(&m);
	get_buf(&m, &ret->blob);
	if (msg_end(&m, "app record", e) == 0)
		return 0;
	app_done(ret);
	return e->code;
}

/* ---- pending */

void
pending_done(struct pending *p)
{
	buf_done(&p->blob);
	buf_done(&p->wrap);
}

int
pending_encode(const struct pending *r, struct buf *out, struct err *e)
{
	AUTO(msg) m = { 0 };

	msg_put_u8(&m, FORMAT);
	msg_put_id(&m, &r->id);
	msg_put_id(&m, &r->connection);
	msg_put_id(&m, &r->app);
	msg_put_id(&m, &r->folder);
	msg_put_u8(&m, r->reconnect);
	msg_put_u32(&m, r->uid);
	msg_put_raw(&m, r->state_hash, sizeof r->state_hash);
	msg_put_str(&m, r->name);
	msg_put_str(&m, r->redirect_uri);
	msg_put_str(&m, r->scope);
	put_time(&m, r->expires);
	msg_put_slice(&m, buf_slice(&r->blob));
	msg_put_slice(&m, buf_slice(&r->wrap));
	return encoded(&m, out, e);
}

int
pending_decode(struct slice in, struct pending *ret, struct err *e)
{
	struct msg m;

	start(&m, in);
	ret->id = msg_get_id(&m);
	ret->connection = msg_get_id(&m);
	ret->app = msg_get_id(&m);
	ret->folder = msg_get_id(&m);
	ret->reconnect = msg_get_u8(&m) != 0;
	ret->uid = msg_get_u32(&m);
	get_raw(&m, ret->state_hash, sizeof ret->state_hash);
	msg_get_str(&m, ret->name, sizeof ret->name);
	msg_get_str(&m, ret->redirect_uri, sizeof ret->redirect_uri);
	msg_get_str(&m, ret->scope, sizeof ret->scope);
	ret->expires = get_time(&m);
	get_buf(&m, &ret->blob);
	get_buf(&m, &ret->wrap);
	if (msg_end(&m, "session record", e) == 0)
		return 0;
	pending_done(ret);
	return e->code;
}

/* ---- intent */

int
intent_encode(const struct intent *r, struct buf *out, struct err *e)
{
	AUTO(msg) m = { 0 };

	msg_put_u8(&m, FORMAT);
	msg_put_id(&m, &r->attempt);
	msg_put_id(&m, &r->connection);
	msg_put_id(&m, &r->pending);
	msg_put_u8(&m, r->kind);
	msg_put_u64(&m, r->grant_version);
	msg_put_u64(&m, r->release_version);
	put_time(&m, r->t0);
	msg_put_u8(&m, r->retries);
	return encoded(&m, out, e);
}

int
intent_decode(struct slice in, struct intent *ret, struct err *e)
{
	struct msg m;

	start(&m, in);
	ret->attempt = msg_get_id(&m);
	ret->connection = msg_get_id(&m);
	ret->pending = msg_get_id(&m);
	ret->kind = msg_get_u8(&m);
	ret->grant_version = msg_get_u64(&m);
	ret->release_version = msg_get_u64(&m);
	ret->t0 = get_time(&m);
	ret->retries = msg_get_u8(&m);
	if (ret->kind != EX_CODE && ret->kind != EX_REFRESH)
		m.failed = true;
	return msg_end(&m, "intent record", e);
}

/* ---- wraps */

void
wraps_done(struct wraps *w)
{
	for (size_t i = 0; i < w->n && i < sizeof w->v / sizeof *w->v; i++)
		buf_done(&w->v[i]);
	w->n = 0;
}

int
wraps_encode(const struct wraps *r, struct buf *out, struct err *e)
{
	AUTO(msg) m = { 0 };

	msg_put_u8(&m, FORMAT);
	msg_put_u8(&m, (uint8_t)r->n);
	for (size_t i = 0; i < r->n; i++)
		msg_put_slice(&m, buf_slice(&r->v[i]));
	return encoded(&m, out, e);
}

int
wraps_decode(struct slice in, struct wraps *ret, struct err *e)
{
	struct msg m;
	size_t n;

	start(&m, in);
	n = msg_get_u8(&m);
	if (n == 0 || n > sizeof ret->v / sizeof *ret->v)
		m.failed = true;
	for (ret->n = 0; ret->n < n && !m.failed; ret->n++)
		get_buf(&m, &ret->v[ret->n]);
	if (msg_end(&m, "wraps record", e) == 0)
		return 0;
	wraps_done(ret);
	return e->code;
}

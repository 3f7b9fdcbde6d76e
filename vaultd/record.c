/*
 * record.c - see record.h: one encode/decode pair per type. Field order is the format;
 * docs/FORMATS.md lists it.
 */
#include "vaultd/record.h"

#include <string.h>

#include "common/auto.h"
#include "vaultd/record_part.h"

#define FORMAT 1
#define PENDING_FORMAT 4

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

int
record_encoded(struct msg *m, struct buf *out, struct err *e)
{
	if (!msg_ok(m) || !buf_add(out, m->b.p, m->b.len))
		return err_set(e, V_LIMIT, "out of memory");
	return 0;
}

unsigned
record_start(struct msg *m, struct slice in, unsigned newest)
{
	unsigned format;

	msg_read(m, in);
	format = msg_get_u8(m);
	if (format < 1 || format > newest)
		m->failed = true;
	return format;
}

void
record_get_buf(struct msg *m, struct buf *ret)
{
	struct slice s = msg_get_slice(m);

	if (!m->failed && !buf_add(ret, s.p, s.len))
		m->failed = true;
}

void
record_put_time(struct msg *m, int64_t t)
{
	msg_put_u64(m, (uint64_t)t);
}

int64_t
record_get_time(struct msg *m)
{
	return (int64_t)msg_get_u64(m);
}

void
record_get_raw(struct msg *m, unsigned char *to, size_t n)
{
	struct slice s = msg_get_raw(m, n);

	if (s.len == n)
		memcpy(to, s.p, n);
}

void
record_put_vars(struct msg *m, const struct ex_vars *v)
{
	msg_put_u8(m, (uint8_t)v->n);
	for (size_t i = 0; i < v->n; i++) {
		msg_put_str(m, v->v[i].name);
		msg_put_str(m, v->v[i].value);
	}
}

void
record_get_vars(struct msg *m, struct ex_vars *v)
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
	record_put_time(&m, r->created);
	return record_encoded(&m, out, e);
}

int
folder_decode(struct slice in, struct folder *ret, struct err *e)
{
	struct msg m;

	record_start(&m, in, FORMAT);
	ret->id = msg_get_id(&m);
	ret->parent = msg_get_id(&m);
	ret->class = msg_get_u8(&m);
	ret->owner = msg_get_u32(&m);
	msg_get_str(&m, ret->owner_name, sizeof ret->owner_name);
	msg_get_str(&m, ret->name, sizeof ret->name);
	ret->created = record_get_time(&m);
	if (ret->class < 1 || ret->class > 2)
		m.failed = true;
	return msg_end(&m, "folder record", e);
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

	msg_put_u8(&m, PENDING_FORMAT);
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
	record_put_time(&m, r->expires);
	msg_put_slice(&m, buf_slice(&r->blob));
	msg_put_slice(&m, buf_slice(&r->wrap));
	msg_put_u8(&m, r->kind);
	msg_put_str(&m, r->user_code);
	msg_put_str(&m, r->verification_uri);
	msg_put_str(&m, r->verification_uri_complete);
	msg_put_u32(&m, r->interval_s);
	record_put_time(&m, r->next_poll);
	msg_put_u8(&m, r->lost);
	msg_put_u8(&m, r->over);
	msg_put_u16(&m, (uint16_t)r->cause);
	msg_put_str(&m, r->cause_text);
	msg_put_u8(&m, r->other_account);
	msg_put_u8(&m, (uint8_t)r->ngids);
	for (size_t i = 0; i < r->ngids; i++)
		msg_put_u32(&m, r->gids[i]);
	msg_put_str(&m, r->unit);
	return record_encoded(&m, out, e);
}

static void
get_device(struct msg *m, struct pending *ret)
{
	ret->kind = msg_get_u8(m);
	msg_get_str(m, ret->user_code, sizeof ret->user_code);
	msg_get_str(m, ret->verification_uri, sizeof ret->verification_uri);
	msg_get_str(m, ret->verification_uri_complete, sizeof ret->verification_uri_complete);
	ret->interval_s = msg_get_u32(m);
	ret->next_poll = record_get_time(m);
	ret->lost = msg_get_u8(m) != 0;
	ret->over = msg_get_u8(m);
	ret->cause = msg_get_u16(m);
	msg_get_str(m, ret->cause_text, sizeof ret->cause_text);
	if ((ret->kind != EX_CODE && ret->kind != EX_DEVICE) || ret->over > SESSION_FAILED ||
	    ret->cause >= ERR_MAX)
		m->failed = true;
}

static void
get_who(struct msg *m, struct pending *ret)
{
	size_t n = msg_get_u8(m);

	if (n > PEER_GROUPS)
		m->failed = true;
	for (ret->ngids = 0; ret->ngids < n && !m->failed; ret->ngids++)
		ret->gids[ret->ngids] = msg_get_u32(m);
	msg_get_str(m, ret->unit, sizeof ret->unit);
}

int
pending_decode(struct slice in, struct pending *ret, struct err *e)
{
	struct msg m;
	unsigned format = record_start(&m, in, PENDING_FORMAT);

	ret->id = msg_get_id(&m);
	ret->connection = msg_get_id(&m);
	ret->app = msg_get_id(&m);
	ret->folder = msg_get_id(&m);
	ret->reconnect = msg_get_u8(&m) != 0;
	ret->uid = msg_get_u32(&m);
	record_get_raw(&m, ret->state_hash, sizeof ret->state_hash);
	msg_get_str(&m, ret->name, sizeof ret->name);
	msg_get_str(&m, ret->redirect_uri, sizeof ret->redirect_uri);
	msg_get_str(&m, ret->scope, sizeof ret->scope);
	ret->expires = record_get_time(&m);
	record_get_buf(&m, &ret->blob);
	record_get_buf(&m, &ret->wrap);
	ret->kind = EX_CODE;
	ret->over = SESSION_WAITS;
	if (format >= 2)
		get_device(&m, ret);
	ret->other_account = format >= 3 && msg_get_u8(&m) != 0;
	ret->ngids = 0;
	ret->unit[0] = '\0';
	if (format >= 4)
		get_who(&m, ret);
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
	record_put_time(&m, r->t0);
	msg_put_u8(&m, r->retries);
	return record_encoded(&m, out, e);
}

int
intent_decode(struct slice in, struct intent *ret, struct err *e)
{
	struct msg m;

	record_start(&m, in, FORMAT);
	ret->attempt = msg_get_id(&m);
	ret->connection = msg_get_id(&m);
	ret->pending = msg_get_id(&m);
	ret->kind = msg_get_u8(&m);
	ret->grant_version = msg_get_u64(&m);
	ret->release_version = msg_get_u64(&m);
	ret->t0 = record_get_time(&m);
	ret->retries = msg_get_u8(&m);
	if (!exchange_spends(ret->kind))
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
	return record_encoded(&m, out, e);
}

int
wraps_decode(struct slice in, struct wraps *ret, struct err *e)
{
	struct msg m;
	size_t n;

	record_start(&m, in, FORMAT);
	n = msg_get_u8(&m);
	if (n == 0 || n > sizeof ret->v / sizeof *ret->v)
		m.failed = true;
	for (ret->n = 0; ret->n < n && !m.failed; ret->n++)
		record_get_buf(&m, &ret->v[ret->n]);
	if (msg_end(&m, "wraps record", e) == 0)
		return 0;
	wraps_done(ret);
	return e->code;
}

/*
 * flight.c - see flight.h. The layout of the spool file's two parts is in docs/FORMATS.md.
 */
#include "egress/flight.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/log.h"
#include "egress/egress.h"
#include "egress/spool.h"

#define KEPT_ROOM	(32000)		/* of an answer of 16 KiB with its destination */

static void
flight_free(void *p)
{
	struct flight *f = p;

	secret_done(&f->spool_dek);
	secret_done(&f->grant_dek);
	secret_done(&f->release_dek);
	buf_done(&f->spool_wrap);
	buf_done(&f->grant_wrap);
	buf_done(&f->release_wrap);
	app_secret_done(&f->app);
	flow_secret_done(&f->flow);
	grant_secret_done(&f->grant);
	secret_done(&f->code);
	msg_done(&f->kept);
	free(f);
}

struct flight *
flight_new(struct job *j)
{
	struct flight *f = calloc(1, sizeof *f);

	must(f != NULL);
	j->state = f;
	j->done_state = flight_free;
	return f;
}

int
flight_reserve(struct flight *f, struct err *e)
{
	msg_secret(&f->kept);
	return secret_reserve(&f->kept.s, KEPT_ROOM, e);
}

/* ---- the header */

int
flight_begin(struct egress *x, struct flight *f, struct err *e)
{
	AUTO(msg) m = { 0 };

	msg_put_slice(&m, buf_slice(&f->spool_wrap));
	msg_put_slice(&m, buf_slice(&f->grant_wrap));
	msg_put_slice(&m, buf_slice(&f->release_wrap));
	msg_put_u8(&m, f->release_new);
	msg_put_id(&m, &f->connection);
	sha256(msg_slice(&m), f->header);
	if (!msg_ok(&m) || spool_create(x->spool, &f->attempt, msg_slice(&m), e) != 0)
		return err_name(e, ERR_STORE_UNWRITABLE, "the spool cannot be written: nothing was "
		    "sent, the grant is unharmed");
	return 0;
}

static int
header_get(struct slice in, struct flight *f, struct err *e)
{
	struct slice s[3];
	struct msg m;

	msg_read(&m, in);
	for (int i = 0; i < 3; i++)
		s[i] = msg_get_slice(&m);
	f->release_new = msg_get_u8(&m) != 0;
	f->connection = msg_get_id(&m);
	if (msg_end(&m, "spool header", e) != 0)
		return e->code;
	if (!buf_add(&f->spool_wrap, s[0].p, s[0].len) ||
	    !buf_add(&f->grant_wrap, s[1].p, s[1].len) ||
	    !buf_add(&f->release_wrap, s[2].p, s[2].len))
		return err_set(e, V_LIMIT, "out of memory");
	return 0;
}

/* ---- the sealed part */

/* What was sent: the code, or the old refresh token. A device code stands for the verifier. */
static struct secret *
sent_secret(struct flight *f)
{
	return exchange_is_signin(f->kind) ? &f->code : &f->grant.refresh_token;
}

static void
answer_put(struct flight *f, const struct http_answer *a, struct msg *m)
{
	msg_put_raw(m, f->header, sizeof f->header);
	msg_put_u8(m, (uint8_t)f->kind);
	msg_put_u64(m, f->grant_version);
	msg_put_u64(m, f->release_version);
	msg_put_u64(m, (uint64_t)f->sent_at);
	destination_put(m, &f->d);
	msg_put_str(m, f->app.client_id);
	msg_put_str(m, f->nonce);
	msg_put_str(m, f->scope);
	ex_vars_put(m, &f->parameters);
	msg_put_raw(m, f->sent_print, sizeof f->sent_print);
	msg_put_secret(m, &f->app.client_secret);
	msg_put_secret(m, &f->flow.verifier);
	msg_put_secret(m, sent_secret(f));
	msg_put_u32(m, a->status);
	msg_put_str(m, a->content_type);
	msg_put_u32(m, a->retry_after_s);
	msg_put_u32(m, (uint32_t)a->skew_s);
	msg_put_secret(m, &a->body);
}

static void
take(struct msg *m, struct secret *ret)
{
	struct err e;

	if (!m->failed && msg_get_secret(m, ret, &e) != 0)
		m->failed = true;
}

static int
answer_get(struct slice plain, unsigned format, struct flight *f, struct http_answer *a,
    struct err *e)
{
	struct slice print, header;
	struct msg m;

	msg_read(&m, plain);
	header = msg_get_raw(&m, sizeof f->header);
	if (header.len != sizeof f->header || memcmp(header.p, f->header, header.len) != 0)
		return err_set(e, V_CORRUPT, "the spool file has the header of another one");
	f->kind = f->now = msg_get_u8(&m);
	f->first = exchange_is_signin(f->kind);
	f->grant_version = msg_get_u64(&m);
	f->release_version = msg_get_u64(&m);
	f->sent_at = (int64_t)msg_get_u64(&m);
	destination_get(&m, &f->d);
	f->app.d = f->d;
	msg_get_str(&m, f->app.client_id, sizeof f->app.client_id);
	msg_get_str(&m, f->nonce, sizeof f->nonce);
	msg_get_str(&m, f->scope, sizeof f->scope);
	if (format > 2)
		ex_vars_get(&m, &f->parameters);
	print = msg_get_raw(&m, sizeof f->sent_print);
	if (print.len == sizeof f->sent_print)
		memcpy(f->sent_print, print.p, print.len);
	take(&m, &f->app.client_secret);
	take(&m, &f->flow.verifier);
	take(&m, sent_secret(f));
	a->phase = PHASE_ANSWERED;
	a->status = msg_get_u32(&m);
	msg_get_str(&m, a->content_type, sizeof a->content_type);
	a->retry_after_s = msg_get_u32(&m);
	a->skew_s = (int32_t)msg_get_u32(&m);
	take(&m, &a->body);
	return msg_end(&m, "spooled answer", e);
}

bool
flight_keep(struct egress *x, struct flight *f, const struct http_answer *a)
{
	AUTO(buf) blob = { 0 };
	struct err e;

	err_set(&e, V_LIMIT, "secret memory exhausted");
	answer_put(f, a, &f->kept);
	if (msg_ok(&f->kept) && keys_seal(x, PURPOSE_GRANT, &f->attempt, 1, &f->spool_dek,
		msg_slice(&f->kept), &blob, &e) == 0 &&
	    spool_write(x->spool, &f->attempt, buf_slice(&blob), &e) == 0)
		return true;
	log_error("an answer could not be spooled, it is in memory alone: %s", e.text);
	return false;
}

int
flight_open(struct egress *x, struct flight *f, struct slice header, struct slice blob,
    unsigned format, struct http_answer *ret, struct err *e)
{
	struct sealed s = { .record = f->attempt, .version = 1, .blob = blob };
	AUTO(secret) plain = { 0 };

	if (header_get(header, f, e) != 0)
		return e->code;
	sha256(header, f->header);
	s.wrap = buf_slice(&f->spool_wrap);
	if (keys_open(x, PURPOSE_GRANT, &s, &plain, e) != 0 ||
	    answer_get((struct slice){ plain.p, plain.len }, format, f, ret, e) != 0 ||
	    keys_unwrap(x, PURPOSE_GRANT, &f->connection, buf_slice(&f->grant_wrap),
		&f->grant_dek, e) != 0)
		return e->code;
	return keys_unwrap(x, PURPOSE_RELEASE, &f->connection, buf_slice(&f->release_wrap),
	    &f->release_dek, e);
}

/*
 * record_connection.c - connections, and what belongs to each: its grant, its token.
 */
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "vaultd/record.h"
#include "vaultd/record_part.h"

#define FORMAT 1		/* of releases */
#define FORMAT_GRANT 2
#define FORMAT_CONNECTION 2
#define SINCE_2 offsetof(struct connection, description)

/* ---- connection */

static bool
good_state(unsigned s)
{
	return s >= CONN_PENDING && s < CONN_STATE_END;
}

static void
put_since_2(struct msg *m, const struct connection *r)
{
	msg_put_str(m, r->description);
	msg_put_u8(m, (uint8_t)r->resume);
	record_put_time(m, r->state_since);
	msg_put_u8(m, r->shell);
	msg_put_u8(m, r->account_class);
	msg_put_u32(m, r->locks);
	msg_put_str(m, r->scope_requested);
	record_put_vars(m, &r->vars);
	record_put_vars(m, &r->captured);
	msg_put_u32(m, r->check_interval_s);
	record_put_time(m, r->last_checked);
	msg_put_u16(m, (uint16_t)r->check_cause);
	msg_put_u16(m, r->check_status);
	msg_put_str(m, r->check_text);
	msg_put_u32(m, r->ambiguous);
	msg_put_u8(m, (uint8_t)r->cause_phase);
	msg_put_u16(m, r->cause_status);
	msg_put_str(m, r->cause_code);
	msg_put_str(m, r->cause_provider_text);
	msg_put_str(m, r->cause_trace);
	msg_put_u64(m, r->cause_generation);
	msg_put_u32(m, (uint32_t)r->skew_s);
	msg_put_u32(m, r->disabled_by);
	msg_put_str(m, r->disabled_note);
	record_put_time(m, r->gap_time);
	msg_put_str(m, r->gap_scope);
}

static void
get_since_2(struct msg *m, struct connection *ret)
{
	msg_get_str(m, ret->description, sizeof ret->description);
	ret->resume = msg_get_u8(m);
	ret->state_since = record_get_time(m);
	ret->shell = msg_get_u8(m) != 0;
	ret->account_class = msg_get_u8(m);
	ret->locks = msg_get_u32(m);
	msg_get_str(m, ret->scope_requested, sizeof ret->scope_requested);
	record_get_vars(m, &ret->vars);
	record_get_vars(m, &ret->captured);
	ret->check_interval_s = msg_get_u32(m);
	ret->last_checked = record_get_time(m);
	ret->check_cause = msg_get_u16(m);
	ret->check_status = msg_get_u16(m);
	msg_get_str(m, ret->check_text, sizeof ret->check_text);
	ret->ambiguous = msg_get_u32(m);
	ret->cause_phase = msg_get_u8(m);
	ret->cause_status = msg_get_u16(m);
	msg_get_str(m, ret->cause_code, sizeof ret->cause_code);
	msg_get_str(m, ret->cause_provider_text, sizeof ret->cause_provider_text);
	msg_get_str(m, ret->cause_trace, sizeof ret->cause_trace);
	ret->cause_generation = msg_get_u64(m);
	ret->skew_s = (int32_t)msg_get_u32(m);
	ret->disabled_by = msg_get_u32(m);
	msg_get_str(m, ret->disabled_note, sizeof ret->disabled_note);
	ret->gap_time = record_get_time(m);
	msg_get_str(m, ret->gap_scope, sizeof ret->gap_scope);
	if (ret->cause_phase > PHASE_ANSWERED || ret->check_cause >= ERR_MAX)
		m->failed = true;
}

int
connection_encode(const struct connection *r, struct buf *out, struct err *e)
{
	AUTO(msg) m = { 0 };

	msg_put_u8(&m, FORMAT_CONNECTION);
	msg_put_id(&m, &r->id);
	msg_put_id(&m, &r->folder);
	msg_put_id(&m, &r->app);
	msg_put_str(&m, r->name);
	msg_put_str(&m, r->connector);
	msg_put_u32(&m, r->connector_version);
	msg_put_u32(&m, r->auth_type);
	msg_put_u8(&m, (uint8_t)r->state);
	msg_put_u32(&m, r->owner);
	record_put_time(&m, r->created);
	record_put_time(&m, r->updated);
	record_put_time(&m, r->last_refresh_ok);
	msg_put_str(&m, r->account);
	msg_put_str(&m, r->api_base);
	msg_put_str(&m, r->scope);
	msg_put_u16(&m, (uint16_t)r->cause);
	msg_put_str(&m, r->cause_text);
	record_put_time(&m, r->cause_time);
	msg_put_u32(&m, r->failures);
	record_put_time(&m, r->retry_at);
	record_put_time(&m, r->ambiguous_since);
	put_since_2(&m, r);
	return record_encoded(&m, out, e);
}

int
connection_decode(struct slice in, struct connection *ret, struct err *e)
{
	struct msg m;
	unsigned format;

	format = record_start(&m, in, FORMAT_CONNECTION);
	ret->id = msg_get_id(&m);
	ret->folder = msg_get_id(&m);
	ret->app = msg_get_id(&m);
	msg_get_str(&m, ret->name, sizeof ret->name);
	msg_get_str(&m, ret->connector, sizeof ret->connector);
	ret->connector_version = msg_get_u32(&m);
	ret->auth_type = msg_get_u32(&m);
	ret->state = msg_get_u8(&m);
	ret->owner = msg_get_u32(&m);
	ret->created = record_get_time(&m);
	ret->updated = record_get_time(&m);
	ret->last_refresh_ok = record_get_time(&m);
	msg_get_str(&m, ret->account, sizeof ret->account);
	msg_get_str(&m, ret->api_base, sizeof ret->api_base);
	msg_get_str(&m, ret->scope, sizeof ret->scope);
	ret->cause = msg_get_u16(&m);
	msg_get_str(&m, ret->cause_text, sizeof ret->cause_text);
	ret->cause_time = record_get_time(&m);
	ret->failures = msg_get_u32(&m);
	ret->retry_at = record_get_time(&m);
	ret->ambiguous_since = record_get_time(&m);
	if (format >= 2)
		get_since_2(&m, ret);
	else
		memset((char *)ret + SINCE_2, 0, sizeof *ret - SINCE_2);
	if (!good_state(ret->state) || ret->cause >= ERR_MAX || ret->resume >= CONN_STATE_END)
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

	msg_put_u8(&m, FORMAT_GRANT);
	msg_put_id(&m, &r->connection);
	msg_put_id(&m, &r->app);
	msg_put_u64(&m, r->version);
	msg_put_id(&m, &r->instance);
	msg_put_raw(&m, r->fingerprint, sizeof r->fingerprint);
	record_put_time(&m, r->obtained);
	record_put_time(&m, r->refresh_expires);
	msg_put_slice(&m, buf_slice(&r->blob));
	record_put_time(&m, r->signed_in);
	return record_encoded(&m, out, e);
}

int
grant_decode(struct slice in, struct grant *ret, struct err *e)
{
	struct msg m;
	unsigned format = record_start(&m, in, FORMAT_GRANT);

	ret->connection = msg_get_id(&m);
	ret->app = msg_get_id(&m);
	ret->version = msg_get_u64(&m);
	ret->instance = msg_get_id(&m);
	record_get_raw(&m, ret->fingerprint, sizeof ret->fingerprint);
	ret->obtained = record_get_time(&m);
	ret->refresh_expires = record_get_time(&m);
	record_get_buf(&m, &ret->blob);
	ret->signed_in = format >= 2 ? record_get_time(&m) : 0;
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
	record_put_time(&m, r->obtained);
	record_put_time(&m, r->expires);
	msg_put_u64(&m, r->generation);
	msg_put_u64(&m, r->seals);
	msg_put_slice(&m, buf_slice(&r->blob));
	return record_encoded(&m, out, e);
}

int
release_decode(struct slice in, struct release *ret, struct err *e)
{
	struct msg m;

	record_start(&m, in, FORMAT);
	ret->connection = msg_get_id(&m);
	ret->version = msg_get_u64(&m);
	ret->obtained = record_get_time(&m);
	ret->expires = record_get_time(&m);
	ret->generation = msg_get_u64(&m);
	ret->seals = msg_get_u64(&m);
	record_get_buf(&m, &ret->blob);
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

	record_start(&m, in, FORMAT);
	msg_get_id(&m);
	ret->version = msg_get_u64(&m);
	ret->obtained = record_get_time(&m);
	ret->expires = record_get_time(&m);
	ret->generation = msg_get_u64(&m);
	msg_get_u64(&m);
	ret->blob = msg_get_slice(&m);
	return msg_end(&m, "token record", &e) == 0;
}

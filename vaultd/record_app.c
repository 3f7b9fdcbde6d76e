/*
 * record_app.c - OAuth apps: the clients that connections ask with.
 */
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "vaultd/record.h"
#include "vaultd/record_part.h"

#define FORMAT 3
#define SINCE_2 offsetof(struct app, secret_expires)
#define SINCE_3 offsetof(struct app, slot)

static void
put_since_2(struct msg *m, const struct app *r)
{
	record_put_time(m, r->secret_expires);
	msg_put_u8(m, r->key_kind);
	msg_put_str(m, r->kid);
	record_put_time(m, r->cert_not_after);
}

static void
get_since_2(struct msg *m, struct app *ret)
{
	ret->secret_expires = record_get_time(m);
	ret->key_kind = msg_get_u8(m);
	msg_get_str(m, ret->kid, sizeof ret->kid);
	ret->cert_not_after = record_get_time(m);
}

static void
put_since_3(struct msg *m, const struct app *r)
{
	msg_put_u8(m, (uint8_t)r->slot);
	msg_put_u64(m, r->slot_version);
	record_put_time(m, r->slot_since);
	record_put_time(m, r->slot_until);
	msg_put_slice(m, buf_slice(&r->slot_blob));
	msg_put_u8(m, (uint8_t)r->tested);
	record_put_time(m, r->tested_at);
	msg_put_str(m, r->tested_text);
	msg_put_u16(m, (uint16_t)r->flag);
	record_put_time(m, r->flag_time);
	msg_put_str(m, r->flag_text);
	msg_put_id(m, &r->rearm);
}

static void
get_since_3(struct msg *m, struct app *ret)
{
	ret->slot = msg_get_u8(m);
	ret->slot_version = msg_get_u64(m);
	ret->slot_since = record_get_time(m);
	ret->slot_until = record_get_time(m);
	record_get_buf(m, &ret->slot_blob);
	ret->tested = msg_get_u8(m);
	ret->tested_at = record_get_time(m);
	msg_get_str(m, ret->tested_text, sizeof ret->tested_text);
	ret->flag = msg_get_u16(m);
	ret->flag_time = record_get_time(m);
	msg_get_str(m, ret->flag_text, sizeof ret->flag_text);
	ret->rearm = msg_get_id(m);
	if (ret->slot > SLOT_PREVIOUS || ret->tested > APP_REFUSED || ret->flag >= ERR_MAX)
		m->failed = true;
}

void
app_done(struct app *a)
{
	buf_done(&a->blob);
	buf_done(&a->slot_blob);
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
	record_put_vars(&m, &r->vars);
	msg_put_str(&m, r->redirect_uri);
	msg_put_str(&m, r->scope);
	msg_put_str(&m, r->authorization_url);
	msg_put_str(&m, r->token_url);
	msg_put_str(&m, r->issuer);
	msg_put_u8(&m, r->iss_required);
	msg_put_str(&m, r->owner_note);
	msg_put_str(&m, r->purpose_note);
	record_put_time(&m, r->created);
	record_put_time(&m, r->rotate_by);
	msg_put_u32(&m, r->created_by);
	msg_put_slice(&m, buf_slice(&r->blob));
	put_since_2(&m, r);
	put_since_3(&m, r);
	return record_encoded(&m, out, e);
}

int
app_decode(struct slice in, struct app *ret, struct err *e)
{
	struct msg m;
	unsigned format;

	format = record_start(&m, in, FORMAT);
	ret->id = msg_get_id(&m);
	msg_get_str(&m, ret->name, sizeof ret->name);
	msg_get_str(&m, ret->connector, sizeof ret->connector);
	ret->connector_version = msg_get_u32(&m);
	ret->version = msg_get_u64(&m);
	msg_get_str(&m, ret->client_id, sizeof ret->client_id);
	msg_get_str(&m, ret->client_auth, sizeof ret->client_auth);
	record_get_vars(&m, &ret->vars);
	msg_get_str(&m, ret->redirect_uri, sizeof ret->redirect_uri);
	msg_get_str(&m, ret->scope, sizeof ret->scope);
	msg_get_str(&m, ret->authorization_url, sizeof ret->authorization_url);
	msg_get_str(&m, ret->token_url, sizeof ret->token_url);
	msg_get_str(&m, ret->issuer, sizeof ret->issuer);
	ret->iss_required = msg_get_u8(&m) != 0;
	msg_get_str(&m, ret->owner_note, sizeof ret->owner_note);
	msg_get_str(&m, ret->purpose_note, sizeof ret->purpose_note);
	ret->created = record_get_time(&m);
	ret->rotate_by = record_get_time(&m);
	ret->created_by = msg_get_u32(&m);
	record_get_buf(&m, &ret->blob);
	if (format >= 2)
		get_since_2(&m, ret);
	else
		memset((char *)ret + SINCE_2, 0, SINCE_3 - SINCE_2);
	if (format >= 3)
		get_since_3(&m, ret);
	else
		memset((char *)ret + SINCE_3, 0, sizeof *ret - SINCE_3);
	if (msg_end(&m, "app record", e) == 0)
		return 0;
	app_done(ret);
	return e->code;
}

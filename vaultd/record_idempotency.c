/*
 * record_idempotency.c - what a call with an idempotency key made.
 */
#include "common/auto.h"
#include "vaultd/record.h"
#include "vaultd/record_part.h"

#define FORMAT 1

int
made_encode(const struct made *r, struct buf *out, struct err *e)
{
	AUTO(msg) m = { 0 };

	msg_put_u8(&m, FORMAT);
	msg_put_id(&m, &r->id);
	msg_put_u32(&m, r->uid);
	msg_put_id(&m, &r->connection);
	msg_put_id(&m, &r->session);
	msg_put_raw(&m, r->parameters, sizeof r->parameters);
	record_put_time(&m, r->until);
	return record_encoded(&m, out, e);
}

int
made_decode(struct slice in, struct made *ret, struct err *e)
{
	struct msg m;

	record_start(&m, in, FORMAT);
	ret->id = msg_get_id(&m);
	ret->uid = msg_get_u32(&m);
	ret->connection = msg_get_id(&m);
	ret->session = msg_get_id(&m);
	record_get_raw(&m, ret->parameters, sizeof ret->parameters);
	ret->until = record_get_time(&m);
	return msg_end(&m, "record of an idempotency key", e);
}

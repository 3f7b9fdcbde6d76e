/*
 * record_binding.c - bindings: what programs call the connections they use.
 */
#include <string.h>

#include "common/auto.h"
#include "vaultd/record.h"
#include "vaultd/record_part.h"

#define FORMAT 1

enum { OVERRIDABLE = 1, PER_USER = 2 };

int
binding_encode(const struct binding *r, struct buf *out, struct err *e)
{
	AUTO(msg) m = { 0 };

	msg_put_u8(&m, FORMAT);
	msg_put_id(&m, &r->id);
	msg_put_id(&m, &r->folder);
	msg_put_id(&m, &r->connection);
	msg_put_id(&m, &r->of);
	msg_put_u32(&m, r->user);
	msg_put_str(&m, r->consumer);
	msg_put_str(&m, r->name);
	msg_put_str(&m, r->connector);
	msg_put_str(&m, r->description);
	msg_put_u8(&m, (r->overridable ? OVERRIDABLE : 0) | (r->per_user ? PER_USER : 0));
	record_put_time(&m, r->created);
	record_put_time(&m, r->updated);
	msg_put_u32(&m, r->created_by);
	return record_encoded(&m, out, e);
}

int
binding_decode(struct slice in, struct binding *ret, struct err *e)
{
	struct msg m;
	unsigned flags;

	record_start(&m, in, FORMAT);
	ret->id = msg_get_id(&m);
	ret->folder = msg_get_id(&m);
	ret->connection = msg_get_id(&m);
	ret->of = msg_get_id(&m);
	ret->user = msg_get_u32(&m);
	msg_get_str(&m, ret->consumer, sizeof ret->consumer);
	msg_get_str(&m, ret->name, sizeof ret->name);
	msg_get_str(&m, ret->connector, sizeof ret->connector);
	msg_get_str(&m, ret->description, sizeof ret->description);
	flags = msg_get_u8(&m);
	ret->overridable = flags & OVERRIDABLE;
	ret->per_user = flags & PER_USER;
	ret->created = record_get_time(&m);
	ret->updated = record_get_time(&m);
	ret->created_by = msg_get_u32(&m);
	if (flags > (OVERRIDABLE | PER_USER))
		m.failed = true;
	return msg_end(&m, "binding record", e);
}

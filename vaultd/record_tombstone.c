/*
 * record_tombstone.c - what is left of a deleted connection: what is still to be revoked, and
 * what became of that.
 */
#include "common/auto.h"
#include "vaultd/record.h"
#include "vaultd/record_part.h"

#define FORMAT 1

const char *
revocation_name(enum revocation r)
{
	static const char *const names[REVOCATION_END] = {
		[REVOCATION_QUEUED] = "queued",
		[REVOCATION_DONE] = "revoked",
		[REVOCATION_NO_WAY] = "no_way",
		[REVOCATION_SHARED] = "shared",
		[REVOCATION_NOT_WANTED] = "not_wanted",
		[REVOCATION_NOTHING] = "nothing",
		[REVOCATION_GIVEN_UP] = "given_up",
	};

	return r < REVOCATION_END ? names[r] : "unknown";
}

int
tombstone_encode(const struct tombstone *r, struct buf *out, struct err *e)
{
	AUTO(msg) m = { 0 };

	msg_put_u8(&m, FORMAT);
	msg_put_id(&m, &r->id);
	msg_put_id(&m, &r->folder);
	msg_put_id(&m, &r->app);
	msg_put_str(&m, r->name);
	msg_put_str(&m, r->connector);
	msg_put_u32(&m, r->auth_type);
	msg_put_u32(&m, r->owner);
	msg_put_u32(&m, r->deleted_by);
	record_put_time(&m, r->deleted);
	record_put_time(&m, r->deadline);
	record_put_time(&m, r->ended);
	msg_put_u8(&m, (uint8_t)r->revocation);
	msg_put_u32(&m, r->tries);
	msg_put_u16(&m, (uint16_t)r->cause);
	msg_put_str(&m, r->cause_text);
	return record_encoded(&m, out, e);
}

int
tombstone_decode(struct slice in, struct tombstone *ret, struct err *e)
{
	struct msg m;

	record_start(&m, in, FORMAT);
	ret->id = msg_get_id(&m);
	ret->folder = msg_get_id(&m);
	ret->app = msg_get_id(&m);
	msg_get_str(&m, ret->name, sizeof ret->name);
	msg_get_str(&m, ret->connector, sizeof ret->connector);
	ret->auth_type = msg_get_u32(&m);
	ret->owner = msg_get_u32(&m);
	ret->deleted_by = msg_get_u32(&m);
	ret->deleted = record_get_time(&m);
	ret->deadline = record_get_time(&m);
	ret->ended = record_get_time(&m);
	ret->revocation = msg_get_u8(&m);
	ret->tries = msg_get_u32(&m);
	ret->cause = msg_get_u16(&m);
	msg_get_str(&m, ret->cause_text, sizeof ret->cause_text);
	if (ret->revocation >= REVOCATION_END || ret->cause >= ERR_MAX)
		m.failed = true;
	return msg_end(&m, "tombstone", e);
}

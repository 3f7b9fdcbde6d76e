/*
 * session.c - see session.h.
 *
 * The session's record holds the sealed verifier and the hash of `state`; its id is in
 * `state` too, so that finding it needs no index: state = base64url(id | 16 random bytes).
 */
#include "vaultd/session.h"

#include <string.h>

#include "common/auto.h"
#include "common/role.h"
#include "vaultd/objects.h"
#include "vaultd/vault.h"

void
session_state(const struct id *pending, char ret[STATE_TEXT])
{
	unsigned char raw[32];

	memcpy(raw, pending->b, 16);
	random_bytes(raw + 16, 16);
	b64url_encode(raw, sizeof raw, ret);
}

int
session_load(struct vault *v, const struct id *id, struct pending *ret, struct err *e)
{
	struct slice in;
	/* The tag: what an edit put there would give one's tokens to another's connection. */
	int rc = object_tagged(v, TABLE_PENDING, id, true, "sign-in", &in, NULL, e);

	if (rc == V_NOT_FOUND)
		return err_name(e, ERR_STATE_INVALID, "this sign-in was not begun here, is "
		    "finished, or was too long ago");
	if (rc != 0)
		return rc;
	if (pending_decode(in, ret, e) != 0)
		return err_name(e, ERR_RECORD_CORRUPT, "the session of this sign-in is damaged");
	return 0;
}

int
session_find(struct vault *v, const char *state, struct pending *ret, struct err *e)
{
	unsigned char raw[32], hash[32], diff = 0;
	struct id id;
	size_t n = strlen(state);

	if (n != STATE_TEXT - 1 || b64url_decode(state, n, raw) != sizeof raw)
		return err_name(e, ERR_STATE_INVALID, "`state` is not one of this vault's");
	memcpy(id.b, raw, sizeof id.b);
	if (session_load(v, &id, ret, e) != 0)
		return e->code;
	sha256((struct slice){ state, n }, hash);
	for (size_t i = 0; i < sizeof hash; i++)
		diff |= hash[i] ^ ret->state_hash[i];
	if (diff != 0)
		return err_name(e, ERR_STATE_INVALID, "`state` is not the one this sign-in was "
		    "given");
	return 0;
}

int
session_put(struct vault *v, struct changes *ch, const struct pending *p, uint64_t expect,
    struct err *e)
{
	AUTO(buf) rec = { 0 };

	if (pending_encode(p, &rec, e) != 0)
		return e->code;
	return object_put_tagged(v, ch, TABLE_PENDING, &p->id, expect, &rec, e);
}

void
session_remove(struct changes *ch, const struct id *pending)
{
	changes_remove(ch, TABLE_PENDING, id_key(pending), EXPECT_ANY);
}

int
session_forget(struct vault *v, const struct pending *p, struct changes *ch, struct err *e)
{
	struct connection c;
	uint64_t generation;
	struct err gone;

	if (!p->reconnect &&
	    object_connection(v, &p->connection, false, &c, &generation, &gone) == 0 &&
	    c.state == CONN_PENDING && object_remove_connection(v, ch, &c, generation, e) != 0) {
		changes_done(ch);
		return e->code;
	}
	session_remove(ch, &p->id);
	return 0;
}

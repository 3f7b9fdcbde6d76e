/*
 * reseal.c - tokens of one connection, sealed once more for another whose refresh token is the same:
 * a provider gave both of them one grant, and it can be renewed only once. Nothing leaves the
 * machine, and the destination in front of the grant stays what it was.
 */
#include "common/auto.h"
#include "egress/egress.h"
#include "egress/ops.h"

/* SEALED, under a new key, for RECORD and VERSION. */
static int
again(struct egress *x, enum purpose p, const struct sealed *sealed, const struct id *record,
    uint64_t version, struct buf *ret_blob, struct buf *ret_wrap, struct err *e)
{
	AUTO(secret) plain = { 0 }, dek = { 0 };

	if (keys_open(x, p, sealed, &plain, e) != 0 ||
	    keys_make(x, p, record, &dek, ret_wrap, e) != 0)
		return e->code;
	return keys_seal(x, p, record, version, &dek, (struct slice){ plain.p, plain.len }, ret_blob,
	    e);
}

int
reseal_prepare(struct job *j, struct err *e)
{
	struct exchange_result res = { .phase = PHASE_ANSWERED };
	struct reseal q = { 0 };
	int rc = reseal_get((struct slice){ j->body.p, j->body.len }, &q, e);

	if (rc == 0)
		rc = again(j->x, PURPOSE_RELEASE, &q.release, &q.connection, q.release_version,
		    &res.release_blob, &res.release_wrap, e);
	if (rc == 0 && q.grant.blob.len > 0)
		rc = again(j->x, PURPOSE_GRANT, &q.grant, &q.connection, q.grant_version,
		    &res.grant_blob, &res.grant_wrap, e);
	if (rc == 0)
		exchange_result_put(&j->answer, &res);
	exchange_result_done(&res);
	return rc;
}

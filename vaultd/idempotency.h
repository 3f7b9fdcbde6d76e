/*
 * idempotency.h - a call that says an idempotency key makes what it makes once: the same key again
 * is answered with that. Keys are each user's own and are kept for a day.
 *
 * What is compared is a keyed hash of the parameters; secrets are no part of it, nor is what may
 * differ from one try to the next (the port of a redirect URI).
 */
#pragma once

#include "vaultd/request.h"

struct idempotency {
	const char	*key;		/* what the caller said; NULL = nothing */
	/* of idempotency_find() */
	bool		 found;
	struct made	 made;
	uint64_t	 generation;	/* EXPECT_ABSENT when there is none */
};

/* What was made with the key, if it was used. Without a key nothing is found. Errors:
 * ERR_IDEMPOTENCY_KEY_REUSED when it was with other parameters. */
int idempotency_find(struct request *r, struct idempotency *i, struct err *e);
/* Into r->changes, after idempotency_find(): the call makes CONNECTION, and SESSION (may be NULL). */
int idempotency_put(struct request *r, struct idempotency *i, const struct id *connection,
    const struct id *session, struct err *e);

/* Into CH: the one of this id is forgotten if its day is over. From schedule.c. */
void idempotency_due(struct vault *v, struct changes *ch, const struct id *id);

/*
 * named.h - what the verbs about one connection share: its name, the revision that the caller saw,
 * and the answer that shows it.
 */
#pragma once

#include "vaultd/objects.h"

struct named {			/* the first of a verb's args */
	const char	*connection;
	int64_t		 revision;		/* 0 = not said */
	struct target	 t;
};

/* For verb->object: fills n->t. The second one wants the HSM to have been there. */
int named_object(struct request *r, struct err *e);
/* The same, also by a binding or as a default (resolve.h). */
int named_object_resolved(struct request *r, struct err *e);
int named_object_verified(struct request *r, struct err *e);

/* Behind policy: whether it was changed is for those who may see it. ERR_CONFLICT. */
int named_check_revision(const struct named *n, struct err *e);

/* r->reply: the connection as it is stored now. */
void named_reply(struct request *r);

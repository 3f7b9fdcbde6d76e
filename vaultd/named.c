/*
 * named.c - see named.h.
 */
#include "vaultd/named.h"

#include "common/errors.h"

int
named_object(struct request *r, struct err *e)
{
	struct named *n = r->args;

	return object_find_connection(r, n->connection, false, &n->t, e);
}

int
named_object_verified(struct request *r, struct err *e)
{
	struct named *n = r->args;

	return object_find_connection(r, n->connection, true, &n->t, e);
}

int
named_check_revision(const struct named *n, struct err *e)
{
	if (n->revision == 0 || (uint64_t)n->revision == n->t.generation)
		return 0;
	return err_name(e, ERR_CONFLICT, "the connection was changed since revision %lld",
	    (long long)n->revision);
}

void
named_reply(struct request *r)
{
	struct named *n = r->args;
	char id[ID_TEXT];
	struct err e;

	id_text(&n->t.c.id, id);
	if (object_find_connection(r, id, true, &n->t, &e) == 0)
		r->reply = json_pack("{s:o}", "connection", object_connection_json(r, &n->t));
}

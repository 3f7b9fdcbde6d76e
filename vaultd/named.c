/*
 * named.c - see named.h.
 */
#include "vaultd/named.h"

#include "common/errors.h"
#include "vaultd/resolve.h"

int
named_object(struct request *r, struct err *e)
{
	struct named *n = r->args;

	return object_find_connection(r, n->connection, false, &n->t, e);
}

/* No connection is called as bindings and defaults are written. */
int
named_object_resolved(struct request *r, struct err *e)
{
	struct named *n = r->args;
	char id[ID_TEXT];
	int rc = named_object(r, e);

	if (rc != V_NOT_FOUND || !resolve_is_one(n->connection))
		return rc;
	if ((rc = resolve_text(r, n->connection, id, e)) == 0)
		rc = object_find_connection(r, id, false, &n->t, e);
	r->asked = n->connection;
	return rc == V_NOT_FOUND ? object_not_found(e, "connection", n->connection) : rc;
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

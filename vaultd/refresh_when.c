/*
 * refresh_when.c - when a token is renewed, if nothing goes wrong: before it ends, and before its
 * refresh token dies of not being used. See refresh.h.
 */
#include <string.h>

#include "vaultd/objects.h"
#include "vaultd/refresh.h"
#include "vaultd/refresh_rules.h"
#include "vaultd/vault.h"

static int64_t
keep_alive_s(const struct vault *v, const struct connection *c)
{
	const struct connector *k = catalogue_pinned(&v->catalogue, c->connector,
	    c->connector_version);

	return k == NULL ? 0 : refresh_keep_alive_s(k->refresh_idle_s);
}

int64_t
refresh_due_ms(const struct vault *v, const struct connection *c, int64_t obtained,
    int64_t lifetime)
{
	int64_t keep = keep_alive_s(v, c), from = 0, to = 0;
	uint32_t r;

	if (lifetime > 0)
		refresh_due_span(obtained, lifetime, &from, &to);
	if (keep != 0 && (lifetime == 0 || (obtained + keep) * 1000 < from))
		return (obtained + keep) * 1000;
	random_bytes(&r, sizeof r);
	return lifetime > 0 ? to - (int64_t)(r % (uint64_t)(to - from + 1)) : 0;
}

static bool
is_due(const struct vault *v, const struct connection *c, const struct release_view *r)
{
	int64_t now = clock_ms(&v->clock), keep = keep_alive_s(v, c), from, to;

	if (keep != 0 && now >= (r->obtained + keep) * 1000)
		return true;
	refresh_due_span(r->obtained, r->expires - r->obtained, &from, &to);
	return r->expires != 0 && now >= from;
}

/* The token may have been renewed on demand meanwhile. After a failure it is time, whatever the
 * token's age: the entry is that failure's next try, and refresh_check() knows whether it may be. */
bool
refresh_is_due(struct vault *v, const struct id *connection, int64_t *ret_ends)
{
	struct slice key = { connection->b, sizeof connection->b }, in;
	struct release_view view = { 0 };
	struct connection c;
	struct err e;
	bool has = store_get(v->store, TABLE_RELEASE, key, &in, NULL, &e) == 0 &&
	    release_view(in, &view);

	*ret_ends = has ? view.expires : 0;
	if (object_connection(v, connection, true, &c, NULL, &e) != 0)
		return false;
	return c.failures > 0 ? conn_state_usable(c.state) : has && is_due(v, &c, &view);
}

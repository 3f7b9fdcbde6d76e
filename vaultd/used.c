/*
 * used.c - see used.h. A table of its own: a connection's record, and its revision, do not change
 * because somebody used it.
 */
#include "vaultd/used.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/role.h"
#include "vaultd/vault.h"

#define SLOTS	(1u << 16)
#define FLUSH_S	300

struct used {
	struct vault	*vault;
	struct event	*timer;
	bool		 dirty;
	struct { struct id id; int64_t at; bool dirty; } v[SLOTS];
};

static size_t
slot_of(const struct id *id)
{
	return (size_t)id->b[0] << 8 | id->b[1];
}

static void
put(struct changes *c, const struct id *id, int64_t at)
{
	unsigned char value[8];

	for (int i = 0; i < 8; i++)
		value[i] = (unsigned char)((uint64_t)at >> 8 * (7 - i));
	changes_put(c, TABLE_USED, id_key(id), EXPECT_ANY,
	    (struct slice){ value, sizeof value });
}

void
used_note(struct vault *v, const struct id *connection)
{
	size_t i = slot_of(connection);

	/* Of two that meet, who was used last has the place. */
	v->used->v[i].id = *connection;
	v->used->v[i].at = wall_seconds();
	v->used->v[i].dirty = v->used->dirty = true;
}

int64_t
used_at(struct vault *v, const struct id *connection)
{
	size_t i = slot_of(connection);
	struct slice in;
	struct err e;
	int64_t at = 0;

	if (v->used->v[i].at != 0 && id_equal(&v->used->v[i].id, connection))
		return v->used->v[i].at;
	if (store_get(v->store, TABLE_USED, id_key(connection), &in,
		NULL, &e) != 0 || in.len != 8)
		return 0;
	for (size_t n = 0; n < in.len; n++)
		at = at << 8 | ((const unsigned char *)in.p)[n];
	return at;
}

void
used_flush(struct vault *v)
{
	struct job *j = v->used->dirty ? calloc(1, sizeof *j) : NULL;
	struct slice in;
	struct err e;

	if (j == NULL)
		return;
	for (size_t i = 0; i < SLOTS; i++) {
		struct slice key = { v->used->v[i].id.b, sizeof v->used->v[i].id.b };

		if (v->used->v[i].dirty &&
		    store_get(v->store, TABLE_CONNECTION, key, &in, NULL, &e) == 0)
			put(&j->changes, &v->used->v[i].id, v->used->v[i].at);
		v->used->v[i].dirty = false;
	}
	v->used->dirty = false;
	j->has_changes = true;
	j->done = job_free;
	journal_submit(v->journal, j);
}

static void
tick(evutil_socket_t fd, short what, void *arg)
{
	struct vault *v = arg;

	(void)fd;
	(void)what;
	used_flush(v);
}

int
used_new(struct vault *v, struct err *e)
{
	struct timeval tv = { FLUSH_S, 0 };

	v->used = calloc(1, sizeof *v->used);
	if (v->used == NULL || (v->used->timer = event_new(v->base, -1, EV_PERSIST, tick, v)) == NULL ||
	    event_add(v->used->timer, &tv) != 0)
		return err_set(e, V_LIMIT, "out of memory");
	return 0;
}

void
used_free(struct vault *v)
{
	free(v->used);
}

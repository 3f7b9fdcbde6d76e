/*
 * bindings.c - see bindings.h.
 */
#include "vaultd/bindings.h"

#include <stdio.h>
#include <string.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/role.h"
#include "vaultd/objects.h"

/* ---- keys */

/* "consumer/name"; neither has a slash. */
static struct slice
name_key(const char *consumer, const char *name, unsigned char key[KEY_MAX_LEN])
{
	int n = snprintf((char *)key, KEY_MAX_LEN, "%.*s/%.*s", NAME_MAX_LEN, consumer,
	    NAME_MAX_LEN, name);

	return (struct slice){ key, (size_t)n };
}

/* Behind the name, so that one walk finds all users' own ones. */
static struct slice
own_key(const char *consumer, const char *name, uid_t uid, unsigned char key[KEY_MAX_LEN])
{
	struct slice k = name_key(consumer, name, key);
	unsigned char *p = key + k.len;

	*p++ = '\0';
	for (int shift = 24; shift >= 0; shift -= 8)
		*p++ = (unsigned char)((uint32_t)uid >> shift);
	return (struct slice){ key, (size_t)(p - key) };
}

static struct slice
key_of(const struct binding *b, unsigned char key[KEY_MAX_LEN])
{
	return id_is_null(&b->of) ? name_key(b->consumer, b->name, key) :
	    own_key(b->consumer, b->name, b->user, key);
}

/* connection or folder id | binding id */
static struct slice
link_key(const struct id *to, const struct id *binding, unsigned char key[32])
{
	memcpy(key, to->b, 16);
	memcpy(key + 16, binding->b, 16);
	return (struct slice){ key, 32 };
}

/* ---- finding */

int
binding_get(struct vault *v, const struct id *id, struct binding *ret,
    uint64_t *ret_generation, struct err *e)
{
	struct slice in;

	if (object_tagged(v, TABLE_BINDING, id, false, "binding", &in, ret_generation, e) != 0)
		return e->code;
	return binding_decode(in, ret, e) == 0 ? 0 : object_undecodable(e, "binding");
}

/* An index that was edited leads to what is called otherwise. */
static int
find(struct vault *v, struct slice key, struct binding *ret, uint64_t *ret_generation,
    struct err *e)
{
	unsigned char mine[KEY_MAX_LEN];
	struct slice value, is;
	struct id id;
	int rc = store_get(v->store, TABLE_BINDING_BY_NAME, key, &value, NULL, e);

	if (rc != 0)
		return rc;
	if (!id_behind(value, 0, &id))
		return err_name(e, ERR_RECORD_CORRUPT, "the index of bindings is damaged");
	if (binding_get(v, &id, ret, ret_generation, e) != 0)
		return e->code;
	is = key_of(ret, mine);
	if (is.len != key.len || memcmp(is.p, key.p, key.len) != 0)
		return err_name(e, ERR_RECORD_CORRUPT, "the index of bindings was edited");
	return 0;
}

int
binding_find(struct vault *v, const char *consumer, const char *name, struct binding *ret,
    uint64_t *ret_generation, struct err *e)
{
	unsigned char key[KEY_MAX_LEN];

	return find(v, name_key(consumer, name, key), ret, ret_generation, e);
}

int
binding_own(struct vault *v, const struct binding *b, uid_t uid, struct binding *ret,
    uint64_t *ret_generation, struct err *e)
{
	unsigned char key[KEY_MAX_LEN];

	return find(v, own_key(b->consumer, b->name, uid, key), ret, ret_generation, e);
}

/* ---- into a change set */

static void
put_link(struct changes *c, enum table there, const struct id *to, const struct binding *b)
{
	unsigned char key[32];

	if (id_is_null(to))
		return;
	changes_expect(c, there, id_key(to), EXPECT_THERE);
	changes_put(c, TABLE_BINDING_BY_CONNECTION, link_key(to, &b->id, key), EXPECT_ANY,
	    (struct slice){ "", 0 });
}

static void
remove_link(struct changes *c, const struct id *to, const struct binding *b)
{
	unsigned char key[32];

	if (!id_is_null(to))
		changes_remove(c, TABLE_BINDING_BY_CONNECTION, link_key(to, &b->id, key),
		    EXPECT_ANY);
}

int
binding_put(struct vault *v, struct changes *c, const struct binding *b,
    const struct binding *was, uint64_t expect, struct err *e)
{
	AUTO(buf) rec = { 0 };
	unsigned char key[KEY_MAX_LEN];

	if (binding_encode(b, &rec, e) != 0)
		return e->code;
	if (was != NULL && !id_equal(&was->connection, &b->connection))
		remove_link(c, &was->connection, b);
	if (was == NULL)
		changes_put(c, TABLE_BINDING_BY_NAME, key_of(b, key), EXPECT_ABSENT,
		    id_key(&b->id));
	put_link(c, TABLE_CONNECTION, &b->connection, b);
	if (id_is_null(&b->of))
		put_link(c, TABLE_FOLDER, &b->folder, b);
	else
		changes_expect(c, TABLE_BINDING, id_key(&b->of), EXPECT_THERE);
	return object_put_tagged(v, c, TABLE_BINDING, &b->id,
	    was == NULL ? EXPECT_ABSENT : expect, &rec, e);
}

static void
remove_one(struct changes *c, const struct binding *b, uint64_t expect)
{
	unsigned char key[KEY_MAX_LEN];

	remove_link(c, &b->connection, b);
	remove_link(c, &b->folder, b);
	changes_remove(c, TABLE_BINDING_BY_NAME, key_of(b, key), EXPECT_ANY);
	changes_remove(c, TABLE_BINDING, id_key(&b->id), expect);
}

struct removal {
	struct vault	*v;
	struct changes	*c;
};

static bool
remove_own(void *arg, struct slice key, struct slice value, uint64_t generation)
{
	struct removal *r = arg;
	struct binding b;
	struct id id;
	struct err e;

	(void)key;
	if (!id_behind(value, 0, &id))
		return true;
	if (binding_get(r->v, &id, &b, &generation, &e) == 0 && !id_is_null(&b.of))
		remove_one(r->c, &b, generation);
	return true;
}

int
binding_remove(struct vault *v, struct changes *c, const struct binding *b,
    uint64_t expect, struct err *e)
{
	static const struct slice start = { "", 0 };
	struct removal r = { v, c };
	unsigned char key[KEY_MAX_LEN];
	struct slice prefix;

	remove_one(c, b, expect);
	if (!id_is_null(&b->of))
		return 0;
	prefix = name_key(b->consumer, b->name, key);
	key[prefix.len++] = '\0';
	if (store_walk(v->store, TABLE_BINDING_BY_NAME, prefix, start, remove_own, &r, e) != 0)
		return e->code;
	changes_expect_none(c, TABLE_BINDING_BY_NAME, prefix);
	return 0;
}

/* ---- what leads to a connection, or lies in a folder */

struct each {
	struct vault	*v;
	bool		(*each)(void *arg, const struct binding *b, uint64_t generation);
	void		*arg;
};

static bool
each_link(void *arg, struct slice key, struct slice value, uint64_t generation)
{
	struct each *x = arg;
	struct binding b;
	struct id id;
	struct err e;

	(void)value;
	if (!id_behind(key, sizeof id.b, &id))
		return true;
	if (binding_get(x->v, &id, &b, &generation, &e) != 0)
		return true;
	return x->each(x->arg, &b, generation);
}

int
binding_each_of(struct vault *v, const struct id *to,
    bool (*each)(void *arg, const struct binding *b, uint64_t generation), void *arg,
    struct err *e)
{
	static const struct slice start = { "", 0 };
	struct each x = { v, each, arg };

	return store_walk(v->store, TABLE_BINDING_BY_CONNECTION, id_key(to), start, each_link, &x,
	    e);
}

size_t
binding_count_of(struct vault *v, const struct id *to, size_t max)
{
	return store_count(v->store, TABLE_BINDING_BY_CONNECTION, id_key(to), max);
}

struct unlink {
	struct vault	*v;
	struct changes	*c;
	struct err	*e;
	int		 rc;
};

static bool
unlink_one(void *arg, const struct binding *b, uint64_t generation)
{
	struct unlink *u = arg;
	struct binding now = *b;

	if (!id_is_null(&b->of)) {
		remove_one(u->c, b, generation);
		return true;
	}
	now.connection = (struct id){ 0 };
	now.updated = wall_seconds();
	u->rc = binding_put(u->v, u->c, &now, b, generation, u->e);
	return u->rc == 0;
}

int
binding_unlink(struct vault *v, struct changes *c, const struct id *connection,
    struct err *e)
{
	struct unlink u = { v, c, e, 0 };

	if (binding_each_of(v, connection, unlink_one, &u, e) != 0)
		return e->code;
	changes_expect_none(c, TABLE_BINDING_BY_CONNECTION, id_key(connection));
	return u.rc;
}

/* ---- defaults. A value: id | tag. */

static int
default_get(struct vault *v, struct slice key, struct id *ret, uint64_t *ret_generation,
    struct err *e)
{
	struct slice in, body;
	int rc = store_get(v->store, TABLE_DEFAULT, key, &in, ret_generation, e);

	if (rc != 0)
		return rc;
	if (in.len != sizeof ret->b + 32 || (v->meta_key != NULL &&
	    !record_tag_ok(v->meta_key, TABLE_DEFAULT, key, in, &body)))
		return err_name(e, ERR_RECORD_CORRUPT, "the stored default was damaged or edited");
	memcpy(ret->b, in.p, sizeof ret->b);
	return 0;
}

int
default_find(struct vault *v, const struct id *folder, const char *connector,
    struct id *ret_connection, uint64_t *ret_generation, struct err *e)
{
	unsigned char key[KEY_MAX_LEN];
	struct connection c;

	if (default_get(v, object_name_key(folder, connector, key), ret_connection,
		ret_generation, e) != 0)
		return e->code;
	if (object_connection(v, ret_connection, false, &c, NULL, e) != 0)
		return e->code;
	if (!id_equal(&c.folder, folder) || strcmp(c.connector, connector) != 0)
		return err_set(e, V_NOT_FOUND, "it lies elsewhere now");
	return 0;
}

bool
default_is(struct vault *v, const struct connection *r)
{
	unsigned char key[KEY_MAX_LEN];
	struct id id;
	struct err e;

	return default_get(v, object_name_key(&r->folder, r->connector, key), &id, NULL, &e) == 0 &&
	    id_equal(&id, &r->id);
}

int
default_put(struct vault *v, struct changes *c, const struct connection *r, struct err *e)
{
	AUTO(buf) rec = { 0 };
	unsigned char key[KEY_MAX_LEN], name[KEY_MAX_LEN];
	struct slice k = object_name_key(&r->folder, r->connector, key);

	if (v->meta_key == NULL)
		return err_name(e, ERR_HSM_UNAVAILABLE, "the HSM was not reached since start: "
		    "records cannot be written");
	buf_add(&rec, r->id.b, sizeof r->id.b);
	record_tag(v->meta_key, TABLE_DEFAULT, k, &rec);
	if (rec.failed)
		return err_set(e, V_LIMIT, "out of memory");
	changes_expect(c, TABLE_CONNECTION_BY_FOLDER, object_name_key(&r->folder, r->name, name),
	    EXPECT_THERE);
	changes_put(c, TABLE_DEFAULT, k, EXPECT_ANY, buf_slice(&rec));
	return 0;
}

void
default_clear(struct changes *c, const struct id *folder, const char *connector)
{
	unsigned char key[KEY_MAX_LEN];

	changes_remove(c, TABLE_DEFAULT, object_name_key(folder, connector, key), EXPECT_ANY);
}

int
default_forget(struct vault *v, struct changes *c, const struct connection *r,
    struct err *e)
{
	unsigned char key[KEY_MAX_LEN];
	struct slice k = object_name_key(&r->folder, r->connector, key);
	uint64_t generation = EXPECT_ABSENT;
	struct id id;
	int rc = default_get(v, k, &id, &generation, e);

	if (rc == V_NOT_FOUND)
		changes_expect(c, TABLE_DEFAULT, k, EXPECT_ABSENT);
	else if (rc == V_CORRUPT)
		changes_remove(c, TABLE_DEFAULT, k, EXPECT_ANY);
	else if (rc != 0)
		return rc;
	else if (id_equal(&id, &r->id))
		changes_remove(c, TABLE_DEFAULT, k, generation);
	else
		changes_expect(c, TABLE_DEFAULT, k, generation);
	return 0;
}

/*
 * objects_put.c - records into change sets: encoded, tagged, and wraps with their counts
 * by KEK. See objects.h.
 */
#include <stdio.h>
#include <string.h>

#include "common/auto.h"
#include "common/errors.h"
#include "vaultd/bindings.h"
#include "vaultd/notice.h"
#include "vaultd/objects.h"
#include "vaultd/vault.h"
#include "vaultd/warn.h"

int
object_put_tagged(struct vault *v, struct changes *c, enum table t, const struct id *id,
    uint64_t expect, struct buf *rec, struct err *e)
{
	if (v->meta_key == NULL)
		return err_name(e, ERR_HSM_UNAVAILABLE, "the HSM was not reached since start: "
		    "records cannot be written");
	record_tag(v->meta_key, t, id_key(id), rec);
	if (rec->failed)
		return err_set(e, V_LIMIT, "out of memory");
	changes_put(c, t, id_key(id), expect, buf_slice(rec));
	return 0;
}

/* Against what is there; if that is changed meanwhile the whole set is in vain. */
static void
add_events(struct vault *v, struct changes *c, const struct connection *r, uint64_t expect)
{
	struct connection old;
	struct err e;

	if (expect == EXPECT_ABSENT)
		notice_of_connection(v, c, NULL, r);
	else if (object_connection(v, &r->id, false, &old, NULL, &e) == 0)
		notice_of_connection(v, c, &old, r);
}

int
object_put_connection(struct vault *v, struct changes *c, const struct connection *r,
    uint64_t expect, struct err *e)
{
	AUTO(buf) rec = { 0 };

	if (connection_encode(r, &rec, e) != 0)
		return e->code;
	add_events(v, c, r, expect);
	return object_put_tagged(v, c, TABLE_CONNECTION, &r->id, expect, &rec, e);
}

/* An entry in a folder that is deleted meanwhile would belong to nobody. */
static void
put_name(struct changes *c, const struct connection *r)
{
	unsigned char key[KEY_MAX_LEN];

	changes_expect(c, TABLE_FOLDER, id_key(&r->folder), EXPECT_THERE);
	changes_put(c, TABLE_CONNECTION_BY_FOLDER, object_name_key(&r->folder, r->name, key),
	    EXPECT_ABSENT, id_key(&r->id));
}

/* app id | connection id; an app that is deleted has none. */
static struct slice
use_key(const struct connection *r, unsigned char key[32])
{
	memcpy(key, r->app.b, 16);
	memcpy(key + 16, r->id.b, 16);
	return (struct slice){ key, 32 };
}

static void
put_use(struct changes *c, const struct connection *r)
{
	unsigned char key[32];

	if (id_is_null(&r->app))
		return;
	changes_expect(c, TABLE_APP, id_key(&r->app), EXPECT_THERE);
	changes_put(c, TABLE_CONNECTION_BY_APP, use_key(r, key), EXPECT_ABSENT,
	    (struct slice){ "", 0 });
}

int
object_add_connection(struct vault *v, struct changes *c, const struct connection *r,
    struct err *e)
{
	put_name(c, r);
	put_use(c, r);
	return object_put_connection(v, c, r, EXPECT_ABSENT, e);
}

int
object_rename_connection(struct vault *v, struct changes *c, struct connection *r,
    const char *name, uint64_t expect, struct err *e)
{
	unsigned char key[KEY_MAX_LEN];

	changes_remove(c, TABLE_CONNECTION_BY_FOLDER, object_name_key(&r->folder, r->name, key),
	    EXPECT_ANY);
	snprintf(r->name, sizeof r->name, "%s", name);
	put_name(c, r);
	return object_put_connection(v, c, r, expect, e);
}

int
object_move_connection(struct vault *v, struct changes *c, struct connection *r,
    const struct id *folder, const char *name, uint64_t expect, struct err *e)
{
	unsigned char key[KEY_MAX_LEN];

	if (!id_equal(folder, &r->folder) && default_forget(v, c, r, e) != 0)
		return e->code;
	changes_remove(c, TABLE_CONNECTION_BY_FOLDER, object_name_key(&r->folder, r->name, key),
	    EXPECT_ANY);
	r->folder = *folder;
	if (name != r->name)	/* it may be its own */
		snprintf(r->name, sizeof r->name, "%s", name);
	put_name(c, r);
	return object_put_connection(v, c, r, expect, e);
}

/* ---- which connections have the same refresh token */

static const unsigned char no_print[32];

static struct slice
print_key(const unsigned char fingerprint[32], const struct id *connection, unsigned char key[48])
{
	memcpy(key, fingerprint, 32);
	memcpy(key + 32, connection->b, 16);
	return (struct slice){ key, 48 };
}

/* From the grant that is stored to G (NULL: none). */
static int
move_print(struct vault *v, struct changes *c, const struct id *connection, const struct grant *g,
    struct err *e)
{
	AUTO(grant) old = { 0 };
	unsigned char key[48];

	if (object_grant(v, connection, &old, NULL, e) != 0 && e->id != ERR_NOT_FOUND)
		return e->code;
	if (g != NULL && memcmp(old.fingerprint, g->fingerprint, sizeof no_print) == 0)
		return 0;
	if (memcmp(old.fingerprint, no_print, sizeof no_print) != 0)
		changes_remove(c, TABLE_FINGERPRINT, print_key(old.fingerprint, connection, key),
		    EXPECT_ANY);
	if (g != NULL && memcmp(g->fingerprint, no_print, sizeof no_print) != 0)
		changes_put(c, TABLE_FINGERPRINT, print_key(g->fingerprint, connection, key),
		    EXPECT_ANY, (struct slice){ "", 0 });
	return 0;
}

struct sibling {
	struct vault		*vault;
	const struct id		*of;
	struct id		 found;
	bool			 any;
};

static bool
sibling_lives(void *arg, struct slice key, struct slice value, uint64_t generation)
{
	struct sibling *s = arg;
	struct slice in;
	struct err e;

	(void)value;
	(void)generation;
	if (!id_behind(key, 32, &s->found))
		return true;
	s->any = !id_equal(&s->found, s->of) &&
	    store_get(s->vault->store, TABLE_CONNECTION, id_key(&s->found), &in, NULL, &e) == 0;
	return !s->any;
}

bool
object_has_sibling(struct vault *v, const unsigned char fingerprint[32],
    const struct id *connection, struct id *ret)
{
	static const struct slice start = { "", 0 };
	struct sibling s = { .vault = v, .of = connection };
	struct err e;

	if (memcmp(fingerprint, no_print, sizeof no_print) == 0 ||
	    store_walk(v->store, TABLE_FINGERPRINT, (struct slice){ fingerprint, 32 }, start,
		sibling_lives, &s, &e) != 0)
		return false;
	if (s.any && ret != NULL)
		*ret = s.found;
	return s.any;
}

/* ---- the end of a connection */

int
object_forget_tokens(struct vault *v, struct changes *c, const struct id *connection,
    const struct id *app, struct err *e)
{
	unsigned char use[32];

	if (object_remove_wrap(v, c, connection, PURPOSE_GRANT, e) != 0 ||
	    object_remove_wrap(v, c, connection, PURPOSE_RELEASE, e) != 0 ||
	    move_print(v, c, connection, NULL, e) != 0)
		return e->code;
	if (!id_is_null(app)) {
		struct connection r = { .id = *connection, .app = *app };

		changes_remove(c, TABLE_CONNECTION_BY_APP, use_key(&r, use), EXPECT_ANY);
	}
	changes_remove(c, TABLE_GRANT, id_key(connection), EXPECT_ANY);
	changes_remove(c, TABLE_RELEASE, id_key(connection), EXPECT_ANY);
	return 0;
}

/* Of the record and its name: nobody finds it any more. */
static int
remove_names(struct vault *v, struct changes *c, const struct connection *r, uint64_t expect,
    struct err *e)
{
	unsigned char key[KEY_MAX_LEN];

	notice_of_connection(v, c, r, NULL);
	if (default_forget(v, c, r, e) != 0 || binding_unlink(v, c, &r->id, e) != 0)
		return e->code;
	changes_remove(c, TABLE_CONNECTION, id_key(&r->id), expect);
	changes_remove(c, TABLE_USED, id_key(&r->id), EXPECT_ANY);
	changes_remove(c, TABLE_CONNECTION_BY_FOLDER, object_name_key(&r->folder, r->name, key),
	    EXPECT_ANY);
	return 0;
}

int
object_remove_connection(struct vault *v, struct changes *c, const struct connection *r,
    uint64_t expect, struct err *e)
{
	if (remove_names(v, c, r, expect, e) != 0)
		return e->code;
	return object_forget_tokens(v, c, &r->id, &r->app, e);
}

int
object_bury_connection(struct vault *v, struct changes *c, const struct connection *r,
    uint64_t expect, const struct tombstone *t, struct err *e)
{
	if (remove_names(v, c, r, expect, e) != 0)
		return e->code;
	if (t->ended != 0 && object_forget_tokens(v, c, &r->id, &r->app, e) != 0)
		return e->code;
	return object_put_tombstone(v, c, t, EXPECT_ABSENT, e);
}

int
object_put_tombstone(struct vault *v, struct changes *c, const struct tombstone *r,
    uint64_t expect, struct err *e)
{
	AUTO(buf) rec = { 0 };

	if (tombstone_encode(r, &rec, e) != 0)
		return e->code;
	return object_put_tagged(v, c, TABLE_TOMBSTONE, &r->id, expect, &rec, e);
}

int
object_put_folder(struct vault *v, struct changes *c, const struct folder *r,
    uint64_t expect, struct err *e)
{
	AUTO(buf) rec = { 0 };

	if (folder_encode(r, &rec, e) != 0)
		return e->code;
	return object_put_tagged(v, c, TABLE_FOLDER, &r->id, expect, &rec, e);
}

int
object_put_app(struct vault *v, struct changes *c, const struct app *r, uint64_t expect,
    struct err *e)
{
	AUTO(buf) rec = { 0 };
	AUTO(app) old = { 0 };
	struct err none;
	bool there;

	if (app_encode(r, &rec, e) != 0)
		return e->code;
	there = object_app(v, &r->id, &old, NULL, &none) == 0;
	notice_of_app(c, there ? &old : NULL, r);
	warn_plan_app(c, there ? &old : NULL, r);
	return object_put_tagged(v, c, TABLE_APP, &r->id, expect, &rec, e);
}

int
object_put_grant(struct vault *v, struct changes *c, const struct grant *r,
    uint64_t expect, struct err *e)
{
	AUTO(buf) rec = { 0 };
	AUTO(grant) old = { 0 };
	struct err none;

	if (grant_encode(r, &rec, e) != 0 || move_print(v, c, &r->connection, r, e) != 0)
		return e->code;
	warn_plan_grant(c, object_grant(v, &r->connection, &old, NULL, &none) == 0 ? &old : NULL, r);
	return object_put_tagged(v, c, TABLE_GRANT, &r->connection, expect, &rec, e);
}

int
object_put_release(struct vault *v, struct changes *c, const struct release *r,
    uint64_t expect, struct err *e)
{
	AUTO(buf) rec = { 0 };

	(void)v;
	if (release_encode(r, &rec, e) != 0)
		return e->code;
	changes_put(c, TABLE_RELEASE, id_key(&r->connection), expect, buf_slice(&rec));
	return 0;
}

/* ---- wraps */

/* Slot 1 is that of a second secret of the same record. */
static struct slice
wrap_key(const struct id *record, enum purpose purpose, unsigned slot, unsigned char key[18])
{
	memcpy(key, record->b, 16);
	key[16] = (unsigned char)purpose;
	key[17] = (unsigned char)slot;
	return (struct slice){ key, slot == 0 ? 17 : 18 };
}

static int
stored_wraps(struct vault *v, struct slice key, struct wraps *ret, uint64_t *generation,
    struct err *e)
{
	struct slice in;
	int rc = store_get(v->store, TABLE_WRAP, key, &in, generation, e);

	return rc != 0 ? rc : wraps_decode(in, ret, e);
}

static void
uncount(struct changes *c, const struct wraps *w)
{
	struct wrap_view view;
	struct err e;

	for (size_t i = 0; i < w->n; i++)
		if (wrap_decode(buf_slice(&w->v[i]), &view, &e) == 0)
			changes_count(c, view.kek_id, -1);
}

int
object_put_wrap_at(struct vault *v, struct changes *c, const struct id *record,
    enum purpose purpose, unsigned slot, struct slice wrap, struct err *e)
{
	AUTO(wraps) old = { 0 }, w = { .n = 1 };
	AUTO(buf) rec = { 0 };
	unsigned char k[18];
	struct slice key = wrap_key(record, purpose, slot, k);
	struct wrap_view view;
	uint64_t generation = EXPECT_ABSENT;
	int rc;

	if (wrap_decode(wrap, &view, e) != 0)
		return e->code;
	rc = stored_wraps(v, key, &old, &generation, e);
	if (rc == 0)
		uncount(c, &old);
	else if (rc != V_NOT_FOUND)
		return rc;
	if (!buf_add(&w.v[0], wrap.p, wrap.len) || wraps_encode(&w, &rec, e) != 0)
		return err_set(e, V_LIMIT, "out of memory");
	changes_put(c, TABLE_WRAP, key, rc == 0 ? generation : EXPECT_ABSENT,
	    buf_slice(&rec));
	changes_count(c, view.kek_id, 1);
	return 0;
}

int
object_put_wrap(struct vault *v, struct changes *c, const struct id *record,
    enum purpose purpose, struct slice wrap, struct err *e)
{
	return object_put_wrap_at(v, c, record, purpose, 0, wrap, e);
}

int
object_remove_wrap_at(struct vault *v, struct changes *c, const struct id *record,
    enum purpose purpose, unsigned slot, struct err *e)
{
	AUTO(wraps) old = { 0 };
	unsigned char k[18];
	struct slice key = wrap_key(record, purpose, slot, k);
	uint64_t generation;
	int rc = stored_wraps(v, key, &old, &generation, e);

	if (rc == V_NOT_FOUND)
		return 0;
	if (rc != 0)
		return rc;
	uncount(c, &old);
	changes_remove(c, TABLE_WRAP, key, generation);
	return 0;
}

int
object_remove_wrap(struct vault *v, struct changes *c, const struct id *record,
    enum purpose purpose, struct err *e)
{
	return object_remove_wrap_at(v, c, record, purpose, 0, e);
}

int
object_wrap_at(struct vault *v, const struct id *record, enum purpose purpose, unsigned slot,
    struct buf *ret, struct err *e)
{
	AUTO(wraps) w = { 0 };
	unsigned char k[18];
	int rc = stored_wraps(v, wrap_key(record, purpose, slot, k), &w, NULL, e);

	if (rc != 0 || w.n == 0)
		return err_name(e, ERR_RECORD_CORRUPT, "the wrapped key of a record is missing "
		    "or damaged");
	*ret = buf_take(&w.v[0]);
	return 0;
}

int
object_wrap(struct vault *v, const struct id *record, enum purpose purpose,
    struct buf *ret, struct err *e)
{
	return object_wrap_at(v, record, purpose, 0, ret, e);
}

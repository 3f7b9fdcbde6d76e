/*
 * objects.c - see objects.h: look-ups and the tag check.
 */
#include "vaultd/objects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "common/errors.h"
#include "vaultd/conn.h"
#include "vaultd/names.h"
#include "vaultd/vault.h"

const struct id root_personal = { { 1 } }, root_shared = { { 2 } };

#define FOLDER_DEPTH 8

/* ---- tags: checked once per record and generation */

#define VERIFIED_SLOTS (1u << 18)	/* 8 MiB, touched as they are used: an HMAC costs more */

struct verified {
	struct { struct id id; uint64_t generation; enum table table; } v[VERIFIED_SLOTS];
};


/* Ids are random, so their first bytes pick the slot; the table shifts equal ids of
 * different tables apart. */
static size_t
slot_of(enum table t, const struct id *id)
{
	return ((size_t)id->b[0] << 16 | (size_t)id->b[1] << 8 | id->b[2]) ^ (size_t)t << 4;
}

static bool
tag_ok(struct vault *v, enum table t, const struct id *id, uint64_t generation,
    struct slice in, struct slice *ret_body)
{
	size_t i = slot_of(t, id) % VERIFIED_SLOTS;

	if (v->verified->v[i].generation == generation && v->verified->v[i].table == t &&
	    id_equal(&v->verified->v[i].id, id) && in.len > 32) {
		*ret_body = (struct slice){ in.p, in.len - 32 };
		return true;
	}
	if (!record_tag_ok(v->meta_key, t, id_key(id), in,
		ret_body))
		return false;
	v->verified->v[i].generation = generation;
	v->verified->v[i].table = t;
	v->verified->v[i].id = *id;
	return true;
}

static int
no_hsm_yet(struct err *e, const char *what)
{
	return err_name(e, ERR_HSM_UNAVAILABLE, "the HSM was not reached since start, so the %s "
	    "cannot be verified", what);
}

int
object_tagged(struct vault *v, enum table t, const struct id *id, bool verified,
    const char *what, struct slice *ret, uint64_t *ret_generation, struct err *e)
{
	struct slice key = { id->b, sizeof id->b }, in;
	uint64_t generation = 0;
	int rc = store_get(v->store, t, key, &in, &generation, e);

	if (rc == V_NOT_FOUND)
		return err_name(e, ERR_NOT_FOUND, "there is no such %s", what);
	if (rc != 0)
		return err_name(e, ERR_RECORD_CORRUPT, "cannot read a %s", what);
	if (ret_generation != NULL)
		*ret_generation = generation;
	if (v->meta_key == NULL) {
		if (verified)
			return no_hsm_yet(e, what);
		if (in.len < 32)
			return err_name(e, ERR_RECORD_CORRUPT, "the %s record is cut off", what);
		*ret = (struct slice){ in.p, in.len - 32 };
		return 0;
	}
	if (!tag_ok(v, t, id, generation, in, ret))
		return err_name(e, ERR_RECORD_CORRUPT, "the stored %s was damaged or edited: its "
		    "tag does not fit", what);
	return 0;
}

int
object_undecodable(struct err *e, const char *what)
{
	err_wrap(e, "the stored %s cannot be read", what);
	return err_rename(e, ERR_RECORD_CORRUPT);
}

int
object_connection(struct vault *v, const struct id *id, bool verified,
    struct connection *ret, uint64_t *ret_generation, struct err *e)
{
	struct slice in;

	if (object_tagged(v, TABLE_CONNECTION, id, verified, "connection", &in, ret_generation,
		e) != 0)
		return e->code;
	if (connection_decode(in, ret, e) != 0)
		return object_undecodable(e, "connection");
	return 0;
}

int
object_folder(struct vault *v, const struct id *id, struct folder *ret, struct err *e)
{
	struct slice in;

	if (object_tagged(v, TABLE_FOLDER, id, false, "folder", &in, NULL, e) != 0)
		return e->code;
	if (folder_decode(in, ret, e) != 0)
		return object_undecodable(e, "folder");
	return 0;
}

int
object_app(struct vault *v, const struct id *id, struct app *ret, uint64_t *ret_generation,
    struct err *e)
{
	struct slice in;

	if (object_tagged(v, TABLE_APP, id, false, "OAuth app", &in, ret_generation, e) != 0)
		return e->code;
	if (app_decode(in, ret, e) != 0)
		return object_undecodable(e, "OAuth app");
	return 0;
}

int
object_tombstone(struct vault *v, const struct id *id, struct tombstone *ret,
    uint64_t *ret_generation, struct err *e)
{
	struct slice in;

	if (object_tagged(v, TABLE_TOMBSTONE, id, false, "tombstone", &in, ret_generation, e) != 0)
		return e->code;
	if (tombstone_decode(in, ret, e) != 0)
		return object_undecodable(e, "tombstone");
	return 0;
}

int
object_grant(struct vault *v, const struct id *connection, struct grant *ret,
    uint64_t *ret_generation, struct err *e)
{
	struct slice in;

	if (object_tagged(v, TABLE_GRANT, connection, true, "grant", &in, ret_generation, e) !=
	    0)
		return e->code;
	if (grant_decode(in, ret, e) != 0)
		return object_undecodable(e, "grant");
	return 0;
}

int
object_release(struct vault *v, const struct id *connection, struct release *ret,
    uint64_t *ret_generation, struct err *e)
{
	struct slice key = { connection->b, sizeof connection->b }, in;
	int rc = store_get(v->store, TABLE_RELEASE, key, &in, ret_generation, e);

	if (rc == V_NOT_FOUND)
		return err_name(e, ERR_NOT_READY, "the connection has no token yet");
	if (rc != 0 || release_decode(in, ret, e) != 0)
		return object_undecodable(e, "token");
	return 0;
}

/* ---- names */

struct slice
object_name_key(const struct id *parent, const char *name, unsigned char key[KEY_MAX_LEN])
{
	size_t n = strnlen(name, KEY_MAX_LEN - sizeof parent->b);

	memcpy(key, parent->b, sizeof parent->b);
	memcpy(key + sizeof parent->b, name, n);
	return (struct slice){ key, sizeof parent->b + n };
}

void
object_uid_name(uid_t uid, char ret[16])
{
	snprintf(ret, 16, "%u", (unsigned)uid);
}

static int
child(struct vault *v, enum table t, const struct id *parent, const char *name,
    struct id *ret, struct err *e)
{
	unsigned char key[KEY_MAX_LEN];
	struct slice value;
	int rc = store_get(v->store, t, object_name_key(parent, name, key), &value, NULL, e);

	if (rc != 0)
		return rc;
	if (!id_behind(value, 0, ret))
		return err_set(e, V_CORRUPT, "index of names is damaged");
	return 0;
}

int
object_not_found(struct err *e, const char *what, const char *asked)
{
	return err_name(e, ERR_NOT_FOUND, "there is no %s '%.200s' that you may see", what,
	    asked == NULL ? "" : asked);
}

static int
no_folder(struct err *e, const char *path)
{
	return object_not_found(e, "folder", path);
}

/* Uid and name of a workspace were stored together; a recycled uid is not its owner. */
static int
owner_agrees(const struct request *r, const struct folder *f, struct err *e)
{
	if (strcmp(r->caller, f->owner_name) == 0)
		return 0;
	return err_name(e, ERR_PERMISSION_DENIED, "the workspace of uid %u belongs to '%s', "
	    "and the name of this uid is now '%s'", (unsigned)f->owner, f->owner_name, r->caller);
}

/* Nearly every call of a connection goes to the workspace of its uid: it is looked up, and its
 * tag checked, once for each change of a folder. */
static bool
workspace_known(const struct request *r, struct folder *ret)
{
	const struct conn *c = r->conn;

	if (c->workspace_version == 0 ||
	    c->workspace_version != store_version(r->vault->store, TABLE_FOLDER))
		return false;
	*ret = c->workspace;
	return true;
}

static void
keep_workspace(struct request *r, const struct folder *f)
{
	if (r->vault->meta_key == NULL)
		return;		/* nothing could be checked yet */
	r->conn->workspace = *f;
	r->conn->workspace_version = store_version(r->vault->store, TABLE_FOLDER);
}

static int
find_personal(struct request *r, const char *who, struct folder *ret, struct err *e)
{
	char name[16];
	struct id id;

	*ret = (struct folder){ .class = FOLDER_PERSONAL, .owner = r->conn->peer.uid };
	if (who != NULL) {
		/* Somebody else's workspace is not looked up by name: an id names it. */
		if (strcmp(r->caller, who) != 0)
			return no_folder(e, who);
	}
	if (workspace_known(r, ret))
		return owner_agrees(r, ret, e);
	object_uid_name(r->conn->peer.uid, name);
	if (child(r->vault, TABLE_FOLDER_BY_NAME, &root_personal, name, &id, e) != 0)
		return e->code == V_NOT_FOUND ? no_folder(e, "personal") : (int)e->code;
	if (object_folder(r->vault, &id, ret, e) != 0)
		return e->code;
	if (ret->class != FOLDER_PERSONAL || ret->owner != r->conn->peer.uid)
		return err_name(e, ERR_RECORD_CORRUPT, "the index of workspaces was edited");
	keep_workspace(r, ret);
	return owner_agrees(r, ret, e);
}

int
object_shared_folder(struct vault *v, const char *path, struct folder *ret, struct err *e)
{
	struct id id = root_shared;
	char part[NAME_MAX_LEN + 1];
	const char *at = path + 7;	/* behind "shared/" */

	for (int depth = 0; *at != '\0'; depth++) {
		size_t n = strcspn(at, "/");

		if (n == 0 || n >= sizeof part || depth == FOLDER_DEPTH)
			return no_folder(e, path);
		memcpy(part, at, n);
		part[n] = '\0';
		if (child(v, TABLE_FOLDER_BY_NAME, &id, part, &id, e) != 0)
			return e->code == V_NOT_FOUND ? no_folder(e, path) : (int)e->code;
		at += n + (at[n] == '/');
	}
	if (object_folder(v, &id, ret, e) != 0)
		return e->code;
	return ret->class == FOLDER_SHARED ? 0 :
	    err_name(e, ERR_RECORD_CORRUPT, "the index of folders was edited");
}

int
object_find_folder(struct request *r, const char *path, struct folder *ret, struct err *e)
{
	if (r->asked == NULL) {
		r->asked = path;
		r->asked_for = "folder";
	}
	if (path == NULL || *path == '\0' || strcmp(path, "personal") == 0)
		return find_personal(r, NULL, ret, e);
	if (strncmp(path, "personal/", 9) == 0)
		return find_personal(r, path + 9, ret, e);
	*ret = (struct folder){ .class = FOLDER_SHARED };
	if (strncmp(path, "shared/", 7) == 0 && path[7] != '\0')
		return object_shared_folder(r->vault, path, ret, e);
	return no_folder(e, path);
}

/* ---- what policy is asked about */

static void
shared_path(struct vault *v, const struct folder *f, char *ret, size_t cap)
{
	struct folder chain[FOLDER_DEPTH];
	int n = 0;
	struct err e;
	size_t at;

	chain[n++] = *f;
	while (!id_equal(&chain[n - 1].parent, &root_shared) && n < FOLDER_DEPTH &&
	    object_folder(v, &chain[n - 1].parent, &chain[n], &e) == 0)
		n++;
	at = (size_t)snprintf(ret, cap, "shared");
	while (n-- > 0 && at < cap)
		at += (size_t)snprintf(ret + at, cap - at, "/%s", chain[n].name);
}

void
object_folder_path(struct vault *v, const struct request *r, const struct folder *f,
    char *ret, size_t cap)
{
	if (f->class == FOLDER_SHARED)
		shared_path(v, f, ret, cap);
	else if (r != NULL && f->owner == r->conn->peer.uid)
		str_put(ret, cap, 0, "personal");
	else
		str_put(ret, cap, str_put(ret, cap, 0, "personal/"), f->owner_name);
}

void
object_about(const struct folder *f, const char *path, uid_t uid, struct policy_object *o)
{
	o->class = f->class;
	o->folder = f->class == FOLDER_SHARED ? path : "personal";
	o->own = f->class == FOLDER_PERSONAL && f->owner == uid;
}

void
object_set_folder(struct request *r, const struct folder *f)
{
	object_folder_path(r->vault, r, f, r->folder, sizeof r->folder);
	object_about(f, r->folder, r->conn->peer.uid, &r->object);
	str_put(r->object_name, sizeof r->object_name, 0, r->folder);
}

void
object_set_name(struct request *r, const char *name)
{
	size_t cap = sizeof r->object_name, n = str_put(r->object_name, cap, 0, r->folder);

	n = str_put(r->object_name, cap, n, "/");
	str_put(r->object_name, cap, n, name);
}

bool
object_may(const struct request *r, enum policy_action action, const struct folder *f)
{
	struct policy_decision d;
	char path[400];
	struct policy_object o = { 0 };

	object_folder_path(r->vault, r, f, path, sizeof path);
	object_about(f, path, r->conn->peer.uid, &o);
	return request_may(r, action, &o, &d);
}

static int
no_connection(struct err *e, const char *text)
{
	return object_not_found(e, "connection", text);
}

/* ---- where a name was found last: a hint that the record itself confirms, so that nearly every call
 * saves a search of the index, and nothing has to be kept in step with it. */

#define HINT_SLOTS (1u << 17)		/* 3 MiB, touched as they are used */

struct hints {
	struct { uint64_t hash; struct id id; } v[HINT_SLOTS];
};

/* FNV-1a. Who makes two names meet makes one of them slower, no more. */
static uint64_t
name_hash(const struct id *folder, const char *name)
{
	uint64_t h = 0xcbf29ce484222325;

	memcpy(&h, folder->b, sizeof h);
	for (; *name != '\0'; name++)
		h = (h ^ (unsigned char)*name) * 0x100000001b3;
	return h ^ h >> 32;
}

static bool
is_named(const struct connection *c, const struct id *folder, const char *name)
{
	return id_equal(&c->folder, folder) && strcmp(c->name, name) == 0;
}

static int
find_in_folder(struct request *r, const char *name, bool verified, struct target *t,
    struct err *e)
{
	struct vault *v = r->vault;
	uint64_t hash = name_hash(&t->f.id, name);
	size_t i = hash % HINT_SLOTS;
	struct id id;

	if (v->hints->v[i].hash == hash && object_connection(v, &v->hints->v[i].id, verified, &t->c,
		&t->generation, e) == 0 && is_named(&t->c, &t->f.id, name))
		return 0;
	err_clear(e);
	if (child(v, TABLE_CONNECTION_BY_FOLDER, &t->f.id, name, &id, e) != 0 ||
	    object_connection(v, &id, verified, &t->c, &t->generation, e) != 0)
		return e->code;
	if (!is_named(&t->c, &t->f.id, name))
		return err_name(e, ERR_RECORD_CORRUPT, "the index of connections was edited");
	v->hints->v[i].hash = hash;
	v->hints->v[i].id = id;
	return 0;
}

/* Splits "folder/name" at the last slash; a bare name is in the own workspace. */
static int
find_by_name(struct request *r, const char *text, bool verified, struct target *t,
    struct err *e)
{
	const char *slash = strrchr(text, '/');
	char path[400] = "";
	int rc;

	if (strlen(text) >= sizeof path)
		return no_connection(e, text);
	if (slash != NULL)
		snprintf(path, sizeof path, "%.*s", (int)(slash - text), text);
	rc = object_find_folder(r, path, &t->f, e);
	if (rc == 0)
		rc = find_in_folder(r, slash == NULL ? text : slash + 1, verified, t, e);
	return rc == V_NOT_FOUND ? no_connection(e, text) : rc;
}

/* Who could see it is told that it was deleted. */
static int
deleted_or_none(struct request *r, const char *text, const struct id *id, struct err *e)
{
	struct tombstone t;
	struct folder f;

	if (object_tombstone(r->vault, id, &t, NULL, e) != 0 ||
	    object_folder(r->vault, &t.folder, &f, e) != 0 || !object_may(r, ACT_CONN_VIEW, &f))
		return no_connection(e, text);
	err_name(e, ERR_CONNECTION_DELETED, "connection '%s' was deleted by uid %u", t.name,
	    (unsigned)t.deleted_by);
	err_detail(e, "connection", "%s", t.name);
	return e->code;
}

static int
find_by_id(struct request *r, const char *text, const struct id *id, bool verified,
    struct target *t, struct err *e)
{
	int rc = object_connection(r->vault, id, verified, &t->c, &t->generation, e);

	if (rc == V_NOT_FOUND)
		return deleted_or_none(r, text, id, e);
	if (rc != 0)
		return rc;
	return object_folder(r->vault, &t->c.folder, &t->f, e);
}

int
object_find_connection(struct request *r, const char *text, bool verified,
    struct target *t, struct err *e)
{
	struct id id;

	r->asked = text;
	r->asked_for = "connection";
	/* Whether it exists: nothing shows who may see it, or who may not. */
	if (verified && r->vault->meta_key == NULL)
		return no_hsm_yet(e, "connection");
	if ((id_parse(text, &id) ? find_by_id(r, text, &id, verified, t, e) :
				   find_by_name(r, text, verified, t, e)) != 0)
		return e->code;
	if (t->f.class == FOLDER_PERSONAL && t->f.owner == r->conn->peer.uid &&
	    owner_agrees(r, &t->f, e) != 0)
		return e->code;
	object_set_folder(r, &t->f);
	object_set_name(r, t->c.name);
	r->object_id = t->c.id;
	r->object.connector = t->c.connector;
	r->object.auth_type = auth_type_name(t->c.auth_type);
	return 0;
}

int
object_caches_new(struct vault *v, struct err *e)
{
	v->verified = calloc(1, sizeof *v->verified);
	v->hints = calloc(1, sizeof *v->hints);
	return v->verified != NULL && v->hints != NULL ? 0 :
	    err_set(e, V_LIMIT, "out of memory");
}

void
object_caches_free(struct vault *v)
{
	free(v->verified);
	free(v->hints);
}

int
object_find_app(struct vault *v, const char *text, struct app *ret,
    uint64_t *ret_generation, struct err *e)
{
	struct slice key = { text, strlen(text) }, value;
	struct id id;
	int rc;

	if (!id_parse(text, &id)) {
		if (key.len == 0 || key.len > NAME_MAX_LEN)
			return err_name(e, ERR_NOT_FOUND, "there is no OAuth app '%.130s'", text);
		rc = store_get(v->store, TABLE_APP_BY_NAME, key, &value, NULL, e);
		if (rc != 0 || value.len != sizeof id.b)
			return err_name(e, ERR_NOT_FOUND, "there is no OAuth app '%.130s'", text);
		memcpy(id.b, value.p, sizeof id.b);
	}
	return object_app(v, &id, ret, ret_generation, e);
}

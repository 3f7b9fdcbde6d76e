/*
 * place.c - see place.h.
 */
#include "vaultd/place.h"

#include <stdio.h>
#include <string.h>

#include "common/errors.h"
#include "common/role.h"
#include "vaultd/attempt.h"
#include "vaultd/conn.h"
#include "vaultd/objects.h"
#include "vaultd/vault.h"

int
place_connector(const struct vault *v, const char *id, uint32_t version,
    const struct connector **ret, struct err *e)
{
	*ret = catalogue_pinned(&v->catalogue, id, version);
	if (*ret != NULL)
		return 0;
	return err_name(e, ERR_CONNECTOR_GONE, "connector '%.60s' was withdrawn from the catalogue",
	    id);
}

int
place_folder(struct request *r, const char *path, struct folder *ret, bool *ret_make,
    struct err *e)
{
	int rc = object_find_folder(r, path, ret, e);

	*ret_make = rc == V_NOT_FOUND && ret->class == FOLDER_PERSONAL &&
	    ret->owner == r->conn->peer.uid && (path == NULL || strncmp(path, "personal/", 9) != 0);
	return *ret_make ? 0 : rc;
}

int
place_object(struct request *r, struct place *p, const char *auth_type, struct err *e)
{
	const struct connector *k = catalogue_find(&r->vault->catalogue, p->connector);

	if (k == NULL)
		return err_name(e, ERR_CONNECTOR_UNKNOWN, "there is no connector '%.60s'",
		    p->connector);
	p->connector = k->id;		/* not an alias: records and policies go by the id */
	if (p->name == NULL)
		p->name = p->connector;
	if (place_folder(r, p->folder, &p->f, &p->make_workspace, e) != 0)
		return e->code;
	object_set_folder(r, &p->f);
	object_set_name(r, p->name);
	r->object.connector = p->connector;
	r->object.auth_type = auth_type;
	return 0;
}

/*
 * A personal workspace comes into being on first use: of several first uses at once, which
 * do not see each other, each writes the same id and the first one stays.
 */
static struct id
workspace_id(const struct request *r, const struct folder *f)
{
	unsigned char hash[32];
	char text[sizeof f->owner_name + ID_TEXT + 32], vault[ID_TEXT];
	struct id id;

	id_text(&r->vault->id, vault);
	int n = snprintf(text, sizeof text, "workspace %s %u %s", vault, (unsigned)f->owner,
	    f->owner_name);
	sha256((struct slice){ text, (size_t)n }, hash);
	memcpy(id.b, hash, sizeof id.b);
	return id;
}

int
place_workspace(struct request *r, struct folder *f, struct err *e)
{
	unsigned char key[KEY_MAX_LEN];
	char uid[16];

	f->parent = root_personal;
	f->created = wall_seconds();
	object_uid_name(f->owner, uid);
	snprintf(f->owner_name, sizeof f->owner_name, "%s", r->caller);
	snprintf(f->name, sizeof f->name, "%s", f->owner_name);
	f->id = workspace_id(r, f);
	changes_put(&r->changes, TABLE_FOLDER_BY_NAME,
	    object_name_key(&root_personal, uid, key), KEEP_IF_THERE,
	    id_key(&f->id));
	return object_put_folder(r->vault, &r->changes, f, KEEP_IF_THERE, e);
}

/* What the caller began himself and never finished is in nobody's way, least of all in his own. */
static bool
is_unfinished(struct request *r, struct slice value, struct place *p)
{
	struct connection *c = &p->unfinished;
	struct id id;
	struct err e;

	if (!id_behind(value, 0, &id))
		return false;
	return object_connection(r->vault, &id, true, c, &p->unfinished_generation, &e) == 0 &&
	    c->state == CONN_PENDING && c->owner == r->conn->peer.uid &&
	    attempt_find(r->vault, &id) == NULL;
}

static int
name_is_free(struct request *r, struct place *p, struct err *e)
{
	unsigned char key[KEY_MAX_LEN];
	struct slice value;
	int rc;

	p->replaces = false;
	if (p->make_workspace)
		return 0;
	rc = store_get(r->vault->store, TABLE_CONNECTION_BY_FOLDER,
	    object_name_key(&p->f.id, p->name, key), &value, NULL, e);
	if (rc != 0)
		return rc == V_NOT_FOUND ? 0 : rc;
	if ((p->replaces = is_unfinished(r, value, p)))
		return 0;
	return err_name(e, ERR_NAME_TAKEN, "there is a connection '%s' already in %s; it can be "
	    "reconnected, renamed or deleted", p->name, r->folder);
}

int
place_check(struct request *r, struct place *p, struct err *e)
{
	const struct connector *k = catalogue_find(&r->vault->catalogue, p->connector);
	enum auth_type t;

	if (!auth_type_parse(r->object.auth_type, &t) || !(k->auth_types & t))
		return err_name(e, ERR_AUTH_TYPE_NOT_ALLOWED, "connector '%s' has no %s", k->id,
		    r->object.auth_type);
	return name_is_free(r, p, e);
}

void
place_conflict(struct request *r, const struct place *p)
{
	struct place now = *p;
	struct err e = { 0 };

	now.make_workspace = false;
	if (object_folder(r->vault, &p->f.id, &now.f, &e) == V_NOT_FOUND)
		err_name(&r->err, ERR_NOT_FOUND, "folder %s was deleted meanwhile", r->folder);
	else if (name_is_free(r, &now, &e) != 0)
		r->err = e;
}

int
place_connection(struct request *r, struct place *p, enum auth_type t,
    struct connection *ret, struct err *e)
{
	const struct connector *k = catalogue_find(&r->vault->catalogue, p->connector);

	if (p->make_workspace && place_workspace(r, &p->f, e) != 0)
		return e->code;
	if (p->replaces && attempt_find(r->vault, &p->unfinished.id) != NULL)
		return err_name(e, ERR_BUSY, "the sign-in of '%s' is being finished", p->name);
	if (p->replaces && object_remove_connection(r->vault, &r->changes, &p->unfinished,
		p->unfinished_generation, e) != 0)
		return e->code;
	*ret = (struct connection){
		.id = p->id, .folder = p->f.id, .connector_version = k->version,
		.auth_type = t, .state = CONN_PENDING, .owner = r->conn->peer.uid,
	};
	ret->created = ret->updated = wall_seconds();
	snprintf(ret->name, sizeof ret->name, "%s", p->name);
	snprintf(ret->connector, sizeof ret->connector, "%s", p->connector);
	return 0;
}

/*
 * verb_move.c - vaultd.Connections.Move: what deleting it there and making it here would need.
 */
#include <stdio.h>
#include <string.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/role.h"
#include "vaultd/app_choice.h"
#include "vaultd/conn.h"
#include "vaultd/dek_cache.h"
#include "vaultd/named.h"
#include "vaultd/place.h"
#include "vaultd/vault.h"
#include "vaultd/verbs.h"

struct move_args {
	struct named	 n;
	const char	*folder, *name;
	struct folder	 to;
	bool		 make;		/* it is the caller's workspace, on first use */
};

static const struct field move_fields[] = {
	{ "connection", F_STR, offsetof(struct move_args, n.connection), true, 0 },
	{ "folder", F_STR, offsetof(struct move_args, folder), true, 390 },
	{ "name", F_NAME, offsetof(struct move_args, name), false, 0 },
	{ "revision", F_INT, offsetof(struct move_args, n.revision), false, 0 },
	{ 0 },
};

/*
 * Who makes one there brings its secret himself. Who moves one does not: it must not become his to use
 * by that, in his own workspace least of all.
 */
static int
refuse_gain(struct request *r, const struct move_args *a, const struct policy_object *there,
    struct err *e)
{
	struct policy_decision d, here;

	if (!request_may(r, ACT_CONN_USE, there, &d) || request_may(r, ACT_CONN_USE, &r->object, &here))
		return 0;
	err_name(e, ERR_PERMISSION_DENIED, "you may not use '%s' where it is, and could in %s: moving it "
	    "there needs conn.use", a->n.t.c.name, a->folder);
	err_detail(e, "permission", "conn.use");
	err_detail(e, "folder", "%s", r->folder);
	return e->code;
}

/* All rules of making one there. */
static int
may_create_there(struct request *r, const struct move_args *a, struct err *e)
{
	const struct connection *c = &a->n.t.c;
	struct policy_subject s = conn_subject(r->conn);
	AUTO(app) app = { 0 };
	char path[400];
	struct policy_decision d;
	struct policy_byoa byoa;
	struct policy_object o = {
		.connector = c->connector, .auth_type = auth_type_name(c->auth_type) };

	object_folder_path(r->vault, r, &a->to, path, sizeof path);
	object_about(&a->to, path, r->conn->peer.uid, &o);
	if (!id_is_null(&c->app) && object_app(r->vault, &c->app, &app, NULL, e) == 0)
		app_about(r->vault->policy, &s, &app, &o, &byoa);
	if (request_may(r, ACT_CONN_CREATE, &o, &d))
		return refuse_gain(r, a, &o, e);
	if (d.id == ERR_NOT_FOUND)
		return object_not_found(e, "folder", a->folder);
	err_name(e, d.id, "at the target: %s", d.text);
	if (d.file[0] != '\0')
		err_detail(e, "policy_file", "%s", d.file);
	err_detail(e, "rule", "%s", d.rule);
	err_detail(e, "permission", "conn.create");
	err_detail(e, "folder", "%s", path);
	return e->code;
}

/* To share what one person signed in is more than moving it. */
static int
refuse_sharing(const struct move_args *a, struct err *e)
{
	if (a->n.t.f.class != FOLDER_PERSONAL || a->to.class != FOLDER_SHARED)
		return 0;
	err_name(e, ERR_POLICY_DENIED, "'%s' is in a personal workspace: in %s everybody there would "
	    "act as its account. Moving it there is denied; make a connection there instead, with a "
	    "service account", a->n.t.c.name, a->folder);
	err_detail(e, "rule", "personal-to-shared");
	err_detail(e, "level", "built-in");
	return e->code;
}

static int
name_is_free(struct request *r, const struct move_args *a, struct err *e)
{
	unsigned char key[KEY_MAX_LEN];
	struct slice value;

	if (store_get(r->vault->store, TABLE_CONNECTION_BY_FOLDER,
		object_name_key(&a->to.id, a->name, key), &value, NULL, e) == V_NOT_FOUND)
		return 0;
	return err_name(e, ERR_NAME_TAKEN, "there is a connection '%s' already in %s", a->name,
	    a->folder);
}

static void
moved(struct request *r)
{
	struct named *n = r->args;

	dek_cache_forget(r->vault->deks, &n->t.c.id);
	named_reply(r);
}

static void
move_conflict(struct request *r)
{
	struct move_args *a = r->args;
	struct folder f;
	struct err e = { 0 };

	if (object_folder(r->vault, &a->to.id, &f, &e) == V_NOT_FOUND)
		err_name(&r->err, ERR_NOT_FOUND, "folder %s was deleted meanwhile", a->folder);
	else if (name_is_free(r, a, &e) != 0)
		r->err = e;
}

static int
move_run(struct request *r, struct err *e)
{
	struct move_args *a = r->args;
	struct connection *c = &a->n.t.c;

	if (named_check_revision(&a->n, e) != 0 ||
	    place_folder(r, a->folder, &a->to, &a->make, e) != 0 ||
	    refuse_sharing(a, e) != 0 || may_create_there(r, a, e) != 0)
		return e->code;
	if (a->name == NULL)
		a->name = c->name;
	if (id_equal(&a->to.id, &c->folder) && strcmp(a->name, c->name) == 0) {
		named_reply(r);
		return 0;
	}
	if ((a->make && place_workspace(r, &a->to, e) != 0) || name_is_free(r, a, e) != 0)
		return e->code;
	c->updated = wall_seconds();
	r->after = moved;
	r->conflict = move_conflict;
	return object_move_connection(r->vault, &r->changes, c, &a->to.id, a->name,
	    a->n.t.generation, e);
}

const struct verb verb_connection_move = {
	.method = "vaultd.Connections.Move",
	.help = "put a connection into another folder",
	.action = ACT_CONN_MOVE,
	.flags = VERB_CHANGE,
	.fields = move_fields,
	.args_size = sizeof(struct move_args),
	.object = named_object_verified,
	.run = move_run,
};

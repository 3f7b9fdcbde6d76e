/*
 * verb_connection.c - vaultd.Connections.List, Show and Rename.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/errors.h"
#include "common/role.h"
#include "vaultd/conn.h"
#include "vaultd/named.h"
#include "vaultd/vault.h"
#include "vaultd/verbs.h"

/* ---- Show */

static const struct field show_fields[] = {
	{ "connection", F_STR, offsetof(struct named, connection), true, 0 },
	{ 0 },
};

static int
show_run(struct request *r, struct err *e)
{
	struct named *a = r->args;

	(void)e;
	r->reply = json_pack("{s:o}", "connection", object_connection_json(r, &a->t));
	return 0;
}

const struct verb verb_connection_show = {
	.method = "vaultd.Connections.Show",
	.help = "one connection: state, account, cause and what to do",
	.action = ACT_CONN_VIEW,
	.fields = show_fields,
	.args_size = sizeof(struct named),
	.object = named_object,
	.run = show_run,
};

/* ---- List: folders the caller may see, then what is in them */

struct list_args {
	const char	*folder, *connector;
	struct folder	 f;
};

struct list {
	struct request	*r;
	const char	*connector;
	struct folder	 f;
	json_t		*out;
	int		 depth;
};

static const struct field list_fields[] = {
	{ "folder", F_STR, offsetof(struct list_args, folder), false, 390 },
	{ "connector", F_STR, offsetof(struct list_args, connector), false, 63 },
	{ 0 },
};

static bool
list_connection(void *arg, struct slice key, struct slice value, uint64_t generation)
{
	struct list *l = arg;
	struct target t = { .f = l->f };
	struct id id;
	struct err e;

	(void)key;
	(void)generation;
	if (value.len != sizeof id.b)
		return true;
	memcpy(id.b, value.p, sizeof id.b);
	/* An index that was edited leads to what lies elsewhere. */
	if (object_connection(l->r->vault, &id, false, &t.c, &t.generation, &e) != 0 ||
	    !id_equal(&t.c.folder, &l->f.id))
		return true;
	if (l->connector == NULL || strcmp(l->connector, t.c.connector) == 0)
		json_array_append_new(l->out, object_connection_json(l->r, &t));
	return true;
}

static void
list_folder(struct list *l, const struct folder *f)
{
	static const struct slice start = { "", 0 };
	struct slice prefix = { f->id.b, sizeof f->id.b };
	struct err e;

	if (l->r->action != ACT_CONN_EXPORT && !object_may(l->r, ACT_CONN_VIEW, f))
		return;
	l->f = *f;
	store_walk(l->r->vault->store, TABLE_CONNECTION_BY_FOLDER, prefix, start,
	    list_connection, l, &e);
}

static bool
list_subfolder(void *arg, struct slice key, struct slice value, uint64_t generation)
{
	static const struct slice start = { "", 0 };
	struct list *l = arg;
	struct folder f;
	struct id id;
	struct err e;

	(void)key;
	(void)generation;
	if (value.len != sizeof id.b)
		return true;
	memcpy(id.b, value.p, sizeof id.b);
	if (object_folder(l->r->vault, &id, &f, &e) != 0)
		return true;
	list_folder(l, &f);
	if (++l->depth < 8)
		store_walk(l->r->vault->store, TABLE_FOLDER_BY_NAME,
		    (struct slice){ f.id.b, sizeof f.id.b }, start, list_subfolder, l, &e);
	l->depth--;
	return true;
}

struct search { struct vault *v; const char *owner; struct folder *ret; };

static bool
is_workspace_of(void *arg, struct slice key, struct slice value, uint64_t generation)
{
	struct search *s = arg;
	struct folder f;
	struct id id;
	struct err e;

	(void)key;
	(void)generation;
	if (value.len != sizeof id.b)
		return true;
	memcpy(id.b, value.p, sizeof id.b);
	if (object_folder(s->v, &id, &f, &e) != 0 || strcmp(f.owner_name, s->owner) != 0)
		return true;
	*s->ret = f;
	return false;
}

/*
 * Somebody else's workspace, for who may list everything (conn.export): what there is, never its use. It
 * is an action of its own, so that the audit line says what was looked into.
 */
static int
explore_object(struct request *r, struct err *e)
{
	static const struct slice start = { "", 0 };
	struct list_args *a = r->args;
	struct search s = { r->vault, a->folder + 9, &a->f };
	struct policy_decision d;

	r->asked = a->folder;
	r->asked_for = "folder";
	snprintf(r->object_name, sizeof r->object_name, "%s", a->folder);
	r->object = (struct policy_object){ .class = FOLDER_NONE };
	r->action = ACT_CONN_EXPORT;
	a->f = (struct folder){ 0 };
	if (!request_may(r, ACT_CONN_EXPORT, &r->object, &d) ||
	    store_walk(r->vault->store, TABLE_FOLDER_BY_NAME,
		(struct slice){ root_personal.b, sizeof root_personal.b }, start, is_workspace_of, &s,
		e) != 0 || id_is_null(&a->f.id))
		return object_not_found(e, "folder", a->folder);
	return 0;
}

static int
list_object(struct request *r, struct err *e)
{
	struct list_args *a = r->args;

	if (a->folder == NULL)
		return 0;
	if (strncmp(a->folder, "personal/", 9) == 0 && strcmp(a->folder + 9, r->caller) != 0)
		return explore_object(r, e);
	if (object_find_folder(r, a->folder, &a->f, e) != 0)
		return a->f.class == FOLDER_PERSONAL && e->id == ERR_NOT_FOUND &&
		    a->f.owner == r->conn->peer.uid && strcmp(a->folder, "personal") == 0 ? 0 :
		    (int)e->code;
	object_set_folder(r, &a->f);
	r->action = ACT_CONN_VIEW;
	return 0;
}

static int
list_run(struct request *r, struct err *e)
{
	static const struct slice start = { "", 0 };
	struct list_args *a = r->args;
	struct list l = { .r = r, .connector = a->connector, .out = json_array() };

	if (a->folder != NULL) {
		if (!id_is_null(&a->f.id))
			list_folder(&l, &a->f);
	} else {
		struct folder own;

		if (object_find_folder(r, "personal", &own, e) == 0)
			list_folder(&l, &own);
		store_walk(r->vault->store, TABLE_FOLDER_BY_NAME,
		    (struct slice){ root_shared.b, sizeof root_shared.b }, start, list_subfolder,
		    &l, e);
	}
	r->reply = json_pack("{s:o}", "connections", l.out);
	return 0;
}

const struct verb verb_connection_list = {
	.method = "vaultd.Connections.List",
	.help = "connections the caller may see",
	.action = ACT_NONE,	/* each folder is asked about; one that is named, as a whole */
	.flags = VERB_NAMED,
	.fields = list_fields,
	.args_size = sizeof(struct list_args),
	.object = list_object,
	.run = list_run,
};

/* ---- Rename */

struct rename_args {
	struct named	 n;
	const char	*name;
};

static const struct field rename_fields[] = {
	{ "connection", F_STR, offsetof(struct rename_args, n.connection), true, 0 },
	{ "name", F_NAME, offsetof(struct rename_args, name), true, 0 },
	{ "revision", F_INT, offsetof(struct rename_args, n.revision), false, 0 },
	{ 0 },
};

static int
rename_run(struct request *r, struct err *e)
{
	struct rename_args *a = r->args;
	struct connection *c = &a->n.t.c;
	unsigned char key[KEY_MAX_LEN];
	struct slice value;

	if (named_check_revision(&a->n, e) != 0)
		return e->code;
	if (strcmp(c->name, a->name) == 0) {
		named_reply(r);
		return 0;
	}
	if (store_get(r->vault->store, TABLE_CONNECTION_BY_FOLDER,
		object_name_key(&c->folder, a->name, key), &value, NULL, e) != V_NOT_FOUND)
		return err_name(e, ERR_NAME_TAKEN, "there is a connection '%s' already in %s",
		    a->name, r->folder);
	c->updated = wall_seconds();
	r->after = named_reply;
	return object_rename_connection(r->vault, &r->changes, c, a->name, a->n.t.generation, e);
}

const struct verb verb_connection_rename = {
	.method = "vaultd.Connections.Rename",
	.help = "give a connection another name",
	.action = ACT_CONN_EDIT,
	.flags = VERB_CHANGE,
	.fields = rename_fields,
	.args_size = sizeof(struct rename_args),
	.object = named_object_verified,
	.run = rename_run,
};

/*
 * verb_folder.c - vaultd.Folders: shared folders. Personal workspaces come by themselves.
 */
#include <stdio.h>
#include <string.h>

#include "common/errors.h"
#include "common/role.h"
#include "vaultd/conn.h"
#include "vaultd/objects.h"
#include "vaultd/vault.h"
#include "vaultd/verbs.h"

struct folder_args {
	const char	*path;
	struct folder	 f, parent;
	bool		 top;
	char		 name[NAME_MAX_LEN + 1];
};

static const struct field path_fields[] = {
	{ "path", F_STR, offsetof(struct folder_args, path), true, 390 },
	{ 0 },
};

/* ---- Create */

static int
bad_path(struct err *e)
{
	return err_parameter(e, "path", "a shared folder's path is shared/NAME or "
	    "shared/PARENT/NAME, each name 1 to 120 bytes without control characters");
}

/* Policy is asked about the folder to be, whether or not its parent exists. */
static int
create_object(struct request *r, struct err *e)
{
	struct folder_args *a = r->args;
	const char *slash = strrchr(a->path, '/');

	if (strncmp(a->path, "shared/", 7) != 0 || !name_is_good(slash + 1))
		return bad_path(e);
	a->top = slash == a->path + 6;
	snprintf(a->name, sizeof a->name, "%s", slash + 1);
	snprintf(r->folder, sizeof r->folder, "%s", a->path);
	snprintf(r->object_name, sizeof r->object_name, "%s", a->path);
	r->object.class = FOLDER_SHARED;
	r->object.folder = r->folder;
	if (!a->top)
		r->action = ACT_FOLDER_CREATE_SUB;
	return 0;
}

static void
created(struct request *r)
{
	struct folder_args *a = r->args;

	r->reply = json_pack("{s:o}", "folder", object_folder_json(r, &a->f));
}

static int
find_parent(struct request *r, struct folder_args *a, struct err *e)
{
	char path[400];

	if (a->top) {
		a->parent.id = root_shared;
		return 0;
	}
	snprintf(path, sizeof path, "%.*s", (int)(strrchr(a->path, '/') - a->path), a->path);
	return object_find_folder(r, path, &a->parent, e);
}

static int
name_is_free(struct request *r, const struct folder_args *a, struct err *e)
{
	unsigned char key[KEY_MAX_LEN];
	struct slice value;

	if (store_get(r->vault->store, TABLE_FOLDER_BY_NAME,
		object_name_key(&a->parent.id, a->name, key), &value, NULL, e) == V_NOT_FOUND)
		return 0;
	return err_name(e, ERR_NAME_TAKEN, "there is a folder %s already", a->path);
}

static void
create_conflict(struct request *r)
{
	struct folder_args *a = r->args;
	struct folder parent;
	struct err e = { 0 };

	if (!a->top && object_folder(r->vault, &a->parent.id, &parent, &e) == V_NOT_FOUND)
		err_name(&r->err, ERR_NOT_FOUND, "the folder that %s was to be in was deleted "
		    "meanwhile", a->path);
	else if (name_is_free(r, a, &e) != 0)
		r->err = e;
}

static int
create_run(struct request *r, struct err *e)
{
	struct folder_args *a = r->args;
	unsigned char key[KEY_MAX_LEN];

	if (find_parent(r, a, e) != 0 || name_is_free(r, a, e) != 0)
		return e->code;
	a->f = (struct folder){ .id = id_new(), .parent = a->parent.id,
		.class = FOLDER_SHARED, .owner = r->conn->peer.uid, .created = wall_seconds() };
	snprintf(a->f.name, sizeof a->f.name, "%s", a->name);
	r->object_id = a->f.id;
	if (!a->top)
		changes_expect(&r->changes, TABLE_FOLDER,
		    id_key(&a->parent.id), EXPECT_THERE);
	changes_put(&r->changes, TABLE_FOLDER_BY_NAME,
	    object_name_key(&a->parent.id, a->name, key), EXPECT_ABSENT,
	    id_key(&a->f.id));
	r->after = created;
	r->conflict = create_conflict;
	return object_put_folder(r->vault, &r->changes, &a->f, EXPECT_ABSENT, e);
}

const struct verb verb_folder_create = {
	.method = "vaultd.Folders.Create",
	.help = "make a shared folder",
	.action = ACT_FOLDER_CREATE,	/* or _SUB, by the path */
	.flags = VERB_CHANGE,
	.fields = path_fields,
	.args_size = sizeof(struct folder_args),
	.object = create_object,
	.run = create_run,
};

/* ---- List */

struct list {
	struct request	*r;
	json_t		*out;
	int		 depth;
};

static bool
list_one(void *arg, struct slice key, struct slice value, uint64_t generation)
{
	static const struct slice start = { "", 0 };
	struct list *l = arg;
	struct policy_decision d;
	struct folder f;
	struct id id;
	struct err e;
	char path[400];

	(void)key;
	(void)generation;
	if (!id_behind(value, 0, &id))
		return true;
	if (object_folder(l->r->vault, &id, &f, &e) != 0)
		return true;
	object_folder_path(l->r->vault, l->r, &f, path, sizeof path);
	if (request_may(l->r, ACT_FOLDER_VIEW,
		&(struct policy_object){ .class = FOLDER_SHARED, .folder = path }, &d))
		json_array_append_new(l->out, object_folder_json(l->r, &f));
	if (++l->depth < 8)
		store_walk(l->r->vault->store, TABLE_FOLDER_BY_NAME,
		    id_key(&f.id), start, list_one, l, &e);
	l->depth--;
	return true;
}

static int
list_run(struct request *r, struct err *e)
{
	static const struct slice start = { "", 0 };
	struct list l = { .r = r, .out = json_array() };
	struct folder own;

	if (object_find_folder(r, "personal", &own, e) == 0)
		json_array_append_new(l.out, object_folder_json(r, &own));
	store_walk(r->vault->store, TABLE_FOLDER_BY_NAME,
	    (struct slice){ root_shared.b, sizeof root_shared.b }, start, list_one, &l, e);
	r->reply = json_pack("{s:o}", "folders", l.out);
	return 0;
}

const struct verb verb_folder_list = {
	.method = "vaultd.Folders.List",
	.help = "folders the caller may see",
	.action = ACT_NONE,
	.flags = VERB_NAMED,
	.run = list_run,
};

/* ---- Show */

static int
folder_object(struct request *r, struct err *e)
{
	struct folder_args *a = r->args;

	if (object_find_folder(r, a->path, &a->f, e) != 0)
		return e->code;
	object_set_folder(r, &a->f);
	r->object_id = a->f.id;
	return 0;
}

#define COUNT_MAX 10000

static json_int_t
count_in(struct request *r, enum table t, const struct folder *f, size_t max)
{
	return (json_int_t)store_count(r->vault->store, t, id_key(&f->id),
	    max);
}

/* What the caller may do there. */
static json_t *
permissions(struct request *r, const struct folder *f)
{
	json_t *list = json_array();

	for (enum policy_action a = ACT_NONE + 1; a < ACT_MAX; a++)
		if (object_may(r, a, f))
			json_array_append_new(list, json_string(policy_action_name(a)));
	return list;
}

static int
show_run(struct request *r, struct err *e)
{
	struct folder_args *a = r->args;

	(void)e;
	r->reply = json_pack("{s:o, s:I, s:I, s:I, s:o}", "folder", object_folder_json(r, &a->f),
	    "connections", count_in(r, TABLE_CONNECTION_BY_FOLDER, &a->f, COUNT_MAX), "folders",
	    count_in(r, TABLE_FOLDER_BY_NAME, &a->f, COUNT_MAX), "bindings",
	    count_in(r, TABLE_BINDING_BY_CONNECTION, &a->f, COUNT_MAX), "permissions", permissions(r, &a->f));
	return 0;
}

const struct verb verb_folder_show = {
	.method = "vaultd.Folders.Show",
	.help = "one folder: what is in it, and what the caller may do there",
	.action = ACT_FOLDER_VIEW,
	.fields = path_fields,
	.args_size = sizeof(struct folder_args),
	.object = folder_object,
	.run = show_run,
};

/* ---- Delete */

static int
is_empty(struct request *r, struct err *e)
{
	const struct folder_args *a = r->args;

	if (count_in(r, TABLE_CONNECTION_BY_FOLDER, &a->f, 1) == 0 &&
	    count_in(r, TABLE_BINDING_BY_CONNECTION, &a->f, 1) == 0 &&
	    count_in(r, TABLE_FOLDER_BY_NAME, &a->f, 1) == 0)
		return 0;
	return err_name(e, ERR_IN_USE, "folder %s is not empty", r->folder);
}

static void
delete_conflict(struct request *r)
{
	struct folder_args *a = r->args;
	struct folder f;
	struct err e = { 0 };

	if (object_folder(r->vault, &a->f.id, &f, &e) == V_NOT_FOUND)
		object_not_found(&r->err, r->asked_for, r->asked);
	else if (is_empty(r, &e) != 0)
		r->err = e;
}

/* What comes in until then is seen by the commit. */
static int
delete_run(struct request *r, struct err *e)
{
	struct folder_args *a = r->args;
	struct slice prefix = { a->f.id.b, sizeof a->f.id.b };
	unsigned char key[KEY_MAX_LEN];
	char uid[16];

	if (is_empty(r, e) != 0)
		return e->code;
	r->conflict = delete_conflict;
	changes_expect_none(&r->changes, TABLE_CONNECTION_BY_FOLDER, prefix);
	changes_expect_none(&r->changes, TABLE_FOLDER_BY_NAME, prefix);
	changes_expect_none(&r->changes, TABLE_BINDING_BY_CONNECTION, prefix);
	object_uid_name(a->f.owner, uid);
	changes_remove(&r->changes, TABLE_FOLDER, prefix, EXPECT_THERE);
	changes_remove(&r->changes, TABLE_FOLDER_BY_NAME, object_name_key(&a->f.parent,
	    a->f.class == FOLDER_PERSONAL ? uid : a->f.name, key), EXPECT_ANY);
	return 0;
}

const struct verb verb_folder_delete = {
	.method = "vaultd.Folders.Delete",
	.help = "remove an empty folder",
	.action = ACT_FOLDER_DELETE,
	.flags = VERB_CHANGE,
	.fields = path_fields,
	.args_size = sizeof(struct folder_args),
	.object = folder_object,
	.run = delete_run,
};

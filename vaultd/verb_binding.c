/*
 * verb_binding.c - vaultd.Bindings: what programs call the connections they use.
 */
#include <stdio.h>
#include <string.h>

#include "common/errors.h"
#include "common/role.h"
#include "vaultd/bindings.h"
#include "vaultd/conn.h"
#include "vaultd/objects.h"
#include "vaultd/page.h"
#include "vaultd/resolve.h"
#include "vaultd/vault.h"
#include "vaultd/verbs.h"

struct binding_args {
	const char	*consumer, *name;
	const char	*folder, *connector, *connection, *description;	/* NULL = not said */
	enum yesno	 overridable, per_user;
	int64_t		 revision;
	char		 asked[2 * NAME_MAX_LEN + 2];
	/* found */
	struct resolution s;
	struct binding	 b;		/* as it shall be */
	struct target	 t;		/* the connection that was named */
};

static void
binding_args_done(void *args)
{
	struct binding_args *a = args;

	json_decref(a->s.steps);
}

static void
set_asked(struct request *r)
{
	struct binding_args *a = r->args;

	snprintf(a->asked, sizeof a->asked, "%s/%s", a->consumer, a->name);
	r->asked = a->asked;
	r->asked_for = "binding";
}

static void
name_object(struct request *r)
{
	struct binding_args *a = r->args;

	snprintf(r->object_name, sizeof r->object_name, "binding %s", a->asked);
}

static int
binding_object(struct request *r, struct err *e)
{
	struct binding_args *a = r->args;

	set_asked(r);
	if (resolve_find(r, a->consumer, a->name, &a->s, e) != 0)
		return e->code;
	a->b = a->s.b;
	name_object(r);
	return 0;
}

/* ---- answers */

static json_t *
path_json(const struct request *r, const struct id *connection)
{
	char path[600];

	return resolve_path(r, connection, path, sizeof path) ? json_string(path) : json_null();
}

static json_t *
binding_json(struct request *r, const struct binding *b, const struct folder *f,
    uint64_t generation)
{
	struct binding own = { 0 };
	char id[ID_TEXT], folder[400];
	struct err e;

	if (binding_own(r->vault, b, r->conn->peer.uid, &own, NULL, &e) != 0)
		own.connection = (struct id){ 0 };
	id_text(&b->id, id);
	object_folder_path(r->vault, r, f, folder, sizeof folder);
	return json_pack("{s:s, s:o, s:s, s:s, s:s, s:s, s:b, s:o, s:o, s:b, s:b, s:s, s:I, s:I,"
	    " s:I}",
	    "id", id, "binding", json_sprintf("%s/%s", b->consumer, b->name), "consumer",
	    b->consumer, "name", b->name, "folder", folder, "connector", b->connector, "bound",
	    (int)!id_is_null(&b->connection), "connection", path_json(r, &b->connection),
	    "override", path_json(r, &own.connection), "overridable", (int)b->overridable,
	    "per_user", (int)b->per_user, "description", b->description, "created",
	    (json_int_t)b->created, "updated", (json_int_t)b->updated, "revision",
	    (json_int_t)generation);
}

static void
reply(struct request *r)
{
	struct binding_args *a = r->args;
	struct folder f;
	struct err e;

	if (binding_get(r->vault, &a->b.id, &a->b, &a->s.generation, &e) == 0 &&
	    object_folder(r->vault, &a->b.folder, &f, &e) == 0)
		r->reply = json_pack("{s:o}", "binding",
		    binding_json(r, &a->b, &f, a->s.generation));
}

/* ---- what a binding shall be */

/*
 * Who gives a program a connection must be allowed to use it himself. What the call is about stays
 * the binding: looking up the connection must not change that.
 */
static int
find_target(struct request *r, struct err *e)
{
	struct binding_args *a = r->args;
	struct policy_object o = r->object;
	struct id id = r->object_id;
	struct policy_decision d;
	int rc = object_find_connection(r, a->connection, true, &a->t, e);
	bool may = rc == 0 && request_may(r, ACT_CONN_USE, &r->object, &d);

	if (rc != 0 && rc != V_NOT_FOUND)
		return rc;
	if (rc == V_NOT_FOUND || (!may && d.id == ERR_NOT_FOUND))
		return object_not_found(e, "connection", a->connection);
	if (!may)
		return err_name(e, d.id, "%s", d.text);
	object_set_folder(r, &a->s.f);
	r->object = o;
	r->object_id = id;
	set_asked(r);
	name_object(r);
	return 0;
}

static int
take_connection(struct request *r, struct err *e)
{
	struct binding_args *a = r->args;

	if (a->connection == NULL)
		return 0;
	a->b.connection = (struct id){ 0 };
	if (*a->connection == '\0')
		return 0;
	if (find_target(r, e) != 0)
		return e->code;
	if (a->b.connector[0] == '\0')
		snprintf(a->b.connector, sizeof a->b.connector, "%s", a->t.c.connector);
	if (strcmp(a->b.connector, a->t.c.connector) != 0)
		return err_parameter(e, "connection",
		    "%s is for connector '%s', and '%s' is one of '%s'",
		    a->asked, a->b.connector, a->t.c.name, a->t.c.connector);
	a->b.connection = a->t.c.id;
	return 0;
}

static int
take_rest(struct binding_args *a, struct err *e)
{
	if (a->overridable != NOT_SAID)
		a->b.overridable = a->overridable == SAID_YES;
	if (a->per_user != NOT_SAID)
		a->b.per_user = a->per_user == SAID_YES;
	if (a->description != NULL)
		snprintf(a->b.description, sizeof a->b.description, "%s", a->description);
	a->b.updated = wall_seconds();
	if (a->b.per_user && !id_is_null(&a->b.connection))
		return err_parameter(e, "per_user",
		    "a binding of which each user has his own has no "
		    "connection that all share: take one away");
	return 0;
}

/* ---- Create */

static const struct field create_fields[] = {
	{ "consumer", F_NAME, offsetof(struct binding_args, consumer), true, 0 },
	{ "name", F_NAME, offsetof(struct binding_args, name), true, 0 },
	{ "folder", F_STR, offsetof(struct binding_args, folder), true, 390 },
	{ "connector", F_STR, offsetof(struct binding_args, connector), false, 63 },
	{ "connection", F_STR, offsetof(struct binding_args, connection), false, 0 },
	{ "overridable", F_YESNO, offsetof(struct binding_args, overridable), false, 0 },
	{ "per_user", F_YESNO, offsetof(struct binding_args, per_user), false, 0 },
	{ "description", F_STR, offsetof(struct binding_args, description), false, 159 },
	{ 0 },
};

static int
create_object(struct request *r, struct err *e)
{
	struct binding_args *a = r->args;
	const struct connector *k = NULL;

	set_asked(r);
	r->asked = a->folder;
	r->asked_for = "folder";
	if (a->connector != NULL &&
	    (k = catalogue_find(&r->vault->catalogue, a->connector)) == NULL)
		return err_name(e, ERR_CONNECTOR_UNKNOWN, "there is no connector '%.60s'",
		    a->connector);
	if (k != NULL)
		a->connector = k->id;		/* not an alias */
	if (object_find_folder(r, a->folder, &a->s.f, e) != 0)
		return e->code;
	object_set_folder(r, &a->s.f);
	name_object(r);
	return 0;
}

static int
taken(const struct binding_args *a, struct err *e)
{
	return err_name(e, ERR_NAME_TAKEN, "there is a binding %s already", a->asked);
}

static void
create_conflict(struct request *r)
{
	struct binding_args *a = r->args;
	struct binding b;
	struct err e;

	if (binding_find(r->vault, a->consumer, a->name, &b, NULL, &e) == 0)
		taken(a, &r->err);
}

static int
create_run(struct request *r, struct err *e)
{
	struct binding_args *a = r->args;
	struct binding there;

	if (a->s.f.class != FOLDER_SHARED)
		return err_parameter(e, "folder",
		    "bindings lie in shared folders: what is yours alone you "
		    "choose with Override");
	if (binding_find(r->vault, a->consumer, a->name, &there, NULL, e) != V_NOT_FOUND)
		return taken(a, e);
	a->b = (struct binding){ .id = id_new(), .folder = a->s.f.id, .created = wall_seconds(),
		.created_by = r->conn->peer.uid };
	snprintf(a->b.consumer, sizeof a->b.consumer, "%s", a->consumer);
	snprintf(a->b.name, sizeof a->b.name, "%s", a->name);
	snprintf(a->b.connector, sizeof a->b.connector, "%s",
	    a->connector == NULL ? "" : a->connector);
	if (take_connection(r, e) != 0 || take_rest(a, e) != 0)
		return e->code;
	if (a->b.connector[0] == '\0')
		return err_parameter(e, "connector",
		    "a binding without a connection names its connector");
	r->object_id = a->b.id;
	r->after = reply;
	r->conflict = create_conflict;
	return binding_put(r->vault, &r->changes, &a->b, NULL, EXPECT_ABSENT, e);
}

const struct verb verb_binding_create = {
	.method = "vaultd.Bindings.Create",
	.help = "what a program calls a connection",
	.action = ACT_BINDING_EDIT,
	.flags = VERB_CHANGE,
	.fields = create_fields,
	.args_size = sizeof(struct binding_args),
	.args_done = binding_args_done,
	.object = create_object,
	.run = create_run,
};

/* ---- Set */

static const struct field set_fields[] = {
	{ "consumer", F_NAME, offsetof(struct binding_args, consumer), true, 0 },
	{ "name", F_NAME, offsetof(struct binding_args, name), true, 0 },
	{ "connection", F_STR, offsetof(struct binding_args, connection), false, 0 },
	{ "overridable", F_YESNO, offsetof(struct binding_args, overridable), false, 0 },
	{ "per_user", F_YESNO, offsetof(struct binding_args, per_user), false, 0 },
	{ "description", F_STR, offsetof(struct binding_args, description), false, 159 },
	{ "revision", F_INT, offsetof(struct binding_args, revision), false, 0 },
	{ 0 },
};

static int
check_revision(const struct binding_args *a, struct err *e)
{
	if (a->revision == 0 || (uint64_t)a->revision == a->s.generation)
		return 0;
	return err_name(e, ERR_CONFLICT, "the binding was changed since revision %lld",
	    (long long)a->revision);
}

static int
set_run(struct request *r, struct err *e)
{
	struct binding_args *a = r->args;

	if (check_revision(a, e) != 0 || take_connection(r, e) != 0 || take_rest(a, e) != 0)
		return e->code;
	r->after = reply;
	return binding_put(r->vault, &r->changes, &a->b, &a->s.b, a->s.generation, e);
}

const struct verb verb_binding_set = {
	.method = "vaultd.Bindings.Set",
	.help = "give a binding another connection, or none",
	.action = ACT_BINDING_EDIT,
	.flags = VERB_CHANGE,
	.fields = set_fields,
	.args_size = sizeof(struct binding_args),
	.args_done = binding_args_done,
	.object = binding_object,
	.run = set_run,
};

/* ---- Override: the caller's own choice, nobody else's */

static const struct field override_fields[] = {
	{ "consumer", F_NAME, offsetof(struct binding_args, consumer), true, 0 },
	{ "name", F_NAME, offsetof(struct binding_args, name), true, 0 },
	{ "connection", F_STR, offsetof(struct binding_args, connection), false, 0 },
	{ 0 },
};

static int
put_own(struct request *r, const struct binding *own, bool there, uint64_t generation,
    struct err *e)
{
	struct binding_args *a = r->args;
	struct binding b = there ? *own : (struct binding){ .id = id_new(), .of = a->b.id,
		.folder = a->b.folder, .user = r->conn->peer.uid, .created = wall_seconds(),
		.created_by = r->conn->peer.uid };

	snprintf(b.consumer, sizeof b.consumer, "%s", a->consumer);
	snprintf(b.name, sizeof b.name, "%s", a->name);
	snprintf(b.connector, sizeof b.connector, "%s", a->b.connector);
	b.connection = a->t.c.id;
	b.updated = wall_seconds();
	return binding_put(r->vault, &r->changes, &b, there ? own : NULL, generation, e);
}

static int
override_run(struct request *r, struct err *e)
{
	struct binding_args *a = r->args;
	struct binding own;
	uint64_t generation = EXPECT_ABSENT;
	int rc = binding_own(r->vault, &a->b, r->conn->peer.uid, &own, &generation, e);

	if (rc != 0 && rc != V_NOT_FOUND)
		return rc;
	r->after = reply;
	if (a->connection == NULL || *a->connection == '\0') {
		if (rc == 0)
			return binding_remove(r->vault, &r->changes, &own, generation, e);
		reply(r);
		return 0;
	}
	if (!a->b.overridable)
		return err_name(e, ERR_PERMISSION_DENIED, "users do not choose a connection of their "
		    "own for %s: who has binding.edit on %.200s may allow it", a->asked, r->folder);
	if (take_connection(r, e) != 0)
		return e->code;
	return put_own(r, &own, rc == 0, generation, e);
}

const struct verb verb_binding_override = {
	.method = "vaultd.Bindings.Override",
	.help = "a connection of one's own for a binding",
	.action = ACT_CONN_VIEW,
	.flags = VERB_CHANGE,
	.fields = override_fields,
	.args_size = sizeof(struct binding_args),
	.args_done = binding_args_done,
	.object = binding_object,
	.run = override_run,
};

/* ---- Show, Resolve, Delete */

static const struct field named_fields[] = {
	{ "consumer", F_NAME, offsetof(struct binding_args, consumer), true, 0 },
	{ "name", F_NAME, offsetof(struct binding_args, name), true, 0 },
	{ 0 },
};

static int
show_run(struct request *r, struct err *e)
{
	struct binding_args *a = r->args;

	(void)e;
	r->reply = json_pack("{s:o}", "binding",
	    binding_json(r, &a->b, &a->s.f, a->s.generation));
	return 0;
}

const struct verb verb_binding_show = {
	.method = "vaultd.Bindings.Show",
	.help = "one binding",
	.action = ACT_CONN_VIEW,
	.fields = named_fields,
	.args_size = sizeof(struct binding_args),
	.args_done = binding_args_done,
	.object = binding_object,
	.run = show_run,
};

/* What a program would get of the connection that was found. */
static const char *
use_of(struct request *r, const struct id *id, const char **ret_state)
{
	static const char not_used[] = "you may see it, and not use it";
	struct connection c;
	struct folder f;
	struct err e;

	*ret_state = NULL;
	if (object_connection(r->vault, id, false, &c, NULL, &e) != 0 ||
	    object_folder(r->vault, &c.folder, &f, &e) != 0)
		return "it is gone";
	if (!object_may(r, ACT_CONN_VIEW, &f))
		return "you may not see it";
	*ret_state = conn_state_name(c.state);
	return object_may(r, ACT_CONN_USE, &f) ? NULL : not_used;
}

static int
resolve_run(struct request *r, struct err *e)
{
	struct binding_args *a = r->args;
	const char *state = NULL, *why = NULL;
	struct err nowhere = { 0 };
	int rc;

	(void)e;
	a->s.steps = json_array();
	rc = resolve_go(r, &a->s, &nowhere);
	if (rc == 0)
		why = use_of(r, &a->s.connection, &state);
	r->reply = json_pack("{s:s, s:o, s:s?, s:O, s:s?}", "binding", a->asked, "connection",
	    path_json(r, &a->s.connection), "state", state, "path", a->s.steps, "problem",
	    rc != 0 ? nowhere.text : why);
	return 0;
}

const struct verb verb_binding_resolve = {
	.method = "vaultd.Bindings.Resolve",
	.help = "which connection a program would get, and by which path",
	.action = ACT_CONN_VIEW,
	.fields = named_fields,
	.args_size = sizeof(struct binding_args),
	.args_done = binding_args_done,
	.object = binding_object,
	.run = resolve_run,
};

static const struct field delete_fields[] = {
	{ "consumer", F_NAME, offsetof(struct binding_args, consumer), true, 0 },
	{ "name", F_NAME, offsetof(struct binding_args, name), true, 0 },
	{ "revision", F_INT, offsetof(struct binding_args, revision), false, 0 },
	{ 0 },
};

static int
delete_run(struct request *r, struct err *e)
{
	struct binding_args *a = r->args;

	if (check_revision(a, e) != 0)
		return e->code;
	return binding_remove(r->vault, &r->changes, &a->b, a->s.generation, e);
}

const struct verb verb_binding_delete = {
	.method = "vaultd.Bindings.Delete",
	.help = "forget a binding, and what users chose for it",
	.action = ACT_BINDING_EDIT,
	.flags = VERB_CHANGE,
	.fields = delete_fields,
	.args_size = sizeof(struct binding_args),
	.args_done = binding_args_done,
	.object = binding_object,
	.run = delete_run,
};

/* ---- List */

#define PAGE_MAX 200

struct list_args {
	const char	*folder, *consumer, *after;
	int64_t		 limit;
	struct folder	 f;
};

static const struct field list_fields[] = {
	{ "folder", F_STR, offsetof(struct list_args, folder), false, 390 },
	{ "consumer", F_NAME, offsetof(struct list_args, consumer), false, 0 },
	{ "after", F_STR, offsetof(struct list_args, after), false, 2 * NAME_MAX_LEN + 1 },
	{ "limit", F_INT, offsetof(struct list_args, limit), false, 0 },
	{ 0 },
};

static int
list_object(struct request *r, struct err *e)
{
	struct list_args *a = r->args;

	if (a->folder == NULL)
		return 0;
	if (object_find_folder(r, a->folder, &a->f, e) != 0)
		return e->code;
	object_set_folder(r, &a->f);
	r->action = ACT_CONN_VIEW;
	return 0;
}

struct list {
	struct request	*r;
	json_t		*out;
	size_t		 max, looks;
	char		 last[2 * NAME_MAX_LEN + 2];	/* the next page begins behind it */
	bool		 full;
};

static void
add(struct list *l, const struct id *id)
{
	const struct list_args *a = l->r->args;
	uint64_t generation;
	struct binding b;
	struct folder f;
	struct err e;

	if (binding_get(l->r->vault, id, &b, &generation, &e) == 0 && id_is_null(&b.of) &&
	    (a->folder == NULL || id_equal(&b.folder, &a->f.id)) &&
	    object_folder(l->r->vault, &b.folder, &f, &e) == 0 && object_may(l->r, ACT_CONN_VIEW, &f))
		json_array_append_new(l->out, binding_json(l->r, &b, &f, generation));
}

/* A key with a NUL is a user's own choice for the binding before it. */
static bool
list_one(void *arg, struct slice key, struct slice value, uint64_t generation)
{
	struct list *l = arg;
	struct id id;

	(void)generation;
	l->full = l->looks-- == 0 || json_array_size(l->out) == l->max;
	if (l->full)
		return false;
	snprintf(l->last, sizeof l->last, "%.*s", (int)key.len, (const char *)key.p);
	if (memchr(key.p, '\0', key.len) == NULL && id_behind(value, 0, &id))
		add(l, &id);
	return true;
}

static struct slice
list_from(const struct list_args *a, char text[2 * NAME_MAX_LEN + 3])
{
	if (a->after == NULL)
		return (struct slice){ "", 0 };
	/* Behind what users chose for it, too. */
	return (struct slice){ text, (size_t)snprintf(text, 2 * NAME_MAX_LEN + 3, "%s\1", a->after) };
}

static int
list_run(struct request *r, struct err *e)
{
	const struct list_args *a = r->args;
	struct list l = { .r = r, .out = json_array(), .max = page_size(a->limit, PAGE_MAX) };
	char prefix[NAME_MAX_LEN + 2], from[2 * NAME_MAX_LEN + 3];
	int n = snprintf(prefix, sizeof prefix, "%s%s", a->consumer == NULL ? "" : a->consumer,
	    a->consumer == NULL ? "" : "/");
	int rc;

	l.looks = l.max * PAGE_LOOKS;
	rc = store_walk(r->vault->store, TABLE_BINDING_BY_NAME, (struct slice){ prefix, (size_t)n },
	    list_from(a, from), list_one, &l, e);
	r->reply = json_pack("{s:o}", "bindings", l.out);
	if (l.full)
		json_object_set_new(r->reply, "next", json_string(l.last));
	return rc;
}

const struct verb verb_binding_list = {
	.method = "vaultd.Bindings.List",
	.help = "bindings the caller may see",
	.action = ACT_NONE,	/* each folder is asked about; one that is named, as a whole */
	.flags = VERB_NAMED,
	.fields = list_fields,
	.args_size = sizeof(struct list_args),
	.object = list_object,
	.run = list_run,
};

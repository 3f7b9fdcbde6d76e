/*
 * verb_list.c - vaultd.Connections.List and Export, in pages: what an answer may hold is bounded.
 */
#include <stdio.h>
#include <string.h>

#include "common/errors.h"
#include "vaultd/conn.h"
#include "vaultd/objects.h"
#include "vaultd/page.h"
#include "vaultd/vault.h"
#include "vaultd/verbs.h"

#define PAGE_MAX	500
#define PAGE_BYTES	(150u << 10)	/* less than a message by more than one connection */
#define DEPTH_MAX	8

struct list_args {
	const char	*folder, *connector, *state, *auth_type, *account_class, *after;
	enum yesno	 byoa;
	bool		 all;
	int64_t		 limit;
	struct folder	 f;
};

/* Where the next page begins: behind this one. As text: folder id in hex, ':', name. */
struct place_in {
	struct id	 folder;
	char		 name[NAME_MAX_LEN + 1];
};

struct list {
	struct request	*r;
	const struct list_args *a;
	enum conn_state	 state;			/* 0 = any */
	struct folder	 f;
	json_t		*out;
	int		 depth;
	size_t		 max, bytes;
	size_t		 looks;			/* at so many more in this turn of the loop */
	bool		 skipping;		/* AFTER's folder was not reached yet */
	bool		 full;
	struct place_in	 after, last;
};

static const struct field list_fields[] = {
	{ "folder", F_STR, offsetof(struct list_args, folder), false, 390 },
	{ "all", F_BOOL, offsetof(struct list_args, all), false, 0 },
	{ "connector", F_STR, offsetof(struct list_args, connector), false, 63 },
	{ "byoa", F_YESNO, offsetof(struct list_args, byoa), false, 0 },
	{ "state", F_STR, offsetof(struct list_args, state), false, 20 },
	{ "auth_type", F_STR, offsetof(struct list_args, auth_type), false, 40 },
	{ "account_class", F_STR, offsetof(struct list_args, account_class), false, 20 },
	{ "after", F_STR, offsetof(struct list_args, after), false, 200 },
	{ "limit", F_INT, offsetof(struct list_args, limit), false, 0 },
	{ 0 },
};

/* ---- filters */

static int
parse_after(const char *text, struct place_in *ret, struct err *e)
{
	const char *colon = strchr(text, ':');
	char id[ID_TEXT];

	if (colon == NULL || (size_t)(colon - text) != sizeof id - 1 ||
	    strlen(colon + 1) >= sizeof ret->name)
		return err_parameter(e, "after", "`after` is `next` of the page before");
	snprintf(id, sizeof id, "%s", text);
	if (!id_parse(id, &ret->folder))
		return err_parameter(e, "after", "`after` is `next` of the page before");
	snprintf(ret->name, sizeof ret->name, "%s", colon + 1);
	return 0;
}

static int
check_filters(struct list *l, const struct list_args *a, struct err *e)
{
	enum auth_type type;

	if (a->folder != NULL && a->all)
		return err_parameter(e, "all",
		    "`folder` is one folder and `all` is every one: say one of them");
	if (a->state != NULL && !conn_state_parse(a->state, &l->state))
		return err_parameter(e, "state",
		    "no connection has such a state: pending_auth, connected, "
		    "degraded, disconnected, locked and disabled are some");
	if (a->auth_type != NULL && !auth_type_parse(a->auth_type, &type))
		return err_parameter(e, "auth_type",
		    "there is no such authentication type: " AUTH_TYPE_WORDS);
	if (a->byoa == SAID_YES && a->auth_type != NULL &&
	    !(auth_type_flags(type) & AUTH_NEEDS_APP))
		return err_parameter(e, "byoa",
		    "`byoa` goes with types that need an OAuth app; this is none");
	if (a->account_class != NULL && strcmp(a->account_class, "personal") != 0 &&
	    strcmp(a->account_class, "service") != 0 && strcmp(a->account_class, "unknown") != 0)
		return err_parameter(e, "account_class",
		    "account_class is personal, service or unknown");
	l->max = page_size(a->limit, PAGE_MAX);
	l->looks = l->max * PAGE_LOOKS;
	l->skipping = a->after != NULL;
	return a->after != NULL ? parse_after(a->after, &l->after, e) : 0;
}

static bool
is_wanted(const struct list *l, const struct connection *c)
{
	const struct list_args *a = l->a;

	return (a->connector == NULL || strcmp(a->connector, c->connector) == 0) &&
	    (l->state == 0 || l->state == c->state) &&
	    (a->auth_type == NULL || strcmp(a->auth_type, auth_type_name(c->auth_type)) == 0) &&
	    (a->account_class == NULL || strcmp(a->account_class,
		object_account_class(c->account_class)) == 0) &&
	    (a->byoa == NOT_SAID || (a->byoa == SAID_YES) == !id_is_null(&c->app));
}

/* ---- a page */

static bool
add(struct list *l, const struct target *t)
{
	json_t *o = object_connection_json(l->r, t);

	l->bytes += json_dumpb(o, NULL, 0, JSON_COMPACT);
	if (json_array_size(l->out) == l->max ||
	    (l->bytes > PAGE_BYTES && json_array_size(l->out) > 0)) {
		json_decref(o);
		return false;
	}
	json_array_append_new(l->out, o);
	return true;
}

/* The next page begins behind it. FALSE: this one is full. */
static bool
look_at(struct list *l, const struct target *t)
{
	l->full = l->looks-- == 0 || (is_wanted(l, &t->c) && !add(l, t));
	if (l->full)
		return false;
	l->last.folder = t->c.folder;
	snprintf(l->last.name, sizeof l->last.name, "%s", t->c.name);
	return true;
}

static bool
list_connection(void *arg, struct slice key, struct slice value, uint64_t generation)
{
	struct list *l = arg;
	struct target t = { .f = l->f };
	struct id id;
	struct err e;

	(void)key;
	(void)generation;
	if (!id_behind(value, 0, &id))
		return true;
	/* An index that was edited leads to what lies elsewhere. */
	if (object_connection(l->r->vault, &id, false, &t.c, &t.generation, &e) != 0 ||
	    !id_equal(&t.c.folder, &l->f.id))
		return true;
	return look_at(l, &t);
}

/* Behind AFTER's name where this is its folder. */
static struct slice
start_in(struct list *l, const struct folder *f, unsigned char key[KEY_MAX_LEN])
{
	struct slice s = { key, 0 };

	if (!l->skipping)
		return s;
	l->skipping = false;
	s = object_name_key(&f->id, l->after.name, key);
	key[s.len++] = '\0';
	return s;
}

static void
list_folder(struct list *l, const struct folder *f)
{
	struct slice prefix = { f->id.b, sizeof f->id.b }, from;
	unsigned char key[KEY_MAX_LEN + 1];
	struct err e;

	if (l->full || (l->skipping && !id_equal(&f->id, &l->after.folder)) ||
	    (l->r->action != ACT_CONN_EXPORT && !object_may(l->r, ACT_CONN_VIEW, f)))
		return;
	l->f = *f;
	from = start_in(l, f, key);
	store_walk(l->r->vault->store, TABLE_CONNECTION_BY_FOLDER, prefix, from, list_connection, l,
	    &e);
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
	if (!id_behind(value, 0, &id))
		return true;
	if (object_folder(l->r->vault, &id, &f, &e) != 0)
		return true;
	list_folder(l, &f);
	if (++l->depth < DEPTH_MAX && !l->full)
		store_walk(l->r->vault->store, TABLE_FOLDER_BY_NAME,
		    id_key(&f.id), start, list_subfolder, l, &e);
	l->depth--;
	return !l->full;
}

static int
reply(struct list *l, struct err *e)
{
	char id[ID_TEXT];

	if (l->skipping) {
		json_decref(l->out);
		return err_parameter(e, "after", "the folder in which the page before ended is not "
		    "there any more: begin again without `after`");
	}
	l->r->reply = json_pack("{s:o}", "connections", l->out);
	id_text(&l->last.folder, id);
	if (l->full)
		json_object_set_new(l->r->reply, "next", json_sprintf("%s:%s", id, l->last.name));
	return 0;
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
	if (!id_behind(value, 0, &id))
		return true;
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
	struct list l = { .r = r, .a = a };
	struct folder own;

	if (check_filters(&l, a, e) != 0)
		return e->code;
	l.out = json_array();
	if (a->folder != NULL) {
		if (!id_is_null(&a->f.id))
			list_folder(&l, &a->f);
	} else {
		if (object_find_folder(r, "personal", &own, e) == 0)
			list_folder(&l, &own);
		store_walk(r->vault->store, TABLE_FOLDER_BY_NAME,
		    (struct slice){ root_shared.b, sizeof root_shared.b }, start, list_subfolder,
		    &l, e);
	}
	return reply(&l, e);
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

/* ---- Export: all of them, for who audits */

static const struct field export_fields[] = {
	{ "after", F_STR, offsetof(struct list_args, after), false, 200 },
	{ "limit", F_INT, offsetof(struct list_args, limit), false, 0 },
	{ 0 },
};

static bool
export_one(void *arg, struct slice key, struct slice value, uint64_t generation)
{
	struct list *l = arg;
	struct id folder;
	struct err e;

	if (key.len < sizeof folder.b)
		return true;
	memcpy(folder.b, key.p, sizeof folder.b);
	if (!id_equal(&folder, &l->f.id) &&
	    object_folder(l->r->vault, &folder, &l->f, &e) != 0)
		return true;
	return list_connection(l, key, value, generation);
}

static int
export_run(struct request *r, struct err *e)
{
	static const struct slice all = { "", 0 };
	struct list_args *a = r->args;
	struct list l = { .r = r, .a = a };
	unsigned char key[KEY_MAX_LEN + 1];
	struct slice from = { "", 0 };

	if (check_filters(&l, a, e) != 0)
		return e->code;
	if (a->after != NULL) {
		from = object_name_key(&l.after.folder, l.after.name, key);
		key[from.len++] = '\0';
		l.skipping = false;
	}
	l.out = json_array();
	if (store_walk(r->vault->store, TABLE_CONNECTION_BY_FOLDER, all, from, export_one, &l, e) != 0) {
		json_decref(l.out);
		return e->code;
	}
	return reply(&l, e);
}

const struct verb verb_connection_export = {
	.method = "vaultd.Connections.Export",
	.help = "every connection of every folder, without secrets, for who audits",
	.action = ACT_CONN_EXPORT,
	.fields = export_fields,
	.args_size = sizeof(struct list_args),
	.run = export_run,
};

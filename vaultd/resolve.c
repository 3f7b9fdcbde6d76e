/*
 * resolve.c - see resolve.h.
 */
#include "vaultd/resolve.h"

#include <stdio.h>
#include <string.h>

#include "common/errors.h"
#include "vaultd/bindings.h"
#include "vaultd/conn.h"
#include "vaultd/objects.h"

/* ---- what is told */

bool
resolve_path(const struct request *r, const struct id *connection, char *ret, size_t cap)
{
	struct connection c;
	struct folder f;
	struct err e;
	size_t n;

	if (id_is_null(connection) ||
	    object_connection(r->vault, connection, false, &c, NULL, &e) != 0 ||
	    object_folder(r->vault, &c.folder, &f, &e) != 0 ||
	    !object_may(r, ACT_CONN_VIEW, &f))
		return false;
	object_folder_path(r->vault, r, &f, ret, cap);
	n = str_put(ret, cap, strlen(ret), "/");
	str_put(ret, cap, n, c.name);
	return true;
}

/* STEP looked at WHAT, and found ID; null: WHY not. */
static void
tell(struct request *r, struct resolution *s, const char *step, const char *what,
    const struct id *id, const char *why)
{
	char path[600];
	bool seen;

	if (s->steps == NULL)
		return;
	seen = resolve_path(r, id, path, sizeof path);
	if (!id_is_null(id) && !seen)
		why = "a connection that you may not see";
	json_array_append_new(s->steps, json_pack("{s:s, s:s, s:b, s:o, s:o}", "step", step,
	    "looked_at", what, "found", (int)!id_is_null(id), "connection",
	    seen ? json_string(path) : json_null(), "why",
	    why == NULL ? json_null() : json_string(why)));
}

/* ---- the steps. Each leaves s->connection null when it leads nowhere. */

static void
step_own_choice(struct request *r, struct resolution *s)
{
	char what[300];
	struct binding own;
	struct err e;

	snprintf(what, sizeof what, "your own choice for %s/%s", s->b.consumer, s->b.name);
	if (!s->b.overridable) {
		tell(r, s, "override", what, &s->connection, "users may not choose for themselves");
		return;
	}
	if (binding_own(r->vault, &s->b, r->conn->peer.uid, &own, NULL, &e) == 0)
		s->connection = own.connection;
	tell(r, s, "override", what, &s->connection,
	    id_is_null(&s->connection) ? "you have made none" : NULL);
}

static void
step_binding(struct request *r, struct resolution *s)
{
	char what[300];

	snprintf(what, sizeof what, "the connection of %s/%s", s->b.consumer, s->b.name);
	if (!s->b.per_user)
		s->connection = s->b.connection;
	tell(r, s, "binding", what, &s->connection, s->b.per_user ?
	    "each user has his own" : id_is_null(&s->connection) ? "it has none" : NULL);
}

static void
step_workspace(struct request *r, struct resolution *s)
{
	char what[200];
	struct folder own;
	struct err e;
	const char *why = "you have no workspace yet";

	snprintf(what, sizeof what, "the default of %s in your workspace", s->b.connector);
	if (s->f.class == FOLDER_SHARED && !s->b.overridable && !s->b.per_user) {
		why = "users may not choose for themselves";
	} else if (object_find_folder(r, "personal", &own, &e) == 0) {
		why = NULL;
		if (default_find(r->vault, &own.id, s->b.connector, &s->connection, NULL, &e) != 0) {
			s->connection = (struct id){ 0 };
			why = "none is set";
		}
	}
	tell(r, s, "workspace_default", what, &s->connection, why);
}

static void
step_folder(struct request *r, struct resolution *s)
{
	char what[600], folder[400];
	struct err e;
	const char *why = NULL;

	object_folder_path(r->vault, r, &s->f, folder, sizeof folder);
	snprintf(what, sizeof what, "the default of %s in %s", s->b.connector, folder);
	if (s->b.per_user) {
		why = "each user has his own";
	} else if (default_find(r->vault, &s->f.id, s->b.connector, &s->connection, NULL, &e) != 0) {
		s->connection = (struct id){ 0 };
		why = "none is set";
	}
	tell(r, s, "folder_default", what, &s->connection, why);
}

/* ---- nowhere */

static int
no_connection(struct request *r, const struct resolution *s, struct err *e)
{
	const struct binding *b = &s->b;
	bool own = b->overridable || b->per_user;
	char folder[400];

	object_folder_path(r->vault, r, &s->f, folder, sizeof folder);
	if (b->per_user)
		err_name(e, ERR_NO_CONNECTION, "%s/%s is a connection of each user's own, and you "
		    "have no default of %s in your workspace: connect one, then `vaultctl "
		    "connection set-default NAME`", b->consumer, b->name, b->connector);
	else if (own)
		err_name(e, ERR_NO_CONNECTION, "%s/%s has no connection yet: choose one of yours "
		    "with `vaultctl binding override %s/%s CONNECTION`", b->consumer, b->name,
		    b->consumer, b->name);
	else
		err_name(e, ERR_NO_CONNECTION, "%s/%s has no connection yet: who has binding.edit on "
		    "%.100s gives it one with `vaultctl binding set`", b->consumer, b->name, folder);
	err_detail(e, "owner", "%s", own ? "caller" : "admin");
	err_detail(e, "binding", "%s/%s", b->consumer, b->name);
	return e->code;
}

/* ---- the way */

int
resolve_find(struct request *r, const char *consumer, const char *name,
    struct resolution *ret, struct err *e)
{
	int rc = binding_find(r->vault, consumer, name, &ret->b, &ret->generation, e);

	if (rc == V_NOT_FOUND)
		return object_not_found(e, r->asked_for, r->asked);
	if (rc != 0 || object_folder(r->vault, &ret->b.folder, &ret->f, e) != 0)
		return e->code;
	object_set_folder(r, &ret->f);
	r->object_id = ret->b.id;
	return 0;
}

int
resolve_go(struct request *r, struct resolution *s, struct err *e)
{
	static void (*const steps[])(struct request *, struct resolution *) = {
		step_own_choice, step_binding, step_workspace, step_folder };

	s->connection = (struct id){ 0 };
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		steps[i](r, s);
		if (!id_is_null(&s->connection))
			return 0;
	}
	return no_connection(r, s, e);
}

bool
resolve_is_one(const char *text)
{
	return strncmp(text, BINDING_PREFIX, sizeof BINDING_PREFIX - 1) == 0 ||
	    strncmp(text, DEFAULT_PREFIX, sizeof DEFAULT_PREFIX - 1) == 0;
}

static int
text_binding(struct request *r, const char *text, struct resolution *s, struct err *e)
{
	char consumer[NAME_MAX_LEN + 1];
	size_t n = strcspn(text, "/");

	if (n >= sizeof consumer || text[n] == '\0')
		return object_not_found(e, r->asked_for, r->asked);
	snprintf(consumer, sizeof consumer, "%.*s", (int)n, text);
	if (resolve_find(r, consumer, text + n + 1, s, e) != 0)
		return e->code;
	return 0;
}

/* "folder/connector": the caller's own default of it goes before the folder's. */
static int
text_default(struct request *r, const char *text, struct resolution *s, struct err *e)
{
	const char *slash = strrchr(text, '/');
	const struct connector *k;
	char path[400];

	if (slash == NULL || slash - text >= (ptrdiff_t)sizeof path ||
	    (k = catalogue_find(&r->vault->catalogue, slash + 1)) == NULL)
		return object_not_found(e, r->asked_for, r->asked);
	snprintf(path, sizeof path, "%.*s", (int)(slash - text), text);
	if (object_find_folder(r, path, &s->f, e) != 0)
		return object_not_found(e, r->asked_for, r->asked);
	s->b.overridable = true;
	snprintf(s->b.connector, sizeof s->b.connector, "%s", k->id);
	return 0;
}

static int
go_default(struct request *r, struct resolution *s, const char *text, struct err *e)
{
	step_workspace(r, s);
	if (id_is_null(&s->connection))
		step_folder(r, s);
	if (!id_is_null(&s->connection))
		return 0;
	return err_name(e, ERR_NO_CONNECTION, "there is no default for %.200s: set one with "
	    "`vaultctl connection set-default CONNECTION`", text);
}

int
resolve_text(struct request *r, const char *text, char ret_id[ID_TEXT], struct err *e)
{
	struct resolution s = { 0 };
	bool binding = strncmp(text, BINDING_PREFIX, sizeof BINDING_PREFIX - 1) == 0;
	const char *rest = strchr(text, ':') + 1;

	r->asked = text;
	r->asked_for = "connection";
	if ((binding ? text_binding(r, rest, &s, e) : text_default(r, rest, &s, e)) != 0)
		return e->code;
	if (!object_may(r, ACT_CONN_VIEW, &s.f))
		return object_not_found(e, r->asked_for, r->asked);
	if ((binding ? resolve_go(r, &s, e) : go_default(r, &s, rest, e)) != 0)
		return e->code;
	id_text(&s.connection, ret_id);
	return 0;
}

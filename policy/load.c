/*
 * load.c - policy files into a snapshot: whole set or nothing, every error with file, line
 * and column. See policy.h and vault-policy(5).
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/auto.h"
#include "common/envelope.h"
#include "common/json.h"
#include "policy/snapshot.h"

#define FILE_MAX	(4u << 20)
#define ROLES_MAX	64		/* held roles are bits */

struct loader {
	struct policy			*p;
	const struct policy_names	*names;
	const struct policy_known	*known;
	const char			*file;
	int				 index;
	struct slice			 text;
	struct err			*e;
};


/* ---- errors */

static int bad(struct loader *l, const char *ptr, bool key, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static int
bad(struct loader *l, const char *ptr, bool key, const char *fmt, ...)
{
	char text[260];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return json_err_at(l->e, ERR_POLICY_INVALID, l->file, l->text, ptr, key, "%s", text);
}

static int
no_memory(struct loader *l)
{
	return err_set(l->e, V_LIMIT, "out of memory");
}

static void
warn(struct loader *l, const char *ptr, const char *what, const char *name)
{
	struct policy *p = l->p;
	struct policy_warning *w = reallocarray(p->warning, p->nwarnings + 1, sizeof *w);
	int line = 1, column = 1;

	if (w == NULL)
		return;
	p->warning = w;
	json_where(l->text, ptr, false, &line, &column);
	snprintf(w[p->nwarnings++].text, sizeof w->text, "%.120s:%d:%d: %s '%.80s'", l->file,
	    line, column, what, name);
}

static char *
join(char *out, size_t cap, const char *ptr, const char *name)
{
	size_t n = (size_t)snprintf(out, cap, "%s/", ptr);

	for (; *name != '\0' && n + 3 < cap; name++) {
		if (*name == '~' || *name == '/') {
			out[n++] = '~';
			out[n++] = *name == '~' ? '0' : '1';
		} else {
			out[n++] = *name;
		}
	}
	out[n < cap ? n : cap - 1] = '\0';
	return out;
}

static bool
is_note(const char *key)
{
	return strcmp(key, "$schema") == 0 || strcmp(key, "$comment") == 0;
}

/* A secret never belongs here; its value is not repeated. */
static bool
looks_secret(const char *key)
{
	static const char *const words[] = { "client_secret", "secret", "password", "token",
		"access_token", "refresh_token", "pin", "api_key", "private_key", NULL };

	for (const char *const *w = words; *w != NULL; w++)
		if (strcasecmp(*w, key) == 0)
			return true;
	return false;
}

static int
unknown(struct loader *l, const char *ptr, const char *key, const char *const *names)
{
	char at[600];
	size_t n = 0;
	const char *close;

	while (names[n] != NULL)
		n++;
	join(at, sizeof at, ptr, key);
	if (looks_secret(key))
		return bad(l, at, true, "'%.60s' looks like a secret: policy files hold none. Store "
		    "it with `vaultctl app add` and name the app in `app_ref`", key);
	close = json_suggest(key, names, n);
	return bad(l, at, true, "unknown key '%.60s'%s%s%s", key,
	    close != NULL ? "; did you mean '" : "", close != NULL ? close : "",
	    close != NULL ? "'?" : "");
}

static int
check_keys(struct loader *l, const char *ptr, json_t *o, const char *const *names)
{
	const char *key;
	json_t *v;

	if (!json_is_object(o))
		return bad(l, ptr, false, "expected an object");
	json_object_foreach(o, key, v) {
		const char *const *n = names;

		while (*n != NULL && strcmp(*n, key) != 0)
			n++;
		if (*n == NULL && !is_note(key))
			return unknown(l, ptr, key, names);
	}
	return 0;
}

static struct where
here(struct loader *l, const char *ptr)
{
	return (struct where){ l->index, strdup(ptr) };
}

/* ---- subjects */

static bool
system_user(const char *name, uid_t *ret)
{
	struct passwd pw, *found = NULL;
	char buf[4096];

	if (getpwnam_r(name, &pw, buf, sizeof buf, &found) != 0 || found == NULL)
		return false;
	*ret = found->pw_uid;
	return true;
}

static bool
system_group(const char *name, gid_t *ret)
{
	struct group gr, *found = NULL;
	AUTO_FREE char *buf = malloc(1 << 16);

	if (buf == NULL || getgrnam_r(name, &gr, buf, 1 << 16, &found) != 0 || found == NULL)
		return false;
	*ret = found->gr_gid;
	return true;
}

static bool
number(const char *text, unsigned *ret)
{
	char *end;
	unsigned long n;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	n = strtoul(text, &end, 10);
	*ret = (unsigned)n;
	return *end == '\0' && errno == 0 && n < UINT32_MAX;
}

static bool
user_of(struct loader *l, const char *name, uid_t *ret)
{
	unsigned n;

	if (strncmp(name, "uid:", 4) == 0 && number(name + 4, &n)) {
		*ret = n;
		return true;
	}
	return l->names != NULL ? l->names->user(name, ret) : system_user(name, ret);
}

static bool
group_of(struct loader *l, const char *name, gid_t *ret)
{
	unsigned n;

	if (strncmp(name, "gid:", 4) == 0 && number(name + 4, &n)) {
		*ret = n;
		return true;
	}
	return l->names != NULL ? l->names->group(name, ret) : system_group(name, ret);
}

static int
add_id(unsigned **v, size_t *n, unsigned id)
{
	unsigned *w = reallocarray(*v, *n + 1, sizeof *w);

	if (w == NULL)
		return -1;
	*v = w;
	w[(*n)++] = id;
	return 0;
}

static int
add_text(char ***v, size_t *n, const char *s)
{
	char **w = reallocarray(*v, *n + 1, sizeof *w);

	if (w == NULL || (*v = w, w[*n] = strdup(s)) == NULL)
		return -1;
	(*n)++;
	return 0;
}

static int
add_subject(struct loader *l, const char *ptr, const char *s, bool roles,
    struct subjects *to)
{
	uid_t uid;
	gid_t gid;

	if (strcmp(s, "everyone") == 0) {
		to->everyone = true;
		return 0;
	}
	if (strncmp(s, "user:", 5) == 0 || strncmp(s, "uid:", 4) == 0) {
		if (user_of(l, s[1] == 's' ? s + 5 : s, &uid))
			return add_id(&to->uid, &to->nuids, uid) == 0 ? 0 : no_memory(l);
		warn(l, ptr, "matches nobody: there is no", s);
		return 0;
	}
	if (strncmp(s, "group:", 6) == 0 || strncmp(s, "gid:", 4) == 0) {
		if (group_of(l, s[1] == 'r' ? s + 6 : s, &gid))
			return add_id(&to->gid, &to->ngids, gid) == 0 ? 0 : no_memory(l);
		warn(l, ptr, "matches nobody: there is no", s);
		return 0;
	}
	if (strncmp(s, "unit:", 5) == 0 && s[5] != '\0')
		return add_text(&to->unit, &to->nunits, s + 5) == 0 ? 0 : no_memory(l);
	if (roles && strncmp(s, "role:", 5) == 0)
		return add_text(&to->role, &to->nroles, s + 5) == 0 ? 0 : no_memory(l);
	return bad(l, ptr, false, "expected everyone, user:NAME, group:NAME, uid:N, gid:N, "
	    "unit:NAME%s", roles ? " or role:NAME" : "");
}

static int
by_number(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	return x < y ? -1 : x > y;
}

static int
read_subjects(struct loader *l, const char *ptr, json_t *v, bool roles, struct subjects *to)
{
	size_t i;
	json_t *item;
	char at[600];

	if (!json_is_array(v))
		return bad(l, ptr, false, "expected an array of subjects");
	json_array_foreach(v, i, item) {
		snprintf(at, sizeof at, "%.500s/%zu", ptr, i);
		if (!json_is_string(item))
			return bad(l, at, false, "expected a string");
		if (add_subject(l, at, json_string_value(item), roles, to) != 0)
			return l->e->code;
	}
	if (to->nuids > 0)
		qsort(to->uid, to->nuids, sizeof *to->uid, by_number);
	if (to->ngids > 0)
		qsort(to->gid, to->ngids, sizeof *to->gid, by_number);
	return 0;
}

/* ---- one policy */

static int
read_tri(struct loader *l, const char *ptr, const char *key, json_t *o, enum tri *ret)
{
	json_t *v = json_object_get(o, key);
	const char *s = json_string_value(v);
	char at[600];

	if (v == NULL)
		return 0;
	if (s != NULL && strcmp(s, "allow") == 0)
		*ret = ALLOW;
	else if (s != NULL && strcmp(s, "deny") == 0)
		*ret = DENY;
	else
		return bad(l, join(at, sizeof at, ptr, key), false, "expected allow or deny");
	return 0;
}

static int
read_shared(struct loader *l, const char *ptr, json_t *o, struct set *s)
{
	static const char *const keys[] = { "connection_create", "folder_create",
		"subfolder_create", "except", NULL };
	char at[600];

	if (check_keys(l, ptr, o, keys) != 0 ||
	    read_tri(l, ptr, "connection_create", o, &s->connection_create) != 0 ||
	    read_tri(l, ptr, "folder_create", o, &s->folder_create) != 0 ||
	    read_tri(l, ptr, "subfolder_create", o, &s->subfolder_create) != 0)
		return l->e->code;
	if (json_object_get(o, "except") == NULL)
		return 0;
	return read_subjects(l, join(at, sizeof at, ptr, "except"),
	    json_object_get(o, "except"), true, &s->except);
}

static int
read_personal(struct loader *l, const char *ptr, json_t *o, struct set *s)
{
	static const char *const keys[] = { "workspace", NULL };

	if (check_keys(l, ptr, o, keys) != 0)
		return l->e->code;
	return read_tri(l, ptr, "workspace", o, &s->workspace);
}

static int
read_auth_types(struct loader *l, const char *ptr, json_t *v, struct connector_rules *c)
{
	size_t i;
	json_t *item;
	char at[600];

	if (!json_is_array(v))
		return bad(l, ptr, false, "expected an array of: oauth2_code pat");
	if (json_array_size(v) == 0)
		return bad(l, ptr, false, "an empty set allows nothing: disable the connector "
		    "instead");
	json_array_foreach(v, i, item) {
		int k = 0;

		while (policy_auth_names[k] != NULL && (!json_is_string(item) ||
		    strcmp(policy_auth_names[k], json_string_value(item)) != 0))
			k++;
		snprintf(at, sizeof at, "%.500s/%zu", ptr, i);
		if (policy_auth_names[k] == NULL)
			return bad(l, at, false, "expected oauth2_code or pat");
		c->auth_types |= 1u << k;
	}
	return 0;
}

static int
read_byoa(struct loader *l, const char *ptr, json_t *o, struct connector_rules *c)
{
	static const char *const keys[] = { "mode", "app_ref", "locked", "scopes", NULL };
	static const char *const modes[] = { "allowed", "required", "forbidden" };
	json_t *v, *item;
	size_t i;
	char at[600];
	int k = 0;

	if (check_keys(l, ptr, o, keys) != 0)
		return l->e->code;
	c->has_byoa = true;
	v = json_object_get(o, "mode");
	while (k < 3 && v != NULL && (!json_is_string(v) ||
	    strcmp(modes[k], json_string_value(v)) != 0))
		k++;
	if (k == 3)
		return bad(l, join(at, sizeof at, ptr, "mode"), false,
		    "expected allowed, required or forbidden");
	c->byoa = v == NULL ? BYOA_REQUIRED : (enum byoa_mode)k;
	v = json_object_get(o, "app_ref");
	if (v != NULL && (!json_is_string(v) || json_string_length(v) == 0))
		return bad(l, join(at, sizeof at, ptr, "app_ref"), false, "expected the name of an "
		    "OAuth app");
	if (v != NULL && (c->app_ref = strdup(json_string_value(v))) == NULL)
		return no_memory(l);
	v = json_object_get(o, "locked");
	if (v != NULL && !json_is_boolean(v))
		return bad(l, join(at, sizeof at, ptr, "locked"), false, "expected true or false");
	c->locked = json_is_true(v);
	if (c->locked && c->app_ref == NULL)
		return bad(l, join(at, sizeof at, ptr, "locked"), true, "`locked` needs `app_ref`");
	v = json_object_get(o, "scopes");
	if (v != NULL && !json_is_array(v))
		return bad(l, join(at, sizeof at, ptr, "scopes"), false, "expected an array of "
		    "scopes");
	json_array_foreach(v, i, item)
		if (!json_is_string(item) ||
		    add_text(&c->scopes, &c->nscopes, json_string_value(item)) != 0)
			return bad(l, join(at, sizeof at, ptr, "scopes"), false, "expected strings");
	return 0;
}

static int
read_connector(struct loader *l, const char *ptr, const char *id, json_t *o,
    struct connector_rules *c)
{
	static const char *const keys[] = { "enabled", "auth_types", "byoa", NULL };
	json_t *v;
	char at[600];

	c->id = strdup(id);
	c->at = here(l, ptr);
	if (check_keys(l, ptr, o, keys) != 0)
		return l->e->code;
	if (strcmp(id, "*") != 0 && l->known != NULL && l->known->connector != NULL &&
	    !l->known->connector(l->known->arg, id))
		return bad(l, ptr, true, "there is no connector '%.60s'", id);
	v = json_object_get(o, "enabled");
	if (v != NULL && !json_is_boolean(v))
		return bad(l, join(at, sizeof at, ptr, "enabled"), false, "expected true or false");
	c->enabled = v == NULL ? UNSET : json_is_true(v) ? ALLOW : DENY;
	v = json_object_get(o, "auth_types");
	if (v != NULL && read_auth_types(l, join(at, sizeof at, ptr, "auth_types"), v, c) != 0)
		return l->e->code;
	v = json_object_get(o, "byoa");
	if (v == NULL)
		return 0;
	/* Bring-your-own belongs to the authorization code grant. */
	if (c->auth_types != 0 && !(c->auth_types & 1))
		return bad(l, join(at, sizeof at, ptr, "byoa"), true, "`byoa` without oauth2_code in "
		    "`auth_types` has no effect");
	return read_byoa(l, join(at, sizeof at, ptr, "byoa"), v, c);
}

static int
read_connectors(struct loader *l, const char *ptr, json_t *o, struct set *s)
{
	const char *id;
	json_t *v;
	char at[600];

	if (!json_is_object(o))
		return bad(l, ptr, false, "expected an object of connectors");
	s->connector = calloc(json_object_size(o) + 1, sizeof *s->connector);
	if (s->connector == NULL)
		return no_memory(l);
	json_object_foreach(o, id, v) {
		if (is_note(id))
			continue;
		if (read_connector(l, join(at, sizeof at, ptr, id), id, v,
			&s->connector[s->nconnectors++]) != 0)
			return l->e->code;
	}
	return 0;
}

static int
set_find(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->nsets; i++)
		if (strcmp(p->set[i].name, name) == 0)
			return (int)i;
	return -1;
}

static int
read_set(struct loader *l, const char *ptr, const char *name, json_t *o)
{
	static const char *const keys[] = { "mode", "shared", "personal", "connectors", NULL };
	struct policy *p = l->p;
	struct set *s;
	json_t *v;
	char at[600];

	if (set_find(p, name) >= 0)
		return bad(l, ptr, true, "policy '%.60s' is defined twice", name);
	if ((s = reallocarray(p->set, p->nsets + 1, sizeof *s)) == NULL)
		return no_memory(l);
	p->set = s;
	s = &s[p->nsets++];
	*s = (struct set){ .name = strdup(name), .at = here(l, ptr) };
	if (check_keys(l, ptr, o, keys) != 0)
		return l->e->code;
	v = json_object_get(o, "mode");
	if (v != NULL && (!json_is_string(v) || strcmp(json_string_value(v), "enforce") != 0))
		return bad(l, join(at, sizeof at, ptr, "mode"), false, "expected enforce");
	if ((v = json_object_get(o, "shared")) != NULL &&
	    read_shared(l, join(at, sizeof at, ptr, "shared"), v, s) != 0)
		return l->e->code;
	if ((v = json_object_get(o, "personal")) != NULL &&
	    read_personal(l, join(at, sizeof at, ptr, "personal"), v, s) != 0)
		return l->e->code;
	if ((v = json_object_get(o, "connectors")) != NULL)
		return read_connectors(l, join(at, sizeof at, ptr, "connectors"), v, s);
	return 0;
}

static int
read_sets(struct loader *l, json_t *o)
{
	const char *name;
	json_t *v;
	char at[600];

	if (!json_is_object(o))
		return bad(l, "/policies", false, "expected an object of policies");
	json_object_foreach(o, name, v)
		if (!is_note(name) &&
		    read_set(l, join(at, sizeof at, "/policies", name), name, v) != 0)
			return l->e->code;
	return 0;
}

/* ---- roles and grants */

static int
read_role(struct loader *l, const char *ptr, const char *name, json_t *v)
{
	struct policy *p = l->p;
	struct role *r;
	enum policy_action a;
	size_t i;
	json_t *item;
	char at[600];

	if (role_find(p, name) >= 0)
		return bad(l, ptr, true, "role '%.60s' exists already", name);
	if (p->nroles == ROLES_MAX)
		return bad(l, ptr, true, "there are more than %d roles", ROLES_MAX);
	if (!json_is_array(v))
		return bad(l, ptr, false, "expected an array of permissions");
	if ((r = reallocarray(p->role, p->nroles + 1, sizeof *r)) == NULL)
		return no_memory(l);
	p->role = r;
	r = &r[p->nroles++];
	*r = (struct role){ .name = strdup(name) };
	json_array_foreach(v, i, item) {
		snprintf(at, sizeof at, "%.500s/%zu", ptr, i);
		if (!json_is_string(item) || !role_action(json_string_value(item), &a))
			return bad(l, at, false, "there is no such permission");
		r->actions |= 1u << a;
	}
	return 0;
}

static int
read_roles(struct loader *l, json_t *o)
{
	const char *name;
	json_t *v;
	char at[600];

	if (!json_is_object(o))
		return bad(l, "/roles", false, "expected an object of roles");
	json_object_foreach(o, name, v)
		if (!is_note(name) && read_role(l, join(at, sizeof at, "/roles", name), name, v) != 0)
			return l->e->code;
	return 0;
}

static int
read_folder(struct loader *l, const char *ptr, json_t *v, struct grant *g)
{
	const char *s = json_string_value(v);
	size_t n = s == NULL ? 0 : strlen(s);
	const char *star = s == NULL ? NULL : strchr(s, '*');

	if (n < 8 || strncmp(s, "shared/", 7) != 0 ||
	    (star != NULL && (star != s + n - 2 || star[-1] != '/' || strcmp(star, "**") != 0)))
		return bad(l, ptr, false, "expected shared/NAME, shared/NAME/** or shared/**");
	return (g->folder = strdup(s)) != NULL ? 0 : no_memory(l);
}

static int
read_grant(struct loader *l, const char *ptr, json_t *o)
{
	static const char *const keys[] = { "role", "to", "folder", NULL };
	struct policy *p = l->p;
	struct grant *g;
	json_t *v;
	char at[600];

	if (check_keys(l, ptr, o, keys) != 0)
		return l->e->code;
	if ((g = reallocarray(p->grant, p->ngrants + 1, sizeof *g)) == NULL)
		return no_memory(l);
	p->grant = g;
	g = &g[p->ngrants++];
	*g = (struct grant){ .at = here(l, ptr) };
	v = json_object_get(o, "role");
	g->role = json_is_string(v) ? role_find(p, json_string_value(v)) : -1;
	if (g->role < 0)
		return bad(l, v == NULL ? ptr : join(at, sizeof at, ptr, "role"), false,
		    "`role` must name a role that is built in or defined before");
	if (json_object_get(o, "to") == NULL)
		return bad(l, ptr, false, "`to` is required: whom the role is given to");
	if (read_subjects(l, join(at, sizeof at, ptr, "to"), json_object_get(o, "to"), false,
		&g->to) != 0)
		return l->e->code;
	v = json_object_get(o, "folder");
	return v == NULL ? 0 : read_folder(l, join(at, sizeof at, ptr, "folder"), v, g);
}

static int
read_grants(struct loader *l, json_t *a)
{
	size_t i;
	json_t *v;
	char at[64];

	if (!json_is_array(a))
		return bad(l, "/grants", false, "expected an array of grants");
	json_array_foreach(a, i, v) {
		snprintf(at, sizeof at, "/grants/%zu", i);
		if (read_grant(l, at, v) != 0)
			return l->e->code;
	}
	return 0;
}

/* ---- who gets which policy: read after all policies are known */

static int
read_set_ref(struct loader *l, const char *ptr, json_t *v, int *ret)
{
	if (json_is_null(v)) {
		*ret = NO_SET;
		return 0;
	}
	*ret = json_is_string(v) ? set_find(l->p, json_string_value(v)) : -1;
	return *ret >= 0 ? 0 : bad(l, ptr, false, "expected the name of a policy, or null");
}

static int
add_assign(struct loader *l, struct assign **v, size_t *n, struct assign a)
{
	struct assign *w = reallocarray(*v, *n + 1, sizeof *w);

	if (w == NULL)
		return no_memory(l);
	*v = w;
	w[(*n)++] = a;
	return 0;
}

static int
read_users(struct loader *l, json_t *o)
{
	struct policy *p = l->p;
	const char *name;
	json_t *v;
	char at[600];
	struct assign a = { 0 };

	if (!json_is_object(o))
		return bad(l, "/assign/users", false, "expected an object");
	json_object_foreach(o, name, v) {
		if (read_set_ref(l, join(at, sizeof at, "/assign/users", name), v, &a.set) != 0)
			return l->e->code;
		if (!user_of(l, name, &a.uid)) {
			warn(l, at, "matches nobody: there is no user", name);
			continue;
		}
		for (size_t i = 0; i < p->nusers; i++)
			if (p->user[i].uid == a.uid)
				return bad(l, at, true, "user '%.60s' is assigned twice", name);
		if (add_assign(l, &p->user, &p->nusers, a) != 0)
			return l->e->code;
	}
	return 0;
}

static int
read_group(struct loader *l, const char *ptr, json_t *o)
{
	static const char *const keys[] = { "group", "policy", "priority", NULL };
	struct policy *p = l->p;
	json_t *name, *prio;
	char at[600];
	struct assign a = { 0 };

	if (check_keys(l, ptr, o, keys) != 0)
		return l->e->code;
	name = json_object_get(o, "group");
	prio = json_object_get(o, "priority");
	if (!json_is_string(name) || !json_is_integer(prio) || json_object_get(o, "policy") == NULL)
		return bad(l, ptr, false, "expected group, policy and priority (lowest wins)");
	a.priority = json_integer_value(prio);
	if (read_set_ref(l, join(at, sizeof at, ptr, "policy"), json_object_get(o, "policy"),
		&a.set) != 0)
		return l->e->code;
	for (size_t i = 0; i < p->ngroups; i++)
		if (p->group[i].priority == a.priority)
			return bad(l, join(at, sizeof at, ptr, "priority"), false, "another group has "
			    "priority %lld too", (long long)a.priority);
	if (!group_of(l, json_string_value(name), &a.gid)) {
		warn(l, ptr, "matches nobody: there is no group", json_string_value(name));
		return 0;
	}
	return add_assign(l, &p->group, &p->ngroups, a);
}

static int
read_assign(struct loader *l, json_t *o)
{
	static const char *const keys[] = { "tenant", "groups", "users", NULL };
	struct policy *p = l->p;
	json_t *v, *item;
	size_t i;
	char at[64];

	if (check_keys(l, "/assign", o, keys) != 0)
		return l->e->code;
	if ((v = json_object_get(o, "tenant")) != NULL) {
		if (p->has_tenant)
			return bad(l, "/assign/tenant", true, "the tenant is assigned twice");
		p->has_tenant = true;
		if (read_set_ref(l, "/assign/tenant", v, &p->tenant) != 0)
			return l->e->code;
	}
	if ((v = json_object_get(o, "groups")) != NULL && !json_is_array(v))
		return bad(l, "/assign/groups", false, "expected an array");
	json_array_foreach(v, i, item) {
		snprintf(at, sizeof at, "/assign/groups/%zu", i);
		if (read_group(l, at, item) != 0)
			return l->e->code;
	}
	v = json_object_get(o, "users");
	return v == NULL ? 0 : read_users(l, v);
}

static int
read_mandatory(struct loader *l, json_t *v)
{
	if (l->p->mandatory != NO_SET)
		return bad(l, "/mandatory", true, "the mandatory policy is named twice");
	if (read_set_ref(l, "/mandatory", v, &l->p->mandatory) != 0)
		return l->e->code;
	return 0;
}

/* ---- files */

struct source {
	char	*path;
	struct buf text;
	json_t	*o;
};

/* Definitions of all files first, then what refers to them. */
static int
read_pass(struct loader *l, const struct source *s, int index, int pass)
{
	static const char *const keys[] = { "policies", "roles", "grants", "assign",
		"mandatory", NULL };
	json_t *v;

	l->file = s->path;
	l->index = index;
	l->text = buf_slice(&s->text);
	if (pass == 0) {
		if (check_keys(l, "", s->o, keys) != 0)
			return l->e->code;
		if ((v = json_object_get(s->o, "policies")) != NULL && read_sets(l, v) != 0)
			return l->e->code;
		v = json_object_get(s->o, "roles");
		return v == NULL ? 0 : read_roles(l, v);
	}
	if ((v = json_object_get(s->o, "grants")) != NULL && read_grants(l, v) != 0)
		return l->e->code;
	if ((v = json_object_get(s->o, "mandatory")) != NULL && read_mandatory(l, v) != 0)
		return l->e->code;
	v = json_object_get(s->o, "assign");
	return v == NULL ? 0 : read_assign(l, v);
}

/* Roles in `except` may be defined in any file. */
static int
check_excepts(struct loader *l, const struct source *files)
{
	struct policy *p = l->p;
	char shared[600], at[600];

	for (size_t i = 0; i < p->nsets; i++)
		for (size_t k = 0; k < p->set[i].except.nroles; k++) {
			const struct set *s = &p->set[i];

			if (role_find(p, s->except.role[k]) >= 0)
				continue;
			l->file = files[s->at.file].path;
			l->text = buf_slice(&files[s->at.file].text);
			join(shared, sizeof shared, s->at.pointer, "shared");
			return bad(l, join(at, sizeof at, shared, "except"), false,
			    "policy '%.60s' excepts role '%.60s', which does not exist", s->name,
			    s->except.role[k]);
		}
	return 0;
}

static void
hash_sources(struct policy *p, const struct source *s, size_t n)
{
	AUTO(buf) all = { 0 };
	unsigned char h[32];

	for (size_t i = 0; i < n; i++) {
		const char *base = strrchr(s[i].path, '/');

		base = base == NULL ? s[i].path : base + 1;
		sha256(buf_slice(&s[i].text), h);
		buf_add(&all, base, strlen(base) + 1);
		buf_add(&all, h, sizeof h);
	}
	sha256(buf_slice(&all), h);
	hex_encode(h, sizeof h, p->hash);
}

static int
compile(const struct source *s, size_t n, const struct policy_names *names,
    const struct policy_known *known, struct policy **ret, struct err *e)
{
	struct loader l = { .names = names, .known = known, .e = e };
	struct policy *p = calloc(1, sizeof *p);
	int rc;

	if (p == NULL)
		return err_set(e, V_LIMIT, "out of memory");
	atomic_init(&p->refs, 1);
	p->tenant = p->mandatory = NO_SET;
	l.p = p;
	rc = roles_builtin(p, e);
	for (size_t i = 0; i < n; i++)
		p->file[p->nfiles++] = strdup(s[i].path);
	for (int pass = 0; rc == 0 && pass < 2; pass++)
		for (size_t i = 0; rc == 0 && i < n; i++)
			rc = read_pass(&l, &s[i], (int)i, pass);
	if (rc == 0)
		rc = check_excepts(&l, s);
	if (rc != 0) {
		policy_free(p);
		return rc;
	}
	hash_sources(p, s, n);
	*ret = p;
	return 0;
}

static int
check_owner(const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return err_errno(e, "%s", path);
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || st.st_mode & 022)
		return err_name(e, ERR_POLICY_INVALID, "%s must belong to root and be writable by "
		    "nobody else (it has owner %u, mode %04o)", path, (unsigned)st.st_uid,
		    (unsigned)st.st_mode & 07777);
	return 0;
}

static void
free_sources(struct source *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(s[i].path);
		buf_done(&s[i].text);
		json_decref(s[i].o);
	}
}

int
policy_load_files(const char *const *paths, size_t n, const struct policy_names *names,
    const struct policy_known *known, bool owner, struct policy **ret, struct err *e)
{
	struct source s[POLICY_FILES] = { 0 };
	int rc = 0;

	if (n > POLICY_FILES)
		return err_name(e, ERR_POLICY_INVALID, "more than %d policy files", POLICY_FILES);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		s[i].path = strdup(paths[i]);
		if (owner)
			rc = check_owner(paths[i], e);
		if (rc == 0 && (s[i].o = json_parse_file(paths[i], FILE_MAX, &s[i].text, e)) == NULL)
			rc = err_rename(e, ERR_POLICY_INVALID);
	}
	if (rc == 0)
		rc = compile(s, n, names, known, ret, e);
	free_sources(s, n);
	return rc;
}

static int
is_json(const struct dirent *de)
{
	size_t n = strlen(de->d_name);

	return n > 5 && strcmp(de->d_name + n - 5, ".json") == 0 && de->d_name[0] != '.';
}

int
policy_load(const char *dir, const struct policy_names *names,
    const struct policy_known *known, bool owner, struct policy **ret, struct err *e)
{
	struct dirent **found = NULL;
	char *paths[POLICY_FILES] = { 0 };
	int n, rc = 0, kept = 0;

	if (owner && check_owner(dir, e) != 0)
		return e->code;
	if ((n = scandir(dir, &found, is_json, alphasort)) < 0)
		return err_errno(e, "%s", dir);
	for (int i = 0; i < n; i++) {
		if (kept < POLICY_FILES &&
		    asprintf(&paths[kept], "%s/%s", dir, found[i]->d_name) > 0)
			kept++;
		free(found[i]);
	}
	free(found);
	if (n > POLICY_FILES)
		rc = err_name(e, ERR_POLICY_INVALID, "%s: more than %d files", dir, POLICY_FILES);
	if (rc == 0)
		rc = policy_load_files((const char *const *)paths, (size_t)kept, names, known, owner,
		    ret, e);
	for (int i = 0; i < kept; i++)
		free(paths[i]);
	return rc;
}

int
policy_parse(const char *file, const char *text, size_t len,
    const struct policy_names *names, const struct policy_known *known,
    struct policy **ret, struct err *e)
{
	struct source s = { .path = strdup(file) };
	int rc = 0;

	if (!buf_add(&s.text, text, len))
		rc = err_set(e, V_LIMIT, "out of memory");
	else if ((s.o = json_parse(buf_slice(&s.text), FILE_MAX, e)) == NULL) {
		err_prefix(e, "%s:", file);
		rc = err_rename(e, ERR_POLICY_INVALID);
	} else {
		rc = compile(&s, 1, names, known, ret, e);
	}
	free_sources(&s, 1);
	return rc;
}

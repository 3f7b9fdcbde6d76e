/*
 * load_assign.c - `assign` and `mandatory`: who gets which policy. Read after all policies are
 * known.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/load.h"

static int
read_set_ref(struct loader *l, const char *ptr, json_t *v, int *ret)
{
	if (json_is_null(v)) {
		*ret = NO_SET;
		return 0;
	}
	*ret = json_is_string(v) ? load_set_find(l->p, json_string_value(v)) : -1;
	if (*ret >= 0)
		l->p->set[*ret].assigned = true;
	if (*ret >= 0 || (json_is_string(v) && l->incomplete))
		return 0;
	return load_bad(l, ptr, false, "expected the name of a policy, or null");
}

static int
add_assign(struct loader *l, struct assign **v, size_t *n, struct assign a)
{
	struct assign *w = array_more(*v, *n, sizeof *w);

	if (w == NULL)
		return load_no_memory(l);
	*v = w;
	w[(*n)++] = a;
	return 0;
}

static void
read_user(struct loader *l, const char *ptr, const char *name, json_t *v)
{
	struct policy *p = l->p;
	struct assign a = { 0 };

	if (read_set_ref(l, ptr, v, &a.set) != 0)
		return;
	if (!load_uid(l, name, &a.uid)) {
		load_warn(l, ptr, "matches nobody: there is no user", name);
		return;
	}
	for (size_t i = 0; i < p->nusers; i++)
		if (p->user[i].uid == a.uid) {
			load_bad(l, ptr, true, "user '%.60s' is assigned twice", name);
			return;
		}
	add_assign(l, &p->user, &p->nusers, a);
}

static void
read_users(struct loader *l, json_t *o)
{
	const char *name;
	json_t *v;
	char at[LOAD_POINTER];

	if (!json_is_object(o))
		load_bad(l, "/assign/users", false, "expected an object");
	json_object_foreach(o, name, v)
		read_user(l, load_join(at, sizeof at, "/assign/users", name), name, v);
}

static int
read_group(struct loader *l, const char *ptr, json_t *o)
{
	static const char *const keys[] = { "group", "policy", "priority", NULL };
	struct policy *p = l->p;
	json_t *name, *prio, *set;
	char at[LOAD_POINTER];
	struct assign a = { 0 };

	if (load_keys(l, ptr, o, keys) != 0)
		return l->e->code;
	name = json_object_get(o, "group");
	prio = json_object_get(o, "priority");
	set = json_object_get(o, "policy");
	if (!json_is_string(name) || !json_is_integer(prio) || set == NULL)
		return load_bad(l, ptr, false,
		    "expected group, policy and priority (lowest wins)");
	a.priority = json_integer_value(prio);
	if (read_set_ref(l, load_join(at, sizeof at, ptr, "policy"), set, &a.set) != 0)
		return l->e->code;
	for (size_t i = 0; i < p->ngroups; i++)
		if (p->group[i].priority == a.priority)
			return load_bad(l, load_join(at, sizeof at, ptr, "priority"), false,
			    "another group has priority %lld too", (long long)a.priority);
	if (!load_gid(l, json_string_value(name), &a.gid)) {
		load_warn(l, ptr, "matches nobody: there is no group", json_string_value(name));
		return 0;
	}
	return add_assign(l, &p->group, &p->ngroups, a);
}

static void
read_groups(struct loader *l, json_t *a)
{
	size_t i;
	json_t *v;
	char at[64];

	if (!json_is_array(a))
		load_bad(l, "/assign/groups", false, "expected an array");
	json_array_foreach(a, i, v) {
		snprintf(at, sizeof at, "/assign/groups/%zu", i);
		read_group(l, at, v);
	}
}

static void
read_tenant(struct loader *l, json_t *v)
{
	if (l->p->has_tenant) {
		load_bad(l, "/assign/tenant", true, "the tenant is assigned twice");
		return;
	}
	l->p->has_tenant = true;
	read_set_ref(l, "/assign/tenant", v, &l->p->tenant);
}

void
load_assign(struct loader *l, json_t *o)
{
	static const char *const keys[] = { "tenant", "groups", "users", NULL };
	json_t *v;

	load_keys(l, "/assign", o, keys);
	l->assigns |= json_object_get(o, "tenant") != NULL ||
	    json_array_size(json_object_get(o, "groups")) > 0 ||
	    json_object_size(json_object_get(o, "users")) > 0;
	if ((v = json_object_get(o, "tenant")) != NULL)
		read_tenant(l, v);
	if ((v = json_object_get(o, "groups")) != NULL)
		read_groups(l, v);
	if ((v = json_object_get(o, "users")) != NULL)
		read_users(l, v);
}

void
load_mandatory(struct loader *l, json_t *v)
{
	if (l->p->mandatory != NO_SET)
		load_bad(l, "/mandatory", true, "the mandatory policy is named twice");
	else
		read_set_ref(l, "/mandatory", v, &l->p->mandatory);
}

void
load_check_assigned(struct loader *l, const struct source *files)
{
	const struct policy *p = l->p;

	if (!l->assigns) {
		load_warn_of_set(l, "no file says in `assign` who gets a policy: nobody can use a "
		    "connector");
		return;
	}
	for (size_t i = 0; i < p->nsets; i++) {
		const struct set *s = &p->set[i];

		if (s->assigned)
			continue;
		l->file = files[s->at.file].path;
		l->text = buf_slice(&files[s->at.file].text);
		load_warn(l, s->at.pointer, "nobody is assigned policy", s->name);
	}
}

void
load_check_governed(struct loader *l)
{
	const struct policy *p = l->p;

	for (size_t i = 0; i < p->ngrants; i++)
		if (p->grant[i].role >= 0 && p->grant[i].folder == NULL &&
		    p->role[p->grant[i].role].actions >> ACT_APP_EDIT & 1)
			return;
	load_warn_of_set(l, "no grant lets anybody register OAuth apps: who is governance-admin?");
}

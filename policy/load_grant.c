/*
 * load_grant.c - `roles` and `grants`: who holds which role, where.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/load.h"

#define ROLES_MAX	64		/* held roles are bits */

static int
read_role(struct loader *l, const char *ptr, const char *name, json_t *v)
{
	struct policy *p = l->p;
	struct role *r;
	enum policy_action a;
	size_t i;
	json_t *item;
	char at[LOAD_POINTER];

	if (role_find(p, name) >= 0)
		return load_bad(l, ptr, true, "role '%.60s' exists already", name);
	if (p->nroles == ROLES_MAX)
		return load_bad(l, ptr, true, "there are more than %d roles", ROLES_MAX);
	if (!json_is_array(v))
		return load_bad(l, ptr, false, "expected an array of permissions");
	if ((r = array_more(p->role, p->nroles, sizeof *r)) == NULL)
		return load_no_memory(l);
	p->role = r;
	r = &r[p->nroles++];
	*r = (struct role){ .name = strdup(name) };
	json_array_foreach(v, i, item) {
		snprintf(at, sizeof at, "%.500s/%zu", ptr, i);
		if (!json_is_string(item) || !policy_action_parse(json_string_value(item), &a))
			return load_bad(l, at, false, "there is no such permission");
		r->actions |= 1u << a;
	}
	return 0;
}

void
load_roles(struct loader *l, json_t *o)
{
	const char *name;
	json_t *v;
	char at[LOAD_POINTER];

	if (!json_is_object(o)) {
		load_bad(l, "/roles", false, "expected an object of roles");
		l->incomplete = true;
	}
	json_object_foreach(o, name, v)
		if (!load_is_note(name))
			read_role(l, load_join(at, sizeof at, "/roles", name), name, v);
}

static int
read_folder(struct loader *l, const char *ptr, json_t *v, struct grant *g)
{
	const char *s = json_string_value(v);
	size_t n = s == NULL ? 0 : strlen(s);
	const char *star = s == NULL ? NULL : strchr(s, '*');

	if (n < 8 || strncmp(s, "shared/", 7) != 0 ||
	    (star != NULL && (star != s + n - 2 || star[-1] != '/' || strcmp(star, "**") != 0)))
		return load_bad(l, ptr, false,
		    "expected shared/NAME, shared/NAME/** or shared/**");
	return (g->folder = strdup(s)) != NULL ? 0 : load_no_memory(l);
}

static int
read_grant(struct loader *l, const char *ptr, json_t *o)
{
	static const char *const keys[] = { "role", "to", "folder", NULL };
	struct policy *p = l->p;
	struct grant *g;
	json_t *v;
	char at[LOAD_POINTER];

	if (load_keys(l, ptr, o, keys) != 0)
		return l->e->code;
	if ((g = array_more(p->grant, p->ngrants, sizeof *g)) == NULL)
		return load_no_memory(l);
	p->grant = g;
	g = &g[p->ngrants++];
	*g = (struct grant){ .at = load_where(l, ptr) };
	v = json_object_get(o, "role");
	g->role = json_is_string(v) ? role_find(p, json_string_value(v)) : -1;
	if (g->role < 0 && !(json_is_string(v) && l->incomplete))
		return load_bad(l, v == NULL ? ptr : load_join(at, sizeof at, ptr, "role"), false,
		    "`role` must name a role that is built in or defined before");
	if (json_object_get(o, "to") == NULL)
		return load_bad(l, ptr, false, "`to` is required: whom the role is given to");
	if (load_subjects(l, load_join(at, sizeof at, ptr, "to"), json_object_get(o, "to"), false,
		&g->to) != 0)
		return l->e->code;
	v = json_object_get(o, "folder");
	return v == NULL ? 0 : read_folder(l, load_join(at, sizeof at, ptr, "folder"), v, g);
}

void
load_grants(struct loader *l, json_t *a)
{
	size_t i;
	json_t *v;
	char at[64];

	if (!json_is_array(a))
		load_bad(l, "/grants", false, "expected an array of grants");
	json_array_foreach(a, i, v) {
		snprintf(at, sizeof at, "/grants/%zu", i);
		read_grant(l, at, v);
	}
}

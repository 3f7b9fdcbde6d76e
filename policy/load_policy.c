/*
 * load_policy.c - `policies`: the rules of each, for folders and for connectors.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/scope.h"
#include "policy/load.h"

static int
read_tri(struct loader *l, const char *ptr, const char *key, json_t *o, enum tri *ret)
{
	json_t *v = json_object_get(o, key);
	const char *s = json_string_value(v);

	if (v == NULL)
		return 0;
	if (s != NULL && strcmp(s, "allow") == 0)
		*ret = ALLOW;
	else if (s != NULL && strcmp(s, "deny") == 0)
		*ret = DENY;
	else
		return load_bad_in(l, ptr, key, false, "expected allow or deny");
	return 0;
}

static int
read_shared(struct loader *l, const char *ptr, json_t *o, struct set *s)
{
	static const char *const keys[] = { "connection_create", "folder_create",
		"subfolder_create", "except", NULL };
	char at[LOAD_POINTER];

	if (load_keys(l, ptr, o, keys) != 0 ||
	    read_tri(l, ptr, "connection_create", o, &s->connection_create) != 0 ||
	    read_tri(l, ptr, "folder_create", o, &s->folder_create) != 0 ||
	    read_tri(l, ptr, "subfolder_create", o, &s->subfolder_create) != 0)
		return l->e->code;
	if (json_object_get(o, "except") == NULL)
		return 0;
	return load_subjects(l, load_join(at, sizeof at, ptr, "except"),
	    json_object_get(o, "except"), true, &s->except);
}

static int
read_personal(struct loader *l, const char *ptr, json_t *o, struct set *s)
{
	static const char *const keys[] = { "workspace", NULL };

	if (load_keys(l, ptr, o, keys) != 0)
		return l->e->code;
	return read_tri(l, ptr, "workspace", o, &s->workspace);
}

static int
read_auth_types(struct loader *l, const char *ptr, json_t *v, struct connector_rules *c)
{
	size_t i;
	json_t *item;
	char at[LOAD_POINTER];

	if (!json_is_array(v))
		return load_bad(l, ptr, false, "expected an array of: " AUTH_TYPE_WORDS);
	if (json_array_size(v) == 0)
		return load_bad(l, ptr, false, "an empty set allows nothing: disable the connector "
		    "instead");
	json_array_foreach(v, i, item) {
		enum auth_type type;

		snprintf(at, sizeof at, "%.500s/%zu", ptr, i);
		if (!json_is_string(item) || !auth_type_parse(json_string_value(item), &type))
			return load_bad(l, at, false, "expected one of: " AUTH_TYPE_WORDS);
		c->auth_types |= type;
	}
	return 0;
}

static int
read_byoa_mode(struct loader *l, const char *ptr, json_t *v, struct connector_rules *c)
{
	static const char *const modes[] = { "allowed", "required", "forbidden" };
	int k = 0;

	c->byoa = BYOA_REQUIRED;
	if (v == NULL)
		return 0;
	while (k < 3 && (!json_is_string(v) || strcmp(modes[k], json_string_value(v)) != 0))
		k++;
	if (k == 3)
		return load_bad_in(l, ptr, "mode", false,
		    "expected allowed, required or forbidden");
	c->byoa = (enum byoa_mode)k;
	return 0;
}

static int
read_app_ref(struct loader *l, const char *ptr, json_t *o, struct connector_rules *c)
{
	json_t *v = json_object_get(o, "app_ref");

	if (v != NULL && (!json_is_string(v) || json_string_length(v) == 0))
		return load_bad_in(l, ptr, "app_ref", false, "expected the name of an OAuth app");
	if (v != NULL && (c->app_ref = strdup(json_string_value(v))) == NULL)
		return load_no_memory(l);
	v = json_object_get(o, "locked");
	if (v != NULL && !json_is_boolean(v))
		return load_bad_in(l, ptr, "locked", false, "expected true or false");
	c->locked = json_is_true(v);
	if (c->locked && c->app_ref == NULL)
		return load_bad_in(l, ptr, "locked", true, "`locked` needs `app_ref`");
	return 0;
}

static int
read_scopes(struct loader *l, const char *ptr, json_t *v, struct connector_rules *c)
{
	size_t i;
	json_t *item;

	if (v != NULL && !json_is_array(v))
		return load_bad_in(l, ptr, "scopes", false, "expected an array of scopes");
	json_array_foreach(v, i, item) {
		if (!json_is_string(item) || !scope_valid(json_string_value(item)))
			return load_bad_in(l, ptr, "scopes", false,
			    "expected strings of one scope each");
		if (load_add_text(&c->scopes, &c->nscopes, json_string_value(item)) != 0)
			return load_no_memory(l);
	}
	return 0;
}

static int
read_byoa(struct loader *l, const char *ptr, json_t *o, struct connector_rules *c)
{
	static const char *const keys[] = { "mode", "app_ref", "locked", "scopes", NULL };

	if (load_keys(l, ptr, o, keys) != 0)
		return l->e->code;
	c->has_byoa = true;
	if (read_byoa_mode(l, ptr, json_object_get(o, "mode"), c) != 0 ||
	    read_app_ref(l, ptr, o, c) != 0)
		return l->e->code;
	return read_scopes(l, ptr, json_object_get(o, "scopes"), c);
}

static int
check_connector(struct loader *l, const char *ptr, const char *id)
{
	const struct policy_reading *how = l->how;

	if (how->connectors == NULL || strcmp(id, "*") == 0)
		return 0;
	for (size_t i = 0; i < how->nconnectors; i++)
		if (strcmp(how->connectors[i], id) == 0)
			return 0;
	return load_unknown(l, ptr, true, "there is no connector", id, how->connectors,
	    how->nconnectors);
}

/* Bring-your-own is for the grants of OAuth. */
static bool
any_needs_app(unsigned types)
{
	for (unsigned t = 1; t < AUTH_TYPE_END; t <<= 1)
		if (types & t && auth_type_flags(t) & AUTH_NEEDS_APP)
			return true;
	return false;
}

static void
read_connector(struct loader *l, const char *ptr, const char *id, json_t *o,
    struct connector_rules *c)
{
	static const char *const keys[] = { "enabled", "auth_types", "byoa", NULL };
	json_t *v;
	char at[LOAD_POINTER];

	c->id = strdup(id);
	c->at = load_where(l, ptr);
	check_connector(l, ptr, id);
	load_keys(l, ptr, o, keys);
	v = json_object_get(o, "enabled");
	if (v != NULL && !json_is_boolean(v))
		load_bad_in(l, ptr, "enabled", false, "expected true or false");
	c->enabled = v == NULL ? UNSET : json_is_true(v) ? ALLOW : DENY;
	v = json_object_get(o, "auth_types");
	if (v != NULL)
		read_auth_types(l, load_join(at, sizeof at, ptr, "auth_types"), v, c);
	if ((v = json_object_get(o, "byoa")) == NULL)
		return;
	if (c->auth_types != 0 && !any_needs_app(c->auth_types))
		load_bad_in(l, ptr, "byoa", true, "`byoa` without a type in `auth_types` that needs an "
		    "OAuth app has no effect");
	else
		read_byoa(l, load_join(at, sizeof at, ptr, "byoa"), v, c);
}

static void
read_connectors(struct loader *l, const char *ptr, json_t *o, struct set *s)
{
	const char *id;
	json_t *v;
	char at[LOAD_POINTER];

	if (!json_is_object(o)) {
		load_bad(l, ptr, false, "expected an object of connectors");
		return;
	}
	s->connector = calloc(json_object_size(o) + 1, sizeof *s->connector);
	if (s->connector == NULL) {
		load_no_memory(l);
		return;
	}
	json_object_foreach(o, id, v)
		if (!load_is_note(id))
			read_connector(l, load_join(at, sizeof at, ptr, id), id, v,
			    &s->connector[s->nconnectors++]);
}

int
load_set_find(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->nsets; i++)
		if (strcmp(p->set[i].name, name) == 0)
			return (int)i;
	return -1;
}

static void
read_rules(struct loader *l, const char *ptr, json_t *o, struct set *s)
{
	static const char *const keys[] = { "mode", "shared", "personal", "connectors", NULL };
	json_t *v;
	char at[LOAD_POINTER];

	load_keys(l, ptr, o, keys);
	v = json_object_get(o, "mode");
	if (v != NULL && (!json_is_string(v) || strcmp(json_string_value(v), "enforce") != 0))
		load_bad_in(l, ptr, "mode", false, "expected enforce");
	if ((v = json_object_get(o, "shared")) != NULL)
		read_shared(l, load_join(at, sizeof at, ptr, "shared"), v, s);
	if ((v = json_object_get(o, "personal")) != NULL)
		read_personal(l, load_join(at, sizeof at, ptr, "personal"), v, s);
	if ((v = json_object_get(o, "connectors")) != NULL)
		read_connectors(l, load_join(at, sizeof at, ptr, "connectors"), v, s);
}

static void
read_set(struct loader *l, const char *ptr, const char *name, json_t *o)
{
	struct policy *p = l->p;
	struct set *s;

	if (load_set_find(p, name) >= 0) {
		load_bad(l, ptr, true, "policy '%.60s' is defined twice", name);
		return;
	}
	if ((s = array_more(p->set, p->nsets, sizeof *s)) == NULL) {
		load_no_memory(l);
		return;
	}
	p->set = s;
	s = &s[p->nsets++];
	*s = (struct set){ .name = strdup(name), .at = load_where(l, ptr) };
	read_rules(l, ptr, o, s);
}

void
load_policies(struct loader *l, json_t *o)
{
	const char *name;
	json_t *v;
	char at[LOAD_POINTER];

	if (!json_is_object(o)) {
		load_bad(l, "/policies", false, "expected an object of policies");
		l->incomplete = true;
	}
	json_object_foreach(o, name, v)
		if (!load_is_note(name))
			read_set(l, load_join(at, sizeof at, "/policies", name), name, v);
}

static void
check_except(struct loader *l, const struct set *s, const char *role)
{
	char shared[LOAD_POINTER], at[LOAD_POINTER];

	if (role_find(l->p, role) >= 0 || l->incomplete)
		return;
	load_join(shared, sizeof shared, s->at.pointer, "shared");
	load_bad(l, load_join(at, sizeof at, shared, "except"), false,
	    "policy '%.60s' excepts role '%.60s', which does not exist", s->name, role);
}

void
load_check_excepts(struct loader *l, const struct source *files)
{
	for (size_t i = 0; i < l->p->nsets; i++) {
		const struct set *s = &l->p->set[i];

		l->file = files[s->at.file].path;
		l->text = buf_slice(&files[s->at.file].text);
		for (size_t k = 0; k < s->except.nroles; k++)
			check_except(l, s, s->except.role[k]);
	}
}

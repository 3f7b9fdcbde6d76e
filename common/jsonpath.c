/*
 * jsonpath.c - see jsonpath.h. One stepper reads both ways; finding and checking follow it.
 */
#include "common/jsonpath.h"

#include <stdlib.h>
#include <string.h>

struct step {
	char	name[JSONPATH_NAME];
	long	index;			/* -1: only a name */
	bool	bracket;		/* only an index */
};

/* One name of RFC 6901; P is after its '/'. NULL: it is none. */
static const char *
pointer_step(const char *p, struct step *ret)
{
	size_t n = 0;

	for (; *p != '\0' && *p != '/'; p++) {
		char c = *p;

		if (c == '~' && (*++p == '0' || *p == '1'))
			c = *p == '0' ? '~' : '/';
		else if (c == '~')
			return NULL;
		if (n + 1 >= sizeof ret->name)
			return NULL;
		ret->name[n++] = c;
	}
	ret->name[n] = '\0';
	ret->bracket = false;
	ret->index = n > 0 && n < 6 && strspn(ret->name, "0123456789") == n ? atol(ret->name) : -1;
	return p;
}

static const char *
index_step(const char *p, struct step *ret)
{
	size_t n = strspn(p + 1, "0123456789");

	if (n == 0 || n > 5 || p[1 + n] != ']')
		return NULL;
	ret->index = atol(p + 1);
	ret->bracket = true;
	return p + n + 2;
}

static const char *
dotted_step(const char *p, struct step *ret)
{
	size_t n = strcspn(p, ".[");

	if (n == 0 || n >= sizeof ret->name)
		return NULL;
	memcpy(ret->name, p, n);
	ret->name[n] = '\0';
	ret->index = -1;
	ret->bracket = false;
	return p + n;
}

/* The step at P into RET, and where the next one begins; NULL: PATH is not valid. */
static const char *
next_step(const char *path, const char *p, struct step *ret)
{
	if (*path == '/')
		return pointer_step(p + 1, ret);
	if (*p == '[')
		return index_step(p, ret);
	if (p != path && *p++ != '.')
		return NULL;
	return dotted_step(p, ret);
}

bool
jsonpath_valid(const char *path)
{
	struct step s;
	const char *p = path;
	int steps = 0;

	while (p != NULL && *p != '\0' && steps++ < JSONPATH_STEPS)
		p = next_step(path, p, &s);
	return p != NULL && *p == '\0';
}

json_t *
jsonpath_get(json_t *v, const char *path)
{
	struct step s;

	if (!jsonpath_valid(path))
		return NULL;
	for (const char *p = path; v != NULL && *p != '\0';) {
		p = next_step(path, p, &s);
		if (json_is_array(v) && s.index >= 0)
			v = json_array_get(v, (size_t)s.index);
		else
			v = s.bracket ? NULL : json_object_get(v, s.name);
	}
	return v;
}

bool
jsonpath_has(const char *path, const char *name)
{
	struct step s;

	for (const char *p = path; p != NULL && *p != '\0';)
		if ((p = next_step(path, p, &s)) != NULL && !s.bracket && strcmp(s.name, name) == 0)
			return true;
	return false;
}

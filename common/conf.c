/*
 * conf.c - see conf.h.
 */
#include "common/conf.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "common/bytes.h"

#define at(base, off, type) ((type *)(void *)((char *)(base) + (off)))

static bool
number(const char *text, const char *units, const unsigned long long *scale,
    unsigned long long *ret)
{
	unsigned long long v, k = 1;
	char *end;
	const char *u;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno != 0)
		return false;
	if (*end != '\0') {
		if ((u = strchr(units, *end)) == NULL || end[1] != '\0')
			return false;
		k = scale[u - units];
	}
	if (v > ULLONG_MAX / k)
		return false;
	*ret = v * k;
	return true;
}

static bool
list_add(struct conf_list *l, const char *value)
{
	char **v = array_more(l->v, l->n, sizeof *v);

	if (v == NULL)
		return false;
	l->v = v;
	return (v[l->n] = strdup(value)) != NULL && ++l->n;
}

static bool
set_string(char **to, const char *value)
{
	char *copy = strdup(value);

	if (copy == NULL)
		return false;
	free(*to);
	*to = copy;
	return true;
}

/* NULL, or what a value must look like. */
static const char *
set_value(const struct conf_key *k, const char *value, void *into)
{
	static const unsigned long long size[] = { 1 << 10, 1 << 20, 1 << 30, 1ULL << 40 };
	static const unsigned long long secs[] = { 1, 60, 3600, 86400 };
	unsigned long long n;

	switch (k->type) {
	case CONF_PATH:
		if (*value != '/' && *value != '\0')
			return "an absolute path";
		/* fallthrough */
	case CONF_STR:
		return set_string(at(into, k->offset, char *), value) ? NULL : "memory";
	case CONF_LIST:
		return list_add(at(into, k->offset, struct conf_list), value) ? NULL :
										"memory";
	case CONF_UINT:
		if (!number(value, "", NULL, &n) || n > UINT_MAX)
			return "a number";
		*at(into, k->offset, unsigned) = (unsigned)n;
		return NULL;
	case CONF_SIZE:
		if (!number(value, "kMGT", size, &n))
			return "a size such as 512k, 16M or 64G";
		*at(into, k->offset, size_t) = (size_t)n;
		return NULL;
	case CONF_SECONDS:
		if (!number(value, "smhd", secs, &n) || n > UINT_MAX)
			return "a time such as 30s, 10m, 1h or 7d";
		*at(into, k->offset, unsigned) = (unsigned)n;
		return NULL;
	case CONF_BOOL:
		if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
			return "yes or no";
		*at(into, k->offset, bool) = *value == 'y';
		return NULL;
	}
	return "known";
}

static int
set_defaults(const struct conf_key *keys, void *into, struct err *e)
{
	for (const struct conf_key *k = keys; k->name != NULL; k++) {
		const char *v = k->dflt;

		if (v == NULL && k->type != CONF_STR && k->type != CONF_PATH)
			continue;
		if (set_value(k, v == NULL ? "" : v, into) != NULL)
			return err_set(e, V_INTERNAL, "default of %s", k->name);
	}
	return 0;
}

static char *
trim(char *s)
{
	char *end = s + strlen(s);

	while (isspace((unsigned char)*s))
		s++;
	while (end > s && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return s;
}

static int
set_line(const struct conf_key *keys, char *line, unsigned long long *seen, void *into,
    struct err *e)
{
	char *eq = strchr(line, '='), *name, *value;
	const char *want;
	size_t i = 0;

	if (eq == NULL)
		return err_set(e, V_INVALID, "expected `key = value`");
	*eq = '\0';
	name = trim(line);
	value = trim(eq + 1);
	while (keys[i].name != NULL && strcmp(keys[i].name, name) != 0)
		i++;
	if (keys[i].name == NULL)
		return err_set(e, V_INVALID, "unknown key '%.60s'", name);
	if (*seen >> i & 1 && keys[i].type != CONF_LIST)
		return err_set(e, V_INVALID, "'%s' stands twice", name);
	*seen |= 1ULL << i;
	if ((want = set_value(&keys[i], value, into)) != NULL)
		return err_set(e, V_INVALID, "'%s' must be %s", name, want);
	return 0;
}

static int
set_file(const struct conf_key *keys, const char *file, void *into, struct err *e)
{
	unsigned long long seen = 0;
	AUTO_FREE char *line = NULL;
	size_t cap = 0;
	int n = 0, rc = 0;
	FILE *f = fopen(file, "re");

	if (f == NULL)
		return err_errno(e, "%s", file);
	while (rc == 0 && getline(&line, &cap, f) >= 0) {
		char *s = trim(line);

		n++;
		if (*s != '\0' && *s != '#' && (rc = set_line(keys, s, &seen, into, e)) != 0)
			err_wrap(e, "%s:%d", file, n);
	}
	if (rc == 0 && ferror(f))
		rc = err_errno(e, "%s", file);
	fclose(f);
	return rc;
}

int
conf_load(const struct conf_key *keys, const char *file, void *into, struct err *e)
{
	int rc = set_defaults(keys, into, e);

	if (rc == 0 && file != NULL)
		rc = set_file(keys, file, into, e);
	if (rc != 0)
		conf_free(keys, into);
	return rc;
}

void
conf_free(const struct conf_key *keys, void *from)
{
	for (const struct conf_key *k = keys; k->name != NULL; k++) {
		if (k->type == CONF_STR || k->type == CONF_PATH) {
			free(*at(from, k->offset, char *));
			*at(from, k->offset, char *) = NULL;
		} else if (k->type == CONF_LIST) {
			struct conf_list *l = at(from, k->offset, struct conf_list);

			while (l->n > 0)
				free(l->v[--l->n]);
			free(l->v);
			*l = (struct conf_list){ 0 };
		}
	}
}

void
conf_print(const struct conf_key *keys)
{
	for (const struct conf_key *k = keys; k->name != NULL; k++)
		printf("# %s\n%s%s = %s\n", k->help, k->dflt == NULL ? "#" : "", k->name,
		    k->dflt == NULL ? "" : k->dflt);
}

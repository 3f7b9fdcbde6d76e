/*
 * load.c - the set of files: whole set or nothing. What stands in them is read by load_*.c.
 * See policy.h and vault-policy(5).
 */
#include "policy/load.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/auto.h"
#include "common/envelope.h"

#define FILE_MAX	(4u << 20)

/* Definitions of all files first, then what refers to them. */
static void
read_definitions(struct loader *l, const struct source *s)
{
	static const char *const keys[] = { "policies", "roles", "grants", "assign",
		"mandatory", NULL };
	json_t *v;

	if (load_keys(l, "", s->o, keys) != 0)
		l->incomplete = true;
	if ((v = json_object_get(s->o, "policies")) != NULL)
		load_policies(l, v);
	if ((v = json_object_get(s->o, "roles")) != NULL)
		load_roles(l, v);
}

static void
read_references(struct loader *l, const struct source *s)
{
	json_t *v;

	if ((v = json_object_get(s->o, "grants")) != NULL)
		load_grants(l, v);
	if ((v = json_object_get(s->o, "mandatory")) != NULL)
		load_mandatory(l, v);
	if ((v = json_object_get(s->o, "assign")) != NULL)
		load_assign(l, v);
}

static void
each_file(struct loader *l, const struct source *s, size_t n,
    void (*reader)(struct loader *l, const struct source *s))
{
	for (size_t i = 0; i < n; i++) {
		if (s[i].o == NULL)
			continue;
		l->file = s[i].path;
		l->index = (int)i;
		l->text = buf_slice(&s[i].text);
		reader(l, &s[i]);
	}
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

static struct policy *
new_policy(const struct source *s, size_t n, struct err *e)
{
	struct policy *p = calloc(1, sizeof *p);

	if (p == NULL) {
		err_set(e, V_LIMIT, "out of memory");
		return NULL;
	}
	atomic_init(&p->refs, 1);
	p->tenant = p->mandatory = NO_SET;
	for (size_t i = 0; i < n; i++)
		p->file[p->nfiles++] = strdup(s[i].path);
	roles_builtin(p, e);
	return p;
}

/* E is set already where a file could not be read; the others are looked at all the same. */
static int
compile(const struct source *s, size_t n, const struct policy_reading *how,
    struct policy **ret, struct err *e)
{
	struct loader l = { .how = how, .incomplete = e->code != 0, .e = e };

	if ((l.p = new_policy(s, n, e)) == NULL)
		return e->code;
	each_file(&l, s, n, read_definitions);
	each_file(&l, s, n, read_references);
	load_check_excepts(&l, s);
	load_check_assigned(&l, s);
	load_check_governed(&l);
	if (e->code != 0) {
		policy_free(l.p);
		return e->code;
	}
	hash_sources(l.p, s, n);
	*ret = l.p;
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

static int
read_source(const char *path, const struct policy_reading *how, struct source *s, struct err *e)
{
	s->path = strdup(path);
	if (how->check_owner && check_owner(path, e) != 0)
		return e->code;
	if ((s->o = json_parse_file(path, FILE_MAX, &s->text, e)) == NULL)
		return err_rename(e, ERR_POLICY_INVALID);
	return 0;
}

int
policy_load_files(const char *const *paths, size_t n, const struct policy_reading *how,
    struct policy **ret, struct err *e)
{
	struct source s[POLICY_FILES] = { 0 };
	struct err one;
	int rc;

	err_clear(e);
	if (n > POLICY_FILES)
		return err_name(e, ERR_POLICY_INVALID, "more than %d policy files", POLICY_FILES);
	for (size_t i = 0; i < n; i++) {
		if (read_source(paths[i], how, &s[i], &one) == 0)
			continue;
		if (how->faults != NULL)
			faults_add(how->faults, paths[i], &one);
		if (e->code == 0)
			*e = one;
	}
	rc = compile(s, n, how, ret, e);
	free_sources(s, n);
	if (how->faults != NULL)
		faults_sort(how->faults);
	return rc;
}

static int
is_json(const struct dirent *de)
{
	size_t n = strlen(de->d_name);

	return n > 5 && strcmp(de->d_name + n - 5, ".json") == 0 && de->d_name[0] != '.';
}

/* The paths of DIR's files in order; returns how many, E is set where that is not all. */
static int
list_files(const char *dir, char **paths, struct err *e)
{
	struct dirent **found = NULL;
	int n = scandir(dir, &found, is_json, alphasort), kept = 0;

	if (n < 0)
		err_errno(e, "%s", dir);
	for (int i = 0; i < n; i++) {
		if (kept < POLICY_FILES &&
		    asprintf(&paths[kept], "%s/%s", dir, found[i]->d_name) > 0)
			kept++;
		free(found[i]);
	}
	free(found);
	if (n > POLICY_FILES)
		err_name(e, ERR_POLICY_INVALID, "%s: more than %d files", dir, POLICY_FILES);
	return kept;
}

int
policy_load(const char *dir, const struct policy_reading *how, struct policy **ret,
    struct err *e)
{
	char *paths[POLICY_FILES] = { 0 };
	int n = 0;

	err_clear(e);
	if (!how->check_owner || check_owner(dir, e) == 0)
		n = list_files(dir, paths, e);
	if (e->code == 0)
		policy_load_files((const char *const *)paths, (size_t)n, how, ret, e);
	else if (how->faults != NULL)
		faults_add(how->faults, dir, e);
	for (int i = 0; i < n; i++)
		free(paths[i]);
	return e->code;
}

int
policy_parse(const char *file, const char *text, size_t len, const struct policy_reading *how,
    struct policy **ret, struct err *e)
{
	struct source s = { .path = strdup(file) };

	err_clear(e);
	if (!buf_add(&s.text, text, len))
		err_set(e, V_LIMIT, "out of memory");
	else if ((s.o = json_parse(buf_slice(&s.text), FILE_MAX, e)) == NULL) {
		err_prefix(e, "%s:", file);
		err_rename(e, ERR_POLICY_INVALID);
	} else {
		compile(&s, 1, how, ret, e);
	}
	free_sources(&s, 1);
	return e->code;
}

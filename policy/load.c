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
		if (load_keys(l, "", s->o, keys) != 0)
			return l->e->code;
		if ((v = json_object_get(s->o, "policies")) != NULL && load_policies(l, v) != 0)
			return l->e->code;
		v = json_object_get(s->o, "roles");
		return v == NULL ? 0 : load_roles(l, v);
	}
	if ((v = json_object_get(s->o, "grants")) != NULL && load_grants(l, v) != 0)
		return l->e->code;
	if ((v = json_object_get(s->o, "mandatory")) != NULL && load_mandatory(l, v) != 0)
		return l->e->code;
	v = json_object_get(s->o, "assign");
	return v == NULL ? 0 : load_assign(l, v);
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
		rc = load_check_excepts(&l, s);
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
		if (rc == 0 &&
		    (s[i].o = json_parse_file(paths[i], FILE_MAX, &s[i].text, e)) == NULL)
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
		rc = policy_load_files((const char *const *)paths, (size_t)kept, names, known,
		    owner, ret, e);
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

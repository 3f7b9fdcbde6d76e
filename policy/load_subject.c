/*
 * load_subject.c - whom a rule is about: names of users and groups become numbers here.
 */
#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "policy/load.h"

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

bool
load_uid(struct loader *l, const char *name, uid_t *ret)
{
	unsigned n;

	if (strncmp(name, "uid:", 4) == 0 && number(name + 4, &n)) {
		*ret = n;
		return true;
	}
	return l->how->names != NULL ? l->how->names->user(name, ret) : system_user(name, ret);
}

bool
load_gid(struct loader *l, const char *name, gid_t *ret)
{
	unsigned n;

	if (strncmp(name, "gid:", 4) == 0 && number(name + 4, &n)) {
		*ret = n;
		return true;
	}
	return l->how->names != NULL ? l->how->names->group(name, ret) : system_group(name, ret);
}

static int
add_id(unsigned **v, size_t *n, unsigned id)
{
	unsigned *w = array_more(*v, *n, sizeof *w);

	if (w == NULL)
		return -1;
	*v = w;
	w[(*n)++] = id;
	return 0;
}

int
load_add_text(char ***v, size_t *n, const char *s)
{
	char **w = array_more(*v, *n, sizeof *w);

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
		if (load_uid(l, s[1] == 's' ? s + 5 : s, &uid))
			return add_id(&to->uid, &to->nuids, uid) == 0 ? 0 : load_no_memory(l);
		load_warn(l, ptr, "matches nobody: there is no", s);
		return 0;
	}
	if (strncmp(s, "group:", 6) == 0 || strncmp(s, "gid:", 4) == 0) {
		if (load_gid(l, s[1] == 'r' ? s + 6 : s, &gid))
			return add_id(&to->gid, &to->ngids, gid) == 0 ? 0 : load_no_memory(l);
		load_warn(l, ptr, "matches nobody: there is no", s);
		return 0;
	}
	if (strncmp(s, "unit:", 5) == 0 && s[5] != '\0')
		return load_add_text(&to->unit, &to->nunits, s + 5) == 0 ? 0 : load_no_memory(l);
	if (roles && strncmp(s, "role:", 5) == 0)
		return load_add_text(&to->role, &to->nroles, s + 5) == 0 ? 0 : load_no_memory(l);
	return load_bad(l, ptr, false, "expected everyone, user:NAME, group:NAME, uid:N, gid:N, "
	    "unit:NAME%s", roles ? " or role:NAME" : "");
}

static int
by_number(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	return x < y ? -1 : x > y;
}

int
load_subjects(struct loader *l, const char *ptr, json_t *v, bool roles, struct subjects *to)
{
	size_t i;
	json_t *item;
	char at[LOAD_POINTER];

	if (!json_is_array(v))
		return load_bad(l, ptr, false, "expected an array of subjects");
	json_array_foreach(v, i, item) {
		snprintf(at, sizeof at, "%.500s/%zu", ptr, i);
		if (!json_is_string(item))
			return load_bad(l, at, false, "expected a string");
		if (add_subject(l, at, json_string_value(item), roles, to) != 0)
			return l->e->code;
	}
	if (to->nuids > 0)
		qsort(to->uid, to->nuids, sizeof *to->uid, by_number);
	if (to->ngids > 0)
		qsort(to->gid, to->ngids, sizeof *to->gid, by_number);
	return 0;
}

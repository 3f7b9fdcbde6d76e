/*
 * load.h - reading policy files into a snapshot; for policy/load*.c alone.
 *
 * Readers return 0, or the class of the error, which load_bad() has put into the loader with
 * file, line and column. PTR is the RFC 6901 pointer of what is read.
 */
#pragma once

#include <stdbool.h>

#include "common/json.h"
#include "policy/snapshot.h"

#define LOAD_POINTER 600

struct loader {
	struct policy			*p;
	const struct policy_names	*names;
	const struct policy_known	*known;
	const char			*file;
	int				 index;
	struct slice			 text;
	struct err			*e;
};

struct source {
	char	*path;
	struct buf text;
	json_t	*o;
};

/* ---- load_json.c */

/* What is at PTR is wrong; KEY: its name is. */
int load_bad(struct loader *l, const char *ptr, bool key, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* The same of PTR's member. */
int load_bad_in(struct loader *l, const char *ptr, const char *member, bool key,
    const char *text);
int load_no_memory(struct loader *l);
void load_warn(struct loader *l, const char *ptr, const char *what, const char *name);
/* PTR/NAME, escaped, into OUT, which is returned. */
char *load_join(char *out, size_t cap, const char *ptr, const char *name);
/* "$schema" and "$comment" may be anywhere. */
bool load_is_note(const char *key);
/* O is an object with keys of NAMES (NULL ended) and notes alone. */
int load_keys(struct loader *l, const char *ptr, json_t *o, const char *const *names);
struct where load_where(struct loader *l, const char *ptr);

/* ---- load_subject.c */

/* A name, or uid:N, gid:N. FALSE: there is none. */
bool load_uid(struct loader *l, const char *name, uid_t *ret);
bool load_gid(struct loader *l, const char *name, gid_t *ret);
int load_add_text(char ***v, size_t *n, const char *s);
/* ROLES: role:NAME is allowed too. */
int load_subjects(struct loader *l, const char *ptr, json_t *v, bool roles,
    struct subjects *to);

/* ---- load_policy.c */

int load_policies(struct loader *l, json_t *o);
int load_set_find(const struct policy *p, const char *name);	/* -1 = there is none */
/* Roles in `except` may be defined in any file: called when all are read. */
int load_check_excepts(struct loader *l, const struct source *files);

/* ---- load_grant.c, load_assign.c */

int load_roles(struct loader *l, json_t *o);
int load_grants(struct loader *l, json_t *a);
int load_assign(struct loader *l, json_t *o);
int load_mandatory(struct loader *l, json_t *v);

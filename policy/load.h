/*
 * load.h - reading policy files into a snapshot; for policy/load*.c alone.
 *
 * A reader of one thing returns 0, or the class of the error that load_bad() has noted with
 * file, line and column. A reader of many goes on behind a bad one, so that all that is wrong
 * is told at once, and returns nothing. PTR is the RFC 6901 pointer of what is read.
 */
#pragma once

#include <stdbool.h>

#include "common/json.h"
#include "policy/snapshot.h"

#define LOAD_POINTER 600

struct loader {
	struct policy			*p;
	const struct policy_reading	*how;
	const char			*file;
	int				 index;
	struct slice			 text;
	bool				 incomplete;	/* definitions could not be read */
	bool				 assigns;	/* some file says who gets what */
	struct err			*e;		/* the first */
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
/* The same, where NAME is none of NAMES: the closest is suggested. WHAT, such as "unknown key". */
int load_unknown(struct loader *l, const char *ptr, bool key, const char *what, const char *name,
    const char *const *names, size_t n);
int load_no_memory(struct loader *l);
/* "WHAT 'NAME'" at PTR: an admin should know; the set is good all the same. */
void load_warn(struct loader *l, const char *ptr, const char *what, const char *name);
void load_warn_of_set(struct loader *l, const char *text);	/* of no file */
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

void load_policies(struct loader *l, json_t *o);
int load_set_find(const struct policy *p, const char *name);	/* -1 = there is none */
/* Roles in `except` may be defined in any file: called when all are read. */
void load_check_excepts(struct loader *l, const struct source *files);

/* ---- load_grant.c, load_assign.c */

void load_roles(struct loader *l, json_t *o);
void load_grants(struct loader *l, json_t *a);
void load_assign(struct loader *l, json_t *o);
void load_mandatory(struct loader *l, json_t *v);
/* Warn of policies that nobody gets, and of a vault that nobody governs, when all is read. */
void load_check_assigned(struct loader *l, const struct source *files);
void load_check_governed(struct loader *l);

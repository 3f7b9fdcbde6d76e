/*
 * policy.h - who may do what: policy files in, decisions with reasons out.
 *
 * A pure library. policy_load() reads a directory of JSON files into an immutable
 * snapshot; policy_decide() asks it, without I/O, clock or allocation. Every decision
 * names file, rule (RFC 6901 pointer) and level. Defaults deny. See vault-policy(5).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/auth_type.h"
#include "common/err.h"
#include "common/errors.h"
#include "common/fault.h"

enum policy_action {
	ACT_NONE,		/* needs no permission (introspection, status) */
	ACT_CONN_VIEW, ACT_CONN_USE, ACT_CONN_CREATE, ACT_CONN_EDIT, ACT_CONN_RECONNECT,
	ACT_CONN_DELETE,
	ACT_FOLDER_VIEW, ACT_FOLDER_CREATE, ACT_FOLDER_CREATE_SUB, ACT_FOLDER_GRANT,
	ACT_FOLDER_DELETE,
	ACT_APP_VIEW, ACT_APP_EDIT,
	ACT_POLICY_READ, ACT_POLICY_RELOAD, ACT_AUDIT_READ, ACT_VAULT_ADMIN,
	ACT_CONN_DEFAULT, ACT_CONN_DISABLE, ACT_CONN_MOVE, ACT_CONN_EXPORT,
	ACT_CONN_USE_RAW,	/* a static secret as it is, not as a header */
	ACT_BINDING_EDIT, ACT_APP_ROTATE,
	ACT_MAX,
};
const char *policy_action_name(enum policy_action a);	/* "conn.create", ... */
bool policy_action_parse(const char *name, enum policy_action *ret);

enum folder_class { FOLDER_NONE, FOLDER_PERSONAL, FOLDER_SHARED };

/* Who asks. Borrowed. */
struct policy_subject {
	uid_t		 uid;
	const gid_t	*gids;
	size_t		 ngids;
	const char	*unit;		/* systemd system unit, NULL = not known */
	bool		 operator;	/* uid 0 or operator_group */
};

/* About what. NULL and 0 = does not apply. Borrowed. */
struct policy_object {
	enum folder_class class;
	const char	*folder;	/* "shared/finance/eu", "personal" */
	bool		 own;		/* personal workspace of the subject */
	const char	*connector;
	const char	*auth_type;	/* as auth_type_name() says */
	bool		 byoa;		/* an app of the caller's choice is named */
	const char	*app;		/* its name */
};

struct policy_decision {
	bool		 allow;
	enum err_id	 id;		/* the error to answer when denied */
	char		 file[256];	/* "" = built-in */
	char		 rule[256];	/* RFC 6901 pointer into file, or a built-in's name */
	char		 level[16];	/* floor, user, group, tenant, built-in */
	char		 policy[64];	/* the policy's name */
	char		 text[320];	/* for the caller: what, which rule, whose move */
};

enum byoa_mode { BYOA_ALLOWED, BYOA_REQUIRED, BYOA_FORBIDDEN };

/* What a connector's rules give to someone who begins a connection. Borrowed from the
 * snapshot. */
struct policy_byoa {
	enum byoa_mode	 mode;
	const char	*app_ref;	/* name of the default app, NULL = none */
	bool		 locked;	/* only this app */
	const char	*const *scopes;	/* preset; NULL = the connector's */
	size_t		 nscopes;
};

struct policy;		/* a snapshot; immutable, shared by reference count */

/* Name look-ups, done at load only. NULL = getpwnam_r(3), getgrnam_r(3). */
struct policy_names {
	bool (*user)(const char *name, uid_t *ret);
	bool (*group)(const char *name, gid_t *ret);
};

/* How files are read; zeroed: with the system's names, and nothing else is looked at. */
struct policy_reading {
	const struct policy_names *names;
	const char	*const *connectors;	/* ids that exist; NULL: not checked */
	size_t		 nconnectors;
	/* Files and their directory must belong to root (or to the caller's uid) and not be
	 * writable by others. */
	bool		 check_owner;
	struct faults	*faults;		/* gets all that is wrong; may be NULL */
};

struct policy_warning { char text[320]; };

/*
 * Loads every *.json of DIR (sorted by name), whole set or nothing. Errors: the first that was
 * found, ERR_POLICY_INVALID "FILE:LINE:COLUMN: ...", or V_IO.
 */
int policy_load(const char *dir, const struct policy_reading *how, struct policy **ret,
    struct err *e);
/* The same from N paths, for `vaultctl policy check FILE...`. */
int policy_load_files(const char *const *paths, size_t n, const struct policy_reading *how,
    struct policy **ret, struct err *e);
/* One file from memory, for the fuzzer and unit tests. */
int policy_parse(const char *file, const char *text, size_t len,
    const struct policy_reading *how, struct policy **ret, struct err *e);

struct policy *policy_ref(struct policy *p);
void policy_unref(struct policy *p);
#define POLICY_HASH 65		/* 64 hex digits and NUL */
/* SHA-256 over the set; names the set in audit lines. */
const char *policy_hash(const struct policy *p);
/* Found at load: nothing of the vault is known then. */
size_t policy_warnings(const struct policy *p, const struct policy_warning **ret);

/* Decides. The checks run in a fixed order: folder visible, folder-class rules,
 * permission, connector enabled, auth type, BYOA. RET is always filled. Returns ret->allow. */
bool policy_decide(const struct policy *p, const struct policy_subject *s,
    enum policy_action action, const struct policy_object *o,
    struct policy_decision *ret);

/* The BYOA rules of CONNECTOR for this subject. */
void policy_byoa(const struct policy *p, const struct policy_subject *s,
    const char *connector, struct policy_byoa *ret);

/* Is UID (or a group of it) named anywhere? Unnamed ones share one bucket of limits. */
bool policy_names_subject(const struct policy *p, const struct policy_subject *s);

/* Something of the vault that the set names and that need not be there. Borrowed. */
struct policy_mention {
	const char	*name;		/* of an app; of a folder, without "/" and stars at its end */
	const char	*connector;	/* whose app it is to be; "*" = any */
	const char	*file, *rule;
};
/* Every app_ref, and every folder of a grant, to warn of what is not there. */
void policy_app_refs(const struct policy *p,
    void (*each)(void *arg, const struct policy_mention *m), void *arg);
void policy_grant_folders(const struct policy *p,
    void (*each)(void *arg, const struct policy_mention *m), void *arg);

/*
 * snapshot.h - what policy files compile to; for policy/ alone. Immutable once built.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "common/bytes.h"
#include "policy/policy.h"

#define POLICY_FILES	64
#define NO_SET		(-1)		/* `null`: inheritance stops here */

/* Where something was written: for reasons. */
struct where {
	int	 file;			/* index; -1 = built-in */
	char	*pointer;		/* owned */
};

enum tri { UNSET, ALLOW, DENY };

struct subjects {
	bool	 everyone;
	uid_t	*uid;			/* sorted */
	size_t	 nuids;
	gid_t	*gid;
	size_t	 ngids;
	char	**unit, **role;		/* role: only in `except` */
	size_t	 nunits, nroles;
};

struct connector_rules {
	char		*id;		/* "*": all that are not named */
	enum tri	 enabled;
	unsigned	 auth_types;	/* enum auth_type bits; 0 = unset */
	bool		 has_byoa, locked;
	enum byoa_mode	 byoa;
	char		*app_ref;
	char		**scopes;
	size_t		 nscopes;
	struct where	 at;
};

struct set {			/* one named policy */
	char			*name;
	enum tri		 connection_create, folder_create, subfolder_create, workspace;
	struct subjects		 except;
	struct connector_rules	*connector;
	size_t			 nconnectors;
	bool			 assigned;	/* somebody may get it */
	struct where		 at;
};

struct role {
	char		*name;
	uint32_t	 actions;	/* bits by enum policy_action */
};

struct grant {
	int		 role;
	struct subjects	 to;
	char		*folder;	/* NULL: the vault as a whole */
	struct where	 at;
};

struct assign {
	uid_t		 uid;
	gid_t		 gid;
	int64_t		 priority;
	int		 set;
};

struct policy {
	atomic_int		 refs;
	char			 hash[65];
	char			*file[POLICY_FILES];
	int			 nfiles;
	struct set		*set;
	size_t			 nsets;
	struct role		*role;
	size_t			 nroles;
	struct grant		*grant;
	size_t			 ngrants;
	struct assign		*user, *group;
	size_t			 nusers, ngroups;
	bool			 has_tenant;
	int			 tenant, mandatory;	/* NO_SET = none */
	struct policy_warning	*warning;
	size_t			 nwarnings;
};


/* Built-in roles into P. */
int roles_builtin(struct policy *p, struct err *e);
int role_find(const struct policy *p, const char *name);

void policy_free(struct policy *p);
void subjects_done(struct subjects *s);
bool subjects_match(const struct policy *p, const struct subjects *s,
    const struct policy_subject *who, uint64_t held_roles);

/*
 * launched.h - the three roles as vault-launch sees them: program, user, sockets, process.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "common/err.h"
#include "launch/config.h"

struct listener {
	const char	*file;		/* in run_dir */
	const char	*name;		/* in LISTEN_FDNAMES */
	int		 asker;		/* index of the role that connects; -1 = everybody */
	int		 fd;
};

struct launched {
	const char	*program;	/* "vaultd" */
	const char	*user;
	uid_t		 uid;
	gid_t		 gid;
	struct listener	 listen[2];
	int		 nlisten;
	pid_t		 pid;		/* 0 = not running */
	long long	 started_ms, ready_ms, start_at_ms;
	unsigned	 backoff_ms;
	bool		 given_up;
	long long	 stop_most_ms;	/* how long stopping may take */
	long long	 stop_by_ms;	/* 0 = was not told to stop */
};

enum { ROLE_VAULTD, ROLE_HSM, ROLE_EGRESS, ROLES };

/* Programs, configuration, users: V_INVALID says what is missing. AS_ROOT: each role its
 * own user, which is looked up. */
int roles_check(struct launched r[ROLES], const struct config *c, bool as_root,
    struct err *e);
/* Directories and sockets. */
int roles_prepare(struct launched r[ROLES], const struct config *c, bool as_root,
    struct err *e);
/* Takes pid files and sockets away. */
void roles_done(const struct launched r[ROLES], const struct config *c);
/* Forks and executes; 0 or V_IO. */
int launched_start(struct launched *r, const struct config *c, bool as_root,
    const char *notify_path, struct err *e);

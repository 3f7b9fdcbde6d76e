/*
 * role.h - what every role does the same way at start: take the sockets it was given
 * (sd_listen_fds(3) convention), tell the manager how it is (sd_notify(3)), close what
 * it was not given, and make itself undumpable. The protocols are stable and small; a
 * process that holds secrets does not load a library for them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/err.h"

#define ROLE_FDS 16

struct role_fd {
	int	fd;
	char	name[64];	/* from LISTEN_FDNAMES */
	bool	listening;	/* SO_ACCEPTCONN: accept on it; else it is a connection */
};

struct role_fds {
	struct role_fd	v[ROLE_FDS];
	size_t		n;
};

/* Takes LISTEN_FDS meant for this pid, CLOEXEC, and unsets the variables. */
int role_listen_fds(struct role_fds *ret, struct err *e);
/* The first with NAME, or NULL. */
const struct role_fd *role_fd_find(const struct role_fds *fds, const char *name);

/* Closes every descriptor above 2 that is not in KEEP. */
void role_close_others(const struct role_fds *keep);

/*
 * Before anything secret is read: no core (RLIMIT_CORE 0), PR_SET_DUMPABLE 0,
 * no_new_privs, umask 077, SIGPIPE ignored, and environment reduced to KEEP_ENV (NULL
 * ended list of names) plus NOTIFY_SOCKET, WATCHDOG_*, LISTEN_*, CREDENTIALS_DIRECTORY,
 * PATH, TZ, VAULTD_ROLE_SEPARATION.
 */
int role_harden(const char *const *keep_env, struct err *e);

/* "READY=1", "STATUS=...", "STOPPING=1", "WATCHDOG=1". Silent without NOTIFY_SOCKET. */
void role_notify(const char *state);
void role_statusf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Microseconds between WATCHDOG=1 messages (half of WATCHDOG_USEC), 0 = none wanted. */
unsigned long long role_watchdog_usec(void);

/* SO_PEERCRED of a connected Unix socket. */
int role_peer(int fd, uid_t *uid, gid_t *gid, pid_t *pid, struct err *e);

/*
 * Reads a credential: FILE if not NULL, else $CREDENTIALS_DIRECTORY/NAME. One trailing
 * newline (or CR LF) is cut; empty, NUL inside, over MAX bytes: V_INVALID. The file must
 * not be readable by others.
 */
struct secret;
int role_credential(const char *name, const char *file, size_t max, struct secret *ret,
    struct err *e);

/* Monotonic milliseconds since boot, suspend included (CLOCK_BOOTTIME). */
long long boot_ms(void);
/* Wall clock, seconds and microseconds since 1970. */
long long wall_seconds(void);
long long wall_usec(void);

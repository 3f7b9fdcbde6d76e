/*
 * peer.h - who is asking, from the kernel alone: uid, gid, all supplementary groups,
 * and (where the kernel has SO_PEERPIDFD) the systemd unit, read without a race
 * (docs/ARCHITECTURE.md, Identity). Nothing in the protocol lets a caller name itself.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "common/err.h"

#define PEER_GROUPS 64

struct peer {
	uid_t	uid;
	gid_t	gid;
	pid_t	pid;			/* for logs; never for decisions */
	gid_t	gids[PEER_GROUPS];	/* all, gid included */
	size_t	ngids;
	char	unit[256];		/* system unit, "" = none or not known */
	char	unit_why[128];		/* why unit is "" */
};

/* Of a connected Unix socket, once, at accept. V_DENIED when identity cannot be had or
 * there are more than PEER_GROUPS groups. */
int peer_of(int fd, struct peer *ret, struct err *e);
/* The unit of a cgroup2 path as systemd reads it; pure, for tests. */
bool peer_unit_from_cgroup(const char *path, char unit[256]);

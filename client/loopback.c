/*
 * loopback.c - see loopback.h. proc(5) /proc/net/tcp: the peer's socket has our two ends the other
 * way round, and the uid that made it.
 */
#include "client/loopback.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define END_TEXT 48

union address {
	struct sockaddr_storage	any;
	struct sockaddr_in	four;
	struct sockaddr_in6	six;
};

/* "0100007F:1F90": words as the machine has them, then the port. MAPPED: a socket of IPv6 that
 * talks IPv4 (RFC 4291 section 2.5.5.2). */
static void
end_text(const union address *a, bool mapped, char out[END_TEXT])
{
	unsigned w[4];

	if (a->any.ss_family == AF_INET) {
		snprintf(out, END_TEXT, "%s%08X:%04X", mapped ? "0000000000000000FFFF0000" : "",
		    a->four.sin_addr.s_addr, ntohs(a->four.sin_port));
		return;
	}
	memcpy(w, &a->six.sin6_addr, sizeof w);
	snprintf(out, END_TEXT, "%08X%08X%08X%08X:%04X", w[0], w[1], w[2], w[3],
	    ntohs(a->six.sin6_port));
}

/* The uid of the socket from LOCAL to REMOTE, or -1. */
static long
uid_in(const char *path, const char *local, const char *remote)
{
	FILE *f = fopen(path, "re");
	char line[512], l[END_TEXT], r[END_TEXT];
	unsigned long inode;
	unsigned uid;
	long found = -1;

	while (f != NULL && found < 0 && fgets(line, sizeof line, f) != NULL)
		/* Without an inode it is closed, and the uid of it is nobody's. */
		if (sscanf(line, " %*d: %47s %47s %*s %*s %*s %*s %u %*s %lu", l, r, &uid,
			&inode) == 4 && inode != 0 &&
		    strcmp(l, local) == 0 && strcmp(r, remote) == 0)
			found = (long)uid;
	if (f != NULL)
		fclose(f);
	return found;
}

bool
loopback_peer_is_ours(int fd)
{
	union address here = { 0 }, there = { 0 };
	socklen_t n = sizeof here.any, m = sizeof there.any;
	char local[END_TEXT], remote[END_TEXT];
	long uid = -1;

	if (getsockname(fd, (void *)&here, &n) != 0 || getpeername(fd, (void *)&there, &m) != 0)
		return false;
	for (int mapped = 0; uid < 0 && mapped < 2; mapped++) {
		bool six = mapped || here.any.ss_family == AF_INET6;

		end_text(&there, mapped != 0, local);
		end_text(&here, mapped != 0, remote);
		uid = uid_in(six ? "/proc/net/tcp6" : "/proc/net/tcp", local, remote);
	}
	return uid == 0 || uid == (long)getuid();
}

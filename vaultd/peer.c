/*
 * peer.c - see peer.h.
 *
 * uid and groups are frozen by the kernel at connect(2). The unit is not: it is read from
 * /proc while a pidfd of the connecting process (SO_PEERPIDFD, Linux 6.5) proves before
 * and after that the process is still that one. Without it a recycled pid could lend its
 * unit to somebody else, so then there is no unit, and the reason is kept.
 */
#include "vaultd/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/auto.h"
#include "common/role.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77		/* not in the headers of Debian 12 */
#endif

/* ---- cgroup path to unit (systemd's cg_path_get_unit) */

static bool
ends_with(const char *s, size_t n, const char *suffix)
{
	size_t m = strlen(suffix);

	return n > m && memcmp(s + n - m, suffix, m) == 0;
}

/* A name a process can be in: prefix and type, and not a template without its instance. */
static bool
valid_unit(const char *s, size_t n)
{
	static const char *const types[] = { ".service", ".scope", ".socket", ".mount",
		".swap", ".slice", NULL };
	size_t stem = 0;

	if (n == 0 || n >= 256 || *s == '@')
		return false;
	for (size_t i = 0; i < n; i++)
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@",
			s[i]) == NULL)
			return false;
	for (const char *const *t = types; *t != NULL && stem == 0; t++)
		if (ends_with(s, n, *t))
			stem = n - strlen(*t);
	return stem > 0 && s[stem - 1] != '@';
}

bool
peer_unit_from_cgroup(const char *path, char unit[256])
{
	const char *p = path;

	while (*p == '/') {
		size_t n = strcspn(++p, "/");
		size_t escaped = n > 0 && *p == '_';	/* systemd's, of names cgroups reserve */

		p += escaped;
		n -= escaped;
		if (!valid_unit(p, n))
			return false;
		if (!ends_with(p, n, ".slice")) {
			memcpy(unit, p, n);
			unit[n] = '\0';
			return true;	/* what follows was delegated: not systemd's word */
		}
		p += n;
	}
	return false;
}

/* ---- the unit of a live process */

static bool
is_alive(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, 0) == 0;
}

static ssize_t
read_small(int dir, const char *name, char *out, size_t cap)
{
	AUTO_CLOSE int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, cap - 1);

	out[n > 0 ? n : 0] = '\0';
	return n;
}

static pid_t
pid_of(int pidfd)
{
	char name[64], text[512];
	const char *p;

	snprintf(name, sizeof name, "/proc/self/fdinfo/%d", pidfd);
	if (read_small(AT_FDCWD, name, text, sizeof text) <= 0 ||
	    (p = strstr(text, "\nPid:")) == NULL)
		return -1;
	return (pid_t)strtol(p + 5, NULL, 10);
}

static const char *
cgroup_unit(int proc, char unit[256])
{
	char text[4096], *line, *end;

	if (read_small(proc, "cgroup", text, sizeof text) <= 0)
		return "its cgroup cannot be read";
	for (line = text; line != NULL; line = end != NULL ? end + 1 : NULL) {
		if ((end = strchr(line, '\n')) != NULL)
			*end = '\0';
		if (strncmp(line, "0::", 3) != 0)
			continue;
		if (strstr(line, " (deleted)") != NULL || strstr(line, "/..") != NULL)
			return "its cgroup is outside of what can be seen";
		return peer_unit_from_cgroup(line + 3, unit) ? NULL : "it is in no unit";
	}
	return "there is no unified cgroup hierarchy";
}

/* NULL, or why there is no unit. */
static const char *
unit_of(int fd, pid_t pid, char unit[256])
{
	AUTO_CLOSE int pidfd = -1;
	AUTO_CLOSE int proc = -1;
	socklen_t n = sizeof pidfd;
	char path[32];
	const char *why;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &n) != 0) {
		pidfd = -1;
		return errno == ENOPROTOOPT ? "the kernel has no SO_PEERPIDFD (Linux 6.5)" :
					      "the connecting process is gone";
	}
	if (pid_of(pidfd) != pid)
		return "the connecting process is gone, or in another PID namespace";
	snprintf(path, sizeof path, "/proc/%ld", (long)pid);
	proc = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0 || !is_alive(pidfd))
		return "the connecting process is gone";
	why = cgroup_unit(proc, unit);
	if (why == NULL && !is_alive(pidfd)) {
		unit[0] = '\0';
		return "the connecting process is gone";
	}
	return why;
}

/* ---- groups */

static int
groups_of(int fd, struct peer *p, struct err *e)
{
	gid_t more[PEER_GROUPS];
	socklen_t n = sizeof more;

	p->gids[0] = p->gid;
	p->ngids = 1;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, more, &n) != 0) {
		if (errno == ENODATA)
			return 0;
		return err_set(e, V_DENIED, "the groups of uid %u cannot be had (more than %d?): %s",
		    (unsigned)p->uid, PEER_GROUPS, strerror(errno));
	}
	for (size_t i = 0; i < n / sizeof *more; i++)
		if (more[i] != p->gid) {
			if (p->ngids == PEER_GROUPS)
				return err_set(e, V_DENIED, "uid %u is in more than %d groups",
				    (unsigned)p->uid, PEER_GROUPS);
			p->gids[p->ngids++] = more[i];
		}
	return 0;
}

int
peer_of(int fd, struct peer *ret, struct err *e)
{
	const char *why;

	memset(ret, 0, sizeof *ret);
	if (role_peer(fd, &ret->uid, &ret->gid, &ret->pid, e) != 0)
		return err_set(e, V_DENIED, "%s", "the kernel does not name the peer");
	if (groups_of(fd, ret, e) != 0)
		return e->code;
	why = ret->pid == 0 ? "the peer is in another PID namespace" :
			      unit_of(fd, ret->pid, ret->unit);
	if (why != NULL)
		snprintf(ret->unit_why, sizeof ret->unit_why, "%s", why);
	return 0;
}

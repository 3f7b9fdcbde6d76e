/*
 * role.c - see role.h.
 */
#include "common/role.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/secret.h"

#define LISTEN_FDS_START 3

static bool
is_listening(int fd)
{
	int v = 0;
	socklen_t n = sizeof v;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &v, &n) == 0 && v != 0;
}

static void
forget_listen(void)
{
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

int
role_listen_fds(struct role_fds *ret, struct err *e)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	const char *names = getenv("LISTEN_FDNAMES");
	int n;

	*ret = (struct role_fds){ 0 };
	if (pid == NULL || fds == NULL || atol(pid) != (long)getpid()) {
		forget_listen();
		return 0;
	}
	n = atoi(fds);
	if (n < 0 || n > ROLE_FDS)
		return err_set(e, V_INVALID, "LISTEN_FDS=%s: at most %d sockets", fds, ROLE_FDS);
	for (int i = 0; i < n; i++) {
		struct role_fd *r = &ret->v[ret->n++];
		size_t len = names == NULL ? 0 : strcspn(names, ":");

		r->fd = LISTEN_FDS_START + i;
		snprintf(r->name, sizeof r->name, "%.*s", (int)len, names == NULL ? "" : names);
		if (names != NULL)
			names += names[len] == ':' ? len + 1 : len;
		if (fcntl(r->fd, F_SETFD, FD_CLOEXEC) != 0)
			return err_errno(e, "socket %d of LISTEN_FDS", r->fd);
		r->listening = is_listening(r->fd);
	}
	forget_listen();
	return 0;
}

const struct role_fd *
role_fd_find(const struct role_fds *fds, const char *name)
{
	for (size_t i = 0; i < fds->n; i++)
		if (strcmp(fds->v[i].name, name) == 0)
			return &fds->v[i];
	return NULL;
}

void
role_close_others(const struct role_fds *keep)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *de;

	if (d == NULL)
		return;
	while ((de = readdir(d)) != NULL) {
		int fd = atoi(de->d_name);
		bool kept = fd <= 2 || fd == dirfd(d);

		for (size_t i = 0; keep != NULL && i < keep->n; i++)
			kept |= keep->v[i].fd == fd;
		if (!kept)
			close(fd);
	}
	closedir(d);
}

static bool
env_kept(const char *entry, const char *const *keep)
{
	static const char *const always[] = { "NOTIFY_SOCKET", "WATCHDOG_USEC",
		"WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES",
		"CREDENTIALS_DIRECTORY", "PATH", "TZ", "ASAN_OPTIONS", "UBSAN_OPTIONS",
		"VAULTD_ROLE_SEPARATION", NULL };
	size_t n = strcspn(entry, "=");

	for (const char *const *k = always; *k != NULL; k++)
		if (strlen(*k) == n && strncmp(*k, entry, n) == 0)
			return true;
	for (; keep != NULL && *keep != NULL; keep++)
		if (strlen(*keep) == n && strncmp(*keep, entry, n) == 0)
			return true;
	return false;
}

static void
reduce_env(const char *const *keep)
{
	extern char **environ;
	char **to = environ;

	for (char **from = environ; from != NULL && *from != NULL; from++)
		if (env_kept(*from, keep))
			*to++ = *from;
	if (to != NULL)
		*to = NULL;
}

int
role_harden(const char *const *keep_env, struct err *e)
{
	static const struct rlimit none = { 0, 0 };

	umask(077);
	signal(SIGPIPE, SIG_IGN);
	if (setrlimit(RLIMIT_CORE, &none) != 0)
		return err_errno(e, "core limit 0");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return err_errno(e, "PR_SET_DUMPABLE");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return err_errno(e, "PR_SET_NO_NEW_PRIVS");
	reduce_env(keep_env);
	return 0;
}

void
role_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	AUTO_CLOSE int fd = -1;
	size_t n;

	if (path == NULL || (n = strlen(path)) == 0 || n >= sizeof sa.sun_path)
		return;
	memcpy(sa.sun_path, path, n);
	if (path[0] == '@')
		sa.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		(void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
		    (struct sockaddr *)&sa,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
}

void
role_statusf(const char *fmt, ...)
{
	char text[400] = "STATUS=";
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + 7, sizeof text - 7, fmt, ap);
	va_end(ap);
	role_notify(text);
}

unsigned long long
role_watchdog_usec(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	if (usec == NULL || (pid != NULL && atol(pid) != (long)getpid()))
		return 0;
	return strtoull(usec, NULL, 10) / 2;
}

int
role_peer(int fd, uid_t *uid, gid_t *gid, pid_t *pid, struct err *e)
{
	struct ucred c;
	socklen_t n = sizeof c;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &n) != 0)
		return err_errno(e, "SO_PEERCRED");
	*uid = c.uid;
	*gid = c.gid;
	*pid = c.pid;
	return 0;
}

static int
credential_open(const char *name, const char *file, char *path, size_t cap, struct err *e)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	int fd;

	if (file != NULL && *file != '\0')
		snprintf(path, cap, "%s", file);
	else if (dir != NULL)
		snprintf(path, cap, "%s/%s", dir, name);
	else
		return err_set(e, V_NOT_FOUND, "no credential '%s': configure its file, or "
		    "start with $CREDENTIALS_DIRECTORY", name);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)) < 0)
		err_errno(e, "%s", path);
	return fd;
}

static int
credential_check(const char *path, const struct secret *s, size_t max, struct err *e)
{
	if (s->len == 0)
		return err_set(e, V_INVALID, "%s is empty", path);
	if (s->len > max)
		return err_set(e, V_INVALID, "%s is longer than %zu bytes", path, max);
	if (memchr(s->p, '\0', s->len) != NULL)
		return err_set(e, V_INVALID, "%s has a NUL byte in it", path);
	return 0;
}

int
role_credential(const char *name, const char *file, size_t max, struct secret *ret,
    struct err *e)
{
	AUTO(secret) s = { 0 };
	AUTO_CLOSE int fd = -1;
	char path[512];
	struct stat st;
	ssize_t n;

	e->code = 0;
	fd = credential_open(name, file, path, sizeof path, e);
	if (e->code != 0)
		return e->code;
	/* Files of a credentials directory may be 0440 with an ACL: only `others` counts. */
	if (fstat(fd, &st) != 0)
		return err_errno(e, "%s", path);
	if (st.st_mode & 0007)
		return err_set(e, V_INVALID, "%s can be read by others: chmod o= it", path);
	if (secret_reserve(&s, max + 3, e) != 0)
		return e->code;
	if ((n = read(fd, s.p, max + 3)) < 0)
		return err_errno(e, "%s", path);
	s.len = (size_t)n;
	if (s.len > 0 && s.p[s.len - 1] == '\n')
		s.len--;
	if (s.len > 0 && s.p[s.len - 1] == '\r')
		s.len--;
	if (credential_check(path, &s, max, e) != 0)
		return e->code;
	*ret = secret_take(&s);
	return 0;
}

long long
boot_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

long long
wall_usec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

long long
wall_seconds(void)
{
	return wall_usec() / 1000000;
}

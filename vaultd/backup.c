/*
 * backup.c - see backup.h.
 *
 * The child inherits the open store and copies it in one read transaction of its own;
 * locked memory is not inherited (MADV_DONTFORK), so it holds no key. Audit segments are
 * copied after the store: the log in a backup is never behind its store.
 */
#include "vaultd/backup.h"

#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/auto.h"
#include "common/errors.h"
#include "vaultd/vault.h"

struct backup {
	struct event	*ev;
	int		 fd;		/* the child's error text, EOF at its end */
	pid_t		 pid;
	char		 text[300];
	size_t		 len;
	void		(*done)(void *arg, int rc, const struct err *e);
	void		*arg;
};

/* ---- in the child */

static int
copy_file(const char *from, const char *to, struct err *e)
{
	AUTO_CLOSE int in = open(from, O_RDONLY | O_CLOEXEC);
	AUTO_CLOSE int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	char block[65536];
	ssize_t n;

	if (in < 0)
		return err_errno(e, "%s", from);
	if (out < 0)
		return err_errno(e, "%s", to);
	while ((n = read(in, block, sizeof block)) > 0)
		if (write(out, block, (size_t)n) != n)
			return err_errno(e, "%s", to);
	if (n < 0)
		return err_errno(e, "%s", from);
	return fsync(out) == 0 ? 0 : err_errno(e, "%s", to);
}

static int
copy_audit(const struct vault *v, const char *dir, struct err *e)
{
	char from[700], to[900], path[800];
	struct dirent *de;
	DIR *d;
	int rc = 0;

	snprintf(from, sizeof from, "%s/audit", v->conf.state_dir);
	snprintf(to, sizeof to, "%s/audit", dir);
	if (mkdir(to, 0700) != 0)
		return err_errno(e, "%s", to);
	if ((d = opendir(from)) == NULL)
		return err_errno(e, "%s", from);
	while (rc == 0 && (de = readdir(d)) != NULL) {
		if (strncmp(de->d_name, "audit-", 6) != 0)
			continue;
		snprintf(path, sizeof path, "%s/%.60s", from, de->d_name);
		snprintf(to, sizeof to, "%s/audit/%.60s", dir, de->d_name);
		rc = copy_file(path, to, e);
	}
	closedir(d);
	return rc;
}

static void
child(struct vault *v, const char *dir, int fd)
{
	char store[800];
	struct err e = { 0 };
	int rc = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(store, sizeof store, "%s/store", dir);
	if (mkdir(store, 0700) != 0)
		rc = err_errno(&e, "%s", store);
	if (rc == 0)
		rc = store_backup(v->store, store, &e);
	if (rc == 0)
		rc = copy_audit(v, dir, &e);
	if (rc != 0)
		(void)!write(fd, e.text, strlen(e.text));
	_exit(rc != 0);
}

/* ---- in the daemon */

static void
ended(evutil_socket_t fd, short what, void *arg)
{
	struct backup *b = arg;
	struct err e = { 0 };
	int status = 0;
	ssize_t n = read((int)fd, b->text + b->len, sizeof b->text - 1 - b->len);

	(void)what;
	if (n > 0) {
		b->len += (size_t)n;
		return;
	}
	waitpid(b->pid, &status, 0);
	if (status != 0)
		err_name(&e, ERR_STORE_UNWRITABLE, "backup failed: %s",
		    b->len > 0 ? b->text : "its process was ended");
	b->done(b->arg, (int)e.code, &e);
	event_free(b->ev);
	close(b->fd);
	free(b);
}

static int
make_dir(const struct vault *v, const char *dir, struct err *e)
{
	char parent[700];

	snprintf(parent, sizeof parent, "%s/backup", v->conf.state_dir);
	mkdir(parent, 0700);
	if (mkdir(dir, 0700) == 0)
		return 0;
	if (errno == EEXIST)
		return err_name(e, ERR_NAME_TAKEN, "there is a backup at %s already", dir);
	return err_errno(e, "%s", dir);
}

int
backup_start(struct vault *v, const char *dir,
    void (*done)(void *arg, int rc, const struct err *e), void *arg, struct err *e)
{
	struct backup *b = calloc(1, sizeof *b);
	int p[2];

	if (b == NULL || make_dir(v, dir, e) != 0 || pipe2(p, O_CLOEXEC | O_NONBLOCK) != 0) {
		free(b);
		return e->code != 0 ? (int)e->code : err_set(e, V_IO, "no pipe for a backup");
	}
	*b = (struct backup){ .fd = p[0], .done = done, .arg = arg };
	if ((b->pid = fork()) == 0)
		child(v, dir, p[1]);
	close(p[1]);
	b->ev = b->pid < 0 ? NULL : event_new(v->base, b->fd, EV_READ | EV_PERSIST, ended, b);
	if (b->ev == NULL || event_add(b->ev, NULL) != 0) {
		close(b->fd);
		free(b);
		return err_set(e, V_IO, "no process for a backup");
	}
	return 0;
}

/*
 * launched.c - see launched.h. Sockets are made once and passed again at each restart: the
 * other roles just connect anew, as they would under systemd.
 */
#include "launch/launched.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/auto.h"
#include "common/role.h"

#define BACKLOG 256
#define MEMLOCK ((rlim_t)64 << 20)	/* as the units have it */

static int
make_dir(const char *path, mode_t mode, uid_t uid, gid_t gid, bool as_root, struct err *e)
{
	if (mkdir(path, mode) != 0 && errno != EEXIST)
		return err_errno(e, "%s", path);
	if (as_root && (chown(path, uid, gid) != 0 || chmod(path, mode) != 0))
		return err_errno(e, "%s", path);
	return 0;
}

static int
find_user(struct launched *r, struct err *e)
{
	const struct passwd *pw = getpwnam(r->user);

	if (pw == NULL)
		return err_set(e, V_INVALID, "there is no system user '%s': make it (see "
		    "sysusers.d/vaultd.conf), or name another in the configuration", r->user);
	r->uid = pw->pw_uid;
	r->gid = pw->pw_gid;
	return 0;
}

int
roles_check(struct launched r[ROLES], const struct config *c, bool as_root, struct err *e)
{
	char path[700];

	for (int i = 0; i < ROLES; i++) {
		snprintf(path, sizeof path, "%s/%s", c->bin_dir, r[i].program);
		if (access(path, X_OK) != 0)
			return err_set(e, V_INVALID, "%s: %s: set bin_dir", path,
			    strerror(errno));
		snprintf(path, sizeof path, "%s/%s.conf", c->conf_dir, r[i].program);
		if (access(path, R_OK) != 0)
			return err_set(e, V_INVALID, "%s: %s: set conf_dir", path,
			    strerror(errno));
		if (as_root && find_user(&r[i], e) != 0)
			return e->code;
	}
	return 0;
}

static int
make_socket(struct launched roles[ROLES], struct listener *l, const struct config *c,
    bool as_root, struct err *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	mode_t mode = l->asker < 0 ? 0666 : 0600;

	if ((size_t)snprintf(sa.sun_path, sizeof sa.sun_path, "%s/%s", c->run_dir, l->file) >=
	    sizeof sa.sun_path)
		return err_set(e, V_INVALID, "run_dir is too long for a socket's path");
	unlink(sa.sun_path);
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (l->fd < 0 || bind(l->fd, (struct sockaddr *)&sa, sizeof sa) != 0 ||
	    chmod(sa.sun_path, mode) != 0)
		return err_errno(e, "%s", sa.sun_path);
	if (as_root && l->asker >= 0 &&
	    chown(sa.sun_path, roles[l->asker].uid, roles[l->asker].gid) != 0)
		return err_errno(e, "%s", sa.sun_path);
	return listen(l->fd, BACKLOG) == 0 ? 0 : err_errno(e, "%s", sa.sun_path);
}

static int
make_state(const struct launched *r, const struct config *c, bool as_root, struct err *e)
{
	char path[700];

	snprintf(path, sizeof path, "%s/%s", c->state_dir, r->program);
	return make_dir(path, 0700, r->uid, r->gid, as_root, e);
}

int
roles_prepare(struct launched r[ROLES], const struct config *c, bool as_root,
    struct err *e)
{
	if (make_dir(c->run_dir, 0755, 0, 0, as_root, e) != 0 ||
	    (mkdir(c->state_dir, 0755) != 0 && errno != EEXIST))
		return e->code != 0 ? (int)e->code : err_errno(e, "%s", c->state_dir);
	for (int i = 0; i < ROLES; i++)
		if (make_state(&r[i], c, as_root, e) != 0)
			return e->code;
	for (int i = 0; i < ROLES; i++)
		for (int k = 0; k < r[i].nlisten; k++)
			if (make_socket(r, &r[i].listen[k], c, as_root, e) != 0)
				return e->code;
	return 0;
}

static void
remove_file(const struct config *c, const char *name, const char *suffix)
{
	char path[700];

	snprintf(path, sizeof path, "%s/%s%s", c->run_dir, name, suffix);
	unlink(path);
}

void
roles_done(const struct launched r[ROLES], const struct config *c)
{
	for (int i = 0; i < ROLES; i++) {
		remove_file(c, r[i].program, ".pid");
		for (int k = 0; k < r[i].nlisten; k++)
			remove_file(c, r[i].listen[k].file, "");
	}
}

/* ---- in the child */

static void
give_up(const char *what)
{
	dprintf(STDERR_FILENO, "<3>vault-launch: %s: %s\n", what, strerror(errno));
	_exit(127);
}

/* Memory that may be locked, for secrets. Where that is refused, the role says so. */
static void
raise_memlock(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_MEMLOCK, &rl) != 0 || rl.rlim_cur >= MEMLOCK)
		return;
	rl.rlim_cur = MEMLOCK;
	if (rl.rlim_max < MEMLOCK)
		rl.rlim_max = MEMLOCK;
	if (setrlimit(RLIMIT_MEMLOCK, &rl) == 0 || getrlimit(RLIMIT_MEMLOCK, &rl) != 0)
		return;
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_MEMLOCK, &rl);
}

static void
become(const struct launched *r)
{
	if (initgroups(r->user, r->gid) != 0 || setresgid(r->gid, r->gid, r->gid) != 0 ||
	    setresuid(r->uid, r->uid, r->uid) != 0)
		give_up("changing user");
}

/* Sockets become 3, 4: first above them, so that no copy overwrites another. */
static void
place_fds(const struct launched *r)
{
	int high[2];

	for (int i = 0; i < r->nlisten; i++)
		high[i] = fcntl(r->listen[i].fd, F_DUPFD, 16);
	for (int i = 0; i < r->nlisten; i++)
		if (high[i] < 0 || dup2(high[i], 3 + i) < 0)
			give_up("passing sockets");
	closefrom(3 + r->nlisten);
}

static void
set_environment(const struct launched *r, const struct config *c, bool as_root,
    const char *notify_path)
{
	static const char *const keep[] = { "PATH", "TZ", "ASAN_OPTIONS", "UBSAN_OPTIONS", NULL };
	const char *kept[4];
	char text[64], names[200] = "";

	for (int i = 0; keep[i] != NULL; i++)
		kept[i] = getenv(keep[i]);
	clearenv();
	for (int i = 0; keep[i] != NULL; i++)
		if (kept[i] != NULL)
			setenv(keep[i], kept[i], 1);
	for (int i = 0; i < r->nlisten; i++)
		snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s",
		    i > 0 ? ":" : "", r->listen[i].name);
	snprintf(text, sizeof text, "%ld", (long)getpid());
	setenv("LISTEN_PID", text, 1);
	snprintf(text, sizeof text, "%d", r->nlisten);
	setenv("LISTEN_FDS", text, 1);
	setenv("LISTEN_FDNAMES", names, 1);
	setenv("NOTIFY_SOCKET", notify_path, 1);
	setenv("VAULTD_ROLE_SEPARATION", as_root ? "on" : "off", 1);
	if (strcmp(r->program, "vault-hsm") == 0 && c->credentials_dir[0] != '\0')
		setenv("CREDENTIALS_DIRECTORY", c->credentials_dir, 1);
}

static void
child(const struct launched *r, const struct config *c, bool as_root,
    const char *notify_path, pid_t launcher)
{
	char path[700], conf[700];
	sigset_t none;

	snprintf(path, sizeof path, "%s/%s", c->bin_dir, r->program);
	snprintf(conf, sizeof conf, "%s/%s.conf", c->conf_dir, r->program);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();	/* Ctrl-C is for vault-launch, which stops the roles in order */
	set_environment(r, c, as_root, notify_path);
	place_fds(r);
	raise_memlock();
	if (as_root)
		become(r);
	prctl(PR_SET_PDEATHSIG, SIGTERM);	/* after the change of user, which clears it */
	if (getppid() != launcher)	/* it ended before that was asked for */
		_exit(0);
	execl(path, r->program, "-c", conf, (char *)NULL);
	give_up(path);
}

static void
write_pid(const struct launched *r, const struct config *c)
{
	char path[700], fresh[710];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s.pid", c->run_dir, r->program);
	snprintf(fresh, sizeof fresh, "%s.new", path);
	if ((f = fopen(fresh, "we")) == NULL)
		return;
	fprintf(f, "%ld\n", (long)r->pid);
	if (fclose(f) == 0)
		rename(fresh, path);	/* whoever reads it never finds half of it */
}

int
launched_start(struct launched *r, const struct config *c, bool as_root,
    const char *notify_path, struct err *e)
{
	pid_t launcher = getpid(), pid = fork();

	if (pid < 0)
		return err_errno(e, "fork");
	if (pid == 0)
		child(r, c, as_root, notify_path, launcher);
	r->pid = pid;
	r->started_ms = boot_ms();
	r->ready_ms = 0;
	write_pid(r, c);
	return 0;
}

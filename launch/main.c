/*
 * main.c - vault-launch(8): the roles without systemd. Starts, watches, restarts; no
 * secret passes through it.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "common/role.h"
#include "launch/launched.h"

#define CONF_DEFAULT	"/etc/vaultd/vault-launch.conf"
#define EX_CONFIG	78	/* of a role: starting it again would not help */
#define BACKOFF_FIRST	100
#define BACKOFF_MAX	10000
#define BACKOFF_READY	800	/* of a role that did get ready: its users wait */
#define STEADY_MS	10000
struct launcher {
	struct config	 conf;
	struct launched	 role[ROLES];
	bool		 as_root;
	int		 signals, notify;
	char		 notify_path[108];
	bool		 stopping;
	int		 status;
};

/* ---- notify socket: what the roles say of themselves */

static int
open_notify(struct launcher *l, struct err *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int on = 1;

	if ((size_t)snprintf(l->notify_path, sizeof l->notify_path, "%s/notify",
		l->conf.run_dir) >= sizeof l->notify_path)
		return err_set(e, V_INVALID, "run_dir is too long for a socket's path");
	memcpy(sa.sun_path, l->notify_path, sizeof sa.sun_path);
	unlink(l->notify_path);
	l->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->notify < 0 || bind(l->notify, (struct sockaddr *)&sa, sizeof sa) != 0 ||
	    chmod(l->notify_path, 0666) != 0 ||
	    setsockopt(l->notify, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0)
		return err_errno(e, "%s", l->notify_path);
	return 0;
}

static struct launched *
by_pid(struct launcher *l, pid_t pid)
{
	for (int i = 0; i < ROLES; i++)
		if (l->role[i].pid == pid && pid > 0)
			return &l->role[i];
	return NULL;
}

static void
notified_line(struct launched *r, const char *line)
{
	if (strcmp(line, "READY=1") == 0) {
		r->ready_ms = boot_ms();
		log_info("%s is ready pid=%ld", r->program, (long)r->pid);
	} else if (strncmp(line, "STATUS=", 7) == 0) {
		log_info("%s: %s", r->program, line + 7);
	}
}

static void
notified(struct launcher *l)
{
	char text[512], control[CMSG_SPACE(sizeof(struct ucred))];
	struct iovec v = { text, sizeof text - 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = sizeof control };
	ssize_t n = recvmsg(l->notify, &m, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&m);
	char *line, *rest = text;
	struct launched *r;
	struct ucred who;

	if (c == NULL || c->cmsg_type != SCM_CREDENTIALS)
		return;
	memcpy(&who, CMSG_DATA(c), sizeof who);
	text[n] = '\0';
	if ((r = by_pid(l, who.pid)) == NULL)
		return;
	while ((line = strsep(&rest, "\n")) != NULL)
		notified_line(r, line);
}

/* ---- ends and restarts */

/* vault-hsm ends itself to recover, and backs off by itself: it is started at once. */
static void
plan_restart(struct launched *r)
{
	long long now = boot_ms();
	bool steady = r->ready_ms != 0 && now - r->ready_ms > STEADY_MS;
	unsigned most = r->ready_ms != 0 ? BACKOFF_READY : BACKOFF_MAX;

	if (strcmp(r->program, "vault-hsm") == 0 || steady || r->backoff_ms == 0)
		r->backoff_ms = BACKOFF_FIRST;
	else
		r->backoff_ms = r->backoff_ms * 2 > most ? most : r->backoff_ms * 2;
	r->start_at_ms = now + r->backoff_ms;
}

static void stop_next(struct launcher *l);

static void
ended(struct launcher *l, struct launched *r, int status)
{
	r->pid = 0;
	if (WIFSIGNALED(status))
		log_warn("%s was ended by signal %d", r->program, WTERMSIG(status));
	else
		log_info("%s ended with status %d", r->program, WEXITSTATUS(status));
	if (l->stopping) {
		stop_next(l);
	} else if (WIFEXITED(status) && WEXITSTATUS(status) == EX_CONFIG) {
		log_error("%s cannot run with its configuration: stopping", r->program);
		r->given_up = true;
		l->status = EX_CONFIG;
		l->stopping = true;
		stop_next(l);
	} else {
		plan_restart(r);
	}
}

static void
reap(struct launcher *l)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct launched *r = by_pid(l, pid);

		if (r != NULL)
			ended(l, r, status);
	}
}

static void
start_due(struct launcher *l)
{
	struct err e;

	for (int i = 0; i < ROLES && !l->stopping; i++) {
		struct launched *r = &l->role[i];

		if (r->pid != 0 || r->given_up || boot_ms() < r->start_at_ms)
			continue;
		if (launched_start(r, &l->conf, l->as_root, l->notify_path, &e) != 0) {
			log_error("%s: %s", r->program, e.text);
			plan_restart(r);
		}
	}
}

/* vaultd first, so that it can wait for what egress still does; the HSM last. */
static void
stop_next(struct launcher *l)
{
	static const int order[] = { ROLE_VAULTD, ROLE_EGRESS, ROLE_HSM };

	for (int i = 0; i < ROLES; i++) {
		struct launched *r = &l->role[order[i]];

		if (r->pid == 0)
			continue;
		if (r->stop_by_ms == 0) {
			kill(r->pid, SIGTERM);
			r->stop_by_ms = boot_ms() + r->stop_most_ms;
		}
		return;
	}
}

/* The one that is being waited for, when it takes too long. */
static void
stop_overdue(struct launcher *l)
{
	for (int i = 0; i < ROLES; i++) {
		struct launched *r = &l->role[i];

		if (r->pid == 0 || r->stop_by_ms == 0 || boot_ms() < r->stop_by_ms)
			continue;
		log_error("%s does not stop: killed", r->program);
		kill(r->pid, SIGKILL);
		r->stop_by_ms = boot_ms() + r->stop_most_ms;
		l->status = 1;
	}
}

static void
forward(const struct launcher *l, int sig)
{
	for (int i = 0; i < ROLES; i++)
		if (l->role[i].pid > 0)
			kill(l->role[i].pid, sig);
}

static void
signalled(struct launcher *l)
{
	struct signalfd_siginfo s;

	while (read(l->signals, &s, sizeof s) == sizeof s)
		switch (s.ssi_signo) {
		case SIGCHLD:
			reap(l);
			break;
		case SIGHUP:
			forward(l, SIGHUP);
			break;
		default:
			l->stopping = true;
			stop_next(l);
		}
}

static int
next_ms(const struct launcher *l)
{
	long long now = boot_ms(), at = now + 1000;

	for (int i = 0; i < ROLES; i++)
		if (l->role[i].pid == 0 && !l->role[i].given_up && l->role[i].start_at_ms < at)
			at = l->role[i].start_at_ms;
	return at <= now ? 1 : (int)(at - now);
}

static bool
all_ended(const struct launcher *l)
{
	for (int i = 0; i < ROLES; i++)
		if (l->role[i].pid != 0)
			return false;
	return true;
}

static void
run(struct launcher *l)
{
	struct pollfd p[2] = { { .fd = l->signals, .events = POLLIN },
		{ .fd = l->notify, .events = POLLIN } };

	while (!l->stopping || !all_ended(l)) {
		start_due(l);
		poll(p, 2, l->stopping ? 1000 : next_ms(l));
		signalled(l);
		if (p[1].revents & POLLIN)
			notified(l);
		stop_overdue(l);
	}
}

/* ---- start */

static void
fill_roles(struct launcher *l)
{
	const struct config *c = &l->conf;

	l->role[ROLE_VAULTD] = (struct launched){ .program = "vaultd",
		.user = c->user_vaultd, .listen = { { "vaultd.sock", "api", -1, -1 } },
		.nlisten = 1, .stop_most_ms = 150000 };
	l->role[ROLE_HSM] = (struct launched){ .program = "vault-hsm", .user = c->user_hsm,
		.listen = { { "hsm-from-vaultd.sock", "from-vaultd", ROLE_VAULTD, -1 },
		    { "hsm-from-egress.sock", "from-egress", ROLE_EGRESS, -1 } }, .nlisten = 2,
		.stop_most_ms = 30000 };
	l->role[ROLE_EGRESS] = (struct launched){ .program = "vault-egress",
		.user = c->user_egress,
		.listen = { { "egress.sock", "from-vaultd", ROLE_VAULTD, -1 } }, .nlisten = 1,
		.stop_most_ms = 180000 };
	for (int i = 0; i < ROLES; i++) {
		l->role[i].uid = getuid();
		l->role[i].gid = getgid();
	}
}

static int
open_signals(struct launcher *l, struct err *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	l->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return l->signals >= 0 ? 0 : err_errno(e, "signalfd");
}

static int
fail(const struct err *e, int status)
{
	log_error("%s", e->text);
	return status;
}

static void
usage(void)
{
	printf("usage: vault-launch [-n] [-c FILE]\n"
	    "  -c FILE  configuration, default " CONF_DEFAULT "\n"
	    "  -n       check the configuration and what it names, then exit\n"
	    "  -h       this text and every key with its default\n"
	    "  -V       version\n\n");
	conf_print(config_keys);
}

static int
launch(struct launcher *l)
{
	struct err e = { 0 };

	if (roles_prepare(l->role, &l->conf, l->as_root, &e) != 0)
		return fail(&e, 1);
	if (open_notify(l, &e) != 0 || open_signals(l, &e) != 0)
		return fail(&e, 1);
	log_info("starting the roles in %s; role separation: %s", l->conf.run_dir,
	    l->as_root ? "on" : "off (all share one user)");
	run(l);
	roles_done(l->role, &l->conf);
	unlink(l->notify_path);
	return l->status;
}

int
main(int argc, char **argv)
{
	static struct launcher l;
	const char *conf = CONF_DEFAULT;
	struct err e = { 0 };
	bool check = false;
	int o;

	log_init("vault-launch", LOG_LEVEL_INFO);
	while ((o = getopt(argc, argv, "c:nhV")) != -1)
		switch (o) {
		case 'c':
			conf = optarg;
			break;
		case 'n':
			check = true;
			break;
		case 'h':
			usage();
			return 0;
		case 'V':
			printf("vault-launch " VERSION "\n");
			return 0;
		default:
			fprintf(stderr, "usage: vault-launch [-n] [-c FILE]; -h tells more\n");
			return 64;
		}
	umask(022);
	if (conf_load(config_keys, conf, &l.conf, &e) != 0)
		return fail(&e, EX_CONFIG);
	l.as_root = getuid() == 0;
	fill_roles(&l);
	if (roles_check(l.role, &l.conf, l.as_root, &e) != 0)
		return fail(&e, EX_CONFIG);
	return check ? 0 : launch(&l);
}

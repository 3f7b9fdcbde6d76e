/*
 * test-peer.c - who the kernel says is asking. The unit of a real systemd is asked for in
 * tests/bed.
 */
#include "vaultd/peer.h"

#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/auto.h"
#include "tests/unit.h"

/* ---- cgroup paths */

static const struct {
	const char *path, *unit;	/* NULL = none */
} paths[] = {
	{ "/system.slice/bank.service", "bank.service" },
	{ "/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service" },
	{ "/a.slice/a-b.slice/a-b-c.slice/x.scope", "x.scope" },
	/* What a unit makes below itself is its own word, not systemd's. */
	{ "/system.slice/del.service/evil.slice/bank.service", "del.service" },
	{ "/user.slice/user-1000.slice/user@1000.service/app.slice/bank.service",
	    "user@1000.service" },
	{ "/user.slice/user-1000.slice/session-3.scope", "session-3.scope" },
	{ "/system.slice/_cpu.service", "cpu.service" },
	{ "/_cpu.slice/x.service", "x.service" },
	{ "/init.scope", "init.scope" },
	{ "/", NULL },
	{ "", NULL },
	{ "bank.service", NULL },
	{ "/system.slice", NULL },
	{ "/system.slice/", NULL },
	{ "/machine/bank.service", NULL },
	{ "/system.slice/bank", NULL },
	{ "/system.slice/.service", NULL },
	{ "/system.slice/bank@.service", NULL },
	{ "/system.slice/@x.service", NULL },
	{ "/system.slice/_", NULL },
	{ "/system.slice/ba nk.service", NULL },
	{ "/system.slice/../bank.service", NULL },
	{ "//bank.service", NULL },
};

TEST(units_are_read_from_cgroup_paths_as_systemd_does)
{
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		char unit[256] = "";
		bool got = peer_unit_from_cgroup(paths[i].path, unit);

		if (got != (paths[i].unit != NULL) ||
		    (got && strcmp(unit, paths[i].unit) != 0))
			fail_msg("%s: %s", paths[i].path, got ? unit : "none");
	}
}

TEST(a_unit_name_longer_than_systemd_allows_is_none)
{
	char path[600] = "/system.slice/", unit[256];

	memset(path + 14, 'x', 400);
	strcpy(path + 414, ".service");
	T_NOT(peer_unit_from_cgroup(path, unit));
	memset(path + 14, 'x', 247);
	strcpy(path + 14 + 247, ".service");	/* 255 bytes: the longest */
	T_OK(peer_unit_from_cgroup(path, unit));
	T_EQ(strlen(unit), 255);
	memmove(path + 15, path + 14, strlen(path + 14) + 1);
	T_NOT(peer_unit_from_cgroup(path, unit));
}

/* ---- live peers */

static int
listen_somewhere(struct sockaddr_un *sa, socklen_t *len)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	*len = sizeof(sa_family_t);	/* the kernel chooses an abstract name */
	T_EQ(bind(fd, (struct sockaddr *)sa, *len), 0);
	*len = sizeof *sa;
	T_EQ(getsockname(fd, (struct sockaddr *)sa, len), 0);
	T_EQ(listen(fd, 4), 0);
	return fd;
}

/* A child that connects as PREPARE made it, and stays until the pipe STAY closes. */
static pid_t
connect_child(const struct sockaddr_un *sa, socklen_t len, int (*prepare)(void),
    const int *stay)
{
	pid_t pid = fork();
	char c;
	int fd;

	if (pid != 0)
		return pid;
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if ((prepare != NULL && prepare() != 0) ||
	    connect(fd, (const struct sockaddr *)sa, len) != 0)
		_exit(1);
	if (stay != NULL) {
		close(stay[1]);
		(void)!read(stay[0], &c, 1);
	}
	_exit(0);
}

/* What peer_of says of such a child; its answer is in RC. */
static void
peer_of_child(int (*prepare)(void), struct peer *p, int *rc)
{
	AUTO_CLOSE int l = -1;
	AUTO_CLOSE int fd = -1;
	struct sockaddr_un sa;
	struct err e;
	socklen_t len;
	int stay[2];
	pid_t pid;

	l = listen_somewhere(&sa, &len);
	T_EQ(pipe(stay), 0);
	pid = connect_child(&sa, len, prepare, stay);
	close(stay[0]);
	T_OK((fd = accept(l, NULL, NULL)) >= 0);
	*rc = peer_of(fd, p, &e);
	if (*rc == 0)
		T_EQ(p->pid, pid);
	else
		T_OK(e.text[0] != '\0');
	close(stay[1]);
	waitpid(pid, NULL, 0);
}

TEST(uid_gid_and_groups_are_the_kernels)
{
	gid_t mine[PEER_GROUPS];
	int n = getgroups(PEER_GROUPS, mine), rc;
	struct peer p;

	peer_of_child(NULL, &p, &rc);
	T_EQ(rc, 0);
	T_EQ(p.uid, getuid());
	T_EQ(p.gid, getgid());
	T_EQ(p.gids[0], getgid());
	for (int i = 0; i < n; i++) {
		bool found = false;

		for (size_t k = 0; k < p.ngids; k++)
			found |= p.gids[k] == mine[i];
		T_OK(found);
	}
	T_OK((p.unit[0] == '\0') == (p.unit_why[0] != '\0'));
}

static int
become_somebody(void)
{
	const gid_t groups[] = { 7001, 7000, 7002 };

	return setgroups(3, groups) != 0 || setresgid(7000, 7000, 7000) != 0 ||
	    setresuid(7000, 7000, 7000) != 0;
}

TEST(groups_of_another_user_and_no_group_twice)
{
	struct peer p;
	int rc;

	if (getuid() != 0)
		return;
	peer_of_child(become_somebody, &p, &rc);
	T_EQ(rc, 0);
	T_EQ(p.uid, 7000);
	T_EQ(p.ngids, 3);
	T_EQ(p.gids[0], 7000);
}

static int
join_too_many(void)
{
	gid_t groups[PEER_GROUPS + 10];

	for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
		groups[i] = 7000 + (gid_t)i;
	return setgroups(sizeof groups / sizeof *groups, groups);
}

TEST(more_groups_than_can_be_judged_are_refused_not_cut)
{
	struct peer p;
	int rc;

	if (getuid() != 0)
		return;
	peer_of_child(join_too_many, &p, &rc);
	T_EQ(rc, V_DENIED);
}

/* Its pid may be somebody else's by now: no unit, and the reason. */
TEST(a_peer_that_is_gone_has_no_unit)
{
	AUTO_CLOSE int l = -1;
	AUTO_CLOSE int fd = -1;
	struct sockaddr_un sa;
	socklen_t len;
	struct peer p;
	struct err e;
	pid_t pid;

	l = listen_somewhere(&sa, &len);
	pid = connect_child(&sa, len, NULL, NULL);
	T_EQ(waitpid(pid, NULL, 0), pid);
	T_OK((fd = accept(l, NULL, NULL)) >= 0);
	T_DO(peer_of(fd, &p, &e), e);
	T_EQ(p.uid, getuid());
	T_STR(p.unit, "");
	T_OK(strstr(p.unit_why, "gone") != NULL || strstr(p.unit_why, "SO_PEERPIDFD") != NULL);
}

TEST(what_is_not_a_unix_socket_has_no_peer)
{
	AUTO_CLOSE int fd = open("/dev/null", O_RDONLY);
	struct peer p;
	struct err e;

	T_EQ(peer_of(fd, &p, &e), V_DENIED);
}

int
main(void)
{
	return unit_run();
}

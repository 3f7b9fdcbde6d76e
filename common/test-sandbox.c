/*
 * test-sandbox.c - each refusal, asked for in a child that entered the sandbox. Refusals
 * from inside the running roles are in tests/confine.bats.
 */
#include "common/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/auto.h"
#include "tests/unit.h"

#define PAGE	4096
#define LEFT_OUT 200	/* this kernel has no Landlock */

static char dir[64], inside[80];

/* ---- what is tried: 0, or errno */

static int
result(long rc)
{
	return rc < 0 ? errno : 0;
}

static int
make_socket(int family, int type, int protocol)
{
	AUTO_CLOSE int fd = socket(family, type, protocol);

	return result(fd);
}

static int try_unix(void) { return make_socket(AF_UNIX, SOCK_STREAM, 0); }
static int try_inet(void) { return make_socket(AF_INET, SOCK_STREAM, 0); }
static int try_inet6(void) { return make_socket(AF_INET6, SOCK_DGRAM, 0); }
static int try_route(void) { return make_socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE); }
static int try_audit(void) { return make_socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT); }
static int try_packet(void) { return make_socket(AF_PACKET, SOCK_RAW, 0); }

static int
try_exec(void)
{
	char *argv[] = { (char *)"true", NULL };

	return result(execve("/bin/true", argv, argv + 1));
}

static int try_ptrace(void) { return result(ptrace(PTRACE_TRACEME, 0, NULL, NULL)); }

static int
try_readv(void)
{
	return result(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0));
}

static int try_uring(void) { return result(syscall(SYS_io_uring_setup, 1, NULL)); }
static int try_bpf(void) { return result(syscall(SYS_bpf, 0, NULL, 0)); }
static int try_userfault(void) { return result(syscall(SYS_userfaultfd, O_CLOEXEC)); }
static int try_keyctl(void) { return result(syscall(SYS_keyctl, 0, -1, 0)); }

static int
try_mount(void)
{
	return result(syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL));
}

static int try_module(void) { return result(syscall(SYS_finit_module, -1, "", 0)); }
static int try_kexec(void) { return result(syscall(SYS_kexec_load, 0, 0, NULL, 0)); }
static int try_unshare(void) { return result(unshare(CLONE_NEWUSER)); }
static int try_setuid(void) { return result(syscall(SYS_setuid, 65534)); }
static int try_kill(void) { return result(kill(getppid(), 0)); }
static int try_memfd(void) { return result(memfd_create("x", 0)); }
static int try_dumpable(void) { return result(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)); }
static int try_tiocsti(void) { return result(ioctl(0, TIOCSTI, "x")); }

static int
try_clone_user(void)
{
	long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return result(pid);
}

static int
try_limit_of_parent(void)
{
	struct rlimit rl;

	return result(prlimit(getppid(), RLIMIT_NOFILE, NULL, &rl));
}

static int
try_writable_code(void)
{
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? errno : 0;
}

static int
try_made_code(void)
{
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return result(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
}

static int
open_file(const char *path, int flags)
{
	AUTO_CLOSE int fd = open(path, flags, 0600);

	return result(fd);
}

static int try_read_outside(void) { return open_file("/etc/passwd", O_RDONLY); }

static int
try_write_outside(void)
{
	return open_file("/tmp/test-sandbox.out", O_WRONLY | O_CREAT);
}

static int try_write_inside(void) { return open_file(inside, O_RDWR | O_CREAT); }
static int try_read_program(void) { return open_file("/usr/bin/env", O_RDONLY); }

static int
try_write_readonly(void)
{
	return open_file("/usr/bin/test-sandbox", O_WRONLY | O_CREAT);
}

static void *
thread_body(void *arg)
{
	*(int *)arg = try_inet();
	return NULL;
}

static int
try_thread(void)
{
	pthread_t t;
	int rc = 0;

	if (pthread_create(&t, NULL, thread_body, &rc) != 0)
		return -1;
	pthread_join(t, NULL);
	return rc;
}

static int
try_fork(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(0);
	return pid < 0 ? errno : result(waitpid(pid, &status, 0));
}

/* ---- the table: what each profile answers */

#define FREE 0

static const struct {
	const char	*name;
	int	       (*try)(void);
	int		 expected[3];	/* by profile: vaultd, egress, hsm; -1 = not asked */
} rows[] = {
	{ "socket(AF_UNIX)", try_unix, { FREE, FREE, FREE } },
	{ "socket(AF_INET)", try_inet, { EPERM, FREE, FREE } },
	{ "socket(AF_INET6)", try_inet6, { EPERM, -1, -1 } },
	{ "socket(NETLINK_ROUTE)", try_route, { EPERM, FREE, FREE } },
	{ "socket(NETLINK_AUDIT)", try_audit, { EPERM, EPERM, FREE } },
	{ "socket(AF_PACKET)", try_packet, { EPERM, EPERM, -1 } },
	{ "AF_INET from a new thread", try_thread, { EPERM, FREE, FREE } },
	{ "fork", try_fork, { FREE, FREE, FREE } },
	{ "execve", try_exec, { EPERM, EPERM, EPERM } },
	{ "ptrace", try_ptrace, { EPERM, EPERM, EPERM } },
	{ "process_vm_readv", try_readv, { EPERM, EPERM, EPERM } },
	{ "io_uring_setup", try_uring, { EPERM, EPERM, EPERM } },
	{ "bpf", try_bpf, { EPERM, EPERM, EPERM } },
	{ "userfaultfd", try_userfault, { EPERM, EPERM, EPERM } },
	{ "keyctl", try_keyctl, { EPERM, EPERM, EPERM } },
	{ "mount", try_mount, { EPERM, EPERM, EPERM } },
	{ "finit_module", try_module, { EPERM, EPERM, EPERM } },
	{ "kexec_load", try_kexec, { EPERM, EPERM, EPERM } },
	{ "unshare(CLONE_NEWUSER)", try_unshare, { EPERM, EPERM, EPERM } },
	{ "clone(CLONE_NEWUSER)", try_clone_user, { EPERM, EPERM, EPERM } },
	{ "setuid", try_setuid, { EPERM, EPERM, EPERM } },
	{ "kill", try_kill, { EPERM, EPERM, FREE } },
	{ "memfd_create", try_memfd, { EPERM, EPERM, FREE } },
	{ "PR_SET_DUMPABLE", try_dumpable, { EPERM, EPERM, FREE } },
	{ "TIOCSTI", try_tiocsti, { EPERM, EPERM, -1 } },
	{ "limits of another process", try_limit_of_parent, { EPERM, EPERM, FREE } },
	{ "mmap writable code", try_writable_code, { EPERM, EPERM, FREE } },
	{ "mprotect into code", try_made_code, { EPERM, EPERM, FREE } },
};

static const struct {
	const char	*name;
	int	       (*try)(void);
	int		 expected;
} file_rows[] = {
	{ "write in a directory of its own", try_write_inside, FREE },
	{ "read what may be read", try_read_program, FREE },
	{ "write there", try_write_readonly, EACCES },
	{ "read elsewhere", try_read_outside, EACCES },
	{ "write elsewhere", try_write_outside, EACCES },
};

/* What TRY answers in a child inside the sandbox. */
static int
in_sandbox(enum sandbox_profile profile, int (*try)(void), bool files)
{
	const struct sandbox_path paths[] = {
		{ dir, SANDBOX_READ | SANDBOX_WRITE }, { "/usr", SANDBOX_READ },
		{ "/no/such/path", SANDBOX_READ }, { 0 } };
	int status, abi;
	struct err e;
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
		if (sandbox_enter(profile, paths, &abi, &e) != 0)
			_exit(201);
		_exit(files && abi < 1 ? LEFT_OUT : try());
	}
	T_EQ(waitpid(pid, &status, 0), pid);
	T_OK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
make_dir(void)
{
	unit_dir("sandbox", dir);
	snprintf(inside, sizeof inside, "%s/file", dir);
}

TEST(system_calls_by_profile)
{
	make_dir();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (int p = SANDBOX_VAULTD; p <= SANDBOX_HSM; p++) {
			int want = rows[i].expected[p], got;

			if (want < 0)
				continue;
			got = in_sandbox((enum sandbox_profile)p, rows[i].try, false);
			if (got != want)
				fail_msg("%s in profile %d: %s, expected %s", rows[i].name, p,
				    strerror(got), strerror(want));
		}
}

TEST(files_below_the_given_paths_alone)
{
	make_dir();
	for (size_t i = 0; i < sizeof file_rows / sizeof *file_rows; i++)
		for (int p = SANDBOX_VAULTD; p <= SANDBOX_HSM; p++) {
			int got = in_sandbox((enum sandbox_profile)p, file_rows[i].try, true);

			if (got != file_rows[i].expected && got != LEFT_OUT)
				fail_msg("%s in profile %d: %s, expected %s", file_rows[i].name, p,
				    strerror(got), strerror(file_rows[i].expected));
		}
}

/* ---- threads that were there before */

struct early {
	pthread_barrier_t	entered;
	int			rc;
};

static void *
early_body(void *arg)
{
	struct early *t = arg;

	pthread_barrier_wait(&t->entered);
	t->rc = try_inet();
	return NULL;
}

static int
early_thread(void)
{
	struct early t = { .rc = -1 };
	pthread_t id;
	struct err e;
	int abi;

	pthread_barrier_init(&t.entered, NULL, 2);
	if (pthread_create(&id, NULL, early_body, &t) != 0 ||
	    sandbox_enter(SANDBOX_VAULTD, NULL, &abi, &e) != 0)
		return 201;
	pthread_barrier_wait(&t.entered);
	pthread_join(id, NULL);
	return t.rc;
}

TEST(the_filter_binds_threads_that_were_there_before)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(early_thread());
	T_EQ(waitpid(pid, &status, 0), pid);
	T_EQ(WEXITSTATUS(status), EPERM);
}

int
main(void)
{
	return unit_run();
}

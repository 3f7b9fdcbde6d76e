/*
 * inject.c - has a running thread make one system call, as if it had been taken over, and
 * prints the outcome: a number, or the name of the error. Everything it had is put back.
 *
 *	inject TID CALL [ARGUMENT...]
 *
 * An argument is a number, a name of the table below, or @TEXT: the address of TEXT in
 * memory of the thread. Needs root. tests/confine.bats uses it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __x86_64__
#error "inject knows the registers of x86_64 only"
#endif

#define ARGS	6
#define SCRATCH	1024	/* below the red zone of the thread's stack */

static const struct {
	const char	*name;
	unsigned long	 value;
} names[] = {
	{ "AF_UNIX", AF_UNIX }, { "AF_INET", AF_INET }, { "AF_INET6", AF_INET6 },
	{ "AF_NETLINK", AF_NETLINK }, { "AF_PACKET", AF_PACKET }, { "AF_VSOCK", AF_VSOCK },
	{ "SOCK_STREAM", SOCK_STREAM }, { "SOCK_DGRAM", SOCK_DGRAM }, { "SOCK_RAW", SOCK_RAW },
	{ "NETLINK_AUDIT", NETLINK_AUDIT }, { "NETLINK_ROUTE", NETLINK_ROUTE },
	{ "AT_FDCWD", (unsigned long)AT_FDCWD }, { "O_RDONLY", O_RDONLY },
	{ "O_WRONLY", O_WRONLY }, { "O_CREAT", O_CREAT | O_WRONLY },
	{ "CLONE_NEWUSER", CLONE_NEWUSER | SIGCHLD }, { "PR_SET_DUMPABLE", PR_SET_DUMPABLE },
	{ "PTRACE_TRACEME", PTRACE_TRACEME }, { "RWX", PROT_READ | PROT_WRITE | PROT_EXEC },
	{ "MAP_ANONYMOUS", MAP_PRIVATE | MAP_ANONYMOUS },
};

struct target {
	pid_t			tid;
	int			mem;
	struct user_regs_struct	before;
	unsigned char		stack[SCRATCH];	/* as it was */
};

static _Noreturn void
fail(const char *what)
{
	fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void
stop(struct target *t, pid_t tid)
{
	char path[64];
	int status;

	t->tid = tid;
	snprintf(path, sizeof path, "/proc/%d/mem", (int)tid);
	if ((t->mem = open(path, O_RDWR | O_CLOEXEC)) < 0)
		fail(path);
	if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) != 0 ||
	    ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) != 0 ||
	    waitpid(tid, &status, __WALL) != tid || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_GETREGS, tid, NULL, &t->before) != 0)
		fail("attaching");
}

/* A thread that waits does so behind a syscall instruction. */
static unsigned long
syscall_at(const struct target *t)
{
	unsigned char code[2];
	off_t at = (off_t)t->before.rip - 2;

	if (pread(t->mem, code, 2, at) != 2 || code[0] != 0x0f || code[1] != 0x05) {
		errno = EAGAIN;
		fail("the thread does not wait in a system call");
	}
	return (unsigned long)at;
}

static unsigned long
argument(const struct target *t, const char *text, size_t *used)
{
	unsigned long at = t->before.rsp - 128 - SCRATCH + *used;
	size_t n = strlen(text);

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i].name, text) == 0)
			return names[i].value;
	if (text[0] != '@')
		return (unsigned long)strtol(text, NULL, 0);
	if (*used + n > SCRATCH) {
		errno = E2BIG;
		fail(text);
	}
	if (pwrite(t->mem, text + 1, n, (off_t)at) != (ssize_t)n)	/* with its NUL */
		fail("writing");
	*used += n;
	return at;
}

static long
make_call(struct target *t, long nr, const unsigned long a[ARGS])
{
	struct user_regs_struct r = t->before;
	int status;

	r.rip = syscall_at(t);
	r.rax = (unsigned long)nr;
	r.orig_rax = (unsigned long)-1;		/* nothing to restart */
	r.rdi = a[0];
	r.rsi = a[1];
	r.rdx = a[2];
	r.r10 = a[3];
	r.r8 = a[4];
	r.r9 = a[5];
	if (ptrace(PTRACE_SETREGS, t->tid, NULL, &r) != 0 ||
	    ptrace(PTRACE_SINGLESTEP, t->tid, NULL, NULL) != 0 ||
	    waitpid(t->tid, &status, __WALL) != t->tid)
		fail("stepping");
	if (!WIFSTOPPED(status)) {
		printf("killed\n");
		exit(0);
	}
	if (ptrace(PTRACE_GETREGS, t->tid, NULL, &r) != 0)
		fail("reading");
	return (long)r.rax;
}

static void
go_on(const struct target *t)
{
	const off_t at = (off_t)t->before.rsp - 128 - SCRATCH;

	if (pwrite(t->mem, t->stack, SCRATCH, at) != SCRATCH ||
	    ptrace(PTRACE_SETREGS, t->tid, NULL, &t->before) != 0 ||
	    ptrace(PTRACE_DETACH, t->tid, NULL, NULL) != 0)
		fail("putting back");
}

int
main(int argc, char **argv)
{
	unsigned long args[ARGS] = { 0 };
	struct target t;
	size_t used = 0;
	long rc;
	int nr;

	if (argc < 3 || argc > 3 + ARGS) {
		fprintf(stderr, "usage: inject TID CALL [ARGUMENT...]\n");
		return 2;
	}
	if ((nr = seccomp_syscall_resolve_name(argv[2])) < 0) {
		errno = ENOSYS;
		fail(argv[2]);
	}
	stop(&t, (pid_t)atol(argv[1]));
	if (pread(t.mem, t.stack, SCRATCH, (off_t)t.before.rsp - 128 - SCRATCH) != SCRATCH)
		fail("reading");
	for (int i = 3; i < argc; i++)
		args[i - 3] = argument(&t, argv[i], &used);
	rc = make_call(&t, nr, args);
	go_on(&t);
	if (rc < 0 && rc > -4096)
		printf("%s\n", strerrorname_np((int)-rc));
	else
		printf("%ld\n", rc);
	return 0;
}

/*
 * stepkill.c - kills a process with SIGKILL at the Nth step that leaves a trace: a write, a sync, a
 * file made or removed, a message sent. Each such system call is two steps: before it is made, and
 * after it was and before its caller knows.
 *
 *	stepkill PID N
 *
 * Writes "ready" when it watches all threads of PID. When the step came, or standard input ended
 * before, it prints "killed at STEP WHEN CALL PATH" or "seen STEPS" and exits. With an N of 0 it kills
 * nothing and prints the steps, and what is read from sockets, with microseconds. Needs root.
 * tests/steps.sh uses it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef __x86_64__
#error "stepkill knows the registers of x86_64 only"
#endif

#define THREADS_MAX 512

static const struct {
	long		 number;
	const char	*name;
	bool		 path;		/* the first argument is a descriptor worth a name */
} calls[] = {
	{ SYS_write, "write", true }, { SYS_pwrite64, "pwrite64", true },
	{ SYS_writev, "writev", true }, { SYS_pwritev, "pwritev", true },
	{ SYS_pwritev2, "pwritev2", true }, { SYS_sendto, "sendto", true },
	{ SYS_sendmsg, "sendmsg", true }, { SYS_fsync, "fsync", true },
	{ SYS_fdatasync, "fdatasync", true }, { SYS_fallocate, "fallocate", true },
	{ SYS_ftruncate, "ftruncate", true }, { SYS_unlink, "unlink", false },
	{ SYS_unlinkat, "unlinkat", false }, { SYS_rename, "rename", false },
	{ SYS_renameat, "renameat", false }, { SYS_renameat2, "renameat2", false },
	{ SYS_msync, "msync", false }, { SYS_linkat, "linkat", false },
	/* No steps: shown when nothing is to be killed. */
	{ SYS_read, "read", true }, { SYS_recvfrom, "recvfrom", true },
};
#define NSTEPS (sizeof calls / sizeof *calls - 2)
#define NCALLS (sizeof calls / sizeof *calls)

static struct { pid_t tid; bool inside; } threads[THREADS_MAX];
static size_t nthreads;

static _Noreturn void
fail(const char *what)
{
	fprintf(stderr, "stepkill: %s: %s\n", what, strerror(errno));
	exit(2);
}

static size_t
thread(pid_t tid)
{
	for (size_t i = 0; i < nthreads; i++)
		if (threads[i].tid == tid)
			return i;
	if (nthreads == THREADS_MAX) {
		errno = ENOSPC;
		fail("threads");
	}
	threads[nthreads].tid = tid;
	threads[nthreads].inside = false;
	return nthreads++;
}

/* A thread that is gone by now is nobody's loss. */
static void
watch_all(pid_t pid)
{
	char path[64];
	struct dirent *d;
	DIR *dir;

	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	if ((dir = opendir(path)) == NULL)
		fail(path);
	while ((d = readdir(dir)) != NULL) {
		pid_t tid = atoi(d->d_name);

		if (tid <= 0 || ptrace(PTRACE_SEIZE, tid, 0, PTRACE_O_TRACESYSGOOD |
			PTRACE_O_TRACECLONE) != 0)
			continue;
		thread(tid);
		ptrace(PTRACE_INTERRUPT, tid, 0, 0);
	}
	closedir(dir);
	if (nthreads == 0)
		fail("no thread can be watched");
}

static int
call_of(pid_t tid, struct user_regs_struct *r)
{
	if (ptrace(PTRACE_GETREGS, tid, 0, r) != 0)
		return -1;
	for (size_t i = 0; i < NCALLS; i++)
		if (calls[i].number == (long)r->orig_rax)
			return (int)i;
	return -1;
}

/* An eventfd only wakes the loop: nobody outside sees it. */
static bool
leaves_trace(pid_t pid, int call, const struct user_regs_struct *r, char *name, size_t cap)
{
	char link[64];
	ssize_t n;

	snprintf(name, cap, "-");
	if (!calls[call].path)
		return true;
	snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)pid, (int)r->rdi);
	if ((n = readlink(link, name, cap - 1)) < 0)
		return false;
	name[n] = '\0';
	return strncmp(name, "anon_inode:", 11) != 0 && strncmp(name, "pipe:", 5) != 0;
}

static void
end(pid_t pid, long step, const char *when, int call, const char *name)
{
	kill(pid, SIGKILL);
	printf("killed at %ld %s %s %s\n", step, when, calls[call].name, name);
	fflush(stdout);
	_exit(0);
}

static void
show(long step, const char *when, int call, const char *name)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	printf("step %ld %lld %s %s %s\n", step, (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000, when,
	    calls[call].name, name);
}

/* A stop of TID that is a system call's beginning or end. */
static void
at_call(pid_t pid, size_t i, long n, long *step)
{
	struct user_regs_struct r;
	char name[256];
	int call = call_of(threads[i].tid, &r);

	threads[i].inside = !threads[i].inside;
	if (call < 0 || !leaves_trace(pid, call, &r, name, sizeof name))
		return;
	if (n == 0)
		show(++*step, threads[i].inside ? "before" : "after", call, name);
	else if (call < (int)NSTEPS && ++*step == n)
		end(pid, *step, threads[i].inside ? "before" : "after", call, name);
}

static bool
input_ended(void)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

int
main(int argc, char **argv)
{
	pid_t pid = argc == 3 ? atoi(argv[1]) : 0, tid;
	long n = argc == 3 ? atol(argv[2]) : 0, step = 0;
	int status;

	if (pid <= 0) {
		fprintf(stderr, "usage: stepkill PID N\n");
		return 2;
	}
	watch_all(pid);
	puts("ready");
	fflush(stdout);
	for (;;) {
		int sig = 0;

		tid = waitpid(-1, &status, __WALL | WNOHANG);
		if (tid == 0) {
			if (input_ended())
				break;
			usleep(200);
			continue;
		}
		if (tid < 0 || !WIFSTOPPED(status)) {
			if (tid < 0 || tid == pid)
				break;		/* it ended by itself */
			continue;
		}
		if (WSTOPSIG(status) == (SIGTRAP | 0x80))
			at_call(pid, thread(tid), n, &step);
		else if (status >> 16 == 0)
			sig = WSTOPSIG(status);
		else
			thread(tid);
		ptrace(PTRACE_SYSCALL, tid, 0, sig);
	}
	printf("seen %ld\n", step);
	return 0;
}

/*
 * sandbox.c - see sandbox.h. The filters are lists: what a role may call (vaultd, egress),
 * or what nobody may (vault-hsm, whose module is a stranger).
 */
#include "common/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/auto.h"

/* ---- seccomp */

#define S(name) SCMP_SYS(name)

/* Memory, files, time, threads: what libc, an event loop and LMDB need. */
static const int base[] = {
	S(read), S(write), S(readv), S(writev), S(pread64), S(pwrite64), S(preadv), S(pwritev),
	S(preadv2), S(pwritev2), S(lseek), S(open), S(openat), S(openat2), S(close),
	S(close_range), S(fstat), S(stat), S(lstat), S(newfstatat), S(statx), S(statfs),
	S(fstatfs), S(access), S(faccessat), S(faccessat2), S(readlink), S(readlinkat),
	S(getdents64), S(mkdir), S(mkdirat), S(unlink), S(unlinkat), S(rename), S(renameat),
	S(renameat2), S(ftruncate), S(fallocate), S(fadvise64), S(fsync), S(fdatasync),
	S(sync_file_range), S(msync), S(flock), S(fcntl), S(dup), S(dup2), S(dup3), S(pipe2),
	S(umask), S(fchmod), S(fchown), S(copy_file_range), S(sendfile),
	S(munmap), S(mremap), S(madvise), S(mlock), S(mlock2), S(munlock), S(brk), S(mincore),
	S(membarrier),
	S(epoll_create1), S(epoll_ctl), S(epoll_wait), S(epoll_pwait), S(epoll_pwait2),
	S(poll), S(ppoll), S(select), S(pselect6), S(eventfd2), S(timerfd_create),
	S(timerfd_settime), S(signalfd4),
	S(clock_gettime), S(clock_getres), S(clock_nanosleep), S(nanosleep), S(gettimeofday),
	S(time), S(times),
	S(futex), S(futex_waitv), S(set_robust_list), S(get_robust_list), S(rseq),
	S(sched_yield), S(sched_getaffinity), S(set_tid_address), S(gettid),
	S(getpid), S(getppid), S(getuid), S(geteuid), S(getgid), S(getegid), S(getgroups),
	S(getresuid), S(getresgid), S(getpgrp), S(getpgid), S(getsid),
	S(rt_sigaction), S(rt_sigprocmask), S(rt_sigreturn), S(rt_sigtimedwait),
	S(sigaltstack), S(tgkill), S(restart_syscall), S(exit), S(exit_group), S(wait4),
	S(waitid), S(getrandom), S(uname), S(sysinfo), S(getrlimit), S(getrusage), S(getcwd),
	S(arch_prctl),
	S(connect), S(accept), S(accept4), S(bind), S(getsockname), S(getpeername),
	S(getsockopt), S(setsockopt), S(sendto), S(recvfrom), S(sendmsg), S(recvmsg),
	S(sendmmsg), S(recvmmsg), S(shutdown), S(socketpair),
};

/* Nobody's business once a role runs: EPERM in vault-hsm, which has no list of its own. */
static const int never[] = {
	S(execve), S(execveat), S(ptrace), S(process_vm_readv), S(process_vm_writev), S(kcmp),
	S(pidfd_getfd), S(process_madvise), S(bpf), S(perf_event_open), S(userfaultfd),
	S(io_uring_setup), S(io_uring_enter), S(io_uring_register), S(keyctl), S(add_key),
	S(request_key), S(mount), S(umount2), S(move_mount), S(mount_setattr), S(open_tree),
	S(fsopen), S(fspick), S(fsmount), S(fsconfig), S(pivot_root), S(chroot), S(setns),
	S(unshare), S(init_module), S(finit_module), S(delete_module), S(kexec_load),
	S(kexec_file_load), S(reboot), S(swapon), S(swapoff), S(settimeofday),
	S(clock_settime), S(clock_adjtime), S(adjtimex), S(sethostname), S(setdomainname),
	S(acct), S(quotactl), S(syslog), S(iopl), S(ioperm), S(modify_ldt), S(personality),
	S(open_by_handle_at), S(name_to_handle_at), S(lookup_dcookie), S(vhangup),
	S(nfsservctl), S(uselib), S(mbind), S(migrate_pages), S(move_pages), S(setuid),
	S(setgid), S(setreuid), S(setregid), S(setresuid), S(setresgid), S(setgroups),
	S(mknod), S(mknodat), S(fanotify_init),
};

#define IN_VAULTD	1U
#define IN_EGRESS	2U
#define IN_HSM		4U
#define IN_LISTS	(IN_VAULTD | IN_EGRESS)
#define NAMESPACES	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | \
			 CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

/*
 * Calls that are harmless or not by their arguments. IS and HAS_NOT read argument ARG:
 * equal to VALUE, or with none of the bits of VALUE.
 */
enum test { IS, HAS_NOT };

static const struct rule {
	unsigned	in;		/* profiles */
	int		call;
	unsigned	arg;
	enum test	test;
	uint64_t	value;
} rules[] = {
	{ IN_LISTS, S(socket), 0, IS, AF_UNIX },
	{ IN_EGRESS, S(socket), 0, IS, AF_INET },
	{ IN_EGRESS, S(socket), 0, IS, AF_INET6 },
	{ IN_LISTS, S(clone), 0, HAS_NOT, NAMESPACES },
	/* Code comes from files alone: never memory that was writable. */
	{ IN_LISTS, S(mmap), 2, HAS_NOT, PROT_EXEC },
	{ IN_LISTS, S(mmap), 2, HAS_NOT, PROT_WRITE },
	{ IN_LISTS, S(mprotect), 2, HAS_NOT, PROT_EXEC },
	{ IN_LISTS, S(ioctl), 1, IS, FIONREAD },
	{ IN_LISTS, S(ioctl), 1, IS, FIONBIO },
	{ IN_LISTS, S(ioctl), 1, IS, TCGETS },
	{ IN_LISTS, S(prctl), 0, IS, PR_SET_NAME },
	{ IN_LISTS, S(prctl), 0, IS, PR_SET_VMA },
	{ IN_LISTS, S(prctl), 0, IS, PR_GET_DUMPABLE },
	{ IN_LISTS, S(prctl), 0, IS, PR_SET_PDEATHSIG },
	{ IN_LISTS, S(prlimit64), 0, IS, 0 },	/* its own limits */
};

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* A call this architecture does not have is no reason to fail. */
static bool
is_failure(int rc)
{
	return rc != 0 && rc != -EDOM && rc != -EINVAL && rc != -EACCES;
}

static int
add(scmp_filter_ctx f, uint32_t action, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int rc = seccomp_rule_add(f, action, calls[i], 0);

		if (is_failure(rc))
			return rc;
	}
	return 0;
}

static int
add_rules(scmp_filter_ctx f, unsigned in)
{
	for (size_t i = 0; i < COUNT(rules); i++) {
		const struct rule *r = &rules[i];
		const struct scmp_arg_cmp cmp = { .arg = r->arg,
			.op = r->test == IS ? SCMP_CMP_EQ : SCMP_CMP_MASKED_EQ,
			.datum_a = r->value };
		int rc;

		if (!(r->in & in))
			continue;
		rc = seccomp_rule_add_array(f, SCMP_ACT_ALLOW, r->call, 1, &cmp);
		if (is_failure(rc))
			return rc;
	}
	return 0;
}

/* getaddrinfo(3) asks the kernel for the addresses of this machine. */
static int
add_route(scmp_filter_ctx f)
{
	const struct scmp_arg_cmp cmp[] = {
		{ .arg = 0, .op = SCMP_CMP_EQ, .datum_a = AF_NETLINK },
		{ .arg = 2, .op = SCMP_CMP_EQ, .datum_a = NETLINK_ROUTE } };

	return seccomp_rule_add_array(f, SCMP_ACT_ALLOW, S(socket), 2, cmp);
}

static int
allow_list(scmp_filter_ctx f, unsigned in)
{
	int rc = add(f, SCMP_ACT_ALLOW, base, COUNT(base));

	if (rc == 0)
		rc = add_rules(f, in);
	if (rc == 0 && in == IN_EGRESS)
		rc = add_route(f);
	return rc;
}

static int
deny_list(scmp_filter_ctx f)
{
	int rc = add(f, SCMP_ACT_ERRNO(EPERM), never, COUNT(never));

	for (uint64_t bit = 1; rc == 0 && bit <= NAMESPACES; bit <<= 1) {
		const struct scmp_arg_cmp has = { .arg = 0, .op = SCMP_CMP_MASKED_EQ,
			.datum_a = bit, .datum_b = bit };

		if (bit & NAMESPACES)
			rc = seccomp_rule_add_array(f, SCMP_ACT_ERRNO(EPERM), S(clone), 1, &has);
	}
	return rc;
}

static int
fill(scmp_filter_ctx f, unsigned in)
{
	int rc = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);

	/* Numbers of another ABI would walk past every rule below. */
	if (rc == 0)
		rc = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	/* Its flags are in memory, where no filter can read them: libc falls back to clone. */
	if (rc == 0)
		rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), S(clone3), 0);
	if (rc == 0)
		rc = in == IN_HSM ? deny_list(f) : allow_list(f, in);
	return rc;
}

static int
enter_seccomp(enum sandbox_profile profile, struct err *e)
{
	static const unsigned in[] = { [SANDBOX_VAULTD] = IN_VAULTD,
		[SANDBOX_EGRESS] = IN_EGRESS, [SANDBOX_HSM] = IN_HSM };
	scmp_filter_ctx f = seccomp_init(profile == SANDBOX_HSM ? SCMP_ACT_ALLOW :
	    SCMP_ACT_ERRNO(EPERM));
	int rc;

	if (f == NULL)
		return err_set(e, V_LIMIT, "out of memory for the seccomp filter");
	rc = fill(f, in[profile]);
	if (rc == 0)
		rc = seccomp_load(f);
	seccomp_release(f);
	return rc == 0 ? 0 : err_set(e, V_IO, "seccomp: %s", strerror(-rc));
}

/* ---- Landlock, by number: the headers of Debian 12 know only its first version */

#define NR_CREATE	444
#define NR_ADD		445
#define NR_RESTRICT	446
#define FS_EXECUTE	(1ULL << 0)
#define FS_WRITE_FILE	(1ULL << 1)
#define FS_READ_FILE	(1ULL << 2)
#define FS_READ_DIR	(1ULL << 3)
#define FS_ALL_V1	((1ULL << 13) - 1)
#define FS_REFER	(1ULL << 13)	/* version 2 */
#define FS_TRUNCATE	(1ULL << 14)	/* 3 */
#define FS_IOCTL_DEV	(1ULL << 15)	/* 5 */
#define NET_ALL		3ULL		/* 4: bind and connect of TCP */
#define SCOPE_ALL	3ULL		/* 6: abstract sockets, signals to others */

struct ruleset_attr { uint64_t fs, net, scoped; };
struct path_attr { uint64_t access; int32_t fd; } __attribute__((packed));

static uint64_t
handled(int abi)
{
	uint64_t fs = FS_ALL_V1;

	if (abi >= 2)
		fs |= FS_REFER;
	if (abi >= 3)
		fs |= FS_TRUNCATE;
	if (abi >= 5)
		fs |= FS_IOCTL_DEV;
	return fs;
}

static uint64_t
access_of(unsigned access, bool dir, uint64_t all)
{
	uint64_t fs = 0;

	if (access & SANDBOX_READ)
		fs |= FS_READ_FILE | (dir ? FS_READ_DIR : 0);
	if (access & SANDBOX_EXEC)
		fs |= FS_EXECUTE;
	if (access & SANDBOX_WRITE)
		fs |= dir ? all & ~FS_EXECUTE : FS_WRITE_FILE | (all & FS_TRUNCATE);
	return fs & all;
}

static int
add_path(int ruleset, const struct sandbox_path *p, uint64_t all, struct err *e)
{
	AUTO_CLOSE int fd = open(p->path, O_PATH | O_CLOEXEC);
	struct path_attr attr = { .fd = fd };
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0)
		return 0;	/* a missing one */
	attr.access = access_of(p->access, S_ISDIR(st.st_mode), all);
	if (syscall(NR_ADD, ruleset, 1, &attr, 0) != 0)
		return err_errno(e, "landlock: %s", p->path);
	return 0;
}

/* A module may signal its vendor's daemon, and has a network; vaultd has none. */
static struct ruleset_attr
ruleset_for(enum sandbox_profile profile, int abi)
{
	struct ruleset_attr attr = { .fs = handled(abi) };

	if (abi >= 4 && profile == SANDBOX_VAULTD)
		attr.net = NET_ALL;
	if (abi >= 6 && profile != SANDBOX_HSM)
		attr.scoped = SCOPE_ALL;
	return attr;
}

static int
enter_landlock(enum sandbox_profile profile, const struct sandbox_path *paths, int *ret_abi,
    struct err *e)
{
	int abi = (int)syscall(NR_CREATE, NULL, 0, 1);
	struct ruleset_attr attr = ruleset_for(profile, abi);
	size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
	AUTO_CLOSE int ruleset = -1;

	*ret_abi = 0;
	if (abi < 1)	/* not in this kernel, or not switched on */
		return 0;
	ruleset = (int)syscall(NR_CREATE, &attr, size, 0);
	if (ruleset < 0)
		return err_errno(e, "landlock");
	for (; paths != NULL && paths->path != NULL; paths++)
		if (paths->path[0] != '\0' && add_path(ruleset, paths, attr.fs, e) != 0)
			return e->code;
	if (syscall(NR_RESTRICT, ruleset, 0) != 0)
		return err_errno(e, "landlock");
	*ret_abi = abi;
	return 0;
}

int
sandbox_enter(enum sandbox_profile profile, const struct sandbox_path *paths,
    int *landlock_abi, struct err *e)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return err_errno(e, "PR_SET_NO_NEW_PRIVS");
	if (enter_landlock(profile, paths, landlock_abi, e) != 0)
		return e->code;
	return enter_seccomp(profile, e);
}

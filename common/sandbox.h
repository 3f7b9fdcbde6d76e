/*
 * sandbox.h - what holds for a role even without systemd: a seccomp filter and
 * Landlock. Entered once, after start-up work that needs more, before any input.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

enum sandbox_access { SANDBOX_READ = 1, SANDBOX_WRITE = 2, SANDBOX_EXEC = 4 };

struct sandbox_path {
	const char	*path;		/* a missing one is skipped */
	unsigned	 access;	/* below it */
};

enum sandbox_profile {
	SANDBOX_VAULTD,		/* allow list; sockets: AF_UNIX only */
	SANDBOX_EGRESS,		/* allow list; AF_INET, AF_INET6, AF_UNIX */
	SANDBOX_HSM,		/* deny list (modules do what they like), with io_uring denied */
};

/*
 * Restricts this process and its children for ever: the filter all its threads (TSYNC),
 * Landlock the calling thread and those it starts. A denied system call fails with EPERM;
 * ptrace, process_vm_*, execve after start, module and mount calls always do. PATHS ends
 * with a NULL path. Where the kernel lacks Landlock the rest is applied, *LANDLOCK_ABI is 0
 * and the caller says so in its status.
 */
int sandbox_enter(enum sandbox_profile profile, const struct sandbox_path *paths,
    int *landlock_abi, struct err *e);

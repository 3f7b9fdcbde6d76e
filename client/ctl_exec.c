/*
 * ctl_exec.c - vaultctl exec: a program gets its tokens, and nothing else of the vault.
 *
 * All tokens are had before anything starts. Then this process becomes the program: nobody stays
 * between it and its caller, and what vaultctl held is gone.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "client/ctl.h"

#define EX_CANNOT_RUN	126	/* as env(1) says it */
#define EX_NO_PROGRAM	127

struct wanted {
	char		 variable[160];
	const char	*connection;
	int		 fd;		/* --fd: of its token; else -1 */
};

/* IEEE Std 1003.1, 8.1: what a shell takes as a variable. */
static bool
is_variable(const char *s, size_t n)
{
	if (n == 0 || isdigit((unsigned char)*s))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && s[i] != '_')
			return false;
	return true;
}

/* shared/team/my-git is MY_GIT_TOKEN. */
static void
name_variable(struct wanted *w)
{
	const char *slash = strrchr(w->connection, '/');
	const char *name = slash != NULL ? slash + 1 : w->connection;
	size_t n = 0;

	if (isdigit((unsigned char)*name))
		w->variable[n++] = '_';
	for (; *name != '\0' && n < sizeof w->variable - sizeof "_TOKEN"; name++)
		w->variable[n++] = isalnum((unsigned char)*name) ?
		    (char)toupper((unsigned char)*name) : '_';
	strcpy(w->variable + n, "_TOKEN");
}

/* "VARIABLE=CONNECTION", or a connection alone. */
static int
read_wanted(const struct ctl *c, const char *arg, struct wanted *w)
{
	size_t n = strcspn(arg, "=");

	*w = (struct wanted){ .connection = arg, .fd = -1 };
	if (arg[n] == '=' && is_variable(arg, n)) {
		if (n >= sizeof w->variable)
			return ctl_fail(c, EX_USE, "the name of a variable is at most %zu bytes",
			    sizeof w->variable - 1);
		memcpy(w->variable, arg, n);
		w->connection = arg + n + 1;
	} else {
		name_variable(w);
	}
	return 0;
}

static int
read_all(struct ctl *c, struct wanted *w)
{
	if (c->rest == NULL || c->rest[0] == NULL)
		return ctl_fail(c, EX_USE, "what is to be run? vaultctl exec CONNECTION -- COMMAND");
	for (int i = 0; i < c->nargs; i++) {
		if (read_wanted(c, c->arg[i], &w[i]) != 0)
			return EX_USE;
		for (int k = 0; k < i; k++)
			if (strcmp(w[k].variable, w[i].variable) == 0)
				return ctl_fail(c, EX_USE, "%s and %s would both be %s: name the variable "
				    "of one, as NAME=%s", w[k].connection, w[i].connection,
				    w[i].variable, w[i].connection);
	}
	return 0;
}

/* Readable again and again at /dev/fd/N, by the program alone, and never written. */
static int
token_fd(const struct ctl *c, const char *token, int *ret)
{
	size_t n = strlen(token);
	int fd = memfd_create("token", MFD_ALLOW_SEALING);

	if (fd < 0 || write(fd, token, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) != 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)
		return ctl_fail(c, EX_FAILED, "the token cannot be put into a file in memory: %s",
		    strerror(errno));
	*ret = fd;
	return 0;
}

static int
set_variable(const struct ctl *c, struct wanted *w, const char *token)
{
	char path[32];

	if (w->fd >= 0) {
		snprintf(path, sizeof path, "/dev/fd/%d", w->fd);
		token = path;
	}
	return setenv(w->variable, token, 1) == 0 ? 0 : ctl_fail(c, EX_FAILED, "out of memory");
}

static int
give(struct ctl *c, struct wanted *w, long long ttl)
{
	struct vaultd_token t;
	int rc = 0;

	if (vaultd_token_get(c->v, w->connection, ttl, &t, &c->error) != 0) {
		ctl_print_error(c);
		return ctl_exit_of(&c->error);
	}
	if (ctl_option(c, "fd") != NULL)
		rc = token_fd(c, t.access_token, &w->fd);
	if (rc == 0)
		rc = set_variable(c, w, t.access_token);
	vaultd_token_done(&t);
	return rc;
}

/* The program is not ours: it has the limits that vaultctl was started with. */
static void
restore_limits(const struct ctl *c)
{
	struct rlimit core;

	if (getrlimit(RLIMIT_CORE, &core) == 0) {
		core.rlim_cur = c->core_limit;
		setrlimit(RLIMIT_CORE, &core);
	}
}

/* No descriptor besides the standard streams and the tokens; least of all the vault's socket. */
static void
close_others(const struct wanted *w, int n)
{
	close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
	for (int i = 0; i < n; i++)
		if (w[i].fd >= 0)
			fcntl(w[i].fd, F_SETFD, 0);
}

static int
exec_command(struct ctl *c)
{
	struct wanted w[ARGS_MAX];
	long long ttl;
	int rc = read_all(c, w);

	if (rc != 0 || (rc = ctl_number(c, "min-ttl", 0, &ttl)) != 0)
		return rc;
	for (int i = 0; i < c->nargs; i++)
		if ((rc = give(c, &w[i], ttl)) != 0)
			return rc;
	close_others(w, c->nargs);
	restore_limits(c);
	execvp(c->rest[0], c->rest);
	rc = errno == ENOENT ? EX_NO_PROGRAM : EX_CANNOT_RUN;
	return ctl_fail(c, rc, "%s: %s", c->rest[0], strerror(errno));
}

const struct command commands_exec[] = {
	{ "exec", "CONNECTION... -- COMMAND", 1, ARGS_MAX, "fd min-ttl= --",
	    "run a program with its tokens in the environment",
	    "  --fd                 in files instead: the variable is a path, /dev/fd/N\n"
	    "  --min-ttl SECONDS    that live at least so long, if the provider's do\n\n"
	    "The token of shared/team/my-git is in MY_GIT_TOKEN; NAME=shared/team/my-git calls it\n"
	    "NAME. All tokens are had before the program starts; they are not renewed in it.\n\n"
	    "  vaultctl exec GH_TOKEN=github -- gh repo list\n",
	    exec_command },
	{ 0 },
};

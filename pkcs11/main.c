/*
 * main.c - vault-hsm: the only process that sees the PKCS#11 module and the PIN.
 *
 * The daemon is one straight line: harden, take the sockets, load the module, log in,
 * bind the KEKs, enter the sandbox, answer. Whatever goes wrong with the module ends in
 * leaving and being started again (recover.h). It leaves with _exit(): exit handlers of
 * modules crash.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/auto.h"
#include "common/log.h"
#include "common/role.h"
#include "common/sandbox.h"
#include "common/wiping.h"
#include "pkcs11/hsm.h"
#include "pkcs11/key.h"
#include "pkcs11/serve.h"

#define CONF_FILE	"/etc/vaultd/vault-hsm.conf"
#define EXIT_AGAIN	75	/* EX_TEMPFAIL: start me again */
#define EXIT_CONFIG	78	/* EX_CONFIG: that is no use */
#define MODULE_PATHS	36

static void
usage(FILE *f)
{
	fprintf(f, "usage: vault-hsm [-c FILE]             serve (sockets by LISTEN_FDS)\n"
	    "       vault-hsm [-c FILE] -n          check the configuration\n"
	    "       vault-hsm [-c FILE] key init    make the two KEKs, once\n"
	    "       vault-hsm [-c FILE] key status  reach the token, check the KEKs\n"
	    "       vault-hsm [-c FILE] pin try     log in once, whatever happened before\n"
	    "       vault-hsm [-c FILE] pair list   key pairs of connections\n"
	    "       vault-hsm [-c FILE] pair destroy ID\n"
	    "       vault-hsm -h | -V\n");
}

static int
null_stdio(struct err *e)
{
	AUTO_CLOSE int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0 || dup2(fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0)
		return err_errno(e, "/dev/null");
	return 0;
}

/* Where the module lies, whatever links lead there: vendors put what they load later beside it. */
static void
module_dir(const struct hsm_conf *c, char out[PATH_MAX])
{
	char *slash = realpath(c->module_path, out) == NULL ? NULL : strrchr(out, '/');

	if (slash == NULL || slash == out)	/* never all of / */
		slash = out;
	*slash = '\0';
}

/*
 * The module was loaded and has read its configuration: what is left is libraries it loads
 * late, the PIN for another login, and the directories that the operator named.
 */
static int
confine(const struct hsm_conf *c, struct err *e)
{
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	char beside[PATH_MAX];
	struct sandbox_path paths[48] = {
		{ c->state_dir, SANDBOX_READ | SANDBOX_WRITE },
		{ "/dev/null", SANDBOX_READ | SANDBOX_WRITE },
		{ "/dev/urandom", SANDBOX_READ }, { "/etc/ld.so.cache", SANDBOX_READ },
		{ "/usr/lib", SANDBOX_READ }, { "/lib", SANDBOX_READ }, { "/lib64", SANDBOX_READ },
		{ beside, SANDBOX_READ }, { c->pin_file, SANDBOX_READ },
		{ *c->pin_file != '\0' || credentials == NULL ? "" : credentials, SANDBOX_READ },
	};
	size_t n = 10;
	int abi;

	module_dir(c, beside);
	if (c->module_paths.n > MODULE_PATHS)
		return err_set(e, V_LIMIT, "more than %d 'module_paths'", MODULE_PATHS);
	for (size_t i = 0; i < c->module_paths.n; i++)
		paths[n++] = (struct sandbox_path){ c->module_paths.v[i],
			SANDBOX_READ | SANDBOX_WRITE };
	must(n < sizeof paths / sizeof *paths);
	if (sandbox_enter(SANDBOX_HSM, paths, &abi, e) != 0)
		return err_wrap(e, "sandbox");
	log_info("sandbox entered landlock_abi=%d", abi);
	return 0;
}

/* Everything before the module: no secret was read yet. */
static int
prepare(struct hsm *h, struct serve *s, struct err *e)
{
	struct role_fds fds;

	if (role_harden(NULL, e) != 0 || role_listen_fds(&fds, e) != 0)
		return e->code;
	role_close_others(&fds);
	if (null_stdio(e) != 0 || serve_init(s, h, &fds, e) != 0 ||
	    secret_arena_init(h->conf.secret_memory, h->conf.secret_mlock_only, e) != 0)
		return e->code;
	if (chdir(h->conf.state_dir) != 0)
		return err_errno(e, "state_dir %s", h->conf.state_dir);
	if (recover_open(&h->recover, h->conf.state_dir, e) != 0)
		return e->code;
	return config_module_env(&h->conf, e);
}

/*
 * The run before us died inside the module, and not for the first time: this run only
 * answers that the token is away, for as long as the backoff asks, and the next one
 * tries again.
 */
static bool
must_wait_first(struct hsm *h)
{
	const char *call = h->recover.died_in;
	char text[160];
	struct err e;

	if (*call == '\0')
		return false;
	log_warn("the run before this one ended inside a call of the module call=%s", call);
	if (recover_delay_ms(h->recover.note->starts) == 0)
		return false;
	if (binding_load(h->conf.state_dir, &h->binding, &e) != 0)
		log_debug("no binding yet why=\"%s\"", e.text);
	snprintf(text, sizeof text, "the module did not come back from %s in time, or "
	    "crashed there: see the vendor's log; tried again by itself", call);
	hsm_set(h, KEY_ABSENT, text);
	return true;
}

/* How long this run serves: -1 = until somebody ends it. */
static long long
attempt(struct hsm *h)
{
	struct err e;

	if (must_wait_first(h))
		return recover_wait_ms(&h->recover);
	recover_attempt(&h->recover);
	if (hsm_start(h, &e) == 0 || h->stay)
		return -1;
	return recover_wait_ms(&h->recover);
}

/* A new binding takes a new process: some modules show keys of others to no other. */
static bool
may_reload(const struct hsm *h)
{
	struct binding b;
	struct err e;

	if (h->state != KEY_READY)
		return true;
	if (binding_load(h->conf.state_dir, &b, &e) != 0) {
		log_error("reload refused, the old binding stays why=\"%s\"", e.text);
		return false;
	}
	if (binding_equal(&b, &h->binding)) {
		log_info("reload: the binding is the same");
		return false;
	}
	return true;
}

static int
goodbye(struct hsm *h, enum serve_end end)
{
	static const struct {
		const char	*why;
		int		 status;
	} rows[] = {
		[SERVE_TERM] = { "asked to stop", 0 },
		[SERVE_RELOAD] = { "reload", 0 },
		[SERVE_TIMEOUT] = { "to try the token again", EXIT_AGAIN },
		[SERVE_LEAVE] = { "the token needs a new process", EXIT_AGAIN },
	};

	if (end == SERVE_TERM)
		role_notify("STOPPING=1");
	if (end == SERVE_RELOAD)
		recover_forget(&h->recover);
	log_info("goodbye why=\"%s\" state=%s", rows[end].why, key_state_name(h->state));
	return rows[end].status;
}

static int
serve(struct hsm *h)
{
	enum serve_end end = SERVE_TIMEOUT;
	struct serve s;
	struct err e;
	long long ms;

	log_init("vault-hsm", h->conf.level);
	h->started_ms = boot_ms();
	if (prepare(h, &s, &e) != 0) {
		log_error("cannot start why=\"%s\"", e.text);
		return e.code == V_INVALID ? EXIT_CONFIG : 1;
	}
	role_notify("READY=1");		/* the vault starts without the HSM */
	ms = attempt(h);
	if (ms != 0) {
		if (confine(&h->conf, &e) != 0) {
			log_error("cannot serve why=\"%s\"", e.text);
			return 1;
		}
		do
			end = serve_run(&s, ms);
		while (end == SERVE_RELOAD && !may_reload(h));
	}
	return goodbye(h, end);
}

static int
check(const char *file, const struct hsm_conf *c)
{
	struct binding b;
	struct err e;

	if (binding_load(c->state_dir, &b, &e) != 0 && e.code == V_CORRUPT) {
		fprintf(stderr, "vault-hsm: %s\n", e.text);
		return EXIT_CONFIG;
	}
	printf("%s: ok\n", file);
	return 0;
}

/* Never exit() once the module was in: see the top. */
static int
work(const char *file, bool only_check, int argc, char **argv)
{
	struct hsm h = { .state = KEY_STARTING, .mode = GUARD_SERVICE };
	struct err e;
	int rc;

	if (config_load(file, &h.conf, &e) != 0) {
		fprintf(stderr, "vault-hsm: %s\n", e.text);
		return EXIT_CONFIG;
	}
	if (only_check)
		rc = check(file, &h.conf);
	else
		rc = argc > 0 ? key_command(&h.conf, argc, argv) : serve(&h);
	config_done(&h.conf);
	return rc;
}

int
main(int argc, char **argv)
{
	const char *file = CONF_FILE;
	bool only_check = false;
	int c, rc;

	openssl_wiping_allocator();	/* private keys pass through it */
	while ((c = getopt(argc, argv, "+c:nhV")) != -1)
		switch (c) {
		case 'c':
			file = optarg;
			break;
		case 'n':
			only_check = true;
			break;
		case 'h':
			usage(stdout);
			printf("\nConfiguration (%s):\n\n", CONF_FILE);
			conf_print(hsm_conf_keys);
			return 0;
		case 'V':
			printf("vault-hsm %s\n", VERSION);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	rc = work(file, only_check, argc - optind, argv + optind);
	fflush(stdout);
	_exit(rc);
}

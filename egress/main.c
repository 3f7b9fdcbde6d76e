/*
 * main.c - vault-egress(8): the one role with a network.
 */
#include <event2/event.h>
#include <event2/thread.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/json.h"
#include "common/log.h"
#include "common/role.h"
#include "common/sandbox.h"
#include "common/secret.h"
#include "common/wiping.h"
#include "egress/egress.h"
#include "egress/http.h"
#include "egress/server.h"
#include "egress/spool.h"

#define CONF_DEFAULT	"/etc/vaultd/vault-egress.conf"
#define EX_CONFIG	78	/* sysexits(3): starting again would not help */
#define STOP_S		150	/* longer than any exchange may take */

struct stop {
	struct egress	*x;
	long long	 by_ms;
};

static void
on_term(evutil_socket_t fd, short what, void *arg)
{
	struct stop *s = arg;

	(void)fd;
	(void)what;
	if (s->x->stopping)
		return;
	s->x->stopping = true;
	s->by_ms = boot_ms() + STOP_S * 1000;
	role_notify("STOPPING=1");
	log_info("stopping: %u requests under way", work_busy(s->x->work));
}

static void
on_watchdog(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	role_notify("WATCHDOG=1");
}

static int
load_files(struct egress *x, const char *conf, struct err *e)
{
	enum log_level level;

	if (conf_load(config_keys, conf, &x->conf, e) != 0 ||
	    log_level_parse(x->conf.log_level, &level, e) != 0)
		return e->code;
	log_init("vault-egress", level);
	if (allow_init(&x->allow, &x->conf.allow_address, &x->conf.allow_host, e) != 0)
		return e->code;
	if (x->conf.ca_file[0] != '\0' && access(x->conf.ca_file, R_OK) != 0)
		return err_errno(e, "ca_file %s", x->conf.ca_file);
	return catalogue_load(x->conf.connector_dir, &x->catalogue, e);
}

static int
confine(struct egress *x, int *landlock, struct err *e)
{
	const struct sandbox_path paths[] = {
		{ x->conf.state_dir, SANDBOX_READ | SANDBOX_WRITE },
		{ x->conf.connector_dir, SANDBOX_READ }, { x->conf.ca_file, SANDBOX_READ },
		{ "/etc", SANDBOX_READ }, { "/usr/lib", SANDBOX_READ | SANDBOX_EXEC },
		{ "/lib", SANDBOX_READ | SANDBOX_EXEC }, { "/usr/share", SANDBOX_READ },
		{ "/run/systemd/resolve", SANDBOX_READ }, { "/proc", SANDBOX_READ },
		{ "/dev/urandom", SANDBOX_READ }, { 0 },
	};

	return sandbox_enter(SANDBOX_EGRESS, paths, landlock, e);
}

static int
open_all(struct egress *x, struct err *e)
{
	egress_init(x);
	if (evthread_use_pthreads() != 0 || (x->base = event_base_new()) == NULL)
		return err_set(e, V_IO, "cannot make an event loop");
	if (secret_arena_init(x->conf.secret_memory, x->conf.secret_mlock_only, e) != 0 ||
	    spool_open(x->conf.state_dir, &x->spool, e) != 0)
		return e->code;
	keyline_init(&x->keys, x->conf.hsm_socket);
	http_init();
	return 0;
}

static void
add_signals(struct egress *x, struct stop *s)
{
	static const int signals[] = { SIGTERM, SIGINT };
	unsigned long long usec = role_watchdog_usec();
	struct timeval tv = { (time_t)(usec / 1000000), (suseconds_t)(usec % 1000000) };
	struct event *ev;

	signal(SIGHUP, SIG_IGN);
	for (int i = 0; i < 2; i++) {
		ev = evsignal_new(x->base, signals[i], on_term, s);
		must(ev != NULL && event_add(ev, NULL) == 0);
	}
	if (usec > 0) {
		ev = event_new(x->base, -1, EV_PERSIST, on_watchdog, NULL);
		must(ev != NULL && event_add(ev, &tv) == 0);
	}
}

static void
run(struct egress *x, const struct stop *s)
{
	static const struct timeval tick = { 0, 200000 };

	while (!x->stopping || (work_busy(x->work) > 0 && boot_ms() < s->by_ms)) {
		if (x->stopping)
			event_base_loopexit(x->base, &tick);
		event_base_loop(x->base, EVLOOP_ONCE);
	}
	event_base_loop(x->base, EVLOOP_NONBLOCK);	/* the last answers */
}

static int
fail(const struct err *e, int status)
{
	log_error("%s", e->text);
	return status;
}

static int
serve(struct egress *x, const struct role_fds *fds)
{
	const struct role_fd *from = role_fd_find(fds, "from-vaultd");
	struct stop s = { .x = x };
	struct err e = { 0 };
	int landlock;

	if (from == NULL) {
		err_set(&e, V_INVALID, "no socket named 'from-vaultd' was passed in: start "
		    "vault-egress by systemd or vault-launch");
		return fail(&e, EX_CONFIG);
	}
	if (open_all(x, &e) != 0)
		return fail(&e, 1);
	/* Threads after the sandbox: each inherits it. */
	if (confine(x, &landlock, &e) != 0 || work_new(x, &x->work, &e) != 0 ||
	    server_start(x, from->fd, &e) != 0)
		return fail(&e, 1);
	add_signals(x, &s);
	log_info("ready version=" VERSION " connectors=%zu landlock=%d", x->catalogue.n,
	    landlock);
	role_notify("READY=1");
	run(x, &s);
	server_stop(x);
	log_info("stopped");
	/* What still runs has its spool; the process ends under it. */
	_exit(0);
}

static void
usage(void)
{
	printf("usage: vault-egress [-n] [-c FILE]\n"
	    "  -c FILE  configuration, default " CONF_DEFAULT "\n"
	    "  -n       check configuration and connectors, then exit\n"
	    "  -h       this text and every key with its default\n"
	    "  -V       version\n\n");
	conf_print(config_keys);
}

int
main(int argc, char **argv)
{
	static struct egress x;
	const char *conf = CONF_DEFAULT;
	struct role_fds fds;
	struct err e = { 0 };
	bool check = false;
	int o;

	log_init("vault-egress", LOG_LEVEL_INFO);
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
			printf("vault-egress " VERSION "\n");
			return 0;
		default:
			fprintf(stderr, "usage: vault-egress [-n] [-c FILE]; -h tells more\n");
			return 64;
		}
	json_wiping_allocator();
	openssl_wiping_allocator();
	if (role_listen_fds(&fds, &e) != 0 || role_harden(NULL, &e) != 0)
		return fail(&e, 1);
	role_close_others(&fds);
	if (load_files(&x, conf, &e) != 0)
		return fail(&e, EX_CONFIG);
	return check ? 0 : serve(&x, &fds);
}

/*
 * main.c - vaultd(8): start in the order in which things need each other, the loop, and
 * stopping without losing an answer in flight.
 */
#include <errno.h>
#include <event2/event.h>
#include <event2/thread.h>
#include <getopt.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/errors.h"
#include "common/json.h"
#include "common/log.h"
#include "common/role.h"
#include "common/sandbox.h"
#include "common/secret.h"
#include "vaultd/audit_line.h"
#include "vaultd/conn.h"
#include "vaultd/dek_cache.h"
#include "vaultd/egress.h"
#include "vaultd/notice.h"
#include "vaultd/follow.h"
#include "vaultd/hsm.h"
#include "vaultd/names.h"
#include "vaultd/objects.h"
#include "vaultd/refresh.h"
#include "vaultd/schedule.h"
#include "vaultd/turn.h"
#include "vaultd/reload.h"
#include "vaultd/used.h"
#include "vaultd/vault.h"
#include "vaultd/warnings.h"

#define CONF_DEFAULT	"/etc/vaultd/vaultd.conf"
#define EX_CONFIG	78	/* sysexits(3): starting again would not help */

struct daemon {
	struct vault	 v;
	struct role_fds	 fds;
	struct event	*accept[ROLE_FDS], *term, *intr, *hup, *watchdog;
	long long	 stop_by_ms;
};

/* ---- start */

static int
operator_gid(struct vault *v, struct err *e)
{
	const struct group *g;

	v->operator_gid = (gid_t)-1;
	if (v->conf.operator_group[0] == '\0')
		return 0;
	if ((g = getgrnam(v->conf.operator_group)) == NULL)
		return err_set(e, V_INVALID, "operator_group: there is no group '%s'",
		    v->conf.operator_group);
	v->operator_gid = g->gr_gid;
	return 0;
}

static int
load_files(struct vault *v, const char *conf, struct err *e)
{
	enum log_level level;

	if (conf_load(config_keys, conf, &v->conf, e) != 0 ||
	    log_level_parse(v->conf.log_level, &level, e) != 0)
		return e->code;
	log_init("vaultd", level);
	if (operator_gid(v, e) != 0 ||
	    catalogue_load(v->conf.connector_dir, &v->catalogue, e) != 0)
		return e->code;
	return policy_start(v, e);
}

static void
limits_from(const struct config *c, struct limits *l)
{
	struct limits_conf conf = {
		.connections_per_uid = c->connections_per_uid, .connections = c->connections,
		.inflight_per_uid = c->inflight_per_uid, .bytes_per_uid = c->bytes_per_uid, .bytes = c->bytes,
		.followers_per_uid = c->followers_per_uid, .rate_per_uid = c->rate_per_uid,
	};

	limits_init(l, &conf);
}

static int
open_store(struct vault *v, struct err *e)
{
	char dir[600];
	struct store_conf sc = { .dir = dir, .map_size = v->conf.store_map,
		.ballast = v->conf.store_ballast, .events = v->conf.events_kept };

	snprintf(dir, sizeof dir, "%s/store", v->conf.state_dir);
	mkdir(dir, 0700);
	if (store_open(&sc, &v->store, e) != 0)
		return err_wrap(e, "store");
	return 0;
}

static void
note_line(struct vault *v, const char *action)
{
	struct job *j = calloc(1, sizeof *j);

	if (j == NULL)
		return;
	j->reserve = true;
	audit_line_system(&j->line, v, action, NULL, &v->instance, NULL);
	j->done = job_free;
	journal_submit(v->journal, j);
}

static int
open_journal(struct vault *v, struct err *e)
{
	char dir[600];
	struct buf report = { 0 };
	struct store_meta meta;
	struct journal_conf jc = { .audit_dir = dir, .segment_bytes = v->conf.audit_segment,
		.retention_days = v->conf.audit_retention_days };

	snprintf(dir, sizeof dir, "%s/audit", v->conf.state_dir);
	mkdir(dir, 0700);
	if (journal_open(&jc, v->store, v->base, &v->journal, &report, e) != 0)
		return err_wrap(e, "audit log");
	if (report.len > 0)
		log_warn("audit log: %.*s", (int)report.len, (const char *)report.p);
	buf_done(&report);
	store_meta(v->store, &meta);
	v->id = meta.vault;
	v->instance = meta.instance;
	v->adopted = meta.adopted;
	v->epoch = meta.epoch;
	note_line(v, "vaultd.start");
	return 0;
}

static void
raise_files(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		setrlimit(RLIMIT_NOFILE, &rl);
	}
}

static int
confine(struct vault *v, struct err *e)
{
	const struct sandbox_path paths[] = {
		{ v->conf.state_dir, SANDBOX_READ | SANDBOX_WRITE },
		{ v->conf.policy_dir, SANDBOX_READ }, { v->conf.connector_dir, SANDBOX_READ },
		{ "/etc", SANDBOX_READ }, { "/proc", SANDBOX_READ },
		{ "/usr/lib", SANDBOX_READ | SANDBOX_EXEC }, { "/lib", SANDBOX_READ | SANDBOX_EXEC },
		{ "/usr/share/zoneinfo", SANDBOX_READ }, { "/run/systemd", SANDBOX_READ },
		{ "/dev/urandom", SANDBOX_READ }, { "/sys/fs/cgroup", SANDBOX_READ }, { 0 },
	};

	return sandbox_enter(SANDBOX_VAULTD, paths, &v->landlock, e);
}

static int
open_all(struct daemon *d, struct err *e)
{
	struct vault *v = &d->v;

	v->started_ms = boot_ms();
	clock_init(&v->clock, NULL, NULL);
	/* Who gives each role its own user says so: the unit file, or vault-launch. */
	v->roles_separate = getenv("VAULTD_ROLE_SEPARATION") != NULL &&
	    strcmp(getenv("VAULTD_ROLE_SEPARATION"), "on") == 0;
	if (evthread_use_pthreads() != 0 || (v->base = event_base_new()) == NULL)
		return err_set(e, V_IO, "cannot make an event loop");
	limits_from(&v->conf, &v->limits);
	/* Landlock binds a thread and those it starts: before there are others. */
	if (secret_arena_init(v->conf.secret_memory, v->conf.secret_mlock_only, e) != 0 ||
	    confine(v, e) != 0)
		return e->code;
	if (dek_cache_new(v->conf.dek_cache_entries, v->conf.dek_cache_seconds, &v->deks, e) !=
		0 || object_caches_new(v, e) != 0 || used_new(v, e) != 0 ||
	    names_new(v->base, &v->names, e) != 0)
		return e->code;
	if (open_store(v, e) != 0 || open_journal(v, e) != 0 ||
	    schedule_new(v, &v->schedule, e) != 0 || turn_new(v, e) != 0 || hsm_new(v, &v->hsm, e) != 0 ||
	    egress_new(v, &v->egress, e) != 0)
		return e->code;
	warnings_log_store(v);
	/* Before anybody can ask: a second request for the same grant would spend it. */
	return refresh_recover(v, e);
}

/* ---- events */

static void
resume_accept(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < ROLE_FDS && !d->v.stopping; i++)
		if (d->accept[i] != NULL)
			event_add(d->accept[i], NULL);
}

/* Out of descriptors: a listener that stays readable would spin. */
static void
pause_accept(struct daemon *d)
{
	static const struct timeval tv = { 0, 200000 };

	for (size_t i = 0; i < ROLE_FDS; i++)
		if (d->accept[i] != NULL)
			event_del(d->accept[i]);
	event_base_once(d->v.base, -1, EV_TIMEOUT, resume_accept, d, &tv);
	log_warn("out of descriptors: new clients wait");
}

static void
accept_some(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)what;
	for (int i = 0; i < 64; i++) {
		int c = accept4((int)fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (c < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
			pause_accept(d);
		if (c < 0)
			return;
		conn_accept(&d->v, c);
	}
}

static void
on_term(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	if (d->v.stopping)
		return;
	d->v.stopping = true;
	d->stop_by_ms = boot_ms() + (long long)d->v.conf.stop_seconds * 1000;
	role_notify("STOPPING=1");
	log_info("stopping: %u exchanges in flight", schedule_inflight(d->v.schedule));
	for (size_t i = 0; i < ROLE_FDS; i++)
		if (d->accept[i] != NULL)
			event_del(d->accept[i]);
}

static void
on_hup(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	policy_reload(&d->v, NULL, NULL);
}

static void
on_watchdog(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	role_notify("WATCHDOG=1");
}

static struct event *
add_signal(struct daemon *d, int sig, event_callback_fn fn)
{
	struct event *ev = evsignal_new(d->v.base, sig, fn, d);

	must(ev != NULL && event_add(ev, NULL) == 0);
	return ev;
}

static int
listen_events(struct daemon *d, struct err *e)
{
	unsigned long long usec = role_watchdog_usec();
	struct timeval tv = { (time_t)(usec / 1000000), (suseconds_t)(usec % 1000000) };

	if (role_fd_find(&d->fds, "api") == NULL)
		return err_set(e, V_INVALID, "no socket named 'api' was passed in: start vaultd by "
		    "systemd (vaultd.socket) or vault-launch");
	for (size_t i = 0; i < d->fds.n; i++) {
		if (strcmp(d->fds.v[i].name, "api") != 0)
			continue;
		evutil_make_socket_nonblocking(d->fds.v[i].fd);
		d->accept[i] = event_new(d->v.base, d->fds.v[i].fd, EV_READ | EV_PERSIST,
		    accept_some, d);
		must(d->accept[i] != NULL && event_add(d->accept[i], NULL) == 0);
	}
	d->term = add_signal(d, SIGTERM, on_term);
	d->intr = add_signal(d, SIGINT, on_term);
	d->hup = add_signal(d, SIGHUP, on_hup);
	if (usec > 0) {
		d->watchdog = event_new(d->v.base, -1, EV_PERSIST, on_watchdog, d);
		must(d->watchdog != NULL && event_add(d->watchdog, &tv) == 0);
	}
	return 0;
}

/* ---- the loop: serve all input there is, make it durable as one batch, answer */

static bool
may_stop(struct daemon *d)
{
	return d->v.stopping && (schedule_inflight(d->v.schedule) == 0 ||
	    (boot_ms() > d->stop_by_ms && !schedule_holds_answer(d->v.schedule)));
}

/* While input keeps coming a turn goes on gathering, for at most this long: one flush
 * then serves them all. */
static void
gather(struct vault *v)
{
	struct timespec t0, t;
	long us;
	uint64_t before;

	clock_gettime(CLOCK_MONOTONIC, &t0);
	do {
		before = v->calls;
		event_base_loop(v->base, EVLOOP_NONBLOCK);
		clock_gettime(CLOCK_MONOTONIC, &t);
		us = (t.tv_sec - t0.tv_sec) * 1000000 + (t.tv_nsec - t0.tv_nsec) / 1000;
	} while (v->calls != before && us < (long)v->conf.gather_us);
}

static void
run(struct daemon *d)
{
	struct vault *v = &d->v;
	struct timeval tick = { 0, 200000 };

	while (!may_stop(d)) {
		uint64_t before = v->calls;

		if (v->stopping)
			event_base_loopexit(v->base, &tick);
		event_base_loop(v->base, EVLOOP_ONCE);
		if (v->calls != before)
			gather(v);
		notice_watch(v);
		follow_run(v);
		store_read_end(v->store);
		journal_kick(v->journal);
		conn_flush_all(v);
	}
}

/*
 * What was queued becomes durable and is answered; keys are wiped. Lines, attempts and
 * timers go with the process: their callbacks must not run without each other, and an
 * exchange that is still open is settled at the next start.
 */
static void
close_all(struct daemon *d)
{
	struct vault *v = &d->v;

	note_line(v, "vaultd.stop");
	used_flush(v);
	journal_kick(v->journal);
	journal_close(v->journal);
	conn_flush_all(v);
	conn_close_all(v);
	limits_done(&v->limits);
	store_close(v->store);
	dek_cache_free(v->deks);
	object_caches_free(v);
	used_free(v);
	secret_free(v->meta_key);
}

/* ---- command line */

static void
usage(void)
{
	printf("usage: vaultd [-n] [-c FILE]\n"
	    "  -c FILE  configuration, default " CONF_DEFAULT "\n"
	    "  -n       check configuration, connectors and policy, then exit\n"
	    "  -h       this text and every key with its default\n"
	    "  -V       version\n\n");
	conf_print(config_keys);
}

static int
fail(const struct err *e, int status)
{
	log_error("%s", e->text);
	return status;
}

static int
serve(struct daemon *d)
{
	struct err e = { 0 };

	raise_files();
	if (open_all(d, &e) != 0)
		return fail(&e, e.code == V_INVALID || e.code == V_CORRUPT ? EX_CONFIG : 1);
	if (listen_events(d, &e) != 0)
		return fail(&e, EX_CONFIG);
	log_info("ready version=" VERSION " role_separation=%s landlock=%d",
	    d->v.roles_separate ? "on" : "off", d->v.landlock);
	role_notify("READY=1");
	run(d);
	close_all(d);
	log_info("stopped");
	_exit(0);
}

int
main(int argc, char **argv)
{
	static struct daemon d;
	const char *conf = CONF_DEFAULT;
	struct err e = { 0 };
	bool check = false;
	int o;

	log_init("vaultd", LOG_LEVEL_INFO);
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
			printf("vaultd " VERSION "\n");
			return 0;
		default:
			fprintf(stderr, "usage: vaultd [-n] [-c FILE]; vaultd -h tells more\n");
			return 64;
		}
	json_wiping_allocator();
	if (role_listen_fds(&d.fds, &e) != 0 || role_harden(NULL, &e) != 0)
		return fail(&e, 1);
	role_close_others(&d.fds);
	if (load_files(&d.v, conf, &e) != 0)
		return fail(&e, EX_CONFIG);
	return check ? 0 : serve(&d);
}

/*
 * serve.c - see serve.h.
 */
#include "pkcs11/serve.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include "common/auto.h"
#include "common/log.h"
#include "pkcs11/ops.h"

#define QUESTION_MAX	(FRAME_HEADER + PAIR_QUESTION)	/* a TLS handshake to be signed */
#define READ_STEP	2048
#define ANSWER_MS	500
#define PROBE_MS	5000
#define REPORT_MS	60000
#define DEADLINE_LEAST	1000	/* a hasty asker must not end the process */

static int
block_signals(struct serve *s, struct err *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 ||
	    (s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
		return err_errno(e, "signals");
	return 0;
}

int
serve_init(struct serve *s, struct hsm *h, const struct role_fds *fds, struct err *e)
{
	*s = (struct serve){ .h = h, .signals = -1, .report_ms = boot_ms() + REPORT_MS };
	for (int i = 0; i < 2; i++) {
		struct serve_line *l = &s->line[i];
		const struct role_fd *fd;

		l->line = i == 0 ? LINE_VAULTD : LINE_EGRESS;
		for (int j = 0; j < SERVE_CONNS; j++)
			l->conn[j].fd = -1;
		fd = role_fd_find(fds, line_name(l->line));
		if (fd == NULL || !fd->listening)
			return err_set(e, V_INVALID, "no listening socket '%s' in LISTEN_FDS: "
			    "start vault-hsm by its unit or by vault-launch",
			    line_name(l->line));
		l->listener = fd->fd;
	}
	return block_signals(s, e);
}

static void
hang_up(struct serve_conn *c)
{
	close(c->fd);
	c->fd = -1;
	secret_done(&c->in);
}

static struct serve_conn *
free_conn(struct serve_line *l)
{
	for (int i = 0; i < SERVE_CONNS; i++)
		if (l->conn[i].fd < 0)
			return &l->conn[i];
	return NULL;
}

static void
accept_one(struct serve_line *l)
{
	struct serve_conn *c = free_conn(l);
	struct err e;
	uid_t uid;
	gid_t gid;
	pid_t pid;
	int fd;

	if (c == NULL || (fd = accept4(l->listener, NULL, NULL, SOCK_CLOEXEC)) < 0)
		return;
	c->fd = fd;
	if (role_peer(fd, &uid, &gid, &pid, &e) == 0)
		log_info("line opened line=%s uid=%u pid=%d", line_name(l->line),
		    (unsigned)uid, (int)pid);
}

/* Asks the kernel for what has come; false: the peer is gone or does not behave. */
static bool
take_bytes(struct serve_conn *c)
{
	struct err e;
	ssize_t n;

	if (secret_reserve(&c->in, c->in.len + READ_STEP, &e) != 0)
		return false;
	n = recv(c->fd, c->in.p + c->in.len, c->in.cap - c->in.len, MSG_DONTWAIT);
	if (n > 0)
		c->in.len += (size_t)n;
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* Length of the question at the front, 0 = not whole yet, -1 = none will come. */
static ssize_t
next_question(const struct serve_conn *c, struct frame *ret)
{
	ssize_t n = frame_parse((struct slice){ c->in.p, c->in.len }, ret);

	if (n > QUESTION_MAX || (n == 0 && c->in.len >= QUESTION_MAX))
		return -1;
	return n;
}

static unsigned
time_for(const struct hsm *h, unsigned op, unsigned asked_ms)
{
	unsigned most = ops_slow(op) ? h->module.init_ms : h->module.call_ms;

	if (asked_ms == 0 || asked_ms > most)
		return most;
	return asked_ms < DEADLINE_LEAST ? DEADLINE_LEAST : asked_ms;
}

static bool
answer(struct serve *s, struct serve_line *l, struct serve_conn *c, const struct frame *q)
{
	AUTO(msg) good = { 0 };
	AUTO(msg) bad = { 0 };
	struct frame a = { .id = q->id, .op = FRAME_OK };
	struct err e = { 0 };

	deadline_begin(&s->h->module.deadline, time_for(s->h, q->op, q->deadline_ms));
	if (ops_run(s->h, l->line, q, &good, &e) == 0) {
		a.body = msg_slice(&good);
	} else {
		a.op = FRAME_ERR;
		msg_put_err(&bad, &e);
		a.body = msg_slice(&bad);
	}
	deadline_end(&s->h->module.deadline);
	return frame_send(c->fd, &a, ANSWER_MS, &e) == 0;
}

/* One question of this connection; true when another whole one waits behind it. */
static bool
serve_conn(struct serve *s, struct serve_line *l, struct serve_conn *c, short events)
{
	struct frame q;
	ssize_t n = next_question(c, &q);

	if (n == 0 && events != 0) {
		if (!take_bytes(c)) {
			hang_up(c);
			return false;
		}
		n = next_question(c, &q);
	}
	if (n == 0)
		return false;
	if (n < 0) {
		log_warn("line closed: it does not speak frames line=%s", line_name(l->line));
		hang_up(c);
		return false;
	}
	if (!answer(s, l, c, &q)) {
		hang_up(c);
		return false;
	}
	c->in.len -= (size_t)n;
	memmove(c->in.p, c->in.p + n, c->in.len);
	explicit_bzero(c->in.p + c->in.len, (size_t)n);
	if (c->in.len == 0)
		secret_done(&c->in);	/* what a long question took */
	return next_question(c, &q) != 0;
}

static void
report(struct serve *s)
{
	s->report_ms = boot_ms() + REPORT_MS;
	for (int i = 0; i < 2; i++) {
		struct serve_line *l = &s->line[i];
		const struct hsm_count *now = &s->h->line[l->line], *was = &l->reported;

		if (memcmp(now, was, sizeof *now) == 0)
			continue;
		log_info("last minute line=%s made=%llu unwrapped=%llu rewrapped=%llu "
		    "signed=%llu refused=%llu", line_name(l->line),
		    (unsigned long long)(now->made - was->made),
		    (unsigned long long)(now->unwrapped - was->unwrapped),
		    (unsigned long long)(now->rewrapped - was->rewrapped),
		    (unsigned long long)(now->signatures - was->signatures),
		    (unsigned long long)(now->refused - was->refused));
		l->reported = *now;
	}
}

static enum serve_end
take_signal(struct serve *s)
{
	struct signalfd_siginfo i;

	if (read(s->signals, &i, sizeof i) != sizeof i)
		return 0;
	return i.ssi_signo == SIGHUP ? SERVE_RELOAD : SERVE_TERM;
}

/* Fixed places: 0 signals, 1-2 listeners, then the connections of each line. */
#define NPOLL (3 + 2 * SERVE_CONNS)

static void
fill_poll(struct serve *s, struct pollfd p[NPOLL])
{
	p[0] = (struct pollfd){ .fd = s->signals, .events = POLLIN };
	for (int i = 0; i < 2; i++) {
		struct serve_line *l = &s->line[i];
		int fd = free_conn(l) != NULL ? l->listener : -1;

		p[1 + i] = (struct pollfd){ .fd = fd, .events = POLLIN };
		for (int j = 0; j < SERVE_CONNS; j++)
			p[3 + i * SERVE_CONNS + j] = (struct pollfd){
				.fd = l->conn[j].fd, .events = POLLIN };
	}
}

/* One round over all connections; true when somebody is not done. */
static bool
round_of(struct serve *s, const struct pollfd p[NPOLL])
{
	bool more = false;

	for (int i = 0; i < 2; i++) {
		struct serve_line *l = &s->line[i];

		for (int j = 0; j < SERVE_CONNS && !s->h->leave; j++)
			if (l->conn[j].fd >= 0)
				more |= serve_conn(s, l, &l->conn[j],
				    p[3 + i * SERVE_CONNS + j].revents);
		if (p[1 + i].revents != 0)
			accept_one(l);
	}
	return more;
}

static int
timeout_for(const struct serve *s, long long until)
{
	long long now = boot_ms(), next = s->h->probed_ms + PROBE_MS;

	if (s->h->state != KEY_READY || s->report_ms < next)
		next = s->report_ms;
	if (until >= 0 && until < next)
		next = until;
	return next > now ? (int)(next - now) : 0;
}

enum serve_end
serve_run(struct serve *s, long long ms)
{
	long long until = ms < 0 ? -1 : boot_ms() + ms;
	struct pollfd p[NPOLL];
	bool more = false;
	enum serve_end end;

	while (!s->h->leave) {
		fill_poll(s, p);
		if (poll(p, NPOLL, more ? 0 : timeout_for(s, until)) < 0 && errno != EINTR)
			must(errno == ENOMEM);
		if (p[0].revents != 0 && (end = take_signal(s)) != 0)
			return end;
		more = round_of(s, p);
		if (until >= 0 && boot_ms() >= until)
			return SERVE_TIMEOUT;
		if (boot_ms() >= s->h->probed_ms + PROBE_MS)
			hsm_probe(s->h);
		if (boot_ms() >= s->report_ms)
			report(s);
	}
	return SERVE_LEAVE;
}

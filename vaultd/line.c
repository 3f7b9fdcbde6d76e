/*
 * line.c - see line.h.
 */
#include "vaultd/line.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/log.h"
#include "common/role.h"

#define PENDING_MAX	1024
#define RETRY_FIRST_MS	50
#define RETRY_MAX_MS	2000

struct call {
	struct call	*next;
	uint32_t	 id;
	long long	 until_ms;
	line_done_fn	*done;
	void		*arg;
	struct err	 err;		/* of a call that failed at once */
};

struct line {
	struct event_base	*base;
	struct line_conf	 conf;
	char			 path[108];
	int			 fd;
	struct event		*rd, *wr, *retry, *clock, *failed;
	bool			 connected, ready;
	unsigned		 retry_ms, pending;
	uint32_t		 next_id;
	struct call		*calls, *dead;	/* dead: done() is owed, not from line_call() */
	struct buf		 out;
	size_t			 sent;
	struct buf		 in;		/* conf.secret: in `locked` instead */
	struct secret		 locked;
};

static void down(struct line *l);

bool
line_is_up(const struct line *l)
{
	return l->connected && l->ready;
}

unsigned
line_pending(const struct line *l)
{
	return l->pending;
}

/* ---- calls that end without an answer */

static void
run_dead(struct line *l)
{
	struct call *c = l->dead, *next;

	l->dead = NULL;
	for (; c != NULL; c = next) {
		next = c->next;
		c->done(c->arg, (int)c->err.code, (struct slice){ NULL, 0 }, &c->err);
		free(c);
	}
}

static void
failed_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	run_dead(arg);
}

static void
bury(struct line *l, struct call *c)
{
	static const struct timeval now;

	c->next = l->dead;
	l->dead = c;
	evtimer_add(l->failed, &now);
}

static void
unavailable(const struct line *l, struct err *e)
{
	err_name(e, l->conf.unavailable, "%s is not running, or its line broke", l->conf.what);
}

/* ---- in */

static struct slice
received(const struct line *l)
{
	return l->conf.secret ? (struct slice){ l->locked.p, l->locked.len } :
				buf_slice(&l->in);
}

static void
consumed(struct line *l, size_t n)
{
	unsigned char *p = l->conf.secret ? l->locked.p : l->in.p;
	size_t *len = l->conf.secret ? &l->locked.len : &l->in.len;

	memmove(p, p + n, *len - n);
	explicit_bzero(p + *len - n, n);
	*len -= n;
}

static struct call *
take(struct line *l, uint32_t id)
{
	for (struct call **at = &l->calls; *at != NULL; at = &(*at)->next)
		if ((*at)->id == id) {
			struct call *c = *at;

			*at = c->next;
			l->pending--;
			return c;
		}
	return NULL;
}

static void
answer(struct line *l, const struct frame *f)
{
	struct call *c = take(l, f->id);
	struct err e = { 0 };
	struct msg m;

	if (c == NULL)		/* it ran out of time before */
		return;
	if (f->op == FRAME_OK) {
		c->done(c->arg, 0, f->body, &e);
	} else {
		msg_read(&m, f->body);
		msg_get_err(&m, &e);
		if (m.failed || e.code == 0)
			err_set(&e, V_CORRUPT, "%s sent an unreadable error", l->conf.what);
		c->done(c->arg, (int)e.code, (struct slice){ NULL, 0 }, &e);
	}
	free(c);
}

static ssize_t
receive(struct line *l)
{
	unsigned char *room;
	struct err e;
	ssize_t n;

	if (!l->conf.secret) {
		if ((room = buf_room(&l->in, 65536)) == NULL)
			return -1;
		if ((n = recv(l->fd, room, 65536, 0)) > 0)
			l->in.len += (size_t)n;
		return n;
	}
	if (secret_reserve(&l->locked, l->locked.len + 4096, &e) != 0)
		return -1;
	n = recv(l->fd, l->locked.p + l->locked.len, l->locked.cap - l->locked.len, 0);
	if (n > 0)
		l->locked.len += (size_t)n;
	return n;
}

static void
readable(evutil_socket_t fd, short what, void *arg)
{
	struct line *l = arg;
	struct frame f;
	ssize_t n = receive(l);

	(void)fd;
	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		down(l);
		return;
	}
	while ((n = frame_parse(received(l), &f)) > 0) {
		answer(l, &f);
		if (!l->connected)	/* done() may have closed the line */
			return;
		consumed(l, (size_t)n);
	}
	if (n < 0) {
		log_error("%s does not speak frames", l->conf.what);
		down(l);
	}
}

/* ---- out */

static void
flush(struct line *l)
{
	while (l->sent < l->out.len) {
		ssize_t n = send(l->fd, l->out.p + l->sent, l->out.len - l->sent, MSG_NOSIGNAL);

		if (n > 0)
			l->sent += (size_t)n;
		else if (errno == EAGAIN)
			event_add(l->wr, NULL);
		else if (errno != EINTR)
			event_active(l->rd, EV_READ, 1);	/* finds the end there */
		if (n <= 0 && errno != EINTR)
			return;
	}
	buf_reset(&l->out);
	l->sent = 0;
}

static void
writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	flush(arg);
}

static void
call(struct line *l, uint16_t op, const struct msg *body, int ms, bool first,
    line_done_fn *done, void *arg)
{
	struct call *c = calloc(1, sizeof *c);
	struct frame f = { .op = op, .deadline_ms = (uint32_t)ms, .body = msg_slice(body) };

	must(c != NULL);
	*c = (struct call){ .id = ++l->next_id, .until_ms = boot_ms() + ms, .done = done,
		.arg = arg };
	f.id = c->id;
	if (!msg_ok(body) || f.body.len > FRAME_MAX - FRAME_HEADER)
		err_set(&c->err, V_LIMIT, "the question to %s is too long", l->conf.what);
	else if (!l->connected || (!l->ready && !first))
		unavailable(l, &c->err);
	else if (l->pending >= PENDING_MAX)
		err_name(&c->err, ERR_BUSY, "%s is busy", l->conf.what);
	else if (!frame_pack(&l->out, &f))
		err_set(&c->err, V_LIMIT, "out of memory");
	if (c->err.code != 0) {
		bury(l, c);
		return;
	}
	c->next = l->calls;
	l->calls = c;
	l->pending++;
	flush(l);
}

void
line_call(struct line *l, uint16_t op, const struct msg *body, int ms, line_done_fn *done,
    void *arg)
{
	call(l, op, body, ms, false, done, arg);
}

void
line_call_first(struct line *l, uint16_t op, const struct msg *body, int ms,
    line_done_fn *done, void *arg)
{
	call(l, op, body, ms, true, done, arg);
}

/* ---- time */

static void
tick(evutil_socket_t fd, short what, void *arg)
{
	struct line *l = arg;
	long long now = boot_ms();
	struct call **at = &l->calls;

	(void)fd;
	(void)what;
	while (*at != NULL) {
		struct call *c = *at;

		if (c->until_ms > now) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		l->pending--;
		err_name(&c->err, ERR_TIMED_OUT, "%s did not answer in time", l->conf.what);
		c->next = l->dead;
		l->dead = c;
	}
	run_dead(l);
}

/* ---- up and down */

static void
retry_later(struct line *l)
{
	struct timeval tv = { l->retry_ms / 1000, l->retry_ms % 1000 * 1000 };

	evtimer_add(l->retry, &tv);
	l->retry_ms = l->retry_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : l->retry_ms * 2;
}

static void
close_line(struct line *l)
{
	if (l->rd != NULL)
		event_free(l->rd);
	if (l->wr != NULL)
		event_free(l->wr);
	if (l->fd >= 0)
		close(l->fd);
	l->rd = l->wr = NULL;
	l->fd = -1;
	l->connected = l->ready = false;
	buf_done(&l->out);
	buf_done(&l->in);
	secret_done(&l->locked);
	l->sent = 0;
	while (l->calls != NULL) {
		struct call *c = l->calls;

		l->calls = c->next;
		l->pending--;
		unavailable(l, &c->err);
		c->next = l->dead;
		l->dead = c;
	}
}

static void
down(struct line *l)
{
	static const struct timeval now;

	close_line(l);
	evtimer_add(l->failed, &now);
	if (l->conf.on_down != NULL)
		l->conf.on_down(l->conf.arg);
	retry_later(l);
}

static bool
connected(struct line *l)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	memcpy(sa.sun_path, l->path, sizeof sa.sun_path);
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		return false;
	if (connect(l->fd, (struct sockaddr *)&sa, sizeof sa) == 0)
		return true;
	close(l->fd);
	l->fd = -1;
	return false;
}

static void
try(evutil_socket_t fd, short what, void *arg)
{
	struct line *l = arg;

	(void)fd;
	(void)what;
	if (!connected(l)) {
		retry_later(l);
		return;
	}
	l->rd = event_new(l->base, l->fd, EV_READ | EV_PERSIST, readable, l);
	l->wr = event_new(l->base, l->fd, EV_WRITE, writable, l);
	must(l->rd != NULL && l->wr != NULL && event_add(l->rd, NULL) == 0);
	l->connected = true;
	l->conf.on_up(l->conf.arg);
}

void
line_ready(struct line *l)
{
	l->ready = l->connected;
	l->retry_ms = RETRY_FIRST_MS;
}

struct line *
line_new(struct event_base *base, const struct line_conf *conf)
{
	static const struct timeval now, second = { 1, 0 };
	struct line *l = calloc(1, sizeof *l);

	if (l == NULL || strlen(conf->path) >= sizeof l->path) {
		free(l);
		return NULL;
	}
	l->base = base;
	l->conf = *conf;
	l->fd = -1;
	l->retry_ms = RETRY_FIRST_MS;
	snprintf(l->path, sizeof l->path, "%s", conf->path);
	l->retry = evtimer_new(base, try, l);
	l->failed = evtimer_new(base, failed_cb, l);
	l->clock = event_new(base, -1, EV_PERSIST, tick, l);
	must(l->retry != NULL && l->failed != NULL && l->clock != NULL);
	evtimer_add(l->retry, &now);
	event_add(l->clock, &second);
	return l;
}

void
line_free(struct line *l)
{
	if (l == NULL)
		return;
	close_line(l);
	run_dead(l);
	event_free(l->retry);
	event_free(l->failed);
	event_free(l->clock);
	free(l);
}

/*
 * line.c - see line.h; hsm.c and egress.c own one each. A call is in one of three
 * queues: `out` while it is not wholly sent, `asked` while its answer is awaited, `dead`
 * when it ends without one and done() is owed from the loop.
 */
#include "vaultd/line.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/errors.h"
#include "common/log.h"
#include "common/role.h"

#define PENDING_MAX	1024
#define RETRY_FIRST_MS	50
#define RETRY_MAX_MS	2000
#define TICK_MS		100
#define READ_ROOM	16384
#define LOCKED_ROOM	4096
#define LOCKED_KEEP	8192	/* a larger receive buffer goes back to the arena */

struct call {
	struct call	*next;
	uint32_t	 id;
	long long	 until_ms;
	bool		 first;		/* of the handshake */
	line_done_fn	*done;
	void		*arg;
	struct msg	 frame;		/* until it is sent */
	struct err	 err;		/* of a dead one */
};

struct queue {
	struct call	*first, *last;
};

struct line {
	struct event_base	*base;
	struct line_conf	 conf;
	struct sockaddr_un	 address;
	int			 fd;
	struct event		*rd, *wr;		/* while connected */
	struct event		*retry, *clock, *owed;
	bool			 connected, ready, broken;
	unsigned		 retry_ms, pending;
	uint32_t		 next_id;
	struct queue		 out, asked, dead;
	size_t			 sent;			/* of out.first */
	struct buf		 in;		/* conf.secret: `locked` instead */
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

/* ---- queues */

static void
push(struct queue *q, struct call *c)
{
	c->next = NULL;
	if (q->last != NULL)
		q->last->next = c;
	else
		q->first = c;
	q->last = c;
}

/* WAS: the one before it, NULL = none. */
static struct call *
cut(struct queue *q, struct call *was)
{
	struct call *c = was != NULL ? was->next : q->first;

	if (was != NULL)
		was->next = c->next;
	else
		q->first = c->next;
	if (q->last == c)
		q->last = was;
	return c;
}

static struct call *
cut_id(struct queue *q, uint32_t id)
{
	struct call *was = NULL;

	for (struct call *c = q->first; c != NULL; was = c, c = c->next)
		if (c->id == id)
			return cut(q, was);
	return NULL;
}

static void
call_free(struct call *c)
{
	msg_done(&c->frame);
	free(c);
}

/* ---- calls that end without an answer */

/* Its error is set. */
static void
bury(struct line *l, struct call *c)
{
	msg_done(&c->frame);
	push(&l->dead, c);
	event_active(l->owed, EV_TIMEOUT, 0);
}

static void
unavailable(const struct line *l, struct err *e)
{
	err_name(e, l->conf.unavailable, "%s is not running, or its line broke",
	    l->conf.what);
}

static void
bury_all(struct line *l, struct queue *q)
{
	while (q->first != NULL) {
		struct call *c = cut(q, NULL);

		l->pending--;
		unavailable(l, &c->err);
		bury(l, c);
	}
}

static void
run_dead(struct line *l)
{
	struct queue dead = l->dead;

	l->dead = (struct queue){ 0 };
	while (dead.first != NULL) {
		struct call *c = cut(&dead, NULL);

		c->done(c->arg, (int)c->err.code, (struct slice){ NULL, 0 }, &c->err);
		call_free(c);
	}
}

static void
pay(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	run_dead(arg);
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
	if (l->in.len == 0)
		buf_done(&l->in);
	if (l->locked.len == 0 && l->locked.cap > LOCKED_KEEP)
		secret_done(&l->locked);
}

/* What the helper said instead of an answer. */
static void
read_error(const struct line *l, struct slice body, struct err *e)
{
	struct msg m;

	msg_read(&m, body);
	msg_get_err(&m, e);
	if (m.failed || e->code == 0)
		err_set(e, V_CORRUPT, "%s sent an unreadable error", l->conf.what);
}

static void
answer(struct line *l, const struct frame *f)
{
	struct call *c = cut_id(&l->asked, f->id);
	struct slice body = f->op == FRAME_OK ? f->body : (struct slice){ 0 };

	if (c == NULL)		/* its time was up before */
		return;
	l->pending--;
	if (f->op != FRAME_OK)
		read_error(l, f->body, &c->err);
	c->done(c->arg, (int)c->err.code, body, &c->err);
	l->broken |= c->first && c->err.code != 0;
	call_free(c);
}

/* FALSE: the line ended. */
static bool
receive(struct line *l)
{
	struct err e;
	ssize_t n;

	if (l->conf.secret) {
		if (secret_reserve(&l->locked, l->locked.len + LOCKED_ROOM, &e) != 0) {
			log_error("%s: %s", l->conf.what, e.text);
			return false;
		}
		n = recv(l->fd, l->locked.p + l->locked.len,
		    l->locked.cap - l->locked.len, 0);
		l->locked.len += n > 0 ? (size_t)n : 0;
	} else {
		if (buf_room(&l->in, READ_ROOM) == NULL)
			return false;
		n = recv(l->fd, l->in.p + l->in.len, l->in.cap - l->in.len, 0);
		l->in.len += n > 0 ? (size_t)n : 0;
	}
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void
readable(evutil_socket_t fd, short what, void *arg)
{
	struct line *l = arg;
	struct frame f;
	ssize_t n = 0;

	(void)fd;
	(void)what;
	l->broken |= !receive(l);
	while ((n = frame_parse(received(l), &f)) > 0) {
		answer(l, &f);
		consumed(l, (size_t)n);
	}
	if (n < 0)
		log_error("%s does not speak frames", l->conf.what);
	if (n < 0 || l->broken)
		down(l);
}

/* ---- out */

static void
flush(struct line *l)
{
	while (l->out.first != NULL) {
		struct slice s = msg_slice(&l->out.first->frame);
		ssize_t n = send(l->fd, (const char *)s.p + l->sent, s.len - l->sent,
		    MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			event_add(l->wr, NULL);
			return;
		}
		if (n < 0) {	/* from the loop: this may be inside anybody's call */
			l->broken = true;
			event_active(l->rd, EV_READ, 0);
			return;
		}
		l->sent += (size_t)n;
		if (l->sent == s.len) {
			msg_done(&l->out.first->frame);
			push(&l->asked, cut(&l->out, NULL));
			l->sent = 0;
		}
	}
}

static void
writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	flush(arg);
}

static int
pack(const struct line *l, struct call *c, uint16_t op, const struct msg *body, int ms)
{
	struct frame f = { .id = c->id, .op = op, .deadline_ms = (uint32_t)ms,
		.body = msg_slice(body) };
	unsigned char head[FRAME_HEADER];

	if (!msg_ok(body) || f.body.len > FRAME_MAX - FRAME_HEADER)
		return err_set(&c->err, V_LIMIT, "the question to %s is too long",
		    l->conf.what);
	if (body->locked)
		msg_secret(&c->frame);
	frame_head(&f, head);
	msg_put_raw(&c->frame, head, sizeof head);
	msg_put_raw(&c->frame, f.body.p, f.body.len);
	if (!msg_ok(&c->frame))
		return err_set(&c->err, V_LIMIT, "out of memory for a question to %s",
		    l->conf.what);
	return 0;
}

static void
call(struct line *l, uint16_t op, const struct msg *body, int ms, bool first,
    line_done_fn *done, void *arg)
{
	static const struct timeval tick = { 0, TICK_MS * 1000 };
	struct call *c = calloc(1, sizeof *c);

	must(c != NULL);
	*c = (struct call){ .id = ++l->next_id, .until_ms = boot_ms() + ms,
		.first = first, .done = done, .arg = arg };
	if (!l->connected || l->broken || (!l->ready && !first))
		unavailable(l, &c->err);
	else if (l->pending >= PENDING_MAX)
		err_name(&c->err, ERR_BUSY, "%s has too much to do", l->conf.what);
	if (c->err.code != 0 || pack(l, c, op, body, ms) != 0) {
		bury(l, c);
		return;
	}
	if (l->pending++ == 0)
		event_add(l->clock, &tick);
	push(&l->out, c);
	flush(l);
}

void
line_call(struct line *l, uint16_t op, const struct msg *body, int ms,
    line_done_fn *done, void *arg)
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
expire(struct line *l, struct queue *q, long long now)
{
	struct call *was = NULL, *c = q->first;

	while (c != NULL) {
		struct call *next = c->next;

		if (c->until_ms > now) {
			was = c;
		} else {
			/* Half a frame cannot be taken back: the line is of no use. */
			l->broken |= c->first || (c == l->out.first && l->sent > 0);
			cut(q, was);
			l->pending--;
			err_name(&c->err, ERR_TIMED_OUT, "%s did not answer in time",
			    l->conf.what);
			bury(l, c);
		}
		c = next;
	}
}

static void
tick(evutil_socket_t fd, short what, void *arg)
{
	struct line *l = arg;
	long long now = boot_ms();

	(void)fd;
	(void)what;
	expire(l, &l->asked, now);
	expire(l, &l->out, now);
	if (l->broken && l->connected)
		down(l);
	if (l->pending == 0)
		event_del(l->clock);
}

/* ---- up and down */

static void
retry_later(struct line *l)
{
	struct timeval tv = { l->retry_ms / 1000, l->retry_ms % 1000 * 1000 };

	event_add(l->retry, &tv);
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
	l->connected = l->ready = l->broken = false;
	l->sent = 0;
	buf_done(&l->in);
	secret_done(&l->locked);
	bury_all(l, &l->asked);
	bury_all(l, &l->out);
}

static void
down(struct line *l)
{
	close_line(l);
	if (l->conf.on_down != NULL)
		l->conf.on_down(l->conf.arg);
	retry_later(l);
}

static bool
connect_now(struct line *l)
{
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0 ||
	    connect(l->fd, (struct sockaddr *)&l->address, sizeof l->address) != 0)
		return false;
	l->rd = event_new(l->base, l->fd, EV_READ | EV_PERSIST, readable, l);
	l->wr = event_new(l->base, l->fd, EV_WRITE, writable, l);
	return l->rd != NULL && l->wr != NULL && event_add(l->rd, NULL) == 0;
}

static void
try_connect(evutil_socket_t fd, short what, void *arg)
{
	struct line *l = arg;

	(void)fd;
	(void)what;
	if (!connect_now(l)) {
		close_line(l);
		retry_later(l);
		return;
	}
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
	static const struct timeval now;
	struct line *l = calloc(1, sizeof *l);

	if (l == NULL)
		return NULL;
	*l = (struct line){ .base = base, .conf = *conf, .fd = -1,
		.retry_ms = RETRY_FIRST_MS, .address.sun_family = AF_UNIX };
	l->retry = evtimer_new(base, try_connect, l);
	l->owed = evtimer_new(base, pay, l);
	l->clock = event_new(base, -1, EV_PERSIST, tick, l);
	if (strlen(conf->path) >= sizeof l->address.sun_path || l->retry == NULL ||
	    l->owed == NULL || l->clock == NULL || event_add(l->retry, &now) != 0) {
		line_free(l);
		return NULL;
	}
	memcpy(l->address.sun_path, conf->path, strlen(conf->path) + 1);
	l->conf.path = l->address.sun_path;
	return l;
}

void
line_free(struct line *l)
{
	if (l == NULL)
		return;
	if (l->owed != NULL) {
		close_line(l);
		while (l->dead.first != NULL)
			run_dead(l);
		event_free(l->owed);
	}
	if (l->retry != NULL)
		event_free(l->retry);
	if (l->clock != NULL)
		event_free(l->clock);
	free(l);
}

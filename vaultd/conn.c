/*
 * conn.c - see conn.h.
 */
#include "vaultd/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/errors.h"
#include "common/log.h"
#include "common/role.h"
#include "vaultd/request.h"
#include "vaultd/varlink.h"
#include "vaultd/vault.h"

#define READ_CHUNK	16384

static void serve(struct conn *c);

/* ---- life */

static void
conn_free(struct conn *c)
{
	struct vault *v = c->vault;

	while (c->first != NULL) {	/* at shutdown only: answers not given */
		struct request *r = c->first;

		c->first = r->next;
		limits_call_done(c->bucket);
		request_free(r);
	}
	*(c->prev != NULL ? &c->prev->next : &v->conns) = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	if (c->rd != NULL)
		event_free(c->rd);
	if (c->wr != NULL)
		event_free(c->wr);
	close(c->fd);
	limits_bytes(&v->limits, c->bucket, -(ssize_t)(c->in.cap + c->out.cap));
	limits_disconnect(&v->limits, c->bucket);
	buf_done(&c->in);
	buf_done(&c->out);
	free(c);
}

/* The peer left, or broke the protocol. Its descriptor stays open until the last answer
 * in flight came back: a reused number would hand it to a stranger. */
static void
leave(struct conn *c)
{
	if (c->gone)
		return;
	c->gone = true;
	event_del(c->rd);
	event_del(c->wr);
	shutdown(c->fd, SHUT_RDWR);
	if (!c->dirty) {
		c->dirty = true;
		c->dirty_next = c->vault->dirty;
		c->vault->dirty = c;
	}
}

/* One message to somebody who is not let in. */
static void
turn_away(struct conn *c, struct err *e)
{
	struct buf out = { 0 };

	if (varlink_error(&out, e, ""))
		(void)!send(c->fd, out.p, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	buf_done(&out);
	close(c->fd);
	free(c);
}

static bool
is_operator(const struct vault *v, const struct peer *p)
{
	if (p->uid == 0)
		return true;
	for (size_t i = 0; v->operator_gid != (gid_t)-1 && i < p->ngids; i++)
		if (p->gids[i] == v->operator_gid)
			return true;
	return false;
}

static bool
named(const struct conn *c)
{
	struct policy_subject s = { .uid = c->peer.uid, .gids = c->peer.gids,
		.ngids = c->peer.ngids, .unit = c->peer.unit[0] != '\0' ? c->peer.unit : NULL,
		.operator = c->operator };

	return c->operator || policy_names_subject(c->vault->policy, &s);
}

static void readable(evutil_socket_t fd, short what, void *arg);
static void writable(evutil_socket_t fd, short what, void *arg);

void
conn_accept(struct vault *v, int fd)
{
	struct conn *c = calloc(1, sizeof *c);
	struct err e;

	if (c == NULL) {
		close(fd);
		return;
	}
	c->vault = v;
	c->fd = fd;
	if (peer_of(fd, &c->peer, &e) != 0) {
		err_name(&e, ERR_IDENTITY_UNKNOWN, "the kernel does not say who you are");
		turn_away(c, &e);
		return;
	}
	c->operator = is_operator(v, &c->peer);
	c->bucket = limits_bucket(&v->limits, c->peer.uid, named(c));
	if (c->bucket == NULL || !limits_connect(&v->limits, c->bucket)) {
		err_name(&e, ERR_BUSY, "too many connections%s",
		    c->bucket != NULL && c->bucket->shared ? " of users that no policy names" : "");
		turn_away(c, &e);
		return;
	}
	c->rd = event_new(v->base, fd, EV_READ | EV_PERSIST, readable, c);
	c->wr = event_new(v->base, fd, EV_WRITE, writable, c);
	must(c->rd != NULL && c->wr != NULL);
	c->next = v->conns;
	if (v->conns != NULL)
		v->conns->prev = c;
	v->conns = c;
	event_add(c->rd, NULL);
	c->reading = true;
}

/* ---- in */

void
conn_enqueue(struct conn *c, struct request *r)
{
	if (c->last != NULL)
		c->last->next = r;
	else
		c->first = r;
	c->last = r;
	c->inflight++;
}

static bool
room(struct conn *c)
{
	size_t was = c->in.cap;
	void *p = buf_room(&c->in, READ_CHUNK);

	if (p == NULL)
		return false;
	return limits_bytes(&c->vault->limits, c->bucket, (ssize_t)(c->in.cap - was));
}

static void
too_long(struct conn *c)
{
	struct buf out = { 0 };
	struct err e;

	err_name(&e, ERR_LIMIT_EXCEEDED, "a call is at most %u bytes", MESSAGE_MAX);
	if (c->first == NULL && varlink_error(&out, &e, ""))
		(void)!send(c->fd, out.p, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	buf_done(&out);
	leave(c);
}

static void
forget_input(struct conn *c, size_t n)
{
	memmove(c->in.p, c->in.p + n, c->in.len - n);
	explicit_bzero(c->in.p + c->in.len - n, n);
	c->in.len -= n;
	if (c->in.len == 0 && c->in.cap > READ_CHUNK) {
		limits_bytes(&c->vault->limits, c->bucket, -(ssize_t)c->in.cap);
		buf_done(&c->in);
	}
}

/* Over the bound of its uid a call is answered Busy, in its turn. */
static bool
start(struct conn *c, char *text, size_t len)
{
	struct err e;

	if (limits_call(&c->vault->limits, c->bucket, boot_ms()))
		return request_start(c->vault, c, text, len);
	err_name(&e, ERR_BUSY, "too many calls are under way or were made this second");
	return request_refuse(c->vault, c, &e);
}

static void
serve(struct conn *c)
{
	size_t off = 0;
	unsigned char *end;

	while (!c->gone && c->inflight < PIPELINE_MAX && off < c->in.len &&
	    (end = memchr(c->in.p + off, '\0', c->in.len - off)) != NULL) {
		size_t n = (size_t)(end - c->in.p) - off;

		if (n > MESSAGE_MAX) {
			too_long(c);
			break;
		}
		if (!start(c, (char *)c->in.p + off, n))
			leave(c);
		off += n + 1;
	}
	if (off > 0)
		forget_input(c, off);
	if (c->in.len > MESSAGE_MAX && memchr(c->in.p, '\0', c->in.len) == NULL)
		too_long(c);
	if (!c->gone && c->reading != (c->inflight < PIPELINE_MAX)) {
		c->reading = !c->reading;
		if (c->reading)
			event_add(c->rd, NULL);
		else
			event_del(c->rd);
	}
}

static void
readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	ssize_t n;

	(void)what;
	if (!room(c)) {
		leave(c);
		return;
	}
	n = recv((int)fd, c->in.p + c->in.len, READ_CHUNK, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		leave(c);
		return;
	}
	c->in.len += (size_t)n;
	serve(c);
}

/* ---- out */

void
conn_ready(struct conn *c, struct request *r)
{
	(void)r;
	if (c->dirty)
		return;
	c->dirty = true;
	c->dirty_next = c->vault->dirty;
	c->vault->dirty = c;
}

static void
drop_first(struct conn *c)
{
	struct request *r = c->first;

	c->first = r->next;
	if (c->first == NULL)
		c->last = NULL;
	c->inflight--;
	limits_call_done(c->bucket);
	request_free(r);
}

/* Ready answers at the head of the queue move to the output, in call order. */
static void
collect(struct conn *c)
{
	while (c->first != NULL && c->first->ready) {
		size_t was = c->out.cap;

		if (!c->gone && c->out.len == 0 && c->first->next == NULL) {
			buf_done(&c->out);
			c->out = buf_take(&c->first->out);
			c->sent = 0;
		} else if (!c->gone) {
			buf_add(&c->out, c->first->out.p, c->first->out.len);
		}
		if (!limits_bytes(&c->vault->limits, c->bucket, (ssize_t)c->out.cap - (ssize_t)was) ||
		    c->out.failed)
			leave(c);
		drop_first(c);
	}
}

static void
send_out(struct conn *c)
{
	while (c->sent < c->out.len) {
		ssize_t n = send(c->fd, c->out.p + c->sent, c->out.len - c->sent,
		    MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0) {
			c->sent += (size_t)n;
			continue;
		}
		if (n < 0 && errno == EAGAIN) {
			event_add(c->wr, NULL);
			return;
		}
		if (n < 0 && errno == EINTR)
			continue;
		leave(c);
		return;
	}
	limits_bytes(&c->vault->limits, c->bucket, -(ssize_t)c->out.cap);
	buf_done(&c->out);
	c->sent = 0;
}

static void
flush(struct conn *c)
{
	collect(c);
	if (!c->gone)
		send_out(c);
	if (!c->gone && c->in.len > 0 && c->inflight < PIPELINE_MAX)
		serve(c);
	if (!c->gone && !c->reading && c->inflight < PIPELINE_MAX) {
		c->reading = true;
		event_add(c->rd, NULL);
	}
	if (c->gone && c->first == NULL && !c->dirty)
		conn_free(c);
}

static void
writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	send_out(arg);
}

void
conn_flush_all(struct vault *v)
{
	struct conn *c;

	while ((c = v->dirty) != NULL) {
		v->dirty = c->dirty_next;
		c->dirty = false;
		flush(c);
	}
}

void
conn_close_all(struct vault *v)
{
	while (v->conns != NULL)
		conn_free(v->conns);
	v->dirty = NULL;
}

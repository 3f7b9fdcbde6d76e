/*
 * conn.c - see conn.h. main.c accepts; request.c enqueues and says when an answer is
 * ready. Answers stay in their requests until they are sent, several in one call.
 *
 * A connection is freed in two places only: at the end of an event of its own, and in
 * conn_flush_all(). What request.c calls never frees it.
 */
#include "vaultd/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/errors.h"
#include "common/role.h"
#include "vaultd/follow.h"
#include "vaultd/request.h"
#include "vaultd/varlink.h"
#include "vaultd/vault.h"

#define READ_MIN	4096
#define READ_MAX	65536
#define SEND_BATCH	32	/* answers in one sendmsg(2) */

static void readable(evutil_socket_t fd, short what, void *arg);
static void writable(evutil_socket_t fd, short what, void *arg);

/* ---- the queue */

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

static void
release(struct conn *c, struct request *r)
{
	limits_bytes(&c->vault->limits, c->bucket, -(ssize_t)r->charged);
	if (r->counted)
		limits_call_done(c->bucket);
	c->inflight--;
	request_free(r);
}

static void
pop_first(struct conn *c)
{
	struct request *r = c->first;

	c->first = r->next;
	if (c->first == NULL)
		c->last = NULL;
	c->sent = 0;
	release(c, r);
}

/* WAS: the one before it. */
static void
drop_last(struct conn *c, struct request *was)
{
	struct request *r = c->last;

	c->last = was;
	if (was != NULL)
		was->next = NULL;
	else
		c->first = NULL;
	release(c, r);
}

/* ---- life */

/* One small block is kept for whoever reads next: most calls arrive whole and leave none. */
static void
free_input(struct conn *c)
{
	struct buf *spare = &c->vault->spare_input;

	limits_bytes(&c->vault->limits, c->bucket, -(ssize_t)c->charged);
	c->charged = c->scanned = 0;
	if (spare->p == NULL && c->in.cap <= READ_MIN) {
		buf_reset(&c->in);
		*spare = buf_take(&c->in);
	} else {
		buf_done(&c->in);
	}
}

static void
conn_free(struct conn *c)
{
	struct vault *v = c->vault;

	while (c->first != NULL)	/* only when the daemon stops */
		pop_first(c);
	free_input(c);
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		v->conns = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	event_free(c->rd);
	if (c->wr != NULL)
		event_free(c->wr);
	close(c->fd);
	limits_disconnect(&v->limits, c->bucket);
	free(c);
}

/* At the end of an event. One that is on the dirty list is freed from there. */
static void
end_turn(struct conn *c)
{
	if (c->first == NULL && (c->closing || c->gone) && !c->dirty)
		conn_free(c);
}

static void
mark_dirty(struct conn *c)
{
	if (c->dirty)
		return;
	c->dirty = true;
	c->dirty_next = c->vault->dirty;
	c->vault->dirty = c;
}

/* Answers cannot be delivered. The descriptor stays open until the last call in flight
 * came back: a reused number would hand its answer to a stranger. */
static void
lost(struct conn *c)
{
	c->gone = c->closing = true;
	event_del(c->rd);
	if (c->wr != NULL)
		event_del(c->wr);
	shutdown(c->fd, SHUT_RDWR);
	mark_dirty(c);		/* a follower in its queue ends with it */
}

/* ---- at the door */

/* One message to somebody who is not let in. */
static void
turn_away(int fd, const struct err *e)
{
	struct buf out = { 0 };

	if (varlink_error(&out, e, ""))
		(void)!send(fd, out.p, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	buf_done(&out);
	close(fd);
}

static bool
is_operator(const struct vault *v, const struct peer *p)
{
	if (p->uid == 0)
		return true;
	if (v->operator_gid == (gid_t)-1)
		return false;
	for (size_t i = 0; i < p->ngids; i++)
		if (p->gids[i] == v->operator_gid)
			return true;
	return false;
}

struct policy_subject
conn_subject(const struct conn *c)
{
	const struct peer *p = &c->peer;

	return (struct policy_subject){
		.uid = p->uid, .gids = p->gids, .ngids = p->ngids,
		.unit = p->unit[0] != '\0' ? p->unit : NULL,
		.operator = c->operator,
	};
}

static bool
is_named(const struct conn *c)
{
	struct policy_subject s = conn_subject(c);

	return c->operator || policy_names_subject(c->vault->policy, &s);
}

/* Who is it, and is there room? */
static int
admit(struct conn *c, struct err *e)
{
	struct limits *l = &c->vault->limits;

	if (peer_of(c->fd, &c->peer, e) != 0) {
		if (e->id != ERR_NONE)
			return e->code;
		err_wrap(e, "it cannot be told who you are");
		return err_rename(e, ERR_IDENTITY_UNKNOWN);
	}
	c->operator = is_operator(c->vault, &c->peer);
	c->bucket = limits_bucket(l, c->peer.uid, is_named(c));
	if (c->bucket == NULL || !limits_connect(l, c->bucket))
		return err_name(e, ERR_BUSY, "too many connections%s",
		    c->bucket != NULL && c->bucket->shared ?
			" of users that no policy names" : "");
	return 0;
}

static void
link_in(struct conn *c)
{
	struct vault *v = c->vault;

	c->next = v->conns;
	if (v->conns != NULL)
		v->conns->prev = c;
	v->conns = c;
}

void
conn_accept(struct vault *v, int fd)
{
	struct conn *c = calloc(1, sizeof *c);
	struct event *rd = c == NULL ? NULL :
	    event_new(v->base, fd, EV_READ | EV_PERSIST, readable, c);
	struct err e = { 0 };

	if (rd == NULL || event_add(rd, NULL) != 0) {
		err_name(&e, ERR_BUSY, "the vault is out of memory");
	} else {
		*c = (struct conn){ .vault = v, .fd = fd, .rd = rd };
		if (admit(c, &e) == 0) {
			link_in(c);
			return;
		}
	}
	if (rd != NULL)
		event_free(rd);
	free(c);
	turn_away(fd, &e);
}

/* ---- in */

/* The answer to what cannot be read, in its turn; then the connection ends. Out of line
 * as every error is: a struct err is large, and hot functions do without. */
static __attribute__((noinline)) void
refuse(struct conn *c, enum err_id id, const char *why)
{
	struct err e;

	err_name(&e, id, "%s", why);
	c->closing = true;
	if (!request_refuse(c->vault, c, &e))
		lost(c);
}

static __attribute__((noinline)) bool
too_many(struct conn *c)
{
	struct err e;

	err_name(&e, ERR_BUSY, "too many of your calls are under way, or were made in this "
	    "second");
	return request_refuse(c->vault, c, &e);
}

/* Over the bound of its uid a call is answered Busy, in its turn. */
static bool
start_call(struct conn *c, char *text, size_t len)
{
	struct request *was = c->last;

	if (!limits_call(&c->vault->limits, c->bucket, boot_ms()))
		return too_many(c);
	if (request_start(c->vault, c, text, len)) {
		c->last->counted = true;
		return true;
	}
	if (c->last != was)
		drop_last(c, was);
	limits_call_done(c->bucket);
	return false;
}

static void
forget_input(struct conn *c, size_t n)
{
	if (n == c->in.len || c->closing) {
		free_input(c);
		return;
	}
	if (n == 0)
		return;
	memmove(c->in.p, c->in.p + n, c->in.len - n);
	explicit_bzero(c->in.p + c->in.len - n, n);
	c->in.len -= n;
	c->scanned = c->scanned > n ? c->scanned - n : 0;
}

static void
too_long(struct conn *c)
{
	refuse(c, ERR_LIMIT_EXCEEDED, "a call is at most 256 KiB, its NUL included");
}

_Static_assert(MESSAGE_MAX == 256u << 10, "too_long() and docs/PROTOCOL.md say so");

/* The NUL that ends the message at OFF, or NULL. */
static char *
find_end(struct conn *c, size_t off)
{
	size_t from = off > c->scanned ? off : c->scanned;
	char *end = NULL;

	if (from < c->in.len)
		end = memchr(c->in.p + from, '\0', c->in.len - from);
	if (end == NULL)
		c->scanned = c->in.len;
	return end;
}

static void
serve_one(struct conn *c, char *text, size_t len)
{
	if (len >= MESSAGE_MAX)
		too_long(c);
	else if (!start_call(c, text, len))
		c->closing = true;	/* calls before it are still answered */
}

static void
serve(struct conn *c)
{
	size_t off = 0;

	while (!c->closing && c->inflight < PIPELINE_MAX) {
		char *end = find_end(c, off), *text;

		if (end != NULL) {
			text = (char *)c->in.p + off;
			off += (size_t)(end - text) + 1;
			serve_one(c, text, (size_t)(end - text));
			continue;
		}
		if (c->in.len - off >= MESSAGE_MAX)
			too_long(c);
		c->closing |= c->eof;	/* what no NUL ends is no call */
		break;
	}
	forget_input(c, off);
	c->stalled = c->inflight >= PIPELINE_MAX;
	if (c->closing || c->eof || c->stalled)
		event_del(c->rd);
	else if (!event_pending(c->rd, EV_READ, NULL) && event_add(c->rd, NULL) != 0)
		lost(c);
}

/* Room for more input, charged to the uid. 0: none. */
static size_t
make_room(struct conn *c)
{
	size_t want = c->in.len < READ_MIN ? READ_MIN :
	    c->in.len > READ_MAX ? READ_MAX : c->in.len;

	if (c->in.p == NULL)
		c->in = buf_take(&c->vault->spare_input);
	if (buf_room(&c->in, want) == NULL) {
		lost(c);
		return 0;
	}
	if (!limits_bytes(&c->vault->limits, c->bucket,
		(ssize_t)(c->in.cap - c->charged))) {
		refuse(c, ERR_BUSY, "too many bytes of your calls and answers wait");
		return 0;
	}
	c->charged = c->in.cap;
	return c->in.cap - c->in.len;
}

static void
receive(struct conn *c)
{
	size_t room = make_room(c);
	ssize_t n;

	if (room == 0)
		return;
	n = recv(c->fd, c->in.p + c->in.len, room, MSG_DONTWAIT);
	if (n > 0)
		c->in.len += (size_t)n;
	else if (n == 0)
		c->eof = true;
	else if (errno != EAGAIN && errno != EINTR)
		lost(c);
}

static void
readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	if (!c->eof && !c->closing && c->in.len < MESSAGE_MAX)
		receive(c);
	serve(c);
	if (c->eof)
		follow_poke(c->vault);	/* whose followers end with what there is */
	end_turn(c);
}

/* ---- out */

static __attribute__((noinline)) void
replace_answer(struct conn *c, struct request *r)
{
	bool never = r->out.len > c->vault->limits.conf.bytes_per_uid ||
	    r->out.len > c->vault->limits.conf.bytes;
	struct err e;

	err_name(&e, never ? ERR_LIMIT_EXCEEDED : ERR_BUSY,
	    "the answer of %zu bytes does not fit into what the vault keeps for you: %s",
	    r->out.len, never ? "ask for less" : "read the answers that wait");
	buf_done(&r->out);
	r->continues = false;
	varlink_error(&r->out, &e, r->trace);
}

/* An answer that does not fit is replaced, unless it is small and must be said: an
 * error, or that a change was made. Then the uid is over its bound until it reads. */
static void
charge_answer(struct conn *c, struct request *r)
{
	if (!limits_bytes(&c->vault->limits, c->bucket, (ssize_t)r->out.cap)) {
		if (r->err.code == 0 && !(r->verb->flags & VERB_CHANGE))
			replace_answer(c, r);
		limits_bytes_owed(&c->vault->limits, c->bucket, r->out.cap);
	}
	r->charged = r->out.cap;
}

void
conn_ready(struct conn *c, struct request *r)
{
	charge_answer(c, r);
	if (r->out.len == 0)
		lost(c);	/* or the next answer would stand in its place */
	mark_dirty(c);
}

static size_t
gather(const struct conn *c, struct iovec iov[SEND_BATCH])
{
	size_t n = 0, skip = c->sent;

	const struct request *r = c->first;

	for (; r != NULL && r->ready && n < SEND_BATCH; r = r->next) {
		iov[n++] = (struct iovec){ r->out.p + skip, r->out.len - skip };
		skip = 0;
		if (r->continues)
			break;		/* what is behind it waits for its last one */
	}
	return n;
}

/* A follower stays at the head, until it has another answer. */
static void
first_sent(struct conn *c)
{
	struct request *r = c->first;

	if (!r->continues) {
		pop_first(c);
		return;
	}
	c->sent = 0;
	r->ready = false;
	limits_bytes(&c->vault->limits, c->bucket, -(ssize_t)r->charged);
	r->charged = 0;
	buf_done(&r->out);
	follow_sent(r);
}

static void
count_sent(struct conn *c, size_t n)
{
	while (n > 0) {
		size_t left = c->first->out.len - c->sent;

		if (n < left) {
			c->sent += n;
			return;
		}
		n -= left;
		first_sent(c);
	}
}

static void
wait_writable(struct conn *c)
{
	if (c->wr == NULL)
		c->wr = event_new(c->vault->base, c->fd, EV_WRITE, writable, c);
	if (c->wr == NULL || event_add(c->wr, NULL) != 0)
		lost(c);
}

static void
send_ready(struct conn *c)
{
	struct iovec iov[SEND_BATCH];

	while (!c->gone && c->first != NULL && c->first->ready) {
		struct msghdr m = { .msg_iov = iov, .msg_iovlen = gather(c, iov) };
		ssize_t n = sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0) {
			count_sent(c, (size_t)n);
		} else if (errno == EAGAIN) {
			wait_writable(c);
			return;
		} else if (errno != EINTR) {
			lost(c);
		}
	}
	while (c->gone && c->first != NULL && (c->first->ready || c->first->following))
		pop_first(c);
}

/* As an event, not at once: what it starts must be in time for the journal's turn. */
static void
resume(struct conn *c)
{
	if (!c->stalled || c->closing || c->inflight >= PIPELINE_MAX)
		return;
	c->stalled = false;
	event_active(c->rd, EV_READ, 0);
}

static void
turn(struct conn *c)
{
	send_ready(c);
	resume(c);
	end_turn(c);
}

static void
writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	turn(arg);
}

void
conn_flush_all(struct vault *v)
{
	struct conn *c;

	while ((c = v->dirty) != NULL) {
		v->dirty = c->dirty_next;
		c->dirty = false;
		turn(c);
	}
}

void
conn_close_all(struct vault *v)
{
	v->dirty = NULL;
	while (v->conns != NULL)
		conn_free(v->conns);
	buf_done(&v->spare_input);
}

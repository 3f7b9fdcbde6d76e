/*
 * server.c - see server.h.
 *
 * Every line begins with hello(epoch). It closes the lines before it unread: what an older
 * vaultd, or this one on a line that broke, still had in its buffers is never begun.
 *
 * Questions wait in secret memory. When that is short nothing is read for a moment; the line
 * stays, and what is under way gives back what it holds.
 */
#include "egress/server.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/log.h"
#include "common/role.h"
#include "egress/egress.h"
#include "egress/ops.h"
#include "egress/spool.h"

#define SHORT_US	50000
#define LINES_MAX	16	/* a vaultd has one, and for a moment its successor another */

struct client {
	struct client	*next;
	struct egress	*x;
	uint64_t	 number;
	int		 fd;
	struct event	*rd, *wr, *again;
	bool		 greeted;
	struct secret	 in;
	struct buf	 out;
	size_t		 sent;
};

/* ---- out */

static void
client_close(struct client *c)
{
	struct client **at = &c->x->clients;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	event_free(c->rd);
	event_free(c->wr);
	event_free(c->again);
	close(c->fd);
	secret_done(&c->in);
	buf_done(&c->out);
	free(c);
}

static void
flush(struct client *c)
{
	while (c->sent < c->out.len) {
		ssize_t n = send(c->fd, c->out.p + c->sent, c->out.len - c->sent, MSG_NOSIGNAL);

		if (n > 0) {
			c->sent += (size_t)n;
		} else if (errno == EAGAIN) {
			event_add(c->wr, NULL);
			return;
		} else if (errno != EINTR) {
			event_active(c->rd, EV_READ, 1);	/* finds the end there */
			return;
		}
	}
	buf_reset(&c->out);
	c->sent = 0;
}

static void
writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	flush(arg);
}

static void
put_error(struct msg *m, const struct err *e)
{
	struct err busy;

	if (e->code == V_LIMIT && e->id == ERR_NONE) {
		err_name(&busy, ERR_BUSY, "vault-egress is short of memory: %.200s", e->text);
		e = &busy;
	}
	msg_put_err(m, e);
}

static void
reply(struct client *c, uint32_t id, int rc, const struct err *e, const struct msg *answer)
{
	AUTO(msg) m = { 0 };
	struct frame f = { .id = id, .op = rc == 0 ? FRAME_OK : FRAME_ERR };

	if (rc != 0)
		put_error(&m, e);
	f.body = msg_slice(rc == 0 ? answer : &m);
	if (!frame_pack(&c->out, &f))
		log_error("an answer to vaultd is too long");
	flush(c);
}

void
server_answer(struct job *j)
{
	struct client *c = j->x->clients;

	while (c != NULL && c->number != j->client)
		c = c->next;
	if (c != NULL)
		reply(c, j->frame_id, j->rc, &j->err, &j->answer);
}

/* ---- hello */

static void
close_others(struct egress *x, struct client *mine)
{
	struct client *c = x->clients, *next;

	for (; c != NULL; c = next) {
		next = c->next;
		if (c != mine)
			client_close(c);
	}
}

static void
list_spool(struct egress *x, struct msg *m)
{
	struct id ids[1024];
	size_t n = spool_list(x->spool, ids, sizeof ids / sizeof *ids);

	msg_put_u32(m, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		msg_put_id(m, &ids[i]);
}

static void
hello(struct client *c, const struct frame *f)
{
	struct egress *x = c->x;
	AUTO(msg) m = { 0 };
	struct hello h;
	struct err e;
	int rc = hello_get(f->body, &h, &e);

	if (rc == 0 && h.epoch < x->epoch)
		rc = err_name(&e, ERR_CONFLICT, "a newer vaultd has said hello");
	if (rc == 0) {
		close_others(x, c);
		x->epoch = h.epoch;
		egress_set_vault(x, &h.vault);
		c->greeted = true;
		msg_put_u32(&m, (uint32_t)x->catalogue.n);
		list_spool(x, &m);
	}
	reply(c, f->id, rc, &e, &m);
}

/* ---- in */

static int
may_ask(struct client *c, struct err *e)
{
	struct id vault = egress_vault(c->x);

	if (!c->greeted)
		return err_name(e, ERR_CONFLICT, "hello comes first");
	if (c->x->stopping)
		return err_name(e, ERR_CONFLICT, "vault-egress is stopping");
	if (id_is_null(&vault))		/* what is sealed for no vault could never be opened */
		return err_name(e, ERR_HSM_UNAVAILABLE, "the HSM was never reached, so the vault "
		    "has no id yet");
	return 0;
}

static void
serve(struct client *c, const struct frame *f)
{
	struct err e;
	struct job *j;

	if (f->op == EGRESS_HELLO) {
		hello(c, f);
		return;
	}
	if (may_ask(c, &e) != 0) {
		reply(c, f->id, e.code, &e, NULL);
		return;
	}
	j = calloc(1, sizeof *j);
	must(j != NULL);
	j->x = c->x;
	j->client = c->number;
	j->frame_id = f->id;
	j->op = f->op;
	if (secret_set(&j->body, f->body.p, f->body.len, &e) != 0 || ops_start(j, &e) != 0) {
		reply(c, f->id, e.code, &e, NULL);
		job_free(j);
	}
}

static void
read_later(struct client *c)
{
	event_del(c->rd);
	event_add(c->again, &(struct timeval){ .tv_usec = SHORT_US });
}

static void
read_again(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;

	(void)fd;
	(void)what;
	event_add(c->rd, NULL);
}

static void
readable(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;
	struct frame f;
	struct err e;
	ssize_t n;

	(void)what;
	if (secret_reserve(&c->in, c->in.len + 4096, &e) != 0) {
		read_later(c);
		return;
	}
	n = recv((int)fd, c->in.p + c->in.len, c->in.cap - c->in.len, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_close(c);
		return;
	}
	c->in.len += (size_t)n;
	while ((n = frame_parse((struct slice){ c->in.p, c->in.len }, &f)) > 0) {
		serve(c, &f);
		memmove(c->in.p, c->in.p + n, c->in.len - (size_t)n);
		c->in.len -= (size_t)n;
		explicit_bzero(c->in.p + c->in.len, (size_t)n);
	}
	if (n < 0) {
		log_error("vaultd does not speak frames");
		client_close(c);
	}
}

/* The newest N stay: a line that nobody closed takes no descriptor from those that work. */
static void
close_beyond(struct egress *x, unsigned n)
{
	struct client *c = x->clients, *next;

	for (; c != NULL; c = next) {
		next = c->next;
		if (n > 0)
			n--;
		else if (!c->greeted)
			client_close(c);
	}
}

static void
accept_one(evutil_socket_t fd, short what, void *arg)
{
	static uint64_t numbers;
	struct egress *x = arg;
	int s = accept4((int)fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *c = s < 0 ? NULL : calloc(1, sizeof *c);

	(void)what;
	if (c == NULL) {
		if (s >= 0)
			close(s);
		return;
	}
	c->x = x;
	c->fd = s;
	c->number = ++numbers;
	c->rd = event_new(x->base, s, EV_READ | EV_PERSIST, readable, c);
	c->wr = event_new(x->base, s, EV_WRITE, writable, c);
	c->again = evtimer_new(x->base, read_again, c);
	must(c->rd != NULL && c->wr != NULL && c->again != NULL && event_add(c->rd, NULL) == 0);
	c->next = x->clients;
	x->clients = c;
	close_beyond(x, LINES_MAX);
}

int
server_start(struct egress *x, int fd, struct err *e)
{
	evutil_make_socket_nonblocking(fd);
	x->listener = event_new(x->base, fd, EV_READ | EV_PERSIST, accept_one, x);
	if (x->listener == NULL || event_add(x->listener, NULL) != 0)
		return err_set(e, V_IO, "cannot listen for vaultd");
	return 0;
}

void
server_stop(struct egress *x)
{
	while (x->clients != NULL)
		client_close(x->clients);
	if (x->listener != NULL)
		event_free(x->listener);
	x->listener = NULL;
}

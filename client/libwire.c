/*
 * libwire.c - see libwire.h. Every buffer that held a message is wiped before it is freed
 * or used again.
 */
#include "client/libwire.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MAX	(64u << 20)
#define METHOD_MAX	255
#define SENT_KEPT	65536

/* ---- errors */

int
libwire_fail(struct vaultd_error *e, bool retry, const char *owner, const char *advice,
    const char *what, int number)
{
	char said[128];

	*e = (struct vaultd_error){ .retry = retry };
	snprintf(e->message, sizeof e->message, "%s%s%s", what, number != 0 ? ": " : "",
	    number != 0 ? strerror_r(number, said, sizeof said) : "");
	snprintf(e->owner, sizeof e->owner, "%s", owner);
	snprintf(e->advice, sizeof e->advice, "%s", advice);
	snprintf(e->details, sizeof e->details, "{}");
	return -1;
}

int
libwire_no_memory(struct vaultd_error *e)
{
	return libwire_fail(e, true, "caller", "Free memory.", "out of memory", 0);
}

static int
broken(struct vaultd_error *e, const char *what, int number)
{
	return libwire_fail(e, true, "appliance", "Call again; if it persists, the operator "
	    "can look into vaultd's log.", what, number);
}

static void
add_detail(struct vaultd_error *e, size_t *at, struct span key, struct span value)
{
	/* ,"key":value} and NUL */
	if (*at + key.len + value.len + 6 > sizeof e->details)
		return;
	*at += (size_t)snprintf(e->details + *at, sizeof e->details - *at, "%s\"%.*s\":%.*s",
	    *at > 1 ? "," : "", (int)key.len, key.p, (int)value.len, value.p);
}

static void
from_answer(struct span name, struct span parameters, struct vaultd_error *e)
{
	struct { const char *key; char *to; size_t cap; } known[] = {
		{ "message", e->message, sizeof e->message },
		{ "owner", e->owner, sizeof e->owner },
		{ "advice", e->advice, sizeof e->advice },
		{ "trace", e->trace, sizeof e->trace } };
	struct span key, value;
	size_t at = 0, used = 1;

	*e = (struct vaultd_error){ .details = "{" };
	libscan_copy(name, e->name, sizeof e->name);
	while (libscan_next(parameters, &at, &key, &value)) {
		size_t i = 0;

		while (i < 4 && !libscan_key_is(key, known[i].key))
			i++;
		if (i < 4)
			libscan_copy(value, known[i].to, known[i].cap);
		else if (libscan_key_is(key, "retry"))
			e->retry = *value.p == 't';
		else
			add_detail(e, &used, key, value);
	}
	snprintf(e->details + used, sizeof e->details - used, "}");
	if (e->message[0] == '\0')
		memcpy(e->message, e->name, sizeof e->name);
}

/* ---- bytes */

void
libwire_wipe_free(char *p, size_t n)
{
	if (p != NULL)
		explicit_bzero(p, n);
	free(p);
}

static void
bytes_done(struct libwire_bytes *b)
{
	libwire_wipe_free(b->p, b->cap);
	*b = (struct libwire_bytes){ 0 };
}

/* Room for MORE bytes; never realloc(), which would leave the old block as it is. */
static bool
bytes_room(struct libwire_bytes *b, size_t more)
{
	size_t cap = b->cap == 0 ? 4096 : b->cap;
	char *p;

	while (cap - b->len < more)
		cap *= 2;
	if (cap == b->cap)
		return true;
	if ((p = malloc(cap)) == NULL)
		return false;
	if (b->len > 0)
		memcpy(p, b->p, b->len);
	libwire_wipe_free(b->p, b->cap);
	b->p = p;
	b->cap = cap;
	return true;
}

/* Forgets the first N bytes. */
static void
bytes_drop(struct libwire_bytes *b, size_t n)
{
	if (n == 0)
		return;
	memmove(b->p, b->p + n, b->len - n);
	b->len -= n;
	explicit_bzero(b->p + b->len, n);
}

/* ---- the connection */

static void
disconnect(struct vaultd *v)
{
	if (v->fd >= 0)
		close(v->fd);	/* in a forked child: the child's copy alone */
	v->fd = -1;
	v->epoch++;
	bytes_done(&v->in);
	bytes_done(&v->out);
	v->seen = v->sent = 0;
	v->deaf = false;
}

static void
run(struct vaultd *v, const struct libwire_due *d, const char *parameters, size_t len,
    const struct vaultd_error *e)
{
	bool was = v->busy;

	v->busy = true;
	if (d->user != NULL)
		d->user(d->arg, parameters, e);
	else
		d->done(d->arg, parameters, len, e);
	v->busy = was;
}

void
libwire_break(struct vaultd *v, const struct vaultd_error *e)
{
	struct libwire_due *d = v->first, *next;
	struct vaultd_error copy;	/* E may be what a callback passes on */

	if (e != NULL)
		copy = *e;
	disconnect(v);
	v->first = NULL;
	v->last = &v->first;
	for (; d != NULL; d = next) {
		next = d->next;
		if (e != NULL && !v->closed)
			run(v, d, NULL, 0, &copy);
		free(d);
	}
}

void
libwire_after_fork(struct vaultd *v)
{
	if (v->fd >= 0 && v->pid != getpid())
		libwire_break(v, NULL);
}

/* vaultd was restarted since the last call: nothing of the next one was sent, so a new
 * connection is as good. */
static void
drop_dead(struct vaultd *v)
{
	struct pollfd p = { .fd = v->fd, .events = POLLIN };

	if (v->fd >= 0 && v->first == NULL && poll(&p, 1, 0) > 0)
		disconnect(v);
}

static int
cannot_connect(struct vaultd *v, int number, struct vaultd_error *e)
{
	disconnect(v);
	if (number == EAGAIN) {
		libwire_fail(e, true, "appliance", "Wait a moment.", "vaultd is busy", 0);
		return 1;
	}
	if (number == EACCES)
		return libwire_fail(e, false, "admin", "Ask the operator for access to the "
		    "socket.", v->path, number);
	return libwire_fail(e, true, "appliance", "Is vaultd running? Try `systemctl status "
	    "vaultd`; is this its socket? Else set VAULTD_SOCKET.", v->path, number);
}

int
libwire_connect(struct vaultd *v, struct vaultd_error *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	libwire_after_fork(v);
	drop_dead(v);
	if (v->fd >= 0)
		return 0;
	memcpy(sa.sun_path, v->path, sizeof sa.sun_path);
	v->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (v->fd < 0)
		return libwire_fail(e, true, "caller", "Close some files.", "socket", errno);
	if (connect(v->fd, (struct sockaddr *)&sa, sizeof sa) != 0)
		return cannot_connect(v, errno, e);
	v->pid = getpid();
	v->touched = false;
	return 0;
}

/* ---- calls out */

static bool
is_method(const char *method)
{
	size_t n = strlen(method);

	return n > 0 && n <= METHOD_MAX &&
	    strspn(method, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") == n;
}

int
libwire_queue(struct vaultd *v, const char *method, struct span parameters,
    struct libwire_due due, struct vaultd_error *e)
{
	static const char head[] = "{\"method\":\"", middle[] = "\",\"parameters\":";
	const char *end = due.more ? ",\"more\":true}" : "}";
	struct libwire_due *d;
	char *p;
	size_t n;

	if (!is_method(method))
		return libwire_fail(e, false, "caller", "A method is called "
		    "interface.Method, as in vaultd.Vault.Status.",
		    "this is not the name of a method", 0);
	if (v->sent > SENT_KEPT) {
		bytes_drop(&v->out, v->sent);
		v->sent = 0;
	}
	n = sizeof head - 1 + strlen(method) + sizeof middle - 1 + parameters.len + strlen(end) + 1;
	if ((d = malloc(sizeof *d)) == NULL || !bytes_room(&v->out, n)) {
		free(d);
		return libwire_no_memory(e);
	}
	p = mempcpy(v->out.p + v->out.len, head, sizeof head - 1);
	p = mempcpy(p, method, strlen(method));
	p = mempcpy(p, middle, sizeof middle - 1);
	p = mempcpy(p, parameters.p, parameters.len);
	memcpy(p, end, strlen(end) + 1);
	v->out.len += n;
	if (v->first == NULL)
		v->touched = false;
	*d = due;
	d->next = NULL;
	*v->last = d;
	v->last = &d->next;
	return 0;
}

/* When the vault hangs up it may have said why: what it sent is still to be read. */
static void
send_some(struct vaultd *v)
{
	while (!v->deaf && v->sent < v->out.len) {
		ssize_t n = send(v->fd, v->out.p + v->sent, v->out.len - v->sent, MSG_NOSIGNAL);

		if (n > 0) {
			v->sent += (size_t)n;
			v->touched = true;
		} else if (n < 0 && errno == EAGAIN) {
			return;
		} else if (n == 0 || errno != EINTR) {
			v->deaf = true;
		}
	}
	bytes_drop(&v->out, v->out.len);
	v->sent = 0;
}

/* ---- answers in */

/* TEXT is one message, with its NUL. FALSE: that is not how vaultd speaks. */
static bool
answer(struct vaultd *v, char *text, size_t len)
{
	struct span all = { text, len }, name, parameters, more;
	struct libwire_due *d = v->first;
	struct vaultd_error e;
	char none[] = "{}";
	bool failed;

	if (d == NULL || !libscan_object(all, 2 * LIBSCAN_DEPTH))
		return false;
	failed = libscan_member(all, "error", &name);
	if (!libscan_member(all, "parameters", &parameters))
		parameters = (struct span){ none, 2 };
	v->continues = libscan_member(all, "continues", &more) && *more.p != 'f';
	if (*parameters.p != '{' || (v->continues && (failed || !d->more)) ||
	    (failed && (name.len < 3 || *name.p != '"')))
		return false;
	if (v->continues) {		/* D may be gone behind its callback */
		((char *)parameters.p)[parameters.len] = '\0';
		run(v, d, parameters.p, parameters.len, NULL);
		return true;
	}
	if ((v->first = d->next) == NULL)
		v->last = &v->first;
	if (failed) {
		from_answer(name, parameters, &e);
		run(v, d, NULL, 0, &e);
	} else {
		((char *)parameters.p)[parameters.len] = '\0';
		run(v, d, parameters.p, parameters.len, NULL);
	}
	free(d);
	return true;
}

/* Runs the callbacks of the messages in IN that are complete. They may queue calls, break
 * or close: IN is not the connection's meanwhile. */
static bool
answers(struct vaultd *v)
{
	struct libwire_bytes in = v->in;
	size_t at = 0, seen = v->seen;
	unsigned epoch = v->epoch;
	bool good = true;
	char *end;

	v->in = (struct libwire_bytes){ 0 };
	while (good && v->epoch == epoch && in.len > seen &&
	    (end = memchr(in.p + seen, '\0', in.len - seen)) != NULL) {
		good = answer(v, in.p + at, (size_t)(end - (in.p + at)));
		at = seen = (size_t)(end - in.p) + 1;
	}
	if (!good || v->epoch != epoch) {
		bytes_done(&in);
		return good;
	}
	bytes_drop(&in, at);
	v->in = in;
	v->seen = in.len;
	if (in.len == 0 && in.cap > 65536)	/* a long list is rare */
		bytes_done(&v->in);
	return true;
}

static int
receive(struct vaultd *v, struct vaultd_error *e)
{
	ssize_t n;

	if (v->in.len > ANSWER_MAX)
		return broken(e, "an answer of vaultd has no end", 0);
	if (!bytes_room(&v->in, 4096))
		return libwire_no_memory(e);
	n = recv(v->fd, v->in.p + v->in.len, v->in.cap - v->in.len, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return broken(e, "the connection to vaultd broke", n < 0 ? errno : 0);
	v->in.len += (size_t)n;
	if (!answers(v))
		return libwire_fail(e, false, "caller", "Is this vaultd's socket?",
		    "the answer is not one of vaultd", 0);
	return 0;
}

int
libwire_turn(struct vaultd *v, struct vaultd_error *e)
{
	send_some(v);
	if (receive(v, e) == 0)
		return 0;
	libwire_break(v, e);
	return -1;
}

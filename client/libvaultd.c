/*
 * libvaultd.c - see vaultd.h. One connection, calls answered in order, buffers wiped.
 */
#include "client/vaultd.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define EXPORT		__attribute__((visibility("default")))
#define SOCKET_DEFAULT	"/run/vaultd/vaultd.sock"
#define TIMEOUT_DEFAULT	180000
#define ANSWER_MAX	(64u << 20)

struct due {
	struct due	*next;
	vaultd_done	*done;
	void		*arg;
};

struct vaultd {
	char		 path[108];
	int		 fd;
	pid_t		 pid;		/* whose connection fd is */
	int		 timeout_ms;
	char		*in, *out;
	size_t		 in_len, in_cap, out_len, out_cap, sent;
	struct due	*first, **last;
};

/* ---- errors */

static int
fail(struct vaultd_error *e, bool retry, const char *advice, const char *what, int number)
{
	memset(e, 0, sizeof *e);
	snprintf(e->message, sizeof e->message, "%s%s%s", what, number != 0 ? ": " : "",
	    number != 0 ? strerror(number) : "");
	snprintf(e->owner, sizeof e->owner, "appliance");
	snprintf(e->advice, sizeof e->advice, "%s", advice);
	snprintf(e->details, sizeof e->details, "{}");
	e->retry = retry;
	return -1;
}

static int
no_memory(struct vaultd_error *e)
{
	return fail(e, true, "Free memory.", "out of memory", 0);
}

static void
take(json_t *p, const char *key, char *to, size_t cap)
{
	const char *s = json_string_value(json_object_get(p, key));

	snprintf(to, cap, "%s", s == NULL ? "" : s);
	json_object_del(p, key);
}

static void
from_reply(const char *name, json_t *p, struct vaultd_error *e)
{
	char *rest;

	memset(e, 0, sizeof *e);
	snprintf(e->name, sizeof e->name, "%s", name);
	take(p, "message", e->message, sizeof e->message);
	take(p, "owner", e->owner, sizeof e->owner);
	take(p, "advice", e->advice, sizeof e->advice);
	take(p, "trace", e->trace, sizeof e->trace);
	e->retry = json_is_true(json_object_get(p, "retry"));
	json_object_del(p, "retry");
	rest = json_dumps(p, JSON_COMPACT);
	snprintf(e->details, sizeof e->details, "%s",
	    rest != NULL && strlen(rest) < sizeof e->details ? rest : "{}");
	free(rest);
	if (e->message[0] == '\0')
		snprintf(e->message, sizeof e->message, "%s", name);
}

/* ---- memory that held a token */

static void
wipe_free(char *p, size_t n)
{
	if (p != NULL)
		explicit_bzero(p, n);
	free(p);
}

EXPORT void
vaultd_free(char *text)
{
	if (text != NULL)
		wipe_free(text, strlen(text));
}

/* jansson frees what it held as it is: strings are emptied first. */
static void
wipe_tree(json_t *v)
{
	const char *key;
	json_t *item;
	size_t i;

	if (json_is_string(v))
		explicit_bzero((char *)json_string_value(v), json_string_length(v));
	else if (json_is_object(v))
		json_object_foreach(v, key, item)
			wipe_tree(item);
	else
		json_array_foreach(v, i, item)
			wipe_tree(item);
}

static bool
grow(char **p, size_t len, size_t *cap, size_t more)
{
	size_t want = *cap == 0 ? 4096 : *cap;
	char *q;

	while (want < len + more)
		want *= 2;
	if (want == *cap)
		return true;
	if ((q = malloc(want)) == NULL)
		return false;
	if (len > 0)
		memcpy(q, *p, len);
	wipe_free(*p, *cap);
	*p = q;
	*cap = want;
	return true;
}

/* ---- connection */

static void
disconnect(struct vaultd *v)
{
	if (v->fd >= 0)
		close(v->fd);	/* in a forked child: the child's copy alone */
	v->fd = -1;
	wipe_free(v->in, v->in_cap);
	wipe_free(v->out, v->out_cap);
	v->in = v->out = NULL;
	v->in_len = v->in_cap = v->out_len = v->out_cap = v->sent = 0;
}

static void
forget_calls(struct vaultd *v, const struct vaultd_error *e)
{
	struct due *d = v->first, *next;

	v->first = NULL;
	v->last = &v->first;
	for (; d != NULL; d = next) {
		next = d->next;
		if (e != NULL)
			d->done(d->arg, NULL, e);
		free(d);
	}
}

/* In a child the parent's connection, and the parent's calls, are not ours. */
static void
after_fork(struct vaultd *v)
{
	if (v->fd < 0 || v->pid == getpid())
		return;
	disconnect(v);
	forget_calls(v, NULL);
}

/* vaultd was restarted since the last call: nothing of a new one was sent yet, so a new
 * connection is as good. */
static void
drop_dead(struct vaultd *v)
{
	struct pollfd p = { .fd = v->fd, .events = POLLIN };

	if (v->fd >= 0 && v->first == NULL && v->out_len == 0 && poll(&p, 1, 0) > 0)
		disconnect(v);
}

static int
connect_now(struct vaultd *v, struct vaultd_error *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	after_fork(v);
	drop_dead(v);
	if (v->fd >= 0)
		return 0;
	memcpy(sa.sun_path, v->path, sizeof sa.sun_path);
	v->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (v->fd < 0)
		return fail(e, true, "Close some files.", "socket", errno);
	if (connect(v->fd, (struct sockaddr *)&sa, sizeof sa) == 0) {
		v->pid = getpid();
		return 0;
	}
	fail(e, true, errno == EACCES ? "Ask the operator for access to the socket." :
	    "Is vaultd running? `systemctl status vaultd`, or start it with vault-launch.",
	    v->path, errno);
	disconnect(v);
	return -1;
}

EXPORT int
vaultd_open(const char *path, struct vaultd **ret, struct vaultd_error *e)
{
	struct vaultd *v;

	if (path == NULL)
		path = getenv("VAULTD_SOCKET");
	if (path == NULL || *path == '\0')
		path = SOCKET_DEFAULT;
	if (strlen(path) >= sizeof v->path)
		return fail(e, false, "Use a shorter path.", "the socket's path is too long", 0);
	if ((v = calloc(1, sizeof *v)) == NULL)
		return no_memory(e);
	snprintf(v->path, sizeof v->path, "%s", path);
	v->fd = -1;
	v->timeout_ms = TIMEOUT_DEFAULT;
	v->last = &v->first;
	*ret = v;
	return 0;
}

EXPORT void
vaultd_close(struct vaultd *v)
{
	if (v == NULL)
		return;
	disconnect(v);
	forget_calls(v, NULL);
	free(v);
}

EXPORT void
vaultd_timeout(struct vaultd *v, int ms)
{
	v->timeout_ms = ms;
}

/* ---- out */

static int
queue_text(struct vaultd *v, const char *method, json_t *parameters, struct vaultd_error *e)
{
	json_t *call = json_object();
	size_t n;
	int rc = -1;

	json_object_set_new(call, "method", json_string(method));
	if (parameters != NULL)
		json_object_set(call, "parameters", parameters);
	n = json_dumpb(call, NULL, 0, JSON_COMPACT);
	if (n == 0 || !grow(&v->out, v->out_len, &v->out_cap, n + 1)) {
		no_memory(e);
	} else {
		json_dumpb(call, v->out + v->out_len, n, JSON_COMPACT);
		v->out[v->out_len + n] = '\0';
		v->out_len += n + 1;
		rc = 0;
	}
	json_decref(call);
	return rc;
}

EXPORT int
vaultd_send(struct vaultd *v, const char *method, const char *parameters,
    vaultd_done *done, void *arg, struct vaultd_error *e)
{
	struct due *d;
	json_error_t je;
	json_t *p = NULL;
	int rc;

	if (connect_now(v, e) != 0)
		return -1;
	if (parameters != NULL && (p = json_loads(parameters, JSON_REJECT_DUPLICATES, &je)) ==
	    NULL)
		return fail(e, false, "Pass a JSON object.", "the parameters are not JSON", 0);
	if ((d = calloc(1, sizeof *d)) == NULL) {
		json_decref(p);
		return no_memory(e);
	}
	rc = queue_text(v, method, p, e);
	if (p != NULL)
		wipe_tree(p);
	json_decref(p);
	if (rc != 0) {
		free(d);
		return -1;
	}
	*d = (struct due){ .done = done, .arg = arg };
	*v->last = d;
	v->last = &d->next;
	return 0;
}

static int
flush(struct vaultd *v)
{
	while (v->sent < v->out_len) {
		ssize_t n = send(v->fd, v->out + v->sent, v->out_len - v->sent, MSG_NOSIGNAL);

		if (n > 0)
			v->sent += (size_t)n;
		else if (n < 0 && errno == EINTR)
			continue;
		else
			return n < 0 && errno == EAGAIN ? 0 : -1;
	}
	if (v->out != NULL)
		explicit_bzero(v->out, v->out_len);
	v->out_len = v->sent = 0;
	return 0;
}

/* ---- in */

static void
answer(struct vaultd *v, const char *text)
{
	struct due *d = v->first;
	struct vaultd_error e;
	json_error_t je;
	json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, &je), *p;
	const char *name = json_string_value(json_object_get(o, "error"));
	char *out = NULL;

	if (d == NULL) {
		json_decref(o);
		return;
	}
	if ((v->first = d->next) == NULL)
		v->last = &v->first;
	p = json_object_get(o, "parameters");
	if (!json_is_object(o))
		fail(&e, false, "Is this vaultd's socket?", "the answer is not of vaultd", 0);
	else if (name != NULL)
		from_reply(name, p, &e);
	else if ((out = p == NULL ? strdup("{}") : json_dumps(p, JSON_COMPACT)) == NULL)
		no_memory(&e);
	if (o != NULL)
		wipe_tree(o);
	json_decref(o);
	d->done(d->arg, out, out == NULL ? &e : NULL);
	vaultd_free(out);
	free(d);
}

static int
receive(struct vaultd *v)
{
	ssize_t n;
	char *end;

	if (v->in_len > ANSWER_MAX || !grow(&v->in, v->in_len, &v->in_cap, 4096))
		return -1;
	n = recv(v->fd, v->in + v->in_len, v->in_cap - v->in_len, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return -1;
	v->in_len += (size_t)n;
	while (v->in_len > 0 && (end = memchr(v->in, '\0', v->in_len)) != NULL) {
		size_t used = (size_t)(end - v->in) + 1;

		answer(v, v->in);
		if (v->fd < 0)
			return 0;
		memmove(v->in, v->in + used, v->in_len - used);
		v->in_len -= used;
		explicit_bzero(v->in + v->in_len, used);
	}
	return 0;
}

EXPORT int
vaultd_fd(struct vaultd *v)
{
	after_fork(v);
	return v->fd;
}

EXPORT short
vaultd_events(struct vaultd *v)
{
	return (short)(POLLIN | (v->sent < v->out_len ? POLLOUT : 0));
}

EXPORT int
vaultd_dispatch(struct vaultd *v, struct vaultd_error *e)
{
	after_fork(v);
	if (v->fd < 0)
		return 0;
	if (flush(v) == 0 && receive(v) == 0)
		return 0;
	fail(e, true, "Call again; if it persists, ask the operator.",
	    "the connection to vaultd broke", 0);
	disconnect(v);
	forget_calls(v, e);
	return -1;
}

/* ---- blocking calls */

struct result {
	bool			 ready;
	char			*text;
	struct vaultd_error	*e;
};

static void
got(void *arg, const char *parameters, const struct vaultd_error *e)
{
	struct result *r = arg;

	r->ready = true;
	if (parameters != NULL)
		r->text = strdup(parameters);
	else
		*r->e = *e;
}

static long long
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int
wait_for(struct vaultd *v, struct result *r, struct vaultd_error *e)
{
	long long until = now_ms() + v->timeout_ms;

	while (!r->ready) {
		struct pollfd p = { .fd = v->fd, .events = vaultd_events(v) };
		long long left = until - now_ms();

		if (v->timeout_ms > 0 && left <= 0) {
			disconnect(v);	/* an answer that comes late is nobody's */
			forget_calls(v, NULL);
			return fail(e, true, "Call again; see `vaultctl status`.",
			    "vaultd did not answer in time", 0);
		}
		if (poll(&p, 1, v->timeout_ms > 0 ? (int)left : -1) > 0 &&
		    vaultd_dispatch(v, e) != 0 && !r->ready)
			return -1;
	}
	return r->text != NULL ? 0 : -1;
}

EXPORT int
vaultd_call(struct vaultd *v, const char *method, const char *parameters, char **ret,
    struct vaultd_error *e)
{
	struct result r = { .e = e };

	if (vaultd_send(v, method, parameters, got, &r, e) != 0 || wait_for(v, &r, e) != 0)
		return -1;
	*ret = r.text;
	return 0;
}

/* ---- tokens */

static char *
copy(json_t *p, const char *key)
{
	const char *s = json_string_value(json_object_get(p, key));

	return s == NULL ? NULL : strdup(s);
}

static int
read_token(const char *text, struct vaultd_token *t, struct vaultd_error *e)
{
	json_error_t je;
	json_t *p = json_loads(text, 0, &je);

	*t = (struct vaultd_token){ copy(p, "access_token"), copy(p, "token_type"),
		copy(p, "scope"), copy(p, "api_base"), copy(p, "connection"),
		json_integer_value(json_object_get(p, "expires")),
		json_integer_value(json_object_get(p, "generation")) };
	if (p != NULL)
		wipe_tree(p);
	json_decref(p);
	if (t->access_token != NULL && t->token_type != NULL)
		return 0;
	vaultd_token_done(t);
	return fail(e, false, "Update libvaultd.", "the answer holds no token", 0);
}

/* Reading a token changes nothing, so a connection that vaultd's restart broke is made
 * anew and the call repeated, once. */
static int
get_token(struct vaultd *v, const char *parameters, struct vaultd_token *ret,
    struct vaultd_error *e)
{
	bool kept = v->fd >= 0;
	char *text = NULL;
	int rc = vaultd_call(v, "vaultd.Tokens.Get", parameters, &text, e);

	if (rc != 0 && kept && v->fd < 0 && e->name[0] == '\0')
		rc = vaultd_call(v, "vaultd.Tokens.Get", parameters, &text, e);
	if (rc == 0)
		rc = read_token(text, ret, e);
	vaultd_free(text);
	return rc;
}

static int
get_with(struct vaultd *v, const char *connection, const char *key, int64_t value,
    struct vaultd_token *ret, struct vaultd_error *e)
{
	json_t *p = json_object();
	char *text;
	int rc;

	json_object_set_new(p, "connection", json_string(connection));
	if (value > 0)
		json_object_set_new(p, key, json_integer(value));
	text = json_dumps(p, JSON_COMPACT);
	json_decref(p);
	if (text == NULL)
		return no_memory(e);
	rc = get_token(v, text, ret, e);
	free(text);
	return rc;
}

EXPORT int
vaultd_token_get(struct vaultd *v, const char *connection, int64_t min_ttl,
    struct vaultd_token *ret, struct vaultd_error *e)
{
	return get_with(v, connection, "min_ttl", min_ttl, ret, e);
}

EXPORT int
vaultd_token_refused(struct vaultd *v, const char *connection, int64_t generation,
    struct vaultd_token *ret, struct vaultd_error *e)
{
	return get_with(v, connection, "refused_generation", generation, ret, e);
}

EXPORT void
vaultd_token_done(struct vaultd_token *t)
{
	vaultd_free(t->access_token);
	vaultd_free(t->token_type);
	vaultd_free(t->scope);
	vaultd_free(t->api_base);
	vaultd_free(t->connection);
	*t = (struct vaultd_token){ 0 };
}

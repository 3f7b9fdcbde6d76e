/*
 * libvaultd.c - see vaultd.h: the public functions. Blocking calls are the other kind with
 * a poll(2) around them.
 */
#include "client/vaultd.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/libwire.h"

#define SOCKET_DEFAULT	"/run/vaultd/vaultd.sock"
#define TIMEOUT_DEFAULT	180000
#define CONNECT_PAUSE	10	/* ms, while vaultd's queue of connections is full */

/* ---- opening, closing */

LIBWIRE_EXPORT int
vaultd_open(const char *path, struct vaultd **ret, struct vaultd_error *e)
{
	struct vaultd *v;

	if (path == NULL || *path == '\0')
		path = secure_getenv("VAULTD_SOCKET");
	if (path == NULL || *path == '\0')
		path = SOCKET_DEFAULT;
	if (strlen(path) >= sizeof v->path)
		return libwire_fail(e, false, "caller", "Use a path of at most 107 bytes.",
		    "the socket's path is too long", 0);
	if ((v = calloc(1, sizeof *v)) == NULL)
		return libwire_no_memory(e);
	memcpy(v->path, path, strlen(path));
	v->fd = -1;
	v->timeout_ms = TIMEOUT_DEFAULT;
	v->last = &v->first;
	*ret = v;
	return 0;
}

LIBWIRE_EXPORT void
vaultd_close(struct vaultd *v)
{
	if (v == NULL)
		return;
	v->closed = true;
	libwire_break(v, NULL);
	if (!v->busy)
		free(v);	/* else vaultd_dispatch() does, whose callback this is */
}

LIBWIRE_EXPORT void
vaultd_timeout(struct vaultd *v, int ms)
{
	v->timeout_ms = ms > 0 ? ms : 0;
}

LIBWIRE_EXPORT void
vaultd_free(char *text)
{
	if (text != NULL)
		libwire_wipe_free(text, strlen(text));
}

/* ---- for loops */

static int
checked(const char *parameters, struct span *ret, struct vaultd_error *e)
{
	*ret = (struct span){ parameters, parameters == NULL ? 0 : strlen(parameters) };
	if (parameters == NULL)
		*ret = (struct span){ "{}", 2 };
	if (libscan_object(*ret, LIBSCAN_DEPTH - 1))
		return 0;
	return libwire_fail(e, false, "caller", "Pass one JSON object in UTF-8, without a key "
	    "twice, or NULL.", "the parameters are not a JSON object", 0);
}

LIBWIRE_EXPORT int
vaultd_send(struct vaultd *v, const char *method, const char *parameters,
    vaultd_done *done, void *arg, struct vaultd_error *e)
{
	struct span p;

	if (checked(parameters, &p, e) != 0 || libwire_connect(v, e) != 0)
		return -1;
	return libwire_queue(v, method, p, (struct libwire_due){ .user = done, .arg = arg }, e);
}

LIBWIRE_EXPORT int
vaultd_fd(struct vaultd *v)
{
	libwire_after_fork(v);
	return v->fd;
}

LIBWIRE_EXPORT short
vaultd_events(struct vaultd *v)
{
	return (short)(POLLIN | (!v->deaf && v->sent < v->out.len ? POLLOUT : 0));
}

LIBWIRE_EXPORT int
vaultd_dispatch(struct vaultd *v, struct vaultd_error *e)
{
	int rc;

	libwire_after_fork(v);
	if (v->fd < 0 || v->busy)
		return 0;
	rc = libwire_turn(v, e);
	if (v->closed)
		free(v);
	return rc;
}

/* ---- blocking calls */

enum end {
	END_NOT_YET,
	END_ANSWERED,	/* or refused, by name */
	END_FAILED,	/* nothing was sent, and another try would fail too */
	END_TIMED_OUT,
	END_BROKE,
};

/* A call and where its answer goes. */
struct call {
	const char		*method;
	struct span		 parameters;
	bool			 repeatable;	/* asking twice is as good as once */
	/* reads the answer; -1 with E */
	int			(*read)(const char *text, size_t len, void *ret,
				    struct vaultd_error *e);
	void			*ret;
	struct vaultd_error	*e;
	enum end		 end;
	int			 rc;
};

static long long
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* -1: for ever. */
static int
left_ms(const struct vaultd *v, long long start)
{
	long long left = start + v->timeout_ms - now_ms();

	return v->timeout_ms == 0 ? -1 : left > 0 ? (int)left : 0;
}

static void
got(void *arg, const char *parameters, size_t len, const struct vaultd_error *e)
{
	struct call *k = arg;

	k->end = parameters != NULL || e->name[0] != '\0' ? END_ANSWERED : END_BROKE;
	if (parameters != NULL) {
		k->rc = k->read(parameters, len, k->ret, k->e);
	} else {
		k->rc = -1;
		*k->e = *e;
	}
}

static enum end
timed_out(struct vaultd *v, struct vaultd_error *e)
{
	libwire_break(v, NULL);	/* an answer that comes late is nobody's */
	libwire_fail(e, true, "appliance", "Call again; `vaultctl status` says how the vault is.",
	    "vaultd did not answer in time", 0);
	return END_TIMED_OUT;
}

static enum end
connect_waiting(struct vaultd *v, long long start, struct vaultd_error *e)
{
	int rc, left;

	while ((rc = libwire_connect(v, e)) > 0) {
		if ((left = left_ms(v, start)) == 0)
			return timed_out(v, e);
		poll(NULL, 0, left > 0 && left < CONNECT_PAUSE ? left : CONNECT_PAUSE);
	}
	return rc == 0 ? END_ANSWERED : END_FAILED;
}

static enum end
try(struct vaultd *v, struct call *k, long long start)
{
	enum end end = connect_waiting(v, start, k->e);
	struct libwire_due due = { .done = got, .arg = k };
	struct vaultd_error e;

	if (end != END_ANSWERED)
		return end;
	if (libwire_queue(v, k->method, k->parameters, due, k->e) != 0)
		return END_FAILED;
	for (k->end = END_NOT_YET; k->end == END_NOT_YET;) {
		struct pollfd p = { .fd = v->fd, .events = vaultd_events(v) };
		int left = left_ms(v, start);

		if (left == 0)
			return timed_out(v, k->e);
		if (poll(&p, 1, left) > 0)
			libwire_turn(v, &e);	/* what went wrong reaches K through got() */
	}
	return k->end;
}

static int
in_use(struct vaultd_error *e)
{
	return libwire_fail(e, false, "caller", "Use another struct vaultd for blocking calls.",
	    "answers to vaultd_send() are due", 0);
}

/* A broken connection is made anew once: when the vault has seen nothing of the call, or
 * when the call only reads. */
static int
call(struct vaultd *v, struct call *k)
{
	long long start = now_ms();
	enum end end;

	if (v->busy || v->first != NULL)
		return in_use(k->e);
	end = try(v, k, start);
	if (end == END_BROKE && k->e->retry && (k->repeatable || !v->touched))
		end = try(v, k, start);
	return end == END_ANSWERED ? k->rc : -1;
}

static int
read_text(const char *text, size_t len, void *ret, struct vaultd_error *e)
{
	char *copy = malloc(len + 1);

	if (copy == NULL)
		return libwire_no_memory(e);
	memcpy(copy, text, len + 1);
	*(char **)ret = copy;
	return 0;
}

LIBWIRE_EXPORT int
vaultd_call(struct vaultd *v, const char *method, const char *parameters, char **ret,
    struct vaultd_error *e)
{
	struct call k = { .method = method, .read = read_text, .ret = ret, .e = e };

	if (checked(parameters, &k.parameters, e) != 0)
		return -1;
	return call(v, &k);
}

/* ---- calls that go on */

struct more {
	struct vaultd		*v;
	vaultd_each		*each;
	void			*arg;
	struct vaultd_error	*e;
	bool			 answered, enough, ended;
	bool			 whole;		/* the timeout is for all of it */
	int			 rc;
};

static void
got_more(void *arg, const char *parameters, size_t len, const struct vaultd_error *e)
{
	struct more *m = arg;

	(void)len;
	m->answered = true;
	m->ended = parameters == NULL || !m->v->continues;
	if (parameters == NULL) {
		m->rc = -1;
		*m->e = *e;
	} else if (!m->enough) {
		m->enough = !m->each(m->arg, parameters);
	}
}

static int
wait_more(struct vaultd *v, struct more *m, long long start)
{
	struct vaultd_error e;

	while (!m->ended && !m->enough) {
		struct pollfd p = { .fd = v->fd, .events = vaultd_events(v) };
		int left = m->answered && !m->whole ? -1 : left_ms(v, start);

		if (left == 0) {
			timed_out(v, m->e);
			return -1;
		}
		if (poll(&p, 1, left) > 0)
			libwire_turn(v, &e);	/* what went wrong reaches M through got_more() */
	}
	if (!m->ended)
		libwire_break(v, NULL);
	return m->rc;
}

/* M is filled but for what comes in. */
static int
more(struct vaultd *v, const char *method, const char *parameters, struct more *m)
{
	struct libwire_due due = { .more = true, .done = got_more, .arg = m };
	long long start = now_ms();
	struct span p;

	if (checked(parameters, &p, m->e) != 0)
		return -1;
	if (v->busy || v->first != NULL)
		return in_use(m->e);
	if (connect_waiting(v, start, m->e) != END_ANSWERED ||
	    libwire_queue(v, method, p, due, m->e) != 0)
		return -1;
	return wait_more(v, m, start);
}

LIBWIRE_EXPORT int
vaultd_call_more(struct vaultd *v, const char *method, const char *parameters,
    vaultd_each *each, void *arg, struct vaultd_error *e)
{
	struct more m = { .v = v, .each = each, .arg = arg, .e = e };

	return more(v, method, parameters, &m);
}

int
libwire_more(struct vaultd *v, const char *method, const char *parameters, vaultd_each *each,
    void *arg, int ms, struct vaultd_error *e)
{
	struct more m = { .v = v, .each = each, .arg = arg, .e = e, .whole = true };

	vaultd_timeout(v, ms);
	return more(v, method, parameters, &m);
}

/* ---- tokens */

LIBWIRE_EXPORT void
vaultd_token_done(struct vaultd_token *t)
{
	vaultd_free(t->access_token);
	vaultd_free(t->token_type);
	vaultd_free(t->scope);
	vaultd_free(t->api_base);
	vaultd_free(t->connection);
	*t = (struct vaultd_token){ 0 };
}

static int
read_token(const char *text, size_t len, void *ret, struct vaultd_error *e)
{
	struct span all = { text, len }, value;
	struct vaultd_token t = { 0 };
	struct { const char *name; char **to; bool required; } f[] = {
		{ "access_token", &t.access_token, true }, { "token_type", &t.token_type, true },
		{ "scope", &t.scope, false }, { "api_base", &t.api_base, false },
		{ "connection", &t.connection, false } };
	bool good = true;

	for (size_t i = 0; i < sizeof f / sizeof *f; i++) {
		if (libscan_member(all, f[i].name, &value))
			good = (*f[i].to = libscan_text(value)) != NULL && good;
		else
			good = good && !f[i].required;
	}
	if (t.scope == NULL)
		good = (t.scope = strdup("")) != NULL && good;
	if (libscan_member(all, "expires", &value))
		good = libscan_integer(value, &t.expires) && good;
	if (libscan_member(all, "generation", &value))
		good = libscan_integer(value, &t.generation) && good;
	if (good) {
		*(struct vaultd_token *)ret = t;
		return 0;
	}
	vaultd_token_done(&t);
	return libwire_fail(e, false, "appliance", "Do libvaultd and vaultd belong together?",
	    "the answer holds no token", 0);
}

/* {"connection":"...","KEY":VALUE}; a VALUE of 0 is left out. Heap. */
static char *
get_parameters(const char *connection, size_t quoted, const char *key, int64_t value)
{
	static const char head[] = "{\"connection\":";
	char tail[64] = "}", *text;

	if (value > 0)
		snprintf(tail, sizeof tail, ",\"%s\":%lld}", key, (long long)value);
	if ((text = malloc(sizeof head + quoted + sizeof tail)) == NULL)
		return NULL;
	strcpy(libscan_quote(stpcpy(text, head), connection), tail);
	return text;
}

static int
get_token(struct vaultd *v, const char *connection, const char *key, int64_t value,
    struct vaultd_token *ret, struct vaultd_error *e)
{
	struct call k = { .method = "vaultd.Tokens.Get", .repeatable = true,
		.read = read_token, .ret = ret, .e = e };
	size_t quoted = libscan_quoted_len(connection);
	char *text;
	int rc;

	if (quoted == 0)
		return libwire_fail(e, false, "caller", "Names are UTF-8.",
		    "this is not the name of a connection", 0);
	if ((text = get_parameters(connection, quoted, key, value)) == NULL)
		return libwire_no_memory(e);
	k.parameters = (struct span){ text, strlen(text) };
	rc = call(v, &k);
	free(text);
	return rc;
}

LIBWIRE_EXPORT int
vaultd_token_get(struct vaultd *v, const char *connection, int64_t min_ttl,
    struct vaultd_token *ret, struct vaultd_error *e)
{
	return get_token(v, connection, "min_ttl", min_ttl, ret, e);
}

LIBWIRE_EXPORT int
vaultd_token_refused(struct vaultd *v, const char *connection, int64_t generation,
    struct vaultd_token *ret, struct vaultd_error *e)
{
	return get_token(v, connection, "refused_generation", generation, ret, e);
}

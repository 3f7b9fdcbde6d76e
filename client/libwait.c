/*
 * libwait.c - vaultd_wait(): events say when to look at a connection again, on a line of their own.
 * See vaultd.h.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/libwire.h"

#define PAUSE_MS 1000	/* while the vault is away, which no event tells */

struct wait {
	struct vaultd		*v, *events;
	const char		*connection;
	long long		 until;		/* ms of CLOCK_MONOTONIC; 0: for ever */
	vaultd_waiting		*tell;
	void			*arg;
	char			 id[64];	/* once it was seen: its name may change */
	bool			 usable, failed;
	struct vaultd_error	 why;		/* what is waited for */
	struct vaultd_error	*e;
};

static long long
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool
time_is_up(const struct wait *w)
{
	return w->until != 0 && now_ms() >= w->until;
}

/* 0: for ever. */
static int
left_ms(const struct wait *w)
{
	long long left = w->until - now_ms();

	return w->until == 0 ? 0 : left > 0 ? (int)left : 1;
}

static void
tell(struct wait *w, const struct vaultd_error *why)
{
	bool again = strcmp(w->why.name, why->name) == 0 &&
	    strcmp(w->why.message, why->message) == 0;

	w->why = *why;
	if (!again && w->tell != NULL)
		w->tell(w->arg, &w->why);
}

/* ---- the connection */

static void
copy(struct span o, const char *member, char *out, size_t cap)
{
	struct span value;

	*out = '\0';
	if (libscan_member(o, member, &value))
		libscan_copy(value, out, cap);
}

static int64_t
number(struct span o, const char *member)
{
	struct span value;
	int64_t n = 0;

	return libscan_member(o, member, &value) && libscan_integer(value, &n) ? n : 0;
}

/* Disabled, or never signed in: no cause tells that. */
static void
by_state(struct span k, const char *state, const char *path, struct vaultd_error *why)
{
	char note[200];

	if (strcmp(state, "disabled") == 0) {
		copy(k, "disabled_note", note, sizeof note);
		snprintf(why->name, sizeof why->name, "vaultd.Connections.ConnectionDisabled");
		snprintf(why->message, sizeof why->message, "%s is disabled%s%s", path,
		    *note != '\0' ? ": " : "", note);
		snprintf(why->owner, sizeof why->owner, "admin");
		snprintf(why->advice, sizeof why->advice, "Who may disable it enables it: "
		    "`vaultctl connection enable %s`.", path);
	} else if (strcmp(state, "pending_auth") == 0) {
		snprintf(why->name, sizeof why->name, "vaultd.Connections.NotReady");
		snprintf(why->message, sizeof why->message, "nobody has signed in for %s yet", path);
		snprintf(why->owner, sizeof why->owner, "caller");
		snprintf(why->advice, sizeof why->advice, "End the sign-in that was begun, or begin: "
		    "`vaultctl connection reconnect %s`.", path);
	}
}

/* Why K is not usable, whose move it is, and the next step. */
static void
explain(struct span k, const char *state, struct vaultd_error *why)
{
	char path[300], text[300];

	*why = (struct vaultd_error){ .details = "{}", .retry = true };
	copy(k, "path", path, sizeof path);
	copy(k, "cause", why->name, sizeof why->name);
	copy(k, "cause_text", text, sizeof text);
	copy(k, "cause_owner", why->owner, sizeof why->owner);
	copy(k, "advice", why->advice, sizeof why->advice);
	copy(k, "cause_trace", why->trace, sizeof why->trace);
	snprintf(why->message, sizeof why->message, "%.200s is %s%s%s", path, state,
	    *text != '\0' ? ": " : "", text);
	by_state(k, state, path, why);
	if (*why->owner == '\0')
		snprintf(why->owner, sizeof why->owner, "caller");
}

/* What is degraded may have nothing to hand out; a connected one is renewed when it is asked. */
static bool
is_usable(struct span k, const char *state)
{
	int64_t expires = number(k, "expires");

	if (strcmp(state, "degraded") == 0)
		return expires == 0 || expires > time(NULL);
	return strcmp(state, "connected") == 0;
}

static int
seen(struct wait *w, const char *text)
{
	struct vaultd_error why;
	struct span k;
	char state[32];

	if (!libscan_member((struct span){ text, strlen(text) }, "connection", &k))
		return libwire_fail(w->e, false, "appliance", "Do libvaultd and vaultd belong "
		    "together?", "the answer holds no connection", 0);
	copy(k, "state", state, sizeof state);
	copy(k, "id", w->id, sizeof w->id);
	w->usable = is_usable(k, state);
	if (!w->usable) {
		explain(k, state, &why);
		tell(w, &why);
	}
	return 0;
}

/* {"connection":"..."}; NULL: E says why. */
static char *
parameters(const struct wait *w)
{
	static const char head[] = "{\"connection\":";
	const char *name = w->id[0] != '\0' ? w->id : w->connection;
	size_t quoted = libscan_quoted_len(name);
	char *text;

	if (quoted == 0) {
		libwire_fail(w->e, false, "caller", "Names are UTF-8.",
		    "this is not the name of a connection", 0);
		return NULL;
	}
	if ((text = malloc(sizeof head + quoted + 1)) == NULL)
		libwire_no_memory(w->e);
	else
		strcpy(libscan_quote(stpcpy(text, head), name), "}");
	return text;
}

static int
look(struct wait *w)
{
	char *p = parameters(w), *answer;
	int rc, ms = w->v->timeout_ms, left = left_ms(w);

	if (p == NULL)
		return -1;
	if (left > 0 && (ms == 0 || left < ms))
		vaultd_timeout(w->v, left);
	rc = vaultd_call(w->v, "vaultd.Connections.Show", p, &answer, w->e);
	vaultd_timeout(w->v, ms);
	free(p);
	if (rc != 0)
		return -1;
	rc = seen(w, answer);
	vaultd_free(answer);
	return rc;
}

/* ---- events */

/* The first answer comes at once and has none: from then on nothing is missed. */
static bool
heard(void *arg, const char *events)
{
	struct wait *w = arg;

	(void)events;
	w->failed = look(w) != 0;
	return !w->failed && !w->usable;
}

/* 0: usable. */
static int
follow(struct wait *w)
{
	char *p;
	int rc;

	if (w->id[0] == '\0' && (look(w) != 0 || w->usable))
		return w->usable ? 0 : -1;
	if ((p = parameters(w)) == NULL)
		return -1;
	w->failed = false;
	rc = libwire_more(w->events, "vaultd.Events.Follow", p, heard, w, left_ms(w), w->e);
	free(p);
	if (rc != 0 || w->failed)
		return -1;
	return w->usable ? 0 : libwire_fail(w->e, true, "appliance", "Call again.",
	    "the vault ended the call", 0);
}

static int
out_of_time(struct wait *w)
{
	*w->e = w->why;
	w->e->retry = true;
	if (w->e->message[0] == '\0')
		libwire_fail(w->e, true, "appliance", "Call again; `vaultctl status` says how the "
		    "vault is.", "vaultd did not answer in time", 0);
	return -1;
}

static int
wait_all(struct wait *w)
{
	while (follow(w) != 0) {
		if (time_is_up(w))
			return out_of_time(w);
		if (!w->e->retry)
			return -1;
		tell(w, w->e);
		poll(NULL, 0, w->until != 0 && left_ms(w) < PAUSE_MS ? left_ms(w) : PAUSE_MS);
		if (time_is_up(w))
			return out_of_time(w);
	}
	return 0;
}

LIBWIRE_EXPORT int
vaultd_wait(struct vaultd *v, const char *connection, int timeout_ms, vaultd_waiting *waiting,
    void *arg, struct vaultd_error *e)
{
	struct wait w = { .v = v, .connection = connection, .tell = waiting, .arg = arg, .e = e,
		.until = timeout_ms > 0 ? now_ms() + timeout_ms : 0 };
	int rc;

	if (vaultd_open(v->path, &w.events, e) != 0)
		return -1;
	rc = wait_all(&w);
	vaultd_close(w.events);
	return rc;
}

/*
 * conn_state.c - see conn_state.h.
 */
#include "vaultd/conn_state.h"

#include <string.h>

#include "common/errors.h"
#include "vaultd/record.h"

#define RESUME CONN_STATE_END	/* the state of before */

/* What is not said changes nothing. vaultd(8) has the same table; test-conn_state.c compares. */
static const unsigned char next[CONN_STATE_END][CONN_EVENT_END] = {
	[CONN_PENDING] = {
		[CONN_SIGNED_IN] = CONN_CONNECTED,
		[CONN_ENDED] = CONN_DISCONNECTED,
		[CONN_DISABLE] = CONN_DISABLED,
		[CONN_DELETE] = CONN_DELETED,
	},
	[CONN_CONNECTED] = {
		[CONN_TROUBLE] = CONN_DEGRADED,
		[CONN_ENDED] = CONN_DISCONNECTED,
		[CONN_LOCK_OUT] = CONN_LOCKED,
		[CONN_DISABLE] = CONN_DISABLED,
		[CONN_DELETE] = CONN_DELETED,
	},
	[CONN_DEGRADED] = {
		[CONN_SIGNED_IN] = CONN_CONNECTED,
		[CONN_RENEWED] = CONN_CONNECTED,
		[CONN_ENDED] = CONN_DISCONNECTED,
		[CONN_LOCK_OUT] = CONN_LOCKED,
		[CONN_DISABLE] = CONN_DISABLED,
		[CONN_DELETE] = CONN_DELETED,
	},
	[CONN_DISCONNECTED] = {
		[CONN_SIGNED_IN] = CONN_CONNECTED,
		[CONN_RENEWED] = CONN_CONNECTED,
		[CONN_DISABLE] = CONN_DISABLED,
		[CONN_DELETE] = CONN_DELETED,
	},
	[CONN_LOCKED] = {
		[CONN_SIGNED_IN] = CONN_CONNECTED,
		[CONN_RENEWED] = CONN_CONNECTED,
		[CONN_ENDED] = CONN_DISCONNECTED,
		[CONN_DISABLE] = CONN_DISABLED,
		[CONN_DELETE] = CONN_DELETED,
	},
	[CONN_DISABLED] = {
		[CONN_ENABLE] = RESUME,
		[CONN_DELETE] = CONN_DELETED,
	},
};

static const char *const names[CONN_STATE_END] = {
	[CONN_PENDING] = "pending_auth",
	[CONN_CONNECTED] = "connected",
	[CONN_DEGRADED] = "degraded",
	[CONN_DISCONNECTED] = "disconnected",
	[CONN_LOCKED] = "locked",
	[CONN_DISABLED] = "disabled",
	[CONN_DELETED] = "deleted",
};

static const char *const events[CONN_EVENT_END] = {
	[CONN_SIGNED_IN] = "signed in",
	[CONN_RENEWED] = "renewed",
	[CONN_TROUBLE] = "trouble",
	[CONN_ENDED] = "ended",
	[CONN_LOCK_OUT] = "lock-out",
	[CONN_DISABLE] = "disable",
	[CONN_ENABLE] = "enable",
	[CONN_DELETE] = "delete",
};

const char *
conn_state_name(enum conn_state s)
{
	return s < CONN_STATE_END && names[s] != NULL ? names[s] : "unknown";
}

bool
conn_state_parse(const char *name, enum conn_state *ret)
{
	for (unsigned s = CONN_PENDING; s < CONN_STATE_END; s++)
		if (strcmp(names[s], name) == 0) {
			*ret = s;
			return true;
		}
	return false;
}

const char *
conn_event_name(enum conn_event ev)
{
	return ev < CONN_EVENT_END ? events[ev] : "unknown";
}

enum conn_state
conn_state_next(enum conn_state s, enum conn_event ev)
{
	return s < CONN_STATE_END && ev < CONN_EVENT_END ? next[s][ev] : 0;
}

/* One that is disabled hears of what happens: it resumes as what it has become. */
static bool
apply_behind(struct connection *c, enum conn_event ev)
{
	enum conn_state to = conn_state_next(c->resume, ev);

	if (c->state != CONN_DISABLED || to == 0 || to == CONN_DISABLED || to == CONN_DELETED)
		return false;
	c->resume = to;
	return true;
}

bool
conn_state_apply(struct connection *c, enum conn_event ev, int64_t now)
{
	enum conn_state to = conn_state_next(c->state, ev);

	if (to == 0)
		return apply_behind(c, ev);
	if (to == RESUME)
		to = c->resume != 0 ? c->resume : CONN_PENDING;
	c->resume = to == CONN_DISABLED ? c->state : 0;
	c->state = to;
	c->state_since = now;
	return true;
}

bool
conn_state_usable(enum conn_state s)
{
	return s == CONN_CONNECTED || s == CONN_DEGRADED;
}

const char *
conn_state_summary(enum conn_state s)
{
	return conn_state_usable(s) ? "Connected" : "Disconnected";
}

int
conn_state_refuse(const struct connection *c, struct err *e)
{
	switch (c->state) {
	case CONN_DISABLED:
		err_name(e, ERR_CONNECTION_DISABLED, "connection '%s' is disabled%s%s", c->name,
		    c->disabled_note[0] == '\0' ? "" : ": ", c->disabled_note);
		break;
	case CONN_LOCKED:
		err_name(e, ERR_CONNECTION_LOCKED, "connection '%s' is locked after %u failures in "
		    "a row that say nothing certain", c->name, c->ambiguous);
		break;
	case CONN_DELETED:
		err_name(e, ERR_CONNECTION_DELETED, "connection '%s' was deleted", c->name);
		break;
	default:
		return 0;
	}
	err_detail(e, "connection", "%s", c->name);
	return e->code;
}

/*
 * conn_state.h - the state machine of a connection: one table, used by all that change a state,
 * and printed in vaultd(8).
 *
 * Pure. A state changes by an event only; conn_state_apply() is the one place that writes it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

struct connection;

enum conn_state {	/* stored as numbers: new ones go to the end */
	CONN_PENDING = 1,	/* begun, or imported, and never authenticated */
	CONN_CONNECTED,
	CONN_DEGRADED,		/* works, and something needs attention */
	CONN_DISCONNECTED,	/* reconnect needed */
	CONN_LOCKED,		/* by the vault, after failures that say nothing certain */
	CONN_DISABLED,		/* by somebody */
	CONN_DELETED,		/* a tombstone: gone for everybody, not yet revoked */
	CONN_STATE_END,
};

enum conn_event {
	CONN_SIGNED_IN,	/* a sign-in, or what stands for one, brought tokens */
	CONN_RENEWED,	/* a renewal brought a token, or the API takes the one there is again */
	CONN_TROUBLE,	/* no token to hand out for now, or the OAuth app's owner must act */
	CONN_ENDED,	/* the provider said for certain: sign in again */
	CONN_LOCK_OUT,	/* too many failures in a row that say nothing certain */
	CONN_DISABLE,
	CONN_ENABLE,
	CONN_DELETE,
	CONN_EVENT_END,
};

/* "pending_auth", "connected", ...; "signed in", "renewed", ... */
const char *conn_state_name(enum conn_state s);
bool conn_state_parse(const char *name, enum conn_state *ret);
const char *conn_event_name(enum conn_event ev);

/* The table. 0: in this state the event changes nothing. CONN_STATE_END: back to the state of
 * before, which the record holds. */
enum conn_state conn_state_next(enum conn_state s, enum conn_event ev);

/*
 * EV happened at NOW (unix s): state, what a disabled one resumes, and since when. What happens to
 * a disabled one changes what it resumes. FALSE: nothing changed.
 */
bool conn_state_apply(struct connection *c, enum conn_event ev, int64_t now);

/* Are tokens handed out, and renewed? */
bool conn_state_usable(enum conn_state s);
/* "Connected" or "Disconnected". */
const char *conn_state_summary(enum conn_state s);
/* 0, or the named error of a connection that is disabled, locked or deleted. */
int conn_state_refuse(const struct connection *c, struct err *e);

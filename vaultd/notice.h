/*
 * notice.h - what happened, for who follows it: the record of TABLE_EVENT, and the one way to add to
 * it. An event is part of the change set of what it tells: there is none without its change, and no
 * change without its event. Its number is given by the commit (store_apply.c).
 */
#pragma once

#include "vaultd/record.h"
#include "vaultd/store.h"

struct vault;

/* Stored as numbers: new ones go to the end, and get a row in notice.c. */
enum notice_type {
	NOTICE_CREATED = 1,
	NOTICE_AUTHENTICATED,	/* for the first time */
	NOTICE_RECONNECTED,	/* signed in again */
	NOTICE_RECOVERED,	/* works again by itself */
	NOTICE_DEGRADED,
	NOTICE_NEEDS_RECONNECT,
	NOTICE_LOCKED,
	NOTICE_UNLOCKED,
	NOTICE_DISABLED,
	NOTICE_ENABLED,
	NOTICE_RENAMED,
	NOTICE_MOVED,
	NOTICE_DELETED,
	NOTICE_EXPIRING,		/* a sign-in or certificate ends */
	NOTICE_ROTATE_DUE,	/* an app's secret */
	NOTICE_APP_ADDED,
	NOTICE_APP_CHANGED,
	NOTICE_APP_SECRET_CHANGED,
	NOTICE_APP_DELETED,
	NOTICE_POLICY_CHANGED,
	NOTICE_POLICY_FAILED,	/* a reload; the last good set stays */
	NOTICE_SEALED,
	NOTICE_UNSEALED,
	NOTICE_HSM_UP,
	NOTICE_HSM_DOWN,
	NOTICE_STORE_UNWRITABLE,
	NOTICE_AUDIT_UNWRITABLE,
	NOTICE_WRITABLE,		/* again, both */
	NOTICE_END,
};
const char *notice_type_name(enum notice_type t);	/* "needs_reconnect" */
enum notice_type notice_type_parse(const char *name);	/* 0 = there is none */

/* What it is about, and so who sees it. */
enum notice_of { NOTICE_OF_VAULT, NOTICE_OF_POLICY, NOTICE_OF_APP, NOTICE_OF_CONNECTION };

struct notice {
	enum notice_type	type;
	int64_t		time;			/* unix s */
	enum notice_of	of;
	struct id	id;			/* null: of the vault as a whole */
	/* of a connection: its folder as it was then */
	uint8_t		class;			/* enum folder_class */
	uid_t		folder_owner;		/* of a workspace */
	char		folder_owner_name[64];
	char		folder[400];		/* "shared/a"; "" of a workspace */
	char		name[NAME_MAX_LEN + 1];
	char		was[528];		/* RENAMED, MOVED: its old name or folder */
	char		connector[EX_NAME];
	enum conn_state	old_state, state;	/* 0 = does not apply */
	unsigned	cause;			/* enum err_id; 0 = none */
	char		text[320];
	int64_t		deadline;		/* unix s; 0 = none */
};
enum notice_of notice_of_type(enum notice_type t);
/* Whose move it is, and what to do about what is called PATH now: of its cause, or else of its type;
 * "" = nobody's. */
const char *notice_owner(const struct notice *ev);
void notice_advice(const struct notice *ev, const char *path, char *ret, size_t cap);

int notice_encode(const struct notice *ev, struct buf *out, struct err *e);
int notice_decode(struct slice in, struct notice *ret, struct err *e);

/* Into CHANGES, of which it is part. Out of memory fails CHANGES. */
void notice_add(struct changes *c, const struct notice *ev);
/*
 * Of a connection that is written (OLD NULL: made; NOW NULL: removed): what its state, name and
 * folder say. objects_put.c calls it for each, so that no verb can forget it.
 */
void notice_of_connection(struct vault *v, struct changes *c, const struct connection *old,
    const struct connection *now);
/* What a record does not show: a sign-in that replaced one that worked, or a warning. */
void notice_about_connection(struct vault *v, struct changes *c, enum notice_type t,
    const struct connection *r, int64_t deadline);
void notice_of_app(struct changes *c, const struct app *old, const struct app *now);
void notice_about_app(struct changes *c, enum notice_type t, const struct app *a, int64_t deadline,
    const char *text);

/* Of the vault as a whole, in a change set of its own. TEXT may be NULL. */
void notice_of_vault(struct vault *v, enum notice_type t, unsigned cause, const char *text);
/* Once per loop pass: the HSM, store and log went or came back. */
void notice_watch(struct vault *v);

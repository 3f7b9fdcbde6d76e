/*
 * notice.c - see notice.h.
 */
#include "vaultd/notice.h"

#include <stdio.h>
#include <string.h>

#include "common/advice.h"
#include "common/auto.h"
#include "common/errors.h"
#include "common/role.h"
#include "vaultd/objects.h"
#include "vaultd/record_part.h"
#include "vaultd/vault.h"

#define FORMAT 1

/* OWNER NULL: of its cause, when it has one. */
static const struct row {
	const char	*name;
	enum notice_of	 of;
	const char	*owner, *advice;
} rows[NOTICE_END] = {
	[0] = { "unknown", NOTICE_OF_VAULT, NULL, NULL },
	[NOTICE_CREATED] = { "created", NOTICE_OF_CONNECTION, NULL, NULL },
	[NOTICE_AUTHENTICATED] = { "authenticated", NOTICE_OF_CONNECTION, NULL, NULL },
	[NOTICE_RECONNECTED] = { "reconnected", NOTICE_OF_CONNECTION, NULL, NULL },
	[NOTICE_RECOVERED] = { "recovered", NOTICE_OF_CONNECTION, NULL, NULL },
	[NOTICE_DEGRADED] = { "degraded", NOTICE_OF_CONNECTION, NULL, NULL },
	[NOTICE_NEEDS_RECONNECT] = { "needs_reconnect", NOTICE_OF_CONNECTION, "caller",
	    "Sign in again: `vaultctl connection reconnect`." },
	[NOTICE_LOCKED] = { "locked", NOTICE_OF_CONNECTION, "caller",
	    "`vaultctl connection show` says what failed; sign in again to unlock." },
	[NOTICE_UNLOCKED] = { "unlocked", NOTICE_OF_CONNECTION, NULL, NULL },
	[NOTICE_DISABLED] = { "disabled", NOTICE_OF_CONNECTION, NULL, NULL },
	[NOTICE_ENABLED] = { "enabled", NOTICE_OF_CONNECTION, NULL, NULL },
	[NOTICE_RENAMED] = { "renamed", NOTICE_OF_CONNECTION, NULL, NULL },
	[NOTICE_MOVED] = { "moved", NOTICE_OF_CONNECTION, NULL, NULL },
	[NOTICE_DELETED] = { "deleted", NOTICE_OF_CONNECTION, NULL, NULL },
	[NOTICE_EXPIRING] = { "expiring", NOTICE_OF_CONNECTION, "caller",
	    "Sign in again before then: `vaultctl connection reconnect`." },
	[NOTICE_ROTATE_DUE] = { "rotate_due", NOTICE_OF_APP, "admin",
	    "Make a new one at the provider before then, and give it to the vault." },
	[NOTICE_APP_ADDED] = { "app_added", NOTICE_OF_APP, NULL, NULL },
	[NOTICE_APP_CHANGED] = { "app_changed", NOTICE_OF_APP, NULL, NULL },
	[NOTICE_APP_SECRET_CHANGED] = { "app_secret_changed", NOTICE_OF_APP, NULL, NULL },
	[NOTICE_APP_DELETED] = { "app_deleted", NOTICE_OF_APP, NULL, NULL },
	[NOTICE_POLICY_CHANGED] = { "policy_changed", NOTICE_OF_POLICY, NULL, NULL },
	[NOTICE_POLICY_FAILED] = { "policy_failed", NOTICE_OF_POLICY, "admin",
	    "Correct the file; the last good set stays in force until then." },
	[NOTICE_SEALED] = { "sealed", NOTICE_OF_VAULT, "appliance",
	    "Nothing is released until an operator unseals the vault." },
	[NOTICE_UNSEALED] = { "unsealed", NOTICE_OF_VAULT, NULL, NULL },
	[NOTICE_HSM_UP] = { "hsm_up", NOTICE_OF_VAULT, NULL, NULL },
	[NOTICE_HSM_DOWN] = { "hsm_down", NOTICE_OF_VAULT, "appliance",
	    "`vaultctl status` says how the HSM is." },
	[NOTICE_STORE_UNWRITABLE] = { "store_unwritable", NOTICE_OF_VAULT, "appliance",
	    "Make room on the vault's disk." },
	[NOTICE_AUDIT_UNWRITABLE] = { "audit_unwritable", NOTICE_OF_VAULT, "appliance",
	    "Make room on the vault's disk: nothing is released without an audit line." },
	[NOTICE_WRITABLE] = { "writable", NOTICE_OF_VAULT, NULL, NULL },
};

static const struct row *
row_of(enum notice_type t)
{
	return &rows[t < NOTICE_END ? t : 0];
}

const char *
notice_type_name(enum notice_type t)
{
	return row_of(t)->name;
}

enum notice_type
notice_type_parse(const char *name)
{
	for (enum notice_type t = 1; t < NOTICE_END; t++)
		if (strcmp(rows[t].name, name) == 0)
			return t;
	return 0;
}

enum notice_of
notice_of_type(enum notice_type t)
{
	return row_of(t)->of;
}

const char *
notice_owner(const struct notice *ev)
{
	const char *own = row_of(ev->type)->owner;

	if (ev->cause != ERR_NONE)
		return err_owner_name(err_row(ev->cause)->owner);
	return own == NULL ? "" : own;
}

void
notice_advice(const struct notice *ev, const char *path, char *ret, size_t cap)
{
	const char *own = row_of(ev->type)->advice;
	struct err e = { 0 };

	if (ev->cause == ERR_NONE) {
		str_put(ret, cap, 0, own == NULL ? "" : own);
		return;
	}
	err_name(&e, ev->cause, "%s", ev->text);
	err_detail(&e, "connection", "%s", path);
	err_detail(&e, "provider", "%s", ev->connector);
	advice_text(&e, ret, cap);
}

/* ---- the record */

int
notice_encode(const struct notice *ev, struct buf *out, struct err *e)
{
	AUTO(msg) m = { 0 };

	msg_put_u8(&m, FORMAT);
	msg_put_u16(&m, (uint16_t)ev->type);
	record_put_time(&m, ev->time);
	msg_put_u8(&m, (uint8_t)ev->of);
	msg_put_id(&m, &ev->id);
	msg_put_u8(&m, ev->class);
	msg_put_u32(&m, ev->folder_owner);
	msg_put_str(&m, ev->folder_owner_name);
	msg_put_str(&m, ev->folder);
	msg_put_str(&m, ev->name);
	msg_put_str(&m, ev->was);
	msg_put_str(&m, ev->connector);
	msg_put_u8(&m, (uint8_t)ev->old_state);
	msg_put_u8(&m, (uint8_t)ev->state);
	msg_put_u16(&m, (uint16_t)ev->cause);
	msg_put_str(&m, ev->text);
	record_put_time(&m, ev->deadline);
	return record_encoded(&m, out, e);
}

int
notice_decode(struct slice in, struct notice *ret, struct err *e)
{
	struct msg m;

	record_start(&m, in, FORMAT);
	ret->type = msg_get_u16(&m);
	ret->time = record_get_time(&m);
	ret->of = msg_get_u8(&m);
	ret->id = msg_get_id(&m);
	ret->class = msg_get_u8(&m);
	ret->folder_owner = msg_get_u32(&m);
	msg_get_str(&m, ret->folder_owner_name, sizeof ret->folder_owner_name);
	msg_get_str(&m, ret->folder, sizeof ret->folder);
	msg_get_str(&m, ret->name, sizeof ret->name);
	msg_get_str(&m, ret->was, sizeof ret->was);
	msg_get_str(&m, ret->connector, sizeof ret->connector);
	ret->old_state = msg_get_u8(&m);
	ret->state = msg_get_u8(&m);
	ret->cause = msg_get_u16(&m);
	msg_get_str(&m, ret->text, sizeof ret->text);
	ret->deadline = record_get_time(&m);
	if (ret->type < 1 || ret->type >= NOTICE_END || ret->of > NOTICE_OF_CONNECTION ||
	    ret->class > FOLDER_SHARED || ret->old_state >= CONN_STATE_END ||
	    ret->state >= CONN_STATE_END || ret->cause >= ERR_MAX)
		m.failed = true;
	return msg_end(&m, "event", e);
}

void
notice_add(struct changes *c, const struct notice *ev)
{
	AUTO(buf) rec = { 0 };
	struct err e;

	if (notice_encode(ev, &rec, &e) != 0)
		c->failed = true;
	else
		changes_event(c, buf_slice(&rec));
}

/* ---- connections */

/* A workspace may be made by this very change set. */
static bool
folder_of(struct vault *v, const struct changes *c, const struct id *id, struct folder *ret)
{
	struct err e;

	for (size_t i = 0; i < c->n; i++) {
		const struct change *p = &c->v[i];

		if (p->op == CHANGE_PUT && p->table == TABLE_FOLDER && p->keylen == sizeof id->b &&
		    memcmp(p->key, id->b, sizeof id->b) == 0 && p->value.len > 32)
			return folder_decode((struct slice){ p->value.p, p->value.len - 32 }, ret,
			    &e) == 0;
	}
	return object_folder(v, id, ret, &e) == 0;
}

static void
fill(struct vault *v, const struct changes *c, const struct connection *r, struct notice *ev)
{
	struct folder f;

	ev->time = wall_seconds();
	ev->of = NOTICE_OF_CONNECTION;
	ev->id = r->id;
	ev->state = r->state;
	str_put(ev->name, sizeof ev->name, 0, r->name);
	str_put(ev->connector, sizeof ev->connector, 0, r->connector);
	if (!folder_of(v, c, &r->folder, &f))
		return;		/* nobody sees it */
	ev->class = f.class;
	ev->folder_owner = f.owner;
	str_put(ev->folder_owner_name, sizeof ev->folder_owner_name, 0, f.owner_name);
	if (f.class == FOLDER_SHARED)
		object_folder_path(v, NULL, &f, ev->folder, sizeof ev->folder);
}

/* Row 46 of who left what for what: the state that is entered names the event, unless it is one that
 * works, which the state that was left names. */
static enum notice_type
type_of_change(enum conn_state old, enum conn_state now)
{
	static const enum notice_type entered[CONN_STATE_END] = {
		[CONN_DEGRADED] = NOTICE_DEGRADED, [CONN_DISCONNECTED] = NOTICE_NEEDS_RECONNECT,
		[CONN_LOCKED] = NOTICE_LOCKED, [CONN_DISABLED] = NOTICE_DISABLED,
		[CONN_DELETED] = NOTICE_DELETED,
	}, left[CONN_STATE_END] = {
		[CONN_PENDING] = NOTICE_AUTHENTICATED, [CONN_DEGRADED] = NOTICE_RECOVERED,
		[CONN_DISCONNECTED] = NOTICE_RECONNECTED, [CONN_LOCKED] = NOTICE_UNLOCKED,
		[CONN_DISABLED] = NOTICE_ENABLED,
	};

	if (old == CONN_DISABLED && now != CONN_DELETED)
		return NOTICE_ENABLED;
	return entered[now] != 0 ? entered[now] : left[old];
}

static void
add_state(struct vault *v, struct changes *c, const struct connection *old,
    const struct connection *now)
{
	struct notice ev = { .type = type_of_change(old->state, now->state),
		.old_state = old->state };

	if (old->state == now->state || ev.type == 0)
		return;
	fill(v, c, now, &ev);
	if (now->state == CONN_DEGRADED || now->state == CONN_DISCONNECTED ||
	    now->state == CONN_LOCKED) {
		ev.cause = now->cause;
		str_put(ev.text, sizeof ev.text, 0, now->cause_text);
	}
	notice_add(c, &ev);
}

static void
add_place(struct vault *v, struct changes *c, const struct connection *old,
    const struct connection *now)
{
	struct notice ev = { .type = NOTICE_RENAMED, .old_state = old->state };
	struct folder f;

	fill(v, c, now, &ev);
	if (strcmp(old->name, now->name) != 0) {
		str_put(ev.was, sizeof ev.was, 0, old->name);
		notice_add(c, &ev);
	}
	if (id_equal(&old->folder, &now->folder))
		return;
	ev.type = NOTICE_MOVED;
	ev.was[0] = '\0';
	if (folder_of(v, c, &old->folder, &f))
		object_folder_path(v, NULL, &f, ev.was, sizeof ev.was);
	notice_add(c, &ev);
}

void
notice_of_connection(struct vault *v, struct changes *c, const struct connection *old,
    const struct connection *now)
{
	struct notice ev = { .type = now == NULL ? NOTICE_DELETED : NOTICE_CREATED };

	if (old != NULL && now != NULL) {
		add_state(v, c, old, now);
		if (now->state != CONN_DELETED)		/* a tombstone's name is nobody's */
			add_place(v, c, old, now);
		return;
	}
	if (now == NULL && old->state == CONN_DELETED)
		return;		/* said when it became one */
	fill(v, c, now == NULL ? old : now, &ev);
	if (now == NULL) {
		ev.old_state = old->state;
		ev.state = CONN_DELETED;
	}
	notice_add(c, &ev);
}

void
notice_about_connection(struct vault *v, struct changes *c, enum notice_type t,
    const struct connection *r, int64_t deadline)
{
	struct notice ev = { .type = t, .deadline = deadline };

	fill(v, c, r, &ev);
	notice_add(c, &ev);
}

/* ---- apps */

void
notice_about_app(struct changes *c, enum notice_type t, const struct app *a, int64_t deadline,
    const char *text)
{
	struct notice ev = { .type = t, .of = NOTICE_OF_APP, .id = a->id, .time = wall_seconds(),
		.deadline = deadline };

	str_put(ev.name, sizeof ev.name, 0, a->name);
	str_put(ev.connector, sizeof ev.connector, 0, a->connector);
	str_put(ev.text, sizeof ev.text, 0, text);
	notice_add(c, &ev);
}

void
notice_of_app(struct changes *c, const struct app *old, const struct app *now)
{
	notice_about_app(c, now == NULL ? NOTICE_APP_DELETED : old == NULL ? NOTICE_APP_ADDED :
	    old->version != now->version ? NOTICE_APP_SECRET_CHANGED : NOTICE_APP_CHANGED,
	    now == NULL ? old : now, 0, "");
}

/*
 * verb_token.c - vaultd.Tokens.Get.
 *
 * Warm: the record from the store, its key from the cache, AES-GCM straight into the
 * answer: what is sealed is the ready JSON fragment. Key not cached: one question to
 * vault-hsm between. Token too short: a refresh between; one that fails does not take
 * away a token that still works.
 */
#include "vaultd/verb_token.h"

#include <stdio.h>
#include <string.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/json.h"
#include "common/role.h"
#include "vaultd/conn.h"
#include "vaultd/dek_cache.h"
#include "vaultd/explain.h"
#include "vaultd/fragment.h"
#include "vaultd/headers.h"
#include "vaultd/hsm.h"
#include "vaultd/objects.h"
#include "vaultd/refresh.h"
#include "vaultd/used.h"
#include "vaultd/resolve.h"
#include "vaultd/turn.h"
#include "vaultd/vault.h"
#include "vaultd/verbs.h"

#define MIN_TTL_DEFAULT	60

struct token_get {
	const char	*connection;
	int64_t		 min_ttl;		/* 0 = default */
	int64_t		 refused_generation;	/* 0 = none */
	/* Found: what the answer needs of the connection. The record is large, and this is cleared
	 * for each call. */
	struct {
		struct id	id, folder;	/* where policy was asked about it */
		enum auth_type	auth_type;
		enum conn_state	state;
		enum err_id	cause;
		const struct connector *connector;	/* NULL: withdrawn */
		char		connector_id[EX_NAME];
		char		name[NAME_MAX_LEN + 1], api_base[256], cause_text[160];
	} c;
	bool		 refreshed;		/* once per call */
	bool		 again;			/* the key was asked for twice */
	bool		 ready_made, raw;	/* of Headers */
	char		 resolved[ID_TEXT];	/* where a binding or a default led */
};

static const struct field token_get_fields[] = {
	{ "connection", F_STR, offsetof(struct token_get, connection), true, 0 },
	{ "min_ttl", F_SECONDS, offsetof(struct token_get, min_ttl), false, 0 },
	{ "refused_generation", F_INT, offsetof(struct token_get, refused_generation), false,
	    0 },
	{ 0 },
};

void
verb_token_get_quick(void *args, const char *connection, long long min_ttl)
{
	struct token_get *a = args;

	a->connection = connection;
	a->min_ttl = min_ttl < 0 ? 0 : min_ttl;
}

/* No connection is called as bindings and defaults are written. */
static int
find_resolved(struct request *r, struct target *t, struct err *e)
{
	struct token_get *a = r->args;
	int rc = resolve_text(r, a->connection, a->resolved, e);

	if (rc == 0)
		rc = object_find_connection(r, a->resolved, true, t, e);
	r->asked = a->connection;
	return rc == V_NOT_FOUND ? object_not_found(e, "connection", a->connection) : rc;
}

static int
token_object(struct request *r, struct err *e)
{
	struct token_get *a = r->args;

	struct target t;
	int rc = object_find_connection(r, a->connection, true, &t, e);

	if (rc == V_NOT_FOUND && resolve_is_one(a->connection))
		rc = find_resolved(r, &t, e);
	if (rc != 0)
		return rc;
	a->c.id = t.c.id;
	a->c.folder = t.c.folder;
	a->c.auth_type = t.c.auth_type;
	a->c.state = t.c.state;
	a->c.cause = t.c.cause;
	a->c.connector = catalogue_pinned(&r->vault->catalogue, t.c.connector,
	    t.c.connector_version);
	strcpy(a->c.name, t.c.name);
	strcpy(a->c.connector_id, t.c.connector);
	r->object.connector = a->c.connector_id;	/* T goes, policy and audit ask later */
	strcpy(a->c.api_base, t.c.api_base);
	strcpy(a->c.cause_text, t.c.cause_text);
	return 0;
}

/* What went wrong, and what the caller is to do about it. */
static void
explain_to(struct request *r, struct err *e)
{
	const struct token_get *a = r->args;
	struct connection c;
	struct err ignored;

	if (object_connection(r->vault, &a->c.id, true, &c, NULL, &ignored) == 0)
		explain_add(r->vault, &c, e);
}

static int
view(struct request *r, struct release_view *ret, struct err *e)
{
	struct token_get *a = r->args;
	struct slice key = { a->c.id.b, sizeof a->c.id.b }, in;
	int rc = store_get(r->vault->store, TABLE_RELEASE, key, &in, NULL, e);

	if (rc == V_NOT_FOUND && a->c.cause != ERR_NONE) {
		err_name(e, a->c.cause, "%s", a->c.cause_text);
		explain_to(r, e);
		return e->code;
	}
	if (rc == V_NOT_FOUND)
		return err_name(e, ERR_NOT_READY, "connection '%s' has no token yet: its sign-in "
		    "was never finished", a->c.name);
	if (rc != 0 || !release_view(in, ret))
		return err_name(e, ERR_RECORD_CORRUPT, "the stored token is damaged");
	return 0;
}

/* ---- the answer */

/* The API base is the one of the connection, whose record is tagged: it says where the caller
 * sends the token. */
static void
put_tail(struct request *r, const struct release_view *v)
{
	const struct token_get *a = r->args;
	char id[ID_TEXT];

	id_text(&a->c.id, id);
	buf_add_str(&r->out, ",\"expires\":");
	buf_add_uint(&r->out, (uint64_t)clock_shown(&r->vault->clock, v->expires), 1);
	buf_add_str(&r->out, ",\"generation\":");
	buf_add_uint(&r->out, v->generation, 1);
	buf_add_str(&r->out, ",\"connection\":\"");
	buf_add_str(&r->out, id);
	buf_add_str(&r->out, "\",\"api_base\":");
	if (a->c.api_base[0] == '\0' ||
	    !json_quote(&r->out, a->c.api_base, strlen(a->c.api_base)))
		buf_add_str(&r->out, "null");
	buf_add(&r->out, "}}", 3);		/* NUL included */
}

/* The same as headers: not the hot call, so with a tree. */
static int
open_headers(struct request *r, const struct release_view *v, const unsigned char *dek,
    struct err *e)
{
	const struct token_get *a = r->args;
	struct envelope_ctx ctx = { PURPOSE_RELEASE, r->vault->id, a->c.id, v->version };
	AUTO(secret) plain = { 0 };
	size_t len = envelope_plain_len(v->blob);
	char id[ID_TEXT];

	if (secret_reserve(&plain, len, e) != 0)
		return e->code;
	if (envelope_open_into(&ctx, dek, v->blob, plain.p, len) != (ssize_t)len)
		return err_name(e, ERR_RECORD_CORRUPT, "the stored token does not open: it was "
		    "damaged, or belongs to another record");
	used_note(r->vault, &a->c.id);
	plain.len = len;
	r->reply = headers_of((struct slice){ plain.p, len }, a->c.connector, a->raw, e);
	if (r->reply == NULL)
		return e->code;
	id_text(&a->c.id, id);
	json_object_set_new(r->reply, "expires",
	    json_integer((json_int_t)clock_shown(&r->vault->clock, v->expires)));
	json_object_set_new(r->reply, "generation", json_integer((json_int_t)v->generation));
	json_object_set_new(r->reply, "connection", json_string(id));
	json_object_set_new(r->reply, "api_base",
	    a->c.api_base[0] == '\0' ? json_null() : json_string(a->c.api_base));
	return 0;
}

/*
 * CHECKED: the generation whose plaintext was parsed strictly with this key, or 0. The
 * parse guards the answer against a fragment that says more than it should.
 */
static int
open_into_answer(struct request *r, const struct release_view *v,
    const unsigned char *dek, uint64_t *checked, struct err *e)
{
	const struct token_get *a = r->args;
	struct envelope_ctx ctx = { PURPOSE_RELEASE, r->vault->id, a->c.id, v->version };
	size_t len = envelope_plain_len(v->blob);
	char *fragment;

	if (a->ready_made)
		return open_headers(r, v, dek, e);
	buf_room(&r->out, len + 512);
	buf_add_str(&r->out, "{\"parameters\":{");
	fragment = buf_room(&r->out, len);
	if (fragment == NULL)
		return err_set(e, V_LIMIT, "out of memory");
	if (envelope_open_into(&ctx, dek, v->blob, fragment, len) != (ssize_t)len ||
	    (*checked != v->generation && !fragment_ok((struct slice){ fragment, len }))) {
		explicit_bzero(fragment, len);
		buf_done(&r->out);
		return err_name(e, ERR_RECORD_CORRUPT, "the stored token does not open: it was "
		    "damaged, or belongs to another record");
	}
	*checked = v->generation;
	used_note(r->vault, &a->c.id);
	r->out.len += len;
	put_tail(r, v);
	return 0;
}

static int token_serve(struct request *r, const struct release_view *v, struct err *e);

/* Disabled, locked, deleted or moved while the call waited: nothing leaves any more. Policy was asked
 * about the folder where it was. */
static int
still_usable(struct request *r, struct err *e)
{
	const struct token_get *a = r->args;
	struct connection c;

	if (object_connection(r->vault, &a->c.id, true, &c, NULL, e) == 0)
		return id_equal(&c.folder, &a->c.folder) ? conn_state_refuse(&c, e) :
		    err_name(e, ERR_CONFLICT, "connection '%s' was moved to another folder meanwhile: "
		    "ask again", a->c.name);
	if (e->id == ERR_NOT_FOUND)
		err_name(e, ERR_CONNECTION_DELETED, "connection '%s' was deleted", a->c.name);
	return e->code;
}

/*
 * The key was unwrapped from what was stored before the wait. A sign-in or a renewal may have put
 * another in its place meanwhile; then that one is asked for, once.
 */
static int
open_with(struct request *r, const struct secret *dek, struct err *e)
{
	struct token_get *a = r->args;
	struct release_view v;
	uint64_t checked = 0;
	int rc = still_usable(r, e);

	if (rc != 0 || (rc = view(r, &v, e)) != 0)	/* as it is now, not as it was before the wait */
		return rc;
	if ((rc = open_into_answer(r, &v, dek->p, &checked, e)) == 0) {
		dek_cache_put(r->vault->deks, &a->c.id, dek, boot_ms());
		return 0;
	}
	if (a->again)
		return rc;
	a->again = true;
	return token_serve(r, &v, e);
}

static void
unwrapped(void *arg, int rc, struct secret *dek, struct err *e)
{
	struct request *r = arg;

	if (rc == 0 && r->vault->sealed)
		rc = err_name(e, ERR_SEALED, "the vault is sealed");
	if (rc == 0)
		rc = open_with(r, dek, e);
	if (rc != REQUEST_WAIT)
		request_resume(r, rc, e);
}

static int
token_serve(struct request *r, const struct release_view *v, struct err *e)
{
	struct token_get *a = r->args;
	AUTO(buf) wrap = { 0 };
	const unsigned char *dek;
	uint64_t *checked;

	dek = dek_cache_get(r->vault->deks, &a->c.id, boot_ms(), &checked);
	if (dek != NULL && open_into_answer(r, v, dek, checked, e) == 0)
		return 0;
	/* A commit may be done whose done() has not come yet: the key of before opens nothing. */
	if (dek != NULL)
		dek_cache_forget(r->vault->deks, &a->c.id);
	if (object_wrap(r->vault, &a->c.id, PURPOSE_RELEASE, &wrap, e) != 0)
		return e->code;
	request_defer(r);
	hsm_unwrap(r->vault->hsm, &a->c.id, buf_slice(&wrap), unwrapped, r);
	return REQUEST_WAIT;
}

/* ---- is it good enough? */

static bool
alive(const struct request *r, const struct release_view *v)
{
	return v->expires == 0 || v->expires > clock_s(&r->vault->clock);
}

/*
 * Without a wish of the caller's: a minute, or a third of a short token's life. A wish for more
 * than the provider gives cannot be met by asking it again: what has three quarters of its life
 * left is as good as it gets.
 */
static bool
good_enough(const struct request *r, const struct release_view *v)
{
	const struct token_get *a = r->args;
	int64_t want = a->min_ttl, left, life = v->expires - v->obtained;

	if (a->refused_generation > 0 && (uint64_t)a->refused_generation == v->generation)
		return false;
	if (v->expires == 0)
		return true;
	left = v->expires - clock_s(&r->vault->clock);
	if (want == 0)
		want = life / 3 < MIN_TTL_DEFAULT ? life / 3 : MIN_TTL_DEFAULT;
	if (want > life / 4 * 3)
		want = life / 4 * 3;
	return left >= (want < 1 ? 1 : want);
}

static void
refreshed(void *arg, int rc, const struct err *why)
{
	struct request *r = arg;
	struct token_get *a = r->args;
	struct release_view v;
	struct err e = { 0 };
	int seen = still_usable(r, &e);

	if (seen != 0) {
		request_resume(r, seen, &e);
		return;
	}
	seen = view(r, &v, &e);
	/* A token that lives is served while the provider, or a helper, is away. */
	if (rc != 0 && (seen != 0 || !alive(r, &v) || (a->refused_generation > 0 &&
	    (uint64_t)a->refused_generation == v.generation))) {
		struct err cause = *why;

		explain_to(r, &cause);
		request_resume(r, rc, &cause);
		return;
	}
	rc = seen == 0 ? token_serve(r, &v, &e) : seen;
	if (rc != REQUEST_WAIT)
		request_resume(r, rc, &e);
}

/* Who only joins a refresh that runs, or is told to wait, asked the provider for nothing. R may be
 * answered when this returns. */
static void
renew(struct request *r)
{
	const struct token_get *a = r->args;
	struct vault *v = r->vault;
	struct id id = a->c.id;
	bool counts = a->refused_generation > 0 && !refresh_is_wanted(v, &id);

	request_defer(r);
	refresh_want(v, &id, refreshed, r);
	if (counts && refresh_is_wanted(v, &id))
		limits_renewal(&v->limits, &id, boot_ms());
}

/* What is no longer taken, and never ends by itself, is not handed out: whoever gets it can only
 * fail. A token that lives is. */
static int
usable_or_lives(struct request *r, struct err *e)
{
	const struct token_get *a = r->args;

	if (conn_state_usable(a->c.state))
		return 0;
	if (still_usable(r, e) != 0)
		return e->code;
	if (a->c.state != CONN_DISCONNECTED || a->c.cause == ERR_NONE ||
	    !(auth_type_flags(a->c.auth_type) & AUTH_STATIC))
		return 0;
	err_name(e, a->c.cause, "%s", a->c.cause_text);
	explain_to(r, e);
	return e->code;
}

static int
token_run(struct request *r, struct err *e)
{
	struct token_get *a = r->args;
	struct release_view v;

	if (a->c.auth_type & AUTH_WITHOUT_TOKEN && !a->ready_made)
		return err_name(e, ERR_AUTH_TYPE_HAS_NO_TOKEN, "connection '%s' is of type %s, which "
		    "has no token", a->c.name, auth_type_name(a->c.auth_type));
	if (usable_or_lives(r, e) != 0)
		return e->code;
	if (a->c.connector == NULL)
		return err_name(e, ERR_CONNECTOR_GONE, "the connector of '%s' was withdrawn from the "
		    "catalogue", a->c.name);
	if (view(r, &v, e) != 0)
		return e->code;
	if (good_enough(r, &v))
		return token_serve(r, &v, e);
	if (!(auth_type_flags(a->c.auth_type) & AUTH_RENEWS)) {
		if (alive(r, &v) && a->refused_generation == 0)
			return token_serve(r, &v, e);
		return err_name(e, ERR_KEY_REJECTED, "the static token of '%s' was refused and "
		    "cannot be renewed", a->c.name);
	}
	if (a->refused_generation > 0 &&
	    !limits_may_renew(&r->vault->limits, &a->c.id, boot_ms()))
		return err_name(e, ERR_BUSY, "the token of '%s' was renewed %d times within a minute "
		    "because an API refused it: it is not the token", a->c.name, RENEWALS_MAX);
	renew(r);
	return REQUEST_WAIT;
}

const struct verb verb_token_get = {
	.method = "vaultd.Tokens.Get",
	.help = "a valid access token for a connection",
	.action = ACT_CONN_USE,
	.flags = VERB_SECRET | VERB_UNSEALED,
	.fields = token_get_fields,
	.args_size = sizeof(struct token_get),
	.object = token_object,
	.run = token_run,
};

/* ---- Headers: the same for every type, so that callers never build prefixes (row 22) */

static const struct field headers_fields[] = {
	{ "connection", F_STR, offsetof(struct token_get, connection), true, 0 },
	{ "min_ttl", F_SECONDS, offsetof(struct token_get, min_ttl), false, 0 },
	{ "refused_generation", F_INT, offsetof(struct token_get, refused_generation), false,
	    0 },
	{ "raw", F_BOOL, offsetof(struct token_get, raw), false, 0 },
	{ 0 },
};

static int
headers_object(struct request *r, struct err *e)
{
	struct token_get *a = r->args;

	a->ready_made = true;
	if (a->raw)	/* a secret as it is needs more than to use it */
		r->action = ACT_CONN_USE_RAW;
	return token_object(r, e);
}

const struct verb verb_token_headers = {
	.method = "vaultd.Tokens.Headers",
	.help = "what to send to the API, ready made, for every type",
	.action = ACT_CONN_USE,
	.flags = VERB_SECRET | VERB_UNSEALED,
	.fields = headers_fields,
	.args_size = sizeof(struct token_get),
	.object = headers_object,
	.run = token_run,
};

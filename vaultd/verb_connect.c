/*
 * verb_connect.c - vaultd.Connections.Begin, Reconnect, Finish: an authorization-code
 * connection. Its session is session.c's, the exchange connect.c's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/advice.h"
#include "common/auto.h"
#include "common/errors.h"
#include "common/log.h"
#include "common/role.h"
#include "vaultd/app_choice.h"
#include "vaultd/conn.h"
#include "vaultd/connect.h"
#include "vaultd/egress.h"
#include "vaultd/objects.h"
#include "vaultd/place.h"
#include "vaultd/schedule.h"
#include "vaultd/scopes.h"
#include "vaultd/session.h"
#include "vaultd/vault.h"
#include "vaultd/verbs.h"

/* ---- Begin */

struct begin_args {
	struct place	 place;
	const char	*app;
	struct strings	 scopes;
	int64_t		 port;		/* 0: the one of the app's redirect URI */
	/* found */
	struct app	 a;
	struct pending	 pending;
	char		 state[STATE_TEXT];
	bool		 reconnect;
	struct target	 t;		/* reconnect only */
	const char	*connection;
};

static const struct field begin_fields[] = {
	{ "connector", F_STR, offsetof(struct begin_args, place.connector), true, 63 },
	{ "folder", F_STR, offsetof(struct begin_args, place.folder), false, 390 },
	{ "name", F_NAME, offsetof(struct begin_args, place.name), false, 0 },
	{ "app", F_STR, offsetof(struct begin_args, app), false, NAME_MAX_LEN },
	{ "scopes", F_STRINGS, offsetof(struct begin_args, scopes), false, 200 },
	{ "port", F_INT, offsetof(struct begin_args, port), false, 0 },
	{ 0 },
};

static int
begin_object(struct request *r, struct err *e)
{
	struct begin_args *a = r->args;

	r->object.byoa = a->app != NULL;
	r->object.app = a->app;
	return place_object(r, &a->place, "oauth2_code", e);
}

static void
begin_args_done(void *args)
{
	struct begin_args *a = args;

	app_done(&a->a);
	pending_done(&a->pending);
}

/* ---- the redirect URI */

/* RFC 8252 section 7.3: on loopback some providers take any port. */
static bool
any_port(const struct request *r, const struct begin_args *a)
{
	const struct connector *k = catalogue_pinned(&r->vault->catalogue, a->a.connector,
	    a->a.connector_version);

	return k != NULL && k->loopback_any_port &&
	    strncmp(a->a.redirect_uri, "http://", 7) == 0;
}

static int
fill_redirect(struct request *r, struct begin_args *a, struct err *e)
{
	const char *uri = a->a.redirect_uri, *host_end, *path;
	size_t cap = sizeof a->pending.redirect_uri;

	if (a->port == 0) {
		snprintf(a->pending.redirect_uri, cap, "%s", uri);
		return 0;
	}
	if (!any_port(r, a) || a->port < 1024 || a->port > 65535) {
		err_name(e, ERR_INVALID_PARAMETER, "a port is 1024 to 65535, where any_port says that "
		    "another than the OAuth app's may be used");
		err_detail(e, "parameter", "port");
		return e->code;
	}
	host_end = uri + 7 + (uri[7] == '[' ? strcspn(uri + 7, "]") + 1 : strcspn(uri + 7, ":/"));
	path = host_end + strcspn(host_end, "/");
	if ((size_t)snprintf(a->pending.redirect_uri, cap, "%.*s:%d%s", (int)(host_end - uri), uri,
		(int)a->port, path) >= cap)
		return err_name(e, ERR_INVALID_PARAMETER, "the redirect URI is too long");
	return 0;
}

static void
begin_reply(struct request *r, const struct begin_args *a, const struct begin_result *res)
{
	char session[ID_TEXT], connection[ID_TEXT];

	id_text(&a->pending.id, session);
	id_text(&a->place.id, connection);
	r->reply = json_pack("{s:s, s:s, s:s, s:s, s:i, s:b}", "session", session, "connection",
	    connection, "authorization_url", res->authorization_url, "redirect_uri",
	    a->pending.redirect_uri, "expires_in", (int)r->vault->conf.session_seconds,
	    "any_port", (int)any_port(r, a));
}

/* The session's end may be the next thing that is due. */
static void
begin_stored(struct request *r)
{
	schedule_poke(r->vault->schedule);
}

static void
begin_conflict(struct request *r)
{
	struct begin_args *a = r->args;
	AUTO(app) app = { 0 };
	struct err e = { 0 };

	if (object_app(r->vault, &a->a.id, &app, NULL, &e) == V_NOT_FOUND)
		err_name(&r->err, ERR_NOT_FOUND, "OAuth app '%s' was deleted meanwhile", a->a.name);
	else
		place_conflict(r, &a->place);
}

static int
begin_store(struct request *r, struct begin_args *a, struct begin_result *res,
    struct err *e)
{
	AUTO(buf) rec = { 0 };
	struct connection c;

	if (!a->reconnect) {
		if (place_connection(r, &a->place, AUTH_OAUTH2_CODE, &c, e) != 0)
			return e->code;
		c.app = a->a.id;
		c.connector_version = a->a.connector_version;	/* its secrets are sealed for it */
		snprintf(c.scope, sizeof c.scope, "%s", a->pending.scope);
		snprintf(c.scope_requested, sizeof c.scope_requested, "%s", a->pending.scope);
		a->pending.folder = c.folder;
		if (object_add_connection(r->vault, &r->changes, &c, e) != 0)
			return e->code;
		r->conflict = begin_conflict;
	}
	a->pending.blob = buf_take(&res->blob);
	a->pending.wrap = buf_take(&res->wrap);
	if (pending_encode(&a->pending, &rec, e) != 0)
		return e->code;
	changes_put(&r->changes, TABLE_PENDING,
	    (struct slice){ a->pending.id.b, sizeof a->pending.id.b }, EXPECT_ABSENT,
	    buf_slice(&rec));
	due_put(&r->changes, a->pending.expires * 1000, &a->pending.id, DUE_PENDING);
	r->after = begin_stored;
	return 0;
}

static void
begun(void *arg, int rc, struct slice body, struct err *e)
{
	struct request *r = arg;
	struct begin_args *a = r->args;
	AUTO(begin_result) res = { 0 };

	if (rc == 0)
		rc = begin_result_get(body, &res, e);
	if (rc == 0)
		rc = begin_store(r, a, &res, e);
	if (rc == 0)
		begin_reply(r, a, &res);
	request_resume(r, rc, e);
}

static int
ask_begin(struct request *r, struct begin_args *a, struct err *e)
{
	AUTO(msg) m = { 0 };
	AUTO(buf) wrap = { 0 };
	struct begin b = { .kind = EX_CODE, .pending = a->pending.id };

	if (object_wrap(r->vault, &a->a.id, PURPOSE_GRANT, &wrap, e) != 0)
		return e->code;
	b.app = (struct sealed){ a->a.id, a->a.version, buf_slice(&a->a.blob),
		buf_slice(&wrap) };
	snprintf(b.redirect_uri, sizeof b.redirect_uri, "%s", a->pending.redirect_uri);
	snprintf(b.scope, sizeof b.scope, "%s", a->pending.scope);
	snprintf(b.state, sizeof b.state, "%s", a->state);
	begin_put(&m, &b);
	request_defer(r);
	egress_call(r->vault->egress, EGRESS_BEGIN, &m, EGRESS_SHORT_MS, begun, r);
	return REQUEST_WAIT;
}

static void
fill_pending(struct request *r, struct begin_args *a)
{
	struct pending *p = &a->pending;

	p->id = id_new();
	p->connection = a->place.id;
	p->app = a->a.id;
	p->folder = a->place.f.id;
	p->reconnect = a->reconnect;
	p->uid = r->conn->peer.uid;
	p->expires = clock_s(&r->vault->clock) + r->vault->conf.session_seconds;
	snprintf(p->name, sizeof p->name, "%s", a->place.name);
	session_state(&p->id, a->state);
	sha256((struct slice){ a->state, strlen(a->state) }, p->state_hash);
	r->object_id = a->place.id;
}

static int
begin_run(struct request *r, struct err *e)
{
	struct begin_args *a = r->args;
	const struct connector *k;
	struct policy_subject s = conn_subject(r->conn);
	struct policy_byoa byoa;

	policy_byoa(r->vault->policy, &s, a->place.connector, &byoa);
	if (place_check(r, &a->place, e) != 0 ||
	    app_choose(r, a->place.connector, a->app, &byoa, &a->a, e) != 0 ||
	    place_connector(r->vault, a->a.connector, a->a.connector_version, &k, e) != 0 ||
	    scopes_choose(&(struct scopes_from){ &a->scopes, &byoa, &a->a, k }, a->pending.scope,
		sizeof a->pending.scope, e) != 0)
		return e->code;
	a->place.id = id_new();
	if (fill_redirect(r, a, e) != 0)
		return e->code;
	fill_pending(r, a);
	return ask_begin(r, a, e);
}

const struct verb verb_connection_begin = {
	.method = "vaultd.Connections.Begin",
	.help = "start an authorization-code connection",
	.action = ACT_CONN_CREATE,
	.flags = VERB_CHANGE | VERB_UNSEALED | VERB_HSM,
	.fields = begin_fields,
	.args_size = sizeof(struct begin_args),
	.args_done = begin_args_done,
	.object = begin_object,
	.run = begin_run,
};

/* ---- Reconnect: the same flow for a connection that exists */

static const struct field reconnect_fields[] = {
	{ "connection", F_STR, offsetof(struct begin_args, connection), true, 0 },
	{ "port", F_INT, offsetof(struct begin_args, port), false, 0 },
	{ 0 },
};

static int
reconnect_object(struct request *r, struct err *e)
{
	struct begin_args *a = r->args;

	return object_find_connection(r, a->connection, true, &a->t, e);
}

static int
reconnect_run(struct request *r, struct err *e)
{
	struct begin_args *a = r->args;
	const struct connector *k;

	if (a->t.c.auth_type != AUTH_OAUTH2_CODE)
		return err_name(e, ERR_INVALID_PARAMETER, "a connection of type %s has no sign-in: "
		    "delete it and create it anew", auth_type_name(a->t.c.auth_type));
	if (object_app(r->vault, &a->t.c.app, &a->a, NULL, e) != 0 ||
	    place_connector(r->vault, a->a.connector, a->a.connector_version, &k, e) != 0)
		return e->code;
	a->reconnect = true;
	a->place.id = a->t.c.id;
	a->place.f = a->t.f;
	a->place.connector = a->t.c.connector;
	a->place.name = a->t.c.name;
	snprintf(a->pending.scope, sizeof a->pending.scope, "%s", a->t.c.scope);
	if (fill_redirect(r, a, e) != 0)
		return e->code;
	fill_pending(r, a);
	return ask_begin(r, a, e);
}

const struct verb verb_connection_reconnect = {
	.method = "vaultd.Connections.Reconnect",
	.help = "sign in again; id, name and folder stay",
	.action = ACT_CONN_RECONNECT,
	.flags = VERB_CHANGE | VERB_UNSEALED | VERB_HSM,
	.fields = reconnect_fields,
	.args_size = sizeof(struct begin_args),
	.args_done = begin_args_done,
	.object = reconnect_object,
	.run = reconnect_run,
};

/* ---- Finish */

struct finish_args {
	const char	*state, *iss, *error, *error_description;
	struct secret	 code;
	const json_t	*parameters;
	/* found */
	struct pending	 p;
	struct app	 app;
	struct policy_byoa byoa;	/* zero at a reconnect */
	struct target	 t;
};

static const struct field finish_fields[] = {
	{ "state", F_STR, offsetof(struct finish_args, state), true, 256 },
	{ "code", F_SECRET, offsetof(struct finish_args, code), false, 8192 },
	{ "iss", F_STR, offsetof(struct finish_args, iss), false, EX_URL - 1 },
	{ "error", F_STR, offsetof(struct finish_args, error), false, 200 },
	{ "error_description", F_STR, offsetof(struct finish_args, error_description), false,
	    0 },
	{ "parameters", F_TEXTS, offsetof(struct finish_args, parameters), false, 2047 },
	{ 0 },
};

static void
finish_args_done(void *args)
{
	struct finish_args *a = args;

	secret_done(&a->code);
	pending_done(&a->p);
	app_done(&a->app);
}

/* As Begin said it, by the policy of now: an app that is not its default was chosen. */
static void
set_app(struct request *r, struct finish_args *a)
{
	struct policy_subject s = conn_subject(r->conn);

	policy_byoa(r->vault->policy, &s, a->app.connector, &a->byoa);
	r->object.app = a->app.name;
	r->object.byoa = a->byoa.app_ref == NULL || strcmp(a->byoa.app_ref, a->app.name) != 0;
}

static int
finish_object(struct request *r, struct err *e)
{
	struct finish_args *a = r->args;
	char id[ID_TEXT];

	if (session_find(r->vault, a->state, &a->p, e) != 0)
		return e->code;
	if (a->p.uid != r->conn->peer.uid)
		return err_name(e, ERR_WRONG_BROWSER_SESSION, "this sign-in was begun by another user");
	id_text(&a->p.connection, id);
	if (object_find_connection(r, id, true, &a->t, e) != 0 ||
	    object_app(r->vault, &a->p.app, &a->app, NULL, e) != 0)
		return e->code;
	if (a->p.reconnect)
		r->action = ACT_CONN_RECONNECT;
	else
		set_app(r, a);
	return 0;
}

static int
check_issuer(const struct finish_args *a, struct err *e)
{
	const struct app *app = &a->app;

	if (a->iss == NULL || *a->iss == '\0') {
		if (!app->iss_required)
			return 0;
		return err_name(e, ERR_ISSUER_MISMATCH, "the answer names no issuer, and the "
		    "provider always does");
	}
	if (app->issuer[0] == '\0' || strcmp(app->issuer, a->iss) == 0)
		return 0;
	err_name(e, ERR_ISSUER_MISMATCH, "the answer came from another issuer than expected");
	err_detail(e, "expected", "%s", app->issuer);
	err_detail(e, "got", "%s", a->iss);
	return e->code;
}

/* RFC 6749 section 4.1.2.1. */
static int
provider_error(const struct finish_args *a, struct err *e)
{
	static const struct { const char *code; enum err_id id; } known[] = {
		{ "access_denied", ERR_USER_DENIED },
		{ "invalid_scope", ERR_SCOPE_INVALID },
		{ "unauthorized_client", ERR_GRANT_TYPE_NOT_ALLOWED },
		{ "unsupported_response_type", ERR_GRANT_TYPE_NOT_ALLOWED },
		{ "temporarily_unavailable", ERR_PROVIDER_DOWN },
		{ "server_error", ERR_PROVIDER_DOWN },
		{ "interaction_required", ERR_SIGNIN_REQUIRED },
		{ "consent_required", ERR_SIGNIN_REQUIRED },
		{ "login_required", ERR_SIGNIN_REQUIRED },
	};
	enum err_id id = ERR_PROVIDER_REFUSED;

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(known[i].code, a->error) == 0)
			id = known[i].id;
	err_name(e, id, "the provider answered %.60s%s%.200s", a->error,
	    a->error_description != NULL ? ": " : "",
	    a->error_description != NULL ? a->error_description : "");
	err_detail(e, "provider_code", "%s", a->error);
	return e->code;
}

static void
forget_session(struct request *r, const struct finish_args *a)
{
	struct err e = { 0 };

	/* Time ends it where this cannot. */
	if (session_forget(r->vault, &a->p, &r->changes, &e) != 0)
		log_error("a sign-in that is over cannot be removed: %s", e.text);
	r->keeps_changes = true;
}

/* Of the redirect's other parameters what the connector captures; the rest is nobody's. */
static int
wanted_parameters(struct request *r, const struct finish_args *a, struct ex_vars *ret, struct err *e)
{
	const struct connector *k = catalogue_pinned(&r->vault->catalogue, a->app.connector,
	    a->app.connector_version);

	ret->n = 0;
	for (size_t i = 0; k != NULL && i < k->ncapture; i++) {
		const char *name = connector_callback_name(&k->capture[i]);
		const char *v = name == NULL ? NULL :
		    json_string_value(json_object_get(a->parameters, name));

		if (v == NULL)
			continue;
		if (strlen(name) >= sizeof ret->v->name || strlen(v) >= sizeof ret->v->value) {
			err_name(e, ERR_INVALID_PARAMETER, "parameter '%.60s' of the redirect is too long",
			    name);
			err_detail(e, "parameter", "parameters");
			return e->code;
		}
		strcpy(ret->v[ret->n].name, name);
		strcpy(ret->v[ret->n++].value, v);
	}
	return 0;
}

/* What the API's address is made of, and did not come. */
static void
warn_of_captures(struct request *r, const struct finish_args *a, json_t *warnings)
{
	const struct connector *k = catalogue_pinned(&r->vault->catalogue, a->app.connector,
	    a->app.connector_version);

	for (size_t i = 0; k != NULL && i < k->ncapture; i++)
		if (k->capture[i].type != CAPTURE_TEXT &&
		    ex_var(&a->t.c.captured, k->capture[i].name) == NULL)
			json_array_append_new(warnings, json_sprintf("the provider did not say '%s'%s",
			    k->capture[i].path, k->capture[i].from_callback ?
			    " in the redirect: hand in all of its address" : " in its answer"));
}

static void
add_warnings(struct request *r, const struct finish_args *a, json_t *warnings)
{
	AUTO(grant) g = { 0 };
	struct err e;

	if (object_grant(r->vault, &a->t.c.id, &g, NULL, &e) != 0)
		json_array_append_new(warnings, json_string("the provider gave no refresh token: "
		    "this works until the access token ends"));
	if (strcmp(a->t.c.scope, a->p.scope) != 0 && a->t.c.scope[0] != '\0')
		json_array_append_new(warnings, json_sprintf("scopes asked for: %s; granted: %s",
		    a->p.scope, a->t.c.scope));
	warn_of_captures(r, a, warnings);
}

static void
exchanged(void *arg, int rc, const struct err *e)
{
	struct request *r = arg;
	struct finish_args *a = r->args;
	json_t *warnings;
	char id[ID_TEXT];

	if (rc == 0) {
		id_text(&a->p.connection, id);
		rc = object_find_connection(r, id, true, &a->t, &r->err);
		e = &r->err;
	}
	if (rc == 0) {
		warnings = json_array();
		add_warnings(r, a, warnings);
		r->reply = json_pack("{s:o, s:o}", "connection",
		    object_connection_json(r, &a->t), "warnings", warnings);
	}
	request_resume(r, rc, e);
}

static int
session_took_too_long(const struct request *r, struct err *e)
{
	char limit[32];

	advice_span(r->vault->conf.session_seconds, limit, sizeof limit);
	err_name(e, ERR_SESSION_EXPIRED, "this sign-in took longer than %s", limit);
	err_detail(e, "limit", "%s", limit);
	return e->code;
}

static int
finish_run(struct request *r, struct err *e)
{
	struct finish_args *a = r->args;
	struct ex_vars parameters;

	/* What runs will be answered, and its answer needs the session and the connection. */
	if (attempt_find(r->vault, &a->p.connection) != NULL)
		return err_name(e, ERR_BUSY, "an exchange for this connection is under way");
	if (a->p.expires < clock_s(&r->vault->clock)) {
		forget_session(r, a);
		return session_took_too_long(r, e);
	}
	if (app_is_locked_out(&a->byoa, a->app.name, a->app.connector, e) != 0 ||
	    check_issuer(a, e) != 0 || (a->error != NULL && provider_error(a, e) != 0)) {
		forget_session(r, a);
		return e->code;
	}
	if (a->code.len == 0) {
		err_name(e, ERR_INVALID_PARAMETER, "neither code nor error was given");
		err_detail(e, "parameter", "code");
		return e->code;
	}
	if (wanted_parameters(r, a, &parameters, e) != 0)
		return e->code;
	request_defer(r);
	if (connect_exchange(r->vault, &a->p, &a->code, a->iss, &parameters, exchanged, r, e) != 0)
		return e->code;
	return REQUEST_WAIT;
}

const struct verb verb_connection_finish = {
	.method = "vaultd.Connections.Finish",
	.help = "hand in what came back to the redirect URI",
	.action = ACT_CONN_CREATE,	/* again: a policy that changed since Begin counts */
	.flags = VERB_CHANGE | VERB_UNSEALED | VERB_HSM,
	.fields = finish_fields,
	.args_size = sizeof(struct finish_args),
	.args_done = finish_args_done,
	.object = finish_object,
	.run = finish_run,
};

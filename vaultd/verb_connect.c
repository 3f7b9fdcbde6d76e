/*
 * verb_connect.c - vaultd.Connections.Begin, Reconnect: a sign-in, with a browser here or on another
 * device; and Session, which tells how it goes. The session is session.c's; how it
 * ends verb_finish.c's, or device.c's.
 */
#include <stdio.h>
#include <string.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/role.h"
#include "vaultd/app_choice.h"
#include "vaultd/conn.h"
#include "vaultd/device.h"
#include "vaultd/egress.h"
#include "vaultd/idempotency.h"
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
	const char	*app, *auth_type;
	struct strings	 scopes;
	int64_t		 port;		/* 0: the one of the app's redirect URI */
	struct idempotency once;
	/* found */
	enum auth_type	 type;
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
	{ "auth_type", F_STR, offsetof(struct begin_args, auth_type), false, 63 },
	{ "idempotency_key", F_STR, offsetof(struct begin_args, once.key), false, 255 },
	{ 0 },
};

/* Row 12: what need not be said. Of those that policy lets through, the browser here comes first. */
static enum auth_type
signin_type(struct request *r, const char *connector)
{
	static const enum auth_type order[] = { AUTH_OAUTH2_CODE, AUTH_DEVICE };
	const struct connector *k = catalogue_find(&r->vault->catalogue, connector);
	struct policy_object o = r->object;
	struct policy_decision d;
	enum auth_type first = 0;

	for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
		if (!(k->auth_types & order[i]))
			continue;
		first = first == 0 ? order[i] : first;
		o.auth_type = auth_type_name(order[i]);
		if (request_may(r, ACT_CONN_CREATE, &o, &d))
			return order[i];
	}
	return first == 0 ? AUTH_OAUTH2_CODE : first;	/* policy says why not the first */
}

static int
begin_object(struct request *r, struct err *e)
{
	struct begin_args *a = r->args;

	if (a->auth_type != NULL && (!auth_type_parse(a->auth_type, &a->type) ||
	    !(auth_type_flags(a->type) & AUTH_NEEDS_USER)))
		return err_parameter(e, "auth_type",
		    "auth_type of a sign-in is oauth2_code or "
		    "oauth2_device; of what needs none call Create");
	r->object.byoa = a->app != NULL;
	r->object.app = a->app;
	if (place_object(r, &a->place, NULL, e) != 0)
		return e->code;
	if (a->auth_type == NULL)
		a->type = signin_type(r, a->place.connector);
	r->object.auth_type = auth_type_name(a->type);
	return 0;
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

	if (a->type == AUTH_DEVICE && a->port == 0)	/* nobody is led anywhere */
		return 0;
	if (a->port == 0) {
		snprintf(a->pending.redirect_uri, cap, "%s", uri);
		return 0;
	}
	if (a->type == AUTH_DEVICE || !any_port(r, a) || a->port < 1024 || a->port > 65535)
		return err_parameter(e, "port",
		    "a port is 1024 to 65535, where any_port says that "
		    "another than the OAuth app's may be used");
	host_end = uri + 7 + (uri[7] == '[' ? strcspn(uri + 7, "]") + 1 : strcspn(uri + 7, ":/"));
	path = host_end + strcspn(host_end, "/");
	if ((size_t)snprintf(a->pending.redirect_uri, cap, "%.*s:%d%s", (int)(host_end - uri), uri,
		(int)a->port, path) >= cap)
		return err_name(e, ERR_INVALID_PARAMETER, "the redirect URI is too long");
	return 0;
}

static json_t *
code_reply(const struct request *r, const struct begin_args *a, const struct begin_result *res)
{
	return json_pack("{s:s, s:s, s:b}", "authorization_url", res->authorization_url,
	    "redirect_uri", a->pending.redirect_uri, "any_port", (int)any_port(r, a));
}

static json_t *
device_reply(const struct pending *p)
{
	json_t *o = json_pack("{s:s, s:s, s:i}", "user_code", p->user_code, "verification_uri",
	    p->verification_uri, "interval", (int)p->interval_s);

	if (p->verification_uri_complete[0] != '\0')
		json_object_set_new(o, "verification_uri_complete",
		    json_string(p->verification_uri_complete));
	return o;
}

static void
begin_reply(struct request *r, const struct begin_args *a, const struct begin_result *res)
{
	const struct pending *p = &a->pending;
	char session[ID_TEXT], connection[ID_TEXT];

	id_text(&p->id, session);
	id_text(&a->place.id, connection);
	r->reply = a->type == AUTH_DEVICE ? device_reply(p) : code_reply(r, a, res);
	json_object_set_new(r->reply, "session", json_string(session));
	json_object_set_new(r->reply, "connection", json_string(connection));
	json_object_set_new(r->reply, "expires_in",
	    json_integer(p->expires - clock_s(&r->vault->clock)));
}

/* The session's end, or its first question, may be the next thing that is due. */
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
	struct connection c;

	if (!a->reconnect) {
		if (place_connection(r, &a->place, a->type, &c, e) != 0)
			return e->code;
		c.app = a->a.id;
		c.connector_version = a->a.connector_version;	/* its secrets are sealed for it */
		snprintf(c.scope, sizeof c.scope, "%s", a->pending.scope);
		snprintf(c.scope_requested, sizeof c.scope_requested, "%s", a->pending.scope);
		a->pending.folder = c.folder;
		if (a->once.found)	/* its end would take the connection with it */
			session_remove(&r->changes, &a->once.made.session);
		if (idempotency_put(r, &a->once, &c.id, &a->pending.id, e) != 0)
			return e->code;
		if (object_add_connection(r->vault, &r->changes, &c, e) != 0)
			return e->code;
		r->conflict = begin_conflict;
	}
	a->pending.blob = buf_take(&res->blob);
	a->pending.wrap = buf_take(&res->wrap);
	if (a->type == AUTH_DEVICE)
		device_begun(&a->pending, res, clock_s(&r->vault->clock), &r->changes);
	if (session_put(r->vault, &r->changes, &a->pending, EXPECT_ABSENT, e) != 0)
		return e->code;
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
	struct begin b = { .kind = a->pending.kind, .pending = a->pending.id };

	if (object_wrap(r->vault, &a->a.id, PURPOSE_GRANT, &wrap, e) != 0)
		return e->code;
	b.app = sealed_of(&a->a.id, a->a.version, &a->a.blob, &wrap);
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
	const struct peer *who = &r->conn->peer;

	p->id = id_new();
	p->connection = a->place.id;
	p->app = a->a.id;
	p->folder = a->place.f.id;
	p->reconnect = a->reconnect;
	p->kind = a->type == AUTH_DEVICE ? EX_DEVICE : EX_CODE;
	p->uid = who->uid;
	p->ngids = who->ngids;
	memcpy(p->gids, who->gids, who->ngids * sizeof *p->gids);
	snprintf(p->unit, sizeof p->unit, "%s", who->unit);
	p->expires = clock_s(&r->vault->clock) + r->vault->conf.session_seconds;
	snprintf(p->name, sizeof p->name, "%s", a->place.name);
	session_state(&p->id, a->state);
	sha256((struct slice){ a->state, strlen(a->state) }, p->state_hash);
	r->object_id = a->place.id;
}

/* The same call before: was it finished meanwhile? */
static bool
reply_made(struct request *r, struct begin_args *a)
{
	const struct made *m = &a->once.made;
	char session[ID_TEXT], connection[ID_TEXT];
	struct connection c;
	struct err e;

	if (!a->once.found || object_connection(r->vault, &m->connection, true, &c, NULL, &e) != 0 ||
	    c.state == CONN_PENDING)
		return false;
	id_text(&m->session, session);
	id_text(&m->connection, connection);
	r->reply = json_pack("{s:s, s:s, s:i}", "session", session, "connection", connection,
	    "expires_in", 0);
	return true;
}

/* It keeps its id when the same call begins it again: only the sign-in is another one. */
static struct id
begin_id(const struct begin_args *a)
{
	const struct place *p = &a->place;
	const struct id *made = &a->once.made.connection;

	return a->once.found && p->replaces && id_equal(&p->unfinished.id, made) ? *made : id_new();
}

static int
begin_run(struct request *r, struct err *e)
{
	struct begin_args *a = r->args;
	const struct connector *k;
	struct policy_subject s = conn_subject(r->conn);
	struct policy_byoa byoa;

	if (idempotency_find(r, &a->once, e) != 0)
		return e->code;
	if (reply_made(r, a))
		return 0;
	policy_byoa(r->vault->policy, &s, a->place.connector, &byoa);
	if (place_check(r, &a->place, e) != 0 ||
	    app_choose(r, a->place.connector, a->app, &byoa, &a->a, e) != 0 ||
	    place_connector(r->vault, a->a.connector, a->a.connector_version, &k, e) != 0 ||
	    scopes_choose(&(struct scopes_from){ &a->scopes, &byoa, &a->a, k }, a->pending.scope,
		sizeof a->pending.scope, e) != 0)
		return e->code;
	a->place.id = begin_id(a);
	if (fill_redirect(r, a, e) != 0)
		return e->code;
	fill_pending(r, a);
	return ask_begin(r, a, e);
}

const struct verb verb_connection_begin = {
	.method = "vaultd.Connections.Begin",
	.help = "start a sign-in, with a browser here or on another device",
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
	{ "allow_other_account", F_BOOL, offsetof(struct begin_args, pending.other_account), false, 0 },
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

	a->type = a->t.c.auth_type;
	if (!(auth_type_flags(a->type) & AUTH_NEEDS_USER))
		return err_name(e, ERR_INVALID_PARAMETER, "a connection of type %s has no sign-in: "
		    "delete it and create it anew", auth_type_name(a->t.c.auth_type));
	if (a->t.c.state == CONN_DISABLED)	/* it would be of no use before it is enabled */
		return conn_state_refuse(&a->t.c, e);
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

/* ---- Session: how a sign-in goes, for who began it */

struct session_args {
	struct id	 session;
};

static const struct field session_fields[] = {
	{ "session", F_ID, offsetof(struct session_args, session), true, 0 },
	{ 0 },
};

static json_t *
waiting(const struct request *r, const struct pending *p)
{
	json_t *o = p->kind == EX_DEVICE ? device_reply(p) : json_object();
	int64_t left = p->expires - clock_s(&r->vault->clock);
	char connection[ID_TEXT];

	id_text(&p->connection, connection);
	json_object_set_new(o, "state", json_string("waiting"));
	json_object_set_new(o, "connection", json_string(connection));
	json_object_set_new(o, "expires_in", json_integer(left < 0 ? 0 : left));
	return o;
}

static json_t *
signed_in(const struct pending *p)
{
	char connection[ID_TEXT];

	id_text(&p->connection, connection);
	return json_pack("{s:s, s:s, s:i}", "state", "signed_in", "connection", connection,
	    "expires_in", 0);
}

static int
session_run(struct request *r, struct err *e)
{
	struct session_args *a = r->args;
	AUTO(pending) p = { 0 };

	if (session_load(r->vault, &a->session, &p, e) != 0)
		return e->code;
	if (p.uid != r->conn->peer.uid)
		return err_name(e, ERR_STATE_INVALID, "this sign-in was not begun by you, is "
		    "finished, or was too long ago");
	if (p.over == SESSION_FAILED)
		return err_name(e, p.cause, "%s", p.cause_text);
	r->reply = p.over == SESSION_WAITS ? waiting(r, &p) : signed_in(&p);
	return 0;
}

const struct verb verb_connection_session = {
	.method = "vaultd.Connections.Session",
	.help = "how a sign-in goes",
	.action = ACT_NONE,		/* told to nobody but who began it */
	.flags = VERB_NO_AUDIT,
	.fields = session_fields,
	.args_size = sizeof(struct session_args),
	.run = session_run,
};

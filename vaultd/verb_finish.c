/*
 * verb_finish.c - vaultd.Connections.Finish: what came back to the redirect URI of a sign-in that
 * verb_connect.c began. The exchange is connect.c's.
 */
#include <stdio.h>
#include <string.h>

#include "common/advice.h"
#include "common/auto.h"
#include "common/errors.h"
#include "common/log.h"
#include "vaultd/app_choice.h"
#include "vaultd/conn.h"
#include "vaultd/connect.h"
#include "vaultd/objects.h"
#include "vaultd/session.h"
#include "vaultd/vault.h"
#include "vaultd/verbs.h"

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

static int
finish_object(struct request *r, struct err *e)
{
	struct finish_args *a = r->args;
	struct policy_subject s = conn_subject(r->conn);
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
		app_about(r->vault->policy, &s, &a->app, &r->object, &a->byoa);
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
		if (strlen(name) >= sizeof ret->v->name || strlen(v) >= sizeof ret->v->value)
			return err_parameter(e, "parameters",
			    "parameter '%.60s' of the redirect is too long",
			    name);
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
	if (a->code.len == 0)
		return err_parameter(e, "code", "neither code nor error was given");
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

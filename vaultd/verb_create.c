/*
 * verb_create.c - vaultd.Connections.Create and SetSecrets: connections that nobody signs in for.
 * vault-egress tries what is brought, or buys the first token with it, before anything is stored.
 */
#include <stdio.h>
#include <string.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/role.h"
#include "vaultd/app_choice.h"
#include "vaultd/attempt.h"
#include "vaultd/conn.h"
#include "vaultd/dek_cache.h"
#include "vaultd/egress.h"
#include "vaultd/idempotency.h"
#include "vaultd/objects.h"
#include "vaultd/place.h"
#include "vaultd/refresh.h"
#include "vaultd/schedule.h"
#include "vaultd/scopes.h"
#include "vaultd/vault.h"
#include "vaultd/verbs.h"

struct create_args {
	struct place	 place;
	const char	*auth_type, *app, *description, *connection;
	struct ex_secrets secrets;
	struct ex_vars	 variables;
	struct strings	 scopes;
	bool		 other_account;
	struct idempotency once;
	/* found */
	enum auth_type	 type;
	struct app	 a;
	char		 scope[EX_SCOPE];
	struct target	 t;		/* the connection, when there is one */
	struct intent	 in;		/* versions to be, and when it was asked for */
};

static void
create_args_done(void *args)
{
	struct create_args *a = args;

	ex_secrets_done(&a->secrets);
	app_done(&a->a);
}

/* ---- the question to egress */

static int
add_app(struct request *r, struct create_args *a, struct create *q, struct buf *wrap,
    struct err *e)
{
	if (!(auth_type_flags(a->type) & AUTH_NEEDS_APP))
		return 0;
	if (object_wrap(r->vault, &a->a.id, PURPOSE_GRANT, wrap, e) != 0)
		return e->code;
	q->app = sealed_of(&a->a.id, a->a.version, &a->a.blob, wrap);
	return 0;
}

/* VERSION of the connector; 0 is the one there is now. */
static int
ask(struct request *r, struct create_args *a, const struct id *id, const char *connector,
    uint32_t version, void (*done)(void *, int, struct slice, struct err *), struct err *e)
{
	AUTO(msg) m = { 0 };
	AUTO(buf) wrap = { 0 };
	struct create q = { .connection = *id, .grant_version = a->in.grant_version,
		.release_version = a->in.release_version, .auth_type = a->type, .version = version };

	snprintf(q.connector, sizeof q.connector, "%s", connector);
	snprintf(q.scope, sizeof q.scope, "%s", a->scope);
	q.vars = a->variables;
	if (add_app(r, a, &q, &wrap, e) != 0)
		return e->code;
	q.secrets = a->secrets;
	a->secrets.n = 0;	/* moved */
	msg_secret(&m);
	create_put(&m, &q);
	create_done(&q);
	request_defer(r);
	egress_call(r->vault->egress, EGRESS_CREATE, &m, EGRESS_EXCHANGE_MS, done, r);
	return REQUEST_WAIT;
}

/* The answer; one without tokens is an error. */
static int
read_result(int rc, struct slice body, struct exchange_result *ret, struct err *e)
{
	struct msg m;

	msg_read(&m, body);
	if (rc == 0)
		rc = exchange_result_get(&m, ret, e);
	if (rc == 0 && ret->phase != PHASE_ANSWERED) {
		*e = ret->err;
		rc = (int)e->code;
	}
	return rc;
}

static void
reply_with(struct request *r, const struct id *connection)
{
	struct create_args *a = r->args;
	char id[ID_TEXT];
	struct err e;

	id_text(connection, id);
	if (object_find_connection(r, id, true, &a->t, &e) == 0)
		r->reply = json_pack("{s:o, s:[]}", "connection",
		    object_connection_json(r, &a->t), "warnings");
}

/* ---- Create */

static const struct field create_fields[] = {
	{ "connector", F_STR, offsetof(struct create_args, place.connector), true, 63 },
	{ "auth_type", F_STR, offsetof(struct create_args, auth_type), false, 63 },
	{ "folder", F_STR, offsetof(struct create_args, place.folder), false, 390 },
	{ "name", F_NAME, offsetof(struct create_args, place.name), false, 0 },
	{ "app", F_STR, offsetof(struct create_args, app), false, NAME_MAX_LEN },
	{ "secrets", F_SECRETS, offsetof(struct create_args, secrets), false, 64 << 10 },
	{ "variables", F_MAP, offsetof(struct create_args, variables), false, 0 },
	{ "scopes", F_STRINGS, offsetof(struct create_args, scopes), false, 200 },
	{ "description", F_STR, offsetof(struct create_args, description), false, 159 },
	{ "idempotency_key", F_STR, offsetof(struct create_args, once.key), false, 255 },
	{ 0 },
};

/* Row 12: the only one that is allowed here need not be said. */
static const char *
only_type(struct request *r, const struct create_args *a, struct err *e)
{
	const struct connector *k = catalogue_find(&r->vault->catalogue, a->place.connector);
	const char *found = NULL, *first = NULL;
	struct policy_object o = r->object;
	struct policy_decision d;
	size_t n = 0;

	for (unsigned t = 1; t < AUTH_TYPE_END; t <<= 1) {
		if (!(k->auth_types & t) || auth_type_flags(t) & AUTH_NEEDS_USER)
			continue;
		o.auth_type = auth_type_name(t);
		if (first == NULL)
			first = o.auth_type;
		if (request_may(r, ACT_CONN_CREATE, &o, &d) && n++ == 0)
			found = o.auth_type;
	}
	if (n == 1 || (n == 0 && first != NULL))	/* policy says why not the first */
		return n == 1 ? found : first;
	err_name(e, n == 0 ? ERR_AUTH_TYPE_NOT_ALLOWED : ERR_INVALID_PARAMETER, n == 0 ?
	    "connector '%s' has no authentication type without a sign-in" :
	    "connector '%s' has several authentication types: say which", a->place.connector);
	err_detail(e, "parameter", "auth_type");
	return NULL;
}

static int
create_object(struct request *r, struct err *e)
{
	struct create_args *a = r->args;

	if (a->auth_type != NULL && !auth_type_parse(a->auth_type, &a->type))
		return err_parameter(e, "auth_type",
		    "auth_type is one of: " AUTH_TYPE_WORDS);
	r->object.byoa = a->app != NULL;
	r->object.app = a->app;
	if (place_object(r, &a->place, NULL, e) != 0)
		return e->code;
	if (a->auth_type == NULL && (a->auth_type = only_type(r, a, e)) == NULL)
		return e->code;
	r->object.auth_type = a->auth_type;
	return 0;
}

static void
created(struct request *r)
{
	struct create_args *a = r->args;

	reply_with(r, &a->place.id);
	schedule_poke(r->vault->schedule);
}

/* What the same call made before; where it lies now, the caller must be able to see it. */
static int
reply_made(struct request *r, struct err *e)
{
	struct create_args *a = r->args;
	char id[ID_TEXT];

	id_text(&a->once.made.connection, id);
	if (object_find_connection(r, id, true, &a->t, e) != 0)
		return e->code;
	if (!object_may(r, ACT_CONN_VIEW, &a->t.f))
		return object_not_found(e, "connection", id);
	reply_with(r, &a->t.c.id);
	return 0;
}

/* Of two such calls at once the second one finds what the first one made. */
static void
create_conflict(struct request *r)
{
	struct create_args *a = r->args;
	struct err e = { 0 };

	if (idempotency_find(r, &a->once, &e) != 0)
		r->err = e;
	else if (!a->once.found)
		place_conflict(r, &a->place);
	else if (reply_made(r, &r->err) == 0)
		err_clear(&r->err);
}

static void
fill(const struct create_args *a, struct connection *c)
{
	if (auth_type_flags(a->type) & AUTH_NEEDS_APP) {
		c->app = a->a.id;
		c->connector_version = a->a.connector_version;
	}
	c->vars = a->variables;
	if (auth_type_flags(a->type) & AUTH_SERVICE)
		c->account_class = ACCOUNT_CLASS_SERVICE;
	snprintf(c->scope, sizeof c->scope, "%s", a->scope);
	snprintf(c->scope_requested, sizeof c->scope_requested, "%s", a->scope);
	if (a->description != NULL)
		snprintf(c->description, sizeof c->description, "%s", a->description);
}

static int
store_new(struct request *r, const struct exchange_result *res, struct err *e)
{
	struct create_args *a = r->args;
	struct connection c;

	if (place_connection(r, &a->place, a->type, &c, e) != 0)
		return e->code;
	fill(a, &c);
	if (refresh_store_result(r->vault, &r->changes, &c, res, &a->in, e) != 0 ||
	    idempotency_put(r, &a->once, &c.id, NULL, e) != 0)
		return e->code;
	r->after = created;
	r->conflict = create_conflict;
	return object_add_connection(r->vault, &r->changes, &c, e);
}

static void
bought(void *arg, int rc, struct slice body, struct err *e)
{
	struct request *r = arg;
	struct exchange_result res = { 0 };

	rc = read_result(rc, body, &res, e);
	if (rc == 0)
		rc = store_new(r, &res, e);
	exchange_result_done(&res);
	request_resume(r, rc, e);
}

/* App and scopes, where the type has them. */
static int
choose(struct request *r, struct create_args *a, struct err *e)
{
	struct policy_subject s = conn_subject(r->conn);
	const struct connector *k;
	struct policy_byoa byoa;

	if (!(auth_type_flags(a->type) & AUTH_NEEDS_APP)) {
		if (a->app == NULL && a->scopes.n == 0)
			return 0;
		return err_parameter(e, a->app != NULL ? "app" : "scopes", "a connection of type %s has "
		    "neither OAuth app nor scopes", auth_type_name(a->type));
	}
	policy_byoa(r->vault->policy, &s, a->place.connector, &byoa);
	if (app_choose(r, a->place.connector, a->app, &byoa, &a->a, e) != 0)
		return e->code;
	if (place_connector(r->vault, a->a.connector, a->a.connector_version, &k, e) != 0)
		return e->code;
	return scopes_choose(&(struct scopes_from){ &a->scopes, &byoa, &a->a, k }, a->scope,
	    sizeof a->scope, e);
}

static int
create_run(struct request *r, struct err *e)
{
	struct create_args *a = r->args;

	if (idempotency_find(r, &a->once, e) != 0)
		return e->code;
	if (a->once.found)
		return reply_made(r, e);
	if (place_check(r, &a->place, e) != 0)
		return e->code;
	auth_type_parse(a->auth_type, &a->type);
	if (auth_type_flags(a->type) & AUTH_NEEDS_USER)
		return err_name(e, ERR_AUTH_TYPE_NOT_ALLOWED, "a connection of type %s needs a "
		    "sign-in: call Begin, or `vaultctl connect`", a->auth_type);
	if (choose(r, a, e) != 0)
		return e->code;
	a->place.id = r->object_id = id_new();
	a->in = (struct intent){ .kind = EX_CODE, .grant_version = 1, .release_version = 1,
		.t0 = clock_s(&r->vault->clock) };	/* as good as a sign-in */
	return ask(r, a, &a->place.id, a->place.connector, 0, bought, e);
}

const struct verb verb_connection_create = {
	.method = "vaultd.Connections.Create",
	.help = "a connection that nobody signs in for: a key, a password, the app itself",
	.action = ACT_CONN_CREATE,
	.flags = VERB_CHANGE | VERB_UNSEALED | VERB_HSM,
	.fields = create_fields,
	.args_size = sizeof(struct create_args),
	.args_done = create_args_done,
	.object = create_object,
	.run = create_run,
};

/* ---- SetSecrets: the old ones stay until the new ones prove good (row 41) */

static const struct field set_fields[] = {
	{ "connection", F_STR, offsetof(struct create_args, connection), true, 0 },
	{ "secrets", F_SECRETS, offsetof(struct create_args, secrets), false, 64 << 10 },
	{ "auth_type", F_STR, offsetof(struct create_args, auth_type), false, 63 },
	{ "allow_other_account", F_BOOL, offsetof(struct create_args, other_account), false, 0 },
	{ 0 },
};

static int
set_object(struct request *r, struct err *e)
{
	struct create_args *a = r->args;

	return object_find_connection(r, a->connection, true, &a->t, e);
}

static void
replaced(struct request *r)
{
	struct create_args *a = r->args;

	dek_cache_forget(r->vault->deks, &a->t.c.id);
	reply_with(r, &a->t.c.id);
	schedule_poke(r->vault->schedule);
}

static int
store_again(struct request *r, const struct exchange_result *res, struct err *e)
{
	struct create_args *a = r->args;
	struct connection c;
	uint64_t generation;

	/* As it is now; the records it is made of are compared when it is stored. */
	if (object_connection(r->vault, &a->t.c.id, true, &c, &generation, e) != 0)
		return e->code;
	if (generation != a->t.generation)
		return err_name(e, ERR_CONFLICT, "the connection was changed meanwhile: its secrets are "
		    "as they were");
	if (refresh_take_account(r->vault, &c, res, a->other_account, e) != 0 ||
	    refresh_store_result(r->vault, &r->changes, &c, res, &a->in, e) != 0)
		return e->code;
	r->after = replaced;
	return object_put_connection(r->vault, &r->changes, &c, generation, e);
}

static void
bought_again(void *arg, int rc, struct slice body, struct err *e)
{
	struct request *r = arg;
	struct exchange_result res = { 0 };

	rc = read_result(rc, body, &res, e);
	if (rc == 0)
		rc = store_again(r, &res, e);
	exchange_result_done(&res);
	request_resume(r, rc, e);
}

/* Versions one on from what there is. */
static int
next_versions(struct request *r, struct create_args *a, struct err *e)
{
	AUTO(grant) g = { 0 };
	AUTO(release) rel = { 0 };
	const struct id *id = &a->t.c.id;

	if ((object_grant(r->vault, id, &g, NULL, e) != 0 && e->id != ERR_NOT_FOUND) ||
	    (object_release(r->vault, id, &rel, NULL, e) != 0 && e->id != ERR_NOT_READY))
		return e->code;
	a->in = (struct intent){ .kind = EX_CODE, .t0 = clock_s(&r->vault->clock),
		.grant_version = g.version + 1, .release_version = rel.version + 1 };
	return 0;
}

static int
set_run(struct request *r, struct err *e)
{
	struct create_args *a = r->args;
	const struct connection *c = &a->t.c;

	a->type = c->auth_type;
	if (a->auth_type != NULL && strcmp(a->auth_type, auth_type_name(a->type)) != 0)
		return err_name(e, ERR_IMMUTABLE, "the type of a connection never changes: '%s' is %s",
		    c->name, auth_type_name(a->type));
	if (auth_type_flags(a->type) & AUTH_NEEDS_USER)
		return err_name(e, ERR_INVALID_PARAMETER, "a connection of type %s has no secrets of "
		    "its own: call Reconnect, to sign in again", auth_type_name(a->type));
	if (c->state == CONN_DISABLED)
		return conn_state_refuse(c, e);
	if (attempt_find(r->vault, &c->id) != NULL)
		return err_name(e, ERR_BUSY, "an exchange for this connection is under way");
	if (auth_type_flags(a->type) & AUTH_NEEDS_APP &&
	    object_app(r->vault, &c->app, &a->a, NULL, e) != 0)
		return e->code;
	a->variables = c->vars;
	snprintf(a->scope, sizeof a->scope, "%s", c->scope_requested);
	if (next_versions(r, a, e) != 0)
		return e->code;
	return ask(r, a, &c->id, c->connector, c->connector_version, bought_again, e);
}

const struct verb verb_connection_set_secrets = {
	.method = "vaultd.Connections.SetSecrets",
	.help = "give a connection other secrets, once they prove good",
	.action = ACT_CONN_RECONNECT,
	.flags = VERB_CHANGE | VERB_UNSEALED | VERB_HSM,
	.fields = set_fields,
	.args_size = sizeof(struct create_args),
	.args_done = create_args_done,
	.object = set_object,
	.run = set_run,
};

/*
 * verb_connector.c - vaultd.Connectors: the catalogue, and what policy says of each entry
 * to this caller.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/json.h"
#include "vaultd/conn.h"
#include "vaultd/egress.h"
#include "vaultd/objects.h"
#include "vaultd/request.h"
#include "vaultd/vault.h"
#include "vaultd/verbs.h"

static json_t *
or_null(const char *s)
{
	return s == NULL || *s == '\0' ? json_null() : json_string(s);
}

static json_t *
words(char *const *v, size_t n)
{
	json_t *a = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(a, json_string(v[i]));
	return a;
}

static json_t *
auth_types(const struct connector *k)
{
	json_t *a = json_array();

	for (unsigned bit = 1; bit < AUTH_TYPE_END; bit *= 2)
		if (k->auth_types & bit)
			json_array_append_new(a, json_string(auth_type_name(bit)));
	return a;
}

static json_t *
variables(const struct connector *k)
{
	json_t *a = json_array();

	for (size_t i = 0; i < k->nvars; i++) {
		const struct connector_var *v = &k->var[i];

		json_array_append_new(a, json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "name", v->name,
		    "label", v->label != NULL ? v->label : v->name, "default", or_null(v->dflt),
		    "example", or_null(v->example), "suffix", or_null(v->suffix), "values",
		    or_null(v->values)));
	}
	return a;
}

/* What a connection without a sign-in brings, by type. */
static json_t *
secrets(const struct connector *k)
{
	struct connector_secret v[EX_SECRETS];
	json_t *a = json_array();

	for (unsigned bit = 1; bit < AUTH_TYPE_END; bit *= 2)
		for (size_t i = 0, n = k->auth_types & bit ? connector_secrets(k, bit, v) : 0; i < n; i++)
			json_array_append_new(a, json_pack("{s:s, s:s, s:s}", "auth_type",
			    auth_type_name(bit), "name", v[i].name, "label", v[i].label));
	return a;
}

/* Could this caller make a connection of it, in the own workspace? */
static void
set_policy(struct request *r, const struct connector *k, json_t *o)
{
	static const char *const modes[] = { "allowed", "required", "forbidden" };
	struct policy_subject s = conn_subject(r->conn);
	struct policy_object obj = { .class = FOLDER_PERSONAL, .folder = "personal",
		.own = true, .connector = k->id,
		.auth_type = auth_type_name(k->auth_types & -k->auth_types) };
	struct policy_decision d;
	struct policy_byoa byoa;

	policy_byoa(r->vault->policy, &s, k->id, &byoa);
	if (request_may(r, ACT_CONN_CREATE, &obj, &d))
		json_object_set_new(o, "policy", json_string("allowed"));
	else
		json_object_set_new(o, "policy", json_string(d.text));
	json_object_set_new(o, "byoa", json_string(modes[byoa.mode]));
	json_object_set_new(o, "default_app", or_null(byoa.app_ref));
}

static json_t *
connector_json(struct request *r, const struct connector *k)
{
	json_t *o = json_pack("{s:s, s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o}",
	    "id", k->id, "name", k->name, "version", (int)k->version,
	    "aliases", words(k->aliases, k->naliases),
	    "auth_types", auth_types(k),
	    "scopes_mandatory", words(k->scopes_mandatory, k->nmandatory),
	    "scopes_default", words(k->scopes_default, k->ndefault),
	    "variables", variables(k), "refresh", connector_word(k, "refresh"),
	    "api_base", or_null(k->api_base), "pat_url", or_null(k->pat_url),
	    "unverified", or_null(k->unverified));

	json_object_set_new(o, "secrets", secrets(k));
	json_object_set_new(o, "grant_params", words(k->grant_params, k->ngrant_params));
	set_policy(r, k, o);
	return o;
}

/* ---- one of them, and what is made of it */

/* No more records than these are looked at in one turn of the loop. */
#define KEYS_MAX	200000
#define RECORDS_MAX	20000

struct use { uint32_t version; size_t apps, connections; };

struct count {
	struct vault	*vault;
	const char	*id;
	size_t		 keys, records;
	struct use	 v[16];
	size_t		 n;
};

static size_t
version_row(struct count *c, uint32_t version)
{
	size_t i = 0;

	while (i < c->n && c->v[i].version != version)
		i++;
	if (i == c->n && c->n < sizeof c->v / sizeof *c->v)
		c->v[c->n++].version = version;
	return i < c->n ? i : c->n - 1;
}

static bool
count_app(void *arg, struct slice key, struct slice value, uint64_t generation)
{
	struct count *c = arg;
	struct use *u;
	size_t n;
	AUTO(app) app = { 0 };
	struct id id;
	struct err e;

	(void)value;
	if (!id_behind(key, 0, &id))
		return true;
	if (object_app(c->vault, &id, &app, &generation, &e) != 0 ||
	    strcmp(app.connector, c->id) != 0)
		return true;
	u = &c->v[version_row(c, app.connector_version)];
	n = store_count(c->vault->store, TABLE_CONNECTION_BY_APP, key, KEYS_MAX - c->keys);
	u->apps++;
	u->connections += n;
	c->keys += n;
	return c->keys < KEYS_MAX;
}

/* Those without an app are found in no index. */
static bool
count_static(void *arg, struct slice key, struct slice value, uint64_t generation)
{
	struct count *c = arg;
	struct connection conn;
	struct id id;
	struct err e;

	(void)value;
	if (!id_behind(key, 0, &id))
		return true;
	if (object_connection(c->vault, &id, false, &conn, &generation, &e) == 0 && strcmp(conn.connector, c->id) == 0 &&
	    !(auth_type_flags(conn.auth_type) & AUTH_NEEDS_APP))
		c->v[version_row(c, conn.connector_version)].connections++;
	return ++c->records < RECORDS_MAX;
}

static int
by_version(const void *a, const void *b)
{
	uint32_t x = ((const struct use *)a)->version, y = ((const struct use *)b)->version;

	return (x > y) - (x < y);
}

static bool
is_current(const struct vault *v, const char *id, uint32_t version)
{
	const struct connector *k = catalogue_pinned(&v->catalogue, id, version);

	return k != NULL && k->version == version;
}

/* Versions that apps and connections were made with. */
static int
set_in_use(struct request *r, const char *id, json_t *o, struct err *e)
{
	static const struct slice all = { "", 0 };
	struct count c = { .vault = r->vault, .id = id };
	json_t *a;

	if (store_walk(r->vault->store, TABLE_APP, all, all, count_app, &c, e) != 0 ||
	    store_walk(r->vault->store, TABLE_CONNECTION, all, all, count_static, &c, e) != 0)
		return e->code;
	qsort(c.v, c.n, sizeof *c.v, by_version);
	a = json_array();
	for (size_t i = 0; i < c.n; i++)
		json_array_append_new(a, json_pack("{s:i, s:I, s:I, s:b}", "version",
		    (int)c.v[i].version, "apps", (json_int_t)c.v[i].apps, "connections",
		    (json_int_t)c.v[i].connections, "kept", is_current(r->vault, id,
		    c.v[i].version)));
	json_object_set_new(o, "in_use", a);
	json_object_set_new(o, "in_use_complete", json_boolean(c.keys < KEYS_MAX &&
	    c.records < RECORDS_MAX));
	return 0;
}

static void
set_details(const struct connector *k, json_t *o)
{
	const struct { const char *name, *value; } texts[] = {
		{ "issuer", k->issuer }, { "authorization_url", k->authorization_url },
		{ "token_url", k->token_url }, { "refresh_url", k->refresh_url },
		{ "revocation_url", k->revocation_url }, { "probe_url", k->probe_url },
		{ "status_url", k->status_url }, { "requirements", k->requirements },
		{ "notes", k->notes },
	};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		json_object_set_new(o, texts[i].name, or_null(texts[i].value));
	json_object_set_new(o, "revoke", json_string(connector_word(k, "revoke")));
	json_object_set_new(o, "client_auth", json_string(connector_word(k, "client_auth")));
	json_object_set_new(o, "headers", words(k->headers, k->nheaders));
	json_object_set_new(o, "refresh_idle_s", json_integer(k->refresh_idle_s));
	json_object_set_new(o, "refresh_absolute_s", json_integer(k->refresh_absolute_s));
	json_object_set_new(o, "default_expires_s", json_integer(k->default_expires_s));
}

/* ---- all of them */

struct list_args {
	const char	*auth_type, *text;
};

static const struct field list_fields[] = {
	{ "auth_type", F_STR, offsetof(struct list_args, auth_type), false, 63 },
	{ "text", F_STR, offsetof(struct list_args, text), false, 120 },
	{ 0 },
};

static bool
is_wanted(const struct list_args *a, enum auth_type t, const struct connector *k)
{
	if (a->auth_type != NULL && !(k->auth_types & t))
		return false;
	return a->text == NULL || strcasestr(k->id, a->text) != NULL ||
	    strcasestr(k->name, a->text) != NULL;
}

static int
list_run(struct request *r, struct err *e)
{
	const struct list_args *l = r->args;
	enum auth_type t = 0;
	json_t *a;

	if (l->auth_type != NULL && !auth_type_parse(l->auth_type, &t))
		return err_parameter(e, "auth_type",
		    "there is no authentication type '%.60s'; there are: "
		    AUTH_TYPE_WORDS, l->auth_type);
	a = json_array();
	for (size_t i = 0; i < r->vault->catalogue.n; i++)
		if (is_wanted(l, t, &r->vault->catalogue.v[i]))
			json_array_append_new(a, connector_json(r, &r->vault->catalogue.v[i]));
	r->reply = json_pack("{s:o}", "connectors", a);
	return 0;
}

const struct verb verb_connector_list = {
	.method = "vaultd.Connectors.List",
	.help = "the catalogue",
	.action = ACT_NONE,
	.flags = VERB_NO_AUDIT,
	.fields = list_fields,
	.args_size = sizeof(struct list_args),
	.run = list_run,
};

struct show_args {
	const char	*connector;
};

static const struct field show_fields[] = {
	{ "connector", F_STR, offsetof(struct show_args, connector), true, 63 },
	{ 0 },
};

static int
show_run(struct request *r, struct err *e)
{
	struct show_args *a = r->args;
	const struct connector *k = catalogue_find(&r->vault->catalogue, a->connector);
	json_t *o;

	if (k == NULL)
		return err_name(e, ERR_CONNECTOR_UNKNOWN, "there is no connector '%.60s'",
		    a->connector);
	o = connector_json(r, k);
	set_details(k, o);
	r->reply = json_pack("{s:o}", "connector", o);
	return r->conn->operator ? set_in_use(r, k->id, o, e) : 0;
}

const struct verb verb_connector_show = {
	.method = "vaultd.Connectors.Show",
	.help = "one connector",
	.action = ACT_NONE,
	.flags = VERB_NO_AUDIT,
	.fields = show_fields,
	.args_size = sizeof(struct show_args),
	.run = show_run,
};

/* ---- Discover: for who writes a connector file; nothing is stored */

struct discover_args {
	const char	*issuer;
};

static const struct field discover_fields[] = {
	{ "issuer", F_STR, offsetof(struct discover_args, issuer), true, EX_URL - 1 },
	{ 0 },
};

static void
discovered(void *arg, int rc, struct slice body, struct err *e)
{
	struct request *r = arg;
	struct msg m;
	struct slice text;
	json_t *o = NULL;

	if (rc == 0) {
		msg_read(&m, body);
		text = msg_get_slice(&m);
		rc = msg_end(&m, "metadata", e);
		if (rc == 0 && (o = json_parse(text, 1 << 20, e)) == NULL)
			rc = e->code;
	}
	if (rc == 0)
		r->reply = json_pack("{s:o}", "metadata", o);
	request_resume(r, rc, e);
}

static int
discover_run(struct request *r, struct err *e)
{
	struct discover_args *a = r->args;
	AUTO(msg) m = { 0 };

	(void)e;
	msg_put_str(&m, a->issuer);
	request_defer(r);
	egress_call(r->vault->egress, EGRESS_DISCOVER, &m, EGRESS_SHORT_MS, discovered, r);
	return REQUEST_WAIT;
}

const struct verb verb_connector_discover = {
	.method = "vaultd.Connectors.Discover",
	.help = "what an issuer's metadata says, to make a connector file of",
	.action = ACT_NONE,
	.flags = VERB_OPERATOR,
	.fields = discover_fields,
	.args_size = sizeof(struct discover_args),
	.run = discover_run,
};

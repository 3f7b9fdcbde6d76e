/*
 * verb_connector.c - vaultd.Connectors: the catalogue, and what policy says of each entry
 * to this caller.
 */
#include <stdio.h>
#include <string.h>

#include "common/errors.h"
#include "vaultd/conn.h"
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

	for (size_t i = 0; i < k->nvars; i++)
		json_array_append_new(a, json_pack("{s:s, s:s, s:o}", "name", k->var[i].name,
		    "label", k->var[i].label != NULL ? k->var[i].label : k->var[i].name,
		    "default", or_null(k->var[i].dflt)));
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

static const char *
refresh_name(enum refresh_kind k)
{
	static const char *const names[] = { "rotating", "static", "none" };

	return names[k];
}

static json_t *
connector_json(struct request *r, const struct connector *k)
{
	json_t *o = json_pack("{s:s, s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o}",
	    "id", k->id, "name", k->name, "version", (int)k->version,
	    "auth_types", auth_types(k),
	    "scopes_mandatory", words(k->scopes_mandatory, k->nmandatory),
	    "scopes_default", words(k->scopes_default, k->ndefault),
	    "variables", variables(k), "api_base", or_null(k->api_base),
	    "refresh", refresh_name(k->refresh), "pat_url", or_null(k->pat_url),
	    "unverified", or_null(k->unverified));

	set_policy(r, k, o);
	return o;
}

static int
list_run(struct request *r, struct err *e)
{
	json_t *a = json_array();

	(void)e;
	for (size_t i = 0; i < r->vault->catalogue.n; i++)
		json_array_append_new(a, connector_json(r, &r->vault->catalogue.v[i]));
	r->reply = json_pack("{s:o}", "connectors", a);
	return 0;
}

const struct verb verb_connector_list = {
	.method = "vaultd.Connectors.List",
	.help = "the catalogue",
	.action = ACT_NONE,
	.flags = VERB_NO_AUDIT,
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

	if (k == NULL)
		return err_name(e, ERR_CONNECTOR_UNKNOWN, "there is no connector '%.60s'",
		    a->connector);
	r->reply = json_pack("{s:o}", "connector", connector_json(r, k));
	return 0;
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

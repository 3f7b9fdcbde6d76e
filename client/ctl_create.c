/*
 * ctl_create.c - vaultctl connection create, set-secrets: connections that nobody signs in for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl.h"
#include "common/auth_type.h"

/* The file given for secret NAME; of the only one its name may be left out. */
static const char *
file_of(const struct ctl *c, const char *name, bool only)
{
	size_t n = strlen(name);
	const char *s;

	for (int i = 0; (s = ctl_option_at(c, "secret-file", i)) != NULL; i++) {
		if (strncmp(s, name, n) == 0 && s[n] == '=')
			return s + n + 1;
		if (only && i == 0 && ctl_option_at(c, "secret-file", 1) == NULL)
			return s;
	}
	return NULL;
}

/* How many secrets of TYPE the connector asks for; the one numbered WANT into RET. */
static size_t
secrets_of(const json_t *connector, const char *type, size_t want, const json_t **ret)
{
	const json_t *item;
	size_t i, n = 0;

	json_array_foreach(json_object_get(connector, "secrets"), i, item)
		if (strcmp(ctl_text(item, "auth_type"), type) == 0 && n++ == want)
			*ret = item;
	return n;
}

/* An object of them, each from its file, or asked for in turn, or from the next line of standard
 * input. NULL: said why. */
static json_t *
ask_secrets(struct ctl *c, const json_t *connector, const char *type)
{
	const json_t *item = NULL;
	size_t n = secrets_of(connector, type, SIZE_MAX, &item);
	json_t *o = json_object();

	for (size_t i = 0; i < n; i++) {
		const char *name;
		char *value;

		secrets_of(connector, type, i, &item);
		name = ctl_text(item, "name");
		value = ctl_secret_from(c, file_of(c, name, n == 1), ctl_text(item, "label"));
		if (value == NULL) {
			json_decref(o);
			return NULL;
		}
		json_object_set_new(o, name, json_string(value));
		vaultd_free(value);
	}
	return o;
}

static json_t *
show_connector(struct ctl *c, const char *name)
{
	json_t *r = ctl_call(c, "vaultd.Connectors.Show", json_pack("{s:s}", "connector", name));
	json_t *k = json_incref(json_object_get(r, "connector"));

	json_decref(r);
	return k;
}

/* The only type without a sign-in that the connector has, or what was said. NULL: said why. */
static const char *
type_of(struct ctl *c, const json_t *connector)
{
	const char *type = ctl_option(c, "auth-type"), *found = NULL, *s;
	char text[300] = "";
	enum auth_type t;
	json_t *item;
	size_t i, n = 0;

	if (type != NULL)
		return type;
	json_array_foreach(json_object_get(connector, "auth_types"), i, item) {
		s = json_string_value(item);
		if (auth_type_parse(s, &t) && auth_type_flags(t) & AUTH_NEEDS_USER)
			continue;
		found = s;
		n++;
		snprintf(text + strlen(text), sizeof text - strlen(text), " %s", s);
	}
	if (n == 1)
		return found;
	if (n == 0)
		ctl_fail(c, EX_USE, "this connector needs a sign-in: vaultctl connect %s", c->arg[0]);
	else
		ctl_fail(c, EX_USE, "--auth-type is one of:%s", text);
	return NULL;
}

static int
print_made(struct ctl *c, json_t *r)
{
	json_t *item;
	size_t i;

	if (r == NULL)
		return c->status;
	json_array_foreach(json_object_get(r, "warnings"), i, item)
		ctl_say(stderr, "warning: %s\n", json_string_value(item));
	return ctl_print_connection(c, r);
}

static json_t *
parameters(struct ctl *c, const char *type)
{
	json_t *vars = ctl_pairs(c, "var"), *p, *scopes;
	const char *s;

	if (vars == NULL)
		return NULL;
	p = json_pack("{s:s, s:s, s:o}", "connector", c->arg[0], "auth_type", type, "variables",
	    vars);
	ctl_set(p, "folder", ctl_option(c, "folder"));
	ctl_set(p, "name", ctl_option(c, "name"));
	ctl_set(p, "app", ctl_option(c, "app"));
	ctl_set(p, "description", ctl_option(c, "description"));
	ctl_set(p, "idempotency_key", ctl_option(c, "idempotency-key"));
	scopes = json_array();
	for (int i = 0; (s = ctl_option_at(c, "scope", i)) != NULL; i++)
		json_array_append_new(scopes, json_string(s));
	if (json_array_size(scopes) > 0)
		json_object_set(p, "scopes", scopes);
	json_decref(scopes);
	return p;
}

static int
create(struct ctl *c)
{
	json_t *k = show_connector(c, c->arg[0]), *p = NULL, *secrets = NULL;
	const char *type = k == NULL ? NULL : type_of(c, k);
	int rc = k == NULL ? c->status : EX_USE;

	if (type != NULL && (p = parameters(c, type)) != NULL)
		secrets = ask_secrets(c, k, type);
	if (secrets != NULL) {
		json_object_set_new(p, "secrets", secrets);
		rc = print_made(c, ctl_call(c, "vaultd.Connections.Create", json_incref(p)));
	}
	json_decref(p);
	json_decref(k);
	return rc;
}

static int
set_secrets(struct ctl *c)
{
	json_t *r = ctl_call(c, "vaultd.Connections.Show",
	    json_pack("{s:s}", "connection", c->arg[0]));
	const json_t *was = json_object_get(r, "connection");
	json_t *k = r == NULL ? NULL : show_connector(c, ctl_text(was, "connector"));
	json_t *secrets = k == NULL ? NULL : ask_secrets(c, k, ctl_text(was, "auth_type"));
	int rc = k == NULL ? c->status : EX_USE;

	if (secrets != NULL)
		rc = print_made(c, ctl_call(c, "vaultd.Connections.SetSecrets", json_pack(
		    "{s:s, s:o, s:b}", "connection", c->arg[0], "secrets", secrets,
		    "allow_other_account", ctl_option(c, "allow-other-account") != NULL)));
	json_decref(k);
	json_decref(r);
	return rc;
}

#define SECRET_HELP \
	"  --secret-file [NAME=]FILE   a secret from this file's first line; NAME where there\n" \
	"                              are several, as password; otherwise they are asked for\n" \
	"                              without echo, or read from standard input, a line each\n"

const struct command commands_create[] = {
	{ "connection create", "CONNECTOR", 1, 1,
	    "auth-type= folder= name= app= scope=* var=* description= secret-file=* "
	    "idempotency-key=",
	    "make one that needs no sign-in: a key, a password, the app itself",
	    "  --auth-type TYPE            pat, api_key, basic, headers, oauth2_client_credentials,\n"
	    "                              oauth2_password, jwt_bearer; where there are several\n"
	    SECRET_HELP
	    "  --app APP                   of OAuth: whose; default the one the policy names\n"
	    "  --scope SCOPE               of OAuth: instead of the default ones; repeat it\n"
	    "  --var NAME=VALUE            a variable of the connector\n"
	    "  --folder FOLDER             where; default your own workspace\n"
	    "  --name NAME                 default the connector's id\n"
	    "  --description TEXT          for people\n"
	    "  --idempotency-key KEY       the same command with the same key makes it once\n\n"
	    "  vaultctl connection create github --auth-type pat <token.txt\n", create },
	{ "connection set-secrets", "CONNECTION", 1, 1,
	    "secret-file=* allow-other-account",
	    "give it other secrets, once they prove good",
	    SECRET_HELP
	    "  --allow-other-account       they may be of another account than the old ones\n\n"
	    "  vaultctl connection set-secrets github <token.txt\n", set_secrets },
	{ 0 },
};

/*
 * ctl_connector.c - vaultctl connector: the catalogue, and a new file of an issuer's metadata.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl.h"
#include "connectors/catalogue.h"

/* ---- list */

/* For the table: the types in short, so that all of them fit. */
static void
shorten(json_t *row)
{
	char text[200] = "";
	size_t i, n = 0;
	json_t *type;

	json_array_foreach(json_object_get(row, "auth_types"), i, type) {
		const char *s = json_string_value(type);

		if (s != NULL && strncmp(s, "oauth2_", 7) == 0)
			s += 7;
		if (s != NULL && n + strlen(s) + 2 < sizeof text)
			n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", n > 0 ? " " : "", s);
	}
	json_object_set_new(row, "types", json_string(text));
}

static int
connector_list(struct ctl *c)
{
	static const char *const members[] = { "id", "name", "types", "policy", NULL };
	static const char *const heads[] = { "CONNECTOR", "NAME", "AUTHENTICATION", "POLICY", NULL };
	json_t *p = json_object(), *r, *row;
	size_t i;

	ctl_set(p, "auth_type", ctl_option(c, "auth-type"));
	ctl_set(p, "text", ctl_option(c, "text"));
	if ((r = ctl_call(c, "vaultd.Connectors.List", p)) == NULL)
		return c->status;
	if (c->json) {
		ctl_dump(r);
	} else {
		json_array_foreach(json_object_get(r, "connectors"), i, row)
			shorten(row);
		ctl_table(json_object_get(r, "connectors"), members, heads, "no connectors");
	}
	json_decref(r);
	return EX_OK;
}

/* ---- show */

static void
print_variables(const json_t *variables)
{
	size_t i;
	json_t *v;

	json_array_foreach((json_t *)variables, i, v) {
		const char *dflt = ctl_text(v, "default"), *example = ctl_text(v, "example"),
		    *suffix = ctl_text(v, "suffix"), *values = ctl_text(v, "values");

		ctl_say(stdout, "variable %s: %s", ctl_text(v, "name"), ctl_text(v, "label"));
		if (*dflt != '\0')
			ctl_say(stdout, "; default %s", dflt);
		if (*example != '\0')
			ctl_say(stdout, "; as %s", example);
		if (*suffix != '\0')
			ctl_say(stdout, "; ends in %s", suffix);
		if (*values != '\0')
			ctl_say(stdout, "; one of %s", values);
		ctl_say(stdout, "\n");
	}
}

static void
print_in_use(const json_t *o)
{
	json_int_t now = json_integer_value(json_object_get(o, "version"));
	size_t i;
	json_t *v;

	json_array_foreach(json_object_get(o, "in_use"), i, v) {
		json_int_t version = json_integer_value(json_object_get(v, "version"));

		ctl_say(stdout, "in use: version %lld%s by %lld apps and %lld connections%s\n",
		    (long long)version, version < now ? " (old)" : "",
		    (long long)json_integer_value(json_object_get(v, "apps")),
		    (long long)json_integer_value(json_object_get(v, "connections")),
		    json_is_true(json_object_get(v, "kept")) ? "" :
		    "; it is not in the catalogue any more, the next version is used");
	}
	if (json_is_false(json_object_get(o, "in_use_complete")))
		ctl_say(stdout, "in use: and more, which were not counted\n");
}

static int
connector_show(struct ctl *c)
{
	static const char *const fields[] = { "id", "connector", "name", "name", "version",
		"version", "aliases", "also known as", "auth_types", "authentication", "policy",
		"policy", "byoa", "own OAuth app", "default_app", "default app", "issuer", "issuer",
		"authorization_url", "sign-in at", "token_url", "tokens from", "refresh_url",
		"refreshes at", "revocation_url", "revocation at", "revoke", "revocation",
		"client_auth", "client shown by", "scopes_mandatory", "always asked",
		"scopes_default", "default scopes", "api_base", "API base", "headers", "headers",
		"probe_url", "test call", "refresh", "refresh", "pat_url", "tokens made at",
		"status_url", "status page", "requirements", "to do first", "notes", "notes",
		"unverified", "unverified", NULL };
	json_t *r = ctl_call(c, "vaultd.Connectors.Show",
	    json_pack("{s:s}", "connector", c->arg[0])), *o;

	if (r == NULL)
		return c->status;
	o = json_object_get(r, "connector");
	if (c->json) {
		ctl_dump(r);
	} else {
		ctl_fields(o, fields);
		print_variables(json_object_get(o, "variables"));
		print_in_use(o);
	}
	json_decref(r);
	return EX_OK;
}

/* ---- add: a file of what an issuer says of itself */

static bool
has(const json_t *list, const char *word)
{
	size_t i;
	json_t *v;

	json_array_foreach((json_t *)list, i, v)
		if (json_is_string(v) && strcmp(json_string_value(v), word) == 0)
			return true;
	return false;
}

/* "https://id.example.com/a" -> "id-example-com-a" */
static void
id_of(const char *issuer, char *out, size_t cap)
{
	size_t n = 0;

	for (const char *p = issuer + 8; *p != '\0' && n + 1 < cap; p++) {
		char ch = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;

		if ((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9'))
			out[n++] = ch;
		else if (n > 0 && out[n - 1] != '-')
			out[n++] = '-';
	}
	while (n > 0 && out[n - 1] == '-')
		n--;
	out[n] = '\0';
}

static json_t *
types_of(const json_t *m)
{
	static const struct { const char *grant; enum auth_type type; const char *url; } known[] = {
		{ "authorization_code", AUTH_OAUTH2_CODE, "authorization_url" },
		{ "client_credentials", AUTH_CLIENT_CREDENTIALS, "token_url" },
		{ "urn:ietf:params:oauth:grant-type:device_code", AUTH_DEVICE, "device_url" },
		{ "urn:ietf:params:oauth:grant-type:jwt-bearer", AUTH_JWT_BEARER, "token_url" },
	};
	const json_t *grants = json_object_get(m, "grant_types_supported");
	json_t *a = json_array();

	/* RFC 8414 section 2: left out means the authorization code. */
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if ((has(grants, known[i].grant) || (i == 0 && json_array_size(grants) == 0)) &&
		    *ctl_text(m, known[i].url) != '\0')
			json_array_append_new(a, json_string(auth_type_name(known[i].type)));
	return a;
}

static const char *
client_auth_of(const json_t *m)
{
	static const struct { const char *theirs; enum client_auth ours; } known[] = {
		{ "client_secret_basic", CLIENT_BASIC }, { "client_secret_post", CLIENT_POST },
		{ "private_key_jwt", CLIENT_PRIVATE_KEY_JWT }, { "tls_client_auth", CLIENT_TLS },
		{ "none", CLIENT_NONE },
	};
	const json_t *methods = json_object_get(m, "token_endpoint_auth_methods_supported");

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (has(methods, known[i].theirs))
			return client_auth_name(known[i].ours);
	return client_auth_name(CLIENT_BASIC);
}

static void
put_scopes(json_t *o, const json_t *m)
{
	const json_t *scopes = json_object_get(m, "scopes_supported");
	json_t *a = json_array();

	if (has(scopes, "openid")) {
		json_array_append_new(a, json_string("openid"));
		json_object_set_new(o, "account_from", json_string("id_token"));
		json_object_set_new(o, "account_member", json_string("sub"));
	}
	if (has(scopes, "offline_access")) {
		json_array_append_new(a, json_string("offline_access"));
		json_object_set_new(o, "offline_scope", json_string("offline_access"));
	}
	json_object_set_new(o, "scopes_default", a);
}

static json_t *
connector_of(const struct ctl *c, const json_t *m)
{
	static const char *const urls[] = { "issuer", "authorization_url", "token_url",
		"revocation_url", "par_url", "device_url", "introspection_url", NULL };
	const char *issuer = ctl_text(m, "issuer"), *name = ctl_option(c, "name"),
	    *id = ctl_option(c, "id");
	json_t *o = json_object();
	char text[64];

	id_of(issuer, text, sizeof text);
	ctl_set(o, "$schema", "../connector.schema.json");
	ctl_set(o, "id", id != NULL ? id : text);
	ctl_set(o, "name", name != NULL ? name : issuer + 8);
	json_object_set_new(o, "version", json_integer(1));
	json_object_set_new(o, "auth_types", types_of(m));
	for (size_t i = 0; urls[i] != NULL; i++)
		if (*ctl_text(m, urls[i]) != '\0')
			ctl_set(o, urls[i], ctl_text(m, urls[i]));
	put_scopes(o, m);
	ctl_set(o, "client_auth", client_auth_of(m));
	ctl_set(o, "refresh", "rotating");
	ctl_set(o, "revoke", *ctl_text(m, "revocation_url") != '\0' ? "rfc7009" : "none");
	if (*ctl_text(m, "userinfo_url") != '\0')
		ctl_set(o, "probe_url", ctl_text(m, "userinfo_url"));
	ctl_set(o, "unverified", has(json_object_get(m, "code_challenge_methods_supported"), "S256") ?
	    "all but what the issuer's metadata says: whether a refresh spends the refresh token "
	    "(taken as so), how long tokens live" :
	    "all but what the issuer's metadata says: that PKCE is supported (it is sent), whether a "
	    "refresh spends the refresh token (taken as so), how long tokens live");
	return o;
}

/* What the roles would say of it, said now. */
static bool
is_good(const struct ctl *c, const char *text)
{
	struct connector k;
	struct err e;

	if (connector_parse("the file", (struct slice){ text, strlen(text) }, &k, &e) != 0) {
		ctl_fail(c, EX_FAILED, "the metadata makes no connector: %s", e.text);
		return false;
	}
	connector_done(&k);
	return true;
}

static int
write_file(const struct ctl *c, const char *text)
{
	const char *path = ctl_option(c, "output");
	FILE *f = path == NULL ? stdout : fopen(path, "wxe");

	if (f == NULL)
		return ctl_fail(c, EX_FAILED, "%s: %s", path, strerror(errno));
	fprintf(f, "%s\n", text);
	if ((path != NULL ? fclose(f) : fflush(f)) != 0)
		return ctl_fail(c, EX_FAILED, "%s: %s", path != NULL ? path : "stdout", strerror(errno));
	if (path != NULL)
		ctl_say(stderr, "%s is written: read it, move it into the catalogue as root, and restart "
		    "vaultd and vault-egress\n", path);
	return EX_OK;
}

static int
connector_add(struct ctl *c)
{
	const char *issuer = ctl_option(c, "issuer");
	json_t *r, *o;
	char *text;
	int status;

	if (issuer == NULL)
		return ctl_fail(c, EX_USE, "--issuer URL says of whom");
	r = ctl_call(c, "vaultd.Connectors.Discover", json_pack("{s:s}", "issuer", issuer));
	if (r == NULL)
		return c->status;
	o = connector_of(c, json_object_get(r, "metadata"));
	text = json_dumps(o, JSON_INDENT(2));
	status = text != NULL && is_good(c, text) ? write_file(c, text) : EX_FAILED;
	free(text);
	json_decref(o);
	json_decref(r);
	return status;
}

const struct command commands_connector[] = {
	{ "connector list", "", 0, 0, "auth-type= text=", "list the catalogue",
	    "  vaultctl connector list --text google\n"
	    "  vaultctl connector list --auth-type api_key\n", connector_list },
	{ "connector show", "CONNECTOR", 1, 1, "", "show one connector",
	    "Operators also see which versions of it apps and connections were made with.\n\n"
	    "  vaultctl connector show github\n", connector_show },
	{ "connector check", "FILE...", 1, ARGS_MAX, "", "check connector files, without a vault",
	    "Exit status 1: a file is wrong; FILE:LINE:COLUMN says where. With --json standard\n"
	    "output is an array of {file, line, column, message, suggestion}, empty when all is\n"
	    "well.\n\n"
	    "  vaultctl connector check /usr/share/vaultd/connectors/*.json\n",
	    ctl_check_connectors },
	{ "connector add", "", 0, 0, "issuer= id= name= output=",
	    "make a connector file of an issuer's metadata",
	    "For operators. vault-egress asks the issuer (RFC 8414, OpenID Connect Discovery); the\n"
	    "file goes to --output or standard output, for root to put into the catalogue.\n\n"
	    "  vaultctl connector add --issuer https://id.example.com --id acme --output acme.json\n",
	    connector_add },
	{ 0 },
};

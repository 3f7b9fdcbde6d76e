/*
 * ctl_app.c - vaultctl app ...
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl.h"

static const char *const fields[] = { "name", "OAuth app", "connector", "connector",
	"client_id", "client id", "redirect_uri", "redirect URI", "scopes", "scopes",
	"variables", "variables", "authorization_url", "sign-in at", "token_url", "tokens from",
	"issuer", "issuer", "owner", "owner", "purpose", "purpose", "created", "created",
	"rotate_by", "rotate by", "id", "id", NULL };

static int
print_app(struct ctl *c, json_t *r)
{
	if (c->json)
		ctl_dump(r);
	else
		ctl_fields(json_object_get(r, "app"), fields);
	json_decref(r);
	return EX_OK;
}

static int
add_lists(struct ctl *c, json_t *p)
{
	json_t *scopes = json_array(), *vars = json_object();
	const char *v;
	char name[64];

	for (int i = 0; (v = ctl_option_at(c, "scope", i)) != NULL; i++)
		json_array_append_new(scopes, json_string(v));
	if (json_array_size(scopes) > 0)
		json_object_set(p, "scopes", scopes);
	for (int i = 0; (v = ctl_option_at(c, "var", i)) != NULL; i++) {
		const char *eq = strchr(v, '=');

		if (eq == NULL || (size_t)(eq - v) >= sizeof name)
			return ctl_fail(EX_USE, "--var is NAME=VALUE");
		snprintf(name, sizeof name, "%.*s", (int)(eq - v), v);
		ctl_set(vars, name, eq + 1);
	}
	json_object_set_new(p, "variables", vars);
	json_decref(scopes);
	return 0;
}

static int
add(struct ctl *c)
{
	json_t *p, *r;
	char *secret = NULL;
	int rc;

	if (ctl_option(c, "client-id") == NULL)
		return ctl_fail(EX_USE, "--client-id is required");
	if (ctl_option(c, "public") == NULL &&
	    (secret = ctl_secret(c, "secret-file", "Client secret")) == NULL)
		return EX_USE;
	p = json_pack("{s:s, s:s}", "name", c->arg[0], "connector", c->arg[1]);
	ctl_set(p, "client_id", ctl_option(c, "client-id"));
	ctl_set(p, "client_secret", secret);
	ctl_set(p, "client_auth", ctl_option(c, "client-auth"));
	ctl_set(p, "redirect_uri", ctl_option(c, "redirect-uri"));
	ctl_set(p, "owner", ctl_option(c, "owner"));
	ctl_set(p, "purpose", ctl_option(c, "purpose"));
	vaultd_free(secret);
	if ((rc = add_lists(c, p)) != 0)
		return rc;
	if ((r = ctl_call(c, "vaultd.Apps.Add", p)) == NULL)
		return c->status;
	if (!c->json)
		printf("Register this redirect URI at the provider, exactly:\n  %s\n\n",
		    ctl_text(json_object_get(r, "app"), "redirect_uri"));
	return print_app(c, r);
}

static int
set_secret(struct ctl *c)
{
	char *secret = ctl_secret(c, "secret-file", "Client secret");
	json_t *p, *r;

	if (secret == NULL)
		return EX_USE;
	p = json_pack("{s:s, s:s}", "app", c->arg[0], "client_secret", secret);
	vaultd_free(secret);
	r = ctl_call(c, "vaultd.Apps.SetSecret", p);
	return r == NULL ? c->status : print_app(c, r);
}

static int
list(struct ctl *c)
{
	static const char *const members[] = { "name", "connector", "client_id", "token_url",
		NULL };
	static const char *const heads[] = { "APP", "CONNECTOR", "CLIENT ID", "TOKENS FROM",
		NULL };
	json_t *r = ctl_call(c, "vaultd.Apps.List", NULL);

	if (r == NULL)
		return c->status;
	if (c->json)
		ctl_dump(r);
	else
		ctl_table(json_object_get(r, "apps"), members, heads,
		    "no OAuth apps; register one with `vaultctl app add`");
	json_decref(r);
	return EX_OK;
}

static int
show(struct ctl *c)
{
	json_t *r = ctl_call(c, "vaultd.Apps.Show", json_pack("{s:s}", "app", c->arg[0]));

	return r == NULL ? c->status : print_app(c, r);
}

static int
delete_it(struct ctl *c)
{
	json_t *r = ctl_call(c, "vaultd.Apps.Delete", json_pack("{s:s}", "app", c->arg[0]));

	if (r == NULL)
		return c->status;
	json_decref(r);
	if (!c->json)
		printf("deleted\n");
	return EX_OK;
}

const struct command commands_app[] = {
	{ "app add", "NAME CONNECTOR", 2, 2,
	    "client-id= secret-file= public scope=* var=* client-auth= redirect-uri= owner= "
	    "purpose=", "register your organisation's OAuth app",
	    "The client secret is read from standard input, or asked for without echo.\n"
	    "  --client-id ID          as the provider gave it\n"
	    "  --secret-file FILE      the secret from this file's first line\n"
	    "  --public                a public client: there is no secret\n"
	    "  --scope SCOPE           offered by default (repeat it)\n"
	    "  --var NAME=VALUE        a variable of the connector: host, tenant, issuer\n"
	    "  --client-auth MODE      basic, basic_raw, post, none\n"
	    "  --redirect-uri URI      where the provider insists on another\n"
	    "  --owner TEXT --purpose TEXT\n\n"
	    "  vaultctl app add acme gitlab --client-id 5f7e --var host=git.acme.com <secret\n",
	    add },
	{ "app list", "", 0, 0, "", "list the OAuth apps", NULL, list },
	{ "app show", "APP", 1, 1, "", "show one, with its redirect URI", NULL, show },
	{ "app set-secret", "APP", 1, 1, "secret-file=", "store a new client secret",
	    "The secret is read from standard input, or asked for without echo.\n"
	    "  --secret-file FILE      from this file's first line\n", set_secret },
	{ "app delete", "APP", 1, 1, "", "forget an app that nothing uses", NULL, delete_it },
	{ 0 },
};

/*
 * ctl_app.c - vaultctl app ...
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/ctl.h"
#include "common/auth_type.h"

static const char *const fields[] = { "name", "OAuth app", "connector", "connector",
	"client_id", "client id", "redirect_uri", "redirect URI", "scopes", "scopes",
	"variables", "variables", "authorization_url", "sign-in at", "token_url", "tokens from",
	"issuer", "issuer", "owner", "owner", "purpose", "purpose", "created", "created",
	"rotate_by", "rotate by", "secret_expires", "secret ends", "connections", "connections",
	"key_kind", "key in the HSM", "kid", "key id (kid)", "certificate_expires",
	"certificate ends", "problem", "problem", "problem_text", "what was said", "problem_time", "since", "advice",
	"next", "id", "id", NULL };

static void
print_secrets(const json_t *app)
{
	json_t *v;
	size_t i;
	char until[40];

	json_array_foreach(json_object_get(app, "secrets"), i, v) {
		json_int_t end = json_integer_value(json_object_get(v, "until"));
		const char *test = ctl_text(v, "test_text");

		ctl_time(end, until, sizeof until);
		ctl_say(stdout, "secret %lld, %s%s%s%s%s\n",
		    (long long)json_integer_value(json_object_get(v, "version")),
		    strcmp(ctl_text(v, "state"), "in_use") == 0 ? "in use" : ctl_text(v, "state"),
		    end == 0 ? "" : ", ends ", end == 0 ? "" : until, *test != '\0' ? ": " : "",
		    test);
	}
}

static int
print_app(struct ctl *c, json_t *r)
{
	if (c->json) {
		ctl_dump(r);
	} else {
		ctl_fields(json_object_get(r, "app"), fields);
		print_secrets(json_object_get(r, "app"));
	}
	json_decref(r);
	return EX_OK;
}

/* A day, as seconds since 1970. FALSE: said why. */
static bool
add_day(struct ctl *c, json_t *p, const char *option, const char *member)
{
	const char *day = ctl_option(c, option), *end;
	struct tm tm = { 0 };
	time_t t;
	int mday;

	if (day == NULL)
		return true;
	end = strptime(day, "%Y-%m-%d", &tm);
	mday = tm.tm_mday;
	t = timegm(&tm);			/* 31 February becomes 3 March */
	if (end == NULL || *end != '\0' || tm.tm_mday != mday) {
		ctl_fail(c, EX_USE, "--%s is a day: 2027-03-31", option);
		return false;
	}
	json_object_set_new(p, member, json_integer((json_int_t)t));
	return true;
}

static bool
add_days(struct ctl *c, json_t *p)
{
	return add_day(c, p, "rotate-by", "rotate_by") &&
	    add_day(c, p, "secret-expires", "secret_expires");
}

/* All but the secret. NULL: said why. */
static json_t *
add_parameters(struct ctl *c)
{
	json_t *vars = ctl_pairs(c, "var"), *scopes = json_array(), *p;
	const char *v;

	if (vars == NULL) {
		json_decref(scopes);
		return NULL;
	}
	p = json_pack("{s:s, s:s, s:o}", "name", c->arg[0], "connector", c->arg[1],
	    "variables", vars);
	for (int i = 0; (v = ctl_option_at(c, "scope", i)) != NULL; i++)
		json_array_append_new(scopes, json_string(v));
	if (json_array_size(scopes) > 0)
		json_object_set(p, "scopes", scopes);
	json_decref(scopes);
	ctl_set(p, "client_id", ctl_option(c, "client-id"));
	ctl_set(p, "client_auth", ctl_option(c, "client-auth"));
	ctl_set(p, "redirect_uri", ctl_option(c, "redirect-uri"));
	ctl_set(p, "owner", ctl_option(c, "owner"));
	ctl_set(p, "purpose", ctl_option(c, "purpose"));
	if (add_days(c, p))
		return p;
	json_decref(p);
	return NULL;
}

/* An app that signs has a secret only where somebody says so. */
static bool
wants_secret(const struct ctl *c)
{
	const char *said = ctl_option(c, "client-auth");
	enum client_auth auth;

	if (ctl_option(c, "secret-file") != NULL)
		return true;
	return ctl_option(c, "public") == NULL && ctl_option(c, "key") == NULL &&
	    ctl_option(c, "import-key") == NULL && (said == NULL ||
	    !client_auth_parse(said, &auth) || !client_auth_has_key(auth));
}

static int
add(struct ctl *c)
{
	char *secret = NULL;
	json_t *p, *r;
	int rc;

	if (ctl_option(c, "client-id") == NULL)
		return ctl_fail(c, EX_USE, "--client-id is required");
	if (ctl_option(c, "owner") == NULL || ctl_option(c, "purpose") == NULL)
		return ctl_fail(c, EX_USE, "--owner and --purpose are required: who answers for this app "
		    "when people change, and what it is for");
	if (ctl_option(c, "public") != NULL && ctl_option(c, "secret-file") != NULL)
		return ctl_fail(c, EX_USE, "--public says that there is no secret, --secret-file that "
		    "there is");
	if ((p = add_parameters(c)) == NULL)
		return EX_USE;
	if ((rc = ctl_app_key_options(c, p)) != 0) {
		json_decref(p);
		return rc;
	}
	if (wants_secret(c) && (secret = ctl_secret(c, "secret-file", "Client secret")) == NULL) {
		json_decref(p);
		return EX_USE;
	}
	ctl_set(p, "client_secret", secret);
	vaultd_free(secret);
	if ((r = ctl_call(c, "vaultd.Apps.Add", p)) == NULL)
		return c->status;
	if (!c->json)
		ctl_say(stdout, "Register this redirect URI at the provider, exactly:\n  %s\n\n",
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
	if ((r = ctl_call(c, "vaultd.Apps.SetSecret", p)) == NULL)
		return c->status;
	if (!c->json)
		printf("the new secret is stored\n\n");
	return print_app(c, r);
}

static int
edit(struct ctl *c)
{
	json_t *p = json_pack("{s:s}", "app", c->arg[0]), *scopes = json_array(), *r;
	long long revision = 0;
	const char *v;

	for (int i = 0; (v = ctl_option_at(c, "scope", i)) != NULL; i++)
		json_array_append_new(scopes, json_string(v));
	if (json_array_size(scopes) > 0)
		json_object_set(p, "scopes", scopes);
	json_decref(scopes);
	ctl_set(p, "name", ctl_option(c, "name"));
	ctl_set(p, "owner", ctl_option(c, "owner"));
	ctl_set(p, "purpose", ctl_option(c, "purpose"));
	if (!add_days(c, p) || ctl_number(c, "revision", 1, &revision) != 0) {
		json_decref(p);
		return EX_USE;
	}
	if (revision > 0)
		json_object_set_new(p, "revision", json_integer(revision));
	return (r = ctl_call(c, "vaultd.Apps.Edit", p)) == NULL ? c->status : print_app(c, r);
}

/* ---- rotation */

static int
stage(struct ctl *c)
{
	char *secret = ctl_secret(c, "secret-file", "New client secret");
	json_t *p, *r;

	if (secret == NULL)
		return EX_USE;
	p = json_pack("{s:s, s:s}", "app", c->arg[0], "client_secret", secret);
	vaultd_free(secret);
	if ((r = ctl_call(c, "vaultd.Apps.StageSecret", p)) == NULL)
		return c->status;
	if (!c->json)
		ctl_say(stdout, "the new secret is staged; `vaultctl app test-secret %s` tries it\n\n",
		    c->arg[0]);
	return print_app(c, r);
}

/* Exit status 1 when it was refused: scripts go on only with a secret that may work. */
static int
test_secret(struct ctl *c)
{
	json_t *r = ctl_call(c, "vaultd.Apps.TestSecret", json_pack("{s:s}", "app", c->arg[0]));
	json_t *s;
	bool refused;

	if (r == NULL)
		return c->status;
	s = json_array_get(json_object_get(json_object_get(r, "app"), "secrets"), 1);
	refused = strcmp(ctl_text(s, "tested"), "refused") == 0;
	if (c->json)
		ctl_dump(r);
	else
		ctl_say(stdout, "%s\n", ctl_text(s, "test_text"));
	if (!c->json && *ctl_text(s, "tested") == '\0')
		printf("it cannot be told beforehand: `app promote` uses it, and goes back to the one "
		    "before if it is refused\n");
	json_decref(r);
	return refused ? EX_FAILED : EX_OK;
}

static int
promote(struct ctl *c)
{
	json_t *p = json_pack("{s:s}", "app", c->arg[0]), *r;
	long long days = 0;

	if (ctl_number(c, "overlap", 1, &days) != 0 || !add_days(c, p)) {
		json_decref(p);
		return EX_USE;
	}
	if (days > 0)
		json_object_set_new(p, "overlap", json_integer(days * 86400));
	return (r = ctl_call(c, "vaultd.Apps.Promote", p)) == NULL ? c->status : print_app(c, r);
}

static int
retire(struct ctl *c)
{
	json_t *r = ctl_call(c, "vaultd.Apps.Retire", json_pack("{s:s}", "app", c->arg[0]));

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
	if (c->json)
		ctl_dump(r);
	else
		ctl_say(stdout, "deleted app %s\n", c->arg[0]);
	json_decref(r);
	return EX_OK;
}

const struct command commands_app[] = {
	{ "app add", "NAME CONNECTOR", 2, 2,
	    "client-id= secret-file= public scope=* var=* client-auth= redirect-uri= owner= "
	    "purpose= rotate-by= secret-expires= key= import-key= certificate= certificate-days= kid= algorithm= "
	    "subject=", "register your organisation's OAuth app",
	    "The client secret is read from standard input, or asked for without echo.\n"
	    "  --client-id ID          as the provider gave it\n"
	    "  --secret-file FILE      the secret from this file's first line\n"
	    "  --public                a public client: there is no secret\n"
	    "  --scope SCOPE           offered by default (repeat it)\n"
	    "  --var NAME=VALUE        a variable of the connector: host, tenant, issuer\n"
	    "  --client-auth MODE      basic, basic_raw, post, none, private_key_jwt,\n"
	    "                          tls_client_auth\n"
	    "  --redirect-uri URI      where the provider insists on another\n"
	    "  --owner TEXT            who answers for it when people change\n"
	    "  --purpose TEXT          what it is for\n"
	    "  --rotate-by YYYY-MM-DD  when the secret must be replaced\n"
	    "  --secret-expires YYYY-MM-DD  when the provider says that it ends\n"
	    "An app that signs has no secret and a key in the HSM; `vaultctl app key` shows what\n"
	    "of it is registered at the provider.\n"
	    "  --key KIND              make one in the HSM: ec or rsa\n"
	    "  --import-key FILE       or take this one (PEM), then delete the file\n"
	    "  --certificate FILE      its certificate; else it signs one itself if it needs one\n"
	    "  --certificate-days N    how long that one is good\n"
	    "  --kid ID                the provider's name of the key, else its thumbprint\n"
	    "  --algorithm ALG         RS256, PS256, ES256\n"
	    "  --subject WHO           for whom assertions ask; * is anybody\n\n"
	    "  vaultctl app add acme gitlab --client-id 5f7e --var host=git.acme.com \\\n"
	    "      --owner 'team tools' --purpose 'merge requests' <secret\n",
	    add },
	{ "app list", "", 0, 0, "", "list the OAuth apps", "  vaultctl app list\n", list },
	{ "app show", "APP", 1, 1, "", "show one, with its redirect URI",
	    "  vaultctl app show acme\n", show },
	{ "app set-secret", "APP", 1, 1, "secret-file=", "store a new client secret",
	    "The secret is read from standard input, or asked for without echo.\n"
	    "  --secret-file FILE      from this file's first line\n\n"
	    "  vaultctl app set-secret acme <secret\n", set_secret },
	{ "app key", "APP", 1, 1, "csr pem jwk jwks certificate common-name=",
	    "show an app's key, for the provider",
	    "Without an option all of it; with one that alone, for a file.\n"
	    "  --jwk --jwks --pem      the public key as JWK, in a set, as PEM\n"
	    "  --certificate           its certificate, as PEM\n"
	    "  --csr                   a request for a certificate, for your authority\n"
	    "  --common-name NAME      whose name stands in the request, else the client id\n\n"
	    "  vaultctl app key acme --jwks >jwks.json\n", ctl_app_key },
	{ "app set-certificate", "APP", 1, 1, "certificate=", "store a certificate for its key",
	    "  --certificate FILE      PEM, with those that lead to its authority behind it\n\n"
	    "  vaultctl app set-certificate acme --certificate acme.pem\n",
	    ctl_app_set_certificate },
	{ "app edit", "APP", 1, 1, "name= owner= purpose= scope=* rotate-by= secret-expires= "
	    "revision=", "change what is said of one",
	    "What is not said stays; client id and connector never change.\n"
	    "  --name NAME --owner TEXT --purpose TEXT\n"
	    "  --scope SCOPE           offered by default in place of those before (repeat it)\n"
	    "  --rotate-by YYYY-MM-DD  when the secret must be replaced\n"
	    "  --secret-expires YYYY-MM-DD\n"
	    "  --revision N            only if it was not changed since\n\n"
	    "  vaultctl app edit acme --owner 'team tools'\n", edit },
	{ "app stage-secret", "APP", 1, 1, "secret-file=", "a new client secret beside the old one",
	    "To replace a secret without a gap: stage-secret, test-secret, promote, and retire when\n"
	    "the old one is removed at the provider. The secret is read from standard input, or\n"
	    "asked for without echo.\n"
	    "  --secret-file FILE      from this file's first line\n\n"
	    "  vaultctl app stage-secret acme <secret\n", stage },
	{ "app test-secret", "APP", 1, 1, "", "does the provider take the staged one?",
	    "Nobody's sign-in is used for it. Exit status 1: it was refused.\n\n"
	    "  vaultctl app test-secret acme\n", test_secret },
	{ "app promote", "APP", 1, 1, "overlap= rotate-by= secret-expires=",
	    "use the staged client secret",
	    "The one before is kept, and used again if the provider refuses the new one.\n"
	    "  --overlap DAYS          for how long; 7 unless told\n"
	    "  --rotate-by YYYY-MM-DD  when the new one must be replaced\n"
	    "  --secret-expires YYYY-MM-DD\n\n"
	    "  vaultctl app promote acme\n", promote },
	{ "app retire", "APP", 1, 1, "", "forget the previous secret, or a staged one",
	    "  vaultctl app retire acme\n", retire },
	{ "app delete", "APP", 1, 1, "", "forget an app that nothing uses",
	    "  vaultctl app delete acme\n", delete_it },
	{ 0 },
};

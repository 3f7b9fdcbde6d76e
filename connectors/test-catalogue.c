#include "tests/unit.h"

#include <sys/stat.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/json.h"
#include "common/jsonpath.h"
#include "connectors/catalogue.h"
#include "connectors/keys.h"

/* The providers there must be, by their id or an alias. */
static const char *const providers[] = {
	"microsoft-graph", "outlook", "microsoft-teams", "sharepoint-online",
	"onedrive", "power-bi", "dynamics-365-crm", "microsoft-app-only",
	"azure-devops", "google", "gmail", "google-drive", "google-calendar",
	"google-sheets", "salesforce", "salesforce-sandbox", "jira-cloud",
	"confluence-cloud", "jira-data-center", "bitbucket", "coupa", "servicenow",
	"slack", "github-oauth-app", "github-app", "gitlab", "hubspot", "dropbox",
	"box", "docusign", "docusign-demo", "zoom", "zoom-server-to-server", "zendesk",
	"quickbooks-online", "xero", "workday", "sap-successfactors", "sap-concur",
	"sap-ariba", "sap-btp-odata", "netsuite", "snowflake", "asana", "notion",
	"linear", "airtable", "stripe", "shopify", "openai", "anthropic", "aws",
	"twilio", "sendgrid", "mailchimp", "intercom", "freshdesk", "pipedrive",
	"zoho-crm", "monday", "clickup", "smartsheet", "webex", "okta", "auth0-m2m",
	"adobe", "marketo", "databricks", "calendly", "typeform", "figma", "miro",
	"pagerduty", "datadog", "linkedin", "x-twitter", "discord", "paypal", "square",
	"ringcentral",
};

static struct catalogue shipped;

static void
load(void)
{
	struct err e = { 0 };

	T_DO(catalogue_load("connectors", &shipped, &e), e);
}

/* Rows 7 and 17: the catalogue. */
TEST(row_7_every_provider_is_in_the_catalogue)
{
	load();
	for (size_t i = 0; i < sizeof providers / sizeof *providers; i++) {
		const struct connector *k = catalogue_find(&shipped, providers[i]);

		if (k == NULL)
			fail_msg("%s is missing", providers[i]);
		T_OK(k->version >= 1 && k->pkce && k->auth_types != 0);
	}
	T_OK(catalogue_find(&shipped, "openid") != NULL);
	T_OK(catalogue_find(&shipped, "github-oauth-app") == catalogue_find(&shipped, "github"));
	T_OK(catalogue_find(&shipped, "nothing") == NULL);
	catalogue_done(&shipped);
}

/* Samples of what people give: the variable's example, else its default. */
static void
samples(const struct connector *k, struct ex_vars *ret)
{
	ret->n = 0;
	for (size_t i = 0; i < k->nvars; i++) {
		const struct connector_var *v = &k->var[i];
		const char *value = v->example != NULL ? v->example : v->dflt;

		if (value == NULL && v->url)
			value = "https://id.example.com";
		if (value == NULL)
			fail_msg("%s: variable %s has neither example nor default", k->id, v->name);
		snprintf(ret->v[ret->n].name, EX_NAME, "%s", v->name);
		snprintf(ret->v[ret->n++].value, sizeof ret->v[0].value, "%s", value);
	}
	snprintf(ret->v[ret->n].name, EX_NAME, "client_id");
	snprintf(ret->v[ret->n++].value, sizeof ret->v[0].value, "client");
}

static void
expands(const struct connector *k, const char *key, const char *template,
    const struct ex_vars *vars)
{
	char out[EX_URL], text[1024];
	struct err e = { 0 };

	if (connector_expand(k, template, vars, out, sizeof out, &e) != 0)
		fail_msg("%s: %s: %s", k->id, key, e.text);
	/* What is left is filled in after a sign-in. */
	if (strchr(out, '{') != NULL && k->ncapture == 0)
		fail_msg("%s: %s is not whole: %s", k->id, key, out);
	T_OK(connector_expand_text(k, template, vars, text, sizeof text, &e) == 0 ||
	    k->ncapture > 0);
}

/* Row 16: URLs are made of declared fields alone, and lead to the provider. */
TEST(row_16_every_connector_expands_to_https)
{
	static const char *const evil[] = { "evil.com/", "a@evil.com", "evil.com#", "evil.com?",
		"evil.com:1", "a b", "", "a%2f" };

	load();
	for (size_t i = 0; i < shipped.n; i++) {
		const struct connector *k = &shipped.v[i];
		const char *const url[] = { k->issuer, k->authorization_url, k->token_url,
			k->refresh_url, k->revocation_url, k->introspection_url, k->api_base,
			k->probe_url, k->pat_url };
		struct ex_vars vars;
		char out[EX_URL], one[100];
		struct err e;

		samples(k, &vars);
		for (size_t u = 0; u < sizeof url / sizeof *url; u++)
			if (url[u] != NULL)
				expands(k, k->id, url[u], &vars);
		for (size_t v = 0; v < k->nvars; v++)
			for (size_t n = 0; n < sizeof evil / sizeof *evil && !k->var[v].text &&
			    !k->var[v].url; n++) {
				snprintf(vars.v[v].value, sizeof vars.v[0].value, "%s", evil[n]);
				snprintf(one, sizeof one, "https://x/{%s}", k->var[v].name);
				if (*evil[n] != '\0' && connector_expand(k, one, &vars, out,
				    sizeof out, &e) == 0)
					fail_msg("%s: %s took '%s'", k->id, k->var[v].name, evil[n]);
			}
	}
	catalogue_done(&shipped);
}

/* Row 25: what is always asked for stands with what asks for a refresh token. Row 19: PKCE is sent
 * to all. What nobody could try is said. */
TEST(row_25_files_fit_together)
{
	static const unsigned oauth = AUTH_OAUTH2_CODE | AUTH_CLIENT_CREDENTIALS | AUTH_PASSWORD;

	load();
	for (size_t i = 0; i < shipped.n; i++) {
		const struct connector *k = &shipped.v[i];
		bool named = k->offline_scope == NULL;

		for (size_t s = 0; s < k->nmandatory; s++)
			named |= k->offline_scope != NULL &&
			    strcmp(k->offline_scope, k->scopes_mandatory[s]) == 0;
		for (size_t s = 0; s < k->ndefault; s++)
			named |= k->offline_scope != NULL &&
			    strcmp(k->offline_scope, k->scopes_default[s]) == 0;
		if (!named)
			fail_msg("%s: nobody asks for %s", k->id, k->offline_scope);
		if (k->revoke != REVOKE_NONE && k->revocation_url == NULL && !k->discovery)
			fail_msg("%s: `revoke` without `revocation_url`", k->id);
		if (!(k->auth_types & oauth) && k->token_url != NULL)
			fail_msg("%s: a token URL nobody asks", k->id);
		if (k->refresh_absolute_s != 0 && k->refresh_idle_s > k->refresh_absolute_s)
			fail_msg("%s: idle longer than absolute", k->id);
		T_OK(k->pkce);
	}
	T_HAS(catalogue_find(&shipped, "stripe")->unverified, "revocation");
	catalogue_done(&shipped);
}

#define BARE "\"id\":\"x\",\"name\":\"X\",\"version\":1"
#define MIN "\"id\":\"x\",\"name\":\"X\",\"version\":1,\"auth_types\":[\"oauth2_code\"]," \
	"\"authorization_url\":\"https://a.example/auth\",\"token_url\":\"https://a.example/t\""

TEST(mistakes_say_where_and_what)
{
	static const struct { const char *text, *says; } table[] = {
		{ "{" MIN ",\n\"tokenurl\":\"https://x\"}", "f.json:2:1: unknown key 'tokenurl'; did "
		    "you mean 'token_url'?" },
		{ "{" MIN ",\"pkce\":false}", "pkce_off_proof" },
		{ "{" MIN ",\"revocation_url\":\"http://a.example/r\"}", "expected an https URL" },
		{ "{" MIN ",\"api_base\":\"https://{host}/api\"}", "{host} is not one of" },
		{ "{" MIN ",\"refresh\":\"often\"}", "rotating static none" },
		{ "{" MIN ",\"exchange_timeout_s\":5}", "10 to 120" },
		{ "{" MIN ",\"account_from\":\"probe\",\"account_member\":\"m\"}", "needs `probe_url`" },
		{ "{\"id\":\"X Y\",\"name\":\"X\"}", "lower-case" },
		{ "{\"name\":\"X\"}", "`id` is required" },
		{ "{\"id\":\"x\",\"name\":\"X\",\"version\":1,\"auth_types\":[\"oauth2_code\"]}",
		    "needs `authorization_url`" },
		{ "{" MIN ",\"reply_access_token\":\"a..b\"}", "expected a path" },
		{ "{" MIN ",\"reply_error\":[\"error\",\"/a~2\"]}", "expected a path" },
		{ "{" MIN ",\"reply_expires_unit\":\"weeks\"}", "auto s ms epoch_s" },
		{ "{" MIN ",\"reply_success\":{\"a[\":\"true\"}}", "expected paths" },
		{ "{" MIN ",\"capture\":{\"t\":\"authed.refresh_token\"}}", "never captured" },
		{ "{" MIN ",\"capture\":{\"t\":{\"path\":\"u\",\"type\":\"url\"}}}", "has `hosts`" },
		{ "{" MIN ",\"capture\":{\"t\":{\"path\":\"u\",\"type\":\"url\",\"hosts\":"
		    "[\"https://a.example\"]}}}", "host names in lower case" },
		{ "{" MIN ",\"capture\":{\"t\":{\"path\":\"u\",\"source\":\"x\"}}}", "path, from" },
		{ "{" MIN ",\"capture\":{\"a b\":\"u\"}}", "letters, digits" },
		{ "{" MIN ",\"capture\":{\"u\":\"u\"},\"api_base\":\"https://a.example/{u}\"}",
		    "cannot be part of a URL" },
		{ "{" MIN ",\"capture\":{\"u\":{\"path\":\"u\",\"type\":\"url\",\"hosts\":"
		    "[\".a.example\"]}},\"api_base\":\"https://{u}/api\"}", "at the beginning" },
		{ "{" MIN ",\"capture\":{\"h\":\"h\"},\"variables\":{\"h\":{}}}", "one of `variables`" },
		{ "{" MIN ",\"error_map\":{\"bad_token\":\"GrantRevokd\"}}", "did you mean "
		    "'GrantRevoked'?" },
		{ "{" MIN ",\"error_map\":{\"bad_token\":\"Sealed\"}}", "not an error that" },
		{ "{" MIN ",\"error_map\":{\"refresh:\":\"GrantRevoked\"}}", "1 to 63 bytes" },
		{ "{" BARE ",\"auth_types\":[\"api_key\"]}", "api_key needs either" },
		{ "{" BARE ",\"auth_types\":[\"api_key\"],\"api_key_header\":\"a\",\"api_key_query\":"
		    "\"b\"}", "api_key needs either" },
		{ "{" BARE ",\"auth_types\":[\"api_key\"],\"api_key_header\":\"Host\"}",
		    "not a name that can be sent" },
		{ "{" BARE ",\"auth_types\":[\"api_key\"],\"api_key_header\":\"a b\"}",
		    "not a name that can be sent" },
		{ "{" BARE ",\"auth_types\":[\"api_key\"],\"api_key_header\":\"a\",\"api_key_prefix\":"
		    "\"x\\r\\nHost: b\"}", "printable" },
		{ "{" BARE ",\"auth_types\":[\"headers\"]}", "headers needs `secret_headers`" },
		{ "{" BARE ",\"auth_types\":[\"headers\"],\"secret_headers\":{\"X\\r\\nY\":{}}}",
		    "not the name of a header" },
		{ "{" BARE ",\"auth_types\":[\"headers\"],\"secret_headers\":{\"X\":{\"lable\":\"\"}}}",
		    "a secret header has: label" },
		{ "{" BARE ",\"auth_types\":[\"basic\"],\"basic_username\":\"a\",\"basic_password\":"
		    "\"b\"}", "is what a connection brings" },
		{ "{" BARE ",\"auth_types\":[\"basic\"],\"basic_username\":\"a:b\"}", "has no ':'" },
		{ "{" BARE ",\"auth_types\":[\"oauth2_client_credentials\"]}", "`token_url`" },
		{ "{" BARE ",\"auth_types\":[\"oauth2_device\"],\"token_url\":\"https://a.b\"}",
		    "oauth2_device needs" },
		{ "{" MIN ",\"api_base\":\"https://a.example/{t}\",\"variables\":{\"t\":{\"text\":true}}}",
		    "which is no part of a URL" },
		{ "{" MIN ",\"token_params\":{\"a\":\"{nothing}\"}}", "{nothing} is not one of" },
		{ "{" MIN ",\"variables\":{\"t\":{\"suffix\":[\".a.com\",\"b.com\"]}}}", "begins with '.'" },
		{ "{" MIN ",\"variables\":{\"t\":{\"sufix\":\".a.com\"}}}", "a variable has: label" },
		{ "{" MIN ",\"variables\":{\"a b\":{}}}", "letters, digits and '_'" },
		{ "{" MIN ",\"headers\":{\"a\":\"b\\r\\nc: d\"}}", "values of visible ASCII" },
		{ "{" MIN ",\"headers\":{\"a:\":\"b\"}}", "expected headers" },
		{ "{" MIN ",\"probe_url\":\"https://a.example\",\"probe_body\":\"{}\"}", "is a POST" },
		{ "{" MIN ",\"revoke\":\"loudly\"}", "delete_bearer post_bearer query path" },
		{ "{" MIN ",\"aliases\":[\"X Y\"]}", "expected strings" },
		{ "{" MIN ",\"aliases\":[\"XY\"]}", "aliases are ids" },
		{ "[]", "a connector is an object" }, { "{", "f.json:1:" },
	};
	struct connector c;
	struct err e;

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		e = (struct err){ 0 };
		if (connector_parse("f.json", (struct slice){ table[i].text,
			strlen(table[i].text) }, &c, &e) == 0)
			fail_msg("accepted: %s", table[i].text);
		T_EQ(e.id, ERR_CONNECTOR_INVALID);
		T_HAS(e.text, table[i].says);
	}
}

static const char with_vars[] = "{" MIN ",\"api_base\":\"https://{host}/v1\",\"issuer\":"
    "\"{issuer}\",\"variables\":{\"host\":{\"default\":\"a.example\",\"suffix\":\".example\"},"
    "\"issuer\":{\"url\":true}}}";

TEST(variables_cannot_lead_elsewhere)
{
	static const struct { const char *name, *value; bool ok; } table[] = {
		{ "host", "b.example", true }, { "host", "evil.com", false },
		{ "host", "evil.com/.example", false }, { "host", "a@b.example", false },
		{ "host", "b.example:8443", false }, { "host", "evil.com#.example", false },
		{ "host", "evil.com%2f.example", false }, { "host", "..example", true },
		{ "issuer", "https://idp.corp", true }, { "issuer", "http://idp.corp", false },
		{ "issuer", "https://u@idp.corp", false }, { "issuer", "https://idp.corp?x", false },
		{ "issuer", "https://idp corp", false }, { "issuer", "file:///etc", false },
	};
	struct connector c = { 0 };
	struct err e = { 0 };

	T_DO(connector_parse("f.json", (struct slice){ with_vars, sizeof with_vars - 1 }, &c,
	    &e), e);
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct ex_vars v = { .n = 1 };
		char out[EX_URL];
		int rc;

		snprintf(v.v[0].name, EX_NAME, "%s", table[i].name);
		snprintf(v.v[0].value, sizeof v.v[0].value, "%s", table[i].value);
		rc = connector_expand(&c, strcmp(table[i].name, "host") == 0 ? c.api_base : c.issuer,
		    &v, out, sizeof out, &e);
		if ((rc == 0) != table[i].ok)
			fail_msg("%s=%s: %s", table[i].name, table[i].value, rc == 0 ? out : e.text);
	}
	connector_done(&c);
}

/* Row 16: a value is one of a list, ends in one of a list, or is text that never gets into a URL. */
TEST(row_16_values_are_held_to_what_the_file_says)
{
	static const char text[] = "{" MIN ",\"api_base\":\"https://api.{dc}/{host}\",\"token_params\":"
	    "{\"audience\":\"x {aud} {y\"},\"variables\":{\"dc\":{\"values\":[\"a.com\",\"b.com\"]},"
	    "\"host\":{\"suffix\":[\".one.com\",\".two.com\"]},\"aud\":{\"text\":true}}}";
	static const struct { const char *dc, *host; bool ok; } table[] = {
		{ "a.com", "x.one.com", true }, { "b.com", "x.two.com", true },
		{ "c.com", "x.one.com", false }, { "a.co", "x.one.com", false },
		{ "a.com b.com", "x.one.com", false }, { "a.com", ".one.com", false },
		{ "a.com", "xone.com", false }, { "a.com", "x.one.com.evil.com", false },
	};
	struct ex_vars v = { .n = 3, .v = { { "dc", "" }, { "host", "" }, { "aud", "https://q/?a={b}" } } };
	struct connector c = { 0 };
	struct err e = { 0 };
	char out[EX_URL];

	T_DO(connector_parse("f.json", (struct slice){ text, sizeof text - 1 }, &c, &e), e);
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		snprintf(v.v[0].value, sizeof v.v[0].value, "%s", table[i].dc);
		snprintf(v.v[1].value, sizeof v.v[0].value, "%s", table[i].host);
		if ((connector_expand(&c, c.api_base, &v, out, sizeof out, &e) == 0) != table[i].ok)
			fail_msg("%s %s", table[i].dc, table[i].host);
	}
	T_EQ(connector_expand_text(&c, c.token_params[0].value, &v, out, sizeof out, &e), 0);
	T_STR(out, "x https://q/?a={b} {y");
	snprintf(v.v[2].value, sizeof v.v[0].value, "a\nb");
	T_NE(connector_expand_text(&c, c.token_params[0].value, &v, out, sizeof out, &e), 0);
	connector_done(&c);
}

TEST(defaults_fill_and_missing_ones_are_asked_for)
{
	struct connector c = { 0 };
	struct ex_vars none = { 0 };
	char out[EX_URL];
	struct err e = { 0 };

	T_DO(connector_parse("f.json", (struct slice){ with_vars, sizeof with_vars - 1 }, &c,
	    &e), e);
	T_DO(connector_expand(&c, c.api_base, &none, out, sizeof out, &e), e);
	T_STR(out, "https://a.example/v1");
	T_EQ(connector_expand(&c, c.issuer, &none, out, sizeof out, &e), V_INVALID);
	T_HAS(e.text, "issuer");
	connector_done(&c);
}

TEST(a_variable_that_there_is_not_is_named)
{
	struct ex_vars v = { .n = 1, .v = { { "isuer", "https://id.example.com" } } };
	struct err e = { 0 };
	struct connector c;

	T_DO(connector_load("connectors/openid.json", &c, &e), e);
	T_NE(connector_check_vars(&c, &v, &e), 0);
	T_HAS(e.text, "did you mean 'issuer'?");
	snprintf(v.v[0].name, EX_NAME, "issuer");
	T_DO(connector_check_vars(&c, &v, &e), e);
	connector_done(&c);
}

/* Rows 17 and 22: what somebody has to bring, by type. */
TEST(row_22_each_type_says_what_it_asks_for)
{
	static const char text[] = "{" BARE ",\"auth_types\":[\"pat\",\"api_key\",\"basic\",\"headers\"],"
	    "\"api_key_query\":\"k\",\"basic_username\":\"any\",\"basic_password_label\":\"API token\","
	    "\"secret_headers\":{\"X-App\":{\"label\":\"App key\"},\"X-Key\":{}}}";
	struct connector_secret s[EX_SECRETS];
	struct connector c = { 0 };
	struct err e = { 0 };

	T_DO(connector_parse("f.json", (struct slice){ text, sizeof text - 1 }, &c, &e), e);
	T_EQ(connector_secrets(&c, AUTH_PAT, s), 1);
	T_STR(s[0].name, "token");
	T_EQ(connector_secrets(&c, AUTH_API_KEY, s), 1);
	T_STR(s[0].name, "key");
	T_EQ(connector_secrets(&c, AUTH_BASIC, s), 1);
	T_STR(s[0].name, "password");
	T_STR(s[0].label, "API token");
	T_EQ(connector_secrets(&c, AUTH_HEADERS, s), 2);
	T_STR(s[0].label, "App key");
	T_STR(s[1].label, "X-Key");
	T_EQ(connector_secrets(&c, AUTH_PASSWORD, s), 2);
	T_EQ(connector_secrets(&c, AUTH_CLIENT_CREDENTIALS, s), 0);
	connector_done(&c);
}

/* Row 48: the API's address may be learned from the provider. */
TEST(row_48_what_is_captured_is_filled_in_later)
{
	static const char text[] = "{" MIN ",\"api_base\":\"{site}/v3/{host}/{realm}\",\"variables\":"
	    "{\"host\":{\"default\":\"h\"}},\"capture\":{\"site\":{\"path\":\"u\",\"type\":\"url\","
	    "\"hosts\":[\".a.example\"]},\"realm\":{\"path\":\"r\",\"from\":\"callback\",\"type\":"
	    "\"id\"}}}";
	struct connector c = { 0 };
	struct ex_vars none = { 0 }, got = { .n = 1, .v = { { "site", "https://x.a.example" } } };
	char half[EX_URL], out[EX_URL];
	struct err e = { 0 };

	T_DO(connector_parse("f.json", (struct slice){ text, sizeof text - 1 }, &c, &e), e);
	T_DO(connector_expand(&c, c.api_base, &none, half, sizeof half, &e), e);
	T_STR(half, "{site}/v3/h/{realm}");
	T_NOT(connector_fill(half, &got, out, sizeof out));
	got.n = 2;
	strcpy(got.v[1].name, "realm");
	strcpy(got.v[1].value, "42");
	T_OK(connector_fill(half, &got, out, sizeof out));
	T_STR(out, "https://x.a.example/v3/h/42");
	T_NOT(connector_fill(half, &got, out, 10));
	connector_done(&c);
}

TEST(what_a_provider_calls_an_error_may_depend_on_the_request)
{
	static const char text[] = "{" MIN ",\"error_map\":{\"refresh:gone\":\"GrantRevoked\","
	    "\"code:gone\":\"CodeRejected\",\"busy\":\"Throttled\"}}";
	struct connector c = { 0 };
	struct err e = { 0 };

	T_DO(connector_parse("f.json", (struct slice){ text, sizeof text - 1 }, &c, &e), e);
	T_EQ(connector_error(&c, "gone", true), ERR_GRANT_REVOKED);
	T_EQ(connector_error(&c, "gone", false), ERR_CODE_REJECTED);
	T_EQ(connector_error(&c, "busy", false), ERR_THROTTLED);
	T_EQ(connector_error(&c, "refresh:gone", true), ERR_NONE);
	T_EQ(connector_error(NULL, "busy", true), ERR_NONE);
	connector_done(&c);
}

TEST(a_path_leads_to_one_member_or_nowhere)
{
	static const char text[] = "{\"a\":{\"b\":\"1\",\"c.d\":\"2\",\"e/f\":\"3\",\"0\":\"4\"},"
	    "\"l\":[{\"m\":\"5\"},[\"6\"]],\"\":\"7\"}";
	static const struct { const char *path, *leads; bool valid; } t[] = {
		{ "a.b", "1", true }, { "/a/b", "1", true }, { "/a/c.d", "2", true },
		{ "/a/e~1f", "3", true }, { "a.0", "4", true }, { "/a/0", "4", true },
		{ "l[0].m", "5", true }, { "/l/0/m", "5", true }, { "l[1][0]", "6", true },
		{ "/", "7", true }, { "a.c.d", NULL, true }, { "l[2]", NULL, true },
		{ "a[0]", NULL, true }, { "l.m", NULL, true }, { "a.b.c", NULL, true },
		{ "/a/", NULL, true }, { "a..b", NULL, false }, { ".a", NULL, false },
		{ "a.", NULL, false }, { "a[", NULL, false }, { "a[x]", NULL, false },
		{ "a[-1]", NULL, false }, { "a[123456]", NULL, false }, { "a]b", NULL, true },
		{ "/a~2", NULL, false }, { "a[0]b", NULL, false },
		{ "a.b.c.d.e.f.g.h.i", NULL, false },
		{ "a0123456789012345678901234567890123456789012345678901234567890123456789", NULL,
		    false },
	};
	json_auto_t *o = json_loads(text, 0, NULL);

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		const char *s = json_string_value(jsonpath_get(o, t[i].path));

		if (jsonpath_valid(t[i].path) != t[i].valid)
			fail_msg("%s is %svalid", t[i].path, t[i].valid ? "not " : "");
		if ((s == NULL) != (t[i].leads == NULL) || (s != NULL && strcmp(s, t[i].leads) != 0))
			fail_msg("%s leads to %s", t[i].path, s == NULL ? "nothing" : s);
	}
	T_OK(jsonpath_get(o, "") == o);
	T_OK(jsonpath_has("a.refresh_token", "refresh_token"));
	T_OK(jsonpath_has("/a/refresh_token/x", "refresh_token"));
	T_NOT(jsonpath_has("a.refresh_token_expires", "refresh_token"));
}

/* ---- versions */

static void
put(const char *dir, const char *name, const char *id, int version, const char *more)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	f = fopen(path, "w");
	T_OK(f != NULL);
	fprintf(f, "{\"id\":\"%s\",\"name\":\"X\",\"version\":%d,\"auth_types\":[\"pat\"]%s}", id,
	    version, more);
	fclose(f);
}

static void
refused(const char *dir, const char *says)
{
	struct catalogue c = { 0 };
	struct err e = { 0 };

	T_NE(catalogue_load(dir, &c, &e), 0);
	T_EQ(e.id, ERR_CONNECTOR_INVALID);
	T_HAS(e.text, says);
}

/* Row 7: what was made with a version goes on by it; what is withdrawn is told from what never
 * was. */
TEST(row_7_versions_are_kept)
{
	char dir[64], old[80];
	struct catalogue c = { 0 };
	struct err e = { 0 };

	unit_dir("versions", dir);
	snprintf(old, sizeof old, "%s/old", dir);
	put(dir, "a.json", "a", 4, ",\"aliases\":[\"alpha\"]");
	T_DO(catalogue_load(dir, &c, &e), e);
	T_EQ(catalogue_pinned(&c, "a", 1)->version, 4);
	catalogue_done(&c);
	T_EQ(mkdir(old, 0700), 0);
	put(old, "a@1.json", "a", 1, "");
	put(old, "a@3.json", "a", 3, "");
	put(old, "gone@1.json", "gone", 1, "");
	T_DO(catalogue_load(dir, &c, &e), e);
	T_EQ(catalogue_find(&c, "a")->version, 4);
	T_EQ(catalogue_find(&c, "alpha")->version, 4);
	T_EQ(catalogue_pinned(&c, "a", 1)->version, 1);
	T_EQ(catalogue_pinned(&c, "a", 2)->version, 3);		/* 2 was not kept */
	T_EQ(catalogue_pinned(&c, "a", 3)->version, 3);
	T_EQ(catalogue_pinned(&c, "a", 4)->version, 4);
	T_OK(catalogue_find(&c, "gone") == NULL);		/* nothing new of it */
	T_EQ(catalogue_pinned(&c, "gone", 1)->version, 1);	/* what there is goes on */
	T_OK(catalogue_pinned(&c, "never", 1) == NULL);
	catalogue_done(&c);
	put(old, "a@4.json", "a", 4, "");
	refused(dir, "not older than version 4");
	put(old, "a@4.json", "a", 3, "");
	refused(dir, "is in ");
	put(old, "a@4.json", "b", 1, "");
	put(dir, "b.json", "alpha", 2, "");
	refused(dir, "connector 'alpha' is in ");
	put(dir, "b.json", "a", 2, "");
	refused(dir, "connector 'a' is in ");
}

/* ---- the schema that editors use is the table of keys */

static const char *
schema_type(enum connector_key_type t)
{
	switch (t) {
	case K_UINT:
		return "integer";
	case K_BOOL:
		return "boolean";
	case K_STRINGS:
	case K_AUTH_TYPES:
		return "array";
	case K_PAIRS:
	case K_VARS:
	case K_CAPTURE:
	case K_ERROR_MAP:
	case K_HEADERS:
	case K_LINES:
		return "object";
	case K_STR:
	case K_URL:
	case K_PATH:
		return "string";
	default:
		return NULL;		/* said by `enum` or `anyOf` */
	}
}

TEST(the_schema_is_the_table_of_keys)
{
	struct err e = { 0 };
	AUTO(buf) text = { 0 };
	json_auto_t *o = json_parse_file("docs/connector.schema.json", 1 << 20, &text, &e);
	json_t *keys = json_object_get(o, "properties");
	size_t n = 0;

	T_OK(o != NULL);
	for (const struct connector_key *k = connector_keys; k->name != NULL; k++, n++) {
		json_t *p = json_object_get(keys, k->name), *words = json_object_get(p, "enum");
		const char *type = schema_type(k->type);

		if (p == NULL || (type != NULL && (json_string_value(json_object_get(p, "type")) ==
		    NULL || strcmp(json_string_value(json_object_get(p, "type")), type) != 0)))
			fail_msg("%s is not %s in the schema", k->name, type);
		if ((k->type == K_ENUM) != json_is_array(words))
			fail_msg("%s: an enum on one side alone", k->name);
		for (size_t i = 0; k->type == K_ENUM && (k->words[i] != NULL ||
		    i < json_array_size(words)); i++)
			if (k->words[i] == NULL || i >= json_array_size(words) ||
			    strcmp(k->words[i], json_string_value(json_array_get(words, i))) != 0)
				fail_msg("%s: word %zu differs in the schema", k->name, i);
		if (json_string_length(json_object_get(p, "description")) < 10)
			fail_msg("%s has no description in the schema", k->name);
		if (type != NULL && strcmp(type, "array") != 0 && k->max > 0 &&
		    json_integer_value(json_object_get(p, "maxProperties")) != (json_int_t)k->max)
			fail_msg("%s: at most %zu", k->name, k->max);
	}
	T_EQ(json_object_size(keys), n + 2);		/* and $schema, $comment */
}

int
main(void)
{
	return unit_run();
}

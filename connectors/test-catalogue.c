#include "tests/unit.h"

#include "common/auto.h"
#include "common/errors.h"
#include "connectors/catalogue.h"

TEST(the_shipped_catalogue_loads)
{
	static const char *const ids[] = { "github", "github-app", "gitlab", "google",
		"microsoft-graph", "openid" };
	struct catalogue c = { 0 };
	struct err e = { 0 };

	T_DO(catalogue_load("connectors", &c, &e), e);
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		const struct connector *k = catalogue_find(&c, ids[i]);

		if (k == NULL)
			fail_msg("%s is missing", ids[i]);
		T_OK(k->version >= 1 && k->pkce);
	}
	T_OK(catalogue_find(&c, "nothing") == NULL);
	catalogue_done(&c);
}

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

int
main(void)
{
	return unit_run();
}

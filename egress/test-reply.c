#include "tests/unit.h"

#include <arpa/inet.h>

#include "common/auto.h"
#include "common/errors.h"
#include "egress/allow.h"
#include "egress/diagnose.h"

static struct slice
str(const char *s)
{
	return (struct slice){ s, strlen(s) };
}

struct good {
	const char	*body, *type, *access, *refresh, *scope;
	uint32_t	 expires;
};

/* What providers really answer. */
static const struct good good[] = {
	{ "{\"access_token\":\"a\",\"token_type\":\"bearer\",\"expires_in\":3600,"
	  "\"refresh_token\":\"r\",\"scope\":\"x y\"}", "application/json", "a", "r", "x y", 3600 },
	{ "access_token=gho_1&scope=repo%2Cuser&token_type=bearer",
	  "application/x-www-form-urlencoded", "gho_1", "", "repo user", 0 },
	{ "access_token=a&expires_in=5", "text/plain", "a", "", "", 5 },
	{ "{\"access_token\":\"a\",\"expires_in\":\"28800\",\"refresh_token\":\"\"}", "", "a", "",
	  "", 28800 },
	{ "{\"access_token\":\"a\",\"expires_in\":59.9,\"refresh_token\":null,\"scope\":[\"p\","
	  "\"q\"]}", "", "a", "", "p q", 59 },
	{ "  {\"access_token\":\"a\",\"expires_in\":0}", "", "a", "", "", 0 },
	{ "\xef\xbb\xbf{\"access_token\":\"a\",\"token_type\":\"BEARER\"}", "", "a", "", "", 0 },
	{ "{\"access_token\":\"a\",\"token_type\":\"bot\",\"scope\":\"b,a\"}", "", "a", "", "b a", 0 },
	{ "access_token=a+b%2Bc&scope=&refresh_token=r\n", "text/plain; charset=utf-8", "a b+c", "r", "",
	    0 },
	{ "access_token=a&expires=5184000", "text/plain", "a", "", "", 5184000 },
	{ "{\"access_token\":\"a\",\"refresh_token\":7,\"scope\":7,\"token_type\":{}}", "text/html", "a",
	    "", "", 0 },
	{ "{\"access_token\":\"a\",\"expires_in\":-1,\"extra\":{\"b\":[1,2]}}", "", "a", "", "",
	  0 },
};

TEST(answers_of_all_kinds_are_read)
{
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		const struct good *g = &good[i];
		struct reply r = { 0 };
		struct err e = { 0 };

		T_DO(reply_parse(str(g->body), g->type, NULL, &r, &e), e);
		T_OK(secret_equal(&r.access_token, g->access, strlen(g->access)));
		T_OK(secret_equal(&r.refresh_token, g->refresh, strlen(g->refresh)));
		T_STR(r.scope, g->scope);
		T_EQ(r.expires.in_s, g->expires);
		T_STR(r.token_type, "Bearer");
		T_STR(r.error, "");
		reply_done(&r);
	}
}

/* A connector read from text as it stands in a file. */
static void
connector_of(const char *keys, struct connector *ret)
{
	char text[4000];
	struct err e = { 0 };

	snprintf(text, sizeof text, "{\"id\":\"x\",\"name\":\"X\",\"version\":1,\"auth_types\":[\"pat\"]"
	    "%s%s}", *keys != '\0' ? "," : "", keys);
	T_DO(connector_parse("f.json", str(text), ret, &e), e);
}

TEST(tokens_come_from_one_object_of_the_answer)
{
	static const struct { const char *body, *access, *refresh, *scope; } t[] = {
		{ "{\"ok\":true,\"access_token\":\"bot\",\"refresh_token\":\"bot-r\",\"authed_user\":{"
		  "\"access_token\":\"user\",\"scope\":\"a,b\"}}", "user", "", "a b" },
		{ "{\"ok\":true,\"access_token\":\"bot\",\"refresh_token\":\"bot-r\",\"authed_user\":{"
		  "\"id\":\"U1\"}}", "bot", "bot-r", "" },
		{ "{\"ok\":true,\"authed_user\":\"x\"}", "", "", "" },
	};
	struct connector c = { 0 };

	connector_of("\"reply_root\":[\"authed_user\",\"\"]", &c);
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct reply r = { 0 };
		struct err e = { 0 };

		T_DO(reply_parse(str(t[i].body), "", &c, &r, &e), e);
		T_OK(secret_equal(&r.access_token, t[i].access, strlen(t[i].access)));
		T_OK(secret_equal(&r.refresh_token, t[i].refresh, strlen(t[i].refresh)));
		T_STR(r.scope, t[i].scope);
		reply_done(&r);
	}
	connector_done(&c);
}

TEST(members_may_have_other_names)
{
	static const char body[] = "{\"data\":{\"token\":\"a\",\"renew\":\"r\",\"kind\":\"BEARER\",\"perms\":"
	    "[\"x\",\"y,z\"],\"left\":\"0:01:00\",\"renew_ms\":7200000},\"done\":1}";
	struct connector c = { 0 };
	struct reply r = { 0 };
	struct err e = { 0 };

	connector_of("\"reply_access_token\":\"data.token\",\"reply_refresh_token\":\"/data/renew\","
	    "\"reply_token_type\":\"data.kind\",\"reply_scope\":\"data.perms\",\"reply_expires\":"
	    "\"data.left\",\"reply_expires_unit\":\"d_hh_mm\",\"reply_refresh_expires\":"
	    "\"data.renew_ms\",\"reply_refresh_expires_unit\":\"ms\",\"reply_success\":{\"done\":\"1\"}",
	    &c);
	T_DO(reply_parse(str(body), "", &c, &r, &e), e);
	T_OK(secret_equal(&r.access_token, "a", 1));
	T_OK(secret_equal(&r.refresh_token, "r", 1));
	T_STR(r.token_type, "Bearer");
	T_STR(r.scope, "x y z");
	T_EQ(r.expires.in_s, 3600);
	T_EQ(r.refresh_expires.in_s, 7200);
	T_STR(r.error, "");
	reply_done(&r);
	connector_done(&c);
}

TEST(errors_are_where_a_provider_puts_them)
{
	static const struct { const char *keys, *body, *error, *text; } t[] = {
		{ "", "{\"error\":\"invalid_grant\",\"error_description\":\"gone\"}", "invalid_grant",
		  "gone" },
		{ "", "{\"error\":{\"type\":\"T\",\"message\":\"m\"}}", "T", "m" },
		{ "", "{\"error\":{\"code\":17}}", "17", "" },
		{ "", "{\"error\":{}}", "error", "" },
		{ "", "{\"error\":true,\"message\":\"no\"}", "error", "no" },
		{ "", "{\"errorCode\":\"E0000011\",\"errorSummary\":\"bad\"}", "E0000011", "bad" },
		{ "", "{\"errors\":[{\"code\":\"c\",\"message\":\"m\"}]}", "c", "m" },
		{ "", "{\"ok\":false}", "not_ok", "" }, { "", "{\"success\":false}", "not_ok", "" },
		{ "", "{\"success\":false,\"access_token\":\"a\",\"code\":5}", "5", "" },
		{ "", "{\"access_token\":\"a\",\"code\":200,\"message\":\"fine\"}", "", "" },
		{ "", "{\"access_token\":\"a\",\"error\":\"\"}", "", "" },
		{ "", "{\"access_token\":\"a\",\"error\":null}", "", "" },
		{ "", "{\"access_token\":\"a\",\"error\":\"late\"}", "late", "" },
		{ "", "{}", "", "" },
		{ "\"reply_success\":{\"status\":\"0\"}", "{\"access_token\":\"a\",\"status\":1}", "not_ok",
		  "" },
		{ "\"reply_success\":{\"status\":\"0\"}", "{\"access_token\":\"a\",\"status\":0}", "", "" },
		{ "\"reply_error\":[\"fault.code\",\"error\"],\"reply_error_text\":\"fault.text\"",
		  "{\"error\":\"x\",\"fault\":{\"code\":\"y\",\"text\":\"z\"}}", "y", "z" },
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct connector c = { 0 };
		struct reply r = { 0 };
		struct err e = { 0 };

		connector_of(t[i].keys, &c);
		T_DO(reply_parse(str(t[i].body), "", &c, &r, &e), e);
		if (strcmp(r.error, t[i].error) != 0 || strcmp(r.description, t[i].text) != 0)
			fail_msg("%s: '%s' '%s'", t[i].body, r.error, r.description);
		reply_done(&r);
		connector_done(&c);
	}
}

/* Row 58: what is too large, too deep or hostile is no answer, and nothing else happens. */
TEST(row_58_limits)
{
	static char big[(1 << 20) + 100];
	struct reply r = { 0 };
	struct err e = { 0 };
	int n = snprintf(big, sizeof big, "{\"access_token\":\"");

	memset(big + n, 'k', 64 << 10);
	strcpy(big + n + (64 << 10), "\"}");
	T_DO(reply_parse(str(big), "", NULL, &r, &e), e);
	T_EQ(r.access_token.len, 64 << 10);
	reply_done(&r);
	strcpy(big + n + (64 << 10), "k\"}");
	T_EQ(reply_parse(str(big), "", NULL, &r, &e), V_CORRUPT);
	reply_done(&r);
	n = snprintf(big, sizeof big, "{\"access_token\":\"a\"}");
	memset(big + n, ' ', sizeof big - (size_t)n);
	T_DO(reply_parse((struct slice){ big, 1 << 20 }, "", NULL, &r, &e), e);
	reply_done(&r);
	T_EQ(reply_parse((struct slice){ big, (1 << 20) + 1 }, "", NULL, &r, &e), V_CORRUPT);
	memset(big, '[', 100000);
	T_EQ(reply_parse((struct slice){ big, 100000 }, "", NULL, &r, &e), V_CORRUPT);
	memcpy(big, "{\"a\":", 5);
	T_EQ(reply_parse((struct slice){ big, 100000 }, "", NULL, &r, &e), V_CORRUPT);
	n = 0;
	for (int i = 0; i < 300; i++)
		n += snprintf(big + n, sizeof big - (size_t)n, "a%d=&", i);
	T_EQ(reply_parse((struct slice){ big, (size_t)n }, "", NULL, &r, &e), V_CORRUPT);
	reply_done(&r);
}

static void
jwt_of(const char *claims, struct secret *ret);

/* Row 18: `expires_in` is absent, and the token itself says when it ends. */
TEST(row_18_the_end_of_a_jwt)
{
	AUTO(secret) jwt = { 0 };
	char body[1200];
	struct connector c = { .default_expires_s = 600 };
	struct reply r = { 0 };
	struct err e = { 0 };

	jwt_of("{\"exp\":1893456000}", &jwt);
	snprintf(body, sizeof body, "{\"access_token\":\"%.*s\"}", (int)jwt.len, (char *)jwt.p);
	T_DO(reply_parse(str(body), "", NULL, &r, &e), e);
	T_EQ(r.expires.at, 1893456000);
	reply_done(&r);
	r = (struct reply){ 0 };
	T_DO(reply_parse(str(body), "", &c, &r, &e), e);	/* the connector knows better */
	T_EQ(r.expires.at, 0);
	reply_done(&r);
	r = (struct reply){ 0 };
	snprintf(body, sizeof body, "{\"access_token\":\"%.*s\",\"expires_in\":60}", (int)jwt.len,
	    (char *)jwt.p);
	T_DO(reply_parse(str(body), "", NULL, &r, &e), e);
	T_EQ(r.expires.in_s, 60);
	T_EQ(r.expires.at, 0);
	reply_done(&r);
}

TEST(what_is_no_answer_is_said_so)
{
	static const struct { const char *body, *type; } bad[] = {
		{ "", "" }, { "<html>x=1</html>", "text/html" }, { "nonsense", "text/plain" },
		{ "{\"access_token\":\"a\"", "application/json" }, { "[1]", "application/json" },
		{ "{\"access_token\":\"a\",\"access_token\":\"b\"}", "application/json" },
		{ "a=1&a=2", "text/plain" }, { "a=%00", "" }, { "=x", "" }, { "a=1&b", "" },
		{ "a=%ff%fe", "" }, { "\xef\xbb\xbf", "" }, { " \n", "" }, { "<a b=\"1\">", "" },
		{ "{\"access_token\":\"a\nb\"}", "" }, { "{\"access_token\":\"a\\nb\"}", "" },
		{ "{\"access_token\":\"\303\251\"}", "" }, { "access_token=a%0d%0aX-Evil%3a+1", "" },
		{ "{\"access_token\":\"a\"} trailing", "" }, { "\"access_token=1\"", "application/json" },
		{ "{\"access_token\":\"a\\u0000b\"}", "" },
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct reply r = { 0 };
		struct err e = { 0 };

		T_NE(reply_parse(str(bad[i].body), bad[i].type, NULL, &r, &e), 0);
		reply_done(&r);
	}
}

TEST(known_secrets_leave_the_text)
{
	AUTO(secret) s = { 0 }, stars = { 0 };
	struct err e;
	char text[] = "token s3cr3t-token is not s3cr3t-token", cut[] = "it was s3cr3t-to";
	char same[] = "all **** here ****";

	T_EQ(secret_set(&s, "s3cr3t-token", 12, &e), 0);
	redact(text, sizeof text, &s);
	T_STR(text, "token ************ is not ************");
	redact(cut, sizeof cut, &s);		/* descriptions are cut at 511 */
	T_STR(cut, "it was *********");
	T_EQ(secret_set(&stars, "****", 4, &e), 0);
	redact(same, sizeof same, &stars);
	T_STR(same, "all **** here ****");
}

/* "invalid_client" decides whose move it is, and a client secret may begin with "client". */
TEST(a_word_that_a_secret_begins_with_stays)
{
	AUTO(secret) s = { 0 };
	struct err e;
	char code[64] = "invalid_client", part[64] = "it was client-secret-0123", most[] = "a client-s";

	T_EQ(secret_set(&s, "client-secret-0123456789", 24, &e), 0);
	redact(code, sizeof code, &s);
	T_STR(code, "invalid_client");
	redact(part, sizeof part, &s);	/* a provider that cuts it itself */
	T_STR(part, "it was ******************");
	redact(most, sizeof most, &s);
	T_STR(most, "a ********");
}

TEST(an_end_may_be_said_as_a_time)
{
	static const struct { const char *body; uint32_t in; int64_t at; } table[] = {
		{ "{\"access_token\":\"a\",\"expires_at\":1893456000}", 0, 1893456000 },
		{ "{\"access_token\":\"a\",\"expires_at\":\"1893456000000\"}", 0, 1893456000 },
		{ "{\"access_token\":\"a\",\"expires_at\":12}", 0, 0 },
		{ "{\"access_token\":\"a\",\"expires_in\":0.5}", 1, 0 },
		{ "{\"access_token\":\"a\",\"expires_in\":\"soon\"}", 0, 0 },
		{ "{\"access_token\":\"a\",\"expires_in\":1e300}", 0, 0 },
	};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct reply r = { 0 };
		struct err e = { 0 };

		T_DO(reply_parse(str(table[i].body), "", NULL, &r, &e), e);
		T_EQ(r.expires.in_s, table[i].in);
		T_EQ(r.expires.at, table[i].at);
		reply_done(&r);
	}
}

TEST(what_is_captured_is_never_a_grant_secret)
{
	static char team[] = "team", id[] = "team.id", copy[] = "copy", inner[] = "copy",
	    rt[] = "rt", path[] = "deep.refresh_token", member[] = "owner";
	struct connector c = { .account_from = ACCOUNT_ANSWER, .account_member = member,
		.capture = { { .name = team, .path = id }, { .name = copy, .path = inner },
			{ .name = rt, .path = path } }, .ncapture = 3 };
	char secret[400], body[2000];
	struct reply r = { 0 };
	struct err e = { 0 };

	memset(secret, 'k', sizeof secret - 1);		/* longer than a captured value may be */
	secret[sizeof secret - 1] = '\0';
	snprintf(body, sizeof body, "{\"access_token\":\"a\",\"refresh_token\":\"%s\","
	    "\"owner\":\"it is %s\",\"team\":{\"id\":\"T1\"},\"copy\":\"%s\","
	    "\"deep\":{\"refresh_token\":\"other\"}}", secret, secret, secret);
	T_DO(reply_parse(str(body), "", &c, &r, &e), e);
	T_EQ(r.captured.n, 1);
	T_STR(ex_var(&r.captured, "team"), "T1");
	T_STR(r.account, "");
	reply_done(&r);
}

static void
jwt_of(const char *claims, struct secret *ret)
{
	char text[1000] = "e30.";
	struct err e;

	b64url_encode(claims, strlen(claims), text + 4);
	strcat(text, ".sig");
	T_EQ(secret_set(ret, text, strlen(text), &e), 0);
}

TEST(a_name_to_compare_is_whole_or_not_there)
{
	static const struct { const char *in, *out; } t[] = {
		{ "alice", "alice" }, { "jos\303\251@x", "jos\303\251@x" },
		{ "jos\303\250@x", "jos\303\250@x" }, { "a\nb", "" }, { "a\302\233b", "" },
		{ "0123456789abcdef", "" },		/* does not fit */
	};
	char out[16];

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		json_auto_t *v = json_string(t[i].in);

		*out = '\0';
		reply_name(v, out, sizeof out);
		T_STR(out, t[i].out);
	}
}

TEST(claims_of_an_id_token)
{
	static const char *const bad[] = { "", "a", "a.b", "a.!.c", "..", "a.e30" };
	AUTO(secret) jwt = { 0 };
	struct id_claims c;
	struct err e = { 0 };

	jwt_of("{\"iss\":\"https://i\",\"aud\":[\"x\",\"me\"],\"nonce\":\"n\",\"email\":\"a@b\"}",
	    &jwt);
	T_DO(reply_id_token(&jwt, "me", "email", &c, &e), e);
	T_STR(c.iss, "https://i");
	T_STR(c.nonce, "n");
	T_STR(c.account, "a@b");
	T_OK(c.aud_ok);
	T_DO(reply_id_token(&jwt, "somebody", "email", &c, &e), e);
	T_NOT(c.aud_ok);
	jwt_of("[1]", &jwt);
	T_EQ(reply_id_token(&jwt, "me", NULL, &c, &e), V_CORRUPT);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		T_EQ(secret_set(&jwt, bad[i], strlen(bad[i]), &e), 0);
		T_EQ(reply_id_token(&jwt, "me", NULL, &c, &e), V_CORRUPT);
	}
}

static bool
allowed(struct allow *a, const char *ip)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
	struct sockaddr_in four = { .sin_family = AF_INET };

	if (inet_pton(AF_INET, ip, &four.sin_addr) == 1)
		return allow_address(a, (struct sockaddr *)&four);
	T_EQ(inet_pton(AF_INET6, ip, &six.sin6_addr), 1);
	return allow_address(a, (struct sockaddr *)&six);
}

TEST(addresses_that_are_not_the_internet_are_closed_unless_listed)
{
	static const char *const closed[] = { "127.0.0.1", "10.1.2.3", "172.16.0.1",
		"192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "::1", "::",
		"fe80::1", "fd00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
		"255.255.255.255", "::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1",
		"2002:7f00:1::", "2001::1", "fec0::1" };
	static char one[] = "127.0.0.1", two[] = "10.1.0.0/16", three[] = "fd00::/64";
	static char name[] = "localhost";
	char *list[] = { one, two, three };
	struct conf_list l = { list, 3 }, none = { 0 };
	struct allow a;
	struct err e = { 0 };

	T_DO(allow_init(&a, &none, &none, &e), e);
	for (size_t i = 0; i < sizeof closed / sizeof *closed; i++)
		if (allowed(&a, closed[i]))
			fail_msg("%s is open", closed[i]);
	T_OK(allowed(&a, "140.82.121.4"));
	T_OK(allowed(&a, "2606:50c0::1"));
	T_OK(allow_host(&a, "anything"));
	T_DO(allow_init(&a, &l, &none, &e), e);
	T_OK(allowed(&a, "127.0.0.1"));
	T_NOT(allowed(&a, "127.0.0.2"));
	T_OK(allowed(&a, "10.1.255.1"));
	T_NOT(allowed(&a, "10.2.0.1"));
	T_OK(allowed(&a, "::ffff:127.0.0.1"));
	T_OK(allowed(&a, "fd00::5"));
	T_NOT(allowed(&a, "fd00:0:0:1::5"));
	allow_done(&a);
	list[0] = name;
	T_EQ(allow_init(&a, &l, &none, &e), V_INVALID);
	allow_done(&a);
}

TEST(hosts_by_name_and_suffix)
{
	static char one[] = "login.example.com", two[] = ".corp.example";
	char *list[] = { one, two };
	struct conf_list l = { list, 2 }, none = { 0 };
	struct allow a;
	struct err e = { 0 };

	T_DO(allow_init(&a, &none, &l, &e), e);
	T_OK(allow_host(&a, "LOGIN.example.com"));
	T_OK(allow_host(&a, "a.corp.example"));
	T_NOT(allow_host(&a, "corp.example"));
	T_NOT(allow_host(&a, "evil-corp.example"));
	T_NOT(allow_host(&a, "login.example.com.evil"));
}

int
main(void)
{
	struct err e;

	return secret_arena_init(1 << 20, false, &e) != 0 ? 1 : unit_run();
}

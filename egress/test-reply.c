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
		T_EQ(r.expires_in_s, g->expires);
		T_STR(r.token_type, "Bearer");
		T_STR(r.error, "");
		reply_done(&r);
	}
}

TEST(what_is_no_answer_is_said_so)
{
	static const struct { const char *body, *type; } bad[] = {
		{ "", "" }, { "<html>x=1</html>", "text/html" }, { "nonsense", "text/plain" },
		{ "{\"access_token\":\"a\"", "application/json" }, { "[1]", "application/json" },
		{ "{\"access_token\":\"a\",\"access_token\":\"b\"}", "application/json" },
		{ "a=1&a=2", "text/plain" }, { "{\"access_token\":\"a\\u0000b\"}", "" },
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct reply r = { 0 };
		struct err e = { 0 };

		T_NE(reply_parse(str(bad[i].body), bad[i].type, NULL, &r, &e), 0);
		reply_done(&r);
	}
}

struct verdict {
	enum exchange_kind	 kind;
	unsigned		 status;
	uint32_t		 retry_after;
	const char		*body;
	enum phase		 phase;
	enum err_id		 id;
};

static const struct verdict verdicts[] = {
	{ EX_REFRESH, 200, 0, "{\"access_token\":\"a\"}", PHASE_ANSWERED, ERR_NONE },
	{ EX_REFRESH, 400, 0, "{\"error\":\"invalid_grant\"}", PHASE_REJECTED, ERR_GRANT_REVOKED },
	{ EX_CODE, 400, 0, "{\"error\":\"invalid_grant\"}", PHASE_REJECTED, ERR_CODE_REJECTED },
	{ EX_REFRESH, 200, 0, "{\"error\":\"bad_refresh_token\"}", PHASE_REJECTED,
	    ERR_GRANT_REVOKED },
	{ EX_REFRESH, 200, 0, "{\"ok\":false,\"error\":\"token_revoked\"}", PHASE_REJECTED,
	    ERR_GRANT_REVOKED },
	{ EX_REFRESH, 401, 0, "{\"error\":\"invalid_client\"}", PHASE_REJECTED,
	    ERR_CLIENT_SECRET_WRONG },
	{ EX_REFRESH, 403, 0, "{\"error\":\"unauthorized_client\",\"error_description\":"
	    "\"refresh_token is invalid\"}", PHASE_REJECTED, ERR_GRANT_REVOKED },
	{ EX_REFRESH, 400, 0, "", PHASE_REJECTED, ERR_PROVIDER_REFUSED },
	{ EX_REFRESH, 401, 0, "", PHASE_REJECTED, ERR_CLIENT_SECRET_WRONG },
	{ EX_REFRESH, 400, 0, "{\"error\":\"invalid_grant\",\"error_description\":"
	    "\"AADSTS50076: Due to a configuration change\"}", PHASE_REJECTED,
	    ERR_SIGNIN_REQUIRED },
	{ EX_REFRESH, 401, 0, "{\"error\":\"unauthorized_client\",\"error_description\":"
	    "\"AADSTS7000222: The provided client secret keys are expired\"}", PHASE_REJECTED,
	    ERR_CLIENT_SECRET_WRONG },
	{ EX_CODE, 400, 0, "{\"error\":\"invalid_grant\",\"error_description\":"
	    "\"AADSTS70008: expired\"}", PHASE_REJECTED, ERR_CODE_REJECTED },
	{ EX_REFRESH, 400, 0, "{\"error\":\"invalid_grant\",\"error_description\":"
	    "\"AADSTS12345: new to us\"}", PHASE_REJECTED, ERR_GRANT_REVOKED },
	{ EX_REFRESH, 429, 0, "{\"error\":\"invalid_grant\"}", PHASE_REJECTED, ERR_THROTTLED },
	{ EX_REFRESH, 503, 30, "", PHASE_REJECTED, ERR_THROTTLED },
	{ EX_REFRESH, 503, 0, "", PHASE_AMBIGUOUS, ERR_PROVIDER_DOWN },
	{ EX_REFRESH, 500, 0, "{\"error\":\"server_error\"}", PHASE_AMBIGUOUS, ERR_PROVIDER_DOWN },
	{ EX_REFRESH, 502, 0, "<html>", PHASE_AMBIGUOUS, ERR_PROVIDER_DOWN },
	{ EX_REFRESH, 200, 0, "<html>", PHASE_AMBIGUOUS, ERR_BAD_ANSWER },
	{ EX_REFRESH, 302, 0, "", PHASE_REJECTED, ERR_BAD_ANSWER },
	{ EX_REFRESH, 404, 0, "", PHASE_REJECTED, ERR_WRONG_TENANT },
	{ EX_REFRESH, 400, 0, "{\"error\":\"interaction_required\"}", PHASE_REJECTED,
	    ERR_SIGNIN_REQUIRED },
};

TEST(each_answer_has_its_phase_and_its_name)
{
	for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++) {
		const struct verdict *v = &verdicts[i];
		struct http_answer a = { .phase = PHASE_ANSWERED, .status = v->status,
			.retry_after_s = v->retry_after };
		struct exchange_result res = { 0 };
		struct reply r = { 0 };
		struct err e;
		int rc = reply_parse(str(v->body), v->body[0] == '<' ? "text/html" : "", NULL, &r, &e);

		diagnose(v->kind, &a, rc == 0 ? &r : NULL, &res);
		if (res.phase != v->phase || res.err.id != v->id)
			fail_msg("row %zu: phase %s id %d text %s", i, phase_name(res.phase), res.err.id,
			    res.err.text);
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
		T_EQ(r.expires_in_s, table[i].in);
		T_EQ(r.expires_at, table[i].at);
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

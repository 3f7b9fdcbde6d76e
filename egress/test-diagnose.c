/* What is seen of a provider's "no", and the named error, owner and phase it comes to: rows 51, 56
 * and 57. */
#include "tests/unit.h"

#include "common/auto.h"
#include "common/errors.h"
#include "egress/diagnose.h"

struct seen {
	enum asked	 asked;
	enum client_auth auth;
	unsigned	 status;
	const char	*body;
	enum phase	 phase;
	enum err_id	 id;
	/* not often needed */
	int		 skew, retry_after;
	bool		 reserved;
	const char	*keys;		/* of the connector */
};

#define CODE ASKED_CODE
#define REFR ASKED_REFRESH
#define ERROR(name) "{\"error\":\"" name "\"}"
#define WORDS(name, text) "{\"error\":\"" name "\",\"error_description\":\"" text "\"}"
#define AADSTS(name, n) WORDS(name, "AADSTS" #n ": Something. Trace ID: 1")
#define NO PHASE_REJECTED
#define UNCLEAR PHASE_AMBIGUOUS

static const struct seen table[] = {
	/* the grant */
	{ REFR, 0, 400, ERROR("invalid_grant"), NO, .id = ERR_GRANT_REVOKED },
	{ REFR, 0, 200, ERROR("bad_refresh_token"), NO, .id = ERR_GRANT_REVOKED },
	{ REFR, 0, 200, "{\"ok\":false,\"error\":\"invalid_refresh_token\"}", NO, .id = ERR_GRANT_REVOKED },
	{ REFR, 0, 200, "{\"ok\":false,\"error\":\"token_revoked\"}", NO, .id = ERR_GRANT_REVOKED },
	{ REFR, 0, 403, WORDS("unauthorized_client", "refresh_token is invalid"), NO,
	    .id = ERR_GRANT_REVOKED },
	{ REFR, 0, 400, AADSTS("invalid_grant", 70000), NO, .id = ERR_GRANT_REVOKED },
	{ REFR, 0, 400, AADSTS("invalid_grant", 50173), NO, .id = ERR_GRANT_REVOKED },
	{ REFR, 0, 400, AADSTS("invalid_grant", 700082), NO, .id = ERR_GRANT_EXPIRED_IDLE },
	{ REFR, 0, 400, "{\"error\":\"invalid_grant\",\"error_codes\":[50173]}", NO,
	    .id = ERR_GRANT_REVOKED },
	{ REFR, 0, 400, ERROR("invalid_code"), NO, .id = ERR_GRANT_REVOKED },
	/* a person is wanted */
	{ REFR, 0, 400, ERROR("interaction_required"), NO, .id = ERR_SIGNIN_REQUIRED },
	{ REFR, 0, 400, ERROR("consent_required"), NO, .id = ERR_SIGNIN_REQUIRED },
	{ REFR, 0, 400, AADSTS("invalid_grant", 50076), NO, .id = ERR_SIGNIN_REQUIRED },
	{ REFR, 0, 400, AADSTS("invalid_grant", 50079), NO, .id = ERR_SIGNIN_REQUIRED },
	{ REFR, 0, 400, AADSTS("invalid_grant", 50158), NO, .id = ERR_SIGNIN_REQUIRED },
	{ REFR, 0, 400, AADSTS("invalid_grant", 65001), NO, .id = ERR_SIGNIN_REQUIRED },
	{ REFR, 0, 400, AADSTS("invalid_grant", 53003), NO, .id = ERR_SIGNIN_REQUIRED },
	{ REFR, 0, 400, "{\"error\":\"interaction_required\",\"error_codes\":[50076]}", NO,
	    .id = ERR_SIGNIN_REQUIRED },
	{ REFR, 0, 400, WORDS("invalid_grant", "reauth related error (invalid_rapt)"), NO,
	    .id = ERR_SIGNIN_REQUIRED },
	/* the client's secret */
	{ REFR, 0, 401, ERROR("invalid_client"), NO, .id = ERR_CLIENT_SECRET_WRONG },
	{ REFR, 0, 401, "", NO, .id = ERR_CLIENT_SECRET_WRONG },
	{ REFR, 0, 200, ERROR("incorrect_client_credentials"), NO, .id = ERR_CLIENT_SECRET_WRONG },
	{ REFR, 0, 200, "{\"ok\":false,\"error\":\"bad_client_secret\"}", NO,
	    .id = ERR_CLIENT_SECRET_WRONG },
	{ CODE, 0, 401, AADSTS("invalid_client", 7000215), NO, .id = ERR_CLIENT_SECRET_WRONG },
	{ CODE, 0, 403, ERROR("access_denied"), NO, .id = ERR_CLIENT_SECRET_WRONG },	/* Atlassian */
	{ REFR, 0, 401, AADSTS("invalid_client", 7000222), NO, .id = ERR_CLIENT_SECRET_EXPIRED },
	{ REFR, 0, 401, WORDS("invalid_client", "The client secret has expired"), NO,
	    .id = ERR_CLIENT_SECRET_EXPIRED },
	{ REFR, CLIENT_BASIC, 401, ERROR("invalid_client"), NO, .id = ERR_CLIENT_AUTH_ENCODING,
	    .reserved = true },
	{ REFR, CLIENT_BASIC_RAW, 401, "", NO, .id = ERR_CLIENT_AUTH_ENCODING, .reserved = true },
	{ REFR, CLIENT_POST, 401, ERROR("invalid_client"), NO, .id = ERR_CLIENT_SECRET_WRONG,
	    .reserved = true },
	/* or its certificate or key */
	{ REFR, CLIENT_TLS, 401, ERROR("invalid_client"), NO, .id = ERR_CERT_REJECTED },
	{ REFR, CLIENT_TLS, 401, "", NO, .id = ERR_CERT_REJECTED },
	{ REFR, CLIENT_TLS, 400, WORDS("invalid_client", "certificate expired"), NO,
	    .id = ERR_CERT_EXPIRED },
	{ REFR, CLIENT_PRIVATE_KEY_JWT, 401, ERROR("invalid_client"), NO, .id = ERR_CERT_REJECTED },
	{ REFR, CLIENT_PRIVATE_KEY_JWT, 401, AADSTS("invalid_client", 700027), NO,
	    .id = ERR_CERT_REJECTED },
	/* clocks */
	{ REFR, CLIENT_PRIVATE_KEY_JWT, 401, ERROR("invalid_client"), NO, .id = ERR_CLOCK_SKEW,
	    .skew = 61 },
	{ REFR, CLIENT_PRIVATE_KEY_JWT, 401, ERROR("invalid_client"), NO, .id = ERR_CERT_REJECTED,
	    .skew = -60 },
	{ ASKED_ASSERTION, CLIENT_NONE, 400, ERROR("invalid_grant"), NO, .id = ERR_CLOCK_SKEW,
	    .skew = -3600 },
	{ ASKED_ASSERTION, CLIENT_NONE, 400, ERROR("invalid_grant"), NO, .id = ERR_CERT_REJECTED },
	{ REFR, CLIENT_POST, 400, ERROR("invalid_grant"), NO, .id = ERR_GRANT_REVOKED, .skew = 3600 },
	{ REFR, 0, 401, AADSTS("invalid_client", 700024), NO, .id = ERR_CLOCK_SKEW },
	/* what the app may do */
	{ REFR, 0, 400, ERROR("unauthorized_client"), NO, .id = ERR_GRANT_TYPE_NOT_ALLOWED },
	{ CODE, 0, 403, WORDS("unauthorized_client", "no refresh_token for you"), NO,
	    .id = ERR_GRANT_TYPE_NOT_ALLOWED },
	{ REFR, 0, 400, ERROR("unsupported_grant_type"), NO, .id = ERR_GRANT_TYPE_NOT_ALLOWED },
	{ REFR, 0, 400, ERROR("invalid_scope"), NO, .id = ERR_SCOPE_INVALID },
	{ CODE, 0, 400, AADSTS("invalid_request", 28002), NO, .id = ERR_SCOPE_INVALID },
	{ REFR, 0, 403, ERROR("insufficient_scope"), NO, .id = ERR_SCOPE_INSUFFICIENT },
	{ REFR, 0, 400, AADSTS("invalid_request", 90002), NO, .id = ERR_WRONG_TENANT },
	{ REFR, 0, 400, AADSTS("unauthorized_client", 700016), NO, .id = ERR_WRONG_TENANT },
	{ REFR, 0, 404, "", NO, .id = ERR_WRONG_TENANT },
	{ REFR, 0, 404, "<html>no such account</html>", NO, .id = ERR_WRONG_TENANT },
	/* a code */
	{ CODE, 0, 400, ERROR("invalid_grant"), NO, .id = ERR_CODE_REJECTED },
	{ CODE, 0, 200, ERROR("bad_verification_code"), NO, .id = ERR_CODE_REJECTED },
	{ CODE, 0, 400, ERROR("invalid_code"), NO, .id = ERR_CODE_REJECTED },
	{ CODE, 0, 400, AADSTS("invalid_grant", 70008), NO, .id = ERR_CODE_REJECTED },
	{ CODE, 0, 400, AADSTS("invalid_grant", 54005), NO, .id = ERR_CODE_REJECTED },
	{ CODE, 0, 400, AADSTS("invalid_grant", 501481), NO, .id = ERR_CODE_REJECTED },
	{ CODE, 0, 400, "", NO, .id = ERR_CODE_REJECTED },
	{ CODE, 0, 200, ERROR("redirect_uri_mismatch"), NO, .id = ERR_REDIRECT_URI_MISMATCH },
	{ CODE, 0, 200, "{\"ok\":false,\"error\":\"bad_redirect_uri\"}", NO,
	    .id = ERR_REDIRECT_URI_MISMATCH },
	{ CODE, 0, 400, WORDS("invalid_grant", "The Redirect URI does not match"), NO,
	    .id = ERR_REDIRECT_URI_MISMATCH },
	{ CODE, 0, 400, AADSTS("invalid_client", 50011), NO, .id = ERR_REDIRECT_URI_MISMATCH },
	/* a password: never asked to sign in, never tried for long */
	{ ASKED_PASSWORD, 0, 400, ERROR("invalid_grant"), NO, .id = ERR_PASSWORD_REJECTED },
	{ ASKED_PASSWORD, 0, 400, AADSTS("invalid_grant", 50126), NO, .id = ERR_PASSWORD_REJECTED },
	{ ASKED_PASSWORD, 0, 400, AADSTS("invalid_grant", 50076), NO, .id = ERR_PASSWORD_REJECTED },
	{ ASKED_PASSWORD, 0, 400, AADSTS("invalid_grant", 50173), NO, .id = ERR_PASSWORD_REJECTED },
	{ ASKED_PASSWORD, 0, 403, "", NO, .id = ERR_PASSWORD_REJECTED },
	{ ASKED_PASSWORD, 0, 401, ERROR("invalid_client"), NO, .id = ERR_CLIENT_SECRET_WRONG },
	{ ASKED_CLIENT, 0, 400, ERROR("invalid_grant"), NO, .id = ERR_CLIENT_SECRET_WRONG },
	/* row 57: what passes */
	{ REFR, 0, 429, ERROR("invalid_grant"), NO, .id = ERR_THROTTLED },
	{ REFR, 0, 429, "", NO, .id = ERR_THROTTLED, .retry_after = 7 },
	{ REFR, 0, 503, "", NO, .id = ERR_THROTTLED, .retry_after = 30 },
	{ REFR, 0, 200, ERROR("Access Denied"), NO, .id = ERR_THROTTLED },		/* Zoho */
	{ REFR, 0, 200, "{\"ok\":false,\"error\":\"ratelimited\"}", NO, .id = ERR_THROTTLED },
	{ REFR, 0, 400, AADSTS("invalid_grant", 50196), NO, .id = ERR_THROTTLED },
	{ REFR, 0, 500, "", UNCLEAR, .id = ERR_PROVIDER_DOWN },
	{ REFR, 0, 502, "<html>", UNCLEAR, .id = ERR_PROVIDER_DOWN },
	{ REFR, 0, 503, "", UNCLEAR, .id = ERR_PROVIDER_DOWN },
	{ REFR, 0, 500, ERROR("server_error"), UNCLEAR, .id = ERR_PROVIDER_DOWN },
	{ REFR, 0, 503, ERROR("temporarily_unavailable"), UNCLEAR, .id = ERR_PROVIDER_DOWN },
	{ REFR, 0, 400, ERROR("temporarily_unavailable"), NO, .id = ERR_PROVIDER_DOWN },
	{ REFR, 0, 500, ERROR("invalid_grant"), NO, .id = ERR_GRANT_REVOKED },
	/* what is no answer */
	{ REFR, 0, 200, "<html>sign in to the hotel</html>", UNCLEAR, .id = ERR_BAD_ANSWER },
	{ REFR, 0, 200, "", UNCLEAR, .id = ERR_BAD_ANSWER },
	{ REFR, 0, 200, "{}", UNCLEAR, .id = ERR_BAD_ANSWER },
	{ REFR, 0, 200, "{\"access_token\":\"a", UNCLEAR, .id = ERR_BAD_ANSWER },
	{ REFR, 0, 200, "what?", UNCLEAR, .id = ERR_BAD_ANSWER },
	{ REFR, 0, 302, "", NO, .id = ERR_BAD_ANSWER },
	{ REFR, 0, 403, "<html>your address is not listed</html>", NO, .id = ERR_BAD_ANSWER },
	{ REFR, 0, 511, "<html>", UNCLEAR, .id = ERR_BAD_ANSWER },
	{ REFR, 0, 407, "", NO, .id = ERR_UNREACHABLE_PROXY },
	/* and what nobody knows */
	{ REFR, 0, 400, "", NO, .id = ERR_PROVIDER_REFUSED },
	{ REFR, 0, 400, "what?", NO, .id = ERR_PROVIDER_REFUSED },
	{ REFR, 0, 403, "{\"message\":\"no\"}", NO, .id = ERR_PROVIDER_REFUSED },
	{ REFR, 0, 400, ERROR("strange_thing"), NO, .id = ERR_PROVIDER_REFUSED },
	{ REFR, 0, 200, ERROR("strange_thing"), NO, .id = ERR_PROVIDER_REFUSED },
	{ REFR, 0, 400, AADSTS("invalid_grant", 12345), NO, .id = ERR_GRANT_REVOKED },
	{ REFR, 0, 403, ERROR("access-denied"), NO, .id = ERR_CLIENT_SECRET_WRONG },
	/* a connector's own words go first, but not before what is certain */
	{ REFR, 0, 400, ERROR("strange_thing"), NO, .id = ERR_GRANT_REVOKED,
	    .keys = "{\"refresh:strange_thing\":\"GrantRevoked\",\"strange_thing\":\"CodeRejected\"}" },
	{ CODE, 0, 400, ERROR("strange_thing"), NO, .id = ERR_CODE_REJECTED,
	    .keys = "{\"refresh:strange_thing\":\"GrantRevoked\",\"strange_thing\":\"CodeRejected\"}" },
	{ REFR, 0, 200, ERROR("invalid_grant"), NO, .id = ERR_THROTTLED,
	    .keys = "{\"invalid_grant\":\"Throttled\"}" },
	{ REFR, 0, 403, "", NO, .id = ERR_GRANT_REVOKED, .keys = "{\"http_403\":\"GrantRevoked\"}" },
	{ REFR, 0, 429, "", NO, .id = ERR_THROTTLED, .keys = "{\"http_429\":\"GrantRevoked\"}" },
};

static struct slice
str(const char *s)
{
	return (struct slice){ s, strlen(s) };
}

static void
judge(const struct seen *s, struct exchange_result *res)
{
	struct connector c = { 0 };
	struct http_answer a = { .phase = PHASE_ANSWERED, .status = s->status, .skew_s = s->skew,
		.retry_after_s = (uint32_t)s->retry_after };
	struct facts f = { .asked = s->asked, .connector = &c, .client_auth = s->auth,
		.reserved = s->reserved };
	struct reply r = { 0 };
	struct err e = { 0 };
	char text[500];

	snprintf(text, sizeof text, "{\"id\":\"x\",\"name\":\"X\",\"version\":1,\"auth_types\":[\"pat\"],"
	    "\"error_map\":%s}", s->keys == NULL ? "{}" : s->keys);
	T_DO(connector_parse("f.json", str(text), &c, &e), e);
	T_EQ(secret_set(&a.body, s->body, strlen(s->body), &e), 0);
	*res = (struct exchange_result){ 0 };
	diagnose(&f, &a, reply_parse(str(s->body), "", &c, &r, &e) == 0 ? &r : NULL, res);
	secret_done(&a.body);
	reply_done(&r);
	connector_done(&c);
}

TEST(rows_51_56_57_each_no_has_one_meaning)
{
	struct exchange_result res;

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		judge(&table[i], &res);
		if (res.phase != table[i].phase || res.err.id != table[i].id)
			fail_msg("row %zu (%u %s): %s, %s: %s", i, table[i].status, table[i].body,
			    phase_name(res.phase), err_row_of(&res.err)->name, res.err.text);
		T_STR(err_detail_get(&res.err, "phase"), phase_name(res.phase));
	}
}

/* Row 56: one meaning for each code, and whose move it is. */
TEST(row_56_whose_move_it_is)
{
	static const struct { enum err_id id; enum err_owner owner; bool retry; } t[] = {
		{ ERR_GRANT_REVOKED, OWNER_CALLER, false }, { ERR_CODE_REJECTED, OWNER_CALLER, false },
		{ ERR_CLIENT_SECRET_WRONG, OWNER_ADMIN, false },
		{ ERR_CLIENT_SECRET_EXPIRED, OWNER_ADMIN, false },
		{ ERR_CLIENT_AUTH_ENCODING, OWNER_ADMIN, false },
		{ ERR_CERT_REJECTED, OWNER_ADMIN, false }, { ERR_CERT_EXPIRED, OWNER_ADMIN, false },
		{ ERR_WRONG_TENANT, OWNER_ADMIN, false }, { ERR_THROTTLED, OWNER_PROVIDER, true },
		{ ERR_PROVIDER_DOWN, OWNER_PROVIDER, true }, { ERR_CLOCK_SKEW, OWNER_APPLIANCE, true },
		{ ERR_UNREACHABLE_PROXY, OWNER_APPLIANCE, true },
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		T_EQ(err_row(t[i].id)->owner, t[i].owner);
		T_EQ(err_row(t[i].id)->retry, t[i].retry);
	}
	for (unsigned i = 1; i < ERR_MAX; i++)
		for (unsigned k = i + 1; k < ERR_MAX; k++)
			if (strcmp(err_row(i)->name, err_row(k)->name) == 0 && i != ERR_INTERNAL &&
			    k != ERR_INTERNAL)
				fail_msg("%s stands twice", err_row(i)->name);
}

TEST(row_51_the_provider_s_words_are_told_and_capped)
{
	static char body[3000] = "{\"error\":\"invalid_grant\",\"error_description\":\"a\\r\\nb\\u0007";
	struct seen s = { REFR, 0, 400, body, NO, .id = ERR_GRANT_REVOKED };
	struct exchange_result res;

	memset(body + strlen(body), 'z', 2000);
	strcat(body, "\"}");
	judge(&s, &res);
	T_STR(res.provider_code, "invalid_grant");
	T_EQ(strlen(res.provider_text), 500);
	T_HAS(res.provider_text, "a  b zzz");
	T_HAS(res.err.text, "the provider answered invalid_grant: a  b zzz");
	T_STR(err_detail_get(&res.err, "provider_code"), "invalid_grant");
	T_STR(err_detail_get(&res.err, "http_status"), "400");
}

TEST(secrets_that_encodings_tell_apart)
{
	static const struct { const char *text; bool reserved; } t[] = {
		{ "Abc-1._~*", false }, { "", false }, { "a+b", true }, { "a b", true }, { "a/b", true },
		{ "a%b", true }, { "a=", true }, { "\303\251", true },
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		AUTO(secret) s = { 0 };
		struct err e;

		T_EQ(secret_set(&s, t[i].text, strlen(t[i].text), &e), 0);
		T_EQ(secret_is_reserved(&s), t[i].reserved);
	}
}

TEST(row_51_what_looks_like_a_token_is_taken_out)
{
	static const struct { const char *in, *out; } t[] = {
		{ "token ya29.a0AfH6SMBx3kQ9LmN4pR7sT is bad", "token *** is bad" },
		{ "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.", "***" },
		{ "see xoxe-1-My0xLTEyMzQ1Njc4OTAtMTIz!", "see ***" },
		{ "gone: 8f14e45fceea167a5a36dedd4bea2543.", "gone: ***" },
		{ "refresh_token=1000.8cb99dxxxxxxxxxxxxx9be93.9b8xxxxxxxxxxxxxxf", "***" },
		{ "AADSTS700082: The refresh token has expired.", "AADSTS700082: The refresh token has "
		  "expired." },
		{ "Trace ID: 2f4a6c8e-1b3d-4f5a-8c7e-9d0b1a2c3d4e.", "Trace ID: "
		  "2f4a6c8e-1b3d-4f5a-8c7e-9d0b1a2c3d4e." },
		{ "incorrect_client_credentials", "incorrect_client_credentials" },
		{ "https://developer.example.com/docs/oauth/errors#invalid-refresh-token",
		  "https://developer.example.com/docs/oauth/errors#invalid-refresh-token" },
		{ "at 2026-11-27 08:50:00Z", "at 2026-11-27 08:50:00Z" }, { "", "" },
		{ "urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:"
		  "jwt-bearer" },
	};
	char text[300];

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		snprintf(text, sizeof text, "%s", t[i].in);
		redact_tokens(text);
		T_STR(text, t[i].out);
	}
}

int
main(void)
{
	struct err e;

	return secret_arena_init(1 << 20, false, &e) != 0 ? 1 : unit_run();
}

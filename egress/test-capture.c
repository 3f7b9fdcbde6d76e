#include "tests/unit.h"

#include "common/errors.h"
#include "egress/capture.h"

static char site[] = "site", path[] = "u", whole[] = "api.vendor.example", end[] = ".vendor.example";

/* Row 48: scheme, host's shape and list are looked at before a host is kept. */
static const struct { const char *said, *kept; } urls[] = {
	{ "https://api.vendor.example", "https://api.vendor.example" },
	{ "https://API.Vendor.Example/", "https://api.vendor.example" },
	{ "HTTPS://eu1.vendor.example/v3/", "https://eu1.vendor.example/v3" },
	{ "https://a.b.vendor.example/x-1/y_2", "https://a.b.vendor.example/x-1/y_2" },
	{ "http://api.vendor.example", NULL }, { "https://vendor.example", NULL },
	{ "https://evilvendor.example", NULL }, { "https://.vendor.example", NULL },
	{ "https://vendor.example.evil.com", NULL }, { "https://evil.com/.vendor.example", NULL },
	{ "https://evil.com#.vendor.example", NULL }, { "https://evil.com?.vendor.example", NULL },
	{ "https://u:p@api.vendor.example", NULL }, { "https://evil.com\\.vendor.example", NULL },
	{ "https://api.vendor.example:8443", NULL }, { "https://evil.com%2f.vendor.example", NULL },
	{ "https://a..vendor.example", NULL }, { "https://api.vendor.example//evil", NULL },
	{ "https://api.vendor.example/../x", NULL }, { "https://api.vendor.example/a b", NULL },
	{ "https://api.vendor.example/?q", NULL }, { "https://api.vendor.example/{x}", NULL },
	{ "//api.vendor.example", NULL }, { "api.vendor.example", NULL }, { "https://", NULL },
	{ "", NULL }, { "https://[::1].vendor.example", NULL },
	{ "https://\xd0\xb0pi.vendor.example", NULL },
};

TEST(row_48_a_url_of_an_answer_leads_to_the_provider_or_is_not_kept)
{
	struct connector_capture c = { .name = site, .path = path, .type = CAPTURE_URL,
		.hosts = { whole, end }, .nhosts = 2 };
	char out[256];

	for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
		bool ok = capture_url(&c, "", urls[i].said, out, sizeof out);

		if (ok != (urls[i].kept != NULL))
			fail_msg("%s is %s", urls[i].said, ok ? "kept" : "refused");
		if (ok)
			T_STR(out, urls[i].kept);
	}
	T_NOT(capture_url(&c, "", "https://api.vendor.example", out, 20));
}

TEST(row_48_what_strays_is_named)
{
	struct connector c = { .capture = { { .name = site, .path = path, .type = CAPTURE_URL,
		.hosts = { end }, .nhosts = 1 } }, .ncapture = 1 };
	json_auto_t *o = json_pack("{s:s}", "u", "https://evil.example");
	struct reply r = { 0 };

	capture_answer(o, &c, &r);
	T_EQ(r.captured.n, 0);
	T_STR(r.strayed, "site");
}

TEST(a_redirect_brings_ids_and_urls_too)
{
	static char realm[] = "realm", in[] = "realmId";
	struct connector c = { .capture = {
		{ .name = realm, .path = in, .type = CAPTURE_ID, .from_callback = true },
		{ .name = site, .path = path, .type = CAPTURE_URL, .from_callback = true,
		    .hosts = { end }, .nhosts = 1 } }, .ncapture = 2 };
	struct ex_vars good = { .n = 3, .v = { { "realmId", "9130357766900000" },
		{ "u", "https://eu.vendor.example" }, { "other", "x" } } };
	struct ex_vars bad = { .n = 2, .v = { { "realmId", "1/../2" }, { "u", "https://evil.com" } } };
	json_auto_t *o = json_pack("{s:s}", "realmId", "from the answer");
	struct reply r = { 0 };

	capture_answer(o, &c, &r);	/* not from there */
	T_EQ(r.captured.n, 0);
	capture_callback(&good, &c, "", &r);
	T_EQ(r.captured.n, 2);
	T_STR(ex_var(&r.captured, "realm"), "9130357766900000");
	T_STR(ex_var(&r.captured, "site"), "https://eu.vendor.example");
	r = (struct reply){ 0 };
	capture_callback(&bad, &c, "", &r);
	T_EQ(r.captured.n, 0);
	T_STR(r.strayed, "site");
}

/* Zoho: the account may be at another data centre than the app. */
static const struct { const char *said, *got; } elsewhere[] = {
	{ "https://accounts.zoho.eu", "accounts.zoho.eu" },
	{ "https://accounts.zoho.com.evil.example", "accounts.zoho.com.evil.example" },
	{ "https://accounts.zoho.com@evil.example", "something else" },
	{ "http://accounts.zoho.com", "something else" }, { "accounts.zoho.com", "something else" },
	{ "https://accounts.zoho.com/\" onload=", "something else" },
	{ "https://accounts.zoho.com:444", "accounts.zoho.com" }, { "\x1b]0;", "something else" },
};

TEST(row_48_a_redirect_of_another_host_than_the_apps_is_refused)
{
	static char server[] = "accounts_server", in[] = "/accounts-server";
	static const char url[] = "https://accounts.zoho.com/oauth/v2/token";
	struct connector c = { .capture = { { .name = server, .path = in, .type = CAPTURE_URL,
		.from_callback = true, .token_host = true } }, .ncapture = 1 };
	struct ex_vars v = { .n = 1, .v = { { "accounts-server", "https://accounts.zoho.com/" } } };
	struct ex_vars none = { 0 }, kept;
	struct reply r = { 0 };
	struct err e;

	T_EQ(capture_check_callback(&v, &c, url, &e), 0);
	T_EQ(capture_check_callback(&none, &c, url, &e), 0);
	capture_callback(&v, &c, url, &r);
	T_STR(ex_var(&r.captured, "accounts_server"), "https://accounts.zoho.com");
	for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++) {
		snprintf(v.v[0].value, sizeof v.v[0].value, "%s", elsewhere[i].said);
		T_EQ(capture_check_callback(&v, &c, url, &e), V_STATE);
		T_EQ(e.id, ERR_ACCOUNT_ELSEWHERE);
		T_STR(err_detail_get(&e, "expected"), "accounts.zoho.com");
		T_STR(err_detail_get(&e, "got"), elsewhere[i].got);
	}
	/* What comes back from vaultd is held against the same rule. */
	capture_again(&r.captured, &c, url, &kept);
	T_EQ(kept.n, 1);
	capture_again(&r.captured, &c, "https://accounts.zoho.eu/t", &kept);
	T_EQ(kept.n, 0);
}

TEST(row_48_only_ids_and_urls_come_back_into_a_test_call)
{
	static char realm[] = "realm", in[] = "realmId", who[] = "who";
	struct connector c = { .capture = {
		{ .name = realm, .path = in, .type = CAPTURE_ID, .from_callback = true },
		{ .name = who, .path = who, .type = CAPTURE_TEXT } }, .ncapture = 2 };
	struct ex_vars v = { .n = 3, .v = { { "realm", "9130" }, { "who", "bob" }, { "x", "y" } } }, kept;

	capture_again(&v, &c, "https://a.example", &kept);
	T_EQ(kept.n, 1);
	T_STR(ex_var(&kept, "realm"), "9130");
	strcpy(v.v[0].value, "1/../../admin");
	capture_again(&v, &c, "https://a.example", &kept);
	T_EQ(kept.n, 0);
}

int
main(void)
{
	struct err e;

	return secret_arena_init(1 << 20, false, &e) != 0 ? 1 : unit_run();
}

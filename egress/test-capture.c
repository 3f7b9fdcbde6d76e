#include "tests/unit.h"

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
		bool ok = capture_url(&c, urls[i].said, out, sizeof out);

		if (ok != (urls[i].kept != NULL))
			fail_msg("%s is %s", urls[i].said, ok ? "kept" : "refused");
		if (ok)
			T_STR(out, urls[i].kept);
	}
	T_NOT(capture_url(&c, "https://api.vendor.example", out, 20));
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
	capture_callback(&good, &c, &r);
	T_EQ(r.captured.n, 2);
	T_STR(ex_var(&r.captured, "realm"), "9130357766900000");
	T_STR(ex_var(&r.captured, "site"), "https://eu.vendor.example");
	r = (struct reply){ 0 };
	capture_callback(&bad, &c, &r);
	T_EQ(r.captured.n, 0);
	T_STR(r.strayed, "site");
}

int
main(void)
{
	struct err e;

	return secret_arena_init(1 << 20, false, &e) != 0 ? 1 : unit_run();
}

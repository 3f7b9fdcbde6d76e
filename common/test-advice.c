#include "tests/unit.h"

#include "common/advice.h"
#include "common/errors.h"

TEST(row_51_every_placeholder_of_every_row_is_known)
{
	for (unsigned i = ERR_NONE; i < ERR_MAX; i++)
		if (!advice_is_good(err_row(i)->advice))
			fail_msg("%s: %s", err_row(i)->name, err_row(i)->advice);
	T_NOT(advice_is_good("Ask {somebody}."));
	T_NOT(advice_is_good("{host} and {hosts}"));
	T_NOT(advice_is_good("{host"));
}

/* With nothing known it is still a sentence, and no brace is left. */
TEST(row_51_advice_reads_without_values)
{
	for (unsigned i = ERR_INTERFACE_NOT_FOUND; i < ERR_MAX; i++) {
		struct err e = { 0 };
		char text[400];

		err_name(&e, i, "x");
		advice_text(&e, text, sizeof text);
		T_OK(strlen(text) + 1 < sizeof text);
		T_OK(strchr(text, '{') == NULL && strchr(text, '}') == NULL);
		if (text[0] >= 'a' && text[0] <= 'z' && strncmp(text, "org.", 4) != 0)
			fail_msg("%s", text);
	}
}

TEST(row_51_values_are_filled_in)
{
	struct err e = { 0 };
	char text[400];

	err_name(&e, ERR_REDIRECT_URI_MISMATCH, "x");
	err_detail(&e, "redirect_uri", "http://127.0.0.1:8976/callback/1");
	err_detail(&e, "app", "acme");
	err_detail(&e, "provider", "Example");
	advice_text(&e, text, sizeof text);
	T_STR(text, "Register exactly http://127.0.0.1:8976/callback/1 in OAuth app 'acme' at "
	    "Example.");
	err_name(&e, ERR_GRANT_EXPIRED_IDLE, "x");
	err_detail(&e, "connection", "shared/team/x");
	err_detail(&e, "days", "95 days");
	err_detail(&e, "limit", "90 days");
	advice_text(&e, text, sizeof text);
	T_STR(text, "Reconnect 'shared/team/x': it was not used for 95 days, and the provider ends "
	    "connections that are not used for 90 days. From then on the vault keeps it alive.");
}

/* A value is text: what looks like a placeholder or a format in it stays as it is. */
TEST(a_value_is_not_a_template)
{
	struct err e = { 0 };
	char text[200], small[12];

	err_name(&e, ERR_UNREACHABLE_DNS, "x");
	err_detail(&e, "host", "%s", "%s{app}%n");
	advice_text(&e, text, sizeof text);
	T_HAS(text, "for %s{app}%n;");
	advice_text(&e, small, sizeof small);
	T_EQ(strlen(small), sizeof small - 1);
}

TEST(spans)
{
	static const struct { long long s; const char *text; } t[] = { { 0, "0 s" }, { 1, "1 s" },
		{ 119, "119 s" }, { 120, "2 min" }, { 7200, "2 h" }, { 172799, "47 h" },
		{ 172800, "2 days" }, { 604800, "7 days" } };
	char out[32];

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		advice_span(t[i].s, out, sizeof out);
		T_STR(out, t[i].text);
	}
}

int
main(void)
{
	return unit_run();
}

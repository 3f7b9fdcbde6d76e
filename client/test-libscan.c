/*
 * test-libscan.c - JSON read in place, with jansson as the judge of what is well formed.
 */
#include <jansson.h>

#include "client/libscan.h"
#include "tests/unit.h"

static struct span
span(const char *text)
{
	return (struct span){ text, strlen(text) };
}

static struct span
member(const char *text, const char *name)
{
	struct span v;

	T_OK(libscan_object(span(text), LIBSCAN_DEPTH));
	T_OK(libscan_member(span(text), name, &v));
	return v;
}

TEST(what_is_an_object)
{
	static const char *const good[] = { "{}", " { } ", "{\"a\":1}", "{\"a\":-0,\"b\":[]}",
		"{\"a\":[1,2,{\"b\":null}],\"c\":true,\"d\":false}", "\t{\"\":\"\"}\r\n",
		"{\"a\":\"\\u00e9\\uD83D\\uDE00\\n\\/\\\"\\\\\"}", "{\"a\":\"\xc3\xa9\xf0\x9f\x98\x80\"}",
		"{\"a\":1.5e10,\"b\":1E-400,\"c\":0.1,\"d\":-1e+5}",
		"{\"a\":9223372036854775807,\"b\":-9223372036854775808}",
		"{\"a\":{\"a\":{\"a\":1}}}", "{\"a\":\"\x7f\"}" };

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		json_error_t e;
		json_t *o = json_loads(good[i], JSON_REJECT_DUPLICATES, &e);

		if (!libscan_object(span(good[i]), LIBSCAN_DEPTH))
			fail_msg("refused: %s", good[i]);
		T_OK(o != NULL);
		json_decref(o);
	}
}

TEST(what_is_not)
{
	static const char *const bad[] = { "", " ", "null", "[]", "1", "\"a\"", "{", "}", "{}}",
		"{} x", "{a:1}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "{\"a\":1 \"b\":2}",
		"{\"a\":01}", "{\"a\":1.}", "{\"a\":.5}", "{\"a\":1e}", "{\"a\":+1}", "{\"a\":-}",
		"{\"a\":0x1}", "{\"a\":NaN}", "{\"a\":tru}", "{\"a\":nulL}", "{\"a\":'b'}",
		"{\"a\":9223372036854775808}", "{\"a\":-9223372036854775809}", "{\"a\":1e999}",
		"{\"a\":99999999999999999999}", "{\"a\":\"\\x\"}", "{\"a\":\"\\u12\"}",
		"{\"a\":\"\\u000g\"}", "{\"a\":\"\\u0000\"}", "{\"a\":\"\\uD800\"}",
		"{\"a\":\"\\uD800\\n\"}", "{\"a\":\"\\uD800\\u0041\"}", "{\"a\":\"\\uDC00\"}",
		"{\"a\":\"\n\"}", "{\"a\":\"\xc3\"}", "{\"a\":\"\xff\"}", "{\"a\":\"\xc0\x80\"}",
		"{\"a\":\"\xed\xa0\x80\"}", "{\"a\":\"\xf4\x90\x80\x80\"}", "{\"a\":\"b}",
		"{\"a\":\"b\\\"}", "{\"a\":[1,]}", "{\"a\":[1}", "{\"a\":[1}]", "{\"a\":1,\"a\":2}",
		"{\"a\":1,\"\\u0061\":2}", "{\"b\":{\"a\":1,\"c\":2,\"a\":3}}", "{\"\":1,\"\":1}",
		"{\"a\":\"\\u00", "{\"a\":\"\\", "{\"a\":\"\\uD800\\u", "{\"a\":[" };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (libscan_object(span(bad[i]), LIBSCAN_DEPTH))
			fail_msg("taken: %s", bad[i]);
}

TEST(a_raw_nul_is_no_part_of_a_message)
{
	T_NOT(libscan_object((struct span){ "{}\0", 3 }, LIBSCAN_DEPTH));
	T_NOT(libscan_object((struct span){ "{\"a\":\"\0\"}", 9 }, LIBSCAN_DEPTH));
}

TEST(depth_is_bounded)
{
	T_OK(libscan_object(span("{\"a\":[[1]]}"), 3));
	T_NOT(libscan_object(span("{\"a\":[[1]]}"), 2));
	T_OK(libscan_object(span("{}"), 1));
	T_NOT(libscan_object(span("{}"), 0));
}

TEST(members_are_found_whole)
{
	const char *text = " { \"a\" : [1, {\"x\":\"]}\"} ] , \"b\":{ \"c\" : 2},\"\\u0064\":\"e\\\"\" ,"
	    "\"n\":null,\"i\":-42}";
	struct span v = member(text, "a");
	int64_t n;

	T_EQ(v.len, strlen("[1, {\"x\":\"]}\"} ]"));
	v = member(text, "b");
	T_MEM(v.p, "{ \"c\" : 2}", v.len);
	v = member(text, "d");
	T_MEM(v.p, "\"e\\\"\"", v.len);
	v = member(text, "i");
	T_OK(libscan_integer(v, &n) && n == -42);
	T_NOT(libscan_member(span(text), "n", &v));
	T_NOT(libscan_member(span(text), "c", &v));
	T_NOT(libscan_member(span("{}"), "c", &v));
}

TEST(strings_come_out_decoded)
{
	static const char text[] =
	    "{\"a\":\"x\\n\\t\\b\\f\\r\\/\\\\\\\"\\u00e9\\uD83D\\uDE00z\"}";
	char *s = libscan_text(member(text, "a"));

	T_STR(s, "x\n\t\b\f\r/\\\"\xc3\xa9\xf0\x9f\x98\x80z");
	free(s);
	T_OK(libscan_text(member("{\"a\":12}", "a")) == NULL);
}

TEST(a_copy_is_cut_between_characters)
{
	struct span v = member("{\"a\":\"ab\\u00e9cd\"}", "a");
	char out[8];

	libscan_copy(v, out, sizeof out);
	T_STR(out, "ab\xc3\xa9" "cd");
	libscan_copy(v, out, 4);
	T_STR(out, "ab");
	libscan_copy(v, out, 5);
	T_STR(out, "ab\xc3\xa9");
	libscan_copy(v, out, 1);
	T_STR(out, "");
	libscan_copy(member("{\"a\":[\"b\"]}", "a"), out, sizeof out);
	T_STR(out, "");
}

TEST(integers_at_their_ends)
{
	int64_t n;

	T_OK(libscan_integer(member("{\"a\":9223372036854775807}", "a"), &n) && n == INT64_MAX);
	T_OK(libscan_integer(member("{\"a\":-9223372036854775808}", "a"), &n) && n == INT64_MIN);
	T_NOT(libscan_integer(member("{\"a\":1.0}", "a"), &n));
	T_NOT(libscan_integer(member("{\"a\":\"1\"}", "a"), &n));
	T_NOT(libscan_integer(member("{\"a\":true}", "a"), &n));
}

TEST(quoting_is_undone_by_reading)
{
	static const char *const texts[] = { "", "plain", "\"\\/", "\x01\x1f\n\t", "\xc3\xa9",
		"\xf0\x9f\x98\x80", "a/b c" };

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		char out[128] = "{\"a\":", *end = out + 5, *back;
		size_t n = libscan_quoted_len(texts[i]);

		end = libscan_quote(end, texts[i]);
		T_EQ(end - (out + 5), n);
		strcpy(end, "}");
		back = libscan_text(member(out, "a"));
		T_STR(back, texts[i]);
		free(back);
	}
	T_EQ(libscan_quoted_len("\xff"), 0);
	T_EQ(libscan_quoted_len("a\xc3"), 0);
}

int
main(void)
{
	return unit_run();
}

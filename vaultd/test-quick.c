#include "tests/unit.h"

#include "vaultd/quick.h"

#define M "\"method\":\"vaultd.Tokens.Get\""
#define P(x) "{" M ",\"parameters\":{" x "}}"
#define C "\"connection\":\"personal/github\""

static const struct {
	const char	*text, *connection;
	long long	 min_ttl;		/* -1: not given */
} taken[] = {
	{ P(C), "personal/github", -1 },
	{ P(C ",\"min_ttl\":300"), "personal/github", 300 },
	{ P("\"min_ttl\":0," C), "personal/github", 0 },
	{ P(C ",\"min_ttl\":315360000"), "personal/github", 315360000 },
	{ "{\"parameters\":{" C "}," M "}", "personal/github", -1 },
	{ " {\n\t" M " ,\r\n \"parameters\" : { " C " , \"min_ttl\" : 60 } } \n",
	    "personal/github", 60 },
	{ P("\"connection\":\" ~\""), " ~", -1 },
};

TEST(the_hot_call)
{
	for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
		struct quick_call q;

		if (!quick_token_get(taken[i].text, strlen(taken[i].text), &q))
			fail_msg("not taken: %s", taken[i].text);
		T_EQ(q.connection.len, strlen(taken[i].connection));
		T_MEM(q.connection.p, taken[i].connection, q.connection.len);
		T_EQ(q.has_min_ttl, taken[i].min_ttl >= 0);
		if (q.has_min_ttl)
			T_EQ(q.min_ttl, taken[i].min_ttl);
	}
}

/* Whatever is unusual goes to the full parser, be it right or wrong there. */
static const char *const left[] = {
	"", " ", "{", "{}", "[]", "null", "x",
	"{" M "}",
	P(""),
	P("\"min_ttl\":1"),
	P("\"connection\":\"\""),
	P(C) "x", P(C) "{}", P(C) ",", P(C) "}",
	P(C ","), P("," C), P(C ",,\"min_ttl\":1"),
	"{" M ",\"parameters\":{" C "},}",
	"{" M ",,\"parameters\":{" C "}}",
	"{" M " \"parameters\":{" C "}}",
	"{" M ",\"parameters\"{" C "}}",
	"{" M ",\"parameters\":{" C "}",
	"{" M ",\"parameters\":[" C "]}",
	"{" M ",\"parameters\":null}",
	/* duplicate keys */
	P(C "," C), P(C ",\"min_ttl\":1,\"min_ttl\":1"),
	"{" M "," M ",\"parameters\":{" C "}}",
	"{" M ",\"parameters\":{" C "},\"parameters\":{" C "}}",
	P("\"connection\":\"\",\"connection\":\"a\""),
	/* other members */
	P(C ",\"refused_generation\":1"), P(C ",\"x\":\"y\""),
	"{" M ",\"parameters\":{" C "},\"more\":false}",
	"{" M ",\"parameters\":{" C "},\"oneway\":true}",
	"{\"methoD\":\"vaultd.Tokens.Get\",\"parameters\":{" C "}}",
	P("\"Connection\":\"a\""), P("\"connectio\":\"a\""), P("\"connections\":\"a\""),
	/* other methods */
	"{\"method\":\"vaultd.Tokens.get\",\"parameters\":{" C "}}",
	"{\"method\":\"vaultd.Tokens.Get \",\"parameters\":{" C "}}",
	"{\"method\":\"vaultd.Tokens.GetX\",\"parameters\":{" C "}}",
	"{\"method\":\"vaultd.Tokens.Ge\",\"parameters\":{" C "}}",
	"{\"method\":null,\"parameters\":{" C "}}",
	/* escapes, control characters, not ASCII */
	P("\"connection\":\"a\\nb\""), P("\"connection\":\"a\\\"b\""),
	P("\"connection\":\"a\\u0041\""), P("\"connection\":\"a\nb\""),
	P("\"connection\":\"a\tb\""), P("\"connection\":\"a\177b\""),
	P("\"connection\":\"J\303\266rg\""), P("\"connection\":\"\377\""),
	P("\"\\u0063onnection\":\"a\""), P("\"connection\":\"a"),
	P("\"connection\":a"), P("\"connection\":1"), P("\"connection\":null"),
	P("\"connection\":'a'"), P("connection:\"a\""),
	/* numbers */
	P(C ",\"min_ttl\":-1"), P(C ",\"min_ttl\":-0"), P(C ",\"min_ttl\":+1"),
	P(C ",\"min_ttl\":01"), P(C ",\"min_ttl\":00"), P(C ",\"min_ttl\":1.0"),
	P(C ",\"min_ttl\":1e3"), P(C ",\"min_ttl\":1E3"), P(C ",\"min_ttl\":0x10"),
	P(C ",\"min_ttl\":315360001"), P(C ",\"min_ttl\":1000000000"),
	P(C ",\"min_ttl\":18446744073709551616"), P(C ",\"min_ttl\":18446744073709551676"),
	P(C ",\"min_ttl\":99999999999999999999999999999999999999"),
	P(C ",\"min_ttl\":"), P(C ",\"min_ttl\":null"), P(C ",\"min_ttl\":\"60\""),
	P(C ",\"min_ttl\":1 2"), P(C ",\"min_ttl\":true"),
	/* white space that JSON does not know */
	"{" M ",\v\"parameters\":{" C "}}", "{" M ",\f\"parameters\":{" C "}}",
	"\357\273\277" P(C), "{" M ",\302\240\"parameters\":{" C "}}",
};

TEST(near_misses_are_left_to_the_full_parser)
{
	for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
		struct quick_call q;

		if (quick_token_get(left[i], strlen(left[i]), &q))
			fail_msg("taken: %s", left[i]);
	}
}

TEST(every_cut_is_left)
{
	static const char text[] = P(C ",\"min_ttl\":300");
	struct quick_call q;

	for (size_t n = 0; n < sizeof text - 1; n++) {
		char *exact = malloc(n + 1);	/* a read beyond is found by ASan */

		memcpy(exact, text, n);
		if (quick_token_get(exact, n, &q))
			fail_msg("taken: the first %zu bytes", n);
		free(exact);
	}
	T_NOT(quick_token_get(P(C) "\0", sizeof(P(C)), &q));
}

int
main(void)
{
	return unit_run();
}

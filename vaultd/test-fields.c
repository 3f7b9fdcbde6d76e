#include "tests/unit.h"

#include "common/errors.h"
#include "common/exchange.h"
#include "common/json.h"
#include "vaultd/verb.h"

struct args {
	const char	*str, *name;
	struct id	 id;
	bool		 flag;
	int64_t		 count, seconds;
	struct secret	 secret;
	struct strings	 list;
	struct ex_vars	 map;
	struct ex_secrets secrets;
};

static const struct field fields[] = {
	{ "str", F_STR, offsetof(struct args, str), true, 10 },
	{ "name", F_NAME, offsetof(struct args, name), false, 0 },
	{ "id", F_ID, offsetof(struct args, id), false, 0 },
	{ "flag", F_BOOL, offsetof(struct args, flag), false, 0 },
	{ "count", F_INT, offsetof(struct args, count), false, 0 },
	{ "seconds", F_SECONDS, offsetof(struct args, seconds), false, 0 },
	{ "secret", F_SECRET, offsetof(struct args, secret), false, 16 },
	{ "list", F_STRINGS, offsetof(struct args, list), false, 8 },
	{ "map", F_MAP, offsetof(struct args, map), false, 0 },
	{ "secrets", F_SECRETS, offsetof(struct args, secrets), false, 16 },
	{ 0 },
};

static json_t *
parse(const char *text)
{
	struct err e = { 0 };
	json_t *o = json_parse((struct slice){ text, strlen(text) }, 1 << 20, &e);

	if (o == NULL)
		fail_msg("%s: %s", text, e.text);
	return o;
}

TEST(every_type)
{
	json_t *o = parse("{\"str\":\"abc\",\"name\":\"Jörg 1\",\"id\":"
	    "\"000102030405060708090a0b0c0d0e0f\",\"flag\":true,\"count\":7,\"seconds\":60,"
	    "\"secret\":\"s3cr3t\",\"list\":[\"a\",\"b\"],\"map\":{\"host\":\"h\"}}");
	struct args a = { 0 };
	struct err e = { 0 };

	T_DO(fields_decode(fields, o, &a, &e), e);
	T_STR(a.str, "abc");
	T_STR(a.name, "Jörg 1");
	T_EQ(a.id.b[15], 15);
	T_OK(a.flag);
	T_EQ(a.count, 7);
	T_EQ(a.seconds, 60);
	T_OK(secret_equal(&a.secret, "s3cr3t", 6));
	T_STR(json_string_value(json_object_get(o, "secret")), "");
	T_EQ(a.list.n, 2);
	T_STR(a.list.v[1], "b");
	T_STR(ex_var(&a.map, "host"), "h");
	secret_done(&a.secret);
	json_decref(o);
}

TEST(a_map_of_secrets_is_moved_out_of_the_call)
{
	json_t *o = parse("{\"str\":\"abc\",\"secrets\":{\"username\":\"bob\",\"password\":\"p\"}}");
	struct args a = { 0 };
	struct err e = { 0 };

	T_DO(fields_decode(fields, o, &a, &e), e);
	T_EQ(a.secrets.n, 2);
	T_OK(secret_equal(ex_secret(&a.secrets, "password"), "p", 1));
	T_OK(ex_secret(&a.secrets, "token") == NULL);
	T_STR(json_string_value(json_object_get(json_object_get(o, "secrets"), "username")), "");
	ex_secrets_done(&a.secrets);
	json_decref(o);
}

TEST(a_map_of_secrets_that_is_none_quotes_nothing)
{
	static const char *const bad[] = { "[]", "\"hunter2\"", "{\"p\":7}", "{\"p\":{\"q\":\"hunter2\"}}",
		"{\"p\":\"hunter2-hunter2-hunter2\"}", "{\"\":\"hunter2\"}",
		"{\"a\":\"\",\"b\":\"\",\"c\":\"\",\"d\":\"\",\"e\":\"\",\"f\":\"\",\"g\":\"\",\"h\":\"\","
		"\"i\":\"\"}" };
	char text[300];

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct args a = { 0 };
		struct err e = { 0 };
		json_t *o;

		snprintf(text, sizeof text, "{\"str\":\"abc\",\"secrets\":%s}", bad[i]);
		o = parse(text);
		T_EQ(fields_decode(fields, o, &a, &e), V_INVALID);
		T_HAS(e.text, "secrets");
		T_OK(strstr(e.text, "hunter2") == NULL);
		ex_secrets_done(&a.secrets);
		json_decref(o);
	}
}

TEST(null_and_nothing_are_absent)
{
	json_t *o = parse("{\"str\":\"x\",\"name\":null,\"secret\":null,\"list\":null}");
	struct args a = { .count = 5 };
	struct err e = { 0 };

	T_DO(fields_decode(fields, o, &a, &e), e);
	T_STR(a.str, "x");
	T_OK(a.name == NULL && a.secret.p == NULL && a.list.n == 0);
	T_EQ(a.count, 5);
	json_decref(o);
	T_NE(fields_decode(fields, NULL, &a, &e), 0);
	T_DO(fields_decode(fields + 9, NULL, NULL, &e), e);	/* a method without any */
}

TEST(an_empty_optional_name_is_not_given)
{
	json_t *o = parse("{\"str\":\"x\",\"name\":\"\"}");
	struct args a = { 0 };
	struct err e = { 0 };

	T_DO(fields_decode(fields, o, &a, &e), e);
	T_OK(a.name == NULL);
	json_decref(o);
}

#define S "{\"str\":\"x\","
static const struct {
	const char	*text, *parameter, *says;
	enum err_id	 id;
} refused[] = {
	{ "{}", "str", "is missing", ERR_INVALID_PARAMETER },
	{ "{\"str\":null}", "str", "is missing", ERR_INVALID_PARAMETER },
	{ "{\"str\":\"\"}", "str", "is empty", ERR_INVALID_PARAMETER },
	{ "{\"str\":1}", "str", "must be a string", ERR_INVALID_PARAMETER },
	{ "{\"str\":[]}", "str", "must be a string", ERR_INVALID_PARAMETER },
	{ "{\"str\":\"12345678901\"}", "str", "too long", ERR_INVALID_PARAMETER },
	{ S "\"other\":1}", "other", "is not one of", ERR_INVALID_PARAMETER },
	{ S "\"secnds\":1}", "secnds", "did you mean 'seconds'?", ERR_INVALID_PARAMETER },
	{ S "\"Flag\":true}", "Flag", "did you mean 'flag'?", ERR_INVALID_PARAMETER },
	{ S "\"name\":\"a/b\"}", "name", "is not a name", ERR_NAME_INVALID },
	{ S "\"name\":\"a\\nb\"}", "name", "is not a name", ERR_NAME_INVALID },
	{ S "\"name\":\"a\\u007fb\"}", "name", "is not a name", ERR_NAME_INVALID },
	{ S "\"name\":\"a\\u009bb\"}", "name", "is not a name", ERR_NAME_INVALID },
	{ S "\"name\":\"1234567890123456789012345678901234567890123456789012345678901234567"
	    "89012345678901234567890123456789012345678901234567890x\"}", "name", "too long",
	    ERR_INVALID_PARAMETER },
	{ S "\"id\":\"000102030405060708090a0b0c0d0e0\"}", "id", "32 hex",
	    ERR_INVALID_PARAMETER },
	{ S "\"id\":\"000102030405060708090A0B0C0D0E0F\"}", "id", "32 hex",
	    ERR_INVALID_PARAMETER },
	{ S "\"id\":0}", "id", "32 hex", ERR_INVALID_PARAMETER },
	{ S "\"flag\":1}", "flag", "true or false", ERR_INVALID_PARAMETER },
	{ S "\"flag\":\"true\"}", "flag", "true or false", ERR_INVALID_PARAMETER },
	{ S "\"count\":\"1\"}", "count", "an integer", ERR_INVALID_PARAMETER },
	{ S "\"count\":1.0}", "count", "an integer", ERR_INVALID_PARAMETER },
	{ S "\"count\":-1}", "count", "negative", ERR_INVALID_PARAMETER },
	{ S "\"seconds\":-1}", "seconds", "ten years", ERR_INVALID_PARAMETER },
	{ S "\"seconds\":315360001}", "seconds", "ten years", ERR_INVALID_PARAMETER },
	{ S "\"secret\":12345}", "secret", "must be a string", ERR_INVALID_PARAMETER },
	{ S "\"secret\":\"12345678901234567\"}", "secret", "too long", ERR_INVALID_PARAMETER },
	{ S "\"list\":\"a\"}", "list", "an array", ERR_INVALID_PARAMETER },
	{ S "\"list\":[\"a\",1]}", "list", "short strings", ERR_INVALID_PARAMETER },
	{ S "\"list\":[\"123456789\"]}", "list", "short strings", ERR_INVALID_PARAMETER },
	{ S "\"list\":[\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\","
	    "\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\","
	    "\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\","
	    "\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\","
	    "\"\",\"\",\"\"]}", "list", "too many", ERR_INVALID_PARAMETER },
	{ S "\"map\":[]}", "map", "an object", ERR_INVALID_PARAMETER },
	{ S "\"map\":{\"a\":1}}", "map", "short texts", ERR_INVALID_PARAMETER },
	{ S "\"map\":{\"a\":null}}", "map", "short texts", ERR_INVALID_PARAMETER },
	{ S "\"map\":{\"a\":\"\",\"b\":\"\",\"c\":\"\",\"d\":\"\",\"e\":\"\",\"f\":\"\","
	    "\"g\":\"\",\"h\":\"\",\"i\":\"\"}}", "map", "too many", ERR_INVALID_PARAMETER },
	{ S "\"map\":{\"1234567890123456789012345678901234567890123456789012345678901234\":"
	    "\"\"}}", "map", "short texts", ERR_INVALID_PARAMETER },
};

TEST(refusals_name_the_parameter)
{
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		json_t *o = parse(refused[i].text);
		struct args a = { 0 };
		struct err e = { 0 };

		if (fields_decode(fields, o, &a, &e) == 0)
			fail_msg("accepted: %s", refused[i].text);
		T_EQ(e.id, refused[i].id);
		T_HAS(e.text, refused[i].says);
		T_STR(err_detail_get(&e, "parameter"), refused[i].parameter);
		secret_done(&a.secret);
		json_decref(o);
	}
}

TEST(a_value_is_never_quoted)
{
	static const char *const texts[] = {
		S "\"name\":\"hunter2/\"}", S "\"secret\":\"hunter2hunter2hunter2\"}",
		S "\"count\":\"hunter2\"}", S "\"map\":{\"k\":[\"hunter2\"]}}",
		S "\"id\":\"hunter2\"}" };

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		json_t *o = parse(texts[i]);
		struct args a = { 0 };
		struct err e = { 0 };

		T_NE(fields_decode(fields, o, &a, &e), 0);
		T_OK(strstr(e.text, "hunter2") == NULL);
		for (unsigned k = 0; k < e.n; k++)
			T_OK(strstr(e.detail[k].value, "hunter2") == NULL);
		json_decref(o);
	}
}

TEST(a_required_secret_is_not_empty)
{
	static const struct field one[] = {
		{ "secret", F_SECRET, offsetof(struct args, secret), true, 0 }, { 0 } };
	json_t *o = parse("{\"secret\":\"\"}");
	struct args a = { 0 };
	struct err e = { 0 };

	T_NE(fields_decode(one, o, &a, &e), 0);
	T_HAS(e.text, "is empty");
	json_decref(o);
}

int
main(void)
{
	struct err e;

	json_wiping_allocator();
	if (secret_arena_init(1 << 16, false, &e) != 0)
		return 1;
	return unit_run();
}

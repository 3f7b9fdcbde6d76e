#include "tests/unit.h"

#include "common/auto.h"
#include "common/errors.h"
#include "common/json.h"
#include "vaultd/request.h"
#include "vaultd/varlink.h"
#include "vaultd/verbs.h"

static json_t *
parse(const char *text)
{
	struct err e = { 0 };
	json_t *o = json_parse((struct slice){ text, strlen(text) }, 1 << 20, &e);

	if (o == NULL)
		fail_msg("%s: %s", text, e.text);
	return o;
}

static const char *const calls[] = {
	"{\"method\":\"a.B\"}",
	"{\"method\":\"a.B\",\"parameters\":null}",
	"{\"method\":\"a.B\",\"parameters\":{}}",
	"{\"method\":\"a.B\",\"more\":true}",
	"{\"method\":\"a.B\",\"oneway\":false,\"upgrade\":false,\"more\":false}",
};

TEST(calls)
{
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		json_t *o = parse(calls[i]);
		struct varlink_call c;
		struct err e = { 0 };

		T_DO(varlink_call_parse(o, &c, &e), e);
		T_STR(c.method, "a.B");
		T_EQ(c.parameters != NULL, i == 2);
		T_EQ(c.more, i == 3);
		json_decref(o);
	}
}

static const char *const not_calls[] = {
	"[]", "{}",
	"{\"method\":1}", "{\"method\":null}",
	"{\"parameters\":{}}",
	"{\"method\":\"a.B\",\"parameters\":[]}",
	"{\"method\":\"a.B\",\"parameters\":\"\"}",
	"{\"method\":\"a.B\",\"more\":1}", "{\"method\":\"a.B\",\"more\":null}",
	"{\"method\":\"a.B\",\"oneway\":true}", "{\"method\":\"a.B\",\"upgrade\":true}",
	"{\"method\":\"a.B\",\"id\":1}", "{\"method\":\"a.B\",\"error\":\"a.C\"}",
	"{\"method\":\"a.B\",\"com.example.x\":1}",
};

TEST(what_is_not_a_call)
{
	for (size_t i = 0; i < sizeof not_calls / sizeof *not_calls; i++) {
		json_t *o = parse(not_calls[i]);
		struct varlink_call c;
		struct err e = { 0 };

		if (varlink_call_parse(o, &c, &e) != V_INVALID)
			fail_msg("accepted: %s", not_calls[i]);
		json_decref(o);
	}
}

/* The error as a client sees it. */
static json_t *
sent(const struct err *e, const char *trace)
{
	AUTO(buf) out = { 0 };

	T_OK(varlink_error(&out, e, trace));
	T_OK(out.len > 0 && out.p[out.len - 1] == '\0');
	T_OK(memchr(out.p, '\0', out.len) == out.p + out.len - 1);
	return parse((const char *)out.p);
}

static const char *
get(json_t *o, const char *key)
{
	return json_string_value(json_object_get(json_object_get(o, "parameters"), key));
}

TEST(an_error_has_all_a_person_needs)
{
	struct err e = { 0 };
	json_t *o;

	err_name(&e, ERR_POLICY_DENIED, "no: \"%s\"\n", "x");
	err_detail(&e, "rule", "/a/b");
	err_detail(&e, "rule", "the second is not it");
	err_detail(&e, "message", "neither is this");
	o = sent(&e, "00ff");
	T_STR(json_string_value(json_object_get(o, "error")), "vaultd.Vault.PolicyDenied");
	T_STR(get(o, "message"), "no: \"x\"\n");
	T_STR(get(o, "owner"), "admin");
	T_OK(json_is_false(json_object_get(json_object_get(o, "parameters"), "retry")));
	T_OK(strlen(get(o, "advice")) > 0);
	T_STR(get(o, "trace"), "00ff");
	T_STR(get(o, "rule"), "/a/b");
	json_decref(o);
}

TEST(every_error_can_be_sent)
{
	for (unsigned id = 0; id <= ERR_MAX; id++) {
		struct err e = { 0 };
		json_t *o;

		err_name(&e, id, "text");
		o = sent(&e, NULL);
		T_STR(json_string_value(json_object_get(o, "error")), err_row(id)->name);
		T_STR(get(o, "trace"), "");
		json_decref(o);
	}
}

TEST(errors_of_the_service_keep_its_promises)
{
	struct err e = { 0 };
	json_t *o;

	err_set(&e, V_INVALID, "only a class");
	o = sent(&e, "");
	T_STR(json_string_value(json_object_get(o, "error")),
	    "org.varlink.service.InvalidParameter");
	T_STR(get(o, "parameter"), "");
	json_decref(o);
	err_name(&e, ERR_METHOD_NOT_FOUND, "there is no a.B");
	err_detail(&e, "method", "a.B");
	o = sent(&e, "");
	T_STR(get(o, "method"), "a.B");
	json_decref(o);
}

TEST(texts_that_are_not_utf8)
{
	static const struct { const char *text, *sent; } rows[] = {
		{ "J\303\266rg", "J\303\266rg" },
		{ "J\303\266rg\303", "J\303\266rg" },		/* cut in a character */
		{ "\342\202\254 \360\237\230", "\342\202\254 " },
		{ "a\377b", "a?b" },
		{ "\377", "" },
		{ "", "" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct err e = { 0 };
		json_t *o;

		err_name(&e, ERR_NOT_FOUND, "%s", rows[i].text);
		err_detail(&e, "connection", "%s", rows[i].text);
		o = sent(&e, "");
		T_STR(get(o, "message"), rows[i].sent);
		T_STR(get(o, "connection"), rows[i].sent);
		json_decref(o);
	}
}

TEST(replies)
{
	AUTO(buf) out = { 0 };
	json_t *o = json_pack("{s:i}", "n", 1);

	T_OK(varlink_reply(&out, NULL, false));
	T_STR((char *)out.p, "{\"parameters\":{}}");
	buf_reset(&out);
	T_OK(varlink_reply(&out, o, false));
	T_STR((char *)out.p, "{\"parameters\":{\"n\":1}}");
	T_EQ(out.len, strlen((char *)out.p) + 1);
	json_decref(o);
}

static json_t *
describe(const char *interface, struct err *e)
{
	struct { const char *interface; } args = { interface };
	struct request r = { .args = &args };

	return verb_service_description.run(&r, e) == 0 ? r.reply : NULL;
}

TEST(the_service_describes_every_interface_it_lists)
{
	struct request r = { 0 };
	struct err e = { 0 };
	json_t *name;
	size_t i;

	T_EQ(verb_service_info.run(&r, &e), 0);
	T_STR(json_string_value(json_object_get(r.reply, "product")), "vaultd");
	T_OK(json_array_size(json_object_get(r.reply, "interfaces")) >= 9);
	json_array_foreach(json_object_get(r.reply, "interfaces"), i, name) {
		json_t *d = describe(json_string_value(name), &e);
		char line[300];

		T_OK(d != NULL);
		snprintf(line, sizeof line, "\ninterface %s\n", json_string_value(name));
		T_HAS(json_string_value(json_object_get(d, "description")), line);
		json_decref(d);
	}
	json_decref(r.reply);
	T_OK(describe("vaultd.Nothing", &e) == NULL);
	T_EQ(e.id, ERR_INTERFACE_NOT_FOUND);
	T_STR(err_detail_get(&e, "interface"), "vaultd.Nothing");
}

int
main(void)
{
	json_wiping_allocator();
	return unit_run();
}

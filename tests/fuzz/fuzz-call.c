/*
 * fuzz-call.c - one message of a client, on the way that request.c sends it: parse, call,
 * declared parameters, and the error that comes back.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "common/exchange.h"
#include "common/json.h"
#include "vaultd/limits.h"
#include "vaultd/varlink.h"
#include "vaultd/verb.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct args {
	const char	*str, *name;
	struct id	 id;
	bool		 flag;
	int64_t		 count, seconds;
	struct secret	 secret;
	struct strings	 list;
	struct ex_vars	 map;
};

/* The names are those of real methods, so that a corpus of real calls reaches them. */
static const struct field fields[] = {
	{ "connection", F_STR, offsetof(struct args, str), false, 400 },
	{ "name", F_NAME, offsetof(struct args, name), false, 0 },
	{ "session", F_ID, offsetof(struct args, id), false, 0 },
	{ "flag", F_BOOL, offsetof(struct args, flag), false, 0 },
	{ "revision", F_INT, offsetof(struct args, count), false, 0 },
	{ "min_ttl", F_SECONDS, offsetof(struct args, seconds), false, 0 },
	{ "token", F_SECRET, offsetof(struct args, secret), false, 64 },
	{ "scopes", F_STRINGS, offsetof(struct args, list), false, 200 },
	{ "variables", F_MAP, offsetof(struct args, map), false, 0 },
	{ 0 },
};

static json_t *
parsed(const struct buf *b)
{
	struct err e;
	json_t *o;

	must(b->len > 0 && memchr(b->p, '\0', b->len) == b->p + b->len - 1);
	o = json_parse((struct slice){ b->p, b->len - 1 }, 8 * MESSAGE_MAX, &e);
	must(o != NULL);
	return o;
}

/* Every error is a message that its receiver can read. */
static void
check_error(const struct err *e)
{
	AUTO(buf) out = { 0 };
	json_t *o, *p;

	must(e->code != 0 && e->text[0] != '\0');
	must(varlink_error(&out, e, "0123456789abcdef"));
	o = parsed(&out);
	p = json_object_get(o, "parameters");
	must(json_is_string(json_object_get(o, "error")) && json_object_size(o) == 2);
	must(json_is_string(json_object_get(p, "message")));
	must(json_is_string(json_object_get(p, "advice")));
	json_decref(o);
}

static void
check_args(const struct args *a)
{
	must(a->str == NULL || strlen(a->str) <= 400);
	must(a->name == NULL || (*a->name != '\0' && strlen(a->name) <= 120 &&
	    strpbrk(a->name, "/\n\r\t\033\177") == NULL));
	must(a->count >= 0 && a->seconds >= 0 && a->secret.len <= 64);
	for (size_t i = 0; i < a->list.n; i++)
		must(strlen(a->list.v[i]) <= 200);
}

/* What came in goes out again unchanged. */
static void
check_reply(json_t *parameters)
{
	AUTO(buf) out = { 0 };
	json_t *o;

	must(varlink_reply(&out, parameters, false));
	o = parsed(&out);
	must(parameters == NULL ||
	    json_equal(json_object_get(o, "parameters"), parameters));
	json_decref(o);
}

static void
decode(json_t *message)
{
	struct varlink_call call;
	struct args a = { 0 };
	struct err e = { 0 };

	if (varlink_call_parse(message, &call, &e) != 0) {
		check_error(&e);
		return;
	}
	check_reply(call.parameters);
	if (fields_decode(fields, call.parameters, &a, &e) != 0)
		check_error(&e);
	else
		check_args(&a);
	if (a.secret.len > 0)
		must(json_string_length(json_object_get(call.parameters, "token")) == 0);
	secret_done(&a.secret);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct err e;

	(void)argc;
	(void)argv;
	json_wiping_allocator();
	must(secret_arena_init(1 << 16, true, &e) == 0);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len = strnlen((const char *)data, size);	/* conn.c cuts at NUL */
	char *text = malloc(len + 1);
	struct err e = { 0 };
	json_t *o;

	memcpy(text, data, len);
	text[len] = '\0';
	o = json_parse((struct slice){ text, len }, MESSAGE_MAX, &e);
	if (o == NULL)
		check_error(&e);
	else
		decode(o);
	json_decref(o);
	free(text);
	must(secret_in_use() == 0);
	return 0;
}

/*
 * fuzz-quick.c - the hand-written reader of the hot call against the full parser: two
 * readings of one message would be a way around policy. Whatever the first takes, the
 * second must take too, and mean the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "vaultd/limits.h"
#include "vaultd/quick.h"
#include "vaultd/varlink.h"
#include "vaultd/verb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct args {
	const char	*connection;
	int64_t		 min_ttl;
};

static const struct field fields[] = {
	{ "connection", F_STR, offsetof(struct args, connection), true, MESSAGE_MAX },
	{ "min_ttl", F_SECONDS, offsetof(struct args, min_ttl), false, 0 },
	{ 0 },
};

static void
compare(const struct quick_call *q, const char *text, size_t len)
{
	struct varlink_call call;
	struct args a = { .min_ttl = -1 };
	struct err e;
	json_t *o = json_parse((struct slice){ text, len }, MESSAGE_MAX, &e);

	must(o != NULL);
	must(varlink_call_parse(o, &call, &e) == 0 && !call.more);
	must(strcmp(call.method, "vaultd.Tokens.Get") == 0);
	must(fields_decode(fields, call.parameters, &a, &e) == 0);
	must(strlen(a.connection) == q->connection.len);
	must(memcmp(a.connection, q->connection.p, q->connection.len) == 0);
	must(a.min_ttl == (q->has_min_ttl ? q->min_ttl : -1));
	json_decref(o);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct quick_call q;
	char *text = malloc(size);	/* exactly: reading beyond is found */

	if (size > MESSAGE_MAX || text == NULL) {
		free(text);
		return 0;
	}
	memcpy(text, data, size);
	if (quick_token_get(text, size, &q))
		compare(&q, text, size);
	free(text);
	return 0;
}

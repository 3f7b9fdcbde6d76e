/*
 * fuzz-claims.c - what a provider says beside tokens: claims of an ID token (the input is what
 * they are encoded from, or the token itself), RFC 7662 answers, answers to a test call.
 */
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "common/json.h"
#include "egress/reply.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct err e;

	(void)argc;
	(void)argv;
	json_wiping_allocator();
	return secret_arena_init(1 << 20, true, &e);
}

static void
check_text(const char *s, size_t cap)
{
	must(strnlen(s, cap) < cap);
	for (; *s != '\0'; s++)
		must(*s >= 0x20 && *s < 0x7f);
}

/* Whole, so in UTF-8, and without a control character. */
static void
check_name(const char *s, size_t cap)
{
	json_auto_t *v = NULL;

	must(strnlen(s, cap) < cap);
	must((v = json_string(s)) != NULL);
	for (; *s != '\0'; s++)
		must((unsigned char)*s >= 0x20 && *s != 0x7f);
}

static void
claims(const void *p, size_t n, const char *member)
{
	AUTO(secret) jwt = { 0 };
	struct id_claims c;
	struct err e;

	if (n == 0)
		return;
	must(secret_set(&jwt, p, n, &e) == 0);
	if (reply_id_token(&jwt, "client", member, &c, &e) != 0)
		return;
	check_text(c.iss, sizeof c.iss);
	check_text(c.nonce, sizeof c.nonce);
	check_name(c.account, sizeof c.account);
}

static void
encoded_claims(const uint8_t *p, size_t n)
{
	char *text = malloc(n * 4 / 3 + 16);
	size_t len;

	memcpy(text, "e30.", 4);
	len = 4 + b64url_encode(p, n, text + 4);
	memcpy(text + len, ".c2ln", 5);
	claims(text, len + 5, "a.sub");
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct slice body = { p + 1, n - 1 };
	char account[32] = "";

	if (n == 0)
		return 0;
	switch (p[0] % 4) {
	case 0:
		encoded_claims(body.p, body.len);
		break;
	case 1:
		claims(body.p, body.len, NULL);
		break;
	case 2:
		must(reply_introspection(body) <= TOKEN_INACTIVE);
		break;
	case 3:
		reply_member(body, "login", account, sizeof account);
		check_name(account, sizeof account);
		break;
	}
	must(secret_in_use() == 0);
	return 0;
}

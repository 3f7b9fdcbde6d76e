/* Provider replies: any bytes, as any content type. First byte picks the type. */
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
	return secret_arena_init(4 << 20, true, &e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char *const types[] = { "application/json", "text/html", "text/plain", "" };
	static char member[] = "team.id", capture[] = "a.b", name[] = "x";
	struct connector c = { .account_from = ACCOUNT_ANSWER, .account_member = member,
		.capture = { { .name = name, .path = capture } }, .ncapture = 1 };
	struct reply r = { 0 };
	struct id_claims claims;
	struct err e;

	if (n == 0)
		return 0;
	if (reply_parse((struct slice){ p + 1, n - 1 }, types[p[0] % 4], &c, &r, &e) == 0 &&
	    r.id_token.len > 0)
		reply_id_token(&r.id_token, "client", "sub", &claims, &e);
	reply_done(&r);
	return 0;
}

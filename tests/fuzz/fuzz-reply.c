/*
 * Provider replies: any bytes, as any content type, read with connectors that look everywhere. The
 * last byte picks the type and the units, so that any answer as it is makes a seed:
 * tests/fixtures/answers is one more corpus.
 */
#include "common/json.h"
#include "egress/capture.h"
#include "egress/diagnose.h"
#include "egress/reply.h"

#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define HEAD "{\"id\":\"x\",\"name\":\"X\",\"version\":1,\"auth_types\":[\"pat\"]"

static const char *const texts[] = {
	HEAD "}",
	HEAD ",\"reply_root\":[\"authed_user\",\"\"],\"reply_success\":{\"ok\":\"true\"},\"account_from\":"
	    "\"answer\",\"account_member\":\"team.id\",\"capture\":{\"team\":\"team.id\",\"site\":{\"path\":"
	    "\"instance_url\",\"type\":\"url\",\"hosts\":[\".salesforce.com\"]},\"api\":{\"path\":\"/api_domain\","
	    "\"type\":\"url\",\"hosts\":[\"www.zohoapis.eu\"]},\"ws\":{\"path\":\"workspace_id\",\"type\":\"id\"}},"
	    "\"error_map\":{\"refresh:invalid_code\":\"GrantRevoked\",\"http_403\":\"Throttled\"}}",
	HEAD ",\"reply_access_token\":\"/data/0/a~1b\",\"reply_refresh_token\":\"data[0].r\",\"reply_scope\":"
	    "\"data[1]\",\"reply_expires\":\"expires_in\",\"reply_refresh_expires\":\"data[0].e\","
	    "\"reply_error\":[\"errors[0].code\",\"error\"],\"reply_error_text\":\"errors[0].message\"}",
};
#define N (sizeof texts / sizeof *texts)

static struct connector connectors[N];

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct err e;
	int rc;

	(void)argc;
	(void)argv;
	json_wiping_allocator();
	rc = secret_arena_init(4 << 20, true, &e);
	for (size_t i = 0; rc == 0 && i < N; i++)
		rc = connector_parse("f", (struct slice){ texts[i], strlen(texts[i]) }, &connectors[i],
		    &e);
	return rc;
}

/* What callers will send tokens to is the provider's. */
static void
check_kept(const struct connector *c, const char *name, const char *value)
{
	const struct connector_capture *k = connector_capture_find(c, name, strlen(name));
	char host[EX_URL];

	if (k->type != CAPTURE_URL)
		return;
	must(http_host(value, host, sizeof host));
	must(strcmp(host, "www.zohoapis.eu") == 0 || (strlen(host) > 15 &&
	    strcmp(host + strlen(host) - 15, ".salesforce.com") == 0));
}

static void
one(struct slice body, struct connector *c, unsigned pick)
{
	static const char *const types[] = { "application/json", "text/html", "text/plain", "" };
	static const unsigned statuses[] = { 200, 400, 403, 500 };
	const char *type = types[pick % 4];
	struct http_answer a = { .phase = PHASE_ANSWERED, .status = statuses[pick / 4 % 4] };
	struct facts f = { .asked = 1u << pick % 6, .connector = c };
	struct exchange_result res = { 0 };
	struct reply r = { 0 };
	struct id_claims claims;
	struct err e;

	c->reply_expires_unit = c->reply_refresh_expires_unit = pick % (EXPIRY_D_HH_MM + 1);
	if (reply_parse(body, type, c, &r, &e) == 0) {
		if (r.id_token.len > 0)
			reply_id_token(&r.id_token, "client", "sub", &claims, &e);
		redact_tokens(r.description);
		diagnose(&f, &a, &r, &res);
		for (size_t i = 0; i < r.captured.n; i++)
			check_kept(c, r.captured.v[i].name, r.captured.v[i].value);
	} else {
		diagnose(&f, &a, NULL, &res);
	}
	must(res.phase != PHASE_ANSWERED || r.access_token.len > 0);
	exchange_result_done(&res);
	reply_done(&r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n > 0)
		for (size_t i = 0; i < N; i++)
			one((struct slice){ p, n }, &connectors[i], p[n - 1]);
	return 0;
}

/*
 * test_app.c - does the provider take an app's secret? A client credentials request tells, also at
 * providers that give this client no such token: the client is authenticated before anything else is
 * judged (RFC 6749 section 3.2.1). What a provider then says differs, so that a refusal is held
 * against the answer to a secret that is certainly wrong: a provider that calls that one
 * invalid_client, and ours not, took ours. It spends nobody's grant; a token that comes is dropped.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/auto.h"
#include "common/errors.h"
#include "egress/egress.h"
#include "egress/oauth.h"
#include "egress/ops.h"
#include "egress/reply.h"

#define TEST_S 15

static void
testing_free(void *p)
{
	app_secret_done(p);
	free(p);
}

#define WRONG_BYTES 24

/* One request. RET_ERROR: the provider's word, "" when it gave a token. FALSE: no answer of a token
 * endpoint; said why. */
static bool
ask(struct job *j, const struct app_secret *app, const struct connector *c, char ret_error[64],
    struct test_app_result *ret, struct err *e)
{
	AUTO(token_request) t = { 0 };
	struct http_request q = { .method = "POST", .url = app->d.token_url, .timeout_s = TEST_S };
	struct http_answer a = { 0 };
	struct reply p = { 0 };
	bool ok = false;

	if (client_request_make(j->x, c, app, "", &t, e) != 0)
		return false;
	http_headers(&q, c->headers, c->nheaders);
	token_request_send(j->x, &t, &q, &a);
	ret->http_status = a.status;
	if (a.phase != PHASE_ANSWERED)
		snprintf(ret->text, sizeof ret->text, "%.150s", a.err.text);
	else if (reply_parse((struct slice){ a.body.p, a.body.len }, a.content_type, c, &p, e) != 0)
		snprintf(ret->text, sizeof ret->text, "the answer (HTTP %u) is not one of a token "
		    "endpoint", a.status);
	else
		ok = p.error[0] != '\0' || p.access_token.len > 0;
	snprintf(ret_error, 64, "%s", p.error);
	reply_done(&p);
	http_answer_done(&a);
	return ok;
}

static int
make_wrong(struct app_secret *app, struct err *e)
{
	unsigned char raw[WRONG_BYTES];
	char text[2 * WRONG_BYTES];

	random_bytes(raw, sizeof raw);
	return secret_set(&app->client_secret, text, b64url_encode(raw, sizeof raw, text), e);
}

/* ERROR is what the provider said to the secret that is tried. */
static void
judge(struct job *j, struct app_secret *app, const struct connector *c, const char *error,
    struct test_app_result *ret, struct err *e)
{
	struct test_app_result other = { 0 };
	char wrong[64];

	if (error[0] == '\0') {
		ret->found = APP_GOOD;
		snprintf(ret->text, sizeof ret->text, "the provider gave a token for it");
	} else if (strcmp(error, "invalid_client") == 0) {
		ret->found = APP_REFUSED;
		snprintf(ret->text, sizeof ret->text, "the provider refused it: invalid_client");
	} else if (make_wrong(app, e) == 0 && ask(j, app, c, wrong, &other, e) &&
	    strcmp(wrong, "invalid_client") == 0) {
		ret->found = APP_GOOD;
		snprintf(ret->text, sizeof ret->text, "the provider took it: it said %.40s, and "
		    "invalid_client to a wrong one", error);
	} else {
		snprintf(ret->text, sizeof ret->text, "the provider's answer says nothing of the "
		    "secret (HTTP %u, %.60s)", ret->http_status, error);
	}
}

static int
test_app_perform(struct job *j, struct err *e)
{
	struct app_secret *app = j->state;
	const struct connector *c = catalogue_find(&j->x->catalogue, app->d.connector);
	struct test_app_result res = { 0 };
	char error[64];

	if (c == NULL)
		return err_name(e, ERR_CONNECTOR_UNKNOWN, "connector '%s' is not in the catalogue of "
		    "vault-egress", app->d.connector);
	if (ask(j, app, c, error, &res, e))
		judge(j, app, c, error, &res, e);
	test_app_result_put(&j->answer, &res);
	return 0;
}

int
test_app_prepare(struct job *j, struct err *e)
{
	struct app_secret *app = calloc(1, sizeof *app);
	AUTO(secret) plain = { 0 };
	struct test_app q = { 0 };

	must(app != NULL);
	j->state = app;
	j->done_state = testing_free;
	j->perform = test_app_perform;
	if (test_app_get((struct slice){ j->body.p, j->body.len }, &q, e) != 0 ||
	    keys_open(j->x, PURPOSE_GRANT, &q.app, &plain, e) != 0 ||
	    app_secret_get(&plain, app, e) != 0)
		return e->code;
	if (!http_host(app->d.token_url, j->host, sizeof j->host))
		return err_name(e, ERR_HOST_NOT_ALLOWED, "the sealed token URL is not https");
	return 0;
}

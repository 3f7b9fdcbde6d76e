/*
 * account.c - see account.h.
 */
#include "egress/account.h"

#include <stdio.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/json.h"
#include "common/log.h"
#include "egress/egress.h"
#include "egress/http.h"
#include "egress/reply.h"

#define PROBE_S		15
#define ACCOUNT_S	6	/* shorter than vaultd waits when it asks about an attempt */

static int
put(struct secret *to, const char *text, struct err *e)
{
	return secret_append(to, text, strlen(text), e);
}

int
fragment_make(const struct secret *token, const char *token_type, const char *scope,
    struct secret *ret, struct err *e)
{
	if (put(ret, "\"access_token\":", e) != 0 ||
	    json_quote_secret(ret, (const char *)token->p, token->len, e) != 0 ||
	    put(ret, ",\"token_type\":", e) != 0 ||
	    json_quote_secret(ret, token_type, strlen(token_type), e) != 0 ||
	    put(ret, ",\"scope\":", e) != 0)
		return e->code;
	return json_quote_secret(ret, scope, strlen(scope), e);
}

static void
read_account(const struct connector *c, const struct secret *body, char *out, size_t cap)
{
	if (c->account_from == ACCOUNT_PROBE)
		reply_member((struct slice){ body->p, body->len }, c->account_member, out, cap);
}

/* One line of a header: no token of any kind holds anything but visible ASCII. */
static bool
fits_header(const struct secret *token)
{
	for (size_t i = 0; i < token->len; i++)
		if (token->p[i] <= 0x20 || token->p[i] >= 0x7f)
			return false;
	return token->len > 0;
}

static int
probe(struct egress *x, const struct connector *c, const struct destination *d,
    const struct secret *token, unsigned timeout_s, char *out, size_t cap, struct err *e)
{
	AUTO(secret) auth = { 0 };
	struct http_request q = { .method = "GET", .url = d->probe_url,
		.timeout_s = timeout_s, .authorization = &auth };
	struct http_answer a = { 0 };
	char line[4][200];

	if (!fits_header(token)) {
		err_name(e, ERR_INVALID_PARAMETER, "a token is visible ASCII without spaces");
		err_detail(e, "parameter", "token");
		return e->code;
	}
	if (d->probe_url[0] == '\0')
		return 0;
	for (size_t i = 0; i < c->nprobe_headers; i++) {
		snprintf(line[i], sizeof line[i], "%.60s: %.120s", c->probe_headers[i].name,
		    c->probe_headers[i].value);
		q.header[i] = line[i];
	}
	if (put(&auth, c->probe_scheme, e) != 0 || put(&auth, " ", e) != 0 ||
	    secret_append(&auth, token->p, token->len, e) != 0)
		return e->code;
	http_send(x, &q, &a);
	e->code = 0;
	if (a.phase != PHASE_ANSWERED)
		*e = a.err;
	else if (a.status == 401 || a.status == 403)
		err_name(e, ERR_KEY_REJECTED, "the provider refused the token (%u)", a.status);
	else if (a.status == 429)
		err_name(e, ERR_THROTTLED, "the provider answered 429: too many requests");
	else if (a.status < 200 || a.status > 299)
		err_name(e, ERR_PROVIDER_REFUSED, "the provider answered %u to a test call",
		    a.status);
	else
		read_account(c, &a.body, out, cap);
	http_answer_done(&a);
	return (int)e->code;
}

int
token_probe(struct egress *x, const struct connector *c, const struct destination *d,
    const struct secret *token, char *out, size_t cap, struct err *e)
{
	return probe(x, c, d, token, PROBE_S, out, cap, e);
}

void
account_probe(struct egress *x, const struct connector *c, const struct destination *d,
    const struct secret *token, char *out, size_t cap)
{
	struct err e;

	if (probe(x, c, d, token, ACCOUNT_S, out, cap, &e) != 0)
		log_info("the account of a new connection is not known: %s", e.text);
}

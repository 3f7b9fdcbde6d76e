/*
 * introspect.c - does the provider still know a refresh token (RFC 7662)? Asked when an answer was
 * lost: it tells a request that never arrived from one that spent the token, and costs nothing.
 */
#include <stdlib.h>

#include "common/auto.h"
#include "egress/egress.h"
#include "egress/oauth.h"
#include "egress/ops.h"
#include "egress/reply.h"

#define INTROSPECT_S 15

struct asking {
	struct app_secret	app;
	struct grant_secret	grant;
};

static void
asking_free(void *p)
{
	struct asking *a = p;

	app_secret_done(&a->app);
	grant_secret_done(&a->grant);
	free(a);
}

static enum token_state
judge(const struct http_answer *a)
{
	if (a->phase != PHASE_ANSWERED || a->status != 200)
		return TOKEN_UNKNOWN;
	return reply_introspection((struct slice){ a->body.p, a->body.len });
}

static int
introspect_perform(struct job *j, struct err *e)
{
	const struct asking *s = j->state;
	const struct connector *c = destination_connector(&j->x->catalogue, &s->app.d);
	AUTO(token_request) t = { 0 };
	struct http_request q = { .method = "POST", .url = s->app.d.introspection_url,
		.timeout_s = INTROSPECT_S };
	struct http_answer a = { 0 };
	enum token_state state = TOKEN_UNKNOWN;

	if (s->app.d.introspection_url[0] != '\0') {
		if (about_token_make(j->x, &s->app, &s->grant.refresh_token, "refresh_token", true,
			&t, e) != 0)
			return e->code;
		if (c != NULL)
			http_headers(&q, c->headers, c->nheaders);
		token_request_send(j->x, &t, &q, &a);
		state = judge(&a);
		http_answer_done(&a);
	}
	msg_put_u8(&j->answer, (uint8_t)state);
	return 0;
}

int
introspect_prepare(struct job *j, struct err *e)
{
	struct asking *s = calloc(1, sizeof *s);
	struct introspect q = { 0 };

	must(s != NULL);
	j->state = s;
	j->done_state = asking_free;
	j->perform = introspect_perform;
	if (introspect_get((struct slice){ j->body.p, j->body.len }, &q, e) != 0 ||
	    keys_open_grant(j->x, &q.app, &q.grant, &s->app, &s->grant, e) != 0)
		return e->code;
	if (s->app.d.introspection_url[0] != '\0')
		http_host(s->app.d.introspection_url, j->host, sizeof j->host);
	return 0;
}

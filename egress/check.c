/*
 * check.c - EGRESS_CHECK: does the provider's API take the token, or other secret, that is stored?
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "common/errors.h"
#include "egress/account.h"
#include "egress/capture.h"
#include "egress/egress.h"
#include "egress/http.h"
#include "egress/ops.h"

struct checking {
	const struct connector	*c;
	struct destination	 d;
	struct secret		 token;
	struct shown		 shown;		/* what is no token */
	bool			 shows;
};

static void
checking_free(void *p)
{
	struct checking *k = p;

	secret_done(&k->token);
	shown_done(&k->shown);
	free(k);
}

static int check_perform(struct job *j, struct err *e);

/* As it was sealed with the app; for a secret without one, as its connector says. */
static int
find_destination(struct job *j, const struct check *q, struct checking *k, struct err *e)
{
	AUTO(secret) text = { 0 };
	struct app_secret app = { 0 };
	int rc;

	if (q->app.blob.len > 0) {
		rc = keys_open(j->x, PURPOSE_GRANT, &q->app, &text, e);
		if (rc == 0)
			rc = app_secret_get(&text, &app, e);
		k->d = app.d;
		app_secret_done(&app);
		k->c = destination_connector(&j->x->catalogue, &k->d);
	} else {
		k->c = catalogue_pinned(&j->x->catalogue, q->connector, q->version);
		rc = k->c == NULL ? 0 : destination_expand(k->c, &q->vars, "x", &k->d, e);
	}
	if (rc == 0 && k->c == NULL)
		return err_name(e, ERR_CONNECTOR_GONE, "connector '%s' is not in the catalogue of "
		    "vault-egress", q->connector);
	return rc;
}

/* As the type shows it: a token, or headers and a parameter. */
static int
find_secret(struct checking *k, enum auth_type t, const struct secret *fragment, struct err *e)
{
	struct ex_secrets s = { 0 };
	int rc;

	k->shows = auth_type_flags(t) & AUTH_STATIC && t != AUTH_PAT;
	if (!k->shows)
		return fragment_token(fragment, &k->token, e);
	rc = fragment_secrets(fragment, &s, e);
	if (rc == 0)
		rc = secrets_check(k->c, t, &s, e);
	if (rc == 0)
		rc = shown_make(k->c, t, &s, &k->shown, e);
	ex_secrets_done(&s);
	return rc;
}

/* Of a type that the test call is not for nothing is asked. What the sign-in told is in the URL of
 * some: without it there is nothing to call. It comes from vaultd, and no URL is taken from there:
 * it is held against the connector again. */
static void
find_url(struct checking *k, const struct check *q)
{
	struct ex_vars captured;
	char url[EX_URL];

	capture_again(&q->captured, k->c, k->d.token_url, &captured);
	if ((auth_type_flags(q->auth_type) & AUTH_STATIC && !connector_probes(k->c, q->auth_type)) ||
	    !connector_fill(k->d.probe_url, &captured, url, sizeof url))
		url[0] = '\0';
	snprintf(k->d.probe_url, sizeof k->d.probe_url, "%s", url);
}

int
check_prepare(struct job *j, struct err *e)
{
	struct checking *k = calloc(1, sizeof *k);
	struct check q = { 0 };
	AUTO(secret) fragment = { 0 };

	must(k != NULL);
	j->state = k;
	j->done_state = checking_free;
	j->perform = check_perform;
	if (check_get((struct slice){ j->body.p, j->body.len }, &q, e) != 0 ||
	    find_destination(j, &q, k, e) != 0 ||
	    keys_open(j->x, PURPOSE_RELEASE, &q.release, &fragment, e) != 0)
		return e->code;
	find_url(k, &q);
	if (k->d.probe_url[0] == '\0')
		return 0;
	http_host(k->d.probe_url, j->host, sizeof j->host);
	return find_secret(k, q.auth_type, &fragment, e);
}

static int
check_perform(struct job *j, struct err *e)
{
	struct checking *k = j->state;
	struct check_result res = { .asked = k->d.probe_url[0] != '\0' };
	char account[256] = "";
	const char *status = NULL;
	int rc = 0;

	if (res.asked && k->shows)
		rc = shown_probe(j->x, k->c, &k->d, &k->shown, account, sizeof account, &res.err);
	else if (res.asked)
		rc = token_probe(j->x, k->c, &k->d, &k->token, account, sizeof account, &res.err);
	if (rc != 0 && (status = err_detail_get(&res.err, "http_status")) != NULL)
		res.status = (uint16_t)atoi(status);
	(void)e;
	check_result_put(&j->answer, &res);
	return 0;
}

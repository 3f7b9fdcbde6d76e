/*
 * check.c - EGRESS_CHECK: does the provider's API take the token that is stored?
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
};

static void
checking_free(void *p)
{
	struct checking *k = p;

	secret_done(&k->token);
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

int
check_prepare(struct job *j, struct err *e)
{
	struct checking *k = calloc(1, sizeof *k);
	struct check q = { 0 };
	AUTO(secret) fragment = { 0 };
	struct ex_vars captured;
	char url[EX_URL];

	must(k != NULL);
	j->state = k;
	j->done_state = checking_free;
	j->perform = check_perform;
	if (check_get((struct slice){ j->body.p, j->body.len }, &q, e) != 0 ||
	    find_destination(j, &q, k, e) != 0 ||
	    keys_open(j->x, PURPOSE_RELEASE, &q.release, &fragment, e) != 0)
		return e->code;
	/* What the sign-in told is in the URL of some: without it there is nothing to call. It comes from
	 * vaultd, and no URL is taken from there: it is held against the connector again. */
	capture_again(&q.captured, k->c, k->d.token_url, &captured);
	if (!connector_fill(k->d.probe_url, &captured, url, sizeof url))
		url[0] = '\0';
	snprintf(k->d.probe_url, sizeof k->d.probe_url, "%s", url);
	if (k->d.probe_url[0] == '\0')
		return 0;
	http_host(k->d.probe_url, j->host, sizeof j->host);
	/* What is no token is shown in other ways. */
	if (fragment_token(&fragment, &k->token, e) != 0)
		k->d.probe_url[0] = '\0';
	return 0;
}

static int
check_perform(struct job *j, struct err *e)
{
	struct checking *k = j->state;
	struct check_result res = { .asked = k->d.probe_url[0] != '\0' };
	char account[256] = "";
	const char *status;

	if (res.asked && token_probe(j->x, k->c, &k->d, &k->token, account, sizeof account,
		&res.err) != 0 && (status = err_detail_get(&res.err, "http_status")) != NULL)
		res.status = (uint16_t)atoi(status);
	(void)e;
	check_result_put(&j->answer, &res);
	return 0;
}

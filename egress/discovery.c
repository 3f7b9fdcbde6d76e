/*
 * discovery.c - see discovery.h.
 */
#include "egress/discovery.h"

#include <stdio.h>

#include "common/errors.h"
#include "common/json.h"
#include "egress/egress.h"
#include "egress/http.h"

#define DISCOVERY_S 20

static int
take_url(json_t *o, const char *name, bool required, char *ret, struct err *e)
{
	const char *s = json_string_value(json_object_get(o, name));

	if (s == NULL && !required)
		return 0;
	if (s == NULL || strncmp(s, "https://", 8) != 0 || strlen(s) >= EX_URL)
		return err_name(e, ERR_BAD_ANSWER, "the issuer's metadata has no usable %s", name);
	snprintf(ret, EX_URL, "%s", s);
	return 0;
}

static int
read_metadata(json_t *o, struct destination *d, bool *iss_required, struct err *e)
{
	const char *issuer = json_string_value(json_object_get(o, "issuer"));

	if (issuer == NULL || strcmp(issuer, d->issuer) != 0) {
		err_name(e, ERR_ISSUER_MISMATCH, "the metadata names issuer '%.100s'",
		    issuer == NULL ? "" : issuer);
		err_detail(e, "expected", "%s", d->issuer);
		return e->code;
	}
	*iss_required = json_is_true(json_object_get(o,
	    "authorization_response_iss_parameter_supported"));
	if (take_url(o, "authorization_endpoint", true, d->authorization_url, e) != 0 ||
	    take_url(o, "token_endpoint", true, d->token_url, e) != 0 ||
	    take_url(o, "revocation_endpoint", false, d->revocation_url, e) != 0 ||
	    take_url(o, "pushed_authorization_request_endpoint", false, d->par_url, e) != 0 ||
	    take_url(o, "device_authorization_endpoint", false, d->device_url, e) != 0 ||
	    take_url(o, "introspection_endpoint", false, d->introspection_url, e) != 0)
		return e->code;
	return take_url(o, "userinfo_endpoint", false, d->probe_url, e);
}

int
discover(struct egress *x, struct destination *d, bool *iss_required, struct err *e)
{
	char url[EX_URL + 64];
	size_t n = strlen(d->issuer);
	struct http_request q = { .method = "GET", .url = url, .timeout_s = DISCOVERY_S };
	struct http_answer a = { 0 };
	json_t *o = NULL;
	int rc;

	snprintf(url, sizeof url, "%.*s/.well-known/openid-configuration",
	    (int)(n > 0 && d->issuer[n - 1] == '/' ? n - 1 : n), d->issuer);
	http_send(x, &q, &a);
	e->code = 0;
	if (a.phase != PHASE_ANSWERED)
		*e = a.err;
	else if (a.status != 200)
		err_name(e, ERR_BAD_ANSWER, "%.200s answered %u", url, a.status);
	else if ((o = json_parse((struct slice){ a.body.p, a.body.len }, HTTP_ANSWER_MAX, e)) ==
	    NULL)
		err_name(e, ERR_BAD_ANSWER, "%.200s is not JSON", url);
	rc = o == NULL ? (int)e->code : read_metadata(o, d, iss_required, e);
	json_decref(o);
	http_answer_done(&a);
	return rc;
}

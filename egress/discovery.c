/*
 * discovery.c - see discovery.h.
 */
#include "egress/discovery.h"

#include <stdio.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/json.h"
#include "egress/egress.h"
#include "egress/http.h"

#define DISCOVERY_S 15	/* twice, within what vaultd waits */

/* People and browsers are shown these: nothing in them but a plain URL. */
static bool
plain(const char *url)
{
	char host[256];

	for (const char *p = url; *p != '\0'; p++)
		if (*p <= 0x20 || *p >= 0x7f || strchr("\"\\<>^`{|}#", *p) != NULL)
			return false;
	return strlen(url) < EX_URL && http_host(url, host, sizeof host);
}

static int
take_url(json_t *o, const char *name, bool required, char *ret, struct err *e)
{
	const char *s = json_string_value(json_object_get(o, name));

	if (s == NULL && !required)
		return 0;
	if (s == NULL || !plain(s))
		return err_name(e, ERR_BAD_ANSWER, "the issuer's metadata has no usable %s", name);
	snprintf(ret, EX_URL, "%s", s);
	return 0;
}

/* RFC 8705 section 5: where a client shows its certificate, if that is elsewhere. */
static int
take_tls_urls(json_t *o, struct destination *d, struct err *e)
{
	json_t *at = json_object_get(o, "mtls_endpoint_aliases");

	if (take_url(at, "token_endpoint", false, d->token_url, e) != 0 ||
	    take_url(at, "revocation_endpoint", false, d->revocation_url, e) != 0 ||
	    take_url(at, "pushed_authorization_request_endpoint", false, d->par_url, e) != 0 ||
	    take_url(at, "device_authorization_endpoint", false, d->device_url, e) != 0 ||
	    take_url(at, "introspection_endpoint", false, d->introspection_url, e) != 0)
		return e->code;
	return take_url(at, "userinfo_endpoint", false, d->probe_url, e);
}

int
discovery_parse(struct slice text, struct destination *d, bool *iss_required, struct err *e)
{
	json_auto_t *o = json_parse(text, HTTP_ANSWER_MAX, e);
	const char *issuer = json_string_value(json_object_get(o, "issuer"));

	if (o == NULL)
		return err_name(e, ERR_BAD_ANSWER, "the issuer's metadata is not JSON");
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
	if (take_url(o, "userinfo_endpoint", false, d->probe_url, e) != 0)
		return e->code;
	return d->client_auth == CLIENT_TLS ? take_tls_urls(o, d, e) : 0;
}

/* Where the metadata is: OpenID Discovery section 4 appends, RFC 8414 section 3 puts it
 * between host and path. */
static void
metadata_url(const char *issuer, bool openid, char *out, size_t cap)
{
	size_t n = strlen(issuer), host;

	if (n > 0 && issuer[n - 1] == '/')
		n--;
	host = n > 8 ? 8 + strcspn(issuer + 8, "/") : n;
	if (openid || host > n)
		host = n;
	snprintf(out, cap, "%.*s/.well-known/%s%.*s", (int)host, issuer,
	    openid ? "openid-configuration" : "oauth-authorization-server", (int)(n - host),
	    issuer + host);
}

/* One place. *RET_MISSING: there is nothing at it. */
static int
fetch(struct egress *x, const char *url, struct secret *ret, bool *ret_missing, struct err *e)
{
	struct http_request q = { .method = "GET", .url = url, .timeout_s = DISCOVERY_S };
	struct http_answer a = { 0 };

	http_send(x, &q, &a);
	e->code = 0;
	*ret_missing = a.phase == PHASE_ANSWERED && a.status == 404;
	if (a.phase != PHASE_ANSWERED)
		*e = a.err;
	else if (a.status != 200)
		err_name(e, ERR_BAD_ANSWER, "%.200s answered %u", url, a.status);
	else
		*ret = secret_take(&a.body);
	http_answer_done(&a);
	return (int)e->code;
}

int
discovery_fetch(struct egress *x, const char *issuer, struct secret *ret, struct err *e)
{
	char url[EX_URL + 64];
	struct err second;
	bool missing;
	int rc;

	metadata_url(issuer, true, url, sizeof url);
	rc = fetch(x, url, ret, &missing, e);
	if (!missing)
		return rc;
	metadata_url(issuer, false, url, sizeof url);
	if (fetch(x, url, ret, &missing, &second) == 0)
		return 0;
	return missing ? rc : (int)(*e = second).code;
}

int
discover(struct egress *x, struct destination *d, bool *iss_required, struct err *e)
{
	AUTO(secret) text = { 0 };

	if (discovery_fetch(x, d->issuer, &text, e) != 0)
		return e->code;
	return discovery_parse((struct slice){ text.p, text.len }, d, iss_required, e);
}

/*
 * diagnose.c - see diagnose.h.
 */
#include "egress/diagnose.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/errors.h"

#define SKEW_S 60

struct meaning {
	const char	*code;
	enum err_id	 refresh, exchange;
};

/* RFC 6749 section 5.2, RFC 6750, OpenID Core section 3.1.2.6, and names of vendors. */
static const struct meaning meanings[] = {
	{ "invalid_grant", ERR_GRANT_REVOKED, ERR_CODE_REJECTED },
	{ "bad_refresh_token", ERR_GRANT_REVOKED, ERR_GRANT_REVOKED },
	{ "invalid_refresh_token", ERR_GRANT_REVOKED, ERR_GRANT_REVOKED },
	{ "token_revoked", ERR_GRANT_REVOKED, ERR_GRANT_REVOKED },
	{ "bad_verification_code", ERR_CODE_REJECTED, ERR_CODE_REJECTED },
	{ "invalid_code", ERR_CODE_REJECTED, ERR_CODE_REJECTED },
	{ "invalid_client", ERR_CLIENT_SECRET_WRONG, ERR_CLIENT_SECRET_WRONG },
	{ "incorrect_client_credentials", ERR_CLIENT_SECRET_WRONG, ERR_CLIENT_SECRET_WRONG },
	{ "bad_client_secret", ERR_CLIENT_SECRET_WRONG, ERR_CLIENT_SECRET_WRONG },
	{ "invalid_client_id", ERR_CLIENT_SECRET_WRONG, ERR_CLIENT_SECRET_WRONG },
	{ "unauthorized_client", ERR_GRANT_TYPE_NOT_ALLOWED, ERR_GRANT_TYPE_NOT_ALLOWED },
	{ "unsupported_grant_type", ERR_GRANT_TYPE_NOT_ALLOWED, ERR_GRANT_TYPE_NOT_ALLOWED },
	{ "redirect_uri_mismatch", ERR_REDIRECT_URI_MISMATCH, ERR_REDIRECT_URI_MISMATCH },
	{ "bad_redirect_uri", ERR_REDIRECT_URI_MISMATCH, ERR_REDIRECT_URI_MISMATCH },
	{ "invalid_scope", ERR_SCOPE_INVALID, ERR_SCOPE_INVALID },
	{ "insufficient_scope", ERR_SCOPE_INSUFFICIENT, ERR_SCOPE_INSUFFICIENT },
	{ "interaction_required", ERR_SIGNIN_REQUIRED, ERR_SIGNIN_REQUIRED },
	{ "consent_required", ERR_SIGNIN_REQUIRED, ERR_SIGNIN_REQUIRED },
	{ "login_required", ERR_SIGNIN_REQUIRED, ERR_SIGNIN_REQUIRED },
	{ "temporarily_unavailable", ERR_PROVIDER_DOWN, ERR_PROVIDER_DOWN },
	{ "server_error", ERR_PROVIDER_DOWN, ERR_PROVIDER_DOWN },
	{ "slow_down", ERR_THROTTLED, ERR_THROTTLED },
	{ "Access Denied", ERR_THROTTLED, ERR_THROTTLED },	/* Zoho, too many requests */
	/* At a token endpoint the app is denied, not the user (Atlassian, wrong secret). */
	{ "access_denied", ERR_CLIENT_SECRET_WRONG, ERR_CLIENT_SECRET_WRONG },
};

static enum err_id
meaning_of(enum exchange_kind kind, const char *code)
{
	for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
		if (strcmp(meanings[i].code, code) == 0)
			return kind == EX_CODE ? meanings[i].exchange : meanings[i].refresh;
	return ERR_PROVIDER_REFUSED;
}

/* What begins like a secret at the end of a text that is whole is a word, until it is so long. */
#define PART_MIN 16

void
redact(char *text, size_t cap, const struct secret *secret)
{
	size_t len = strlen(text), least = len + 1 == cap ? 4 : PART_MIN;
	char *at = text;

	if (secret->len < 4)
		return;
	for (; (at = memmem(at, len - (size_t)(at - text), secret->p, secret->len)) != NULL;
	    at += secret->len)
		memset(at, '*', secret->len);
	/* A text that fills its place was cut: the beginning of a secret may be what is left. */
	for (size_t n = secret->len < len ? secret->len : len; n >= least; n--)
		if (memcmp(text + len - n, secret->p, n) == 0) {
			memset(text + len - n, '*', n);
			break;
		}
}

/*
 * Entra ID says what it means by a number in the description; `error` is a broad class.
 * https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes
 */
static const struct { unsigned number; enum err_id id; } aadsts[] = {
	{ 50011, ERR_REDIRECT_URI_MISMATCH },
	{ 50055, ERR_SIGNIN_REQUIRED },		/* password expired */
	{ 50076, ERR_SIGNIN_REQUIRED },		/* MFA */
	{ 50079, ERR_SIGNIN_REQUIRED },
	{ 50158, ERR_SIGNIN_REQUIRED },
	{ 50173, ERR_GRANT_REVOKED },		/* password changed */
	{ 65001, ERR_SIGNIN_REQUIRED },		/* consent */
	{ 70000, ERR_GRANT_REVOKED },
	{ 70008, ERR_GRANT_REVOKED },
	{ 700082, ERR_GRANT_REVOKED },		/* idle too long */
	{ 700084, ERR_GRANT_REVOKED },
	{ 90002, ERR_WRONG_TENANT },
	{ 7000215, ERR_CLIENT_SECRET_WRONG },
	{ 7000222, ERR_CLIENT_SECRET_WRONG },	/* ended */
};

static enum err_id
meaning_of_aadsts(enum exchange_kind kind, const char *description)
{
	const char *at = strstr(description, "AADSTS");
	unsigned long n = at == NULL ? 0 : strtoul(at + 6, NULL, 10);

	for (size_t i = 0; i < sizeof aadsts / sizeof *aadsts; i++)
		if (aadsts[i].number == n)
			return kind == EX_CODE && aadsts[i].id == ERR_GRANT_REVOKED ?
			    ERR_CODE_REJECTED : aadsts[i].id;
	return ERR_NONE;
}

/* Atlassian answers 403 unauthorized_client for a spent refresh token. */
static bool
spent_elsewhere(enum exchange_kind kind, const struct http_answer *a, const struct reply *p)
{
	return kind == EX_REFRESH && a->status == 403 &&
	    strcmp(p->error, "unauthorized_client") == 0 &&
	    strstr(p->description, "refresh_token") != NULL;
}

static void
refused(enum exchange_kind kind, const struct http_answer *a, const struct reply *p,
    struct exchange_result *ret)
{
	enum err_id id = meaning_of_aadsts(kind, p->description);

	if (id == ERR_NONE)
		id = spent_elsewhere(kind, a, p) ? ERR_GRANT_REVOKED : meaning_of(kind, p->error);

	ret->phase = PHASE_REJECTED;
	if (id == ERR_PROVIDER_DOWN && a->status >= 500)
		ret->phase = PHASE_AMBIGUOUS;
	err_name(&ret->err, id, "the provider answered %s%s%.200s", p->error,
	    p->description[0] != '\0' ? ": " : "", p->description);
}

static void
by_status(const struct http_answer *a, struct exchange_result *ret)
{
	unsigned s = a->status;

	ret->phase = PHASE_REJECTED;
	if (s == 429 || (s == 503 && a->retry_after_s > 0)) {
		err_name(&ret->err, ERR_THROTTLED, "the provider answered %u: %s", s,
		    s == 429 ? "too many requests" : "it is overloaded or being mended");
	} else if (s >= 500) {
		ret->phase = PHASE_AMBIGUOUS;
		err_name(&ret->err, ERR_PROVIDER_DOWN, "the provider answered %u", s);
	} else if (s == 401) {		/* RFC 6749 section 5.2: client authentication failed */
		err_name(&ret->err, ERR_CLIENT_SECRET_WRONG, "the provider answered 401 to the "
		    "client's id and secret");
	} else if (s == 404) {
		err_name(&ret->err, ERR_WRONG_TENANT, "the provider answered 404: no such tenant or "
		    "address");
	} else if (s >= 400) {
		err_name(&ret->err, ERR_PROVIDER_REFUSED, "the provider answered %u without saying "
		    "why", s);
	} else if (s >= 300) {
		err_name(&ret->err, ERR_BAD_ANSWER, "the provider answered %u: redirects are not "
		    "followed", s);
	} else {
		ret->phase = PHASE_AMBIGUOUS;
		err_name(&ret->err, ERR_BAD_ANSWER, "the provider answered %u without a token", s);
	}
}

static void
add_details(struct exchange_result *ret)
{
	err_detail(&ret->err, "provider_code", "%s", ret->provider_code);
	err_detail(&ret->err, "http_status", "%u", ret->http_status);
	err_detail(&ret->err, "phase", "%s", phase_name(ret->phase));
}

void
diagnose(enum exchange_kind kind, const struct http_answer *a, const struct reply *p,
    struct exchange_result *ret)
{
	ret->http_status = a->status;
	ret->retry_after_s = a->retry_after_s;
	ret->skew_s = a->skew_s;
	if (p != NULL) {
		snprintf(ret->provider_code, sizeof ret->provider_code, "%s", p->error);
		snprintf(ret->provider_text, sizeof ret->provider_text, "%s", p->description);
	}
	if (a->status == 429 || (a->status == 503 && a->retry_after_s > 0) || p == NULL)
		by_status(a, ret);
	else if (p->error[0] != '\0')
		refused(kind, a, p, ret);
	else if (a->status < 200 || a->status > 299 || p->access_token.len == 0)
		by_status(a, ret);
	else
		ret->phase = PHASE_ANSWERED;
	if (ret->phase != PHASE_ANSWERED)
		add_details(ret);
	if (ret->phase == PHASE_REJECTED && (a->skew_s > SKEW_S || a->skew_s < -SKEW_S))
		err_wrap(&ret->err, "(clocks differ by %d s)", a->skew_s);
}

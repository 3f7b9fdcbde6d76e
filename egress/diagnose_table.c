/*
 * diagnose_table.c - what is seen, and what it means: the first row that fits counts. See
 * diagnose.h. Names are RFC 6749 sections 4.1.2.1 and 5.2, RFC 6750, RFC 8707, OpenID Core section
 * 3.1.2.6, and vendors'.
 */
#include <string.h>

#include "common/errors.h"
#include "egress/diagnose.h"

#define CODE	ASKED_CODE
#define REFRESH	ASKED_REFRESH
#define CLIENT	ASKED_CLIENT
#define PASSWORD ASKED_PASSWORD
#define SIGNED	ASKED_ASSERTION
#define DEVICE	ASKED_DEVICE

/* Before the connector's own map: what no name can mean otherwise. */
static const struct symptom early[] = {
	{ .from = 429, .to = 429, .id = ERR_THROTTLED, .says = "too many requests" },
	{ .from = 503, .to = 503, .seen = SEEN_RETRY_AFTER, .id = ERR_THROTTLED,
	    .says = "it is overloaded or being mended" },
	{ .from = 407, .to = 407, .id = ERR_UNREACHABLE_PROXY, .says = "the proxy wants "
	    "credentials" },
	{ .from = 511, .to = 511, .id = ERR_BAD_ANSWER, .says = "the network wants a sign-in "
	    "(captive portal)" },
	{ .from = 300, .to = 399, .id = ERR_BAD_ANSWER, .says = "redirects are not followed" },
};

/*
 * Entra ID says what it means by a number in the description and in error_codes; `error` is a
 * broad class. https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes
 */
#define ENTRA(n, what)	{ .number = n, .id = what }
#define CODE_OR(what)	{ .asked = CODE, .code = what, .id = ERR_CODE_REJECTED }
#define NAME(what, means) { .code = what, .id = means }

static const struct symptom late[] = {
	/* a device code (RFC 8628 section 3.5): nobody said yes yet, said no, or time is over */
	{ .asked = DEVICE, .code = "authorization_pending", .id = ERR_AUTHORIZATION_PENDING },
	{ .asked = DEVICE, .code = "slow_down", .id = ERR_AUTHORIZATION_PENDING },
	{ .asked = DEVICE, .code = "expired_token", .id = ERR_DEVICE_CODE_EXPIRED },
	{ .asked = DEVICE, .code = "access_denied", .id = ERR_USER_DENIED },
	{ .asked = DEVICE, .code = "authorization_declined", .id = ERR_USER_DENIED },	/* Entra ID */
	/* a password: what would have a user sign in again cannot be done with one */
	{ .asked = PASSWORD, .number = 50076, .id = ERR_PASSWORD_REJECTED },
	{ .asked = PASSWORD, .number = 50079, .id = ERR_PASSWORD_REJECTED },
	ENTRA(50034, ERR_PASSWORD_REJECTED),	/* no such user */
	ENTRA(50053, ERR_PASSWORD_REJECTED),	/* locked */
	ENTRA(50056, ERR_PASSWORD_REJECTED),
	ENTRA(50126, ERR_PASSWORD_REJECTED),
	/* the app's address */
	ENTRA(50011, ERR_REDIRECT_URI_MISMATCH),
	ENTRA(70004, ERR_REDIRECT_URI_MISMATCH),
	ENTRA(900971, ERR_REDIRECT_URI_MISMATCH),
	/* a person is wanted: MFA, Conditional Access, consent, an expired password */
	ENTRA(50055, ERR_SIGNIN_REQUIRED),
	ENTRA(50058, ERR_SIGNIN_REQUIRED),
	ENTRA(50072, ERR_SIGNIN_REQUIRED),
	ENTRA(50074, ERR_SIGNIN_REQUIRED),
	ENTRA(50076, ERR_SIGNIN_REQUIRED),
	ENTRA(50078, ERR_SIGNIN_REQUIRED),
	ENTRA(50079, ERR_SIGNIN_REQUIRED),
	ENTRA(50158, ERR_SIGNIN_REQUIRED),
	ENTRA(53000, ERR_SIGNIN_REQUIRED),
	ENTRA(53003, ERR_SIGNIN_REQUIRED),
	ENTRA(65001, ERR_SIGNIN_REQUIRED),
	ENTRA(65004, ERR_SIGNIN_REQUIRED),
	ENTRA(90094, ERR_SIGNIN_REQUIRED),
	/* the code is used, old, or of another verifier */
	ENTRA(54005, ERR_CODE_REJECTED),
	ENTRA(501481, ERR_CODE_REJECTED),
	/* the grant is gone: password changed, idle or too old, signed out */
	ENTRA(50089, ERR_GRANT_REVOKED),
	ENTRA(50173, ERR_GRANT_REVOKED),
	ENTRA(70000, ERR_GRANT_REVOKED),
	ENTRA(70008, ERR_GRANT_EXPIRED_IDLE),
	ENTRA(70043, ERR_GRANT_REVOKED),
	ENTRA(700082, ERR_GRANT_EXPIRED_IDLE),
	ENTRA(700084, ERR_GRANT_EXPIRED_ABSOLUTE),
	/* the app */
	ENTRA(70011, ERR_SCOPE_INVALID),
	ENTRA(28002, ERR_SCOPE_INVALID),
	ENTRA(500011, ERR_SCOPE_INVALID),
	ENTRA(70002, ERR_CLIENT_SECRET_WRONG),
	ENTRA(7000215, ERR_CLIENT_SECRET_WRONG),
	ENTRA(7000218, ERR_CLIENT_SECRET_WRONG),	/* missing */
	ENTRA(7000222, ERR_CLIENT_SECRET_EXPIRED),
	ENTRA(700027, ERR_CERT_REJECTED),
	ENTRA(1000502, ERR_CERT_EXPIRED),
	ENTRA(500133, ERR_CLOCK_SKEW),
	ENTRA(700024, ERR_CLOCK_SKEW),
	ENTRA(90002, ERR_WRONG_TENANT),
	ENTRA(700011, ERR_WRONG_TENANT),
	ENTRA(700016, ERR_WRONG_TENANT),
	ENTRA(900023, ERR_WRONG_TENANT),
	/* its own trouble */
	ENTRA(50196, ERR_THROTTLED),
	ENTRA(90024, ERR_THROTTLED),
	ENTRA(90055, ERR_THROTTLED),
	ENTRA(90006, ERR_PROVIDER_DOWN),
	ENTRA(90033, ERR_PROVIDER_DOWN),

	/* a signature that is refused while the clocks differ */
	{ .from = 400, .to = 499, .seen = SEEN_SKEW | SEEN_SIGNED, .id = ERR_CLOCK_SKEW },
	/* who the client is: certificate or key first, then secret */
	{ .code = "invalid_client", .words = "expired", .seen = SEEN_CERT, .id = ERR_CERT_EXPIRED },
	{ .code = "invalid_client", .words = "expired", .seen = SEEN_SIGNED,
	    .id = ERR_CERT_EXPIRED },
	{ .code = "invalid_client", .seen = SEEN_CERT, .id = ERR_CERT_REJECTED },
	{ .code = "invalid_client", .seen = SEEN_SIGNED, .id = ERR_CERT_REJECTED },
	{ .code = "invalid_client", .words = "expired", .id = ERR_CLIENT_SECRET_EXPIRED },
	{ .code = "invalid_client", .seen = SEEN_RESERVED, .id = ERR_CLIENT_AUTH_ENCODING },
	{ .from = 401, .to = 401, .seen = SEEN_RESERVED | SEEN_NO_NAME,
	    .id = ERR_CLIENT_AUTH_ENCODING, .says = "the client's id and secret are refused" },
	NAME("invalid_client", ERR_CLIENT_SECRET_WRONG),
	NAME("incorrect_client_credentials", ERR_CLIENT_SECRET_WRONG),	/* GitHub */
	NAME("bad_client_secret", ERR_CLIENT_SECRET_WRONG),		/* Slack */
	NAME("invalid_client_id", ERR_CLIENT_SECRET_WRONG),		/* Slack, Salesforce */
	NAME("invalid_client_secret", ERR_CLIENT_SECRET_WRONG),	/* Zoho */
	NAME("invalid_client_credentials", ERR_CLIENT_SECRET_WRONG),
	NAME("deleted_client", ERR_CLIENT_SECRET_WRONG),		/* Google */
	NAME("disabled_client", ERR_CLIENT_SECRET_WRONG),

	/* Atlassian answers 403 unauthorized_client for a spent refresh token. */
	{ .asked = REFRESH, .from = 403, .to = 403, .code = "unauthorized_client",
	    .words = "refresh_token", .id = ERR_GRANT_REVOKED },
	NAME("unauthorized_client", ERR_GRANT_TYPE_NOT_ALLOWED),
	NAME("unsupported_grant_type", ERR_GRANT_TYPE_NOT_ALLOWED),
	NAME("invalid_grant_type", ERR_GRANT_TYPE_NOT_ALLOWED),	/* Slack */
	NAME("unsupported_response_type", ERR_GRANT_TYPE_NOT_ALLOWED),
	/* At a token endpoint the app is denied, not the user (Atlassian, wrong secret). */
	NAME("access_denied", ERR_CLIENT_SECRET_WRONG),

	NAME("redirect_uri_mismatch", ERR_REDIRECT_URI_MISMATCH),
	NAME("bad_redirect_uri", ERR_REDIRECT_URI_MISMATCH),		/* Slack */
	NAME("invalid_redirect_uri", ERR_REDIRECT_URI_MISMATCH),	/* Zoho */
	NAME("oauth_authorization_url_mismatch", ERR_REDIRECT_URI_MISMATCH),
	{ .asked = CODE, .code = "invalid_grant", .words = "redirect",
	    .id = ERR_REDIRECT_URI_MISMATCH },
	{ .asked = CODE, .code = "invalid_request", .words = "redirect",
	    .id = ERR_REDIRECT_URI_MISMATCH },

	/* Google, where an organisation limits how long a session lasts. */
	{ .asked = REFRESH, .code = "invalid_grant", .words = "reauth", .id = ERR_SIGNIN_REQUIRED },
	NAME("invalid_rapt", ERR_SIGNIN_REQUIRED),
	{ .asked = PASSWORD, .code = "mfa_required", .id = ERR_PASSWORD_REJECTED },
	{ .asked = PASSWORD, .code = "interaction_required", .id = ERR_PASSWORD_REJECTED },
	NAME("mfa_required", ERR_SIGNIN_REQUIRED),
	NAME("interaction_required", ERR_SIGNIN_REQUIRED),
	NAME("consent_required", ERR_SIGNIN_REQUIRED),
	NAME("login_required", ERR_SIGNIN_REQUIRED),
	NAME("account_selection_required", ERR_SIGNIN_REQUIRED),
	NAME("unverified_user_email", ERR_SIGNIN_REQUIRED),		/* GitHub */

	CODE_OR("invalid_grant"),
	{ .asked = PASSWORD, .code = "invalid_grant", .id = ERR_PASSWORD_REJECTED },
	{ .asked = CLIENT, .code = "invalid_grant", .id = ERR_CLIENT_SECRET_WRONG },
	{ .asked = SIGNED, .code = "invalid_grant", .id = ERR_CERT_REJECTED },
	NAME("invalid_grant", ERR_GRANT_REVOKED),
	NAME("bad_refresh_token", ERR_GRANT_REVOKED),			/* GitHub */
	NAME("invalid_refresh_token", ERR_GRANT_REVOKED),		/* Slack */
	NAME("token_revoked", ERR_GRANT_REVOKED),
	NAME("token_expired", ERR_GRANT_REVOKED),
	NAME("account_inactive", ERR_GRANT_REVOKED),
	{ .asked = REFRESH, .code = "invalid_token", .id = ERR_GRANT_REVOKED },
	{ .asked = REFRESH, .code = "invalid_code", .id = ERR_GRANT_REVOKED },	/* Zoho */
	NAME("inactive_user", ERR_GRANT_REVOKED),			/* Salesforce */
	NAME("inactive_org", ERR_WRONG_TENANT),
	NAME("bad_verification_code", ERR_CODE_REJECTED),		/* GitHub */
	NAME("invalid_code", ERR_CODE_REJECTED),			/* Slack, Zoho */
	NAME("code_already_used", ERR_CODE_REJECTED),

	NAME("invalid_scope", ERR_SCOPE_INVALID),
	NAME("invalid_target", ERR_SCOPE_INVALID),			/* RFC 8707 */
	NAME("insufficient_scope", ERR_SCOPE_INSUFFICIENT),
	NAME("missing_scope", ERR_SCOPE_INSUFFICIENT),			/* Slack */

	NAME("slow_down", ERR_THROTTLED),
	NAME("ratelimited", ERR_THROTTLED),				/* Slack */
	NAME("rate_limit_exceeded", ERR_THROTTLED),
	NAME("too_many_requests", ERR_THROTTLED),
	NAME("Access Denied", ERR_THROTTLED),				/* Zoho */
	NAME("temporarily_unavailable", ERR_PROVIDER_DOWN),
	NAME("server_error", ERR_PROVIDER_DOWN),
	NAME("internal_error", ERR_PROVIDER_DOWN),
	NAME("fatal_error", ERR_PROVIDER_DOWN),

	/* no name: what the status says, of the request that it is the answer to */
	{ .from = 500, .to = 599, .id = ERR_PROVIDER_DOWN, .says = "" },
	{ .from = 404, .to = 404, .seen = SEEN_NO_NAME, .id = ERR_WRONG_TENANT,
	    .says = "no such tenant or address" },
	{ .from = 400, .to = 499, .seen = SEEN_PAGE, .id = ERR_BAD_ANSWER, .says = "a web page: a "
	    "proxy, or the provider lets only listed addresses in" },
	{ .from = 401, .to = 401, .seen = SEEN_NO_NAME | SEEN_CERT, .id = ERR_CERT_REJECTED,
	    .says = "the client's certificate is refused" },
	{ .from = 401, .to = 401, .seen = SEEN_NO_NAME | SEEN_SIGNED, .id = ERR_CERT_REJECTED,
	    .says = "the client's signature is refused" },
	{ .from = 401, .to = 401, .seen = SEEN_NO_NAME, .id = ERR_CLIENT_SECRET_WRONG,
	    .says = "the client's id and secret are refused" },
	{ .asked = PASSWORD, .from = 403, .to = 403, .seen = SEEN_NO_NAME,
	    .id = ERR_PASSWORD_REJECTED, .says = "without saying why" },
	{ .asked = CODE, .from = 400, .to = 403, .seen = SEEN_NO_NAME, .id = ERR_CODE_REJECTED,
	    .says = "without saying why" },
	{ .from = 400, .to = 499, .seen = SEEN_NO_NAME, .id = ERR_PROVIDER_REFUSED,
	    .says = "without saying why" },
	{ .from = 200, .to = 299, .seen = SEEN_PAGE, .id = ERR_BAD_ANSWER, .says = "a web page "
	    "instead of a token" },
	{ .from = 200, .to = 299, .seen = SEEN_NOTHING, .id = ERR_BAD_ANSWER, .says = "nothing" },
	{ .from = 200, .to = 299, .seen = SEEN_NO_NAME, .id = ERR_BAD_ANSWER, .says = "without a "
	    "token" },
};

/* Salesforce's documents write access-denied. */
static bool
same_name(const char *ours, const char *theirs)
{
	for (; *ours != '\0' && (*ours == *theirs || (*ours == '_' && *theirs == '-')); ours++)
		theirs++;
	return *ours == *theirs;
}

static bool
fits(const struct symptom *m, const struct sight *s)
{
	return (m->asked == 0 || (m->asked & s->f->asked) != 0) &&
	    (m->from == 0 || (s->status >= m->from && s->status <= m->to)) &&
	    (m->code == NULL || same_name(m->code, s->code)) &&
	    (m->number == 0 || m->number == s->number) &&
	    (m->words == NULL || strcasestr(s->words, m->words) != NULL) &&
	    (m->seen & ~s->seen) == 0;
}

const struct symptom *
symptom_find(const struct sight *s, bool before)
{
	const struct symptom *m = before ? early : late;
	size_t n = before ? sizeof early / sizeof *early : sizeof late / sizeof *late;

	for (size_t i = 0; i < n; i++)
		if (fits(&m[i], s))
			return &m[i];
	return NULL;
}

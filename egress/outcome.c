/*
 * outcome.c - see outcome.h. Everything here can be done again from the spool.
 */
#include "egress/outcome.h"

#include <stdio.h>
#include <string.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/log.h"
#include "common/scope.h"
#include "egress/account.h"
#include "egress/capture.h"
#include "egress/diagnose.h"
#include "egress/egress.h"
#include "egress/revoke.h"

#define WITHOUT_EXPIRY_S	3600

/* ---- secrets stay secret */

/* What must show nowhere but in a sealed grant. */
#define GRANT_SECRETS 6
static void
grant_secrets(const struct flight *f, const struct reply *p,
    const struct secret *ret[GRANT_SECRETS])
{
	ret[0] = &f->app.client_secret;
	ret[1] = &f->grant.refresh_token;
	ret[2] = &f->code;
	ret[3] = &f->flow.verifier;
	ret[4] = &p->refresh_token;
	ret[5] = &f->grant.password;
}

static void
redact_all(const struct flight *f, const struct reply *p, char *text, size_t cap)
{
	const struct secret *s[GRANT_SECRETS];

	grant_secrets(f, p, s);
	for (int i = 0; i < GRANT_SECRETS; i++)
		redact(text, cap, s[i]);
	redact(text, cap, &p->access_token);
	redact_tokens(text);
}

/* Shorter ones are words that may be in a scope by chance. */
#define SECRET_MIN 8

static bool
shows_secret(const struct flight *f, const struct reply *p, const void *text, size_t n)
{
	const struct secret *s[GRANT_SECRETS];

	grant_secrets(f, p, s);
	for (int i = 0; i < GRANT_SECRETS; i++)
		if (s[i]->len >= SECRET_MIN && memmem(text, n, s[i]->p, s[i]->len) != NULL)
			return true;
	return false;
}

static void
drop_if_secret(const struct flight *f, const struct reply *p, char *text)
{
	if (shows_secret(f, p, text, strlen(text)))
		*text = '\0';
}

/* Callers and vaultd get what a provider says beside the tokens. One that repeats a grant secret
 * there is not repeated: the text is dropped. In the token itself it is no token. */
static int
keep_secrets(const struct flight *f, struct reply *p, struct exchange_result *ret,
    struct err *why)
{
	if (shows_secret(f, p, p->access_token.p, p->access_token.len))
		return err_name(why, ERR_BAD_ANSWER, "the access token that the provider sent holds "
		    "a secret of the grant: it is not handed out");
	drop_if_secret(f, p, p->scope);
	drop_if_secret(f, p, ret->account);
	drop_if_secret(f, p, p->token_type);
	if (p->token_type[0] == '\0')
		snprintf(p->token_type, sizeof p->token_type, "Bearer");
	for (size_t i = 0; i < p->captured.n; i++)
		drop_if_secret(f, p, p->captured.v[i].value);
	return 0;
}

/* ---- may these tokens be used? */

static bool
is_offline(const struct connector *c, const char *scope)
{
	return strcmp(scope, "offline_access") == 0 ||
	    (c->offline_scope != NULL && strcmp(scope, c->offline_scope) == 0);
}

/*
 * What a provider says it granted must hold what the connector cannot do without.
 * offline_access shows in the refresh token; many providers do not list it. At a sign-in
 * only: a refresh has spent the old token, and narrower tokens are better than none.
 */
static int
check_scopes(const struct flight *f, const struct connector *c, const struct reply *p,
    struct err *e)
{
	if (!f->first || p->scope[0] == '\0')
		return 0;
	for (size_t i = 0; i < c->nmandatory; i++) {
		char s[256];

		if (connector_expand_text(c, c->scopes_mandatory[i], &f->d.vars, s, sizeof s, e) != 0)
			return e->code;
		if (scope_has(p->scope, s) ||
		    (is_offline(c, s) && p->refresh_token.len > 0))
			continue;
		return err_name(e, ERR_SCOPE_INSUFFICIENT, "scope '%.60s' is required and was not "
		    "granted", s);
	}
	return 0;
}

/* Whoever learns an API's address from here sends tokens there (row 48). A refresh is not worth
 * losing for it: vaultd keeps the address it has. */
static int
check_captured(const struct flight *f, const struct reply *p, struct err *e)
{
	if (p->strayed[0] == '\0')
		return 0;
	if (!f->first) {
		log_warn("connector=%s: '%s' of an answer leads to a host that is not the provider's: "
		    "it is not kept", f->d.connector, p->strayed);
		return 0;
	}
	return err_name(e, ERR_BAD_ANSWER, "'%s' of the answer leads to a host that is not the "
	    "provider's", p->strayed);
}

/* OpenID Core section 3.1.3.7, without the signature: the token came over TLS directly. */
static int
check_id_token(const struct flight *f, const struct connector *c, const struct reply *p,
    struct exchange_result *ret, struct err *e)
{
	struct id_claims claims;
	int rc;

	if (p->id_token.len == 0 || !f->first)
		return 0;
	rc = reply_id_token(&p->id_token, f->app.client_id,
	    c->account_from == ACCOUNT_ID_TOKEN ? c->account_member : NULL, &claims, e);
	if (rc != 0)
		return rc == V_LIMIT ? rc : err_name(e, ERR_BAD_ANSWER, "the provider's ID token "
		    "cannot be read");
	if (f->d.issuer[0] != '\0' && strcmp(claims.iss, f->d.issuer) != 0) {
		err_name(e, ERR_ISSUER_MISMATCH, "the ID token names another issuer");
		err_detail(e, "expected", "%s", f->d.issuer);
		err_detail(e, "got", "%s", claims.iss);
		return e->code;
	}
	if (!claims.aud_ok || (f->nonce[0] != '\0' && strcmp(claims.nonce, f->nonce) != 0))
		return err_name(e, ERR_ISSUER_MISMATCH, "the ID token is not for this sign-in");
	snprintf(ret->account, sizeof ret->account, "%s", claims.account);
	return 0;
}

/* ---- sealing them */

static int
seal_fragment(struct egress *x, const struct flight *f, const struct reply *p,
    struct exchange_result *ret, struct err *e)
{
	AUTO(secret) text = { 0 };
	const char *scope = p->scope[0] != '\0' ? p->scope : f->scope;

	if (fragment_make(&p->access_token, p->token_type, scope, &text, e) != 0 ||
	    keys_seal(x, PURPOSE_RELEASE, &f->connection, f->release_version, &f->release_dek,
		(struct slice){ text.p, text.len }, &ret->release_blob, e) != 0)
		return e->code;
	if (f->release_new && !buf_add(&ret->release_wrap, f->release_wrap.p,
		f->release_wrap.len))
		return err_set(e, V_LIMIT, "out of memory");
	return 0;
}

/* What buys the next token: the refresh token that came, or what brought this one. */
static int
seal_grant(struct egress *x, const struct flight *f, struct reply *p,
    struct exchange_result *ret, struct err *e)
{
	bool kept = !exchange_spends(f->kind);	/* in the grant beside a refresh token */
	struct grant_secret g = { .d = f->d, .kind = kept ? f->kind : EX_REFRESH };
	AUTO(secret) plain = { 0 };
	int rc;

	/* Absent or empty: the old one stays, unless it was refused just now. */
	if (p->refresh_token.len == 0 && !(kept && (f->first || f->now == EX_PASSWORD)))
		return 0;
	g.refresh_token = secret_take(&p->refresh_token);
	if (kept) {
		snprintf(g.username, sizeof g.username, "%s", f->grant.username);
		g.password = f->grant.password;	/* lent */
		g.params = f->grant.params;
	}
	rc = g.refresh_token.len == 0 ? 0 :
	    keys_fingerprint(x, &g.refresh_token, ret->fingerprint, e);
	if (rc == 0)
		rc = grant_secret_put(&g, &plain, e);
	secret_done(&g.refresh_token);
	if (rc != 0)
		return rc;
	if (!buf_add(&ret->grant_wrap, f->grant_wrap.p, f->grant_wrap.len))
		return err_set(e, V_LIMIT, "out of memory");
	return keys_seal(x, PURPOSE_GRANT, &f->connection, f->grant_version, &f->grant_dek,
	    (struct slice){ plain.p, plain.len }, &ret->grant_blob, e);
}

/* L as seconds from the request's start; 0 = it does not say. */
static uint32_t
seconds_of(const struct flight *f, struct lifetime l)
{
	int64_t left = l.at - f->sent_at;

	if (l.in_s > 0 || l.at == 0)
		return l.in_s;
	return left < 1 ? 1 : left > UINT32_MAX ? UINT32_MAX : (uint32_t)left;
}

/* Row 18. 0 = does not end. */
static uint32_t
expiry(const struct flight *f, const struct connector *c, const struct reply *p)
{
	uint32_t said = seconds_of(f, p->expires);

	if (said != 0)
		return said;
	if (c->default_expires_s != 0)
		return c->default_expires_s;
	return p->refresh_token.len > 0 || !exchange_is_signin(f->kind) ? WITHOUT_EXPIRY_S : 0;
}

static int
seal_tokens(struct egress *x, const struct flight *f, const struct connector *c,
    struct reply *p, struct exchange_result *ret, struct err *e)
{
	ret->expires_in_s = expiry(f, c, p);
	ret->refresh_expires_in_s = seconds_of(f, p->refresh_expires);
	snprintf(ret->scope, sizeof ret->scope, "%s", p->scope);
	ret->captured = p->captured;
	if (!connector_fill(f->d.api_base, &p->captured, ret->api_base, sizeof ret->api_base))
		ret->api_base[0] = '\0';	/* vaultd keeps what it has */
	memcpy(ret->fingerprint_sent, f->sent_print, sizeof f->sent_print);
	memcpy(ret->fingerprint, f->sent_print, sizeof f->sent_print);
	if (seal_fragment(x, f, p, ret, e) != 0)
		return e->code;
	return seal_grant(x, f, p, ret, e);
}

/* Who signed in, as the provider says; of a password as the user does. */
static void
find_account(struct egress *x, const struct flight *f, const struct connector *c,
    const struct reply *p, struct exchange_result *ret)
{
	if (p->account[0] != '\0')
		snprintf(ret->account, sizeof ret->account, "%s", p->account);
	if (f->first && c->account_from == ACCOUNT_PROBE)
		account_probe(x, c, &f->d, &p->captured, &p->access_token, ret->account,
		    sizeof ret->account);
	if (ret->account[0] == '\0' && f->kind == EX_PASSWORD)
		snprintf(ret->account, sizeof ret->account, "%s", f->grant.username);
}

/* ---- verdicts */

/* Nothing of ours is left of a half-made result. */
static void
start_over(struct exchange_result *ret)
{
	bool spooled = ret->spooled;

	exchange_result_done(ret);
	*ret = (struct exchange_result){ .spooled = spooled };
}

/* Kept answers are judged again later. Without one nobody can know the outcome. */
static int
postpone(struct exchange_result *ret, const struct err *why, struct err *e)
{
	start_over(ret);
	if (ret->spooled)
		return err_name(e, ERR_EGRESS_UNAVAILABLE, "an answer cannot be sealed yet, and "
		    "nothing of it is lost: %.200s", why->text);
	log_error("an answer that could not be spooled could not be sealed either: %s",
	    why->text);
	ret->phase = PHASE_AMBIGUOUS;
	err_name(&ret->err, ERR_OUTCOME_UNKNOWN, "the provider answered, and the answer could "
	    "not be kept: %.200s", why->text);
	return 0;
}

/* Tokens that are refused must not live on at the provider. */
static int
refuse(struct egress *x, struct flight *f, const struct connector *c, struct reply *p,
    const struct http_answer *a, struct exchange_result *ret, const struct err *why)
{
	revoke_later(x, c, &f->app, &p->refresh_token, &p->access_token);
	start_over(ret);
	ret->phase = PHASE_REJECTED;
	ret->http_status = a->status;
	ret->err = *why;
	return 0;
}

static int
use_tokens(struct egress *x, struct flight *f, const struct connector *c, struct reply *p,
    const struct http_answer *a, struct exchange_result *ret, struct err *e)
{
	struct err why = { 0 };

	capture_callback(&f->parameters, c, f->d.token_url, p);
	if (check_id_token(f, c, p, ret, &why) != 0 || check_scopes(f, c, p, &why) != 0 ||
	    check_captured(f, p, &why) != 0)
		return why.id == ERR_NONE ? postpone(ret, &why, e) :
					    refuse(x, f, c, p, a, ret, &why);
	find_account(x, f, c, p, ret);
	if (keep_secrets(f, p, ret, &why) != 0)
		return refuse(x, f, c, p, a, ret, &why);
	return seal_tokens(x, f, c, p, ret, &why) == 0 ? 0 : postpone(ret, &why, e);
}

/* As what was sent is judged. */
static const enum asked asked[EX_KIND_END] = {
	[EX_CODE] = ASKED_CODE,
	[EX_REFRESH] = ASKED_REFRESH,
	[EX_CLIENT_CREDENTIALS] = ASKED_CLIENT,
	[EX_PASSWORD] = ASKED_PASSWORD,
	[EX_DEVICE] = ASKED_DEVICE,
	[EX_JWT_BEARER] = ASKED_ASSERTION,
};

static struct facts
facts_of(const struct flight *f, const struct connector *c)
{
	return (struct facts){ .asked = asked[f->now],
		.connector = c, .client_auth = f->d.client_auth,
		.reserved = secret_is_reserved(&f->app.client_secret) };
}

int
outcome_judge(struct egress *x, struct flight *f, const struct http_answer *a,
    struct exchange_result *ret, struct err *e)
{
	const struct connector *c = destination_connector(&x->catalogue, &f->d);
	struct facts facts = facts_of(f, c);
	struct reply p = { 0 };
	struct err why = { 0 };
	int rc;

	if (c == NULL) {
		err_name(&why, ERR_CONNECTOR_GONE, "connector '%s' is not in the catalogue of "
		    "vault-egress any more", f->d.connector);
		return postpone(ret, &why, e);
	}
	rc = reply_parse((struct slice){ a->body.p, a->body.len }, a->content_type, c, &p, &why);
	if (rc == V_LIMIT) {
		rc = postpone(ret, &why, e);
	} else {
		redact_all(f, &p, p.error, sizeof p.error);
		redact_all(f, &p, p.description, sizeof p.description);
		diagnose(&facts, a, rc == 0 ? &p : NULL, ret);
		rc = ret->phase == PHASE_ANSWERED ? use_tokens(x, f, c, &p, a, ret, e) : 0;
	}
	reply_done(&p);
	return rc;
}

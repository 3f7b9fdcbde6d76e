/*
 * diagnose.c - see diagnose.h.
 */
#include "egress/diagnose.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/errors.h"
#include "egress/body.h"

#define SKEW_S 60

bool
secret_is_reserved(const struct secret *secret)
{
	for (size_t i = 0; i < secret->len; i++)
		if (memchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~*",
			((const unsigned char *)secret->p)[i], 67) == NULL)
			return true;
	return false;
}

static unsigned
seen_in(const struct facts *f, const struct http_answer *a, const struct reply *p)
{
	struct slice body = { a->body.p, a->body.len };
	unsigned seen = 0;

	if (a->retry_after_s > 0)
		seen |= SEEN_RETRY_AFTER;
	if (a->skew_s > SKEW_S || a->skew_s < -SKEW_S)
		seen |= SEEN_SKEW;
	if (body.len == 0)
		seen |= SEEN_NOTHING;
	if (p == NULL && body_is_page(body, a->content_type))
		seen |= SEEN_PAGE;
	if (p == NULL || p->error[0] == '\0')
		seen |= SEEN_NO_NAME;
	if (f->reserved && (f->client_auth == CLIENT_BASIC || f->client_auth == CLIENT_BASIC_RAW))
		seen |= SEEN_RESERVED;
	if (f->client_auth == CLIENT_PRIVATE_KEY_JWT || f->asked == ASKED_ASSERTION)
		seen |= SEEN_SIGNED;
	if (f->client_auth == CLIENT_TLS)
		seen |= SEEN_CERT;
	return seen;
}

/* A name of the connector's own map; of an answer without one, "http_403". */
static enum err_id
by_connector(const struct sight *s)
{
	char status[16];

	snprintf(status, sizeof status, "http_%u", s->status);
	return (enum err_id)connector_error(s->f->connector, s->code[0] != '\0' ? s->code : status,
	    s->f->asked == ASKED_REFRESH);
}

static bool
grant_is_gone(enum err_id id)
{
	return id == ERR_GRANT_REVOKED || id == ERR_GRANT_EXPIRED_IDLE ||
	    id == ERR_GRANT_EXPIRED_ABSOLUTE;
}

/* The same word, said to the holder of a code or a password. */
static enum err_id
as_asked(enum err_id id, enum asked asked)
{
	if (grant_is_gone(id) && asked & (ASKED_CODE | ASKED_DEVICE))
		return ERR_CODE_REJECTED;
	if (grant_is_gone(id) && asked == ASKED_PASSWORD)
		return ERR_PASSWORD_REJECTED;
	return id;
}

/* By status alone a row says so; a name is repeated with the provider's words. */
static void
name_it(const struct sight *s, enum err_id id, const char *says, struct err *e)
{
	if (says != NULL || s->code[0] == '\0')
		err_name(e, id, "the provider answered %u%s%s", s->status,
		    says != NULL && *says != '\0' ? ": " : "", says != NULL ? says : "");
	else
		err_name(e, id, "the provider answered %s%s%.200s", s->code,
		    s->words[0] != '\0' ? ": " : "", s->words);
}

static void
find_error(const struct sight *s, struct err *e)
{
	const struct symptom *m = symptom_find(s, true);
	enum err_id id = m == NULL ? by_connector(s) : m->id;

	if (id == ERR_NONE && (m = symptom_find(s, false)) != NULL)
		id = m->id;
	/* A refusal with a name that nobody knows is one all the same. */
	name_it(s, as_asked(id == ERR_NONE ? ERR_PROVIDER_REFUSED : id, s->f->asked),
	    m == NULL ? NULL : m->says, e);
}

/* What is spent? After 5xx, or 2xx without tokens and without a name, nobody knows. */
static enum phase
phase_of(const struct sight *s, const struct err *e)
{
	if (e->id == ERR_THROTTLED || e->id == ERR_UNREACHABLE_PROXY)
		return PHASE_REJECTED;
	if (s->status >= 500 && (s->code[0] == '\0' || e->id == ERR_PROVIDER_DOWN))
		return PHASE_AMBIGUOUS;
	if (s->status < 300 && s->code[0] == '\0')
		return PHASE_AMBIGUOUS;
	return PHASE_REJECTED;
}

static void
add_details(struct exchange_result *ret)
{
	err_detail(&ret->err, "provider_code", "%s", ret->provider_code);
	err_detail(&ret->err, "http_status", "%u", ret->http_status);
	err_detail(&ret->err, "phase", "%s", phase_name(ret->phase));
}

static bool
is_good(const struct http_answer *a, const struct reply *p)
{
	return a->status >= 200 && a->status <= 299 && p != NULL && p->error[0] == '\0' &&
	    p->access_token.len > 0;
}

void
diagnose(const struct facts *f, const struct http_answer *a, const struct reply *p,
    struct exchange_result *ret)
{
	struct sight s = { .f = f, .status = a->status, .seen = seen_in(f, a, p),
		.code = p == NULL ? "" : p->error, .words = p == NULL ? "" : p->description,
		.number = p == NULL ? 0 : p->number };

	ret->http_status = a->status;
	ret->retry_after_s = a->retry_after_s;
	ret->skew_s = a->skew_s;
	snprintf(ret->provider_code, sizeof ret->provider_code, "%s", s.code);
	snprintf(ret->provider_text, sizeof ret->provider_text, "%s", s.words);
	ret->phase = PHASE_ANSWERED;
	if (is_good(a, p))
		return;
	find_error(&s, &ret->err);
	ret->phase = phase_of(&s, &ret->err);
	add_details(ret);
	if (ret->phase == PHASE_REJECTED && (s.seen & SEEN_SKEW))
		err_wrap(&ret->err, "(clocks differ by %d s)", a->skew_s);
}

/* 401 and 403 of a key that was good once may say that it ended. */
static bool
says_expired(const struct http_answer *a)
{
	static const char word[] = "expired";
	const char *p = (const char *)a->body.p;

	for (size_t i = 0; i + sizeof word - 1 <= a->body.len; i++)
		if (strncasecmp(p + i, word, sizeof word - 1) == 0)
			return true;
	return false;
}

int
diagnose_probe(const struct http_answer *a, struct err *e)
{
	unsigned s = a->status;

	e->code = 0;
	if (s == 429 || (s == 503 && a->retry_after_s > 0))
		err_name(e, ERR_THROTTLED, "the provider answered %u to a test call: too many "
		    "requests", s);
	else if (s >= 500)
		err_name(e, ERR_PROVIDER_DOWN, "the provider answered %u to a test call", s);
	else if ((s == 401 || s == 403) && says_expired(a))
		err_name(e, ERR_KEY_EXPIRED, "the provider refused the token (%u): it ended", s);
	else if (s == 401 || s == 403)
		err_name(e, ERR_KEY_REJECTED, "the provider refused the token (%u)", s);
	else if (s < 200 || s > 299)
		err_name(e, ERR_PROVIDER_REFUSED, "the provider answered %u to a test call", s);
	if (e->code != 0)
		err_detail(e, "http_status", "%u", s);
	return (int)e->code;
}

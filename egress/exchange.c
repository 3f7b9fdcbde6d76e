/*
 * exchange.c - a code or a refresh token for new tokens, so that no answer is ever lost.
 *
 * All keys are in hand before the first byte goes out: one for the spool, one for the new
 * grant, the connection's release key. Just before that byte the spool file is made. The
 * raw answer is sealed and synced there before it is looked at. Parsing and sealing can
 * then be done again after any crash (EGRESS_ATTEMPT), until vaultd says it has committed
 * (EGRESS_DROP).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/json.h"
#include "common/log.h"
#include "egress/account.h"
#include "egress/destination.h"
#include "egress/diagnose.h"
#include "egress/egress.h"
#include "egress/oauth.h"
#include "egress/ops.h"
#include "egress/spool.h"

#define WITHOUT_EXPIRY_S	3600

/* All that turns an answer into sealed results; what of it must survive a crash is in the
 * spool file's header (wraps) and sealed part (the rest). */
struct flight {
	enum exchange_kind	 kind;
	struct id		 attempt, connection;
	uint64_t		 grant_version, release_version;
	struct destination	 d;
	char			 client_id[512], nonce[64], scope[EX_SCOPE];
	unsigned char		 sent_print[32];
	struct secret		 spool_dek, grant_dek, release_dek;
	struct buf		 spool_wrap, grant_wrap, release_wrap;
	bool			 release_new;
	/* only before the request is sent */
	struct app_secret	 app;
	struct flow_secret	 flow;
	struct grant_secret	 grant;
	struct secret		 code;
};

static void
flight_free(void *p)
{
	struct flight *f = p;

	secret_done(&f->spool_dek);
	secret_done(&f->grant_dek);
	secret_done(&f->release_dek);
	buf_done(&f->spool_wrap);
	buf_done(&f->grant_wrap);
	buf_done(&f->release_wrap);
	app_secret_done(&f->app);
	flow_secret_done(&f->flow);
	grant_secret_done(&f->grant);
	secret_done(&f->code);
	free(f);
}

static struct flight *
flight_new(struct job *j)
{
	struct flight *f = calloc(1, sizeof *f);

	must(f != NULL);
	j->state = f;
	j->done_state = flight_free;
	return f;
}

/* ---- before: open, compare, make keys */

static int
open_secrets(struct egress *x, const struct exchange *q, struct flight *f, struct err *e)
{
	AUTO(secret) app = { 0 }, plain = { 0 };
	const struct destination *other;
	int rc;

	if (keys_open(x, PURPOSE_GRANT, &q->app, &app, e) != 0 ||
	    app_secret_get(&app, &f->app, e) != 0 ||
	    keys_open(x, PURPOSE_GRANT, &q->secret, &plain, e) != 0)
		return e->code;
	rc = q->kind == EX_CODE ? flow_secret_get(&plain, &f->flow, e) :
				  grant_secret_get(&plain, &f->grant, e);
	if (rc != 0)
		return rc;
	other = q->kind == EX_CODE ? &f->flow.d : &f->grant.d;
	if (!destination_equal(&f->app.d, other))
		return err_name(e, ERR_RECORD_CORRUPT, "app and grant are sealed for different "
		    "destinations: nothing is sent");
	f->d = f->app.d;
	return 0;
}

static int
make_keys(struct egress *x, const struct exchange *q, struct flight *f, struct err *e)
{
	if (keys_make(x, PURPOSE_GRANT, &f->attempt, &f->spool_dek, &f->spool_wrap, e) != 0 ||
	    keys_make(x, PURPOSE_GRANT, &f->connection, &f->grant_dek, &f->grant_wrap, e) != 0)
		return e->code;
	f->release_new = q->release_wrap.len == 0;
	if (f->release_new)
		return keys_make(x, PURPOSE_RELEASE, &f->connection, &f->release_dek,
		    &f->release_wrap, e);
	if (!buf_add(&f->release_wrap, q->release_wrap.p, q->release_wrap.len))
		return err_set(e, V_LIMIT, "out of memory");
	return keys_unwrap(x, PURPOSE_RELEASE, &f->connection, q->release_wrap,
	    &f->release_dek, e);
}

static int
fill(struct egress *x, struct exchange *q, struct flight *f, struct err *e)
{
	f->kind = q->kind;
	f->attempt = q->attempt;
	f->connection = q->connection;
	f->grant_version = q->grant_version;
	f->release_version = q->release_version;
	snprintf(f->scope, sizeof f->scope, "%s", q->scope);
	if (open_secrets(x, q, f, e) != 0)
		return e->code;
	snprintf(f->client_id, sizeof f->client_id, "%s", f->app.client_id);
	snprintf(f->nonce, sizeof f->nonce, "%s", f->flow.nonce);
	if (q->kind == EX_CODE)
		f->code = secret_take(&q->code);
	else if (keys_fingerprint(x, &f->grant.refresh_token, f->sent_print, e) != 0)
		return e->code;
	return make_keys(x, q, f, e);
}

static int exchange_perform(struct job *j, struct err *e);

int
exchange_prepare(struct job *j, struct err *e)
{
	struct flight *f = flight_new(j);
	struct exchange q = { 0 };
	AUTO(buf) header = { 0 }, blob = { 0 };
	int rc = exchange_get((struct slice){ j->body.p, j->body.len }, &q, e);

	if (rc == 0 && spool_read(j->x->spool, &q.attempt, &header, &blob, e) != V_NOT_FOUND)
		rc = err_name(e, ERR_CONFLICT, "this attempt was begun before");
	if (rc == 0)
		rc = fill(j->x, &q, f, e);
	exchange_done(&q);
	if (rc == 0 && !http_host(f->d.token_url, j->host, sizeof j->host))
		rc = err_name(e, ERR_HOST_NOT_ALLOWED, "the sealed token URL is not https");
	j->perform = exchange_perform;
	return rc;
}

/* ---- the spool file */

static bool
header_put(const struct flight *f, struct msg *m)
{
	msg_put_slice(m, buf_slice(&f->spool_wrap));
	msg_put_slice(m, buf_slice(&f->grant_wrap));
	msg_put_slice(m, buf_slice(&f->release_wrap));
	msg_put_u8(m, f->release_new);
	msg_put_id(m, &f->connection);
	return msg_ok(m);
}

static int
before_send(void *arg, struct err *e)
{
	struct job *j = arg;
	struct flight *f = j->state;
	AUTO(msg) m = { 0 };

	if (!header_put(f, &m) ||
	    spool_create(j->x->spool, &f->attempt, msg_slice(&m), e) != 0)
		return err_name(e, ERR_STORE_UNWRITABLE, "the spool cannot be written: nothing was "
		    "sent, the grant is unharmed");
	return 0;
}

static void
answer_put(const struct flight *f, const struct http_answer *a, struct msg *m)
{
	msg_secret(m);
	msg_put_u8(m, (uint8_t)f->kind);
	msg_put_u64(m, f->grant_version);
	msg_put_u64(m, f->release_version);
	destination_put(m, &f->d);
	msg_put_str(m, f->client_id);
	msg_put_str(m, f->nonce);
	msg_put_str(m, f->scope);
	msg_put_raw(m, f->sent_print, sizeof f->sent_print);
	msg_put_u32(m, a->status);
	msg_put_str(m, a->content_type);
	msg_put_u32(m, a->retry_after_s);
	msg_put_u32(m, (uint32_t)a->skew_s);
	msg_put_secret(m, &a->body);
}

static int
answer_get(struct slice plain, struct flight *f, struct http_answer *a, struct err *e)
{
	struct slice print;
	struct msg m;

	msg_read(&m, plain);
	f->kind = msg_get_u8(&m);
	f->grant_version = msg_get_u64(&m);
	f->release_version = msg_get_u64(&m);
	destination_get(&m, &f->d);
	msg_get_str(&m, f->client_id, sizeof f->client_id);
	msg_get_str(&m, f->nonce, sizeof f->nonce);
	msg_get_str(&m, f->scope, sizeof f->scope);
	print = msg_get_raw(&m, sizeof f->sent_print);
	if (print.len == sizeof f->sent_print)
		memcpy(f->sent_print, print.p, print.len);
	a->phase = PHASE_ANSWERED;
	a->status = msg_get_u32(&m);
	msg_get_str(&m, a->content_type, sizeof a->content_type);
	a->retry_after_s = msg_get_u32(&m);
	a->skew_s = (int32_t)msg_get_u32(&m);
	if (!m.failed && msg_get_secret(&m, &a->body, e) != 0)
		return e->code;
	return msg_end(&m, "spooled answer", e);
}

static bool
keep_answer(struct egress *x, const struct flight *f, const struct http_answer *a)
{
	AUTO(msg) m = { 0 };
	AUTO(buf) blob = { 0 };
	struct err e;

	answer_put(f, a, &m);
	if (msg_ok(&m) && keys_seal(x, PURPOSE_GRANT, &f->attempt, 1, &f->spool_dek,
		msg_slice(&m), &blob, &e) == 0 &&
	    spool_write(x->spool, &f->attempt, buf_slice(&blob), &e) == 0)
		return true;
	log_error("an answer could not be spooled, it is in memory alone: %s", e.text);
	return false;
}

/* ---- after: parse, check, seal */

static int
seal_fragment(struct egress *x, const struct flight *f, const struct reply *p,
    struct exchange_result *res, struct err *e)
{
	AUTO(secret) text = { 0 };
	const char *scope = p->scope[0] != '\0' ? p->scope : f->scope;

	if (fragment_make(&p->access_token, p->token_type, scope, &text, e) != 0)
		return e->code;
	return keys_seal(x, PURPOSE_RELEASE, &f->connection, f->release_version,
	    &f->release_dek, (struct slice){ text.p, text.len }, &res->release_blob, e);
}

static int
seal_grant(struct egress *x, const struct flight *f, struct reply *p,
    struct exchange_result *res, struct err *e)
{
	struct grant_secret g = { .d = f->d };
	AUTO(secret) plain = { 0 };
	int rc;

	if (p->refresh_token.len == 0)	/* absent or empty: the old one stays */
		return 0;
	g.refresh_token = secret_take(&p->refresh_token);
	rc = keys_fingerprint(x, &g.refresh_token, res->fingerprint, e);
	if (rc == 0)
		rc = grant_secret_put(&g, &plain, e);
	grant_secret_done(&g);
	if (rc != 0)
		return rc;
	if (!buf_add(&res->grant_wrap, f->grant_wrap.p, f->grant_wrap.len))
		return err_set(e, V_LIMIT, "out of memory");
	return keys_seal(x, PURPOSE_GRANT, &f->connection, f->grant_version, &f->grant_dek,
	    (struct slice){ plain.p, plain.len }, &res->grant_blob, e);
}

static bool
has_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = text; (p = strstr(p, word)) != NULL; p += n)
		if ((p == text || p[-1] == ' ') && (p[n] == '\0' || p[n] == ' '))
			return true;
	return false;
}

/* What a provider says it granted must hold what the connector cannot do without.
 * offline_access shows in the refresh token; many providers do not list it. */
static int
check_scopes(const struct connector *c, const struct reply *p, struct err *e)
{
	if (p->scope[0] == '\0')
		return 0;
	for (size_t i = 0; i < c->nmandatory; i++) {
		const char *s = c->scopes_mandatory[i];

		if (has_word(p->scope, s) ||
		    (strcmp(s, "offline_access") == 0 && p->refresh_token.len > 0))
			continue;
		return err_name(e, ERR_SCOPE_INSUFFICIENT, "scope '%.60s' is required and was not "
		    "granted", s);
	}
	return 0;
}

/* OpenID Core section 3.1.3.7, without the signature: the token came over TLS directly. */
static int
check_id_token(const struct flight *f, const struct connector *c, const struct reply *p,
    struct exchange_result *res, struct err *e)
{
	struct id_claims claims;

	if (p->id_token.len == 0 || f->kind != EX_CODE)
		return 0;
	if (reply_id_token(&p->id_token, f->client_id,
		c->account_from == ACCOUNT_ID_TOKEN ? c->account_member : NULL, &claims, e) != 0)
		return err_name(e, ERR_BAD_ANSWER, "the provider's ID token cannot be read");
	if (f->d.issuer[0] != '\0' && strcmp(claims.iss, f->d.issuer) != 0) {
		err_name(e, ERR_ISSUER_MISMATCH, "the ID token names another issuer");
		err_detail(e, "expected", "%s", f->d.issuer);
		err_detail(e, "got", "%s", claims.iss);
		return e->code;
	}
	if (!claims.aud_ok || (f->nonce[0] != '\0' && strcmp(claims.nonce, f->nonce) != 0))
		return err_name(e, ERR_ISSUER_MISMATCH, "the ID token is not for this sign-in");
	snprintf(res->account, sizeof res->account, "%s", claims.account);
	return 0;
}

static void
note_expiry(const struct connector *c, const struct reply *p, const struct flight *f,
    struct exchange_result *res)
{
	res->refresh_expires_in_s = p->refresh_expires_in_s;
	if (p->has_expires)
		res->expires_in_s = p->expires_in_s;
	else if (c->default_expires_s != 0)
		res->expires_in_s = c->default_expires_s;
	else if (p->refresh_token.len > 0 || f->kind == EX_REFRESH)
		res->expires_in_s = WITHOUT_EXPIRY_S;
}

static int
use_tokens(struct egress *x, const struct flight *f, struct reply *p,
    struct exchange_result *res, struct err *e)
{
	const struct connector *c = catalogue_find(&x->catalogue, f->d.connector);

	if (check_id_token(f, c, p, res, e) != 0 || check_scopes(c, p, e) != 0)
		return e->code;
	note_expiry(c, p, f, res);
	snprintf(res->scope, sizeof res->scope, "%s", p->scope);
	snprintf(res->api_base, sizeof res->api_base, "%s", f->d.api_base);
	if (p->account[0] != '\0')
		snprintf(res->account, sizeof res->account, "%s", p->account);
	res->captured = p->captured;
	memcpy(res->fingerprint_sent, f->sent_print, sizeof f->sent_print);
	memcpy(res->fingerprint, f->sent_print, sizeof f->sent_print);
	if (f->kind == EX_CODE && c->account_from == ACCOUNT_PROBE)
		account_probe(x, c, &f->d, &p->access_token, res->account, sizeof res->account);
	if (seal_fragment(x, f, p, res, e) != 0 || seal_grant(x, f, p, res, e) != 0)
		return e->code;
	if (f->release_new && !buf_add(&res->release_wrap, f->release_wrap.p,
		f->release_wrap.len))
		return err_set(e, V_LIMIT, "out of memory");
	return 0;
}

static void
redact_all(const struct flight *f, struct reply *p)
{
	redact(p->description, &f->app.client_secret);
	redact(p->description, &f->grant.refresh_token);
	redact(p->description, &f->code);
	redact(p->description, &f->flow.verifier);
	redact(p->description, &p->access_token);
	redact(p->description, &p->refresh_token);
}

static void
judge(struct egress *x, struct flight *f, const struct http_answer *a,
    struct exchange_result *res)
{
	const struct connector *c = catalogue_find(&x->catalogue, f->d.connector);
	struct reply p = { 0 };
	struct err e = { 0 };
	int rc = c == NULL ? V_NOT_FOUND : reply_parse((struct slice){ a->body.p, a->body.len },
	    a->content_type, c, &p, &e);

	if (c == NULL) {
		res->phase = PHASE_AMBIGUOUS;
		err_name(&res->err, ERR_CONNECTOR_UNKNOWN, "connector '%s' is not in the catalogue of "
		    "vault-egress: the answer is kept", f->d.connector);
	} else {
		redact_all(f, &p);
		diagnose(f->kind, a, rc == 0 ? &p : NULL, res);
	}
	if (res->phase == PHASE_ANSWERED && use_tokens(x, f, &p, res, &e) != 0) {
		exchange_result_done(res);
		res->phase = e.id == ERR_HSM_UNAVAILABLE ? PHASE_AMBIGUOUS : PHASE_REJECTED;
		res->err = e;
	}
	reply_done(&p);
}

/* ---- the request */

static int
send_it(struct job *j, struct flight *f, struct http_answer *a, struct err *e)
{
	const struct connector *c = catalogue_find(&j->x->catalogue, f->d.connector);
	struct token_request t = { 0 };
	struct http_request q = { .method = "POST", .url = f->d.token_url,
		.before_send = before_send, .arg = j };
	int rc;

	if (c == NULL)
		return err_name(e, ERR_CONNECTOR_UNKNOWN, "connector '%s' is not in the catalogue of "
		    "vault-egress", f->d.connector);
	rc = token_request_make(c, &f->app, f->kind == EX_CODE ? &f->flow : NULL, &f->code,
	    &f->grant, &t, e);
	if (rc == 0) {
		q.body = &t.body;
		q.content_type = t.content_type;
		q.authorization = t.authorization.len > 0 ? &t.authorization : NULL;
		q.timeout_s = c->exchange_timeout_s;
		http_send(j->x, &q, a);
	}
	token_request_done(&t);
	return rc;
}

static int
exchange_perform(struct job *j, struct err *e)
{
	struct flight *f = j->state;
	struct exchange_result res = { 0 };
	struct http_answer a = { 0 };
	int rc = send_it(j, f, &a, e);

	if (rc != 0)
		return rc;
	if (a.phase == PHASE_ANSWERED) {
		res.spooled = keep_answer(j->x, f, &a);
		judge(j->x, f, &a, &res);
	} else {
		res.phase = a.phase;
		res.err = a.err;
		err_detail(&res.err, "phase", "%s", phase_name(a.phase));
	}
	exchange_result_put(&j->answer, &res);
	exchange_result_done(&res);
	http_answer_done(&a);
	return msg_ok(&j->answer) ? 0 : err_set(e, V_LIMIT, "out of memory for an answer");
}

/* ---- what became of an attempt */

static int
header_get(struct slice in, struct flight *f, struct err *e)
{
	struct slice s[3];
	struct msg m;

	msg_read(&m, in);
	for (int i = 0; i < 3; i++)
		s[i] = msg_get_slice(&m);
	f->release_new = msg_get_u8(&m) != 0;
	f->connection = msg_get_id(&m);
	if (msg_end(&m, "spool header", e) != 0)
		return e->code;
	if (!buf_add(&f->spool_wrap, s[0].p, s[0].len) ||
	    !buf_add(&f->grant_wrap, s[1].p, s[1].len) ||
	    !buf_add(&f->release_wrap, s[2].p, s[2].len))
		return err_set(e, V_LIMIT, "out of memory");
	return 0;
}

static int
open_spooled(struct egress *x, struct flight *f, struct slice header, struct slice blob,
    struct http_answer *a, struct err *e)
{
	struct sealed s = { .record = f->attempt, .version = 1, .blob = blob };
	AUTO(secret) plain = { 0 };

	if (header_get(header, f, e) != 0)
		return e->code;
	s.wrap = buf_slice(&f->spool_wrap);
	if (keys_open(x, PURPOSE_GRANT, &s, &plain, e) != 0 ||
	    answer_get((struct slice){ plain.p, plain.len }, f, a, e) != 0 ||
	    keys_unwrap(x, PURPOSE_GRANT, &f->connection, buf_slice(&f->grant_wrap),
		&f->grant_dek, e) != 0)
		return e->code;
	return keys_unwrap(x, PURPOSE_RELEASE, &f->connection, buf_slice(&f->release_wrap),
	    &f->release_dek, e);
}

static int
answer_again(struct job *j, struct slice header, struct slice blob, struct err *e)
{
	struct flight *f = flight_new(j);
	struct exchange_result res = { .spooled = true };
	struct http_answer a = { 0 };
	int rc;

	f->attempt = j->attempt;
	rc = open_spooled(j->x, f, header, blob, &a, e);
	if (rc == 0) {
		judge(j->x, f, &a, &res);
		msg_put_u8(&j->answer, ATTEMPT_SPOOLED);
		exchange_result_put(&j->answer, &res);
	}
	exchange_result_done(&res);
	http_answer_done(&a);
	return rc;
}

static int
get_attempt(struct job *j, struct id *ret, struct err *e)
{
	struct msg m;

	msg_read(&m, (struct slice){ j->body.p, j->body.len });
	*ret = msg_get_id(&m);
	return msg_end(&m, "attempt id", e);
}

/* An id that was asked about and never seen is barred: its request, should it still be in
 * some buffer, must not go out after vaultd was told it did not. */
static int
bar(struct egress *x, const struct id *attempt, struct err *e)
{
	return spool_create(x->spool, attempt, (struct slice){ "", 0 }, e);
}

int
attempt_prepare(struct job *j, struct err *e)
{
	AUTO(buf) header = { 0 }, blob = { 0 };
	struct id id;
	int rc;

	if (get_attempt(j, &id, e) != 0)
		return e->code;
	if (work_has(j->x->work, &id)) {
		msg_put_u8(&j->answer, ATTEMPT_RUNNING);
		return 0;
	}
	rc = spool_read(j->x->spool, &id, &header, &blob, e);
	if (rc == V_NOT_FOUND) {
		msg_put_u8(&j->answer, ATTEMPT_NOT_SENT);
		return bar(j->x, &id, e);
	}
	if (rc == 0 && blob.len > 0) {
		j->attempt = id;
		return answer_again(j, buf_slice(&header), buf_slice(&blob), e);
	}
	if (rc == 0 && header.len == 0)		/* barred before: still never sent */
		msg_put_u8(&j->answer, ATTEMPT_NOT_SENT);
	else if (rc == 0 || rc == V_CORRUPT)
		msg_put_u8(&j->answer, ATTEMPT_UNKNOWN);
	return rc == V_CORRUPT ? 0 : rc;
}

int
drop_prepare(struct job *j, struct err *e)
{
	struct id id;

	if (get_attempt(j, &id, e) != 0)
		return e->code;
	spool_drop(j->x->spool, &id);
	return 0;
}

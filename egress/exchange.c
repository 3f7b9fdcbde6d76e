/*
 * exchange.c - a code or a refresh token for new tokens, so that no answer is ever lost.
 *
 * All keys are in hand before the first byte goes out: one for the spool, one for the new
 * grant, the connection's release key. Just before that byte the spool file is made. The
 * raw answer is sealed and synced there before it is looked at. Parsing and sealing can
 * then be done again after any crash (EGRESS_ATTEMPT), until vaultd says it has committed
 * (EGRESS_DROP). Kinds that spend nothing need no spool: they are asked for again.
 */
#include <stdio.h>
#include <string.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/log.h"
#include "common/role.h"
#include "egress/capture.h"
#include "egress/egress.h"
#include "egress/exchange.h"
#include "egress/flight.h"
#include "egress/oauth.h"
#include "egress/ops.h"
#include "egress/outcome.h"
#include "egress/spool.h"

#define BODY_ROOM	16000	/* of an ordinary answer, taken before sending */

/* ---- before: open, compare, make keys */

static int
open_secrets(struct egress *x, const struct exchange *q, struct flight *f, struct err *e)
{
	AUTO(secret) app = { 0 }, plain = { 0 };
	bool signin = exchange_is_signin(q->kind);
	int rc;

	if (keys_open(x, PURPOSE_GRANT, &q->app, &app, e) != 0 ||
	    app_secret_get(&app, &f->app, e) != 0 ||
	    keys_open(x, PURPOSE_GRANT, &q->secret, &plain, e) != 0)
		return e->code;
	rc = signin ? flow_secret_get(&plain, &f->flow, e) : grant_secret_get(&plain, &f->grant, e);
	if (rc != 0)
		return rc;
	if (destination_agree(&f->app.d, signin ? &f->flow.d : &f->grant.d, e) != 0)
		return e->code;
	if (signin ? f->flow.device != (q->kind == EX_DEVICE) : f->grant.kind != q->kind)
		return err_name(e, ERR_RECORD_CORRUPT, "what is sealed is for another kind of "
		    "exchange: nothing is sent");
	f->d = f->app.d;
	if (q->iss[0] != '\0' && f->d.issuer[0] != '\0' && strcmp(q->iss, f->d.issuer) != 0)
		return err_name(e, ERR_ISSUER_MISMATCH, "the sign-in came back from another issuer "
		    "than the app was registered for");
	return 0;
}

int
exchange_keys(struct egress *x, struct slice release_wrap, struct flight *f, struct err *e)
{
	if ((exchange_spends(f->kind) && keys_make(x, PURPOSE_GRANT, &f->attempt, &f->spool_dek,
		&f->spool_wrap, e) != 0) ||
	    keys_make(x, PURPOSE_GRANT, &f->connection, &f->grant_dek, &f->grant_wrap, e) != 0)
		return e->code;
	f->release_new = release_wrap.len == 0;
	if (f->release_new)
		return keys_make(x, PURPOSE_RELEASE, &f->connection, &f->release_dek,
		    &f->release_wrap, e);
	if (!buf_add(&f->release_wrap, release_wrap.p, release_wrap.len))
		return err_set(e, V_LIMIT, "out of memory");
	return keys_unwrap(x, PURPOSE_RELEASE, &f->connection, release_wrap, &f->release_dek, e);
}

static int
fill(struct egress *x, struct exchange *q, struct flight *f, struct err *e)
{
	f->kind = q->kind;
	f->first = exchange_is_signin(q->kind);
	f->attempt = q->attempt;
	f->connection = q->connection;
	f->grant_version = q->grant_version;
	f->release_version = q->release_version;
	snprintf(f->scope, sizeof f->scope, "%s", q->scope);
	if (open_secrets(x, q, f, e) != 0)
		return e->code;
	snprintf(f->nonce, sizeof f->nonce, "%s", f->flow.nonce);
	f->parameters = q->parameters;
	f->code = secret_take(&q->code);
	/* A code is not a refresh token, and its print goes nowhere: the key is in memory
	 * then, and no HSM is needed once the answer is there. */
	if (keys_fingerprint(x, f->first ? &f->flow.verifier : &f->grant.refresh_token,
		f->sent_print, e) != 0)
		return e->code;
	if (f->first || f->grant.refresh_token.len == 0)
		memset(f->sent_print, 0, sizeof f->sent_print);
	return exchange_keys(x, q->release_wrap, f, e);
}

/* A password may be tried after its refresh token: at the same host, then. */
static const char *
url_of(const struct flight *f, enum exchange_kind kind)
{
	return kind == EX_REFRESH ? destination_refresh_url(&f->d) : f->d.token_url;
}

static int put_result(struct job *j, const struct exchange_result *res, struct err *e);

/* Is the sign-in one of this app's provider, as far as the redirect tells? When not, that is the
 * answer, and nothing is sent: the code is of no use here. */
static bool
came_from_elsewhere(struct job *j, const struct flight *f, struct err *e)
{
	const struct connector *c = destination_connector(&j->x->catalogue, &f->d);
	struct exchange_result res = { .phase = PHASE_REJECTED };

	if (c == NULL || capture_check_callback(&f->parameters, c, f->d.token_url, &res.err) == 0)
		return false;
	put_result(j, &res, e);
	return true;
}

int
exchange_prepare(struct job *j, struct err *e)
{
	struct flight *f = flight_new(j);
	struct exchange q = { 0 };
	AUTO(buf) header = { 0 }, blob = { 0 };
	unsigned format;
	int rc = exchange_get((struct slice){ j->body.p, j->body.len }, &q, e);

	if (rc == 0 && spool_read(j->x->spool, &q.attempt, &header, &blob, &format,
	    e) != V_NOT_FOUND)
		rc = err_name(e, ERR_CONFLICT, "this attempt was begun before");
	if (rc == 0)
		rc = fill(j->x, &q, f, e);
	exchange_done(&q);
	if (rc == 0 && came_from_elsewhere(j, f, e))
		return 0;
	return rc == 0 ? exchange_ready(j, f, e) : rc;
}

int
exchange_ready(struct job *j, const struct flight *f, struct err *e)
{
	j->perform = exchange_perform;
	if (http_host(url_of(f, f->kind), j->host, sizeof j->host))
		return 0;
	return err_name(e, ERR_HOST_NOT_ALLOWED, "the sealed token URL is not https");
}

/* ---- the request */

static int
before_send(void *arg, struct err *e)
{
	struct job *j = arg;
	struct flight *f = j->state;

	return exchange_spends(f->kind) ? flight_begin(j->x, f, e) : 0;
}

static int
send_it(struct job *j, struct flight *f, struct http_answer *a, struct err *e)
{
	const struct connector *c = destination_connector(&j->x->catalogue, &f->d);
	struct token_request t = { 0 };
	struct http_request q = { .method = "POST", .url = url_of(f, f->now),
		.before_send = before_send, .arg = j };
	int rc;

	if (c == NULL)
		return err_name(e, ERR_CONNECTOR_GONE, "connector '%s' is not in the catalogue of "
		    "vault-egress", f->d.connector);
	rc = flight_reserve(f, e);
	if (rc == 0)
		rc = secret_reserve(&a->body, BODY_ROOM, e);
	if (rc == 0)
		rc = token_request_make(j->x, c, &(struct token_asking){ .kind = f->now,
		    .app = &f->app, .flow = &f->flow, .code = &f->code, .grant = &f->grant,
		    .scope = f->scope }, &t, e);
	if (rc == 0) {
		f->sent_at = wall_seconds();
		q.timeout_s = c->exchange_timeout_s;
		http_headers(&q, c->headers, c->nheaders);
		token_request_send(j->x, &t, &q, a);
	}
	token_request_done(&t);
	return rc;
}

/* An error from here on would be read as "nothing was sent": this one has vaultd ask. */
static int
put_result(struct job *j, const struct exchange_result *res, struct err *e)
{
	exchange_result_put(&j->answer, res);
	return msg_ok(&j->answer) ? 0 : err_name(e, ERR_EGRESS_UNAVAILABLE, "vault-egress is out "
	    "of memory for an answer");
}

/* Sends what f->now says, and judges the answer. */
static int
once(struct job *j, struct flight *f, struct exchange_result *res, struct err *e)
{
	struct http_answer a = { 0 };
	int rc = send_it(j, f, &a, e);

	if (rc == 0 && a.phase == PHASE_ANSWERED) {
		res->spooled = !exchange_spends(f->kind) || flight_keep(j->x, f, &a);
		rc = outcome_judge(j->x, f, &a, res, e);
	} else if (rc == 0) {
		res->phase = a.phase;
		res->err = a.err;
		err_detail(&res->err, "phase", "%s", phase_name(a.phase));
	}
	http_answer_done(&a);
	return rc;
}

/* Does another way to ask make sense? Not when nothing was heard, or when it would be told off. */
static bool
no_more_refresh(const struct exchange_result *res)
{
	switch (res->err.id) {
	case ERR_GRANT_REVOKED:
	case ERR_SIGNIN_REQUIRED:
	case ERR_PROVIDER_REFUSED:
	case ERR_GRANT_TYPE_NOT_ALLOWED:
		return res->phase == PHASE_REJECTED;
	default:
		return false;
	}
}

int
exchange_perform(struct job *j, struct err *e)
{
	struct flight *f = j->state;
	struct exchange_result res = { 0 };
	int rc;

	f->now = f->kind == EX_PASSWORD && f->grant.refresh_token.len > 0 ? EX_REFRESH : f->kind;
	rc = once(j, f, &res, e);
	if (rc == 0 && f->now != f->kind && no_more_refresh(&res)) {
		exchange_result_done(&res);
		res = (struct exchange_result){ 0 };
		secret_done(&f->grant.refresh_token);
		f->now = f->kind;
		rc = once(j, f, &res, e);
	}
	if (rc == 0)
		rc = put_result(j, &res, e);
	exchange_result_done(&res);
	return rc;
}

/* ---- what became of an attempt */

static int
answer_again(struct job *j, struct slice header, struct slice blob, unsigned format,
    struct err *e)
{
	struct flight *f = flight_new(j);
	struct exchange_result res = { .spooled = true };
	struct http_answer a = { 0 };
	int rc;

	f->attempt = j->attempt;
	rc = flight_open(j->x, f, header, blob, format, &a, e);
	if (rc == 0)
		rc = outcome_judge(j->x, f, &a, &res, e);
	if (rc == 0) {
		msg_put_u8(&j->answer, ATTEMPT_SPOOLED);
		rc = put_result(j, &res, e);
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
	unsigned format;
	int rc;

	if (get_attempt(j, &id, e) != 0)
		return e->code;
	if (work_has(j->x->work, &id)) {
		msg_put_u8(&j->answer, ATTEMPT_RUNNING);
		return 0;
	}
	rc = spool_read(j->x->spool, &id, &header, &blob, &format, e);
	if (rc == V_NOT_FOUND) {
		msg_put_u8(&j->answer, ATTEMPT_NOT_SENT);
		return bar(j->x, &id, e);
	}
	if (rc == 0 && blob.len > 0) {
		j->attempt = id;
		rc = answer_again(j, buf_slice(&header), buf_slice(&blob), format, e);
		if (rc != V_CORRUPT)
			return rc;
		log_error("a spooled answer is damaged, what was in it is lost: %s", e->text);
		msg_done(&j->answer);
		j->answer = (struct msg){ 0 };
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

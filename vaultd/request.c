/*
 * request.c - the spine. See request.h.
 */
#include "vaultd/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/json.h"
#include "common/log.h"
#include "common/role.h"
#include "vaultd/audit_line.h"
#include "vaultd/conn.h"
#include "vaultd/follow.h"
#include "vaultd/hsm.h"
#include "vaultd/names.h"
#include "vaultd/objects.h"
#include "vaultd/quick.h"
#include "vaultd/varlink.h"
#include "vaultd/vault.h"
#include "vaultd/verbs.h"

static void finish(struct request *r, int rc);
static int decide(struct request *r);

/* ---- answer */

static void
answer_ready(struct request *r)
{
	if (r->err.code != 0) {
		r->continues = false;
		buf_reset(&r->out);
		varlink_error(&r->out, &r->err, r->trace);
	} else if (r->out.len == 0) {
		varlink_reply(&r->out, r->reply, r->continues);
	}
	if (r->out.failed) {
		r->continues = false;
		buf_reset(&r->out);
		err_set(&r->err, V_LIMIT, "out of memory for the answer");
		varlink_error(&r->out, &r->err, r->trace);
	}
	r->ready = true;
	conn_ready(r->conn, r);
}

/* Once, where the failure is known whole: what an operator may need to see. */
static void
log_failure(const struct request *r)
{
	const struct err_row *row = err_row_of(&r->err);

	if (row->owner == OWNER_APPLIANCE)
		log_warn("%s failed: %s trace=%s uid=%u error=%s", r->verb->method,
		    r->err.text, r->trace, (unsigned)r->conn->peer.uid, row->name);
	else
		log_debug("%s: %s trace=%s uid=%u error=%s", r->verb->method, r->err.text,
		    r->trace, (unsigned)r->conn->peer.uid, row->name);
}

/* ---- audit and commit */

static void
note_policy(struct request *r)
{
	str_put(r->policy_hash, sizeof r->policy_hash, 0, policy_hash(r->vault->policy));
}

/* Of a call that no policy decided it is the one of this moment. */
static void
note_policy_of_line(struct request *r)
{
	if (!r->decided)
		note_policy(r);
}

/* While the log has little room left a uid has one line for what it was refused in a second; the
 * next one says how many there were besides. */
static bool
is_one_of_many(struct request *r)
{
	struct bucket *b = r->conn->bucket;
	int64_t now = wall_seconds();

	if (journal_state(r->vault->journal) == JOURNAL_AUDIT_UNWRITABLE && b->refused_at == now) {
		b->refusals++;
		return true;
	}
	r->besides = b->refusals;
	b->refusals = 0;
	b->refused_at = now;
	return false;
}

/* A line nobody waits for: of a refusal, or a `begin`. */
static void
line_alone(struct request *r, const char *event)
{
	bool dropped = r->err.code != 0 && is_one_of_many(r);
	struct job *j = dropped ? NULL : calloc(1, sizeof *j);

	if (j == NULL)
		return;
	j->reserve = true;
	note_policy_of_line(r);
	audit_line_request(&j->line, r, event);
	r->besides = 0;
	j->done = job_free;
	journal_submit(r->vault->journal, j);
}

static void
write_line(struct job *j)
{
	struct request *r = j->arg;

	audit_line_request(&j->line, r, r->begin_written ? "end" : "call");
}

static void
durable(struct job *j)
{
	struct request *r = j->arg;	/* whose part J is */

	if (j->rc == V_CONFLICT) {
		err_name(&r->err, ERR_CONFLICT, "it was changed by somebody else meanwhile");
		if (r->conflict != NULL)
			r->conflict(r);
	} else if (j->rc != 0 && r->err.code == 0) {
		r->err = j->err;
	}
	if (j->rc == 0 && r->after != NULL)
		r->after(r);
	if (r->err.code != 0)
		log_failure(r);
	changes_done(&j->changes);
	answer_ready(r);
}

/* Secrets leave, and changes are said to be made, only when line and change are on
 * stable storage. */
static void
submit(struct request *r)
{
	struct job *j = &r->job;

	note_policy_of_line(r);
	j->write = write_line;
	j->has_changes = r->changes.n > 0;
	j->changes = changes_take(&r->changes);
	j->done = durable;
	j->arg = r;
	journal_submit(r->vault->journal, j);
}

static bool
journal_refuses(struct request *r)
{
	switch (journal_state(r->vault->journal)) {
	case JOURNAL_AUDIT_UNWRITABLE:
		err_name(&r->err, ERR_AUDIT_UNWRITABLE, "the audit log cannot be written");
		return true;
	case JOURNAL_STORE_UNWRITABLE:
		if (r->changes.n == 0)
			return false;
		err_name(&r->err, ERR_STORE_UNWRITABLE, "the store cannot be written");
		return true;
	case JOURNAL_OK:
		break;
	}
	return false;
}

static void
finish(struct request *r, int rc)
{
	bool waits;

	if (rc == 0)
		err_clear(&r->err);
	else if (!r->keeps_changes)
		changes_done(&r->changes);	/* half of what a handler wanted is not wanted */
	waits = r->changes.n > 0 || (rc == 0 && r->verb->flags & (VERB_SECRET | VERB_CHANGE));
	if (r->changes.failed) {
		changes_done(&r->changes);
		waits = false;
		err_set(&r->err, V_LIMIT, "out of memory for the change");
	}
	if (waits && !journal_refuses(r)) {
		submit(r);
		return;
	}
	if (r->err.code != 0)
		log_failure(r);
	if (!(r->verb->flags & VERB_NO_AUDIT))
		line_alone(r, r->begin_written ? "end" : "call");
	answer_ready(r);
}

/* A right that was taken away while the call waited is gone: no secret leaves by it, and nothing
 * that is not stored yet is. */
static bool
still_may(struct request *r)
{
	return !r->decided || (!(r->verb->flags & VERB_SECRET) && r->changes.n == 0) ||
	    strcmp(r->policy_hash, policy_hash(r->vault->policy)) == 0 ||
	    decide(r) == 0;
}

void
request_resume(struct request *r, int rc, const struct err *e)
{
	if (rc != 0 && e != &r->err)
		r->err = *e;
	if (rc == 0 && !still_may(r)) {
		buf_reset(&r->out);
		rc = (int)r->err.code;
	}
	finish(r, rc);
}

bool
request_next(struct request *r)
{
	int rc;

	json_decref(r->reply);
	r->reply = NULL;
	r->ready = false;
	rc = r->verb->more(r, &r->err);
	if (rc == REQUEST_WAIT)
		return false;
	if (rc == 0)
		err_clear(&r->err);
	else
		log_failure(r);
	answer_ready(r);
	return true;
}

/* ---- decide and run */

static int
check_operator(struct request *r)
{
	if (r->conn->operator)
		return 0;
	return err_name(&r->err, ERR_OPERATOR_REQUIRED, "%s is for operators: uid 0%s%s",
	    r->verb->method, r->vault->conf.operator_group[0] != '\0' ? " or group " : "",
	    r->vault->conf.operator_group);
}

/* What policy said, as an error of the wire. */
static int
denied(struct request *r)
{
	const struct policy_decision *d = &r->decision;

	err_name(&r->err, d->id, "%s", d->text);
	/* Exactly what a thing that does not exist gets. */
	if (d->id == ERR_NOT_FOUND)
		return object_not_found(&r->err, r->asked_for, r->asked);
	if (d->file[0] != '\0')
		err_detail(&r->err, "policy_file", "%s", d->file);
	err_detail(&r->err, "rule", "%s", d->rule);
	err_detail(&r->err, "policy", "%s", d->policy);
	err_detail(&r->err, "level", "%s", d->level);
	if (d->id == ERR_PERMISSION_DENIED) {
		err_detail(&r->err, "permission", "%s", policy_action_name(r->action));
		if (r->object.folder != NULL)
			err_detail(&r->err, "folder", "%s", r->object.folder);
	}
	return r->err.code;
}

bool
request_may(const struct request *r, enum policy_action action,
    const struct policy_object *o, struct policy_decision *ret)
{
	struct policy_subject s = conn_subject(r->conn);

	return policy_decide(r->vault->policy, &s, action, o, ret);
}

/* Fills r->decision, and r->err when it is a no. */
static int
decide(struct request *r)
{
	r->decided = true;
	note_policy(r);
	return request_may(r, r->action, &r->object, &r->decision) ? 0 : denied(r);
}

static int
check(struct request *r)
{
	const struct verb *v = r->verb;

	r->action = v->action;
	if (v->flags & VERB_OPERATOR && check_operator(r) != 0)
		return r->err.code;
	if (v->flags & VERB_UNSEALED && r->vault->sealed)
		return err_name(&r->err, ERR_SEALED, "the vault is sealed");
	if (v->object != NULL && v->object(r, &r->err) != 0)
		return r->err.code;
	return r->action == ACT_NONE ? 0 : decide(r);
}

static void
decide_and_run(struct request *r)
{
	int rc = check(r);

	if (rc == 0 && r->verb->flags & VERB_HSM)
		rc = hsm_need(r->vault->hsm, &r->err);
	if (rc == 0)
		rc = r->verb->run(r, &r->err);
	if (rc == REQUEST_WAIT)
		return;		/* answered already, or request_resume() will */
	finish(r, rc);
}

void
request_defer(struct request *r)
{
	if (r->begin_written || r->verb->flags & VERB_NO_AUDIT)
		return;
	r->begin_written = true;
	line_alone(r, "begin");
}

static bool
take_name(struct request *r)
{
	const char *name = names_find(r->vault->names, r->conn->peer.uid);

	if (name != NULL)
		str_put(r->caller, sizeof r->caller, 0, name);
	return name != NULL;
}

static void
named(void *arg)
{
	struct request *r = arg;

	if (take_name(r)) {
		decide_and_run(r);
		return;
	}
	err_name(&r->err, ERR_IDENTITY_UNKNOWN, "the name service cannot say who uid %u is",
	    (unsigned)r->conn->peer.uid);
	finish(r, (int)r->err.code);
}

/* The caller's name is looked up off the loop: workspaces bind uid and name. */
static void
identify(struct request *r)
{
	bool needed = r->verb->action != ACT_NONE || r->verb->flags & VERB_NAMED;

	if (!needed || take_name(r))
		decide_and_run(r);
	else
		names_ask(r->vault->names, r->conn->peer.uid, named, r);
}

/* ---- find and decode */

/*
 * A request that was answered is used again with the blocks it owns, answer and line wiped (what
 * is secret in args, args_done() wiped): the hot call allocates nothing.
 */
static struct request *
take_spare(struct vault *v)
{
	struct request *r = v->spare_request;
	size_t args_cap;
	struct buf out;
	void *args;

	if (r == NULL)
		return calloc(1, sizeof *r);
	v->spare_request = r->next;
	v->spare_requests--;
	out = r->out;
	args = r->args;
	args_cap = r->args_cap;
	memset(r, 0, offsetof(struct request, text));
	r->out = out;
	r->args = args;
	r->args_cap = args_cap;
	r->text[0] = r->object_name[0] = r->folder[0] = r->caller[0] = '\0';
	err_clear(&r->err);
	job_init(&r->job);
	return r;
}

static bool
make_args(struct request *r, size_t size)
{
	if (size > r->args_cap) {
		free(r->args);
		r->args = malloc(size);
		r->args_cap = r->args == NULL ? 0 : size;
	}
	if (r->args != NULL)
		memset(r->args, 0, size);
	return r->args != NULL || size == 0;
}

static struct request *
request_new(struct vault *v, struct conn *c)
{
	static const char digits[] = "0123456789abcdef";
	struct request *r = take_spare(v);
	uint64_t n = v->epoch << 40 | (++v->calls & 0xffffffffff);

	if (r == NULL)
		return NULL;
	r->vault = v;
	r->conn = c;
	for (int i = 15; i >= 0; i--, n >>= 4)
		r->trace[i] = digits[n & 15];
	conn_enqueue(c, r);
	return r;
}

static int
unknown_method(struct request *r, const char *method)
{
	const char *dot = strrchr(method, '.');
	size_t n = dot == NULL ? 0 : (size_t)(dot - method) + 1;

	for (const struct verb *const *v = verbs; *v != NULL; v++)
		if (strncmp((*v)->method, method, n) == 0 && n > 0 &&
		    strchr((*v)->method + n, '.') == NULL) {
			err_name(&r->err, ERR_METHOD_NOT_FOUND, "there is no method %.120s", method);
			err_detail(&r->err, "method", "%s", method);
			return r->err.code;
		}
	err_name(&r->err, ERR_INTERFACE_NOT_FOUND, "there is no interface of method %.120s",
	    method);
	err_detail(&r->err, "interface", "%.*s", n == 0 ? 0 : (int)n - 1, method);
	return r->err.code;
}

static int
decode(struct request *r, const struct varlink_call *call)
{
	static const struct field none[] = { { 0 } };
	const struct verb *v = verb_find(call->method, strlen(call->method));

	if (v == NULL)
		return unknown_method(r, call->method);
	r->verb = v;
	r->more = call->more;
	if (!make_args(r, v->args_size))
		return err_set(&r->err, V_LIMIT, "out of memory");
	return fields_decode(v->fields != NULL ? v->fields : none, call->parameters, r->args,
	    &r->err);
}

/* Of an unknown method, so that the spine needs no special case behind it. */
static const struct verb verb_unknown = { .method = "unknown", .flags = VERB_NO_AUDIT };

static bool
start_parsed(struct request *r, char *text, size_t len)
{
	struct varlink_call call;
	struct err e;

	r->call = json_parse((struct slice){ text, len }, MESSAGE_MAX, &e);
	explicit_bzero(text, len);
	if (r->call == NULL || varlink_call_parse(r->call, &call, &e) != 0) {
		log_debug("protocol error of uid=%u: %s", (unsigned)r->conn->peer.uid, e.text);
		return false;
	}
	r->verb = &verb_unknown;
	if (decode(r, &call) != 0)
		finish(r, r->err.code);
	else
		identify(r);
	return true;
}

/* The hot call, recognised without a tree; anything unusual about it goes the long way. */
static bool
start_quick(struct request *r, const struct quick_call *q)
{
	if (q->connection.len >= sizeof r->text)
		return false;
	memcpy(r->text, q->connection.p, q->connection.len);
	r->text[q->connection.len] = '\0';
	if (!make_args(r, verb_token_get.args_size))
		return false;
	r->verb = &verb_token_get;
	verb_token_get_quick(r->args, r->text, q->has_min_ttl ? q->min_ttl : -1);
	identify(r);
	return true;
}

bool
request_start(struct vault *v, struct conn *c, char *text, size_t len)
{
	struct request *r = request_new(v, c);
	struct quick_call q;

	if (r == NULL)
		return false;
	if (quick_token_get(text, len, &q) && start_quick(r, &q))
		return true;
	return start_parsed(r, text, len);
}

bool
request_refuse(struct vault *v, struct conn *c, const struct err *e)
{
	struct request *r = request_new(v, c);

	if (r == NULL)
		return false;
	r->verb = &verb_unknown;
	r->err = *e;
	answer_ready(r);
	return true;
}

#define SPARES		512
#define SPARE_BYTES	4096	/* of an answer, of a line */

void
request_free(struct request *r)
{
	struct vault *v = r->vault;

	follow_end(r);
	if (r->args != NULL && r->verb != NULL && r->verb->args_done != NULL)
		r->verb->args_done(r->args);
	json_decref(r->call);
	json_decref(r->reply);
	changes_done(&r->changes);
	if (v->spare_requests < SPARES && r->out.cap <= SPARE_BYTES &&
	    r->job.line.cap <= SPARE_BYTES && r->args_cap <= SPARE_BYTES) {
		buf_reset(&r->out);
		buf_reset(&r->job.line);
		r->next = v->spare_request;
		v->spare_request = r;
		v->spare_requests++;
		return;
	}
	free(r->args);
	buf_done(&r->out);
	buf_done(&r->job.line);
	free(r);
}

/*
 * attempt.c - see attempt.h.
 */
#include "vaultd/attempt.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "common/log.h"
#include "common/role.h"
#include "vaultd/audit_line.h"
#include "vaultd/egress.h"
#include "vaultd/schedule.h"
#include "vaultd/siblings.h"
#include "vaultd/vault.h"

#define ASK_AGAIN_MS	100
#define ASK_LONG	20	/* a restart of egress is over by then */
#define STORE_AGAIN_MS	1000
#define ANSWER_ROOM	(256u << 10)	/* map and disk an answer may need */

static void ask(struct attempt *a);
static void commit(struct attempt *a);

static struct slice
attempt_key(const struct attempt *a)
{
	return id_key(&a->intent.attempt);
}

struct attempt *
attempt_new(struct vault *v, enum exchange_kind kind)
{
	struct attempt *a = calloc(1, sizeof *a);

	if (a == NULL)
		return NULL;
	a->vault = v;
	a->intent.attempt = id_new();
	a->intent.kind = (uint8_t)kind;
	a->intent.t0 = clock_s(&v->clock);
	a->ex.kind = kind;
	a->ex.attempt = a->intent.attempt;
	schedule_link(v->schedule, a);
	return a;
}

static void
release(struct attempt *a)
{
	siblings_free(a);
	exchange_done(&a->ex);
	exchange_result_done(&a->res);
	buf_done(&a->app_blob);
	buf_done(&a->app_wrap);
	buf_done(&a->secret_blob);
	buf_done(&a->secret_wrap);
	buf_done(&a->release_wrap);
	if (a->timer != NULL)
		event_free(a->timer);
	free(a);
}

void
attempt_abandon(struct attempt *a)
{
	schedule_unlink(a->vault->schedule, a);
	release(a);
}

struct attempt *
attempt_find(struct vault *v, const struct id *connection)
{
	for (struct attempt *a = schedule_first(v->schedule); a != NULL; a = a->next)
		if (id_equal(&a->intent.connection, connection))
			return a;
	return NULL;
}

void
attempt_trace(const struct attempt *a, char ret[17])
{
	char id[ID_TEXT];

	id_text(&a->intent.attempt, id);
	memcpy(ret, id, 16);
	ret[16] = '\0';
}

static void
fired(evutil_socket_t fd, short what, void *arg)
{
	struct attempt *a = arg;

	(void)fd;
	(void)what;
	a->later(a);
}

void
attempt_later(struct attempt *a, int ms, void (*fn)(struct attempt *))
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	if (a->timer == NULL)
		a->timer = evtimer_new(a->vault->base, fired, a);
	a->later = fn;
	must(a->timer != NULL && evtimer_add(a->timer, &tv) == 0);
}

static void
outcome(struct attempt *a, enum phase phase, const struct err *e)
{
	a->res.phase = phase;
	if (e != NULL)
		a->res.err = *e;
	a->done(a);
}

/* ---- the request */

/* What audit calls it. */
static const char *
word(const struct attempt *a, const char *signin, const char *renewal)
{
	return exchange_is_signin(a->intent.kind) ? signin : renewal;
}

/* The line broke or time ran out: the request may be running, done, or never sent. */
static bool
lost(const struct err *e)
{
	return e->id == ERR_EGRESS_UNAVAILABLE || e->code == V_TIMEOUT;
}

static void
answered(void *arg, int rc, struct slice body, struct err *e)
{
	struct attempt *a = arg;
	struct msg m;

	if (rc != 0 && lost(e) && exchange_spends(a->ex.kind)) {
		log_warn("the line to vault-egress broke during an exchange: asking what "
		    "became of it");
		ask(a);
		return;
	}
	if (rc != 0) {		/* refused before anything was sent, or as good as that */
		outcome(a, PHASE_NOT_SENT, e);
		return;
	}
	msg_read(&m, body);
	if (exchange_result_get(&m, &a->res, e) != 0) {
		log_error("vault-egress sent an unreadable result: %s", e->text);
		ask(a);
		return;
	}
	a->done(a);
}

static void
send_request(struct attempt *a)
{
	AUTO(msg) m = { 0 };

	if (a->ex.kind == EX_CODE)
		msg_secret(&m);
	exchange_put(&m, &a->ex);
	egress_call(a->vault->egress, EGRESS_EXCHANGE, &m, EGRESS_EXCHANGE_MS, answered, a);
}

static void
intent_durable(struct job *j)
{
	struct attempt *a = j->arg;
	int rc = j->rc;
	struct err e = j->err;

	job_free(j);
	a->stored = rc == 0;
	if (a->stored) {
		send_request(a);
		return;
	}
	if (rc == V_CONFLICT)
		err_name(&e, ERR_CONFLICT, "the connection was removed meanwhile: nothing was sent");
	outcome(a, PHASE_NOT_SENT, &e);
}

void
attempt_start(struct attempt *a)
{
	AUTO(buf) rec = { 0 };
	char trace[17];
	struct job *j;
	struct err e;

	/* Nothing is spent, nothing can be lost: whatever becomes of it, it is asked for again. */
	if (!exchange_spends(a->ex.kind)) {
		a->stored = true;
		send_request(a);
		return;
	}
	j = calloc(1, sizeof *j);
	if (!store_has_room(a->vault->store, ANSWER_ROOM)) {
		free(j);
		err_name(&e, ERR_STORE_UNWRITABLE, "no room to store an answer: nothing was "
		    "sent, the grant is unharmed");
		outcome(a, PHASE_NOT_SENT, &e);
		return;
	}
	if (j == NULL || intent_encode(&a->intent, &rec, &e) != 0) {
		free(j);
		err_set(&e, V_LIMIT, "out of memory");
		outcome(a, PHASE_NOT_SENT, &e);
		return;
	}
	attempt_trace(a, trace);
	audit_line_attempt(&j->line, a->vault, word(a, "exchange.begin", "refresh.begin"), trace,
	    &a->intent.connection, NULL);
	changes_put(&j->changes, TABLE_INTENT, attempt_key(a), EXPECT_ABSENT,
	    buf_slice(&rec));
	/* What is bought for a connection that is gone could not be stored. */
	changes_expect(&j->changes, TABLE_CONNECTION, (struct slice){ a->intent.connection.b,
	    sizeof a->intent.connection.b }, EXPECT_THERE);
	j->has_changes = true;
	j->done = intent_durable;
	j->arg = a;
	journal_submit(a->vault->journal, j);
}

/* ---- what became of it */

static void
no_word(struct attempt *a, const struct err *e)
{
	if (a->unsettled != NULL && (e->id == ERR_HSM_UNAVAILABLE || ++a->asks > ASK_LONG))
		a->unsettled(a, e);
	attempt_later(a, ASK_AGAIN_MS, ask);
}

static void
asked(void *arg, int rc, struct slice body, struct err *e)
{
	struct attempt *a = arg;
	enum attempt_state state;
	struct msg m;

	if (rc != 0) {
		no_word(a, e);
		return;
	}
	msg_read(&m, body);
	state = msg_get_u8(&m);
	if (state == ATTEMPT_RUNNING || m.failed) {
		attempt_later(a, ASK_AGAIN_MS, ask);
		return;
	}
	a->asking = false;
	if (state == ATTEMPT_SPOOLED && exchange_result_get(&m, &a->res, e) == 0) {
		a->done(a);
	} else if (state == ATTEMPT_NOT_SENT) {
		err_name(e, ERR_EGRESS_UNAVAILABLE, "vault-egress was restarted before the "
		    "request was sent");
		outcome(a, PHASE_NOT_SENT, e);
	} else {
		err_name(e, ERR_OUTCOME_UNKNOWN, "the request was sent and no answer was kept");
		outcome(a, PHASE_AMBIGUOUS, e);
	}
}

static void
ask(struct attempt *a)
{
	AUTO(msg) m = { 0 };

	a->asking = true;
	msg_put_id(&m, &a->intent.attempt);
	egress_call(a->vault->egress, EGRESS_ATTEMPT, &m, 10000, asked, a);
}

void
attempt_recover(struct attempt *a)
{
	a->stored = a->recovered = true;
	ask(a);
}

/* ---- the commit */

static void
dropped(void *arg, int rc, struct slice body, struct err *e)
{
	(void)arg;
	(void)body;
	if (rc != 0)	/* hello's list of kept answers catches it at the next start */
		log_debug("vault-egress did not drop an answer: %s", e->text);
}

static void
drop(struct attempt *a)
{
	AUTO(msg) m = { 0 };

	if (!exchange_spends(a->ex.kind))
		return;
	msg_put_id(&m, &a->intent.attempt);
	egress_call(a->vault->egress, EGRESS_DROP, &m, 10000, dropped, NULL);
}

static void
commit_done(struct job *j)
{
	struct attempt *a = j->arg;
	int rc = j->rc;
	struct err e = j->err;

	job_free(j);
	/* Somebody else changed the connection: built again. An answer is never given up. */
	if (rc == V_CONFLICT) {
		if (++a->conflicts % 100 != 0)
			commit(a);
		else
			attempt_later(a, STORE_AGAIN_MS, commit);
		return;
	}
	if (rc != 0) {
		if (a->tries++ % 60 == 0)
			log_error("UNPERSISTED: an answer waits to be stored (%s): free space, do "
			    "not restart", e.text);
		err_name(&e, ERR_UNPERSISTED, "the provider renewed it, and the answer cannot be "
		    "stored yet");
		if (a->unsettled != NULL)
			a->unsettled(a, &e);
		attempt_later(a, STORE_AGAIN_MS, commit);
		return;
	}
	drop(a);
	schedule_unlink(a->vault->schedule, a);	/* who asks from here on begins anew */
	a->committed(a, rc, &e);
	release(a);
}

static void
commit(struct attempt *a)
{
	struct job *j = calloc(1, sizeof *j);
	char trace[17];
	struct err e = { 0 };

	if (j == NULL) {
		attempt_later(a, STORE_AGAIN_MS, commit);
		return;
	}
	if (a->rebuild(a, &j->changes, &e) != 0) {
		if (e.id == ERR_HSM_UNAVAILABLE) {
			job_free(j);	/* the tag key comes with the HSM; the spool holds on */
			attempt_later(a, STORE_AGAIN_MS, commit);
			return;
		}
		changes_done(&j->changes);	/* the record is gone or damaged: only the intent */
		log_error("an answer cannot be stored: %s", e.text);
		a->res.err = e;
	}
	changes_remove(&j->changes, TABLE_INTENT, attempt_key(a), EXPECT_ANY);
	attempt_trace(a, trace);
	audit_line_attempt(&j->line, a->vault, word(a, "exchange.end", "refresh.end"), trace,
	    &a->intent.connection, a->res.err.code != 0 ? &a->res.err : NULL);
	j->has_changes = true;
	j->owed = true;
	j->done = commit_done;
	j->arg = a;
	journal_submit(a->vault->journal, j);
}

void
attempt_commit(struct attempt *a)
{
	commit(a);
}

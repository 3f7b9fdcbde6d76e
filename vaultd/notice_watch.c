/*
 * notice_watch.c - events of the vault as a whole: each has a change set of its own, and one that tells
 * of a disk that takes none is written when it does again. See notice.h.
 */
#include <stdlib.h>

#include "common/errors.h"
#include "common/log.h"
#include "common/role.h"
#include "vaultd/notice.h"
#include "vaultd/schedule.h"
#include "vaultd/hsm.h"
#include "vaultd/vault.h"

static void
written(struct job *j)
{
	struct vault *v = j->arg;

	if (j->rc != 0) {
		log_debug("an event is not in the store: %s", j->err.text);
		v->watch.missed = v->watch.journal != JOURNAL_OK;
	}
	job_free(j);
}

static void
add_at(struct vault *v, enum notice_type t, int64_t when, unsigned cause, const char *text)
{
	struct notice ev = { .type = t, .of = notice_of_type(t), .time = when, .cause = cause };
	struct job *j = calloc(1, sizeof *j);

	if (j == NULL)
		return;
	str_put(ev.text, sizeof ev.text, 0, text == NULL ? "" : text);
	notice_add(&j->changes, &ev);
	if (j->changes.failed) {
		job_free(j);
		return;
	}
	j->has_changes = j->owed = true;
	j->done = written;
	j->arg = v;
	journal_submit(v->journal, j);
}

void
notice_of_vault(struct vault *v, enum notice_type t, unsigned cause, const char *text)
{
	add_at(v, t, wall_seconds(), cause, text);
}

static enum notice_type
type_of(enum journal_state s)
{
	return s == JOURNAL_AUDIT_UNWRITABLE ? NOTICE_AUDIT_UNWRITABLE : NOTICE_STORE_UNWRITABLE;
}

static void
watch_journal(struct vault *v)
{
	struct notice_watch *w = &v->watch;
	enum journal_state now = journal_state(v->journal), was = w->journal;

	if (now == was)
		return;
	w->journal = now;
	if (now != JOURNAL_OK) {
		w->since = wall_seconds();
		w->missed = false;
		notice_of_vault(v, type_of(now), ERR_NONE, NULL);
		return;
	}
	if (w->missed)
		add_at(v, type_of(was), w->since, ERR_NONE, NULL);
	w->missed = false;
	notice_of_vault(v, NOTICE_WRITABLE, ERR_NONE, NULL);
}

void
notice_watch(struct vault *v)
{
	bool up = hsm_is_ready(v->hsm);
	uint64_t events = store_version(v->store, TABLE_EVENT);

	/* What brought an end nearer is an event, too: its warning may be due now. */
	if (events != v->watch.events)
		schedule_poke(v->schedule);
	v->watch.events = events;
	watch_journal(v);
	if (up != v->watch.hsm_up && !v->stopping)
		notice_of_vault(v, up ? NOTICE_HSM_UP : NOTICE_HSM_DOWN, ERR_NONE,
		    up ? NULL : hsm_status(v->hsm)->text);
	v->watch.hsm_up = up;
}

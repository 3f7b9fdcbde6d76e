/*
 * journal.c - see journal.h: two threads and three queues, from the loop's side.
 *
 *	loop -> audit thread -> commit thread -> loop
 *
 * Each thread takes what was queued since its last turn. The audit thread numbers and
 * chains the lines and writes them with one call; jobs with changes go on to the commit
 * thread, the others straight back.
 */
#include "vaultd/journal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "common/auto.h"
#include "common/log.h"
#include "vaultd/journal_thread.h"

#define KICK_AT		32	/* so many, and a quarter of all, do not wait for the loop's pass */

void
job_free(struct job *j)
{
	buf_done(&j->line);
	changes_done(&j->changes);
	free(j);
}

void
job_init(struct job *j)
{
	struct buf line = buf_take(&j->line);

	memset(j, 0, offsetof(struct job, err));
	err_clear(&j->err);
	j->line = line;
	buf_reset(&j->line);
}

/* ---- queues */

void
journal_queue_init(struct queue *q)
{
	*q = (struct queue){ NULL, NULL, 0 };
	q->end = &q->first;
}

void
journal_queue_add(struct queue *q, struct job *j)
{
	j->next = NULL;
	*q->end = j;
	q->end = &j->next;
	q->n++;
}

struct job *
journal_queue_take(struct queue *q)
{
	struct job *j = q->first;

	journal_queue_init(q);
	return j;
}

struct job *
journal_queue_pop(struct queue *q)
{
	struct job *j = q->first;

	if (j == NULL)
		return NULL;
	if ((q->first = j->next) == NULL)
		q->end = &q->first;
	q->n--;
	return j;
}

void
journal_fail(struct job *j, const struct err *e)
{
	j->rc = (int)e->code;
	j->err = *e;
}

void
journal_queue_append(struct queue *to, struct queue *from)
{
	if (from->first == NULL)
		return;
	*to->end = from->first;
	to->end = from->end;
	to->n += from->n;
	journal_queue_init(from);
}

void
journal_wake_loop(struct journal *j)
{
	eventfd_write(j->fd, 1);
}

void
journal_wait_second(pthread_cond_t *c, pthread_mutex_t *m)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += 1;
	pthread_cond_timedwait(c, m, &t);
}

/* ---- loop */

static void
grow_if_asked(struct journal *j)
{
	struct err e;

	if (!j->grow)
		return;
	store_read_end(j->store);
	j->grown = store_grow(j->store, &e) == 0;
	if (!j->grown)
		log_error("%s", e.text);
	else
		log_info("the store's map was doubled");
	j->grow = false;
	pthread_cond_signal(&j->parked);
}

static void
finished(evutil_socket_t fd, short what, void *arg)
{
	struct journal *j = arg;
	struct job *job, *next;
	eventfd_t v;

	(void)what;
	eventfd_read((int)fd, &v);
	pthread_mutex_lock(&j->mutex);
	grow_if_asked(j);
	job = journal_queue_take(&j->done);
	pthread_mutex_unlock(&j->mutex);
	store_read_end(j->store);	/* what done() reads must show the commits */
	for (; job != NULL; job = next) {
		next = job->next;
		j->waiting--;
		job->done(job);
	}
}

void
journal_submit(struct journal *j, struct job *job)
{
	if (job->has_changes)
		job->commit = ++j->next_commit;
	j->waiting++;
	journal_queue_add(&j->fresh, job);
	if (j->fresh.n >= KICK_AT && j->fresh.n * 4 >= j->waiting && atomic_load(&j->audit_idle))
		journal_kick(j);
}

void
journal_kick(struct journal *j)
{
	if (j->fresh.first == NULL)
		return;
	pthread_mutex_lock(&j->mutex);
	journal_queue_append(&j->audit, &j->fresh);
	pthread_cond_signal(&j->audit_wake);
	pthread_mutex_unlock(&j->mutex);
}

enum journal_state
journal_state(const struct journal *cj)
{
	struct journal *j = (struct journal *)cj;

	if (atomic_load(&j->audit_bad))
		return JOURNAL_AUDIT_UNWRITABLE;
	return atomic_load(&j->store_bad) ? JOURNAL_STORE_UNWRITABLE : JOURNAL_OK;
}

void
journal_stats(const struct journal *cj, struct journal_stats *ret)
{
	struct journal *j = (struct journal *)cj;

	pthread_mutex_lock(&j->mutex);
	*ret = (struct journal_stats){ j->audit_batches, j->audit_lines, j->commit_batches,
		j->commits, j->head, j->waiting };
	pthread_mutex_unlock(&j->mutex);
}

/* ---- open and close */

static void
init_sync(struct journal *j)
{
	pthread_condattr_t a;

	pthread_mutex_init(&j->mutex, NULL);
	pthread_condattr_init(&a);
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	pthread_cond_init(&j->audit_wake, &a);
	pthread_cond_init(&j->commit_wake, &a);
	pthread_cond_init(&j->parked, &a);
	pthread_condattr_destroy(&a);
	journal_queue_init(&j->fresh);
	journal_queue_init(&j->audit);
	journal_queue_init(&j->commit);
	journal_queue_init(&j->done);
}

/* What recovery found is the first thing in the log. */
static int
write_notes(struct journal *j, struct buf *notes, struct err *e)
{
	j->owed = buf_take(notes);
	if (j->owed.len == 0)
		return 0;
	if (journal_write_owed(j, e) != 0)
		return e->code;
	/* What was found is settled: the next start must not find it again. */
	while (store_apply(j->store, NULL, 0, NULL, &j->seg.head, 0, e) == V_LIMIT)
		if (store_grow(j->store, e) != 0)
			break;
	return e->code;
}

/* Without its threads. */
static void
release(struct journal *j)
{
	if (j->ev != NULL)
		event_free(j->ev);
	if (j->fd >= 0)
		close(j->fd);
	segments_close(&j->seg);
	buf_done(&j->text);
	buf_done(&j->owed);
	pthread_cond_destroy(&j->audit_wake);
	pthread_cond_destroy(&j->commit_wake);
	pthread_cond_destroy(&j->parked);
	pthread_mutex_destroy(&j->mutex);
	free((char *)j->seg.dir);
	free(j);
}

static void
stop_commit_thread(struct journal *j)
{
	pthread_mutex_lock(&j->mutex);
	j->audit_stopped = true;
	pthread_cond_signal(&j->commit_wake);
	pthread_mutex_unlock(&j->mutex);
	pthread_join(j->commit_thread, NULL);
}

static int
start(struct journal *j, struct event_base *base, struct err *e)
{
	j->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	j->ev = j->fd < 0 ? NULL : event_new(base, j->fd, EV_READ | EV_PERSIST, finished, j);
	if (j->ev == NULL || event_add(j->ev, NULL) != 0 ||
	    pthread_create(&j->commit_thread, NULL, journal_commit_main, j) != 0)
		return err_set(e, V_IO, "cannot start the journal's threads");
	if (pthread_create(&j->audit_thread, NULL, journal_audit_main, j) != 0) {
		stop_commit_thread(j);
		return err_set(e, V_IO, "cannot start the journal's threads");
	}
	return 0;
}

int
journal_open(const struct journal_conf *conf, struct store *store,
    struct event_base *base, struct journal **ret, struct buf *ret_report, struct err *e)
{
	struct journal *j = calloc(1, sizeof *j);
	AUTO(buf) notes = { 0 };
	struct store_meta meta;
	bool agree;

	if (j == NULL || (j->seg.dir = strdup(conf->audit_dir)) == NULL) {
		free(j);
		return err_set(e, V_LIMIT, "out of memory");
	}
	j->conf = *conf;
	j->conf.audit_dir = j->seg.dir;
	j->store = store;
	j->seg.size = conf->segment_bytes;
	j->seg.fd = j->fd = -1;
	init_sync(j);
	store_meta(store, &meta);
	j->next_commit = meta.commit;
	if (journal_recover(&j->seg, &meta, &notes, ret_report, &agree, e) != 0 ||
	    (!agree && store_new_instance(store, e) != 0) || write_notes(j, &notes, e) != 0) {
		release(j);
		return e->code;
	}
	store_meta(store, &meta);
	j->noted = meta.audit.seq;
	j->head = j->seg.head;
	if (start(j, base, e) != 0) {
		release(j);
		return e->code;
	}
	*ret = j;
	return 0;
}

void
journal_close(struct journal *j)
{
	if (j == NULL)
		return;
	journal_kick(j);
	pthread_mutex_lock(&j->mutex);
	j->stop = true;
	pthread_cond_signal(&j->audit_wake);
	pthread_mutex_unlock(&j->mutex);
	pthread_join(j->audit_thread, NULL);
	/* The commit thread may want a larger map, more than once. */
	for (; !atomic_load(&j->commit_ended); usleep(1000))
		finished(j->fd, 0, j);
	pthread_join(j->commit_thread, NULL);
	finished(j->fd, 0, j);
	journal_kick(j);
	release(j);
}

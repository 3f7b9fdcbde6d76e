/*
 * journal.c - see journal.h: two threads and three queues.
 *
 *	loop -> audit thread -> commit thread -> loop
 *
 * Each thread takes what was queued since its last turn. The audit thread numbers and
 * chains the lines and writes them with one call; jobs with changes go on to the commit
 * thread, the others straight back.
 */
#include "vaultd/journal.h"

#include <errno.h>
#include <event2/event.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "common/auto.h"
#include "common/envelope.h"
#include "common/errors.h"
#include "common/log.h"
#include "common/role.h"
#include "vaultd/audit_line.h"
#include "vaultd/journal_file.h"

#define BATCH_BYTES	(1u << 20)
#define LINE_ROOM	512	/* its start; and a usual line that is not written yet */
#define BATCH_COMMITS	256
#define OWED_MAX	(4u << 20)
#define HEAD_EVERY_MS	1000
#define KICK_AT		32	/* so many, and a quarter of all, do not wait for the loop's pass */

struct queue {
	struct job	*first, **end;
	size_t		 n;
};

struct journal {
	struct journal_conf	 conf;
	struct store		*store;
	struct event		*ev;
	int			 fd;			/* eventfd to the loop */
	pthread_t		 audit_thread, commit_thread;
	pthread_mutex_t		 mutex;
	pthread_cond_t		 audit_wake, commit_wake, parked;
	bool			 stop, audit_stopped;
	struct queue		 fresh;			/* loop only, until the kick */
	struct queue		 audit, commit, done;	/* under mutex */
	bool			 grow, grown;		/* commit thread waits for a larger map */
	uint64_t		 next_commit, waiting;
	_Atomic bool		 audit_bad;		/* set by the audit thread alone */
	_Atomic bool		 store_bad;		/* set by the commit thread alone */
	_Atomic bool		 audit_idle;		/* it waits for work */
	struct segments		 seg;			/* audit thread */
	uint64_t		 retiring;		/* audit thread: a line says: removed to here */
	struct buf		 text, owed;		/* audit thread */
	struct audit_head	 head;			/* under mutex: what is durable */
	uint64_t		 noted;			/* commit thread: of that, what the store knows */
	uint64_t		 audit_batches, audit_lines, commit_batches, commits;
};

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

static void
queue_init(struct queue *q)
{
	*q = (struct queue){ NULL, NULL, 0 };
	q->end = &q->first;
}

static void
queue_add(struct queue *q, struct job *j)
{
	j->next = NULL;
	*q->end = j;
	q->end = &j->next;
	q->n++;
}

static struct job *
queue_take(struct queue *q)
{
	struct job *j = q->first;

	queue_init(q);
	return j;
}

static struct job *
queue_pop(struct queue *q)
{
	struct job *j = q->first;

	if (j == NULL)
		return NULL;
	if ((q->first = j->next) == NULL)
		q->end = &q->first;
	q->n--;
	return j;
}

static void
fail(struct job *j, const struct err *e)
{
	j->rc = (int)e->code;
	j->err = *e;
}

/* ---- audit thread */

struct batch {
	struct queue	to_commit, back;
	struct audit_head head;		/* as after this batch */
	uint64_t	first, lines;
};

static void
add_text(struct journal *j, struct batch *b, struct slice rest, uint64_t commit)
{
	char start[128], number[40];
	size_t at = j->text.len, n = audit_line_start(&b->head, start);

	buf_add(&j->text, start, n);
	if (commit != 0) {
		n = (size_t)snprintf(number, sizeof number, "\"commit\":%llu,",
		    (unsigned long long)commit);
		buf_add(&j->text, number, n);
	}
	buf_add(&j->text, rest.p, rest.len);
	if (j->text.failed)
		return;
	b->head.seq++;
	b->lines++;
	sha256((struct slice){ j->text.p + at, j->text.len - at }, b->head.hash);
}

/* Lines of commits that could not wait for the log come first when it is back. */
static void
add_owed(struct journal *j, struct batch *b)
{
	size_t at = 0;

	while (at < j->owed.len) {
		const unsigned char *p = j->owed.p + at;
		const unsigned char *nl = memchr(p, '\n', j->owed.len - at);
		size_t n = (size_t)(nl - p) + 1;

		add_text(j, b, (struct slice){ p, n }, 0);
		at += n;
	}
}

static void
owe(struct journal *j, const struct job *job)
{
	char number[40];

	if (job->line.len == 0)
		return;
	if (j->owed.len + job->line.len > OWED_MAX) {
		log_error("an audit line is lost: the log could not be written for too long");
		return;
	}
	if (job->commit != 0) {
		snprintf(number, sizeof number, "\"commit\":%llu,",
		    (unsigned long long)job->commit);
		buf_add(&j->owed, number, strlen(number));
	}
	buf_add(&j->owed, job->line.p, job->line.len);
}

static void
sort_job(struct journal *j, struct batch *b, struct job *job, const struct err *e)
{
	bool lost = job->rc != 0 || (e->code != 0 && !job->owed);

	if (lost && job->rc == 0)
		fail(job, e);
	if (!lost && e->code != 0)
		owe(j, job);
	queue_add(!lost && job->has_changes ? &b->to_commit : &b->back, job);
}

static void
audit_batch(struct journal *j, struct job *jobs, struct batch *b)
{
	struct err e = { 0 }, full = { 0 };
	struct job *next;

	buf_reset(&j->text);
	b->head = j->seg.head;
	b->first = b->head.seq + 1;
	add_owed(j, b);
	for (struct job *q = jobs; q != NULL; q = q->next) {
		if (q->write != NULL)
			q->write(q);
		if (!q->owed && !q->reserve &&
		    !segments_have_room(&j->seg, j->text.len + q->line.len + LINE_ROOM)) {
			err_name(&full, ERR_AUDIT_UNWRITABLE, "no room for a further segment of the "
			    "audit log in %s", j->seg.dir);
			fail(q, &full);
			continue;
		}
		if (q->line.failed)
			j->text.failed = true;
		else if (q->line.len > 0)
			add_text(j, b, buf_slice(&q->line), q->commit);
	}
	if (j->text.failed)
		err_name(&e, ERR_AUDIT_UNWRITABLE, "out of memory for audit lines");
	else if (j->text.len > 0)
		segments_write(&j->seg, buf_slice(&j->text), b->first, &e);
	if (e.code == 0) {
		j->seg.head = b->head;
		buf_reset(&j->owed);
	}
	atomic_store(&j->audit_bad, e.code != 0 || full.code != 0 ||
	    !segments_have_room(&j->seg, 2 * LINE_ROOM));
	for (; jobs != NULL; jobs = next) {
		next = jobs->next;
		sort_job(j, b, jobs, &e);
	}
}

static void
wake_loop(struct journal *j)
{
	eventfd_write(j->fd, 1);
}

static void
append(struct queue *to, struct queue *from)
{
	if (from->first == NULL)
		return;
	*to->end = from->first;
	to->end = from->end;
	to->n += from->n;
	queue_init(from);
}

/* As much as one write should carry. */
static struct job *
take_batch(struct queue *q)
{
	struct queue out;
	size_t bytes = 0;

	queue_init(&out);
	while (q->first != NULL && bytes < BATCH_BYTES) {
		bytes += q->first->line.len + LINE_ROOM;
		queue_add(&out, queue_pop(q));
	}
	return out.first;
}

static void
hand_on(struct journal *j, struct batch *b)
{
	bool back = b->back.first != NULL, commit = b->to_commit.first != NULL;

	j->head = j->seg.head;
	j->audit_batches += b->lines > 0;
	j->audit_lines += b->lines;
	append(&j->commit, &b->to_commit);
	append(&j->done, &b->back);
	if (commit)
		pthread_cond_signal(&j->commit_wake);
	if (back)
		wake_loop(j);
}

static void
wait_second(pthread_cond_t *c, pthread_mutex_t *m)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += 1;
	pthread_cond_timedwait(c, m, &t);
}

/* First the line that says so; in a turn behind it, when it is durable, the files go: what a
 * crash leaves between them is a log that is longer than it needs to be. */
static void
retain(struct journal *j)
{
	uint64_t to = segments_old(&j->seg, j->conf.retention_days);
	struct job *line;

	if (to == 0 || atomic_load(&j->audit_bad))
		return;
	if (to == j->retiring) {
		if (j->owed.len == 0)
			segments_remove(&j->seg, to);
		return;
	}
	if ((line = calloc(1, sizeof *line)) == NULL)
		return;
	j->retiring = to;
	audit_line_time(&line->line);
	buf_add_str(&line->line, ",\"event\":\"retention\",\"removed_to\":");
	buf_add_uint(&line->line, to, 1);
	buf_add_str(&line->line, "}\n");
	line->owed = true;	/* written first when the disk takes lines again */
	line->done = job_free;
	pthread_mutex_lock(&j->mutex);
	queue_add(&j->audit, line);
	pthread_mutex_unlock(&j->mutex);
}

/* With nothing to do: the spare, retention, and another try when the disk was full. */
static void
idle(struct journal *j)
{
	struct batch b = { 0 };

	segments_want_spare(&j->seg);
	retain(j);
	if (j->owed.len == 0 && (!atomic_load(&j->audit_bad) ||
	    !segments_have_room(&j->seg, 2 * LINE_ROOM)))
		return;
	queue_init(&b.to_commit);
	queue_init(&b.back);
	if (j->owed.len == 0) {		/* refusals leave nothing behind: probe with a line */
		audit_line_time(&j->owed);
		buf_add_str(&j->owed, ",\"event\":\"audit_writable\"}\n");
	}
	audit_batch(j, NULL, &b);
	pthread_mutex_lock(&j->mutex);
	hand_on(j, &b);
	pthread_mutex_unlock(&j->mutex);
}

static void *
audit_main(void *arg)
{
	struct journal *j = arg;
	struct job *jobs;

	pthread_mutex_lock(&j->mutex);
	for (;;) {
		struct batch b = { 0 };

		if (j->audit.first == NULL && !j->stop) {
			atomic_store(&j->audit_idle, true);
			wait_second(&j->audit_wake, &j->mutex);
			atomic_store(&j->audit_idle, false);
		}
		if (j->audit.first == NULL && j->stop)
			break;
		jobs = take_batch(&j->audit);
		pthread_mutex_unlock(&j->mutex);
		queue_init(&b.to_commit);
		queue_init(&b.back);
		if (jobs == NULL)
			idle(j);
		else
			audit_batch(j, jobs, &b);
		if (jobs != NULL && !j->seg.spare_ready)
			segments_want_spare(&j->seg);
		pthread_mutex_lock(&j->mutex);
		if (jobs != NULL)
			hand_on(j, &b);
	}
	j->audit_stopped = true;
	pthread_cond_signal(&j->commit_wake);
	pthread_mutex_unlock(&j->mutex);
	return NULL;
}

/* ---- commit thread */

/* The map is full: the loop must drop its read transaction and resize. FALSE: it could not. */
static bool
ask_to_grow(struct journal *j)
{
	bool grown;

	pthread_mutex_lock(&j->mutex);
	j->grow = true;
	wake_loop(j);
	while (j->grow)
		pthread_cond_wait(&j->parked, &j->mutex);
	grown = j->grown;
	pthread_mutex_unlock(&j->mutex);
	return grown;
}

/* With all the room it takes. */
static void
apply(struct journal *j, struct changes *const *sets, size_t n, int *rc,
    const struct audit_head *head, uint64_t commit, struct err *e)
{
	while (store_apply(j->store, sets, n, rc, head, commit, e) == V_LIMIT)
		if (!ask_to_grow(j)) {
			err_name(e, ERR_STORE_UNWRITABLE, "the store's map is full and cannot grow");
			return;
		}
}

static void
not_committed(struct journal *j, const struct job *job)
{
	struct job *line = calloc(1, sizeof *line);

	if (line == NULL || job->line.len == 0) {
		free(line);
		return;
	}
	audit_line_time(&line->line);
	buf_add_str(&line->line, ",\"event\":\"not_committed\",\"of_commit\":");
	buf_add_uint(&line->line, job->commit, 1);
	buf_add_str(&line->line, job->rc == V_CONFLICT ? ",\"reason\":\"conflict\"}\n" :
	    ",\"reason\":\"store unwritable\"}\n");
	line->done = job_free;
	line->owed = true;
	pthread_mutex_lock(&j->mutex);
	queue_add(&j->audit, line);
	pthread_cond_signal(&j->audit_wake);
	pthread_mutex_unlock(&j->mutex);
}

static void
commit_batch(struct journal *j, struct job **jobs, size_t n, const struct audit_head *head)
{
	struct changes *sets[BATCH_COMMITS];
	int rc[BATCH_COMMITS];
	struct err e = { 0 };

	for (size_t i = 0; i < n; i++)
		sets[i] = &jobs[i]->changes;
	apply(j, sets, n, rc, head, jobs[n - 1]->commit, &e);
	atomic_store(&j->store_bad, e.code != 0);
	for (size_t i = 0; i < n; i++) {
		jobs[i]->rc = rc[i];
		if (rc[i] != 0 && rc[i] != V_CONFLICT)
			fail(jobs[i], &e);
		if (rc[i] != 0)
			not_committed(j, jobs[i]);
	}
}

/* While only reads happen the head is noted once a second; so is whether the store can be
 * written again. */
static void
note_head(struct journal *j, const struct audit_head *head)
{
	struct err e = { 0 };

	if (head->seq == j->noted && !atomic_load(&j->store_bad))
		return;
	apply(j, NULL, 0, NULL, head, 0, &e);
	atomic_store(&j->store_bad, e.code != 0);
	if (e.code == 0)
		j->noted = head->seq;
}

static void *
commit_main(void *arg)
{
	struct journal *j = arg;
	struct audit_head head;
	struct job *jobs[BATCH_COMMITS];
	bool whole;
	size_t n;

	pthread_mutex_lock(&j->mutex);
	for (;;) {
		if (j->commit.first == NULL && !j->audit_stopped)
			wait_second(&j->commit_wake, &j->mutex);
		for (n = 0; n < BATCH_COMMITS && j->commit.first != NULL; n++)
			jobs[n] = queue_pop(&j->commit);
		head = j->head;
		/* The store's head never covers a line whose commit is still to come. */
		whole = j->commit.first == NULL;
		if (n == 0 && j->audit_stopped)
			break;
		pthread_mutex_unlock(&j->mutex);
		if (n > 0) {
			commit_batch(j, jobs, n, whole ? &head : NULL);
			if (whole && !atomic_load(&j->store_bad))
				j->noted = head.seq;
		} else {
			note_head(j, &head);
		}
		pthread_mutex_lock(&j->mutex);
		j->commit_batches += n > 0;
		j->commits += n;
		for (size_t i = 0; i < n; i++)
			queue_add(&j->done, jobs[i]);
		if (n > 0)
			wake_loop(j);
	}
	pthread_mutex_unlock(&j->mutex);
	note_head(j, &head);
	return NULL;
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
	job = queue_take(&j->done);
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
	queue_add(&j->fresh, job);
	if (j->fresh.n >= KICK_AT && j->fresh.n * 4 >= j->waiting && atomic_load(&j->audit_idle))
		journal_kick(j);
}

void
journal_kick(struct journal *j)
{
	if (j->fresh.first == NULL)
		return;
	pthread_mutex_lock(&j->mutex);
	append(&j->audit, &j->fresh);
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
	queue_init(&j->fresh);
	queue_init(&j->audit);
	queue_init(&j->commit);
	queue_init(&j->done);
}

/* What recovery found is the first thing in the log. */
static int
write_notes(struct journal *j, struct buf *notes, struct err *e)
{
	struct batch b = { .head = j->seg.head, .first = j->seg.head.seq + 1 };

	j->owed = buf_take(notes);
	if (j->owed.len == 0)
		return 0;
	add_owed(j, &b);
	if (segments_write(&j->seg, buf_slice(&j->text), b.first, e) != 0)
		return e->code;
	j->seg.head = b.head;
	buf_reset(&j->owed);
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
	    pthread_create(&j->commit_thread, NULL, commit_main, j) != 0)
		return err_set(e, V_IO, "cannot start the journal's threads");
	if (pthread_create(&j->audit_thread, NULL, audit_main, j) != 0) {
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
	finished(j->fd, 0, j);	/* a commit thread that waits for a larger map */
	pthread_join(j->commit_thread, NULL);
	finished(j->fd, 0, j);
	journal_kick(j);
	release(j);
}

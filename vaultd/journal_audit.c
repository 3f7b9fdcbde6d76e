/*
 * journal_audit.c - the audit thread: numbers and chains the lines of what was queued since its last
 * turn, writes them with one call, and hands the jobs on. See journal_thread.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/envelope.h"
#include "common/errors.h"
#include "common/log.h"
#include "vaultd/audit_line.h"
#include "vaultd/journal_thread.h"

#define BATCH_BYTES	(1u << 20)
#define LINE_ROOM	512	/* its start; and a usual line that is not written yet */
#define OWED_MAX	(4u << 20)

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
		journal_fail(job, e);
	if (!lost && e->code != 0)
		owe(j, job);
	journal_queue_add(!lost && job->has_changes ? &b->to_commit : &b->back, job);
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
			journal_fail(q, &full);
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

/* As much as one write should carry. */
static struct job *
take_batch(struct queue *q)
{
	struct queue out;
	size_t bytes = 0;

	journal_queue_init(&out);
	while (q->first != NULL && bytes < BATCH_BYTES) {
		bytes += q->first->line.len + LINE_ROOM;
		journal_queue_add(&out, journal_queue_pop(q));
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
	journal_queue_append(&j->commit, &b->to_commit);
	journal_queue_append(&j->done, &b->back);
	if (commit)
		pthread_cond_signal(&j->commit_wake);
	if (back)
		journal_wake_loop(j);
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
	journal_queue_add(&j->audit, line);
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
	journal_queue_init(&b.to_commit);
	journal_queue_init(&b.back);
	if (j->owed.len == 0) {		/* refusals leave nothing behind: probe with a line */
		audit_line_time(&j->owed);
		buf_add_str(&j->owed, ",\"event\":\"audit_writable\"}\n");
	}
	audit_batch(j, NULL, &b);
	pthread_mutex_lock(&j->mutex);
	hand_on(j, &b);
	pthread_mutex_unlock(&j->mutex);
}

void *
journal_audit_main(void *arg)
{
	struct journal *j = arg;
	struct job *jobs;

	pthread_mutex_lock(&j->mutex);
	for (;;) {
		struct batch b = { 0 };

		if (j->audit.first == NULL && !j->stop) {
			atomic_store(&j->audit_idle, true);
			journal_wait_second(&j->audit_wake, &j->mutex);
			atomic_store(&j->audit_idle, false);
		}
		if (j->audit.first == NULL && j->stop)
			break;
		jobs = take_batch(&j->audit);
		pthread_mutex_unlock(&j->mutex);
		journal_queue_init(&b.to_commit);
		journal_queue_init(&b.back);
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

int
journal_write_owed(struct journal *j, struct err *e)
{
	struct batch b = { .head = j->seg.head, .first = j->seg.head.seq + 1 };

	add_owed(j, &b);
	if (segments_write(&j->seg, buf_slice(&j->text), b.first, e) != 0)
		return e->code;
	j->seg.head = b.head;
	buf_reset(&j->owed);
	return 0;
}

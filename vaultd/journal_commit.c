/*
 * journal_commit.c - the commit thread: what was queued since its last turn goes into the store in
 * one transaction. See journal_thread.h.
 */
#include <stdlib.h>
#include <string.h>

#include "common/errors.h"
#include "vaultd/audit_line.h"
#include "vaultd/journal_thread.h"

#define BATCH_COMMITS	256

/* The map is full: the loop must drop its read transaction and resize. FALSE: it could not. */
static bool
ask_to_grow(struct journal *j)
{
	bool grown;

	pthread_mutex_lock(&j->mutex);
	j->grow = true;
	journal_wake_loop(j);
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
	journal_queue_add(&j->audit, line);
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
			journal_fail(jobs[i], &e);
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

void *
journal_commit_main(void *arg)
{
	struct journal *j = arg;
	struct audit_head head;
	struct job *jobs[BATCH_COMMITS];
	bool whole;
	size_t n;

	pthread_mutex_lock(&j->mutex);
	for (;;) {
		if (j->commit.first == NULL && !j->audit_stopped)
			journal_wait_second(&j->commit_wake, &j->mutex);
		for (n = 0; n < BATCH_COMMITS && j->commit.first != NULL; n++)
			jobs[n] = journal_queue_pop(&j->commit);
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
			journal_queue_add(&j->done, jobs[i]);
		if (n > 0)
			journal_wake_loop(j);
	}
	pthread_mutex_unlock(&j->mutex);
	note_head(j, &head);
	atomic_store(&j->commit_ended, true);
	return NULL;
}

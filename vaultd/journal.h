/*
 * journal.h - durability: an audit thread and a commit thread, each making durable in
 * one batch what was queued since its last turn.
 *
 * The loop submits jobs. A job has an audit line, or changes, or both. Order: line,
 * then changes, then done() on the loop thread. Only then may the loop release a secret
 * or say that a change was made. A job whose changes must not wait for audit (a
 * refresh's commit) is `owed`: its line is kept and written before any later line.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "vaultd/store.h"

struct event_base;
struct journal;

struct job {
	struct job	*next;
	/* The line without its start: `"t":...,...}\n` (see auditlog.h); empty = none. */
	struct buf	 line;
	/* May be NULL. Audit thread: makes the line of what ARG holds, which must not change
	 * until done(). Takes that work from the loop. */
	void		(*write)(struct job *);
	struct changes	 changes;
	bool		 owed;
	bool		 reserve;	/* its line may use what is kept for refusals */
	bool		 has_changes;
	uint64_t	 commit;	/* set by journal_submit() when there are changes */
	void		(*done)(struct job *);	/* loop thread; owns the job from then on */
	void		*arg;
	int		 rc;		/* 0, V_CONFLICT, V_IO (ERR_STORE_UNWRITABLE or
					   ERR_AUDIT_UNWRITABLE in err) */
	struct err	 err;
};

/* Frees line, changes and J itself; for done(). */
void job_free(struct job *j);
/* One that is part of something else, before it is used (again): empty, but for the block
 * of its line. */
void job_init(struct job *j);

struct journal_conf {
	const char	*audit_dir;
	size_t		 segment_bytes;	/* 16 MiB */
	unsigned	 retention_days;/* 0 = keep all; whole segments are removed */
};

/* Recovers the log against the store's head (docs/ARCHITECTURE.md, Audit), appends what
 * it found as a line, starts the threads. A log that does not belong to the store makes this
 * another instance of it (store_new_instance()). REPORT gets what people should know (log it). */
int journal_open(const struct journal_conf *conf, struct store *store,
    struct event_base *base, struct journal **ret, struct buf *ret_report, struct err *e);

/* Takes JOB. Never fails: a failure comes back through done(). When many have come together
 * and the audit thread rests, it starts at once. */
void journal_submit(struct journal *j, struct job *job);

/* Loop thread, once per pass after all input was served: starts the batch. */
void journal_kick(struct journal *j);

enum journal_state { JOURNAL_OK, JOURNAL_AUDIT_UNWRITABLE, JOURNAL_STORE_UNWRITABLE };
/* As of the last batch; verbs that release or change answer at once when it is bad. */
enum journal_state journal_state(const struct journal *j);

struct journal_stats {
	uint64_t	audit_batches, audit_lines, commit_batches, commits;
	struct audit_head head;
	uint64_t	waiting;
};
void journal_stats(const struct journal *j, struct journal_stats *ret);

/* Makes everything queued durable, runs the done() calls, stops the threads. */
void journal_close(struct journal *j);

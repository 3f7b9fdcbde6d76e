/*
 * journal_thread.h - what the journal's threads share: the queues between them, and its state. For
 * journal.c (loop), journal_audit.c and journal_commit.c (a thread each).
 */
#pragma once

#include <event2/event.h>
#include <stdatomic.h>

#include "vaultd/journal_file.h"

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
	_Atomic bool		 commit_ended;
	_Atomic bool		 audit_idle;		/* it waits for work */
	struct segments		 seg;			/* audit thread */
	uint64_t		 retiring;		/* audit thread: a line says: removed to here */
	struct buf		 text, owed;		/* audit thread */
	struct audit_head	 head;			/* under mutex: what is durable */
	uint64_t		 noted;			/* commit thread: of that, what the store knows */
	uint64_t		 audit_batches, audit_lines, commit_batches, commits;
};

void journal_queue_init(struct queue *q);
void journal_queue_add(struct queue *q, struct job *j);
struct job *journal_queue_take(struct queue *q);		/* all of it */
struct job *journal_queue_pop(struct queue *q);			/* NULL: it is empty */
void journal_queue_append(struct queue *to, struct queue *from);	/* FROM is empty afterwards */
void journal_fail(struct job *j, const struct err *e);
void journal_wake_loop(struct journal *j);
/* At most a second, so that a thread with nothing to do still looks around. */
void journal_wait_second(pthread_cond_t *c, pthread_mutex_t *m);

/* Numbers and chains j->owed behind the log's last line, and writes it. */
int journal_write_owed(struct journal *j, struct err *e);
void *journal_audit_main(void *arg);
void *journal_commit_main(void *arg);

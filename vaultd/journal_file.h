/*
 * journal_file.h - the files of the audit log: journal_segment.c writes them, journal_recover.c
 * reads them at start.
 */
#pragma once

#include <pthread.h>

#include "vaultd/journal.h"

/* The log being written. Audit thread only, once the threads run. */
struct segments {
	const char		*dir;
	size_t			 size;
	int			 fd;
	size_t			 offset;
	struct audit_head	 head;
	bool			 spare_running, spare_ready;
	bool			 spare_failed;	/* the last try to make one */
	pthread_t		 spare_thread;
	int			 spare_rc;
};

/* Writes TEXT, whose first line has sequence FIRST, durably; makes a new segment when it
 * does not fit or the old one fails. */
int segments_write(struct segments *s, struct slice text, uint64_t first, struct err *e);
/* Is there room for N bytes without the last part, which is kept for refusals and state changes
 * while no further segment can be made? */
bool segments_have_room(const struct segments *s, size_t n);
/* Opens the last segment for more at OFFSET; SEQ 0: there is none yet. */
int segments_open(struct segments *s, uint64_t seq, size_t offset, struct err *e);
/* The spare is made by a thread of its own; this starts it when there is none. */
void segments_want_spare(struct segments *s);
void segments_close(struct segments *s);
/* The last sequence of the whole segments that are older than DAYS, never of the last one;
 * 0 = none, or DAYS is 0. */
uint64_t segments_old(struct segments *s, unsigned days);
/* Removes the segments up to that. */
void segments_remove(struct segments *s, uint64_t to);

/* What the log's end looks like, held against the store's. Fills S (dir and size set) and
 * REPORT; NOTES gets lines to append first. RET_AGREE is false when one of the two was put
 * back without the other. */
int journal_recover(struct segments *s, const struct store_meta *meta, struct buf *notes,
    struct buf *report, bool *ret_agree, struct err *e);

/*
 * auditlog.h - the audit log on disk: segments of JSON lines, hash-chained. Written by
 * vaultd's journal, verified at its start and by `vaultctl audit verify`.
 *
 * A line: {"seq":N,"prev":"<64 hex>","t":"2026-01-31T12:00:00.000001Z",...}\n
 * `prev` is the SHA-256 of the whole line before, newline included (of the genesis
 * string for the first). A segment file is named audit-<first seq, 20 digits>.log,
 * preallocated and zero-filled: its text ends at the first NUL. See docs/FORMATS.md.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/err.h"

struct audit_head {
	uint64_t	seq;		/* of the last line; 0 = none yet */
	unsigned char	hash[32];	/* of the last line */
};

enum audit_fault {
	AUDIT_OK,
	AUDIT_EDITED,		/* a line's hash does not fit the next line's prev */
	AUDIT_MISSING,		/* sequence jumps forward, or a segment is gone */
	AUDIT_REORDERED,	/* sequence goes backward */
	AUDIT_TORN,		/* last line has no newline or is not JSON */
	AUDIT_TRUNCATED,	/* ends before the head that was promised */
	AUDIT_GARBAGE,		/* bytes behind the end */
	AUDIT_NOTED,		/* unbroken, but vaultd noted at a start that it was not whole */
};
const char *audit_fault_name(enum audit_fault f);

struct audit_report {
	enum audit_fault fault;
	char		 file[256];	/* where */
	uint64_t	 offset;	/* byte in it */
	uint64_t	 seq;		/* line at or before the fault */
	uint64_t	 lines, first_seq;
	struct audit_head head;		/* of the good part */
	char		 text[640];	/* for people: what and where */
	char		 last_time[40];	/* t of the last good line */
};

/*
 * Reads every segment of DIR in order. PROMISED (may be NULL) is a head known from
 * elsewhere (the store): the log must reach it and agree with it. EACH (may be NULL) is
 * called per good line (text without newline, borrowed); it returns false to stop.
 * Errors: V_IO only; faults are in RET.
 */
int audit_verify(const char *dir, const struct audit_head *promised,
    bool (*each)(void *arg, uint64_t seq, struct slice line), void *arg,
    struct audit_report *ret, struct err *e);

/* SHA-256 of the genesis string: prev of line 1. */
void audit_genesis(unsigned char ret[32]);
/* Builds the start of a line, `{"seq":N,"prev":"...",` into OUT (128 bytes). */
size_t audit_line_start(const struct audit_head *head, char out[128]);

/* ---- pieces for the journal's recovery */

/* First sequence numbers of the segments of DIR, ascending; the caller frees. */
int audit_segments(const char *dir, uint64_t **ret, size_t *ret_n, struct err *e);
void audit_segment_name(uint64_t seq, char out[40]);
bool audit_segment_seq(const char *name, uint64_t *ret);
/* Maps a segment; RET is its text. The caller unmaps *RET_MAPPED bytes if not 0. */
int audit_segment_map(const char *dir, uint64_t seq, struct slice *ret, size_t *ret_mapped,
    struct err *e);
/* A line without its newline; PREV gets 64 digits. */
bool audit_line_parse(struct slice line, uint64_t *seq, char prev[65]);
/* The text of a plain member (no escapes in it). FALSE: not there, or too long. */
bool audit_line_member(struct slice line, const char *name, char *out, size_t cap);

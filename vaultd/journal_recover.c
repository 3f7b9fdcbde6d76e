/*
 * journal_recover.c - the end of the audit log, held against the store, at start.
 *
 * Only the last segments are read, back to the line the store knows: starting costs the
 * same with any length of log.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/auto.h"
#include "common/envelope.h"
#include "common/role.h"
#include "vaultd/journal_file.h"

struct tail {
	struct segments		*s;
	const struct store_meta	*meta;
	struct buf		*notes, *report;
	uint64_t		 segment;	/* first sequence of the last segment */
	size_t			 offset;	/* where its good text ends */
	size_t			 torn;		/* bytes behind that */
	bool			 seen, differs;	/* the store's head */
};

static void note(struct tail *t, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* A line to append (without its start), and the same as text for the log. */
static void
note(struct tail *t, const char *event, const char *fmt, ...)
{
	char text[300], line[500], when[40];
	time_t now = (time_t)wall_seconds();
	struct tm tm;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	gmtime_r(&now, &tm);
	strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S.000000Z", &tm);
	snprintf(line, sizeof line, "\"t\":\"%s\",\"event\":\"%s\",\"message\":\"%s\"}\n", when,
	    event, text);
	buf_add(t->notes, line, strlen(line));
	if (t->report->len > 0)
		buf_add(t->report, "; ", 2);
	buf_add(t->report, text, strlen(text));
}

static void
note_commit(struct tail *t, struct slice line, uint64_t seq)
{
	char commit[32];
	uint64_t n;

	if (!audit_line_member(line, "commit", commit, sizeof commit))
		return;
	n = strtoull(commit, NULL, 10);
	if (n > t->meta->commit)
		note(t, "not_committed", "line %llu names commit %llu, which the store does not "
		    "have: it was not made", (unsigned long long)seq, (unsigned long long)n);
}

/* Over the lines of one segment: the head moves on as far as the chain holds. */
static void
walk(struct tail *t, struct slice text, bool first)
{
	const char *p = text.p;
	size_t off = 0;
	char prev[65], want[65];
	uint64_t seq;

	while (off < text.len) {
		const char *nl = memchr(p + off, '\n', text.len - off);
		size_t n = nl == NULL ? 0 : (size_t)(nl - (p + off)) + 1;

		if (n == 0 || !audit_line_parse((struct slice){ p + off, n - 1 }, &seq, prev))
			break;
		hex_encode(t->s->head.hash, 32, want);
		if (first) {
			t->s->head.seq = seq - 1;
		} else if (seq != t->s->head.seq + 1 || strcmp(prev, want) != 0) {
			break;
		}
		first = false;
		t->s->head.seq = seq;
		sha256((struct slice){ p + off, n }, t->s->head.hash);
		if (seq == t->meta->audit.seq) {
			t->seen = true;
			t->differs = memcmp(t->s->head.hash, t->meta->audit.hash, 32) != 0;
		}
		if (seq > t->meta->audit.seq)
			note_commit(t, (struct slice){ p + off, n - 1 }, seq);
		off += n;
	}
	t->offset = off;
	t->torn = text.len - off;
}

/* The segment that holds the store's head, or the last one. */
static size_t
start_at(const uint64_t *seqs, size_t n, uint64_t head)
{
	size_t i = n - 1;

	while (i > 0 && seqs[i] > head)
		i--;
	return i;
}

static int
cut(struct tail *t, struct err *e)
{
	char name[40], path[700];
	AUTO_FREE char *zero = calloc(1, t->torn);
	AUTO_CLOSE int fd = -1;

	audit_segment_name(t->segment, name);
	snprintf(path, sizeof path, "%s/%s", t->s->dir, name);
	if (zero == NULL || (fd = open(path, O_WRONLY | O_CLOEXEC)) < 0 ||
	    pwrite(fd, zero, t->torn, (off_t)t->offset) != (ssize_t)t->torn || fsync(fd) != 0)
		return err_errno(e, "%s", path);
	note(t, "torn_tail", "%zu bytes behind line %llu were cut: they were never answered for",
	    t->torn, (unsigned long long)t->s->head.seq);
	return 0;
}

static int
read_tail(struct tail *t, const uint64_t *seqs, size_t n, struct err *e)
{
	size_t i = start_at(seqs, n, t->meta->audit.seq);
	bool first = seqs[i] != 1;

	for (; i < n; i++, first = false) {
		struct slice text;
		size_t mapped;

		if (audit_segment_map(t->s->dir, seqs[i], &text, &mapped, e) != 0)
			return e->code;
		t->segment = seqs[i];
		walk(t, text, first);
		if (mapped > 0)
			munmap((void *)text.p, mapped);
		if (t->torn > 0)
			break;
	}
	return 0;
}

static int
settle(struct tail *t, struct err *e)
{
	const struct audit_head *want = &t->meta->audit;

	if (t->torn > 0 && t->s->head.seq < want->seq)
		note(t, "audit_damaged", "the audit log is damaged behind line %llu, before line "
		    "%llu which the store knows", (unsigned long long)t->s->head.seq,
		    (unsigned long long)want->seq);
	if (t->torn > 0 && cut(t, e) != 0)
		return e->code;
	if (t->s->head.seq < want->seq)
		note(t, "audit_behind", "the audit log ends at line %llu, the store knows line %llu: "
		    "it was cut, or the store was restored without its log",
		    (unsigned long long)t->s->head.seq, (unsigned long long)want->seq);
	else if (t->differs || (want->seq > 0 && !t->seen))
		note(t, "audit_differs", "line %llu is not the one the store knows: the log was "
		    "edited, or store and log do not belong together",
		    (unsigned long long)want->seq);
	return 0;
}

int
journal_recover(struct segments *s, const struct store_meta *meta, struct buf *notes,
    struct buf *report, struct err *e)
{
	struct tail t = { .s = s, .meta = meta, .notes = notes, .report = report };
	AUTO_FREE uint64_t *seqs = NULL;
	size_t n = 0;

	audit_genesis(s->head.hash);
	s->head.seq = 0;
	if (audit_segments(s->dir, &seqs, &n, e) != 0)
		return e->code;
	if (n > 0 && read_tail(&t, seqs, n, e) != 0)
		return e->code;
	if (settle(&t, e) != 0)
		return e->code;
	return segments_open(s, t.segment, t.offset, e);
}

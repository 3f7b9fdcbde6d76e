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
	uint64_t		 damaged;	/* before the store's head: the first bad line */
	bool			 seen, differs;	/* the store's head */
	struct lost		*lost;		/* commits of the log that the store lacks */
	size_t			 nlost;
	bool			 store_behind;
};

struct lost {
	uint64_t	seq, commit;
};

static void note(struct tail *t, const char *event, uint64_t of_commit, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* A line to append (without its start), and the same as text for the log. */
static void
note(struct tail *t, const char *event, uint64_t of_commit, const char *fmt, ...)
{
	char text[300], line[500], when[40], commit[40] = "";
	time_t now = (time_t)wall_seconds();
	struct tm tm;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	gmtime_r(&now, &tm);
	strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S.000000Z", &tm);
	if (of_commit != 0)
		snprintf(commit, sizeof commit, "\"of_commit\":%llu,",
		    (unsigned long long)of_commit);
	snprintf(line, sizeof line, "\"t\":\"%s\",\"event\":\"%s\",%s\"message\":\"%s\"}\n", when,
	    event, commit, text);
	buf_add(t->notes, line, strlen(line));
	if (t->report->len > 0)
		buf_add(t->report, "; ", 2);
	buf_add(t->report, text, strlen(text));
}

static uint64_t
number(struct slice line, const char *member)
{
	char text[32];

	return audit_line_member(line, member, text, sizeof text) ? strtoull(text, NULL, 10) : 0;
}

static void
lose(struct tail *t, uint64_t seq, uint64_t commit)
{
	struct lost *more = array_more(t->lost, t->nlost, sizeof *more);

	must(more != NULL);
	more[t->nlost++] = (struct lost){ seq, commit };
	t->lost = more;
}

static void
annul(struct tail *t, uint64_t commit)
{
	for (size_t i = t->nlost; i-- > 0;)
		if (t->lost[i].commit == commit) {
			t->lost[i] = t->lost[--t->nlost];
			return;
		}
}

/*
 * A crash can leave lines of commits that were not made. When vaultd stopped or started
 * behind such a line it had settled them all: then it is the store that went back.
 */
static void
weigh(struct tail *t, struct slice line, uint64_t seq)
{
	uint64_t commit = number(line, "commit");
	char action[32];

	if (commit > t->meta->commit)
		lose(t, seq, commit);
	else if (t->nlost > 0 && (commit = number(line, "of_commit")) != 0)
		annul(t, commit);
	else if (t->nlost > 0 && audit_line_member(line, "action", action, sizeof action) &&
	    (strcmp(action, "vaultd.stop") == 0 || strcmp(action, "vaultd.start") == 0))
		t->store_behind = true;
}

/* Does the line follow the head? SEQ 0: it is no line at all. Of the FIRST one that is read the
 * file's name says who it is; what it follows is not read. */
static bool
follows(const struct tail *t, uint64_t seq, const char *prev, bool first)
{
	char want[65];

	if (first)
		return seq == t->segment;
	hex_encode(t->s->head.hash, 32, want);
	return seq == t->s->head.seq + 1 && strcmp(prev, want) == 0;
}

static void
take(struct tail *t, struct slice whole, uint64_t seq)
{
	t->s->head.seq = seq;
	sha256(whole, t->s->head.hash);
	if (seq == t->meta->audit.seq) {
		t->seen = true;
		t->differs = memcmp(t->s->head.hash, t->meta->audit.hash, 32) != 0;
	}
	if (seq > t->meta->audit.seq)
		weigh(t, (struct slice){ whole.p, whole.len - 1 }, seq);
}

/*
 * Over the lines of one segment: the head moves on as far as the chain holds. Where it breaks
 * behind the store's head a crash tore it. Before that somebody did: what stands there is
 * evidence, is stepped over and kept.
 */
static void
walk(struct tail *t, struct slice text, bool first)
{
	const char *p = text.p;
	size_t off = 0;

	while (off < text.len) {
		const char *nl = memchr(p + off, '\n', text.len - off);
		size_t n = nl == NULL ? 0 : (size_t)(nl - (p + off)) + 1;
		uint64_t seq = 0;
		char prev[65];

		if (n == 0 || !audit_line_parse((struct slice){ p + off, n - 1 }, &seq, prev))
			seq = 0;
		if (!follows(t, seq, prev, first)) {
			if (t->s->head.seq >= t->meta->audit.seq || n == 0)
				break;
			if (t->damaged == 0)
				t->damaged = t->s->head.seq + 1;
			if (seq <= t->s->head.seq || seq > t->meta->audit.seq)
				seq = 0;	/* what it says of itself leads nowhere */
		}
		if (seq != 0)
			take(t, (struct slice){ p + off, n }, seq);
		first = false;
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
	note(t, "torn_tail", 0, "%zu bytes behind line %llu were cut: a crash tore them",
	    t->torn, (unsigned long long)t->s->head.seq);
	return 0;
}

static int
read_tail(struct tail *t, const uint64_t *seqs, size_t n, struct err *e)
{
	size_t i = start_at(seqs, n, t->meta->audit.seq);
	bool first = seqs[i] != 1;

	t->s->head.seq = seqs[i] - 1;
	for (; i < n; i++, first = false) {
		struct slice text;
		size_t mapped;

		if (audit_segment_map(t->s->dir, seqs[i], &text, &mapped, e) != 0)
			return e->code;
		t->segment = seqs[i];
		walk(t, text, first);
		if (mapped > 0)
			munmap((void *)text.p, mapped);
		if (t->torn == 0)
			continue;
		if (t->s->head.seq >= t->meta->audit.seq)
			break;
		if (t->damaged == 0)
			t->damaged = t->s->head.seq + 1;
	}
	return 0;
}

static bool
incomplete(const struct tail *t)
{
	return t->damaged != 0 || t->s->head.seq < t->meta->audit.seq;
}

/*
 * Such a log goes on in a new segment, behind every line and file that there is or was: what is
 * left is evidence, and its names are not used again. LAST is the first sequence of the last
 * segment, 0 = there is none.
 */
static void
step_over(struct tail *t, uint64_t last)
{
	struct audit_head *head = &t->s->head;

	if (head->seq < t->meta->audit.seq)
		*head = t->meta->audit;
	if (head->seq < last)
		head->seq = last;
}

static void
note_lost(struct tail *t)
{
	if (t->store_behind) {
		note(t, "store_behind", 0, "the store knows nothing behind commit %llu, the log names "
		    "commit %llu: an older store was put back", (unsigned long long)t->meta->commit,
		    (unsigned long long)t->lost[t->nlost - 1].commit);
		return;
	}
	for (size_t i = 0; i < t->nlost; i++)
		note(t, "not_committed", t->lost[i].commit, "line %llu names commit %llu, which the "
		    "store does not have: it was not made", (unsigned long long)t->lost[i].seq,
		    (unsigned long long)t->lost[i].commit);
}

/* Do log and store tell the same story? */
static bool
agree(const struct tail *t)
{
	const struct audit_head *want = &t->meta->audit;

	return !t->store_behind && t->damaged == 0 && t->s->head.seq >= want->seq && !t->differs &&
	    (want->seq == 0 || t->seen);
}

static int
settle(struct tail *t, struct err *e)
{
	const struct audit_head *want = &t->meta->audit;

	if (t->damaged != 0)
		note(t, "audit_damaged", 0, "the audit log is broken at line %llu, before line %llu "
		    "which the store knows: it was edited or cut. What is left was not touched",
		    (unsigned long long)t->damaged, (unsigned long long)want->seq);
	else if (t->torn > 0 && cut(t, e) != 0)
		return e->code;
	note_lost(t);
	if (t->s->head.seq < want->seq)
		note(t, "audit_behind", 0, "the audit log ends at line %llu, the store knows line %llu: "
		    "it was cut, or the store was restored without its log",
		    (unsigned long long)t->s->head.seq, (unsigned long long)want->seq);
	else if (t->differs || (want->seq > 0 && !t->seen))
		note(t, "audit_differs", 0, "line %llu is not the one the store knows: the log was "
		    "edited, or store and log do not belong together",
		    (unsigned long long)want->seq);
	return 0;
}

int
journal_recover(struct segments *s, const struct store_meta *meta, struct buf *notes,
    struct buf *report, bool *ret_agree, struct err *e)
{
	struct tail t = { .s = s, .meta = meta, .notes = notes, .report = report };
	AUTO_FREE uint64_t *seqs = NULL;
	size_t n = 0;
	int rc;

	audit_genesis(s->head.hash);
	s->head.seq = 0;
	if (audit_segments(s->dir, &seqs, &n, e) != 0)
		return e->code;
	rc = n > 0 ? read_tail(&t, seqs, n, e) : 0;
	if (rc == 0)
		rc = settle(&t, e);
	*ret_agree = agree(&t);
	free(t.lost);
	if (rc != 0)
		return rc;
	if (!incomplete(&t))
		return segments_open(s, t.segment, t.offset, e);
	step_over(&t, n > 0 ? seqs[n - 1] : 0);
	return segments_open(s, 0, 0, e);
}

/*
 * auditlog.c - see auditlog.h.
 */
#include "common/auditlog.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/auto.h"
#include "common/envelope.h"

#define GENESIS "vaultd audit log, line 0"

const char *
audit_fault_name(enum audit_fault f)
{
	static const char *const names[] = { "ok", "edited", "missing", "reordered", "torn",
		"truncated", "garbage", "noted" };

	return names[f];
}

void
audit_genesis(unsigned char ret[32])
{
	sha256((struct slice){ GENESIS, sizeof GENESIS - 1 }, ret);
}

size_t
audit_line_start(const struct audit_head *head, char out[128])
{
	char prev[65];

	hex_encode(head->hash, sizeof head->hash, prev);
	return (size_t)snprintf(out, 128, "{\"seq\":%llu,\"prev\":\"%s\",",
	    (unsigned long long)head->seq + 1, prev);
}

/* ---- one line */

bool
audit_line_parse(struct slice line, uint64_t *seq, char prev[65])
{
	static const char a[] = "{\"seq\":", b[] = ",\"prev\":\"";
	const char *p = line.p, *end = p + line.len;
	uint64_t n = 0;
	int digits = 0;

	if (line.len < sizeof a + sizeof b + 66 || memcmp(p, a, sizeof a - 1) != 0 ||
	    end[-1] != '}')
		return false;
	for (p += sizeof a - 1; p < end && *p >= '0' && *p <= '9' && digits < 19; digits++)
		n = n * 10 + (uint64_t)(*p++ - '0');
	if (digits == 0 || (size_t)(end - p) < sizeof b + 64 ||
	    memcmp(p, b, sizeof b - 1) != 0)
		return false;
	p += sizeof b - 1;
	if (strspn(p, "0123456789abcdef") != 64 || p[64] != '"')
		return false;
	*seq = n;
	memcpy(prev, p, 64);
	prev[64] = '\0';
	return true;
}

/* A member's raw value behind `"name":`, for the few members read back. */
bool
audit_line_member(struct slice line, const char *name, char *out, size_t cap)
{
	char key[64];
	const char *p;
	size_t n, klen = (size_t)snprintf(key, sizeof key, "\"%s\":", name);

	p = memmem(line.p, line.len, key, klen);
	if (p == NULL)
		return false;
	p += klen;
	if (*p == '"')
		p++;
	n = strcspn(p, "\",}");
	if (n >= cap || p + n > (const char *)line.p + line.len)
		return false;
	memcpy(out, p, n);
	out[n] = '\0';
	return true;
}

/* ---- segments */

void
audit_segment_name(uint64_t seq, char out[40])
{
	snprintf(out, 40, "audit-%020llu.log", (unsigned long long)seq);
}

bool
audit_segment_seq(const char *name, uint64_t *ret)
{
	char again[40];
	unsigned long long n;

	if (sscanf(name, "audit-%20llu.log", &n) != 1)
		return false;
	audit_segment_name(n, again);
	*ret = n;
	return strcmp(name, again) == 0;
}

static int
by_seq(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int
audit_segments(const char *dir, uint64_t **ret, size_t *ret_n, struct err *e)
{
	DIR *d = opendir(dir);
	struct dirent *de;
	uint64_t *v = NULL, seq;
	size_t n = 0;

	if (d == NULL)
		return err_errno(e, "%s", dir);
	while ((de = readdir(d)) != NULL) {
		uint64_t *w;

		if (!audit_segment_seq(de->d_name, &seq))
			continue;
		if ((w = array_more(v, n, sizeof *v)) == NULL) {
			free(v);
			closedir(d);
			return err_set(e, V_LIMIT, "out of memory");
		}
		v = w;
		v[n++] = seq;
	}
	closedir(d);
	if (n > 0)
		qsort(v, n, sizeof *v, by_seq);
	*ret = v;
	*ret_n = n;
	return 0;
}

int
audit_segment_map(const char *dir, uint64_t seq, struct slice *ret, size_t *ret_mapped,
    struct err *e)
{
	char name[40], path[700];
	AUTO_CLOSE int fd = -1;
	struct stat st;
	void *p;

	audit_segment_name(seq, name);
	snprintf(path, sizeof path, "%s/%s", dir, name);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0 || fstat(fd, &st) != 0)
		return err_errno(e, "%s", path);
	*ret = (struct slice){ "", 0 };
	*ret_mapped = 0;
	if (st.st_size == 0)
		return 0;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return err_errno(e, "%s", path);
	*ret = (struct slice){ p, strnlen(p, (size_t)st.st_size) };
	*ret_mapped = (size_t)st.st_size;
	return 0;
}

/* ---- verification */

struct verify {
	const char		*dir;
	struct audit_report	*r;
	const struct audit_head	*promised;
	bool			(*each)(void *, uint64_t, struct slice);
	void			*arg;
	bool			 stop, first;
	uint64_t		 first_segment;	/* the one that holds the first line */
	uint64_t		 retained;	/* a line says: removed up to here */
	uint64_t		 noted;		/* the first line that says so, 0 = none */
	char			 note[300];
};

static void
fault(struct verify *v, enum audit_fault f, uint64_t offset, const char *text)
{
	v->r->fault = f;
	v->r->offset = offset;
	snprintf(v->r->text, sizeof v->r->text, "%s at line %llu (%s, byte %llu)", text,
	    (unsigned long long)v->r->head.seq + 1, v->r->file, (unsigned long long)offset);
}

static bool
chained(struct verify *v, uint64_t seq, const char *prev, uint64_t offset)
{
	char want[65];

	if (v->first) {		/* the oldest there is: retention may have cut before it */
		v->r->first_seq = seq;
		v->r->head.seq = seq - 1;
		v->first = false;
		if (seq != 1)
			return true;
	}
	if (seq > v->r->head.seq + 1) {
		fault(v, AUDIT_MISSING, offset, "lines are missing");
		return false;
	}
	if (seq < v->r->head.seq + 1) {
		fault(v, AUDIT_REORDERED, offset, "the sequence goes back");
		return false;
	}
	hex_encode(v->r->head.hash, 32, want);
	if (strcmp(want, prev) != 0) {
		fault(v, AUDIT_EDITED, offset, "the chain is broken: the line before was edited, or "
		    "this one put in,");
		return false;
	}
	return true;
}

/* What vaultd found at a start: the chain went on from there, and must not hide it. */
static bool
is_finding(const char *event)
{
	return strcmp(event, "audit_behind") == 0 || strcmp(event, "audit_differs") == 0 ||
	    strcmp(event, "audit_damaged") == 0;
}

static void
note_line(struct verify *v, struct slice line)
{
	char event[32], seq[32];

	audit_line_member(line, "t", v->r->last_time, sizeof v->r->last_time);
	if (!audit_line_member(line, "event", event, sizeof event))
		return;
	if (strcmp(event, "retention") == 0 &&
	    audit_line_member(line, "removed_to", seq, sizeof seq))
		v->retained = strtoull(seq, NULL, 10);
	if (v->noted == 0 && is_finding(event)) {
		v->noted = v->r->head.seq;
		if (!audit_line_member(line, "message", v->note, sizeof v->note))
			snprintf(v->note, sizeof v->note, "%s", event);
	}
}

static bool
at_promised(struct verify *v, uint64_t offset)
{
	if (v->promised == NULL || v->promised->seq != v->r->head.seq)
		return true;
	if (memcmp(v->promised->hash, v->r->head.hash, 32) == 0)
		return true;
	fault(v, AUDIT_EDITED, offset, "the log differs from the head that was noted");
	return false;
}

static bool
verify_line(struct verify *v, struct slice whole, uint64_t offset)
{
	struct slice line = { whole.p, whole.len - 1 };
	char prev[65];
	uint64_t seq;

	if (line.len == 0 || !audit_line_parse(line, &seq, prev)) {
		fault(v, AUDIT_EDITED, offset, "this is not an audit line");
		return false;
	}
	if (!chained(v, seq, prev, offset))
		return false;
	v->r->head.seq = seq;
	sha256(whole, v->r->head.hash);
	v->r->lines++;
	v->r->seq = seq;
	note_line(v, line);
	if (v->each != NULL && !v->each(v->arg, seq, line))
		v->stop = true;
	return at_promised(v, offset);
}

static bool
clean_end(struct verify *v, struct slice text, size_t mapped)
{
	const char *p = text.p;

	for (size_t i = text.len; i < mapped; i++)
		if (p[i] != '\0') {
			fault(v, AUDIT_GARBAGE, i, "bytes stand behind the end of the text");
			return false;
		}
	return true;
}

static bool
verify_segment(struct verify *v, uint64_t seq, bool last, struct err *e)
{
	struct slice text;
	size_t mapped, off = 0;
	bool ok = true;

	audit_segment_name(seq, v->r->file);
	if (v->first)
		v->first_segment = seq;
	if (audit_segment_map(v->dir, seq, &text, &mapped, e) != 0)
		return false;
	if (!v->first && seq != v->r->head.seq + 1) {
		fault(v, AUDIT_MISSING, 0, "a segment is missing or shorter than it was");
		ok = false;
	}
	while (ok && !v->stop && off < text.len) {
		const char *p = (const char *)text.p + off;
		const char *nl = memchr(p, '\n', text.len - off);

		if (nl == NULL) {
			fault(v, last ? AUDIT_TORN : AUDIT_EDITED, off, "the last line is cut off");
			ok = false;
			break;
		}
		ok = verify_line(v, (struct slice){ p, (size_t)(nl - p) + 1 }, off);
		off += (size_t)(nl - p) + 1;
	}
	if (ok && !v->stop)
		ok = clean_end(v, text, mapped);
	if (mapped > 0)
		munmap((void *)text.p, mapped);
	return ok;
}

static void
verify_ends(struct verify *v)
{
	if (v->r->first_seq > 1 && v->retained + 1 < v->r->first_seq) {
		v->r->head.seq = v->r->first_seq - 1;
		audit_segment_name(v->first_segment, v->r->file);
		fault(v, AUDIT_MISSING, 0, "the oldest segments are gone and no line says that "
		    "retention removed them: lines are missing before the first,");
		return;
	}
	if (v->promised != NULL && v->promised->seq > v->r->head.seq) {
		v->r->fault = AUDIT_TRUNCATED;
		snprintf(v->r->text, sizeof v->r->text, "the log ends at line %llu; line %llu was "
		    "noted: it was cut off", (unsigned long long)v->r->head.seq,
		    (unsigned long long)v->promised->seq);
	} else if (v->noted != 0) {
		v->r->fault = AUDIT_NOTED;
		snprintf(v->r->text, sizeof v->r->text, "the chain is unbroken, but line %llu says "
		    "what vaultd found when it started: %s", (unsigned long long)v->noted,
		    v->note);
	}
}

int
audit_verify(const char *dir, const struct audit_head *promised,
    bool (*each)(void *arg, uint64_t seq, struct slice line), void *arg,
    struct audit_report *ret, struct err *e)
{
	struct verify v = { .dir = dir, .r = ret, .promised = promised, .each = each,
		.arg = arg, .first = true };
	AUTO_FREE uint64_t *seqs = NULL;
	size_t n = 0;
	bool ok = true;

	memset(ret, 0, sizeof *ret);
	audit_genesis(ret->head.hash);
	e->code = 0;
	if (audit_segments(dir, &seqs, &n, e) != 0)
		return e->code;
	for (size_t i = 0; ok && !v.stop && i < n; i++)
		ok = verify_segment(&v, seqs[i], i + 1 == n, e);
	if (e->code != 0)
		return e->code;
	if (ok && !v.stop)
		verify_ends(&v);
	return 0;
}

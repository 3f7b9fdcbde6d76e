/*
 * journal_segment.c - files of the audit log: preallocated, zero-filled, written with one
 * pwritev2(RWF_DSYNC) per batch. A spare is always ready, so that a full disk shows before
 * the current segment ends.
 */
#include "vaultd/journal_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/log.h"
#include "common/role.h"

#define SPARE "spare"
#define RESERVE (64u << 10)	/* but of a small segment a sixteenth */

static void
path_of(const struct segments *s, const char *name, char *out, size_t cap)
{
	snprintf(out, cap, "%s/%s", s->dir, name);
}

static int
sync_dir(const struct segments *s, struct err *e)
{
	AUTO_CLOSE int fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) != 0)
		return err_errno(e, "%s", s->dir);
	return 0;
}

/* Zeroes are written, not just allocated: a later write then changes no metadata. */
static int
make_file(const char *path, size_t size)
{
	static const char zero[1 << 16];
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno;
	for (size_t at = 0; at < size; at += sizeof zero) {
		size_t n = size - at < sizeof zero ? size - at : sizeof zero;

		if (pwrite(fd, zero, n, (off_t)at) != (ssize_t)n) {
			int was = errno != 0 ? errno : ENOSPC;

			unlink(path);
			return was;
		}
	}
	return fsync(fd) == 0 ? 0 : errno;
}

static void *
spare_work(void *arg)
{
	struct segments *s = arg;
	char path[700];

	path_of(s, SPARE, path, sizeof path);
	s->spare_rc = make_file(path, s->size);
	return NULL;
}

static void
note_spare(struct segments *s)
{
	s->spare_running = false;
	s->spare_ready = s->spare_rc == 0;
	s->spare_failed = s->spare_rc != 0;
}

static void
spare_join(struct segments *s)
{
	if (!s->spare_running)
		return;
	pthread_join(s->spare_thread, NULL);
	note_spare(s);
}

void
segments_want_spare(struct segments *s)
{
	if (s->spare_running && pthread_tryjoin_np(s->spare_thread, NULL) == 0) {
		note_spare(s);
	}
	if (s->spare_ready || s->spare_running)
		return;
	s->spare_running = pthread_create(&s->spare_thread, NULL, spare_work, s) == 0;
}

bool
segments_have_room(const struct segments *s, size_t n)
{
	size_t reserve = s->size / 16 < RESERVE ? s->size / 16 : RESERVE;

	return !s->spare_failed || s->fd < 0 || s->offset + n + reserve < s->size;
}

static int
next_segment(struct segments *s, uint64_t first, struct err *e)
{
	char from[700], to[700], name[40];
	struct stat st;

	spare_join(s);
	path_of(s, SPARE, from, sizeof from);
	if (!s->spare_ready) {
		int rc = make_file(from, s->size);

		if (rc != 0)
			return err_name(e, ERR_AUDIT_UNWRITABLE, "no new segment in %s: %s", s->dir,
			    strerror(rc));
	}
	s->spare_ready = false;
	audit_segment_name(first, name);
	path_of(s, name, to, sizeof to);
	if (stat(to, &st) == 0) {	/* never in the place of lines that are there */
		s->spare_ready = true;
		return err_name(e, ERR_AUDIT_UNWRITABLE, "%s is there already", to);
	}
	if (rename(from, to) != 0 || sync_dir(s, e) != 0)
		return err_name(e, ERR_AUDIT_UNWRITABLE, "%s: %s", to, strerror(errno));
	if (s->fd >= 0)
		close(s->fd);
	s->fd = open(to, O_RDWR | O_CLOEXEC);
	s->offset = 0;
	if (s->fd < 0)
		return err_name(e, ERR_AUDIT_UNWRITABLE, "%s: %s", to, strerror(errno));
	return 0;
}

static int
write_at(struct segments *s, struct slice text)
{
	struct iovec v = { (void *)text.p, text.len };
	ssize_t n = pwritev2(s->fd, &v, 1, (off_t)s->offset, RWF_DSYNC);

	if (n == (ssize_t)text.len) {
		s->offset += text.len;
		return 0;
	}
	return n < 0 ? errno : EIO;
}

int
segments_write(struct segments *s, struct slice text, uint64_t first, struct err *e)
{
	int rc;

	if (s->fd < 0 || s->offset + text.len + 1 > s->size) {
		if (next_segment(s, first, e) != 0)
			return e->code;
	}
	if ((rc = write_at(s, text)) == 0)
		return 0;
	/* A page that failed to be written may read as written: never go on in that file. */
	log_error("audit segment failed: %s; going on in a new one", strerror(rc));
	(void)!ftruncate(s->fd, (off_t)s->offset);
	if (next_segment(s, first, e) != 0)
		return e->code;
	if ((rc = write_at(s, text)) != 0)
		return err_name(e, ERR_AUDIT_UNWRITABLE, "%s: %s", s->dir, strerror(rc));
	return 0;
}

int
segments_open(struct segments *s, uint64_t seq, size_t offset, struct err *e)
{
	char name[40], path[700];
	struct stat st;

	s->fd = -1;
	path_of(s, SPARE, path, sizeof path);
	s->spare_ready = stat(path, &st) == 0 && (size_t)st.st_size == s->size;
	if (seq == 0)
		return 0;
	audit_segment_name(seq, name);
	path_of(s, name, path, sizeof path);
	if ((s->fd = open(path, O_RDWR | O_CLOEXEC)) < 0)
		return err_errno(e, "%s", path);
	s->offset = offset;
	return 0;
}

uint64_t
segments_old(struct segments *s, unsigned days)
{
	AUTO_FREE uint64_t *seqs = NULL;
	uint64_t to = 0;
	size_t n = 0;
	struct err e;
	struct stat st;
	char name[40], path[700];

	if (days == 0 || audit_segments(s->dir, &seqs, &n, &e) != 0)
		return 0;
	for (size_t i = 0; i + 1 < n; i++) {
		audit_segment_name(seqs[i], name);
		path_of(s, name, path, sizeof path);
		if (stat(path, &st) != 0 || wall_seconds() - st.st_mtime < (long)days * 86400)
			break;
		to = seqs[i + 1] - 1;
	}
	return to;
}

void
segments_remove(struct segments *s, uint64_t to)
{
	AUTO_FREE uint64_t *seqs = NULL;
	size_t n = 0;
	struct err e;
	char name[40], path[700];

	if (audit_segments(s->dir, &seqs, &n, &e) != 0)
		return;
	for (size_t i = 0; i + 1 < n && seqs[i + 1] - 1 <= to; i++) {
		audit_segment_name(seqs[i], name);
		path_of(s, name, path, sizeof path);
		if (unlink(path) != 0)
			log_warn("%s cannot be removed: %s", path, strerror(errno));
	}
}

void
segments_close(struct segments *s)
{
	spare_join(s);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

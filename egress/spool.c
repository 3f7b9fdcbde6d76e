/*
 * spool.c - see spool.h. Files are independent, so no lock is needed.
 */
#include "egress/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/auto.h"

#define BODY_AT		4096
#define ROOM		((1u << 20) + (128u << 10))	/* of an answer of 1 MiB, sealed */
#define SUFFIX		".answer"

struct spool {
	int	dir;
};

static void
name_of(const struct id *attempt, char out[64])
{
	id_text(attempt, out);
	memcpy(out + ID_TEXT - 1, SUFFIX, sizeof SUFFIX);
}

static void
put32(unsigned char *p, size_t v)
{
	for (int i = 3; i >= 0; i--, v >>= 8)
		p[i] = (unsigned char)v;
}

static size_t
get32(const unsigned char *p)
{
	return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

static int
sync_dir(const char *path)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -1 : fsync(fd);
}

int
spool_open(const char *state_dir, struct spool **ret, struct err *e)
{
	char path[700];
	struct spool *s = calloc(1, sizeof *s);

	if (s == NULL)
		return err_set(e, V_LIMIT, "out of memory");
	snprintf(path, sizeof path, "%s/spool", state_dir);
	if ((mkdir(path, 0700) == 0 && sync_dir(state_dir) != 0) ||
	    (s->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
		free(s);
		return err_errno(e, "%s", path);
	}
	*ret = s;
	return 0;
}

void
spool_close(struct spool *s)
{
	if (s != NULL)
		close(s->dir);
	free(s);
}

static int
fill(int fd, struct slice header)
{
	unsigned char h[8] = "VSP3", none[4] = { 0 };

	put32(h + 4, header.len);
	if (posix_fallocate(fd, 0, BODY_AT + 4 + ROOM) != 0 ||
	    pwrite(fd, h, sizeof h, 0) != sizeof h ||
	    pwrite(fd, header.p, header.len, sizeof h) != (ssize_t)header.len ||
	    pwrite(fd, none, sizeof none, BODY_AT) != sizeof none)
		return -1;
	return fsync(fd);
}

int
spool_create(struct spool *s, const struct id *attempt, struct slice header, struct err *e)
{
	char name[64];
	AUTO_CLOSE int fd = -1;

	if (header.len > BODY_AT - 8)
		return err_set(e, V_LIMIT, "header of a spool file is too long");
	name_of(attempt, name);
	fd = openat(s->dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(e, "spool");
	if (fill(fd, header) != 0 || fsync(s->dir) != 0) {
		err_errno(e, "spool");
		unlinkat(s->dir, name, 0);
		return e->code;
	}
	return 0;
}

int
spool_write(struct spool *s, const struct id *attempt, struct slice blob, struct err *e)
{
	char name[64];
	unsigned char n[4];
	AUTO_CLOSE int fd = -1;

	name_of(attempt, name);
	put32(n, blob.len);
	fd = openat(s->dir, name, O_RDWR | O_CLOEXEC);
	/* The length last, after the bytes are safe: half an answer never looks whole. */
	if (fd < 0 || pwrite(fd, blob.p, blob.len, BODY_AT + 4) != (ssize_t)blob.len ||
	    fdatasync(fd) != 0 || pwrite(fd, n, sizeof n, BODY_AT) != sizeof n ||
	    fdatasync(fd) != 0)
		return err_errno(e, "spool");
	return 0;
}

static int
read_at(int fd, size_t n, off_t at, struct buf *ret)
{
	void *room;

	if (n == 0)
		return 0;
	room = buf_room(ret, n);
	if (room == NULL || pread(fd, room, n, at) != (ssize_t)n)
		return -1;
	ret->len += n;
	return 0;
}

int
spool_read(struct spool *s, const struct id *attempt, struct buf *ret_header,
    struct buf *ret_blob, unsigned *ret_format, struct err *e)
{
	char name[64];
	unsigned char h[8], n[4];
	AUTO_CLOSE int fd = -1;

	name_of(attempt, name);
	if ((fd = openat(s->dir, name, O_RDONLY | O_CLOEXEC)) < 0)
		return errno == ENOENT ? err_set(e, V_NOT_FOUND, "no spool file") :
		    err_errno(e, "spool");
	if (pread(fd, h, sizeof h, 0) != sizeof h || memcmp(h, "VSP", 3) != 0 ||
	    (h[3] != '2' && h[3] != '3') ||
	    get32(h + 4) > BODY_AT - 8 || pread(fd, n, sizeof n, BODY_AT) != sizeof n ||
	    get32(n) > ROOM)
		return err_set(e, V_CORRUPT, "a spool file is damaged");
	*ret_format = h[3] - '0';
	if (read_at(fd, get32(h + 4), sizeof h, ret_header) != 0 ||
	    read_at(fd, get32(n), BODY_AT + 4, ret_blob) != 0)
		return err_set(e, V_CORRUPT, "a spool file is cut off");
	return 0;
}

void
spool_drop(struct spool *s, const struct id *attempt)
{
	char name[64];

	name_of(attempt, name);
	unlinkat(s->dir, name, 0);
}

size_t
spool_list(struct spool *s, struct id *ret, size_t cap)
{
	int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;
	char id[ID_TEXT];
	size_t n = 0;

	if (d == NULL)
		return 0;
	while (n < cap && (de = readdir(d)) != NULL)
		if (strlen(de->d_name) == ID_TEXT - 1 + sizeof SUFFIX - 1) {
			snprintf(id, sizeof id, "%.32s", de->d_name);
			n += id_parse(id, &ret[n]);
		}
	closedir(d);
	return n;
}

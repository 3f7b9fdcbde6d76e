/*
 * statefile.c - see statefile.h.
 */
#include "pkcs11/statefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "common/auto.h"

static int
open_dir(const char *dir, struct err *e)
{
	int fd = open(dir, O_DIRECTORY | O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		err_errno(e, "state directory %s", dir);
	return fd;
}

int
statefile_read(const char *dir, const char *name, struct buf *ret, struct err *e)
{
	AUTO_CLOSE int d = open_dir(dir, e);
	AUTO_CLOSE int fd = -1;
	unsigned char *p;
	ssize_t n;

	if (d < 0)
		return e->code;
	if ((fd = openat(d, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0)
		return errno == ENOENT ?
		    err_set(e, V_NOT_FOUND, "%s/%s does not exist", dir, name) :
		    err_errno(e, "%s/%s", dir, name);
	if ((p = buf_room(ret, STATEFILE_MAX + 1)) == NULL)
		return err_set(e, V_LIMIT, "out of memory");
	if ((n = read(fd, p, STATEFILE_MAX + 1)) < 0)
		return err_errno(e, "%s/%s", dir, name);
	if (n > STATEFILE_MAX)
		return err_set(e, V_LIMIT, "%s/%s is longer than %d bytes", dir, name,
		    STATEFILE_MAX);
	p[n] = '\0';
	ret->len += (size_t)n;
	return 0;
}

static int
write_all(int fd, struct slice text, struct err *e)
{
	const char *p = text.p;

	for (size_t left = text.len; left > 0;) {
		ssize_t n = write(fd, p, left);

		if (n < 0)
			return err_errno(e, "write");
		p += n;
		left -= (size_t)n;
	}
	return fsync(fd) == 0 ? 0 : err_errno(e, "fsync");
}

/* link() instead of rename() where nothing may be replaced: the kernel decides a race. */
static int
put_in_place(int d, const char *tmp, const char *name, bool fresh, struct err *e)
{
	if (!fresh)
		return renameat(d, tmp, d, name) == 0 ? 0 : err_errno(e, "rename");
	if (linkat(d, tmp, d, name, 0) == 0)
		return unlinkat(d, tmp, 0) == 0 ? 0 : err_errno(e, "unlink");
	return errno == EEXIST ? err_set(e, V_CONFLICT, "already exists") :
				 err_errno(e, "link");
}

int
statefile_write(const char *dir, const char *name, struct slice text, bool fresh,
    struct err *e)
{
	AUTO_CLOSE int d = open_dir(dir, e);
	AUTO_CLOSE int fd = -1;
	char tmp[128];

	if (d < 0)
		return e->code;
	snprintf(tmp, sizeof tmp, ".%s.%d.tmp", name, (int)getpid());
	fd = openat(d, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_errno(e, "%s/%s", dir, tmp);
	if (write_all(fd, text, e) == 0 && put_in_place(d, tmp, name, fresh, e) == 0)
		return fsync(d) == 0 ? 0 : err_errno(e, "fsync of %s", dir);
	unlinkat(d, tmp, 0);
	return err_wrap(e, "%s/%s", dir, name);
}

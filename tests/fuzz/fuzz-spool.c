/*
 * fuzz-spool.c - spool files, with vault-hsm and sealing left out: a blob is its own plaintext.
 * The file as it is; or (first byte odd) the two parts of one that is whole. What is read is
 * kept again byte for byte.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/auto.h"
#include "common/json.h"
#include "egress/egress.h"
#include "egress/flight.h"
#include "egress/spool.h"

#define BODY_AT 4096

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static char dir[] = "/dev/shm/fuzz-spool.XXXXXX", path[200];	/* nothing waits for a disk */
static struct id attempt = { { 1, 2, 3 } };
static struct egress x;
static unsigned char print[32];		/* of the header: nobody can guess it */

/* ---- keys.c for this program */

int
keys_open(struct egress *e_, enum purpose p, const struct sealed *s, struct secret *ret,
    struct err *e)
{
	(void)e_;
	(void)p;
	if (secret_set(ret, print, sizeof print, e) != 0)
		return e->code;
	return secret_append(ret, s->blob.p, s->blob.len, e);
}

int
keys_unwrap(struct egress *e_, enum purpose p, const struct id *record, struct slice wrap,
    struct secret *ret_dek, struct err *e)
{
	(void)e_;
	(void)p;
	(void)record;
	(void)wrap;
	return secret_set(ret_dek, print, sizeof print, e);
}

int
keys_seal(struct egress *e_, enum purpose p, const struct id *record, uint64_t version,
    const struct secret *dek, struct slice plain, struct buf *out, struct err *e)
{
	(void)e_;
	(void)p;
	(void)record;
	(void)version;
	(void)dek;
	must(plain.len >= sizeof print && memcmp(plain.p, print, sizeof print) == 0);
	return buf_add(out, (const char *)plain.p + 32, plain.len - 32) ? 0 :
	    err_set(e, V_LIMIT, "out of memory");
}

/* ---- */

static void
clean(void)
{
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
	rmdir(dir);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char text[ID_TEXT];
	struct err e;

	(void)argc;
	(void)argv;
	must(secret_arena_init(8 << 20, true, &e) == 0);
	must(mkdtemp(dir) != NULL && spool_open(dir, &x.spool, &e) == 0);
	id_text(&attempt, text);
	snprintf(path, sizeof path, "%s/spool/%s.answer", dir, text);
	atexit(clean);
	return 0;
}

static void
make_file(const uint8_t *p, size_t n, bool whole)
{
	AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	size_t header = whole && n > 1 ? p[0] : 0, at = whole && n > 1;
	unsigned char h[8] = { 'V', 'S', 'P', '3' }, len[4] = { 0 };

	must(fd >= 0);
	if (!whole) {
		must(pwrite(fd, p, n, 0) == (ssize_t)n);
		return;
	}
	if (header > n - at)
		header = n - at;
	h[7] = (unsigned char)header;
	len[2] = (unsigned char)((n - at - header) >> 8);
	len[3] = (unsigned char)(n - at - header);
	must(pwrite(fd, h, sizeof h, 0) == sizeof h);
	must(pwrite(fd, p + at, header, 8) == (ssize_t)header);
	must(pwrite(fd, len, sizeof len, BODY_AT) == sizeof len);
	must(pwrite(fd, p + at + header, n - at - header, BODY_AT + 4) ==
	    (ssize_t)(n - at - header));
}

static void
keep_again(struct flight *f, const struct http_answer *a, const struct buf *was)
{
	AUTO(buf) header = { 0 }, blob = { 0 };
	unsigned format;
	struct err e;

	must(flight_reserve(f, &e) == 0);
	must(flight_keep(&x, f, a));
	must(spool_read(x.spool, &attempt, &header, &blob, &format, &e) == 0);
	must(blob.len == was->len && memcmp(blob.p, was->p, was->len) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	AUTO(buf) header = { 0 }, blob = { 0 };
	struct http_answer a = { 0 };
	struct job j = { 0 };
	struct flight *f;
	unsigned format;
	struct err e;

	if (n == 0 || n > 60000)
		return 0;
	make_file(p + 1, n - 1, p[0] % 2 == 1);
	if (spool_read(x.spool, &attempt, &header, &blob, &format, &e) != 0) {
		must(e.code == V_CORRUPT);
		return 0;
	}
	f = flight_new(&j);
	f->attempt = attempt;
	sha256(buf_slice(&header), print);
	if (flight_open(&x, f, buf_slice(&header), buf_slice(&blob), format, &a, &e) == 0 &&
	    format == 3)
		keep_again(f, &a, &blob);
	http_answer_done(&a);
	j.done_state(j.state);
	must(secret_in_use() == 0);
	return 0;
}

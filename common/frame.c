/*
 * frame.c - see frame.h.
 */
#include "common/frame.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "common/errors.h"
#include "common/role.h"

static void
put32(unsigned char *p, uint32_t v)
{
	p[0] = (unsigned char)(v >> 24);
	p[1] = (unsigned char)(v >> 16);
	p[2] = (unsigned char)(v >> 8);
	p[3] = (unsigned char)v;
}

static uint32_t
get32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

void
frame_head(const struct frame *f, unsigned char h[FRAME_HEADER])
{
	put32(h, (uint32_t)(FRAME_HEADER - 4 + f->body.len));
	put32(h + 4, f->id);
	put32(h + 8, (uint32_t)f->op << 16);
	put32(h + 12, f->deadline_ms);
}

bool
frame_pack(struct buf *out, const struct frame *f)
{
	unsigned char h[FRAME_HEADER];

	if (f->body.len > FRAME_MAX - FRAME_HEADER)
		return false;
	frame_head(f, h);
	return buf_add(out, h, sizeof h) && buf_add(out, f->body.p, f->body.len);
}

ssize_t
frame_parse(struct slice in, struct frame *ret)
{
	const unsigned char *p = in.p;
	size_t len;

	if (in.len < FRAME_HEADER)
		return 0;
	len = (size_t)get32(p) + 4;
	if (len < FRAME_HEADER || len > FRAME_MAX || (get32(p + 8) & 0xffff) != 0)
		return -1;
	if (in.len < len)
		return 0;
	*ret = (struct frame){
		.id = get32(p + 4),
		.op = (uint16_t)(get32(p + 8) >> 16),
		.deadline_ms = get32(p + 12),
		.body = { p + FRAME_HEADER, len - FRAME_HEADER },
	};
	return (ssize_t)len;
}

static int
wait_for(int fd, short events, long long until, struct err *e)
{
	struct pollfd p = { .fd = fd, .events = events };

	for (;;) {
		long long left = until - boot_ms();
		int n;

		if (left <= 0)
			return err_set(e, V_TIMEOUT, "no answer in time");
		n = poll(&p, 1, left > 1 << 30 ? 1 << 30 : (int)left);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return err_errno(e, "poll");
	}
}

/* Moves N bytes with SEND or RECV; the peer's end is V_UNAVAILABLE. */
static int
move(int fd, unsigned char *p, size_t n, bool out, long long until, struct err *e)
{
	while (n > 0) {
		ssize_t k = out ? send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT) :
				  recv(fd, p, n, MSG_DONTWAIT);

		if (k > 0) {
			p += k;
			n -= (size_t)k;
			continue;
		}
		if (k == 0)
			return err_set(e, V_UNAVAILABLE, "the other side closed the line");
		if (errno == EINTR)
			continue;
		if (errno == ECONNRESET || errno == EPIPE)
			return err_set(e, V_UNAVAILABLE, "the other side is gone");
		if (errno != EAGAIN)
			return err_errno(e, out ? "send" : "recv");
		if (wait_for(fd, out ? POLLOUT : POLLIN, until, e) != 0)
			return e->code;
	}
	return 0;
}

int
frame_send(int fd, const struct frame *f, int ms, struct err *e)
{
	long long until = boot_ms() + ms;
	unsigned char h[FRAME_HEADER];

	if (f->body.len > FRAME_MAX - FRAME_HEADER)
		return err_set(e, V_LIMIT, "message of %zu bytes is too long", f->body.len);
	frame_head(f, h);
	if (move(fd, h, sizeof h, true, until, e) != 0)
		return e->code;
	return move(fd, (unsigned char *)f->body.p, f->body.len, true, until, e);
}

int
frame_recv(int fd, struct secret *buf, struct frame *ret, int ms, struct err *e)
{
	long long until = boot_ms() + ms;
	size_t len;

	secret_wipe(buf);
	if (secret_reserve(buf, FRAME_HEADER, e) != 0 ||
	    move(fd, buf->p, FRAME_HEADER, false, until, e) != 0)
		return e->code;
	buf->len = FRAME_HEADER;
	len = (size_t)get32(buf->p) + 4;
	if (len < FRAME_HEADER || len > FRAME_MAX)
		return err_set(e, V_CORRUPT, "the other side does not speak frames");
	if (secret_reserve(buf, len, e) != 0 ||
	    move(fd, buf->p + FRAME_HEADER, len - FRAME_HEADER, false, until, e) != 0)
		return e->code;
	buf->len = len;
	if (frame_parse((struct slice){ buf->p, buf->len }, ret) != (ssize_t)len)
		return err_set(e, V_CORRUPT, "the other side does not speak frames");
	return 0;
}

/*
 * echo.c - the floor of the benchmarks: a libevent server that answers every
 * NUL-terminated request with a fixed answer.
 *
 *	echo SOCKET BYTES	answers of BYTES bytes, NUL included
 *
 * One thread, raw events, one read and one write for what has arrived: what libevent and
 * the kernel cost when nothing else is done.
 */
#include <err.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BATCH 64		/* answers in one write */

struct server {
	struct event_base *base;
	char	*answers;	/* BATCH times the same */
	size_t	 each;
};

struct peer {
	struct server *server;
	struct event *event;
};

static int
put_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t w = send(fd, p, n, MSG_NOSIGNAL);

		if (w > 0) {
			p += w;
			n -= (size_t)w;
		} else if (errno == EAGAIN) {
			struct pollfd full = { .fd = fd, .events = POLLOUT };

			poll(&full, 1, -1);
		} else if (errno != EINTR) {
			return -1;
		}
	}
	return 0;
}

static int
answer(const struct server *s, int fd, const char *in, size_t len)
{
	size_t requests = 0;

	for (const char *p = in; (p = memchr(p, '\0', len - (size_t)(p - in))) != NULL; p++)
		requests++;
	while (requests > 0) {
		size_t n = requests < BATCH ? requests : BATCH;

		if (put_all(fd, s->answers, n * s->each) != 0)
			return -1;
		requests -= n;
	}
	return 0;
}

static void
readable(evutil_socket_t fd, short what, void *arg)
{
	static char in[65536];
	struct peer *p = arg;
	ssize_t n = recv(fd, in, sizeof in, 0);

	(void)what;
	if (n > 0 && answer(p->server, fd, in, (size_t)n) == 0)
		return;
	if (n < 0 && errno == EAGAIN)
		return;
	event_free(p->event);
	close(fd);
	free(p);
}

static void
accepted(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *from, int len,
    void *arg)
{
	struct peer *p = calloc(1, sizeof *p);

	(void)l;
	(void)from;
	(void)len;
	if (p == NULL)
		err(1, "memory");
	p->server = arg;
	p->event = event_new(p->server->base, fd, EV_READ | EV_PERSIST, readable, p);
	event_add(p->event, NULL);
}

int
main(int argc, char **argv)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct rlimit files;
	struct server s = { 0 };

	if (argc != 3 || (s.each = strtoul(argv[2], NULL, 10)) < 1 || s.each > 60000 ||
	    strlen(argv[1]) >= sizeof sa.sun_path)
		errx(2, "usage: echo SOCKET BYTES");
	strcpy(sa.sun_path, argv[1]);
	s.answers = malloc(BATCH * s.each);
	memset(s.answers, 'y', BATCH * s.each);
	for (size_t i = 1; i <= BATCH; i++)
		s.answers[i * s.each - 1] = '\0';
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	signal(SIGPIPE, SIG_IGN);
	s.base = event_base_new();
	unlink(sa.sun_path);
	if (evconnlistener_new_bind(s.base, accepted, &s, LEV_OPT_CLOSE_ON_FREE, 4096,
		(struct sockaddr *)&sa, sizeof sa) == NULL)
		err(1, "%s", argv[1]);
	event_base_dispatch(s.base);
	return 0;
}

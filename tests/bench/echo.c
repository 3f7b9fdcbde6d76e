/*
 * echo.c - the least a libevent server can do: for each NUL-ended message an answer of
 * fixed size. `echo SOCKET BYTES`
 */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char reply[65536];
static size_t reply_len;

struct conn { struct event *ev; };

static void
readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	char in[16384];
	ssize_t n = recv(fd, in, sizeof in, 0);

	(void)what;
	if (n <= 0) {
		event_free(c->ev);
		close(fd);
		free(c);
		return;
	}
	for (ssize_t i = 0; i < n; i++)
		if (in[i] == '\0' && send(fd, reply, reply_len, MSG_NOSIGNAL) < 0)
			return;
}

static void
accept_one(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = calloc(1, sizeof *c);
	int s = accept(fd, NULL, NULL);

	(void)what;
	evutil_make_socket_nonblocking(s);
	c->ev = event_new(arg, s, EV_READ | EV_PERSIST, readable, c);
	event_add(c->ev, NULL);
}

int
main(int argc, char **argv)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct event_base *base = event_base_new();
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (argc != 3)
		return 2;
	reply_len = (size_t)atoi(argv[2]);
	memset(reply, 'x', reply_len - 1);
	snprintf(sa.sun_path, sizeof sa.sun_path, "%s", argv[1]);
	unlink(argv[1]);
	if (bind(fd, (struct sockaddr *)&sa, sizeof sa) != 0 || listen(fd, 1024) != 0)
		return 1;
	evutil_make_socket_nonblocking(fd);
	event_add(event_new(base, fd, EV_READ | EV_PERSIST, accept_one, base), NULL);
	return event_base_dispatch(base);
}

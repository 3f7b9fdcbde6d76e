/*
 * load.c - a closed-loop client on a Unix socket: the same code drives vaultd, the echo
 * server and redis, so that a ratio compares servers and not clients.
 *
 *	load -s SOCKET -m vault|echo|redis [-c CONNECTIONS] [-t SECONDS] [-k KEYS] [-1]
 *	load -s SOCKET -m fill -k KEYS -v BYTES		makes connections b0 .. bN at vaultd
 *	load -s SOCKET -m fill -n FROM -k TO -j CALL	sends CALL for each, its number for each @
 *
 * Prints requests per second, p50 and p99 in microseconds. -1: a connection per request.
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PIPELINE 32		/* of fill */

enum mode { VAULT, ECHO, REDIS, FILL };

struct client {
	int		fd;
	char		in[65536];
	size_t		len;
	uint64_t	sent_at;
	int		due;
};

static struct {
	struct sockaddr_un	sa;
	enum mode		mode;
	int			clients, keys, value, next, epoll;
	double			seconds;
	bool			once;
	const char		*call;
	uint64_t		seed, count, errors, from;
	uint32_t		histogram[4096];
} g = { .clients = 1, .keys = 1, .value = 1400, .seconds = 2, .seed = 88172645463325252u };

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t
chance(void)
{
	g.seed ^= g.seed << 13;
	g.seed ^= g.seed >> 7;
	return g.seed ^= g.seed << 17;
}

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

/* Buckets of one part in 64: fine enough for a percentile. */
static unsigned
bucket(uint64_t ns)
{
	unsigned top = 63 - (unsigned)__builtin_clzll(ns | 64);

	return (top - 6) * 64 + (unsigned)(ns >> (top - 6) & 63);
}

static double
percentile(double q)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < 4096; i++)
		if ((sum += g.histogram[i]) >= q * (double)g.count)
			return (double)((uint64_t)(64 + i % 64) << (i / 64)) / 1000;
	return 0;
}

static void
connect_client(struct client *c)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };

	c->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&g.sa, sizeof g.sa) != 0)
		die("connect");
	epoll_ctl(g.epoll, EPOLL_CTL_ADD, c->fd, &e);
	c->len = 0;
}

/* The call of -j with N in the places of @. */
static size_t
numbered(char *out, size_t cap, int n)
{
	size_t at = 0;

	for (const char *s = g.call; *s != '\0' && at + 16 < cap; s++)
		if (*s == '@')
			at += (size_t)snprintf(out + at, cap - at, "%07d", n);
		else
			out[at++] = *s;
	out[at++] = '\0';
	return at;
}

static size_t
request(char *out, size_t cap)
{
	unsigned key = (unsigned)(chance() % (uint64_t)g.keys);

	switch (g.mode) {
	case REDIS:
		return (size_t)snprintf(out, cap, "*2\r\n$3\r\nGET\r\n$8\r\nb%07u\r\n", key);
	case FILL:
		if (g.call != NULL)
			return numbered(out, cap, g.next++);
		return 1 + (size_t)snprintf(out, cap, "{\"method\":\"vaultd.Connections.Create\","
		    "\"parameters\":{\"connector\":\"bench\",\"auth_type\":\"pat\",\"name\":\"b%07d\",\"secrets\":{\"token\":\"%0*d\"}}}",
		    g.next++, g.value, 7);
	default:
		return 1 + (size_t)snprintf(out, cap, "{\"method\":\"vaultd.Tokens.Get\","
		    "\"parameters\":{\"connection\":\"b%07u\"}}", key);
	}
}

static void
send_one(struct client *c)
{
	char text[65536];
	size_t n = request(text, sizeof text), at = 0;

	while (at < n) {
		ssize_t k = send(c->fd, text + at, n - at, MSG_NOSIGNAL);

		if (k <= 0)
			die("send");
		at += (size_t)k;
	}
	c->sent_at = now_ns();
	c->due++;
}

/* Length of the first whole answer, or 0. */
static size_t
whole(const struct client *c)
{
	const char *end;

	if (g.mode != REDIS) {
		end = memchr(c->in, '\0', c->len);
		return end == NULL ? 0 : (size_t)(end - c->in) + 1;
	}
	end = memmem(c->in, c->len, "\r\n", 2);
	if (end == NULL)
		return 0;
	size_t want = (size_t)(end - c->in) + 2 + strtoul(c->in + 1, NULL, 10) + 2;

	return c->len >= want ? want : 0;
}

static void
answered(struct client *c, size_t n)
{
	uint64_t now = now_ns();

	if (memmem(c->in, n, "\"error\":", 8) != NULL || c->in[0] == '-') {
		if (g.errors++ == 0)
			fprintf(stderr, "load: %.*s\n", (int)(n < 300 ? n : 300), c->in);
	}
	g.histogram[bucket(now - c->sent_at)]++;
	g.count++;
	memmove(c->in, c->in + n, c->len - n);
	c->len -= n;
	c->due--;
}

static void
next(struct client *c)
{
	if (g.once) {
		close(c->fd);
		connect_client(c);
	}
	if (g.mode != FILL || g.next < g.keys)
		send_one(c);
}

static bool
finished(uint64_t end)
{
	return g.mode == FILL ? g.count + g.from >= (uint64_t)g.keys : now_ns() >= end;
}

static void
run(struct client *all)
{
	uint64_t start = now_ns(), end = start + (uint64_t)(g.seconds * 1e9);
	struct epoll_event e[256];

	for (int i = 0; i < g.clients; i++)
		for (int k = 0; k < (g.mode == FILL ? PIPELINE : 1); k++)
			if (g.mode != FILL || g.next < g.keys)
				send_one(&all[i]);
	while (!finished(end)) {
		int n = epoll_wait(g.epoll, e, 256, 1000);

		for (int i = 0; i < n; i++) {
			struct client *c = e[i].data.ptr;
			ssize_t k = recv(c->fd, c->in + c->len, sizeof c->in - c->len, 0);
			size_t w;

			if (k <= 0)
				die("recv");
			c->len += (size_t)k;
			while ((w = whole(c)) > 0) {
				answered(c, w);
				next(c);
			}
		}
	}
	g.seconds = (double)(now_ns() - start) / 1e9;
}

int
main(int argc, char **argv)
{
	static const char *const modes[] = { "vault", "echo", "redis", "fill" };
	struct rlimit rl;
	struct client *all;
	int o;

	g.sa.sun_family = AF_UNIX;
	while ((o = getopt(argc, argv, "s:m:c:t:k:v:n:j:1")) != -1)
		switch (o) {
		case 's':
			snprintf(g.sa.sun_path, sizeof g.sa.sun_path, "%s", optarg);
			break;
		case 'm':
			for (int i = 0; i < 4; i++)
				if (strcmp(modes[i], optarg) == 0)
					g.mode = (enum mode)i;
			break;
		case 'c':
			g.clients = atoi(optarg);
			break;
		case 't':
			g.seconds = atof(optarg);
			break;
		case 'k':
			g.keys = atoi(optarg);
			break;
		case 'v':
			g.value = atoi(optarg);
			break;
		case 'n':
			g.next = atoi(optarg);
			break;
		case 'j':
			g.call = optarg;
			break;
		case '1':
			g.once = true;
			break;
		default:
			return 2;
		}
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		setrlimit(RLIMIT_NOFILE, &rl);
	}
	g.from = (uint64_t)g.next;
	g.epoll = epoll_create1(0);
	all = calloc((size_t)g.clients, sizeof *all);
	for (int i = 0; i < g.clients; i++)
		connect_client(&all[i]);
	run(all);
	printf("%.0f\t%.1f\t%.1f\n", (double)g.count / g.seconds, percentile(0.5),
	    percentile(0.99));
	return g.errors > 0;
}

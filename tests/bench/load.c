/*
 * load.c - the client of the benchmarks, the same for every server it measures.
 *
 *	load read  SOCKET [-f vault|redis|echo] -i IDS [-c CONNS] [-p PIPELINE] [-t SECONDS]
 *	load fresh SOCKET [-f ...] -i IDS [-c CONNS] [-t SECONDS]	a connection per request
 *	load fill  SOCKET -f vault -n COUNT -b BYTES [-o FIRST]	prints ids of what it made
 *	load fill  SOCKET -f redis -i IDS -b BYTES
 *	load touch SOCKET -i IDS			each once; prints bytes of one answer
 *	load ready SOCKET [-i IDS]	until a token (without -i: the status) is answered
 *
 * `read` is a closed loop: each connection sends PIPELINE requests for random ids, waits
 * for all answers, and sends again. It prints "REQUESTS/S P50_US P99_US SERVER_CPU_US";
 * server CPU is that of all threads of the process that listens, per request.
 */
#include <dirent.h>
#include <err.h>
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

#define ID_LEN	32
#define WARM_NS	300000000ull

enum format { VAULT, REDIS, ECHO };

struct options {
	const char	*socket, *ids;
	enum format	 format;
	int		 conns, pipeline, bytes;
	long		 count, first;
	double		 seconds;
};

struct client {
	int	 fd;
	int	 missing;		/* answers of the round */
	size_t	 inside;		/* bytes of the answer being read; redis: still to come */
	uint64_t sent_ns;
	char	*out;
	size_t	 out_len, each, id_at;	/* request length, offset of the id in it */
};

static char (*ids)[ID_LEN + 1];
static size_t nids;

/* ---- time and numbers */

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static uint64_t
next_random(void)
{
	static uint64_t seed = 88172645463325252ull;

	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

/* Latencies: a histogram with 32 buckets in each power of two. */
static uint64_t hist[2048];

static unsigned
bucket_of(uint64_t ns)
{
	unsigned octave;

	if (ns < 32)
		return (unsigned)ns;
	octave = 63 - (unsigned)__builtin_clzll(ns);
	return (octave - 4) * 32 + (unsigned)(ns >> (octave - 5) & 31);
}

static double
percentile_us(double share)
{
	uint64_t total = 0, at = 0;

	for (size_t i = 0; i < 2048; i++)
		total += hist[i];
	for (unsigned i = 0; i < 2048; i++)
		if ((double)(at += hist[i]) >= share * (double)total)
			return (i < 32 ? i : (double)((32ull + (i & 31)) << (i / 32 - 1))) / 1e3;
	return 0;
}

/* Nanoseconds that all threads of PID have run. */
static uint64_t
cpu_ns(pid_t pid)
{
	char path[300];
	unsigned long long one;
	uint64_t all = 0;
	struct dirent *d;
	DIR *dir;

	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	if ((dir = opendir(path)) == NULL)
		return 0;
	while ((d = readdir(dir)) != NULL) {
		FILE *f;

		snprintf(path, sizeof path, "/proc/%d/task/%.20s/schedstat", (int)pid, d->d_name);
		if (d->d_name[0] == '.' || (f = fopen(path, "r")) == NULL)
			continue;
		if (fscanf(f, "%llu", &one) == 1)
			all += one;
		fclose(f);
	}
	closedir(dir);
	return all;
}

/* ---- connections */

static int
try_dial(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof sa.sun_path, "%s", path);
	while (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof sa) != 0)
		if (errno != EAGAIN && errno != EINTR) {
			close(fd);
			return -1;
		}
	return fd;
}

static int
dial(const char *path)
{
	int fd = try_dial(path);

	if (fd < 0)
		err(1, "connect %s", path);
	return fd;
}

/* The kernel names who made the socket; where that is not who serves, SERVER_PID says. */
static pid_t
server_of(int fd)
{
	const char *pid = getenv("SERVER_PID");
	struct ucred u;
	socklen_t len = sizeof u;

	if (pid != NULL)
		return atoi(pid);
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &u, &len) == 0 ? u.pid : 0;
}

static void
put_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t w = send(fd, p, n, MSG_NOSIGNAL);

		if (w < 0 && errno != EINTR)
			err(1, "send");
		if (w > 0) {
			p += w;
			n -= (size_t)w;
		}
	}
}

static void
read_ids(const char *path)
{
	char line[128];
	size_t room = 0;
	FILE *f = fopen(path, "r");

	if (f == NULL)
		err(1, "%s", path);
	while (fgets(line, sizeof line, f) != NULL) {
		if (strcspn(line, "\n") != ID_LEN)
			errx(1, "%s: not an id: %s", path, line);
		if (nids == room) {
			room = room == 0 ? 1024 : room * 2;
			if ((ids = realloc(ids, room * sizeof *ids)) == NULL)
				err(1, "memory");
		}
		snprintf(ids[nids++], sizeof *ids, "%.*s", ID_LEN, line);
	}
	fclose(f);
	if (nids == 0)
		errx(1, "%s: no ids", path);
}

/* ---- requests and answers */

static size_t
request(enum format format, const char *id, char *out, size_t cap)
{
	if (format == REDIS)
		return (size_t)snprintf(out, cap, "*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n", ID_LEN, id);
	return 1 + (size_t)snprintf(out, cap, "{\"method\":\"vaultd.Tokens.Get\","
	    "\"parameters\":{\"connection\":\"%s\"}}", id);
}

static void
client_init(struct client *c, const struct options *o)
{
	char one[256];

	*c = (struct client){ .fd = dial(o->socket) };
	c->each = request(o->format, ids[0], one, sizeof one);
	c->id_at = (size_t)(strstr(one, ids[0]) - one);
	c->out_len = c->each * (size_t)o->pipeline;
	if ((c->out = malloc(c->out_len)) == NULL)
		err(1, "memory");
	for (int i = 0; i < o->pipeline; i++)
		memcpy(c->out + (size_t)i * c->each, one, c->each);
}

static void
client_send(struct client *c, const struct options *o)
{
	for (int i = 0; i < o->pipeline; i++)
		memcpy(c->out + (size_t)i * c->each + c->id_at, ids[next_random() % nids],
		    ID_LEN);
	c->missing = o->pipeline;
	c->sent_ns = now_ns();
	put_all(c->fd, c->out, c->out_len);
}

/* Answers end with a NUL; one that begins {"error" is not what is measured. */
static void
take_nul(struct client *c, const char *p, size_t n)
{
	while (n > 0) {
		const char *end = memchr(p, '\0', n);
		size_t len = end == NULL ? n : (size_t)(end - p) + 1;

		if (c->inside == 0 && n > 3 && p[0] == '{' && p[2] == 'e')
			errx(1, "the server answered: %.*s", (int)(len < 600 ? len : 600), p);
		c->inside = end == NULL ? c->inside + len : 0;
		c->missing -= end != NULL;
		p += len;
		n -= len;
	}
}

/* $LENGTH CR LF VALUE CR LF; INSIDE counts what is missing. */
static void
take_redis(struct client *c, const char *p, size_t n)
{
	while (n > 0) {
		size_t len;

		if (c->inside == 0) {
			char *end;
			long value;

			if (p[0] != '$' || (value = strtol(p + 1, &end, 10)) < 0 || *end != '\r')
				errx(1, "redis answered: %.*s", (int)(n < 100 ? n : 100), p);
			c->inside = (size_t)(end - p) + 2 + (size_t)value + 2;
		}
		len = n < c->inside ? n : c->inside;
		c->inside -= len;
		c->missing -= c->inside == 0;
		p += len;
		n -= len;
	}
}

static void
client_take(struct client *c, const struct options *o)
{
	static char buf[(256 << 10) + 1];
	ssize_t n = recv(c->fd, buf, sizeof buf - 1, 0);

	if (n <= 0)
		errx(1, "the server closed the connection");
	buf[n] = '\0';
	if (o->format == REDIS)
		take_redis(c, buf, (size_t)n);
	else
		take_nul(c, buf, (size_t)n);
	if (c->missing < 0)
		errx(1, "more answers than requests");
}

/* ---- read */

struct measure {
	uint64_t begin, end, cpu, done;
	pid_t	 pid;
};

static void
round_done(struct measure *m, const struct client *c, const struct options *o)
{
	uint64_t t = now_ns();

	if (m->begin == 0)
		return;
	hist[bucket_of(t - c->sent_ns)]++;
	m->done += (uint64_t)o->pipeline;
}

static void
report(const struct measure *m)
{
	double seconds = (double)(now_ns() - m->begin) / 1e9;

	printf("%.0f %.1f %.1f %.2f\n", (double)m->done / seconds, percentile_us(0.5),
	    percentile_us(0.99), (double)(cpu_ns(m->pid) - m->cpu) / 1e3 / (double)m->done);
}

static void
load_read(const struct options *o)
{
	struct client *clients = calloc((size_t)o->conns, sizeof *clients);
	struct epoll_event ev[512];
	struct measure m = { 0 };
	uint64_t warm = now_ns() + WARM_NS;
	int ep = epoll_create1(EPOLL_CLOEXEC);

	for (int i = 0; i < o->conns; i++) {
		client_init(&clients[i], o);
		ev[0] = (struct epoll_event){ .events = EPOLLIN, .data.ptr = &clients[i] };
		epoll_ctl(ep, EPOLL_CTL_ADD, clients[i].fd, &ev[0]);
	}
	m.pid = server_of(clients[0].fd);
	for (int i = 0; i < o->conns; i++)
		client_send(&clients[i], o);
	while (m.begin == 0 || now_ns() < m.end) {
		int n = 1;

		ev[0].data.ptr = &clients[0];
		if (o->conns > 1)	/* one connection: its read blocks */
			n = epoll_wait(ep, ev, 512, -1);
		for (int i = 0; i < n; i++) {
			struct client *c = ev[i].data.ptr;

			client_take(c, o);
			if (c->missing > 0)
				continue;
			round_done(&m, c, o);
			client_send(c, o);
		}
		if (m.begin == 0 && now_ns() >= warm) {
			m.cpu = cpu_ns(m.pid);
			m.begin = now_ns();
			m.end = m.begin + (uint64_t)(o->seconds * 1e9);
		}
	}
	report(&m);
}

/* A connection per request, in one process: what a command line tool costs the server. */
static void
load_fresh(const struct options *o)
{
	struct client *clients = calloc((size_t)o->conns, sizeof *clients);
	struct epoll_event ev[512];
	struct measure m = { .begin = now_ns() };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	for (int i = 0; i < o->conns; i++) {
		client_init(&clients[i], o);
		ev[0] = (struct epoll_event){ .events = EPOLLIN, .data.ptr = &clients[i] };
		epoll_ctl(ep, EPOLL_CTL_ADD, clients[i].fd, &ev[0]);
		client_send(&clients[i], o);
	}
	m.pid = server_of(clients[0].fd);
	m.cpu = cpu_ns(m.pid);
	m.end = m.begin + (uint64_t)(o->seconds * 1e9);
	while (now_ns() < m.end) {
		int n = epoll_wait(ep, ev, 512, -1);

		for (int i = 0; i < n; i++) {
			struct client *c = ev[i].data.ptr;
			uint64_t sent;

			client_take(c, o);
			if (c->missing > 0)
				continue;
			round_done(&m, c, o);
			close(c->fd);
			sent = now_ns();
			c->fd = dial(o->socket);
			c->inside = 0;
			ev[i].events = EPOLLIN;
			epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev[i]);
			client_send(c, o);
			c->sent_ns = sent;	/* connecting is part of it */
		}
	}
	report(&m);
}

/* ---- fill */

static void
fill_redis(const struct options *o)
{
	char *value = malloc((size_t)o->bytes + 1), head[128], got[4096];
	int fd = dial(o->socket);
	size_t acked = 0;

	memset(value, 'v', (size_t)o->bytes);
	for (size_t i = 0; i < nids; i++) {
		put_all(fd, head, (size_t)snprintf(head, sizeof head,
		    "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n", ID_LEN, ids[i], o->bytes));
		put_all(fd, value, (size_t)o->bytes);
		put_all(fd, "\r\n", 2);
		while (acked < (i + 1) * 5) {	/* +OK CR LF */
			ssize_t n = recv(fd, got, sizeof got, 0);

			if (n <= 0 || got[0] == '-')
				errx(1, "redis refused a value");
			acked += (size_t)n;
		}
	}
	free(value);
}

/* Static tokens of COUNT connections, 64 calls in flight; their ids go to stdout. */
static void
print_id(const char *answer)
{
	const char *id = strstr(answer, "\"id\":\"");

	if (id == NULL)
		errx(1, "the server answered: %.600s", answer);
	printf("%.*s\n", ID_LEN, id + 6);
}

static void
send_create(int fd, long n, int bytes)
{
	static char token[65536];
	char *call;
	int len;

	memset(token, 'a' + (int)(n % 26), (size_t)bytes);
	len = asprintf(&call, "{\"method\":\"vaultd.Connections.CreateStatic\",\"parameters\":"
	    "{\"connector\":\"bench\",\"name\":\"c%ld\",\"token\":\"%.*s\"}}", n, bytes, token);
	if (len < 0)
		err(1, "memory");
	put_all(fd, call, (size_t)len + 1);
	free(call);
}

static void
fill_vault(const struct options *o)
{
	enum { WINDOW = 32 };
	static char in[256 << 10];
	int fd = dial(o->socket);
	size_t have = 0;
	long sent = 0, got = 0;

	while (got < o->count) {
		char *end;
		ssize_t n;

		/* the first alone: it makes the workspace */
		while (sent < o->count && sent - got < (got == 0 ? 1 : WINDOW))
			send_create(fd, o->first + sent++, o->bytes);
		if ((n = recv(fd, in + have, sizeof in - have - 1, 0)) <= 0)
			errx(1, "the server closed the connection");
		have += (size_t)n;
		while ((end = memchr(in, '\0', have)) != NULL) {
			size_t len = (size_t)(end - in) + 1;

			print_id(in);
			got++;
			memmove(in, in + len, have -= len);
		}
	}
}

/* ---- touch, ready */

static size_t
ask(int fd, const char *call, size_t len, char *answer, size_t cap)
{
	size_t have = 0;

	if (send(fd, call, len, MSG_NOSIGNAL) != (ssize_t)len)
		return 0;
	while (have == 0 || answer[have - 1] != '\0') {
		ssize_t n = recv(fd, answer + have, cap - have, 0);

		if (n <= 0)
			return 0;
		have += (size_t)n;
	}
	return have;
}

static void
load_touch(const struct options *o)
{
	static char answer[128 << 10];
	char call[256];
	size_t len = 0;
	int fd = dial(o->socket);

	for (size_t i = 0; i < nids; i++) {
		len = ask(fd, call, request(VAULT, ids[i], call, sizeof call), answer,
		    sizeof answer);
		if (len == 0 || answer[2] == 'e')
			errx(1, "the server answered: %.600s", answer);
	}
	printf("%zu\n", len);
}

/* From before the socket is there until an answer comes that is no error. */
static void
load_ready(const struct options *o)
{
	static const char status[] = "{\"method\":\"vaultd.Vault.Status\"}";
	static char answer[128 << 10];
	char token[256];
	size_t len = nids == 0 ? 0 : request(VAULT, ids[0], token, sizeof token);
	uint64_t begin = now_ns();
	struct timespec pause = { 0, 500000 };

	while (now_ns() - begin < 30000000000ull) {
		int fd = try_dial(o->socket);
		size_t n = fd < 0 ? 0 : ask(fd, len == 0 ? status : token,
		    len == 0 ? sizeof status : len, answer, sizeof answer);

		if (fd >= 0)
			close(fd);
		if (n > 0 && answer[2] != 'e')
			return;
		nanosleep(&pause, NULL);
	}
	errx(1, "no good answer in 30 s: %.600s", answer);
}

/* ---- the command line */

static enum format
format_of(const char *name)
{
	return strcmp(name, "redis") == 0 ? REDIS : strcmp(name, "echo") == 0 ? ECHO : VAULT;
}

static void
options(int argc, char **argv, struct options *o)
{
	int k;

	*o = (struct options){ .conns = 1, .pipeline = 1, .seconds = 1, .count = 1,
		.bytes = 1200, .socket = argv[2] };
	optind = 3;
	while ((k = getopt(argc, argv, "f:i:c:p:t:n:b:o:")) != -1)
		switch (k) {
		case 'f': o->format = format_of(optarg); break;
		case 'i': o->ids = optarg; break;
		case 'c': o->conns = atoi(optarg); break;
		case 'p': o->pipeline = atoi(optarg); break;
		case 't': o->seconds = atof(optarg); break;
		case 'n': o->count = atol(optarg); break;
		case 'o': o->first = atol(optarg); break;
		case 'b': o->bytes = atoi(optarg); break;
		default: errx(2, "see the head of load.c");
		}
	if (o->conns < 1 || o->pipeline < 1 || o->bytes < 1 || o->bytes > 60000)
		errx(2, "-c, -p and -b are positive, -b at most 60000");
}

int
main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";
	struct options o;
	struct rlimit files;
	bool fill;

	if (argc < 3)
		errx(2, "usage: load read|fresh|fill|touch|ready SOCKET [OPTION...]");
	options(argc, argv, &o);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	fill = strcmp(verb, "fill") == 0;
	if (o.ids != NULL)
		read_ids(o.ids);
	else if ((!fill || o.format == REDIS) && strcmp(verb, "ready") != 0)
		errx(2, "-i names the file of ids");
	if (fill && o.format == REDIS)
		fill_redis(&o);
	else if (fill)
		fill_vault(&o);
	else if (strcmp(verb, "read") == 0)
		load_read(&o);
	else if (strcmp(verb, "fresh") == 0)
		load_fresh(&o);
	else if (strcmp(verb, "touch") == 0)
		load_touch(&o);
	else if (strcmp(verb, "ready") == 0)
		load_ready(&o);
	else
		errx(2, "no such verb: %s", verb);
	return 0;
}

/*
 * callback.c - see callback.h. The smallest HTTP that a browser's redirect needs. Browsers
 * open connections and say nothing on them, so several are read at a time; any page may
 * send its visitors to this port, so only our own state is taken.
 */
#include "client/callback.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "client/loopback.h"
#include "common/bytes.h"

/* ---- the redirect URI */

static bool
split_uri(struct callback *c, const char *uri)
{
	const char *p = uri + 7, *end;
	long port = 80;
	size_t n;

	if (strncmp(uri, "http://", 7) != 0)
		return false;
	end = p + (*p == '[' ? strcspn(p, "]") + 1 : strcspn(p, ":/?"));
	n = (size_t)(end - p);
	if (n >= sizeof c->host || n > strlen(p))
		return false;
	memcpy(c->host, p, n);
	c->host[n] = '\0';
	if (*end == ':')
		port = strtol(end + 1, (char **)&end, 10);
	if (port < 1 || port > 65535 || (*end != '\0' && *end != '/' && *end != '?'))
		return false;
	c->port = (int)port;
	n = strcspn(end, "?#");
	if (n >= sizeof c->path)
		return false;
	snprintf(c->path, sizeof c->path, "%.*s", n == 0 ? 1 : (int)n, n == 0 ? "/" : end);
	return strcmp(c->host, "127.0.0.1") == 0 || strcmp(c->host, "localhost") == 0 ||
	    strcmp(c->host, "[::1]") == 0;
}

static int
listen_on(const struct sockaddr *sa, socklen_t len)
{
	int on = 1, fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, sa, len) == 0 && listen(fd, CALLBACK_CLIENTS) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Nobody else may have half of `localhost`: the browser could go there. A machine without
 * IPv6 has no other half. */
static void
listen_all(struct callback *c)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT,
		.sin6_port = htons((uint16_t)c->port) };
	struct sockaddr_in four = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)c->port) };
	bool only_six = c->host[0] == '[', both = c->host[0] == 'l', good = true;

	if (!only_six)
		good = (c->listener[0] = listen_on((void *)&four, sizeof four)) >= 0;
	if (good && (only_six || both))
		good = (c->listener[1] = listen_on((void *)&six, sizeof six)) >= 0 ||
		    (both && errno != EADDRINUSE && errno != EACCES);
	if (good)
		return;
	c->taken = true;
	snprintf(c->why, sizeof c->why, "port %d cannot be listened on: %s", c->port,
	    strerror(errno));
	if (c->listener[0] >= 0)
		close(c->listener[0]);
	c->listener[0] = -1;
}

int
callback_free_port(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof sa;
	int fd = listen_on((void *)&sa, sizeof sa);

	if (fd < 0 || getsockname(fd, (void *)&sa, &n) != 0)
		sa.sin_port = 0;
	if (fd >= 0)
		close(fd);
	return ntohs(sa.sin_port);
}

void
callback_open(struct callback *c, const char *redirect_uri, const char *authorization_url,
    bool paste)
{
	const char *state = strstr(authorization_url, "state=");
	char query[600], text[33];
	unsigned char salt[16];
	struct redirected r;

	*c = (struct callback){ .listener = { -1, -1 }, .browser = -1,
		.in = { .fd = STDIN_FILENO } };
	for (int i = 0; i < CALLBACK_CLIENTS; i++)
		c->client[i].fd = -1;
	if (state != NULL && state > authorization_url &&
	    (state[-1] == '?' || state[-1] == '&')) {
		snprintf(query, sizeof query, "%.*s&error=-", (int)strcspn(state, "&#"), state);
		if (redirected_parse(query, &r))
			memcpy(c->state, r.state, sizeof c->state);
	}
	random_bytes(salt, sizeof salt);
	hex_encode(salt, sizeof salt, text);
	snprintf(c->start, sizeof c->start, "/to-%s", text);
	if (strlen(authorization_url) < sizeof c->url &&
	    strpbrk(authorization_url, "\r\n \t") == NULL)
		strcpy(c->url, authorization_url);
	if (!split_uri(c, redirect_uri))
		snprintf(c->why, sizeof c->why, "the redirect URI is not on this machine");
	else if (!paste)
		listen_all(c);
}

static void
input_close(struct callback_input *in)
{
	if (in->text != NULL)
		explicit_bzero(in->text, CALLBACK_REQUEST);
	free(in->text);
	if (in->fd > STDIN_FILENO)
		close(in->fd);
	*in = (struct callback_input){ .fd = -1 };
}

void
callback_close(struct callback *c)
{
	for (int i = 0; i < 2; i++) {
		if (c->listener[i] >= 0)
			close(c->listener[i]);
		c->listener[i] = -1;
	}
	for (int i = 0; i < CALLBACK_CLIENTS; i++)
		input_close(&c->client[i]);
	input_close(&c->in);
	if (c->browser >= 0)
		close(c->browser);
	c->browser = -1;
}

void
callback_start_url(const struct callback *c, char *ret, size_t cap)
{
	snprintf(ret, cap, "http://%s:%d%s", c->host, c->port, c->start);
}

bool
callback_listens(const struct callback *c)
{
	return c->listener[0] >= 0 || c->listener[1] >= 0;
}

/* ---- the query */

static int
hex(int c)
{
	return isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : -1;
}

static bool
decode(const char *p, size_t n, char *out, size_t cap)
{
	size_t m = 0;

	for (size_t i = 0; i < n; i++) {
		int high = p[i] == '%' && i + 2 < n ? hex((unsigned char)p[i + 1]) : -1;
		int low = high >= 0 ? hex((unsigned char)p[i + 2]) : -1;

		if (m + 1 == cap)
			return false;
		if (low >= 0) {
			out[m++] = (char)(high << 4 | low);
			i += 2;
		} else {
			out[m++] = p[i] == '+' ? ' ' : p[i];
		}
		if (out[m - 1] == '\0')
			return false;
	}
	out[m] = '\0';
	return true;
}

/* NAME=VALUE of N bytes, the name is K. One that is longer than any that is kept is not handed on. */
static void
take_other(struct redirected *ret, const char *p, size_t n, size_t k)
{
	size_t i = ret->nmore;

	if (i < REDIRECTED_MORE && k > 0 && decode(p, k, ret->more[i].name, sizeof ret->more[i].name) &&
	    decode(p + k + 1, n - k - 1, ret->more[i].value, sizeof ret->more[i].value))
		ret->nmore++;
}

bool
redirected_parse(const char *url, struct redirected *ret)
{
	struct { const char *name; char *to; size_t cap; bool cut; } f[] = {
		{ "state", ret->state, sizeof ret->state, false },
		{ "code", ret->code, sizeof ret->code, false },
		{ "iss", ret->iss, sizeof ret->iss, false },
		{ "error", ret->error, sizeof ret->error, false },
		{ "error_description", ret->description, sizeof ret->description, true } };
	const char *p = strchr(url, '?');

	memset(ret, 0, sizeof *ret);
	for (p = p == NULL ? url + strspn(url, " \t") : p + 1;
	     *p != '\0' && *p != '#' && !isspace((unsigned char)*p); p += *p == '&') {
		size_t n = strcspn(p, "&# \t\r\n"), k = strcspn(p, "=&# \t\r\n");
		bool known = false;

		for (size_t i = 0; i < sizeof f / sizeof *f && k < n; i++) {
			if (strlen(f[i].name) != k || memcmp(f[i].name, p, k) != 0)
				continue;
			known = true;
			if (!decode(p + k + 1, n - k - 1, f[i].to, f[i].cap)) {
				if (!f[i].cut)
					return false;
				f[i].to[0] = '\0';	/* the error's name must do */
			}
		}
		if (!known && k < n)
			take_other(ret, p, n, k);
		p += n;
	}
	return ret->state[0] != '\0' && (ret->code[0] != '\0' || ret->error[0] != '\0');
}

static bool
is_ours(const struct callback *c, const struct redirected *r)
{
	return c->state[0] == '\0' || strcmp(c->state, r->state) == 0;
}

/* ---- the browser */

static void
respond(int fd, const char *status, const char *title, const char *text)
{
	char page[4096], safe[2000];
	size_t n = 0;

	for (; *text != '\0' && n + 8 < sizeof safe; text++)
		n += (size_t)snprintf(safe + n, sizeof safe - n, *text == '<' ? "&lt;" :
		    *text == '&' ? "&amp;" : "%c", *text);
	safe[n] = '\0';
	n = (size_t)snprintf(page, sizeof page, "HTTP/1.1 %s\r\n"
	    "Content-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\n"
	    "Referrer-Policy: no-referrer\r\n"
	    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n"
	    "Connection: close\r\n\r\n<!doctype html><html lang=\"en\"><title>vaultd</title>"
	    "<body style=\"font:16px system-ui;margin:4em auto;max-width:34em\">"
	    "<h1>%s</h1><p>%s</p>", status, title, safe);
	(void)!send(fd, page, n < sizeof page ? n : sizeof page - 1, MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
}

static void
lead_on(const struct callback *c, int fd)
{
	char head[9000];
	int n = snprintf(head, sizeof head, "HTTP/1.1 302 Found\r\nLocation: %s\r\n"
	    "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n"
	    "Content-Length: 0\r\nConnection: close\r\n\r\n", c->url);

	(void)!send(fd, head, (size_t)n, MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
}

/* A whole request is in IN. TRUE: it is the answer we wait for. */
static bool
take_request(struct callback *c, struct callback_input *in, struct redirected *ret)
{
	char *target = in->text + 4, *end = strpbrk(in->text + 4, " \r\n");
	size_t n;

	if (strncmp(in->text, "GET ", 4) != 0 || end == NULL || *end != ' ') {
		respond(in->fd, "400 Bad Request", "Not here", "This is no web server.");
		return false;
	}
	*end = '\0';
	if (strcmp(target, c->start) == 0) {
		lead_on(c, in->fd);
		return false;
	}
	n = strcspn(target, "?");
	if (strlen(c->path) != n || memcmp(c->path, target, n) != 0 ||
	    !redirected_parse(target, ret)) {
		respond(in->fd, "404 Not Found", "Not here", "This address only takes the answer "
		    "of a sign-in that is under way.");
		return false;
	}
	if (!is_ours(c, ret)) {
		respond(in->fd, "400 Bad Request", "Another sign-in", "This is the answer of "
		    "another sign-in than the one that vaultctl waits for. Use the address that "
		    "it printed last.");
		return false;
	}
	c->browser = in->fd;
	in->fd = -1;
	return true;
}

static void
accept_one(struct callback *c, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct callback_input *in = c->client;

	if (fd < 0)
		return;
	if (!loopback_peer_is_ours(fd)) {
		respond(fd, "403 Forbidden", "Not you", "This sign-in was begun by another user of "
		    "this machine. If it is yours, paste the address of this page where you began.");
		close(fd);
		return;
	}
	while (in < c->client + CALLBACK_CLIENTS && in->fd >= 0)
		in++;
	if (in == c->client + CALLBACK_CLIENTS)		/* the oldest has had its time */
		input_close(in = c->client);
	*in = (struct callback_input){ .fd = fd, .text = calloc(1, CALLBACK_REQUEST) };
	if (in->text == NULL)
		input_close(in);
}

static bool
read_client(struct callback *c, struct callback_input *in, struct redirected *ret)
{
	ssize_t n = read(in->fd, in->text + in->n, CALLBACK_REQUEST - 1 - in->n);
	bool taken = false;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	in->n += n > 0 ? (size_t)n : 0;
	in->text[in->n] = '\0';
	if (n > 0 && strstr(in->text, "\r\n\r\n") == NULL && in->n < CALLBACK_REQUEST - 1)
		return false;
	if (n > 0 && in->n < CALLBACK_REQUEST - 1)
		taken = take_request(c, in, ret);
	input_close(in);
	return taken;
}

void
callback_answer(struct callback *c, bool ok, const char *text)
{
	if (c->browser < 0)
		return;
	respond(c->browser, "200 OK", ok ? "Connected" : "Not connected", text);
	close(c->browser);
	c->browser = -1;
}

/* ---- pasting */

static bool
take_line(struct callback *c, char *line, struct redirected *ret)
{
	if (line[strspn(line, " \t\r\n")] == '\0')
		return false;
	if (!redirected_parse(line, ret)) {
		fprintf(stderr, "\nThat is not the address the browser ended at: it has no state and "
		    "code in it. This terminal waits for that address; Ctrl-C ends it.\n");
		return false;
	}
	if (is_ours(c, ret))
		return true;
	fprintf(stderr, "\nThat is the end of another sign-in: start at the address above.\n");
	return false;
}

static bool
read_paste(struct callback *c, struct redirected *ret)
{
	struct callback_input *in = &c->in;
	ssize_t n = -1;
	char *end;

	if (in->text != NULL || (in->text = calloc(1, CALLBACK_REQUEST)) != NULL)
		n = read(in->fd, in->text + in->n, CALLBACK_REQUEST - 1 - in->n);
	if (n < 0 && errno == EINTR)
		return false;
	if (n > 0)
		in->text[in->n += (size_t)n] = '\0';
	while (in->text != NULL && (end = strchr(in->text, '\n')) != NULL) {
		*end = '\0';
		if (take_line(c, in->text, ret))
			return true;
		in->n -= (size_t)(end + 1 - in->text);
		memmove(in->text, end + 1, in->n + 1);
	}
	if (n > 0 && in->n < CALLBACK_REQUEST - 1)
		return false;
	if (n == 0 && in->n > 0 && take_line(c, in->text, ret))
		return true;
	input_close(in);
	return false;
}

/* ---- waiting */

static int
round_of(struct callback *c, int signals, struct redirected *ret)
{
	struct pollfd p[4 + CALLBACK_CLIENTS] = { { .fd = c->listener[0], .events = POLLIN },
		{ .fd = c->listener[1], .events = POLLIN }, { .fd = c->in.fd, .events = POLLIN },
		{ .fd = signals, .events = POLLIN } };

	for (int i = 0; i < CALLBACK_CLIENTS; i++)
		p[4 + i] = (struct pollfd){ .fd = c->client[i].fd, .events = POLLIN };
	if (poll(p, 4 + CALLBACK_CLIENTS, 1000) <= 0)
		return 0;
	if (p[3].revents != 0)
		return -1;
	for (int i = 0; i < CALLBACK_CLIENTS; i++)
		if (p[4 + i].revents != 0 && read_client(c, &c->client[i], ret))
			return 1;
	if (p[2].revents != 0 && read_paste(c, ret))
		return 1;
	for (int i = 0; i < 2; i++)
		if (p[i].revents != 0)
			accept_one(c, c->listener[i]);
	return 0;
}

static long long
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec;
}

enum callback_end
callback_wait(struct callback *c, int seconds, void (*tick)(void *arg, int left), void *arg,
    struct redirected *ret)
{
	long long until = now() + seconds, left = 0;
	sigset_t mask, was;
	int signals, rc = 0;

	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGHUP);
	sigprocmask(SIG_BLOCK, &mask, &was);
	signals = signalfd(-1, &mask, SFD_CLOEXEC);
	while (rc == 0 && (left = until - now()) > 0 &&
	    (callback_listens(c) || c->in.fd >= 0)) {
		tick(arg, (int)left);
		rc = round_of(c, signals, ret);
	}
	if (rc < 0) {		/* taken, so that it does not come again below */
		struct signalfd_siginfo si;

		(void)!read(signals, &si, sizeof si);
	}
	close(signals);
	sigprocmask(SIG_SETMASK, &was, NULL);
	return rc > 0 ? CALLBACK_ANSWER : rc < 0 ? CALLBACK_INTERRUPTED :
	    left > 0 ? CALLBACK_NOTHING : CALLBACK_TIMEOUT;
}

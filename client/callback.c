/*
 * callback.c - see callback.h. The smallest HTTP that a browser's redirect needs.
 */
#include "client/callback.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_MAX 16384

static _Thread_local int browser = -1;	/* waits for the page at the end */

/* ---- the redirect URI */

static bool
split_uri(struct callback *c, const char *uri)
{
	const char *p = uri + 7, *end;
	size_t n;

	c->port = 80;
	if (strncmp(uri, "http://", 7) != 0)
		return false;
	end = p + (*p == '[' ? strcspn(p, "]") + 1 : strcspn(p, ":/"));
	n = (size_t)(end - p);
	if (n >= sizeof c->host)
		return false;
	memcpy(c->host, p, n);
	c->host[n] = '\0';
	if (*end == ':')
		c->port = (int)strtol(end + 1, (char **)&end, 10);
	snprintf(c->path, sizeof c->path, "%s", *end == '\0' ? "/" : end);
	return strcmp(c->host, "127.0.0.1") == 0 || strcmp(c->host, "localhost") == 0 ||
	    strcmp(c->host, "[::1]") == 0;
}

static int
listen_on(const struct callback *c)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT,
		.sin6_port = htons((uint16_t)c->port) };
	struct sockaddr_in four = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)c->port) };
	bool v6 = c->host[0] == '[';
	int on = 1, fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, v6 ? (void *)&six : (void *)&four, v6 ? sizeof six : sizeof four) == 0 &&
	    listen(fd, 8) == 0)
		return fd;
	close(fd);
	return -1;
}

void
callback_open(struct callback *c, const char *redirect_uri, bool paste)
{
	*c = (struct callback){ .fd = -1, .stdin_open = true };
	if (!split_uri(c, redirect_uri)) {
		snprintf(c->why, sizeof c->why, "the redirect URI is not on this machine");
	} else if (!paste && (c->fd = listen_on(c)) < 0) {
		snprintf(c->why, sizeof c->why, "port %d cannot be listened on: %s", c->port,
		    strerror(errno));
	}
}

void
callback_close(struct callback *c)
{
	if (c->fd >= 0)
		close(c->fd);
	if (browser >= 0)
		close(browser);
	browser = c->fd = -1;
}

/* ---- the query */

static int
hex(int c)
{
	return isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : -1;
}

static void
decode(const char *p, size_t n, char *out, size_t cap)
{
	size_t m = 0;

	for (size_t i = 0; i < n && m + 1 < cap; i++) {
		if (p[i] == '%' && i + 2 < n && hex(p[i + 1]) >= 0 && hex(p[i + 2]) >= 0) {
			out[m++] = (char)(hex(p[i + 1]) << 4 | hex(p[i + 2]));
			i += 2;
		} else {
			out[m++] = p[i] == '+' ? ' ' : p[i];
		}
	}
	out[m] = '\0';
}

bool
redirected_parse(const char *url, struct redirected *ret)
{
	struct { const char *name; char *to; size_t cap; } f[] = {
		{ "state", ret->state, sizeof ret->state },
		{ "code", ret->code, sizeof ret->code }, { "iss", ret->iss, sizeof ret->iss },
		{ "error", ret->error, sizeof ret->error },
		{ "error_description", ret->description, sizeof ret->description } };
	const char *p = strchr(url, '?');

	memset(ret, 0, sizeof *ret);
	for (p = p == NULL ? url : p + 1; *p != '\0' && *p != '#' && !isspace((unsigned char)*p);
	     p += *p == '&') {
		size_t n = strcspn(p, "&# \t\r\n"), k = strcspn(p, "=&# \t\r\n");

		for (size_t i = 0; i < sizeof f / sizeof *f && k < n; i++)
			if (strlen(f[i].name) == k && memcmp(f[i].name, p, k) == 0)
				decode(p + k + 1, n - k - 1, f[i].to, f[i].cap);
		p += n;
	}
	return ret->state[0] != '\0' && (ret->code[0] != '\0' || ret->error[0] != '\0');
}

/* ---- the browser */

static void
respond(int fd, const char *status, const char *title, const char *text)
{
	char page[2048], safe[700];
	size_t n = 0;

	for (; *text != '\0' && n + 6 < sizeof safe; text++)
		n += (size_t)snprintf(safe + n, sizeof safe - n, *text == '<' ? "&lt;" :
		    *text == '&' ? "&amp;" : "%c", *text);
	safe[n] = '\0';
	n = (size_t)snprintf(page, sizeof page, "HTTP/1.1 %s\r\n"
	    "Content-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\n"
	    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n"
	    "Connection: close\r\n\r\n<!doctype html><title>vaultd</title>"
	    "<body style=\"font:16px system-ui;margin:4em auto;max-width:34em\">"
	    "<h1>%s</h1><p>%s</p>", status, title, safe);
	(void)!send(fd, page, n < sizeof page ? n : sizeof page - 1, MSG_NOSIGNAL);
}

/* The target of a GET into OUT. */
static bool
read_request(int fd, char *out, size_t cap)
{
	struct timeval tv = { 5, 0 };
	char text[REQUEST_MAX];
	size_t n = 0;
	char *end;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
	while (n + 1 < sizeof text) {
		ssize_t k = recv(fd, text + n, sizeof text - 1 - n, 0);

		if (k <= 0)
			return false;
		n += (size_t)k;
		text[n] = '\0';
		if (strstr(text, "\r\n\r\n") != NULL)
			break;
	}
	if (strncmp(text, "GET ", 4) != 0 || (end = strchr(text + 4, ' ')) == NULL ||
	    (size_t)(end - text - 4) >= cap)
		return false;
	snprintf(out, cap, "%.*s", (int)(end - text - 4), text + 4);
	explicit_bzero(text, sizeof text);
	return true;
}

static bool
take_browser(struct callback *c, struct redirected *ret)
{
	char target[REQUEST_MAX];
	int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC);
	size_t n;

	if (fd < 0)
		return false;
	if (!read_request(fd, target, sizeof target)) {
		close(fd);
		return false;
	}
	n = strcspn(target, "?");
	if (strlen(c->path) != n || memcmp(c->path, target, n) != 0 ||
	    !redirected_parse(target, ret)) {
		respond(fd, "404 Not Found", "Not here", "This address only takes the answer of a "
		    "sign-in that is under way.");
		close(fd);
		return false;
	}
	if (browser >= 0)
		close(browser);
	browser = fd;
	return true;
}

void
callback_answer(struct callback *c, bool ok, const char *text)
{
	(void)c;
	if (browser < 0)
		return;
	respond(browser, "200 OK", ok ? "Connected" : "Not connected", text);
	shutdown(browser, SHUT_WR);
	close(browser);
	browser = -1;
}

/* ---- waiting */

static bool
take_paste(struct callback *c, struct redirected *ret)
{
	char line[REQUEST_MAX];

	if (fgets(line, sizeof line, stdin) == NULL) {
		c->stdin_open = false;
		return false;
	}
	if (redirected_parse(line, ret))
		return true;
	if (strspn(line, " \t\r\n") != strlen(line))
		fprintf(stderr, "\nThat is not the address the browser ended at: it has no state and "
		    "code in it.\n");
	return false;
}

int
callback_wait(struct callback *c, int seconds, void (*tick)(void *arg, int left), void *arg,
    struct redirected *ret)
{
	time_t until = time(NULL) + seconds;

	for (;;) {
		struct pollfd p[2] = { { .fd = c->fd, .events = POLLIN },
			{ .fd = c->stdin_open ? STDIN_FILENO : -1, .events = POLLIN } };
		int left = (int)(until - time(NULL)), n;

		if (left <= 0 || (c->fd < 0 && !c->stdin_open))
			return 0;
		tick(arg, left);
		n = poll(p, 2, 1000);
		if (n < 0)
			return -1;
		if (p[0].revents != 0 && take_browser(c, ret))
			return 1;
		if (p[1].revents != 0 && take_paste(c, ret))
			return 1;
	}
}

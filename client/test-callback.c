/*
 * test-callback.c - the listener for redirects against a browser that is a thread here.
 */
#include "tests/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/callback.h"
#include "client/loopback.h"

#define URL "https://idp.example/authorize?client_id=x&state=s%2D1&scope=a"

static int
loopback(int port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (port != 0) {
		T_EQ(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
		return fd;
	}
	T_EQ(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	return fd;
}

static int
port_of(int fd)
{
	struct sockaddr_in sa;
	socklen_t len = sizeof sa;

	T_EQ(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	return ntohs(sa.sin_port);
}

static int
free_port(void)
{
	int fd = loopback(0), port = port_of(fd);

	close(fd);
	return port;
}

/* Listens at PATH on loopback; nothing is pasted. */
static void
open_at(struct callback *c, const char *host, const char *path)
{
	char uri[200];

	snprintf(uri, sizeof uri, "http://%s:%d%s", host, free_port(), path);
	callback_open(c, uri, URL, false);
	c->in.fd = -1;
}

/* ---- the browser */

struct browser {
	pthread_t	 thread;
	int		 port;
	const char	*target[6];	/* NULL ended; each is fetched in turn */
	char		 answer[6][4096];
};

static void *
browse(void *arg)
{
	struct browser *b = arg;
	int idle = loopback(b->port);	/* browsers open connections ahead of need */

	for (int i = 0; b->target[i] != NULL; i++) {
		int fd = loopback(b->port);
		char text[600];
		ssize_t n;
		size_t got = 0;
		int len = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n",
		    b->target[i]);

		for (int k = 0; k < len; k += 40)	/* in pieces */
			(void)!write(fd, text + k, (size_t)(len - k < 40 ? len - k : 40));
		while ((n = read(fd, b->answer[i] + got, sizeof b->answer[i] - 1 - got)) > 0)
			got += (size_t)n;
		close(fd);
	}
	close(idle);
	return NULL;
}

static void
no_tick(void *arg, int left)
{
	(void)arg;
	(void)left;
}

TEST(only_our_own_answer_at_the_exact_path_is_taken)
{
	struct callback c;
	struct redirected r;
	struct browser b = { .target = { "/favicon.ico", "/cb/?state=s-1&code=x", "/cb",
	    "/cb?state=other&code=x", "/cb?code=a%2Fb+c&state=s-1&iss=https%3A%2F%2Fidp", NULL } };

	open_at(&c, "127.0.0.1", "/cb");
	T_OK(callback_listens(&c));
	b.port = c.port;
	pthread_create(&b.thread, NULL, browse, &b);
	T_EQ(callback_wait(&c, 10, no_tick, NULL, &r), CALLBACK_ANSWER);
	callback_answer(&c, true, "a <b> & c");
	pthread_join(b.thread, NULL);
	callback_close(&c);
	T_STR(r.code, "a/b c");
	T_STR(r.state, "s-1");
	T_STR(r.iss, "https://idp");
	for (int i = 0; i < 3; i++)
		T_HAS(b.answer[i], "404 Not Found");
	T_HAS(b.answer[3], "Another sign-in");
	T_HAS(b.answer[4], "200 OK");
	T_HAS(b.answer[4], "<h1>Connected</h1><p>a &lt;b> &amp; c");
}

TEST(what_a_browser_is_given_leads_to_the_sign_in_and_does_not_say_it)
{
	struct callback c;
	struct redirected r;
	char start[200];
	struct browser b = { .target = { NULL, "/cb?code=x&state=s-1", NULL } };

	open_at(&c, "127.0.0.1", "/cb");
	callback_start_url(&c, start, sizeof start);
	T_OK(strstr(start, "state") == NULL && strstr(start, "s-1") == NULL);
	b.port = c.port;
	b.target[0] = strchr(start + 7, '/');
	pthread_create(&b.thread, NULL, browse, &b);
	T_EQ(callback_wait(&c, 10, no_tick, NULL, &r), CALLBACK_ANSWER);
	callback_answer(&c, true, "done");
	pthread_join(b.thread, NULL);
	callback_close(&c);
	T_HAS(b.answer[0], "302 Found");
	T_HAS(b.answer[0], "Location: " URL "\r\n");
	T_HAS(b.answer[1], "200 OK");
}

/* As root a user can be another one: his program brings an answer that looks right. */
TEST(what_another_user_brings_is_not_taken)
{
	struct callback c;
	struct redirected r;
	char text[4096] = "";
	int status, p[2];
	pid_t pid;

	if (getuid() != 0)
		return;
	open_at(&c, "127.0.0.1", "/cb");
	T_EQ(pipe(p), 0);
	if ((pid = fork()) == 0) {
		static const char get[] = "GET /cb?code=x&state=s-1 HTTP/1.1\r\n\r\n";
		char answer[4096];
		ssize_t n;
		int fd;

		if (setuid(65534) != 0)
			_exit(1);
		fd = loopback(c.port);
		(void)!write(fd, get, sizeof get - 1);
		while ((n = read(fd, answer, sizeof answer)) > 0)
			(void)!write(p[1], answer, (size_t)n);
		_exit(0);
	}
	close(p[1]);
	T_EQ(seteuid(0), 0);
	/* Root's own connections are taken, so who waits must be somebody else too. */
	T_EQ(setreuid(65533, 0), 0);
	T_EQ(callback_wait(&c, 2, no_tick, NULL, &r), CALLBACK_TIMEOUT);
	T_EQ(setreuid(0, 0), 0);
	(void)!read(p[0], text, sizeof text - 1);
	close(p[0]);
	T_EQ(waitpid(pid, &status, 0), pid);
	T_HAS(text, "403 Forbidden");
	callback_close(&c);
}

TEST(what_the_provider_refused_comes_through)
{
	struct callback c;
	struct redirected r;
	struct browser b = { .target = {
	    "/?error=access_denied&error_description=no%20thanks&state=s-1", NULL } };

	open_at(&c, "localhost", "");
	T_OK(callback_listens(&c));
	b.port = c.port;
	pthread_create(&b.thread, NULL, browse, &b);
	T_EQ(callback_wait(&c, 10, no_tick, NULL, &r), CALLBACK_ANSWER);
	callback_answer(&c, false, "declined");
	pthread_join(b.thread, NULL);
	callback_close(&c);
	T_STR(r.error, "access_denied");
	T_STR(r.description, "no thanks");
	T_STR(r.code, "");
	T_HAS(b.answer[0], "Not connected");
}

TEST(six_is_listened_on)
{
	struct callback c;
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };

	if (fd >= 0 && bind(fd, (struct sockaddr *)&sa, sizeof sa) == 0) {
		open_at(&c, "[::1]", "/cb");
		T_OK(callback_listens(&c));
		T_EQ(c.listener[0], -1);
		callback_close(&c);
	}
	close(fd);
}

/* ---- pasting */

TEST(a_pasted_address_is_taken)
{
	const char *said = "\nnonsense\nhttps://h/cb?state=other&code=1\n"
	    "  http://127.0.0.1:1/cb?state=s-1&code=xyz#_\n";
	struct callback c;
	struct redirected r;
	int p[2];

	T_EQ(pipe(p), 0);
	callback_open(&c, "https://app.example/cb", URL, false);
	T_NOT(callback_listens(&c));
	T_HAS(c.why, "not on this machine");
	c.in.fd = p[0];
	T_EQ(write(p[1], said, strlen(said)), (ssize_t)strlen(said));
	T_EQ(callback_wait(&c, 10, no_tick, NULL, &r), CALLBACK_ANSWER);
	T_STR(r.code, "xyz");
	callback_close(&c);
	close(p[1]);
}

TEST(nothing_can_come_any_more)
{
	struct callback c;
	struct redirected r;
	int p[2];

	T_EQ(pipe(p), 0);
	close(p[1]);
	callback_open(&c, "http://127.0.0.1:9/cb", URL, true);
	T_NOT(callback_listens(&c));
	c.in.fd = p[0];
	T_EQ(callback_wait(&c, 10, no_tick, NULL, &r), CALLBACK_NOTHING);
	callback_close(&c);
}

/* ---- ends */

TEST(a_taken_port_is_said)
{
	int fd = loopback(0);
	char uri[100];
	struct callback c;

	T_EQ(listen(fd, 1), 0);
	snprintf(uri, sizeof uri, "http://localhost:%d/cb", port_of(fd));
	callback_open(&c, uri, URL, false);
	T_NOT(callback_listens(&c));
	T_HAS(c.why, "Address already in use");
	callback_close(&c);
	close(fd);
}

TEST(time_runs_out)
{
	struct callback c;
	struct redirected r;

	open_at(&c, "127.0.0.1", "/cb");
	T_EQ(callback_wait(&c, 1, no_tick, NULL, &r), CALLBACK_TIMEOUT);
	callback_close(&c);
}

static void
interrupt(void *arg, int left)
{
	(void)arg;
	(void)left;
	kill(getpid(), SIGINT);
}

TEST(an_interrupt_ends_the_wait_and_not_the_program)
{
	struct callback c;
	struct redirected r;

	open_at(&c, "127.0.0.1", "/cb");
	T_EQ(callback_wait(&c, 10, interrupt, NULL, &r), CALLBACK_INTERRUPTED);
	callback_close(&c);
}

/* ---- queries and addresses */

TEST(queries_are_read_with_care)
{
	struct redirected r;
	char *long_one = malloc(9100);

	T_OK(redirected_parse("state=a&code=b", &r));
	T_NOT(redirected_parse("state=a", &r));
	T_NOT(redirected_parse("code=b", &r));
	T_NOT(redirected_parse("", &r));
	T_NOT(redirected_parse("?state=a&code=b%00c", &r));
	T_OK(redirected_parse("?state=a%&code=%zz", &r));
	T_STR(r.state, "a%");
	T_STR(r.code, "%zz");
	strcpy(long_one, "?state=a&code=");
	memset(long_one + 14, 'x', 9000);
	long_one[9014] = '\0';
	T_NOT(redirected_parse(long_one, &r));
	free(long_one);
}

TEST(row_48_all_that_a_redirect_says_is_kept)
{
	struct redirected r;
	char text[4000] = "?state=a&code=b";

	T_OK(redirected_parse("/cb?realmId=91%2030&state=a&accounts-server=https%3A%2F%2Fx&code=b&empty=&"
	    "flag&=x&nul=a%00b#frag=1", &r));
	T_EQ(r.nmore, 3);
	T_STR(r.more[0].name, "realmId");
	T_STR(r.more[0].value, "91 30");
	T_STR(r.more[1].name, "accounts-server");
	T_STR(r.more[1].value, "https://x");
	T_STR(r.more[2].name, "empty");
	T_STR(r.more[2].value, "");
	for (int i = 0; i < 40; i++)
		sprintf(text + strlen(text), "&k%d=v", i);
	T_OK(redirected_parse(text, &r));
	T_EQ(r.nmore, REDIRECTED_MORE);
	strcpy(text, "?long=");		/* and does not end the sign-in */
	memset(text + 6, 'x', 3000);
	strcpy(text + 3006, "&state=a&code=b&n=1");
	T_OK(redirected_parse(text, &r));
	T_EQ(r.nmore, 1);
	T_STR(r.more[0].name, "n");
}

TEST(addresses_elsewhere_are_not_listened_on)
{
	static const char *const bad[] = { "https://localhost:1/cb", "http://example.org:1/cb",
		"http://127.0.0.1.example.org:1/", "http://localhost:0/", "http://localhost:70000/",
		"http://localhost:1x/", "http://[::1", "http://", "", "http://localhost@evil:1/" };
	struct callback c;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		callback_open(&c, bad[i], "x", false);
		if (callback_listens(&c))
			fail_msg("listens for %s", bad[i]);
		callback_close(&c);
	}
}

/* The kernel lists what is closed under uid 0, whoever it was. */
TEST(who_has_hung_up_is_nobody)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof sa;
	int listener = socket(AF_INET, SOCK_STREAM, 0), peer = socket(AF_INET, SOCK_STREAM, 0), fd;

	T_EQ(bind(listener, (struct sockaddr *)&sa, sizeof sa), 0);
	T_EQ(listen(listener, 4), 0);
	T_EQ(getsockname(listener, (struct sockaddr *)&sa, &n), 0);
	T_EQ(connect(peer, (struct sockaddr *)&sa, n), 0);
	fd = accept(listener, NULL, NULL);
	T_OK(loopback_peer_is_ours(fd));
	close(peer);
	usleep(50000);
	T_NOT(loopback_peer_is_ours(fd));
	close(fd);
	close(listener);
}

int
main(void)
{
	return unit_run();
}

/*
 * test-libvaultd.c - the library against a player of vaultd: a thread that takes
 * connections on a real socket and does what each test tells it to.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/vaultd.h"
#include "tests/unit.h"

#define TOKEN_TAIL ",\"token_type\":\"Bearer\",\"scope\":\"a b\",\"expires\":1800000000," \
	"\"api_base\":\"https://api.example.com\",\"generation\":7,\"connection\":\"c0ffee\"}}"
#define TOKEN "{\"parameters\":{\"access_token\":\"t\\u006fk/en\"" TOKEN_TAIL

#define WRONG_TYPE "{\"parameters\":{\"access_token\":\"a\",\"token_type\":\"b\"," \
	"\"expires\":\"soon\"}}"

/* The player: what to do with the N-th connection. */
struct fake {
	char		 dir[64], path[96];
	int		 fd;
	pthread_t	 thread;
	void		(*serve)(struct fake *f, int fd, int n);
	char		 heard[4096];	/* the last call */
	int		 connections;
	int		 stop[2];
};

static void *
play(void *arg)
{
	struct fake *f = arg;

	for (int n = 0;; n++) {
		struct pollfd p[2] = { { .fd = f->fd, .events = POLLIN },
			{ .fd = f->stop[0], .events = POLLIN } };
		int fd;

		poll(p, 2, -1);
		if (p[1].revents != 0)
			return NULL;
		fd = accept4(f->fd, NULL, NULL, SOCK_CLOEXEC);
		__atomic_add_fetch(&f->connections, 1, __ATOMIC_SEQ_CST);
		f->serve(f, fd, n);
		close(fd);
	}
}

static void
listen_at(struct fake *f, int backlog)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	unit_dir("libvaultd", f->dir);
	snprintf(f->path, sizeof f->path, "%s/s", f->dir);
	strcpy(sa.sun_path, f->path);
	f->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	T_EQ(bind(f->fd, (struct sockaddr *)&sa, sizeof sa), 0);
	T_EQ(listen(f->fd, backlog), 0);
}

static void
fake_start(struct fake *f, void (*serve)(struct fake *f, int fd, int n))
{
	*f = (struct fake){ .serve = serve };
	listen_at(f, 8);
	T_EQ(pipe(f->stop), 0);
	T_EQ(pthread_create(&f->thread, NULL, play, f), 0);
}

static void
fake_stop(struct fake *f)
{
	close(f->stop[1]);
	pthread_join(f->thread, NULL);
	close(f->stop[0]);
	close(f->fd);
}

/* One call into f->heard. FALSE: the client hung up. */
static bool
hear(struct fake *f, int fd)
{
	size_t n = 0;

	while (n + 1 < sizeof f->heard) {
		ssize_t k = recv(fd, f->heard + n, 1, 0);

		if (k <= 0)
			return false;
		if (f->heard[n++] == '\0')
			return true;
	}
	return false;
}

/* The client may have hung up: that is its right. */
static void
say(int fd, const char *text)
{
	(void)!send(fd, text, strlen(text) + 1, MSG_NOSIGNAL);
}

static struct vaultd *
client(const struct fake *f)
{
	struct vaultd_error e;
	struct vaultd *v = NULL;

	T_EQ(vaultd_open(f->path, &v, &e), 0);
	vaultd_timeout(v, 5000);
	return v;
}

/* ---- a loop of the host program */

struct log {
	struct vaultd	*v;
	char		 text[512];
	int		 calls, more;
};

static void
note(void *arg, const char *parameters, const struct vaultd_error *e)
{
	struct log *l = arg;
	size_t n = strlen(l->text);

	l->calls++;
	snprintf(l->text + n, sizeof l->text - n, "%s;", parameters != NULL ? parameters :
	    e->name[0] != '\0' ? e->name : e->message);
}

static int
loop(struct vaultd *v, const struct log *l, int calls, struct vaultd_error *e)
{
	for (int i = 0; i < 2000 && l->calls < calls; i++) {
		struct pollfd p = { .fd = vaultd_fd(v), .events = vaultd_events(v) };

		if (poll(&p, 1, 1000) > 0 && vaultd_dispatch(v, e) != 0)
			return -1;
	}
	return 0;
}

/* ---- tokens */

static void
always_token(struct fake *f, int fd, int n)
{
	(void)n;
	while (hear(f, fd))
		say(fd, TOKEN);
}

TEST(a_token_comes_with_all_it_has)
{
	struct fake f;
	struct vaultd_error e;
	struct vaultd_token t;
	struct vaultd *v;

	fake_start(&f, always_token);
	v = client(&f);
	T_EQ(vaultd_token_get(v, "gi\"th\nub\xc3\xa9", 300, &t, &e), 0);
	T_STR(t.access_token, "tok/en");
	T_STR(t.token_type, "Bearer");
	T_STR(t.scope, "a b");
	T_STR(t.api_base, "https://api.example.com");
	T_STR(t.connection, "c0ffee");
	T_EQ(t.expires, 1800000000);
	T_EQ(t.generation, 7);
	T_STR(f.heard, "{\"method\":\"vaultd.Tokens.Get\",\"parameters\":{\"connection\":"
	    "\"gi\\\"th\\u000aub\xc3\xa9\",\"min_ttl\":300}}");
	vaultd_token_done(&t);
	T_OK(t.access_token == NULL);
	vaultd_token_done(&t);
	T_EQ(vaultd_token_refused(v, "x", 7, &t, &e), 0);
	T_HAS(f.heard, "\"connection\":\"x\",\"refused_generation\":7}}");
	vaultd_token_done(&t);
	T_EQ(vaultd_token_get(v, "x", 0, &t, &e), 0);
	T_HAS(f.heard, "{\"connection\":\"x\"}}");
	vaultd_token_done(&t);
	T_EQ(f.connections, 1);
	vaultd_close(v);
	fake_stop(&f);
}

static void
refuse(struct fake *f, int fd, int n)
{
	(void)n;
	while (hear(f, fd))
		say(fd, "{\"error\":\"vaultd.Vault.PolicyDenied\",\"parameters\":{\"message\":\"no\","
		    "\"owner\":\"admin\",\"retry\":true,\"advice\":\"ask\",\"trace\":\"12\","
		    "\"policy_file\":\"/etc/p.json\",\"rule\":\"/a/b\",\"n\":{\"x\":[1]}}}");
}

TEST(an_error_says_what_whose_move_and_the_next_step)
{
	struct fake f;
	struct vaultd_error e;
	struct vaultd_token t;
	struct vaultd *v;

	fake_start(&f, refuse);
	v = client(&f);
	memset(&t, 0x5a, sizeof t);
	T_EQ(vaultd_token_get(v, "x", 0, &t, &e), -1);
	T_EQ(((unsigned char *)&t)[0], 0x5a);	/* untouched */
	T_STR(e.name, "vaultd.Vault.PolicyDenied");
	T_STR(e.message, "no");
	T_STR(e.owner, "admin");
	T_STR(e.advice, "ask");
	T_STR(e.trace, "12");
	T_OK(e.retry);
	T_STR(e.details, "{\"policy_file\":\"/etc/p.json\",\"rule\":\"/a/b\",\"n\":{\"x\":[1]}}");
	vaultd_close(v);
	fake_stop(&f);
}

static void
answers_that_are_none(struct fake *f, int fd, int n)
{
	static const char *const text[] = { "", "hello", "[]", "{\"parameters\":[]}",
		"{\"parameters\":{},\"continues\":true}", "{\"error\":\"\",\"parameters\":{}}",
		"{\"error\":7,\"parameters\":{}}", "{\"parameters\":{\"access_token\":1}}",
		"{\"parameters\":{}}", "{}", WRONG_TYPE };

	if (hear(f, fd))
		say(fd, text[(size_t)n % (sizeof text / sizeof *text)]);
	if (n >= 7)	/* well formed: the connection stays, and the client hangs up */
		hear(f, fd);
}

TEST(what_is_no_answer_is_an_error_and_not_asked_again)
{
	struct fake f;
	struct vaultd_error e;
	struct vaultd_token t;

	fake_start(&f, answers_that_are_none);
	for (int i = 0; i < 11; i++) {
		struct vaultd *v = client(&f);

		T_EQ(vaultd_token_get(v, "x", 0, &t, &e), -1);
		T_STR(e.name, "");
		T_OK(strstr(e.message, i < 7 ? "not one of vaultd" : "holds no token") != NULL);
		T_NOT(e.retry);
		vaultd_close(v);
	}
	T_EQ(f.connections, 11);
	fake_stop(&f);
}

TEST(names_that_cannot_be_sent)
{
	struct vaultd_error e;
	struct vaultd_token t;
	struct vaultd *v;
	char *text = NULL, longest[200];

	T_EQ(vaultd_open("/nonexistent/socket", &v, &e), 0);
	T_EQ(vaultd_token_get(v, "\xff", 0, &t, &e), -1);
	T_HAS(e.message, "not the name of a connection");
	T_EQ(vaultd_call(v, "a.b", "[]", &text, &e), -1);
	T_HAS(e.message, "not a JSON object");
	T_EQ(vaultd_call(v, "a.b", "{\"a\":1,\"a\":1}", &text, &e), -1);
	T_EQ(vaultd_call(v, "a.b", "{", &text, &e), -1);
	T_EQ(vaultd_call(v, "a.b", NULL, &text, &e), -1);
	T_HAS(e.message, "/nonexistent/socket: No such file");
	T_OK(e.retry);
	T_OK(text == NULL);
	vaultd_close(v);
	memset(longest, 'a', sizeof longest);
	longest[108] = '\0';
	T_EQ(vaultd_open(longest, &v, &e), -1);
	vaultd_close(NULL);
	vaultd_free(NULL);
}

TEST(a_method_has_a_methods_name)
{
	struct fake f;
	struct vaultd_error e;
	struct vaultd *v;
	char *text;

	fake_start(&f, always_token);
	v = client(&f);
	T_EQ(vaultd_call(v, "a\"b", NULL, &text, &e), -1);
	T_HAS(e.message, "not the name of a method");
	T_EQ(vaultd_call(v, "", NULL, &text, &e), -1);
	T_EQ(vaultd_call(v, "vaultd.Vault.Status", NULL, &text, &e), 0);
	T_STR(f.heard, "{\"method\":\"vaultd.Vault.Status\",\"parameters\":{}}");
	vaultd_free(text);
	vaultd_close(v);
	fake_stop(&f);
}

/* ---- connections that break */

static void
one_answer_each(struct fake *f, int fd, int n)
{
	(void)n;
	if (hear(f, fd))
		say(fd, TOKEN);
}

TEST(a_vault_that_was_restarted_is_found_again)
{
	struct fake f;
	struct vaultd_error e;
	struct log l = { 0 };
	struct vaultd *v;
	char *text;

	fake_start(&f, one_answer_each);
	v = client(&f);
	for (int i = 1; i < 4; i++) {
		T_EQ(vaultd_call(v, "a.b", NULL, &text, &e), 0);
		T_HAS(text, "tok");
		vaultd_free(text);
		usleep(20000);	/* the player has hung up */
	}
	for (int i = 1; i < 3; i++) {
		T_EQ(vaultd_send(v, "a.b", NULL, note, &l, &e), 0);
		T_EQ(loop(v, &l, i, &e), 0);
		usleep(20000);
	}
	T_OK(strstr(l.text, "broke") == NULL);
	T_EQ(f.connections, 5);
	vaultd_close(v);
	fake_stop(&f);
}

static void
die_first(struct fake *f, int fd, int n)
{
	if (hear(f, fd) && n > 0)
		say(fd, TOKEN);
}

TEST(reading_a_token_is_repeated_once_and_a_change_is_not)
{
	struct fake f;
	struct vaultd_error e;
	struct vaultd_token t;
	struct vaultd *v;
	char *text;

	fake_start(&f, die_first);
	v = client(&f);
	T_EQ(vaultd_token_get(v, "x", 0, &t, &e), 0);
	vaultd_token_done(&t);
	vaultd_close(v);
	T_EQ(f.connections, 2);
	fake_stop(&f);

	fake_start(&f, die_first);
	v = client(&f);
	T_EQ(vaultd_call(v, "vaultd.Connections.Delete", NULL, &text, &e), -1);
	T_STR(e.name, "");
	T_HAS(e.message, "broke");
	T_OK(e.retry);
	T_EQ(f.connections, 1);
	vaultd_close(v);
	fake_stop(&f);
}

static void
never_serve(struct fake *f, int fd, int n)
{
	(void)n;
	hear(f, fd);
}

TEST(a_vault_that_keeps_dying_ends_it)
{
	struct fake f;
	struct vaultd_error e;
	struct vaultd_token t;
	struct vaultd *v;

	fake_start(&f, never_serve);
	v = client(&f);
	T_EQ(vaultd_token_get(v, "x", 0, &t, &e), -1);
	T_HAS(e.message, "broke");
	T_EQ(f.connections, 2);
	vaultd_close(v);
	fake_stop(&f);
}

static void
busy(struct fake *f, int fd, int n)
{
	(void)f;
	(void)n;
	say(fd, "{\"error\":\"vaultd.Vault.Busy\",\"parameters\":{\"message\":\"full\",\"retry\":true}}");
}

/* The vault says why and hangs up; a client that is still writing gets EPIPE. */
TEST(what_the_vault_said_before_it_hung_up_is_heard)
{
	struct fake f;
	struct vaultd_error e;
	struct vaultd *v;
	char *big = malloc(1 << 20), *text;

	memset(big, ' ', 1 << 20);
	strcpy(big + (1 << 20) - 3, "{}");
	fake_start(&f, busy);
	for (int i = 0; i < 20; i++) {
		v = client(&f);
		T_EQ(vaultd_call(v, "a.b", i % 2 == 0 ? NULL : big, &text, &e), -1);
		T_STR(e.name, "vaultd.Vault.Busy");
		T_STR(e.message, "full");
		vaultd_close(v);
	}
	T_EQ(f.connections, 20);
	free(big);
	fake_stop(&f);
}

static void
slow(struct fake *f, int fd, int n)
{
	hear(f, fd);
	if (n == 0)
		usleep(300000);
	say(fd, "{\"parameters\":{}}");
}

TEST(time_is_up_and_the_late_answer_is_nobodys)
{
	struct fake f;
	struct vaultd_error e;
	struct vaultd *v;
	char *text;

	fake_start(&f, slow);
	v = client(&f);
	vaultd_timeout(v, 50);
	T_EQ(vaultd_call(v, "a.b", NULL, &text, &e), -1);
	T_HAS(e.message, "in time");
	T_OK(e.retry);
	vaultd_timeout(v, -1);
	T_EQ(vaultd_call(v, "a.b", NULL, &text, &e), 0);
	T_STR(text, "{}");
	vaultd_free(text);
	vaultd_close(v);
	fake_stop(&f);
}

TEST(a_full_queue_is_waited_for_but_not_for_ever)
{
	struct fake f = { 0 };
	struct vaultd_error e;
	struct vaultd *v[4];
	char *text;
	int rc = 0;

	listen_at(&f, 0);	/* nobody accepts */
	for (int i = 0; i < 4; i++) {
		v[i] = client(&f);
		rc |= vaultd_send(v[i], "a.b", NULL, NULL, NULL, &e);
	}
	T_EQ(rc, -1);
	T_HAS(e.message, "busy");
	T_OK(e.retry);
	vaultd_timeout(v[3], 100);
	T_EQ(vaultd_call(v[3], "a.b", NULL, &text, &e), -1);
	T_HAS(e.message, "in time");
	T_OK(e.retry);
	for (int i = 0; i < 4; i++)
		vaultd_close(v[i]);
	close(f.fd);
}

/* ---- pieces of any size */

static void
crumbs(struct fake *f, int fd, int n)
{
	static const char text[] = TOKEN;

	(void)n;
	while (hear(f, fd))
		for (size_t i = 0; i < sizeof text; i++) {
			if (i % 50 == 0 || i + 1 == sizeof text)
				usleep(5000);
			send(fd, text + i, 1, MSG_NOSIGNAL);
		}
}

TEST(an_answer_may_come_byte_by_byte)
{
	struct fake f;
	struct vaultd_error e;
	struct vaultd_token t;
	struct vaultd *v;

	fake_start(&f, crumbs);
	v = client(&f);
	for (int i = 0; i < 3; i++) {
		T_EQ(vaultd_token_get(v, "x", 0, &t, &e), 0);
		T_STR(t.access_token, "tok/en");
		vaultd_token_done(&t);
	}
	T_EQ(f.connections, 1);
	vaultd_close(v);
	fake_stop(&f);
}

#define LARGE (3 << 20)

static void
large(struct fake *f, int fd, int n)
{
	char *text = malloc(LARGE + 64);
	size_t len = LARGE + 20;

	(void)n;
	memset(text, 'x', LARGE + 64);
	memcpy(text, "{\"parameters\":{\"a\":\"", 20);
	memcpy(text + len - 3, "\"}}", 4);
	hear(f, fd);
	for (size_t at = 0; at < len + 1;) {
		ssize_t k = send(fd, text + at, len + 1 - at, MSG_NOSIGNAL);

		if (k <= 0)
			break;
		at += (size_t)k;
	}
	free(text);
}

TEST(an_answer_may_be_large)
{
	struct fake f;
	struct vaultd_error e;
	struct vaultd *v;
	char *text;

	fake_start(&f, large);
	v = client(&f);
	T_EQ(vaultd_call(v, "a.b", NULL, &text, &e), 0);
	T_EQ(strlen(text), LARGE + 5);
	vaultd_free(text);
	vaultd_close(v);
	fake_stop(&f);
}

/* ---- many calls at once */

static void
echo_number(struct fake *f, int fd, int n)
{
	(void)n;
	while (hear(f, fd)) {
		char out[64], *at = strstr(f->heard, "\"n\":");

		snprintf(out, sizeof out, "{\"parameters\":{\"n\":%d}}", at != NULL ? atoi(at + 4) : 0);
		say(fd, out);
	}
}

TEST(calls_are_answered_in_their_order)
{
	struct fake f;
	struct vaultd_error e;
	struct log l = { 0 };
	struct vaultd *v;
	char p[32], *text;

	fake_start(&f, echo_number);
	v = client(&f);
	T_EQ(vaultd_fd(v), -1);
	for (int i = 0; i < 5; i++) {
		snprintf(p, sizeof p, "{\"n\":%d}", i);
		T_EQ(vaultd_send(v, "a.b", p, note, &l, &e), 0);
	}
	T_OK(vaultd_fd(v) >= 0);
	T_EQ(vaultd_events(v), POLLIN | POLLOUT);
	T_EQ(vaultd_call(v, "a.b", NULL, &text, &e), -1);
	T_HAS(e.message, "are due");
	T_EQ(loop(v, &l, 5, &e), 0);
	T_STR(l.text, "{\"n\":0};{\"n\":1};{\"n\":2};{\"n\":3};{\"n\":4};");
	T_EQ(vaultd_events(v), POLLIN);
	T_EQ(vaultd_call(v, "a.b", "{\"n\":9}", &text, &e), 0);
	T_STR(text, "{\"n\":9}");
	vaultd_free(text);
	vaultd_close(v);
	fake_stop(&f);
}

static void
again(void *arg, const char *parameters, const struct vaultd_error *e)
{
	struct log *l = arg;
	struct vaultd_error mine;
	char *text;

	note(arg, parameters, e);
	T_EQ(vaultd_call(l->v, "a.b", NULL, &text, &mine), -1);	/* not from here */
	T_EQ(vaultd_dispatch(l->v, &mine), 0);
	if (l->more-- > 0)
		T_EQ(vaultd_send(l->v, "a.b", "{\"n\":8}", again, l, &mine), 0);
}

static void
answer_and_hang_up(struct fake *f, int fd, int n)
{
	char both[] = "{\"parameters\":{\"n\":1}}\0{\"parameters\":{\"n\":2}}";

	(void)n;
	hear(f, fd);
	send(fd, both, n == 0 ? sizeof both : sizeof both / 2, MSG_NOSIGNAL);
}

/* The callback sends while the vault has hung up already, and while further answers wait
 * in the same buffer. */
TEST(a_callback_may_send_even_when_the_vault_is_gone)
{
	struct fake f;
	struct vaultd_error e;
	struct log l = { .more = 1 };
	struct vaultd *v;

	fake_start(&f, answer_and_hang_up);
	l.v = v = client(&f);
	T_EQ(vaultd_send(v, "a.b", NULL, again, &l, &e), 0);
	T_EQ(vaultd_send(v, "a.b", NULL, note, &l, &e), 0);
	T_EQ(loop(v, &l, 3, &e), -1);
	T_HAS(e.message, "broke");
	T_EQ(l.calls, 3);
	T_HAS(l.text, "{\"n\":1};{\"n\":2};the connection to vaultd broke");
	T_EQ(vaultd_fd(v), -1);
	l = (struct log){ .v = v };
	T_EQ(vaultd_send(v, "a.b", NULL, note, &l, &e), 0);
	T_EQ(loop(v, &l, 1, &e), 0);
	T_STR(l.text, "{\"n\":1};");
	vaultd_close(v);
	fake_stop(&f);
}

static void
count_connections(struct fake *f, int fd, int n)
{
	char out[64];

	(void)n;
	snprintf(out, sizeof out, "{\"parameters\":{\"n\":%d}}",
	    __atomic_load_n(&f->connections, __ATOMIC_SEQ_CST));
	if (hear(f, fd))
		say(fd, out);
}

static void
once_more(void *arg, const char *parameters, const struct vaultd_error *e)
{
	struct log *l = arg;
	struct vaultd_error mine;

	note(arg, parameters, e);
	usleep(50000);	/* the vault hangs up meanwhile */
	T_EQ(vaultd_send(l->v, "a.b", NULL, note, l, &mine), 0);
}

TEST(a_callback_may_send_to_a_vault_that_came_back)
{
	struct fake f;
	struct vaultd_error e;
	struct log l = { 0 };

	fake_start(&f, count_connections);
	l.v = client(&f);
	T_EQ(vaultd_send(l.v, "a.b", NULL, once_more, &l, &e), 0);
	T_EQ(loop(l.v, &l, 2, &e), 0);
	T_STR(l.text, "{\"n\":1};{\"n\":2};");
	vaultd_close(l.v);
	fake_stop(&f);
}

static void
close_it(void *arg, const char *parameters, const struct vaultd_error *e)
{
	struct log *l = arg;

	note(arg, parameters, e);
	vaultd_close(l->v);
}

TEST(a_callback_may_close)
{
	struct fake f;
	struct vaultd_error e;
	struct log l = { 0 };

	fake_start(&f, echo_number);
	l.v = client(&f);
	T_EQ(vaultd_send(l.v, "a.b", NULL, close_it, &l, &e), 0);
	T_EQ(vaultd_send(l.v, "a.b", NULL, note, &l, &e), 0);
	T_EQ(loop(l.v, &l, 1, &e), 0);
	T_EQ(l.calls, 1);
	fake_stop(&f);

	fake_start(&f, never_serve);	/* from the answer that it broke */
	l = (struct log){ .v = client(&f) };
	T_EQ(vaultd_send(l.v, "a.b", NULL, close_it, &l, &e), 0);
	T_EQ(vaultd_send(l.v, "a.b", NULL, note, &l, &e), 0);
	T_EQ(loop(l.v, &l, 1, &e), -1);
	T_EQ(l.calls, 1);
	fake_stop(&f);
}

TEST(closing_forgets_what_is_under_way)
{
	struct fake f;
	struct vaultd_error e;
	struct log l = { 0 };
	struct vaultd *v;

	fake_start(&f, never_serve);
	v = client(&f);
	T_EQ(vaultd_send(v, "a.b", NULL, note, &l, &e), 0);
	vaultd_close(v);
	T_EQ(l.calls, 0);
	fake_stop(&f);
}

/* ---- fork */

TEST(a_child_has_a_connection_of_its_own)
{
	struct fake f;
	struct vaultd_error e;
	struct log l = { 0 };
	struct vaultd *v;
	char *text;
	int status;
	pid_t pid;

	fake_start(&f, count_connections);
	v = client(&f);
	T_EQ(vaultd_send(v, "a.b", NULL, note, &l, &e), 0);
	if ((pid = fork()) == 0) {
		int rc = vaultd_fd(v) == -1 && vaultd_call(v, "a.b", NULL, &text, &e) == 0 &&
		    strcmp(text, "{\"n\":2}") == 0 && l.calls == 0 ? 0 : 1;

		vaultd_close(v);
		_exit(rc);
	}
	usleep(50000);	/* the child waits behind the parent's call */
	T_EQ(loop(v, &l, 1, &e), 0);
	T_STR(l.text, "{\"n\":1};");
	T_EQ(waitpid(pid, &status, 0), pid);
	T_EQ(status, 0);
	vaultd_close(v);
	fake_stop(&f);
}

struct forked {
	struct log	 log;
	pid_t		 pid;
};

static void
fork_here(void *arg, const char *parameters, const struct vaultd_error *e)
{
	struct forked *k = arg;
	struct vaultd_error mine;

	(void)parameters;
	(void)e;
	if ((k->pid = fork()) == 0 &&
	    vaultd_send(k->log.v, "a.b", NULL, note, &k->log, &mine) != 0)
		_exit(2);
}

static void
two_at_once(struct fake *f, int fd, int n)
{
	static const char both[] = "{\"parameters\":{\"n\":1}}\0{\"parameters\":{\"n\":1}}";

	if (n > 0 && hear(f, fd))
		say(fd, "{\"parameters\":{\"n\":2}}");
	else if (hear(f, fd) && hear(f, fd))
		send(fd, both, sizeof both, MSG_NOSIGNAL);
}

/* What the parent had received already is not the child's either. */
TEST(a_child_made_in_a_callback_has_its_own_answers)
{
	struct fake f;
	struct vaultd_error e;
	struct forked k = { 0 };
	int rc, status;

	fake_start(&f, two_at_once);
	k.log.v = client(&f);
	T_EQ(vaultd_send(k.log.v, "a.b", NULL, fork_here, &k, &e), 0);
	T_EQ(vaultd_send(k.log.v, "a.b", NULL, note, &k.log, &e), 0);
	rc = loop(k.log.v, &k.log, 1, &e);
	if (k.pid == 0)
		_exit(rc == 0 && strcmp(k.log.text, "{\"n\":2};") == 0 ? 0 : 1);
	T_EQ(rc, 0);
	T_STR(k.log.text, "{\"n\":1};");
	T_EQ(waitpid(k.pid, &status, 0), k.pid);
	T_EQ(status, 0);
	vaultd_close(k.log.v);
	fake_stop(&f);
}

/* ---- nothing is left behind */

#define NEEDLE 48
static unsigned char masked[NEEDLE];	/* the token, xor 0xff: itself it is nowhere */

static void
masked_token(struct fake *f, int fd, int n)
{
	char text[512];
	size_t at;

	(void)n;
	while (hear(f, fd)) {
		at = (size_t)snprintf(text, sizeof text, "{\"parameters\":{\"access_token\":\"");
		for (int i = 0; i < NEEDLE; i++)
			text[at++] = (char)(masked[i] ^ 0xff);
		snprintf(text + at, sizeof text - at, "%s", "\"" TOKEN_TAIL);
		send(fd, text, strlen(text) + 1, MSG_NOSIGNAL);
		explicit_bzero(text, sizeof text);
	}
}

static int
found_in(const unsigned char *p, size_t len)
{
	int n = 0;

	for (size_t i = 0; i + NEEDLE <= len; i++) {
		size_t k = 0;

		while (k < NEEDLE && (p[i + k] ^ 0xff) == masked[k])
			k++;
		n += k == NEEDLE;
	}
	return n;
}

/* In all that this process can write to. */
static int
copies(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long from, to;
	char line[512], mode[8];
	int n = 0, mem = open("/proc/self/mem", O_RDONLY);
	unsigned char *copy;

	while (fgets(line, sizeof line, maps) != NULL) {
		if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) != 3 || mode[1] != 'w' ||
		    to - from > (64 << 20))
			continue;
		copy = mmap(NULL, to - from, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
		if (pread(mem, copy, to - from, (off_t)from) == (ssize_t)(to - from))
			n += found_in(copy, to - from);
		explicit_bzero(copy, to - from);
		munmap(copy, to - from);
	}
	fclose(maps);
	close(mem);
	return n;
}

TEST(no_copy_of_a_token_outlives_it)
{
	struct fake f;
	struct vaultd_error e;
	struct vaultd_token t;
	struct vaultd *v;
	char *text;

	for (int i = 0; i < NEEDLE; i++)
		masked[i] = (unsigned char)("ABCDEFGHJKMNPQRS"[(i * 7 + i / 16) % 16] ^ 0xff);
	fake_start(&f, masked_token);
	v = client(&f);
	T_EQ(vaultd_token_get(v, "x", 0, &t, &e), 0);
	usleep(20000);
	T_EQ(copies(), 1);	/* the one that we asked for */
	vaultd_token_done(&t);
	T_EQ(copies(), 0);
	T_EQ(vaultd_call(v, "a.b", NULL, &text, &e), 0);
	usleep(20000);
	T_EQ(copies(), 1);
	vaultd_free(text);
	T_EQ(copies(), 0);
	vaultd_close(v);
	fake_stop(&f);
}

/* ---- calls that go on */

static void
serve_more(struct fake *f, int fd, int n)
{
	if (!hear(f, fd))
		return;
	say(fd, "{\"parameters\":{\"n\":1},\"continues\":true}");
	say(fd, "{\"parameters\":{\"n\":2},\"continues\":true}");
	if (n == 0)
		say(fd, "{\"parameters\":{\"n\":3}}");
	while (n < 2 && hear(f, fd))
		say(fd, "{\"parameters\":{}}");
}

struct pages { char text[200]; int most; };

static bool
note_page(void *arg, const char *parameters)
{
	struct pages *p = arg;

	strcat(p->text, parameters);
	return --p->most > 0;
}

TEST(row_83_a_call_that_goes_on_until_the_vault_ends_it_or_the_caller_or_the_line_breaks)
{
	struct pages p = { .most = 99 };
	struct vaultd_error e;
	struct vaultd *v;
	struct fake f;
	char *text = NULL;

	fake_start(&f, serve_more);
	v = client(&f);
	T_EQ(vaultd_call_more(v, "a.B", NULL, note_page, &p, &e), 0);
	T_STR(p.text, "{\"n\":1}{\"n\":2}{\"n\":3}");
	T_STR(f.heard, "{\"method\":\"a.B\",\"parameters\":{},\"more\":true}");
	T_EQ(vaultd_call(v, "a.C", NULL, &text, &e), 0);	/* the connection is still good */
	vaultd_free(text);
	T_EQ(f.connections, 1);
	vaultd_close(v);

	v = client(&f);
	p = (struct pages){ .most = 2 };
	T_EQ(vaultd_call_more(v, "a.B", NULL, note_page, &p, &e), 0);
	T_STR(p.text, "{\"n\":1}{\"n\":2}");
	T_EQ(vaultd_fd(v), -1);

	p = (struct pages){ .most = 99 };
	T_EQ(vaultd_call_more(v, "a.B", NULL, note_page, &p, &e), -1);
	T_OK(e.retry);
	T_STR(p.text, "{\"n\":1}{\"n\":2}");
	vaultd_close(v);
	fake_stop(&f);
}

TEST(an_answer_that_continues_a_call_of_one_answer_is_none_of_vaultd)
{
	struct vaultd_error e;
	struct vaultd *v;
	struct fake f;
	char *text = NULL;

	fake_start(&f, serve_more);
	v = client(&f);
	T_EQ(vaultd_call(v, "a.B", NULL, &text, &e), -1);
	T_HAS(e.message, "not one of vaultd");
	vaultd_close(v);
	fake_stop(&f);
}

int
main(void)
{
	return unit_run();
}

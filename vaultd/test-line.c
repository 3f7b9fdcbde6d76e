/* The helper is played here, by hand: accept, read a question, answer it or not. */
#include "tests/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/role.h"
#include "vaultd/line.h"

static struct event_base *base;
static struct line *line;
static char dir[64], path[96];
static int listener = -1, helper = -1;
static unsigned ups, downs;
static bool handshake;

struct seen {
	unsigned	 n;		/* done() ran this often */
	int		 rc;
	char		 body[64], text[400];
	unsigned	 id;
	bool		 again;		/* asks again from done() */
};

static void
done(void *arg, int rc, struct slice body, struct err *e)
{
	struct seen *s = arg;
	AUTO(msg) m = { 0 };

	s->n++;
	s->rc = rc;
	s->id = rc == 0 ? 0 : e->id;
	snprintf(s->body, sizeof s->body, "%.*s", (int)body.len, (const char *)body.p);
	snprintf(s->text, sizeof s->text, "%s", rc == 0 ? "" : e->text);
	if (s->again) {
		s->again = false;
		line_call(line, 7, &m, 1000, done, s);
	}
}

static void
up(void *arg)
{
	(void)arg;
	ups++;
	if (!handshake)
		line_ready(line);
}

static void
down(void *arg)
{
	(void)arg;
	downs++;
}

static void
ask(uint16_t op, const char *text, int ms, struct seen *s)
{
	AUTO(msg) m = { 0 };

	msg_put_raw(&m, text, strlen(text));
	line_call(line, op, &m, ms, done, s);
}

static void
turns(int n)
{
	while (n-- > 0)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

/* Turns until COND, two seconds at most. */
#define until(cond)                                                                      \
	do {                                                                             \
		long long end = boot_ms() + 2000;                                        \
		bool ok;                                                                 \
		while (!(ok = (cond)) && boot_ms() < end) {                              \
			turns(1);                                                        \
			usleep(1000);                                                    \
		}                                                                        \
		T_OK(ok);                                                                \
	} while (0)

static void
helper_listens(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	snprintf(sa.sun_path, sizeof sa.sun_path, "%s", path);
	unlink(path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	T_EQ(bind(listener, (struct sockaddr *)&sa, sizeof sa), 0);
	T_EQ(listen(listener, 8), 0);
}

static void
helper_accepts(void)
{
	until((helper = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0);
	turns(2);
}

static struct frame
helper_reads(struct secret *buf)
{
	struct frame f = { 0 };
	struct err e = { 0 };

	T_DO(frame_recv(helper, buf, &f, 1000, &e), e);
	return f;
}

static void
helper_answers(uint32_t id, uint16_t status, const void *p, size_t n)
{
	struct frame f = { .id = id, .op = status, .body = { p, n } };
	struct err e = { 0 };

	T_DO(frame_send(helper, &f, 1000, &e), e);
}

static void
setup(bool secret)
{
	struct line_conf conf = { .path = path, .what = "vault-hsm",
		.unavailable = ERR_HSM_UNAVAILABLE, .secret = secret, .on_up = up,
		.on_down = down };

	unit_dir("line", dir);
	snprintf(path, sizeof path, "%s/s", dir);
	ups = downs = 0;
	handshake = false;
	base = event_base_new();
	line = line_new(base, &conf);
	T_OK(line != NULL);
}

static void
connected(bool secret)
{
	setup(secret);
	helper_listens();
	helper_accepts();
	T_EQ(ups, 1);
}

static void
teardown(void)
{
	line_free(line);
	if (helper >= 0)
		close(helper);
	if (listener >= 0)
		close(listener);
	helper = listener = -1;
	event_base_free(base);
	T_EQ(secret_in_use(), 0);
}

TEST(a_question_and_its_answer)
{
	for (int secret = 0; secret < 2; secret++) {
		AUTO(secret) buf = { 0 };
		struct seen s = { 0 };
		struct frame f;

		connected(secret);
		T_OK(line_is_up(line));
		ask(3, "question", 5000, &s);
		T_EQ(s.n, 0);
		T_EQ(line_pending(line), 1);
		f = helper_reads(&buf);
		T_EQ(f.op, 3);
		T_EQ(f.deadline_ms, 5000);
		T_MEM(f.body.p, "question", 8);
		helper_answers(f.id, FRAME_OK, "answer", 6);
		until(s.n == 1);
		T_EQ(s.rc, 0);
		T_STR(s.body, "answer");
		T_EQ(line_pending(line), 0);
		secret_done(&buf);
		teardown();
	}
}

TEST(answers_in_any_order_and_in_pieces)
{
	AUTO(secret) buf = { 0 };
	struct seen a = { 0 }, b = { 0 };
	struct frame f;
	AUTO(buf) bytes = { 0 };
	uint32_t ida;

	connected(true);
	ask(1, "a", 5000, &a);
	ask(1, "b", 5000, &b);
	ida = helper_reads(&buf).id;
	f = helper_reads(&buf);
	T_NE(ida, f.id);
	f.op = FRAME_OK;
	f.body = (struct slice){ "to b", 4 };
	frame_pack(&bytes, &f);
	f.id = ida;
	f.body = (struct slice){ "to a", 4 };
	frame_pack(&bytes, &f);
	for (size_t i = 0; i < bytes.len; i++) {
		T_EQ(send(helper, bytes.p + i, 1, 0), 1);
		turns(1);
		if (i + 1 < bytes.len)
			T_EQ(a.n, 0);
	}
	T_STR(b.body, "to b");
	T_STR(a.body, "to a");
	secret_done(&buf);
	teardown();
}

TEST(what_the_helper_refuses)
{
	AUTO(secret) buf = { 0 };
	AUTO(msg) m = { 0 };
	struct seen s = { 0 };
	struct err e = { 0 };
	struct frame f;

	connected(true);
	ask(1, "x", 5000, &s);
	f = helper_reads(&buf);
	err_name(&e, ERR_HSM_REFUSED, "the wrap does not belong here");
	msg_put_err(&m, &e);
	helper_answers(f.id, FRAME_ERR, msg_slice(&m).p, msg_slice(&m).len);
	until(s.n == 1);
	T_EQ(s.id, ERR_HSM_REFUSED);
	T_STR(s.text, "the wrap does not belong here");
	ask(1, "x", 5000, &s);
	f = helper_reads(&buf);
	helper_answers(f.id, FRAME_ERR, "rubbish", 7);
	until(s.n == 2);
	T_EQ(s.rc, V_CORRUPT);
	T_OK(line_is_up(line));
	secret_done(&buf);
	teardown();
}

TEST(without_a_line_a_call_fails_but_never_at_once)
{
	struct seen s = { 0 };

	setup(true);
	turns(3);
	T_NOT(line_is_up(line));
	ask(1, "x", 5000, &s);
	T_EQ(s.n, 0);
	turns(2);
	T_EQ(s.n, 1);
	T_EQ(s.id, ERR_HSM_UNAVAILABLE);
	T_EQ(s.rc, V_UNAVAILABLE);
	T_HAS(s.text, "vault-hsm");
	teardown();
}

TEST(a_broken_line_fails_its_calls_and_comes_back)
{
	AUTO(secret) buf = { 0 };
	struct seen a = { .again = true }, b = { 0 };
	struct frame f;

	connected(true);
	ask(1, "a", 5000, &a);
	ask(1, "b", 5000, &b);
	close(helper);
	until(a.n == 2 && b.n == 1);
	T_EQ(a.id, ERR_HSM_UNAVAILABLE);
	T_EQ(b.id, ERR_HSM_UNAVAILABLE);
	T_EQ(downs, 1);
	T_NOT(line_is_up(line));
	helper_accepts();
	T_EQ(ups, 2);
	ask(1, "c", 5000, &b);
	f = helper_reads(&buf);
	helper_answers(f.id, FRAME_OK, "c", 1);
	until(b.n == 2);
	T_EQ(b.rc, 0);
	secret_done(&buf);
	teardown();
}

TEST(it_waits_longer_and_longer_for_a_helper)
{
	struct seen s = { 0 };

	setup(true);
	usleep(20000);
	turns(3);
	helper_listens();
	helper_accepts();		/* within two seconds */
	T_OK(line_is_up(line));
	ask(1, "a", 5000, &s);
	teardown();
	T_EQ(s.n, 1);
	T_EQ(s.id, ERR_HSM_UNAVAILABLE);
}

TEST(time_is_up)
{
	AUTO(secret) buf = { 0 };
	struct seen a = { 0 }, b = { 0 };
	struct frame f;

	connected(true);
	ask(1, "a", 150, &a);
	ask(1, "b", 5000, &b);
	f = helper_reads(&buf);
	until(a.n == 1);
	T_EQ(a.rc, V_TIMEOUT);
	T_EQ(a.id, ERR_TIMED_OUT);
	T_EQ(b.n, 0);
	helper_answers(f.id, FRAME_OK, "late", 4);	/* nobody waits any more */
	f = helper_reads(&buf);
	helper_answers(f.id, FRAME_OK, "b", 1);
	until(b.n == 1);
	T_EQ(a.n, 1);
	T_STR(b.body, "b");
	T_EQ(downs, 0);
	secret_done(&buf);
	teardown();
}

/* Big questions fill the socket of a helper that does not read. */
static void
ask_big(int ms, struct seen *s)
{
	AUTO(msg) m = { 0 };
	char *text = calloc(1, 1 << 20);

	msg_put_raw(&m, text, 1 << 20);
	line_call(line, 1, &m, ms, done, s);
	free(text);
}

TEST(a_helper_that_takes_nothing_in)
{
	struct seen a = { 0 }, b = { 0 };

	connected(true);
	ask_big(5000, &a);
	ask_big(200, &b);		/* not begun: it is dropped, the line stays */
	until(b.n == 1);
	T_EQ(b.id, ERR_TIMED_OUT);
	T_EQ(a.n, 0);
	T_EQ(downs, 0);
	teardown();
	T_EQ(a.n, 1);
	connected(true);
	a = (struct seen){ 0 };
	ask_big(200, &a);		/* begun: half a frame cannot be taken back */
	until(a.n == 1);
	T_EQ(a.id, ERR_TIMED_OUT);
	T_EQ(downs, 1);
	teardown();
}

TEST(a_long_question_and_a_long_answer)
{
	for (int secret = 0; secret < 2; secret++) {
		AUTO(secret) buf = { 0 };
		struct seen s = { 0 };
		struct frame f = { 0 };
		ssize_t n = 0;
		char *text;

		connected(secret);
		ask_big(5000, &s);
		fcntl(helper, F_SETFL, O_NONBLOCK);
		text = calloc(1, 2 << 20);
		for (ssize_t k = 0; k >= 0 || errno == EAGAIN; turns(1)) {
			k = recv(helper, text + n, (2 << 20) - n, 0);
			n += k > 0 ? k : 0;
			if (frame_parse((struct slice){ text, (size_t)n }, &f) > 0)
				break;
		}
		T_EQ(f.body.len, 1 << 20);
		f.op = FRAME_OK;
		f.body.len = 300 << 10;
		AUTO(buf) bytes = { 0 };
		frame_pack(&bytes, &f);
		for (size_t at = 0; at < bytes.len; turns(1)) {
			n = send(helper, bytes.p + at, bytes.len - at, MSG_DONTWAIT);
			at += n > 0 ? (size_t)n : 0;
		}
		until(s.n == 1);
		T_EQ(s.rc, 0);
		free(text);
		secret_done(&buf);
		teardown();
	}
}

TEST(at_most_1024_calls)
{
	static struct seen s[1025];
	unsigned busy = 0;

	connected(true);
	for (size_t i = 0; i < 1025; i++)
		ask(1, "x", 60000, &s[i]);
	turns(2);
	for (size_t i = 0; i < 1025; i++)
		busy += s[i].n == 1 && s[i].id == ERR_BUSY;
	T_EQ(busy, 1);
	T_EQ(line_pending(line), 1024);
	teardown();
	for (size_t i = 0; i < 1025; i++)
		T_EQ(s[i].n, 1);
}

TEST(a_handshake_comes_first)
{
	AUTO(secret) buf = { 0 };
	AUTO(msg) m = { 0 };
	struct seen hello = { 0 }, other = { 0 };
	struct frame f;

	setup(false);
	handshake = true;
	helper_listens();
	helper_accepts();
	T_NOT(line_is_up(line));
	ask(2, "too early", 5000, &other);
	line_call_first(line, 1, &m, 5000, done, &hello);
	until(other.n == 1);
	T_EQ(other.id, ERR_HSM_UNAVAILABLE);
	f = helper_reads(&buf);
	T_EQ(f.op, 1);
	helper_answers(f.id, FRAME_OK, "hi", 2);
	until(hello.n == 1);
	line_ready(line);
	T_OK(line_is_up(line));
	secret_done(&buf);
	teardown();
}

TEST(a_handshake_that_fails_is_tried_again)
{
	AUTO(secret) buf = { 0 };
	AUTO(msg) m = { 0 }, no = { 0 };
	struct seen hello = { 0 };
	struct err e = { 0 };
	struct frame f;

	setup(false);
	handshake = true;
	helper_listens();
	helper_accepts();
	line_call_first(line, 1, &m, 5000, done, &hello);
	f = helper_reads(&buf);
	err_set(&e, V_STATE, "a newer vaultd is here");
	msg_put_err(&no, &e);
	helper_answers(f.id, FRAME_ERR, msg_slice(&no).p, msg_slice(&no).len);
	until(downs == 1);
	T_EQ(hello.rc, V_STATE);
	close(helper);
	helper_accepts();
	T_EQ(ups, 2);
	line_call_first(line, 1, &m, 150, done, &hello);	/* and so is one without end */
	until(downs == 2);
	T_EQ(hello.rc, V_TIMEOUT);
	secret_done(&buf);
	teardown();
}

TEST(what_is_no_frame_ends_the_line)
{
	struct seen s = { 0 };

	connected(true);
	ask(1, "x", 5000, &s);
	T_EQ(send(helper, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
	until(s.n == 1);
	T_EQ(s.id, ERR_HSM_UNAVAILABLE);
	T_EQ(downs, 1);
	teardown();
}

TEST(secrets_stay_in_locked_memory)
{
	AUTO(secret) buf = { 0 };
	struct seen s = { 0 };

	connected(false);
	{
		AUTO(msg) m = { 0 };

		msg_secret(&m);
		msg_put_raw(&m, "the code", 8);
		line_call(line, 4, &m, 5000, done, &s);
	}
	T_MEM(helper_reads(&buf).body.p, "the code", 8);
	secret_done(&buf);
	T_EQ(secret_in_use(), 0);	/* sent, and gone */
	teardown();
}

TEST(secrets_that_cannot_be_sent_yet_too)
{
	struct seen s = { 0 };

	connected(false);
	{
		AUTO(msg) m = { 0 };
		char *text = calloc(1, 1 << 20);

		msg_secret(&m);
		msg_put_raw(&m, text, 1 << 20);
		line_call(line, 4, &m, 5000, done, &s);
		free(text);
	}
	T_OK(secret_in_use() >= 1 << 20);
	teardown();
}

TEST(a_call_made_while_the_line_is_freed)
{
	struct seen s = { .again = true };

	connected(true);
	ask(1, "x", 5000, &s);
	teardown();
	T_EQ(s.n, 2);
}

TEST(a_path_that_is_too_long)
{
	char text[200];
	struct line_conf conf = { .path = text, .what = "x", .on_up = up };

	memset(text, 'a', sizeof text);
	text[sizeof text - 1] = '\0';
	base = event_base_new();
	T_OK(line_new(base, &conf) == NULL);
	event_base_free(base);
}

int
main(void)
{
	struct err e;

	if (secret_arena_init(8 << 20, true, &e) != 0) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	return unit_run();
}

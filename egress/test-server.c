/*
 * The lines from vaultd: which of them may speak. A vaultd that was replaced, or that is in
 * somebody else's hands, says hello with an epoch that is over.
 */
#include "egress/test-rig.h"

#include "egress/server.h"

static struct rig rig;
static struct sockaddr_un address = { .sun_family = AF_UNIX };

static void
serve(void)
{
	struct err e = { 0 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	rig_new(&rig);
	rig.x.vault = (struct id){ { 0 } };
	snprintf(address.sun_path, sizeof address.sun_path, "%.80s/line", rig.dir);
	T_EQ(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	T_EQ(listen(fd, 8), 0);
	T_DO(server_start(&rig.x, fd, &e), e);
}

static int
line(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	T_EQ(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

static void
turn(void)
{
	for (int i = 0; i < 50; i++) {
		event_base_loop(rig.x.base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
}

/* 0, or the class and the error of the answer; V_UNAVAILABLE when the line was closed. */
static int
ask(int fd, enum egress_op op, const struct msg *body, struct err *e)
{
	struct frame f = { .id = 7, .op = (uint16_t)op, .body = msg_slice(body) };
	AUTO(secret) in = { 0 };
	struct msg m;

	err_clear(e);
	T_EQ(frame_send(fd, &f, 1000, e), 0);
	turn();
	if (frame_recv(fd, &in, &f, 1000, e) != 0)
		return (int)e->code;
	T_EQ(f.id, 7);
	if (f.op == FRAME_OK)
		return 0;
	msg_read(&m, f.body);
	msg_get_err(&m, e);
	return (int)e->code;
}

static int
hello(int fd, uint64_t epoch, const struct id *vault, struct err *e)
{
	AUTO(msg) m = { 0 };
	struct hello h = { .epoch = epoch, .vault = *vault };

	hello_put(&m, &h);
	return ask(fd, EGRESS_HELLO, &m, e);
}

static int
what_became_of(int fd, struct err *e)
{
	AUTO(msg) m = { 0 };
	struct id id = id_new();

	msg_put_id(&m, &id);
	return ask(fd, EGRESS_ATTEMPT, &m, e);
}

TEST(hello_comes_first_and_names_a_vault)
{
	struct id vault = id_new(), none = { { 0 } };
	struct err e;
	int fd;

	serve();
	fd = line();
	T_EQ(what_became_of(fd, &e), V_CONFLICT);
	T_HAS(e.text, "hello comes first");
	T_EQ(hello(fd, 5, &none, &e), 0);
	T_NE(what_became_of(fd, &e), 0);
	T_EQ(e.id, ERR_HSM_UNAVAILABLE);
	T_EQ(hello(fd, 5, &vault, &e), 0);
	T_EQ(what_became_of(fd, &e), 0);
	close(fd);
	server_stop(&rig.x);
	rig_done(&rig);
}

TEST(a_newer_vaultd_closes_the_older_line_and_an_older_one_is_refused)
{
	struct id vault = id_new();
	struct err e;
	int old, new, late;
	char byte;

	serve();
	old = line();
	T_EQ(hello(old, 5, &vault, &e), 0);
	new = line();
	T_EQ(hello(new, 6, &vault, &e), 0);
	T_EQ(recv(old, &byte, 1, MSG_DONTWAIT), 0);	/* closed, unread */
	late = line();
	T_EQ(hello(late, 5, &vault, &e), V_CONFLICT);
	T_HAS(e.text, "newer vaultd");
	T_EQ(what_became_of(late, &e), V_CONFLICT);
	T_EQ(what_became_of(new, &e), 0);		/* and does not disturb it */
	close(old);
	close(new);
	close(late);
	server_stop(&rig.x);
	rig_done(&rig);
}

TEST(lines_that_nobody_closes_do_not_pile_up)
{
	struct id vault = id_new();
	struct err e;
	int fd[40], first;
	char byte;

	serve();
	first = line();
	T_EQ(hello(first, 5, &vault, &e), 0);
	for (int i = 0; i < 40; i++) {
		fd[i] = line();
		turn();
	}
	T_EQ(recv(fd[0], &byte, 1, MSG_DONTWAIT), 0);		/* closed */
	T_EQ(recv(fd[39], &byte, 1, MSG_DONTWAIT), -1);
	T_EQ(what_became_of(first, &e), 0);			/* the one that speaks stays */
	for (int i = 0; i < 40; i++)
		close(fd[i]);
	close(first);
	server_stop(&rig.x);
	rig_done(&rig);
}

/* Memory that is short ends no line: what was asked meanwhile is answered after. */
TEST(a_shortage_of_memory_is_waited_out)
{
	static void *held[4096];
	struct id vault = id_new();
	AUTO(secret) in = { 0 };
	AUTO(msg) m = { 0 };
	struct frame f;
	struct err e;
	size_t n = 0;
	int fd;

	serve();
	fd = line();
	T_EQ(hello(fd, 5, &vault, &e), 0);
	secret_reserve(&in, 4096, &e);
	for (size_t each = 1 << 16; each >= 16; each /= 2)
		while ((held[n] = secret_alloc(each)) != NULL)
			T_OK(++n < 4096);
	for (int i = 0; i < 12; i++) {
		struct id id = id_new();

		msg_done(&m);
		m = (struct msg){ 0 };
		for (int k = 0; k < 700; k++)
			msg_put_id(&m, &id);
		f = (struct frame){ .id = 100 + (uint32_t)i, .op = EGRESS_ATTEMPT,
			.body = msg_slice(&m) };
		T_EQ(frame_send(fd, &f, 1000, &e), 0);
	}
	turn();
	while (n > 0)
		secret_free(held[--n]);
	for (int i = 0; i < 12; i++) {
		turn();
		T_DO(frame_recv(fd, &in, &f, 1000, &e), e);
		T_EQ(f.op, FRAME_ERR);
	}
	T_EQ(what_became_of(fd, &e), 0);
	close(fd);
	server_stop(&rig.x);
	rig_done(&rig);
}

int
main(void)
{
	struct err e;

	if (secret_arena_init(1 << 20, true, &e) != 0)
		return 1;
	return unit_run();
}

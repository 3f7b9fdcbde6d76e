/*
 * hsmtool.c - plays everything around vault-hsm for tests: its supervisor, vaultd and
 * vault-egress.
 *
 *	hsmtool run DIR PROGRAM [ARG...]	listens on DIR/from-vaultd.sock and
 *		DIR/from-egress.sock, starts PROGRAM with them and starts it again whenever
 *		it ends, 50 ms later. DIR/pid is the child, DIR/starts and DIR/ends get a
 *		line each time. SIGTERM and SIGHUP are passed on; SIGTERM ends it.
 *	hsmtool status SOCKET
 *	hsmtool await SOCKET STATE SECONDS
 *	hsmtool make SOCKET PURPOSE RECORD		-> "DEK WRAP" in hex
 *	hsmtool unwrap SOCKET PURPOSE RECORD WRAP	-> "DEK"
 *	hsmtool rewrap SOCKET PURPOSE RECORD WRAP	-> "WRAP"
 *	hsmtool edit WRAP OFFSET BYTE			-> WRAP with one byte changed
 *	hsmtool half SOCKET SECONDS	sends half a question and waits
 *	hsmtool garbage SOCKET		sends random bytes, many times
 *	hsmtool pair|public|destroy|jwt|tls|certify ...	see pairs.c
 *
 * PURPOSE is a number (1 grant, 2 release), RECORD 32 hex digits. An error is printed as
 * its wire name and text; exit status 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/keyline.h"
#include "tests/hsmtool/hsmtool.h"

static void
die(const char *what)
{
	perror(what);
	exit(2);
}

/* ---- run */

static volatile sig_atomic_t child, stopping;

static void
pass_on(int sig)
{
	if (sig == SIGTERM)
		stopping = 1;
	if (child > 0)
		kill(child, sig);
}

static int
listen_at(const char *dir, const char *name, int at)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sa.sun_path, sizeof sa.sun_path, "%s/%s.sock", dir, name);
	unlink(sa.sun_path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof sa) != 0 ||
	    listen(fd, 64) != 0)
		die(sa.sun_path);
	if (fd == at)
		return at;
	if (dup2(fd, at) != at)
		die("dup2");
	close(fd);
	return at;
}

static void
append(const char *dir, const char *name, const char *mode, long value)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	if ((f = fopen(path, mode)) == NULL)
		die(path);
	fprintf(f, "%ld\n", value);
	fclose(f);
}

static void
start(char **argv)
{
	char pid[24];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "2", 1);
	setenv("LISTEN_FDNAMES", "from-vaultd:from-egress", 1);
	execv(argv[0], argv);
	_exit(127);
}

static int
run(const char *dir, char **argv)
{
	struct sigaction sa = { .sa_handler = pass_on };

	listen_at(dir, "from-vaultd", 3);
	listen_at(dir, "from-egress", 4);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	while (!stopping) {
		int status;
		pid_t pid = fork();

		if (pid == 0)
			start(argv);
		child = pid;
		append(dir, "pid", "w", pid);
		append(dir, "starts", "a", pid);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		child = 0;
		append(dir, "ends", "a",
		    WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status));
		usleep(50000);
	}
	return 0;
}

/* ---- questions */

int
say(const struct err *e)
{
	printf("error %s: %s\n", err_row_of(e)->name, e->text);
	return 1;
}

struct id
record(const char *text)
{
	struct id id;

	if (!id_parse(text, &id)) {
		fprintf(stderr, "hsmtool: RECORD must be 32 hex digits\n");
		exit(2);
	}
	return id;
}

void
print_hex(const void *p, size_t n, const char *after)
{
	char hex[2 * 1024 + 1];

	must(n <= 1024);
	hex_encode(p, n, hex);
	printf("%s%s", hex, after);
}

static struct buf
unhex(const char *text)
{
	struct buf b = { 0 };

	for (; text[0] != '\0' && text[1] != '\0'; text += 2) {
		char two[3] = { text[0], text[1], '\0' };
		unsigned char c = (unsigned char)strtoul(two, NULL, 16);

		buf_add(&b, &c, 1);
	}
	return b;
}

static int
ask_status(struct keyline *k, struct key_status *ret, struct err *e)
{
	AUTO(secret) in = { 0 };
	AUTO(msg) q = { 0 };
	struct slice body;

	if (keyline_call(k, KEY_STATUS, &q, 2000, &in, &body, e) != 0)
		return e->code;
	return key_status_get(body, ret, e);
}

static int
status(struct keyline *k)
{
	struct key_status s;
	char vault[ID_TEXT];
	struct err e;

	if (ask_status(k, &s, &e) != 0)
		return say(&e);
	id_text(&s.vault, vault);
	printf("state=%s vault=%s token=%s mechanism=0x%x made=%llu unwrapped=%llu "
	    "refused=%llu keks=%zu text=%s\n", key_state_name(s.state), vault, s.token,
	    s.mechanism, (unsigned long long)s.made, (unsigned long long)s.unwrapped,
	    (unsigned long long)s.refused, s.n, s.text);
	for (size_t i = 0; i < s.n; i++)
		printf("kek %s purpose=%d generation=%u current=%d\n", s.kek[i].id,
		    s.kek[i].purpose, s.kek[i].generation, s.kek[i].current);
	return 0;
}

static int
await(struct keyline *k, const char *state, int seconds)
{
	struct key_status s = { 0 };
	struct err e = { 0 };

	for (int i = 0; i < seconds * 20; i++) {
		if (ask_status(k, &s, &e) == 0 && strcmp(key_state_name(s.state), state) == 0)
			return 0;
		usleep(50000);
	}
	printf("never %s: last %s %s %s\n", state, key_state_name(s.state), s.text, e.text);
	return 1;
}

static int
make(struct keyline *k, int purpose, const char *rec)
{
	struct id id = record(rec);
	AUTO(secret) dek = { 0 };
	AUTO(buf) wrap = { 0 };
	struct err e;

	if (keyline_make(k, purpose, &id, &dek, &wrap, &e) != 0)
		return say(&e);
	print_hex(dek.p, dek.len, " ");
	print_hex(wrap.p, wrap.len, "\n");
	return 0;
}

static int
with_wrap(struct keyline *k, enum key_op op, int purpose, const char *rec, const char *hex)
{
	struct id id = record(rec);
	AUTO(buf) wrap = unhex(hex);
	AUTO(secret) in = { 0 };
	AUTO(msg) q = { 0 };
	struct slice body;
	struct err e;
	struct msg m;

	key_unwrap_put(&q, purpose, &id, buf_slice(&wrap));
	if (keyline_call(k, op, &q, 10000, &in, &body, &e) != 0)
		return say(&e);
	msg_read(&m, body);
	body = msg_get_slice(&m);
	if (msg_end(&m, "answer", &e) != 0)
		return say(&e);
	print_hex(body.p, body.len, "\n");
	return 0;
}

static int
edit(const char *hex, size_t offset, const char *byte)
{
	AUTO(buf) wrap = unhex(hex);

	must(offset < wrap.len);
	wrap.p[offset] = (unsigned char)strtoul(byte, NULL, 0);
	print_hex(wrap.p, wrap.len, "\n");
	return 0;
}

static int
dial(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sa.sun_path, sizeof sa.sun_path, "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof sa) != 0)
		die(path);
	return fd;
}

static int
half(const char *path, unsigned seconds)
{
	if (write(dial(path), "\0\0\0\x20\0\0", 6) != 6)
		die(path);
	sleep(seconds);
	return 0;
}

/* Half of it in good frames, so that it gets past the first check. */
static int
garbage(const char *path)
{
	for (int i = 0; i < 200; i++) {
		AUTO(buf) out = { 0 };
		unsigned char junk[120];
		struct frame f = { .op = (uint16_t)(i % 6), .body = { junk, (size_t)i % 120 } };
		int fd = dial(path);

		random_bytes(junk, sizeof junk);
		must(frame_pack(&out, &f));
		if (send(fd, out.p, out.len, MSG_NOSIGNAL) < 0 ||
		    (i % 2 == 0 && send(fd, junk, sizeof junk, MSG_NOSIGNAL) < 0))
			die(path);
		if (i % 3 != 0)
			(void)!recv(fd, junk, sizeof junk, 0);
		close(fd);
	}
	return 0;
}

int
main(int argc, char **argv)
{
	const char *op = argc > 1 ? argv[1] : "";
	struct keyline k;
	struct err e;

	if (strcmp(op, "run") == 0 && argc > 3)
		return run(argv[2], argv + 3);
	if (strcmp(op, "edit") == 0 && argc == 5)
		return edit(argv[2], strtoul(argv[3], NULL, 0), argv[4]);
	if (strcmp(op, "half") == 0 && argc == 4)
		return half(argv[2], (unsigned)atoi(argv[3]));
	if (strcmp(op, "garbage") == 0 && argc == 3)
		return garbage(argv[2]);
	if (argc < 3 || secret_arena_init(262144, true, &e) != 0)
		return 2;
	keyline_init(&k, argv[2]);
	if (strcmp(op, "status") == 0 && argc == 3)
		return status(&k);
	if (strcmp(op, "await") == 0 && argc == 5)
		return await(&k, argv[3], atoi(argv[4]));
	if (strcmp(op, "make") == 0 && argc == 5)
		return make(&k, atoi(argv[3]), argv[4]);
	if (strcmp(op, "unwrap") == 0 && argc == 6)
		return with_wrap(&k, KEY_UNWRAP, atoi(argv[3]), argv[4], argv[5]);
	if (strcmp(op, "rewrap") == 0 && argc == 6)
		return with_wrap(&k, KEY_REWRAP, atoi(argv[3]), argv[4], argv[5]);
	if (argc > 3)
		return pair_command(&k, op, argc - 3, argv + 3);
	fprintf(stderr, "usage: see the top of hsmtool.c\n");
	return 2;
}

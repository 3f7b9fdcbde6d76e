/* The spine is played here: a message says what becomes of it ("now:ANSWER", "wait:ANSWER",
 * "big:BYTES", "change:BYTES", "bad", "oom", "mute"). */
#include "tests/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/errors.h"
#include "common/json.h"
#include "common/role.h"
#include "vaultd/conn.h"
#include "vaultd/request.h"
#include "vaultd/varlink.h"
#include "vaultd/vault.h"

static struct vault vault;
static struct peer peer;
static bool peer_known, subject_named;
static unsigned started, freed;
static struct request *waiting[4096];
static size_t nwaiting;

int
peer_of(int fd, struct peer *ret, struct err *e)
{
	(void)fd;
	if (!peer_known)
		return err_set(e, V_DENIED, "more than 64 groups");
	*ret = peer;
	return 0;
}

bool
policy_names_subject(const struct policy *p, const struct policy_subject *s)
{
	(void)p;
	(void)s;
	return subject_named;
}

static void
answer(struct request *r)
{
	r->ready = true;
	conn_ready(r->conn, r);
}

bool
request_next(struct request *r)
{
	(void)r;
	return false;
}

static const struct verb verb_read, verb_change = { .flags = VERB_CHANGE };

static struct request *
enqueue(struct vault *v, struct conn *c)
{
	struct request *r = calloc(1, sizeof *r);

	r->vault = v;
	r->conn = c;
	r->verb = &verb_read;
	conn_enqueue(c, r);
	return r;
}

static void
fill(struct request *r, size_t n)
{
	memset(buf_room(&r->out, n), 'x', n);
	r->out.len = n;
	r->out.p[n - 1] = '\0';
}

bool
request_start(struct vault *v, struct conn *c, char *text, size_t len)
{
	struct request *r;

	started++;
	T_EQ(text[len], '\0');
	if (strcmp(text, "oom") == 0)
		return false;
	r = enqueue(v, c);
	if (strcmp(text, "bad") == 0 || len == 0)
		return false;
	if (strncmp(text, "wait:", 5) == 0) {
		buf_add(&r->out, text + 5, len - 4);
		waiting[nwaiting++] = r;
		return true;
	}
	if (strncmp(text, "now:", 4) == 0)
		buf_add(&r->out, text + 4, len - 3);
	else if (strncmp(text, "big:", 4) == 0)
		fill(r, strtoul(text + 4, NULL, 10));
	else if (strncmp(text, "change:", 7) == 0)
		fill(r, strtoul(text + 7, NULL, 10));
	if (strncmp(text, "change:", 7) == 0)
		r->verb = &verb_change;
	answer(r);
	return true;
}

bool
request_refuse(struct vault *v, struct conn *c, const struct err *e)
{
	struct request *r = enqueue(v, c);

	r->err = *e;
	varlink_error(&r->out, e, "");
	answer(r);
	return true;
}

void
request_free(struct request *r)
{
	freed++;
	buf_done(&r->out);
	free(r);
}

/* ---- the stage */

static const struct limits_conf roomy = {
	.connections_per_uid = 10, .connections = 10, .inflight_per_uid = 1000,
	.bytes_per_uid = 16 << 20, .bytes = 64 << 20,
};

static void
setup(const struct limits_conf *conf)
{
	memset(&vault, 0, sizeof vault);
	vault.base = event_base_new();
	vault.operator_gid = (gid_t)-1;
	limits_init(&vault.limits, conf);
	peer = (struct peer){ .uid = 1000, .gid = 1000, .gids = { 1000 }, .ngids = 1 };
	peer_known = subject_named = true;
	started = freed = 0;
	nwaiting = 0;
}

static void
teardown(void)
{
	struct bucket *b = limits_bucket(&vault.limits, 1000, true);

	conn_close_all(&vault);
	T_EQ(b->connections, 0);
	T_EQ(b->inflight, 0);
	T_EQ(b->bytes, 0);
	T_EQ(vault.limits.connections, 0);
	limits_done(&vault.limits);
	event_base_free(vault.base);
}

/* Some turns of the daemon's loop. */
static void
turns(int n)
{
	while (n-- > 0) {
		event_base_loop(vault.base, EVLOOP_NONBLOCK);
		conn_flush_all(&vault);
	}
}

/* A client's end; its connection is vault.conns. */
static int
client(void)
{
	int fd[2];

	T_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	fcntl(fd[1], F_SETFL, O_NONBLOCK);
	fcntl(fd[0], F_SETFL, O_NONBLOCK);
	conn_accept(&vault, fd[1]);
	return fd[0];
}

static void
say(int fd, const char *text)	/* ';' stands for NUL */
{
	char *copy = strdup(text);
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		if (copy[i] == ';')
			copy[i] = '\0';
	T_EQ(send(fd, copy, n, MSG_NOSIGNAL), (ssize_t)n);
	free(copy);
}

static char *
heard(int fd)	/* NUL shown as ';', the end as '.' */
{
	static char text[8192];
	ssize_t n;
	size_t len = 0;

	while ((n = recv(fd, text + len, sizeof text - 2 - len, 0)) > 0)
		len += (size_t)n;
	for (size_t i = 0; i < len; i++)
		if (text[i] == '\0')
			text[i] = ';';
	if (n == 0 || errno == ECONNRESET)
		text[len++] = '.';
	text[len] = '\0';
	return text;
}

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* ---- in and out */

TEST(one_call_one_answer)
{
	int a;

	setup(&roomy);
	a = client();
	say(a, "now:one;");
	turns(1);
	T_STR(heard(a), "one;");
	T_OK(vault.conns->in.p == NULL && vault.conns->charged == 0);	/* idle costs nothing */
	close(a);
	turns(1);
	T_OK(vault.conns == NULL);
	teardown();
}

TEST(messages_in_pieces_and_in_heaps)
{
	int a;

	setup(&roomy);
	a = client();
	say(a, "now:o");
	turns(2);
	T_STR(heard(a), "");
	say(a, "ne;now:two;now:th");
	turns(2);
	T_STR(heard(a), "one;two;");
	say(a, "ree;");
	turns(2);
	T_STR(heard(a), "three;");
	close(a);
	teardown();
}

TEST(answers_leave_in_call_order)
{
	int a;

	setup(&roomy);
	a = client();
	say(a, "wait:one;now:two;wait:three;now:four;");
	turns(2);
	T_EQ(started, 4);
	T_STR(heard(a), "");
	answer(waiting[1]);
	turns(1);
	T_STR(heard(a), "");
	answer(waiting[0]);
	turns(1);
	T_STR(heard(a), "one;two;three;four;");
	T_EQ(freed, 4);
	close(a);
	teardown();
}

TEST(a_client_that_only_stopped_sending_gets_its_answers)
{
	int a;

	setup(&roomy);
	a = client();
	say(a, "wait:one;now:two;now:cut");
	shutdown(a, SHUT_WR);
	turns(3);
	T_STR(heard(a), "");
	answer(waiting[0]);
	turns(1);
	T_STR(heard(a), "one;two;.");
	T_OK(vault.conns == NULL);
	T_EQ(started, 2);
	close(a);
	teardown();
}

TEST(after_nonsense_earlier_calls_are_answered_and_nothing_else)
{
	static const char *const said[] = { "wait:one;bad;now:two;", "wait:one;;now:two;",
		"wait:one;oom;now:two;" };

	for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
		int a;

		setup(&roomy);
		a = client();
		say(a, said[i]);
		turns(2);
		T_EQ(started, 2);
		answer(waiting[0]);
		turns(2);
		T_STR(heard(a), "one;.");
		T_OK(vault.conns == NULL);
		close(a);
		teardown();
	}
}

TEST(nonsense_alone_ends_the_connection)
{
	int a;

	setup(&roomy);
	a = client();
	say(a, "bad;");
	turns(1);
	T_STR(heard(a), ".");
	T_OK(vault.conns == NULL);
	close(a);
	teardown();
}

TEST(an_answer_that_memory_did_not_suffice_for_ends_the_connection)
{
	int a;

	setup(&roomy);
	a = client();
	say(a, "mute;now:two;");
	turns(2);
	T_STR(heard(a), ".");
	T_OK(vault.conns == NULL);
	close(a);
	teardown();
}

/* ---- bounds */

static void
send_long(int fd, size_t n, bool end)
{
	char chunk[4096];

	memset(chunk, 'a', sizeof chunk);
	while (n > 0) {
		size_t want = n < sizeof chunk ? n : sizeof chunk;
		ssize_t k;

		if (end && want == n)
			chunk[want - 1] = '\0';
		k = send(fd, chunk, want, MSG_NOSIGNAL);
		if (k > 0)
			n -= (size_t)k;
		else if (vault.conns == NULL || vault.conns->closing)
			return;
		turns(1);
	}
}

TEST(the_longest_message)
{
	int a;

	setup(&roomy);
	a = client();
	say(a, "now:");
	send_long(a, MESSAGE_MAX - 4, true);
	turns(2);
	T_EQ(started, 1);
	T_OK(vault.conns != NULL && !vault.conns->closing);
	close(a);
	teardown();
}

TEST(a_longer_one_is_refused_in_its_turn)
{
	for (int end = 0; end < 2; end++) {
		char *text;
		int a;

		setup(&roomy);
		a = client();
		say(a, "wait:one;");
		turns(1);
		say(a, "xyz");		/* the NUL comes with the byte too many */
		send_long(a, MESSAGE_MAX + 1 - 3, end);
		turns(2);
		T_EQ(started, 1);
		T_STR(heard(a), "");
		answer(waiting[0]);
		turns(2);
		text = heard(a);
		T_EQ(strncmp(text, "one;{\"error\":\"vaultd.Vault.LimitExceeded\"", 41), 0);
		T_EQ(text[strlen(text) - 1], '.');
		T_OK(vault.conns == NULL);
		close(a);
		teardown();
	}
}

TEST(a_full_pipeline_reads_no_more_and_goes_on_later)
{
	char all[8192] = "", want[8192] = "", one[32];
	unsigned before;
	int a;

	setup(&roomy);
	a = client();
	for (int i = 0; i < 200; i++) {
		snprintf(one, sizeof one, "wait:%d;", i);
		strcat(all, one);
		snprintf(one, sizeof one, "%d;", i);
		strcat(want, one);
	}
	say(a, all);
	shutdown(a, SHUT_WR);
	turns(5);
	T_EQ(started, PIPELINE_MAX);
	for (size_t i = 0; i < 200; i++) {
		T_OK(i < nwaiting);
		answer(waiting[i]);
		before = started;
		conn_flush_all(&vault);
		T_EQ(started, before);	/* never between the journal's turn and the next */
		turns(1);
	}
	T_EQ(started, 200);
	T_STR(heard(a), strcat(want, "."));
	close(a);
	teardown();
}

TEST(a_slow_reader_is_waited_for)
{
	size_t got = 0;
	char chunk[65536];
	ssize_t n;
	int a;

	setup(&roomy);
	a = client();
	say(a, "big:1000000;big:1000000;now:end;");
	turns(3);
	T_OK(vault.conns->first != NULL);
	for (int i = 0; i < 1000 && got < 2000004; i++) {
		while ((n = recv(a, chunk, sizeof chunk, 0)) > 0)
			got += (size_t)n;
		turns(1);
	}
	T_EQ(got, 2000004);
	T_OK(vault.conns->first == NULL);
	close(a);
	teardown();
}

TEST(a_reader_that_leaves_in_the_middle)
{
	int a;

	setup(&roomy);
	a = client();
	say(a, "big:1000000;wait:two;");
	turns(2);
	close(a);
	turns(3);
	T_OK(vault.conns != NULL);	/* one call is still in flight */
	answer(waiting[0]);
	turns(1);
	T_OK(vault.conns == NULL);
	T_EQ(freed, 2);
	teardown();
}

/* Its last answer leaves by an event while it is on the list of the end of the pass. */
TEST(a_slow_reader_that_ends_within_a_pass)
{
	char chunk[65536], last = '?';
	ssize_t n;
	int a;

	setup(&roomy);
	a = client();
	say(a, "big:300000;wait:end;");
	shutdown(a, SHUT_WR);
	turns(2);
	while (recv(a, chunk, sizeof chunk, 0) > 0)
		;
	answer(waiting[0]);
	event_base_loop(vault.base, EVLOOP_NONBLOCK);
	T_OK(vault.conns != NULL && vault.conns->dirty);
	conn_flush_all(&vault);
	T_OK(vault.conns == NULL);
	while ((n = recv(a, chunk, sizeof chunk, 0)) > 0)
		last = n > 1 ? chunk[n - 2] : last;
	T_EQ(n, 0);
	T_EQ(last, 'd');
	close(a);
	teardown();
}

TEST(connections_over_the_bound_are_told)
{
	struct limits_conf conf = roomy;
	char *text;
	int a, b;

	conf.connections_per_uid = 1;
	setup(&conf);
	a = client();
	b = client();
	text = heard(b);
	T_HAS(text, "\"vaultd.Vault.Busy\"");
	T_EQ(text[strlen(text) - 1], '.');
	say(a, "now:one;");
	turns(1);
	T_STR(heard(a), "one;");
	close(a);
	close(b);
	turns(1);
	a = client();
	T_OK(vault.conns != NULL);
	close(a);
	teardown();
}

TEST(unnamed_uids_share_a_bound)
{
	struct limits_conf conf = roomy;
	int a, b;

	conf.connections_per_uid = 1;
	setup(&conf);
	subject_named = false;
	a = client();
	peer.uid = 1001;
	b = client();
	T_HAS(heard(b), "of users that no policy names");
	peer.uid = 0;			/* an operator is never unnamed */
	close(b);
	b = client();
	T_STR(heard(b), "");
	T_OK(vault.conns->operator);
	close(a);
	close(b);
	turns(1);
	T_OK(vault.conns == NULL);
	teardown();
}

TEST(operators_by_group)
{
	int a;

	setup(&roomy);
	a = client();
	T_NOT(vault.conns->operator);
	vault.operator_gid = 1000;
	close(a);
	a = client();
	T_OK(vault.conns->operator);
	close(a);
	teardown();
}

TEST(who_cannot_be_known_is_told_why)
{
	char *text;
	int a;

	setup(&roomy);
	peer_known = false;
	a = client();
	text = heard(a);
	T_HAS(text, "\"vaultd.Vault.IdentityUnknown\"");
	T_HAS(text, "more than 64 groups");
	T_OK(vault.conns == NULL);
	close(a);
	teardown();
}

TEST(calls_over_the_bound_are_answered_busy_in_their_turn)
{
	struct limits_conf conf = roomy;
	char *text;
	int a;

	conf.inflight_per_uid = 2;
	setup(&conf);
	a = client();
	say(a, "wait:one;wait:two;now:three;");
	turns(1);
	T_EQ(started, 2);
	answer(waiting[0]);
	answer(waiting[1]);
	turns(1);
	text = heard(a);
	T_EQ(strncmp(text, "one;two;{\"error\":\"vaultd.Vault.Busy\"", 36), 0);
	say(a, "now:four;");
	turns(1);
	T_STR(heard(a), "four;");
	close(a);
	teardown();
}

TEST(answers_over_the_bound)
{
	struct limits_conf conf = roomy;
	int a;

	conf.bytes_per_uid = 40000;
	setup(&conf);
	a = client();
	say(a, "big:100000;");
	turns(1);
	T_HAS(heard(a), "\"vaultd.Vault.LimitExceeded\"");
	say(a, "wait:x;change:100000;big:20000;");
	turns(1);
	answer(waiting[0]);
	turns(1);
	T_HAS(heard(a), "xxxxxxxx");		/* what was changed is said */
	close(a);
	teardown();
}

TEST(input_over_the_bound)
{
	struct limits_conf conf = roomy;
	char *text;
	int a;

	conf.bytes_per_uid = 10000;
	setup(&conf);
	a = client();
	send_long(a, 100000, false);
	turns(1);
	text = heard(a);
	T_HAS(text, "\"vaultd.Vault.Busy\"");
	T_EQ(text[strlen(text) - 1], '.');
	close(a);
	turns(1);
	T_OK(vault.conns == NULL);
	teardown();
}

/* ---- who left */

/* The trap: the descriptor of a client that left is closed, the next client gets its
 * number, and then the answer. */
static void
reused_descriptor(const char *first_words)
{
	int a, b, fd;

	setup(&roomy);
	a = client();
	say(a, first_words);
	turns(2);
	fd = vault.conns->fd;
	close(a);
	turns(3);
	T_OK(is_open(fd));
	b = client();
	T_NE(vault.conns->fd, fd);
	say(b, "wait:for b;");
	turns(1);
	answer(waiting[0]);
	turns(2);
	T_STR(heard(b), "");
	T_NOT(is_open(fd));
	answer(waiting[1]);
	turns(1);
	T_STR(heard(b), "for b;");
	close(b);
	teardown();
}

TEST(an_answer_never_reaches_another_client)
{
	reused_descriptor("wait:secret of a;");			/* the end was read */
	reused_descriptor("big:1000000;wait:secret of a;");	/* sending failed */
	reused_descriptor("now:unread;wait:secret of a;");	/* reading failed */
}

TEST(a_client_that_leaves_while_its_answer_is_ready)
{
	int a;

	setup(&roomy);
	a = client();
	say(a, "wait:one;wait:two;");
	turns(1);
	answer(waiting[0]);		/* on the dirty list, not sent yet */
	close(a);
	turns(2);
	T_EQ(freed, 1);
	answer(waiting[1]);
	turns(1);
	T_OK(vault.conns == NULL);
	T_EQ(freed, 2);
	teardown();
}

/* ---- all of it at once, by chance but the same every time */

struct player {
	int		 fd;
	unsigned	 serial, said, heard;
	char		 out[64], in[64];
	size_t		 left, got;		/* of out, to be sent; in `in` */
};

static void
player_joins(struct player *p)
{
	static unsigned serials;

	*p = (struct player){ .fd = client(), .serial = ++serials };
}

static void
player_says(struct player *p, unsigned dice)
{
	size_t n = strlen(p->out) + 1, k;
	ssize_t sent;

	if (p->left == 0) {
		snprintf(p->out, sizeof p->out, "%s:%u-%u", dice & 1 ? "now" : "wait",
		    p->serial, p->said++);
		p->left = n = strlen(p->out) + 1;
	}
	k = dice & 2 ? p->left : 1 + (dice >> 2) % p->left;
	sent = send(p->fd, p->out + n - p->left, k, MSG_NOSIGNAL);
	p->left -= sent > 0 ? (size_t)sent : 0;
}

static void
player_hears(struct player *p)
{
	char want[64];

	while (recv(p->fd, p->in + p->got, 1, 0) == 1)
		if (p->in[p->got++] == '\0') {
			snprintf(want, sizeof want, "%u-%u", p->serial, p->heard++);
			T_STR(p->in, want);
			p->got = 0;
		}
}

static void
answer_one(unsigned dice)
{
	size_t i = nwaiting == 0 ? 0 : dice % nwaiting;

	if (nwaiting == 0)
		return;
	answer(waiting[i]);
	waiting[i] = waiting[--nwaiting];
}

TEST(everybody_gets_their_own_answers_in_order)
{
	struct limits_conf conf = roomy;
	struct player p[8];
	unsigned seed = 1, heard_in_all = 0;

	conf.connections = conf.connections_per_uid = 1000;
	conf.inflight_per_uid = 100000;
	setup(&conf);
	for (int i = 0; i < 8; i++)
		player_joins(&p[i]);
	for (int step = 0; step < 100000; step++) {
		unsigned dice = (unsigned)rand_r(&seed);
		struct player *one = &p[dice % 8];

		if (dice / 8 % 1000 == 0) {
			heard_in_all += one->heard;
			close(one->fd);
			player_joins(one);
		} else if (dice / 8 % 8 == 1) {
			turns(1);
		} else if (dice / 8 % 8 < 4 || nwaiting > 3000) {
			answer_one((unsigned)rand_r(&seed));
		} else if (dice / 8 % 8 == 4) {
			player_hears(one);
		} else {
			player_says(one, (unsigned)rand_r(&seed));
		}
	}
	while (nwaiting > 0)
		answer_one(0);
	for (int i = 0; i < 8; i++) {
		turns(20);
		player_hears(&p[i]);
		heard_in_all += p[i].heard;
		close(p[i].fd);
	}
	turns(3);
	T_OK(heard_in_all > 10000);
	T_OK(vault.conns == NULL);
	teardown();
}

TEST(at_the_end_everything_is_freed)
{
	int a, b;

	setup(&roomy);
	a = client();
	b = client();
	say(a, "wait:one;now:two;");
	say(b, "now:three;par");
	event_base_loop(vault.base, EVLOOP_NONBLOCK);
	teardown();
	T_EQ(freed, 3);
	close(a);
	close(b);
}

int
main(void)
{
	json_wiping_allocator();
	return unit_run();
}

/*
 * test-rig.h - what tests of vault-egress stand on: a vault-hsm that is a thread, and a
 * provider that is `openssl s_server` with a script. Everything is in a directory of its
 * own and on the loopback.
 */
#pragma once

#include "tests/unit.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <arpa/inet.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/json.h"
#include "egress/destination.h"
#include "egress/egress.h"
#include "egress/http.h"
#include "egress/ops.h"
#include "egress/spool.h"
#include "egress/work.h"

#define RIG_MASK 0x5a		/* the fake's whole cryptography */

struct rig {
	char		 dir[64];
	int		 port;
	struct egress	 x;
	pthread_t	 hsm, provider;
	int		 hsm_fd;
	atomic_bool	 hsm_away;
	atomic_uint	 made, unwrapped;
	_Atomic pid_t	 server;
	int		 to;
	char		 request[64];		/* path of what the provider read */
	const char	*answer, *second;
	/* What happens between the whole request and the answer. */
	void		(*meanwhile)(struct rig *r);
	char		 ca[80], state[80], catalogue[80], address[16];
	char		*addresses[1];
};

/* ---- vault-hsm: a wrap is purpose | record | masked key */

static inline void
rig_wrap(uint8_t purpose, const struct id *record, const unsigned char *dek,
    unsigned char out[49])
{
	out[0] = purpose;
	memcpy(out + 1, record->b, 16);
	for (int i = 0; i < 32; i++)
		out[17 + i] = dek[i] ^ RIG_MASK;
}

static inline void
rig_hsm_answer(struct rig *r, const struct frame *q, struct msg *m, struct err *e)
{
	unsigned char dek[32], wrap[49];
	struct msg in;
	uint8_t purpose;
	struct id record;
	struct slice w;

	msg_read(&in, q->body);
	purpose = msg_get_u8(&in);
	record = msg_get_id(&in);
	if (q->op == KEY_MAKE) {
		random_bytes(dek, sizeof dek);
		rig_wrap(purpose, &record, dek, wrap);
		msg_put_bytes(m, dek, sizeof dek);
		msg_put_bytes(m, wrap, sizeof wrap);
		r->made++;
		return;
	}
	w = msg_get_slice(&in);
	if (w.len != sizeof wrap || *(const uint8_t *)w.p != purpose ||
	    memcmp((const char *)w.p + 1, record.b, 16) != 0) {
		err_name(e, ERR_HSM_REFUSED, "the wrap is for another record or purpose");
		return;
	}
	for (int i = 0; i < 32; i++)
		dek[i] = ((const unsigned char *)w.p)[17 + i] ^ RIG_MASK;
	msg_put_bytes(m, dek, sizeof dek);
	r->unwrapped++;
}

static inline void
rig_hsm_line(struct rig *r, int fd)
{
	AUTO(secret) in = { 0 };
	struct frame q;
	struct err e;

	while (!r->hsm_away && frame_recv(fd, &in, &q, 60000, &e) == 0) {
		AUTO(msg) m = { 0 }, bad = { 0 };
		struct err why = { 0 };
		struct frame a = { .id = q.id };

		if (r->hsm_away)
			break;
		rig_hsm_answer(r, &q, &m, &why);
		if (why.code != 0)
			msg_put_err(&bad, &why);
		a.op = why.code != 0 ? FRAME_ERR : FRAME_OK;
		a.body = msg_slice(why.code != 0 ? &bad : &m);
		frame_send(fd, &a, 1000, &e);
	}
	close(fd);
}

static inline void *
rig_hsm(void *arg)
{
	struct rig *r = arg;
	int fd;

	while ((fd = accept4(r->hsm_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		rig_hsm_line(r, fd);
	return NULL;
}

/* ---- the provider */

/* Where the request ends: its body is as long as it says. NULL: it is not whole. */
static inline const char *
rig_end(const char *text)
{
	const char *end = strstr(text, "\r\n\r\n"), *len = strcasestr(text, "content-length:");
	size_t n = len == NULL ? 0 : strtoul(len + 15, NULL, 10);

	return end == NULL || strlen(end + 4) < n ? NULL : end + 4 + n;
}

static inline void
rig_request(const struct rig *r, char *out, size_t cap)
{
	AUTO_CLOSE int fd = open(r->request, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, out, cap - 1);

	out[n < 0 ? 0 : n] = '\0';
}

/* Until N whole requests were read. */
static inline bool
rig_await(struct rig *r, int n)
{
	char text[16384];

	for (int i = 0; i < 3000; i++) {
		const char *at = text;

		rig_request(r, text, sizeof text);
		for (int k = 0; k < n && at != NULL; k++)
			at = rig_end(at);
		if (at != NULL)
			return true;
		if (r->server == 0 || waitpid(r->server, NULL, WNOHANG) == r->server) {
			r->server = 0;
			return false;
		}
		usleep(2000);
	}
	return false;
}

static inline void *
rig_provider(void *arg)
{
	struct rig *r = arg;
	bool whole = rig_await(r, 1);

	if (r->meanwhile != NULL && whole)
		r->meanwhile(r);
	if (r->answer != NULL && write(r->to, r->answer, strlen(r->answer)) < 0)
		perror("provider");
	if (r->second != NULL && rig_await(r, 2) &&
	    write(r->to, r->second, strlen(r->second)) < 0)
		perror("provider");
	if (r->answer == NULL && r->server > 0)
		kill(r->server, SIGKILL);
	close(r->to);
	return NULL;
}

static inline bool
rig_listening(int port)
{
	AUTO_CLOSE int fd = open("/proc/net/tcp", O_RDONLY | O_CLOEXEC);
	static char text[1 << 20];
	char want[64];
	ssize_t n = read(fd, text, sizeof text - 1);

	text[n < 0 ? 0 : n] = '\0';
	snprintf(want, sizeof want, "0100007F:%04X 00000000:0000 0A", port);
	return strstr(text, want) != NULL;
}

/* Reads a request, says ANSWER (NULL = dies instead); SECOND: to one more connection. */
static inline void
rig_serve_two(struct rig *r, const char *answer, const char *second)
{
	char accept[32], key[80];
	int in[2], out;

	snprintf(accept, sizeof accept, "127.0.0.1:%d", r->port);
	snprintf(key, sizeof key, "%s/key.pem", r->dir);
	T_EQ(pipe2(in, O_CLOEXEC), 0);
	out = open(r->request, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	r->server = fork();
	if (r->server == 0) {
		dup2(in[0], 0);
		dup2(out, 1);
		dup2(open("/dev/null", O_WRONLY), 2);
		execlp("openssl", "openssl", "s_server", "-accept", accept, "-naccept",
		    second != NULL ? "2" : "1", "-quiet", "-key", key, "-cert", r->ca, (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out);
	r->to = in[1];
	r->answer = answer;
	r->second = second;
	for (int i = 0; i < 1000 && !rig_listening(r->port); i++)
		usleep(2000);
	T_EQ(pthread_create(&r->provider, NULL, rig_provider, r), 0);
}

static inline void
rig_serve(struct rig *r, const char *answer)
{
	rig_serve_two(r, answer, NULL);
}

/* Ends the provider. What it was sent is in TEXT (may be NULL). */
static inline void
rig_served(struct rig *r, char *text, size_t cap)
{
	for (int i = 0; i < 3000 && r->server > 0; i++) {
		if (waitpid(r->server, NULL, WNOHANG) != 0)
			r->server = 0;
		else if (i == 1000)
			kill(r->server, SIGKILL);
		usleep(1000);
	}
	pthread_join(r->provider, NULL);
	r->server = 0;
	r->meanwhile = NULL;
	if (text != NULL)
		rig_request(r, text, cap);
}

/* ---- the whole */

static inline void
rig_write(const char *dir, const char *name, const char *text)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	f = fopen(path, "w");
	T_OK(f != NULL);
	fputs(text, f);
	fclose(f);
}

static inline int
rig_free_port(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t n = sizeof sa;
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	T_EQ(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	T_EQ(getsockname(fd, (struct sockaddr *)&sa, &n), 0);
	return ntohs(sa.sin_port);
}

static inline void
rig_start_hsm(struct rig *r)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	snprintf(sa.sun_path, sizeof sa.sun_path, "%s/hsm.sock", r->dir);
	r->hsm_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	T_EQ(bind(r->hsm_fd, (struct sockaddr *)&sa, sizeof sa), 0);
	T_EQ(listen(r->hsm_fd, 4), 0);
	T_EQ(pthread_create(&r->hsm, NULL, rig_hsm, r), 0);
	keyline_init(&r->x.keys, sa.sun_path);
}

static const char rig_connector[] = "{\"id\":\"test\",\"name\":\"Test\",\"version\":1,"
    "\"auth_types\":[\"oauth2_code\",\"pat\"],"
    "\"authorization_url\":\"https://127.0.0.1:%d/auth\","
    "\"token_url\":\"https://{host}:%d/token\","
    "\"revocation_url\":\"https://127.0.0.1:%d/revoke\",\"revoke\":\"rfc7009\","
    "\"probe_url\":\"https://127.0.0.1:%d/me\","
    "\"variables\":{\"host\":{\"default\":\"127.0.0.1\"}},"
    "\"scopes_mandatory\":[\"files\"],\"client_auth\":\"post\",\"refresh\":\"rotating\"}";

static inline void
rig_new(struct rig *r)
{
	char command[400], text[2048];
	struct err e = { 0 };

	*r = (struct rig){ 0 };
	unit_dir("egress", r->dir);
	r->port = rig_free_port();
	snprintf(r->ca, sizeof r->ca, "%s/cert.pem", r->dir);
	snprintf(r->request, sizeof r->request, "%.40s/request", r->dir);
	snprintf(r->catalogue, sizeof r->catalogue, "%s/connectors", r->dir);
	snprintf(command, sizeof command, "mkdir %s && openssl req -x509 -newkey ec -pkeyopt "
	    "ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test -addext "
	    "subjectAltName=IP:127.0.0.1 -keyout %s/key.pem -out %s 2>/dev/null", r->catalogue,
	    r->dir, r->ca);
	T_EQ(system(command), 0);
	snprintf(text, sizeof text, rig_connector, r->port, r->port, r->port, r->port);
	rig_write(r->catalogue, "test.json", text);
	T_DO(catalogue_load(r->catalogue, &r->x.catalogue, &e), e);
	snprintf(r->address, sizeof r->address, "127.0.0.1");
	r->addresses[0] = r->address;
	r->x.conf = (struct config){ .state_dir = r->dir, .ca_file = r->ca, .proxy = (char *)"",
		.host_concurrency = 4, .workers = 2 };
	T_DO(allow_init(&r->x.allow, &(struct conf_list){ r->addresses, 1 },
	    &(struct conf_list){ 0 }, &e), e);
	egress_init(&r->x);
	r->x.vault = id_new();
	r->x.base = event_base_new();
	T_DO(spool_open(r->dir, &r->x.spool, &e), e);
	T_DO(work_new(&r->x, &r->x.work, &e), e);
	rig_start_hsm(r);
}

static inline void
rig_done(struct rig *r)
{
	work_free(r->x.work);
	event_base_free(r->x.base);
	keyline_done(&r->x.keys);
	shutdown(r->hsm_fd, SHUT_RDWR);
	close(r->hsm_fd);
	pthread_join(r->hsm, NULL);
	spool_close(r->x.spool);
	allow_done(&r->x.allow);
	catalogue_done(&r->x.catalogue);
	secret_free(r->x.fingerprint_key);
}

/* ---- what vaultd asks, step by step in this thread. The caller frees the job. */

static inline struct job *
rig_ask(struct rig *r, int (*prepare)(struct job *, struct err *), const struct msg *body)
{
	struct job *j = calloc(1, sizeof *j);
	struct slice s = msg_slice(body);
	struct err e;

	T_OK(j != NULL);
	j->x = &r->x;
	T_EQ(secret_set(&j->body, s.p, s.len, &e), 0);
	j->rc = prepare(j, &j->err);
	if (j->rc == 0 && j->perform != NULL)
		j->rc = j->perform(j, &j->err);
	return j;
}

/* The result of an exchange; BY an answer to EGRESS_ATTEMPT when STATE is not NULL. */
static inline void
rig_result(const struct job *j, enum attempt_state *state, struct exchange_result *ret)
{
	struct msg m;
	struct err e = { 0 };

	*ret = (struct exchange_result){ 0 };
	if (j->rc != 0)
		fail_msg("refused: %s", j->err.text);
	msg_read(&m, msg_slice(&j->answer));
	if (state != NULL)
		*state = msg_get_u8(&m);
	if (state == NULL || *state == ATTEMPT_SPOOLED)
		T_DO(exchange_result_get(&m, ret, &e), e);
}

static inline struct job *
rig_attempt(struct rig *r, const struct id *attempt)
{
	AUTO(msg) m = { 0 };

	msg_put_id(&m, attempt);
	return rig_ask(r, attempt_prepare, &m);
}

static inline size_t
rig_spooled(struct rig *r)
{
	struct id ids[16];

	return spool_list(r->x.spool, ids, 16);
}

/* What is sealed in BLOB, with the key in WRAP. */
static inline void
rig_open(struct rig *r, enum purpose p, const struct id *record, uint64_t version,
    const struct buf *blob, const struct buf *wrap, struct secret *ret)
{
	struct sealed s = sealed_of(record, version, blob, wrap);
	struct err e = { 0 };

	T_DO(keys_open(&r->x, p, &s, ret, &e), e);
}

/*
 * fuzz-callback.c - what a browser sends to the redirect's listener, and what is pasted. First
 * byte picks which; then the text of an address alone.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/callback.h"
#include "common/err.h"

#define URL "https://idp.example/authorize?state=s1"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	stderr = fopen("/dev/null", "we");	/* a person is told a lot; not the fuzzer's own */
	return stderr == NULL;
}

static void
no_tick(void *arg, int left)
{
	(void)arg;
	(void)left;
}

#define ENDS(a) must(strnlen(a, sizeof (a)) < sizeof (a))

static void
check(const struct redirected *r)
{
	ENDS(r->state);
	ENDS(r->code);
	ENDS(r->iss);
	ENDS(r->error);
	ENDS(r->description);
	must(r->nmore <= REDIRECTED_MORE);
	for (size_t i = 0; i < r->nmore; i++) {
		ENDS(r->more[i].name);
		ENDS(r->more[i].value);
	}
	must(r->state[0] != '\0' && (r->code[0] != '\0' || r->error[0] != '\0'));
}

/* One end for us; the other has all of it, and its sender is gone. */
static int
said(const uint8_t *p, size_t n, int *ret_other)
{
	int sv[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv) == 0);
	must(write(sv[1], p, n) == (ssize_t)n);
	shutdown(sv[1], SHUT_WR);
	*ret_other = sv[1];
	return sv[0];
}

static void
wait_for(const uint8_t *p, size_t n, bool browser)
{
	struct callback c;
	struct redirected r;
	int other;

	callback_open(&c, "http://127.0.0.1:9/cb", URL, true);
	if (browser) {
		c.client[0].fd = said(p, n, &other);
		c.client[0].text = calloc(1, CALLBACK_REQUEST);
		c.in.fd = dup(c.client[0].fd);	/* something to wait for: what is left, if any */
	} else {
		c.in.fd = said(p, n, &other);
	}
	if (callback_wait(&c, 2, no_tick, NULL, &r) == 1) {
		check(&r);
		must(strcmp(r.state, "s1") == 0);
		callback_answer(&c, true, "done");
	}
	callback_close(&c);
	close(other);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct redirected r;
	char *text;

	if (n == 0 || n > CALLBACK_REQUEST)
		return 0;
	text = malloc(n);
	memcpy(text, p + 1, n - 1);
	text[n - 1] = '\0';
	if (redirected_parse(text, &r))
		check(&r);
	free(text);
	wait_for(p + 1, n - 1, p[0] % 2 == 0);
	return 0;
}

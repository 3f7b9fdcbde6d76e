/*
 * callback.h - waiting for a redirect: a listener on the redirect URI's loopback address,
 * and at the same time whatever is pasted into standard input.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define CALLBACK_CLIENTS 8
#define CALLBACK_REQUEST 16384

/* What a browser, or a person, has sent so far. */
struct callback_input {
	int	 fd;		/* -1: free */
	char	*text;		/* CALLBACK_REQUEST bytes */
	size_t	 n;
};

struct callback {
	char	host[64], path[512], state[512];
	int	port;
	int	listener[2];	/* -1: none; `localhost` is two addresses */
	char	why[160];	/* why there is no listener */
	bool	taken;		/* another port would do */
	int	browser;	/* waits for the page at the end; -1: none */
	char	start[40];	/* the path that leads to the sign-in page */
	char	url[8192];	/* there */
	struct callback_input in;			/* standard input */
	struct callback_input client[CALLBACK_CLIENTS];
};

/* What came back: state, code, iss, error, error_description; absent = "". Others as they are: some
 * providers tell of the account there. */
#define REDIRECTED_MORE 32
struct redirected {
	char	state[512], code[8192], iss[1024], error[200], description[600];
	size_t	nmore;
	struct { char name[64], value[256]; } more[REDIRECTED_MORE];
};

/*
 * Listens where REDIRECT_URI points, when that is http on loopback; else, and when the
 * port is taken, pasting is what is left. PASTE: do not listen at all. AUTHORIZATION_URL
 * says which state is ours, if it does; what comes with another is not taken, nor what another
 * user's program brings.
 */
void callback_open(struct callback *c, const char *redirect_uri,
    const char *authorization_url, bool paste);
void callback_close(struct callback *c);
bool callback_listens(const struct callback *c);
/* What to hand to a browser: an address here that leads to the sign-in page. A command line can be
 * read by everybody, and the authorization URL says what another user needs to end the sign-in with
 * an account of his. Only this user's programs are answered here. */
void callback_start_url(const struct callback *c, char *ret, size_t cap);

enum callback_end {
	CALLBACK_ANSWER,	/* RET is filled */
	CALLBACK_TIMEOUT,
	CALLBACK_NOTHING,	/* nobody listens and standard input ended: nothing can come */
	CALLBACK_INTERRUPTED,
};
/* Waits at most SECONDS. TICK is called about once a second. Requests for anything but the exact
 * path are answered 404. */
enum callback_end callback_wait(struct callback *c, int seconds,
    void (*tick)(void *arg, int left), void *arg, struct redirected *ret);
/* A port of 127.0.0.1 that was free a moment ago; 0: there is none. */
int callback_free_port(void);
/* The page that the person sees in the browser at the end. */
void callback_answer(struct callback *c, bool ok, const char *text);

/* The query of a redirect URL (or a bare query). FALSE: there is no state, neither code
 * nor error, or a value is too long. */
bool redirected_parse(const char *url, struct redirected *ret);

/*
 * callback.h - waiting for a redirect: a listener on the redirect URI's loopback address,
 * and at the same time whatever is pasted into standard input.
 */
#pragma once

#include <stdbool.h>

struct callback {
	char	host[64], path[512];
	int	port;
	int	fd;		/* listener; -1 = paste only */
	char	why[160];	/* why paste only */
	bool	stdin_open;
};

/* What came back: state, code, iss, error, error_description; absent = "". */
struct redirected {
	char	state[512], code[8192], iss[1024], error[200], description[600];
};

/* Listens where REDIRECT_URI points, when that is http on loopback; else, and when the
 * port is taken, pasting is what is left. PASTE: do not listen at all. */
void callback_open(struct callback *c, const char *redirect_uri, bool paste);
void callback_close(struct callback *c);

/* Waits at most SECONDS. 1: RET is filled; 0: time is up; -1: interrupted. TICK is called
 * about once a second. Requests for anything but the exact path are answered 404. */
int callback_wait(struct callback *c, int seconds, void (*tick)(void *arg, int left),
    void *arg, struct redirected *ret);
/* The page that the person sees in the browser at the end. */
void callback_answer(struct callback *c, bool ok, const char *text);

/* The query of a redirect URL (or a bare query). FALSE: neither code nor error in it. */
bool redirected_parse(const char *url, struct redirected *ret);

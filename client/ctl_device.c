/*
 * ctl_device.c - the end of vaultctl connect, and connection reconnect, where the sign-in is on
 * another device (RFC 8628): says what to do there, and waits. The vault itself asks the provider.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/ctl.h"

static void
print_code(const json_t *begun)
{
	const char *complete = ctl_text(begun, "verification_uri_complete");

	ctl_say(stderr, "Open this address on any device, and enter the code there:\n\n%s\n\n"
	    "code: %s\n\n", ctl_text(begun, "verification_uri"), ctl_text(begun, "user_code"));
	if (*complete != '\0')
		ctl_say(stderr, "Or open this one, which has the code in it:\n\n%s\n\n", complete);
	fflush(stderr);
}

/* A second, or until somebody wants to stop: TRUE. SIGINT and SIGTERM are blocked. */
static bool
interrupted(void)
{
	struct timespec second = { 1, 0 };
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	return sigtimedwait(&mask, NULL, &second) > 0;
}

static json_t *
how_it_goes(struct ctl *c, const char *session)
{
	return ctl_try(c, "vaultd.Connections.Session", json_pack("{s:s}", "session", session));
}

/* The answer that it is over with; NULL: the error, or DEVICE_STOPPED. */
static json_t *
await(struct ctl *c, const char *session, int seconds, enum device_end *ret)
{
	bool terminal = isatty(STDERR_FILENO);
	time_t until = time(NULL) + seconds;
	json_t *r;

	for (;;) {
		r = how_it_goes(c, session);
		*ret = r == NULL ? DEVICE_FAILED : DEVICE_SIGNED_IN;
		if (r != NULL && strcmp(ctl_text(r, "state"), "waiting") != 0)
			return r;
		json_decref(r);
		/* A role of the vault that is started again is no end. */
		if (r == NULL && !c->error.retry)
			return NULL;
		*ret = DEVICE_TIMED_OUT;
		if (time(NULL) >= until)
			return NULL;
		if (terminal)
			fprintf(stderr, "\rwaiting for the sign-in, %d:%02d left ",
			    (int)(until - time(NULL)) / 60, (int)(until - time(NULL)) % 60);
		*ret = DEVICE_STOPPED;
		if (interrupted())
			return NULL;
	}
}

enum device_end
ctl_device(struct ctl *c, const json_t *begun, int seconds)
{
	sigset_t mask, before;
	enum device_end end;
	json_t *r;

	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	sigprocmask(SIG_BLOCK, &mask, &before);
	print_code(begun);
	r = await(c, ctl_text(begun, "session"), seconds, &end);
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K");
	json_decref(r);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return end;
}

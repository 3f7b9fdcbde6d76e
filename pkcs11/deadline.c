/*
 * deadline.c - see deadline.h.
 */
#include "pkcs11/deadline.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Time of sleep does not count: a laptop that wakes up must not kill its vault-hsm. */
#define CLOCK CLOCK_MONOTONIC

static long long
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK, &t);
	return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Runs on top of the hung call: nothing but write() and _exit() is safe. */
static void
say_and_exit(int sig, siginfo_t *i, void *context)
{
	static const char before[] = "vault-hsm: the module did not come back from ";
	static const char after[] = " in time: see the vendor's log, then try again\n";
	const struct deadline *d = i->si_value.sival_ptr;

	(void)sig;
	(void)context;
	(void)!write(STDERR_FILENO, before, sizeof before - 1);
	(void)!write(STDERR_FILENO, d->call, strlen(d->call));
	(void)!write(STDERR_FILENO, after, sizeof after - 1);
	_exit(1);
}

int
deadline_init(struct deadline *d, char *note, struct err *e)
{
	struct sigaction sa = { .sa_sigaction = say_and_exit, .sa_flags = SA_SIGINFO };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
		.sigev_signo = note != NULL ? SIGKILL : SIGALRM, .sigev_value.sival_ptr = d };

	*d = (struct deadline){ .note = note, .call = "" };
	if (note == NULL && sigaction(SIGALRM, &sa, NULL) != 0)
		return err_errno(e, "SIGALRM");
	if (timer_create(CLOCK, &ev, &d->timer) != 0)
		return err_errno(e, "timer for module calls");
	d->made = true;
	return 0;
}

void
deadline_begin(struct deadline *d, unsigned ms)
{
	d->until = now_ms() + ms;
}

void
deadline_end(struct deadline *d)
{
	d->until = 0;
}

static void
set_timer(struct deadline *d, long long ms)
{
	struct itimerspec t = { .it_value = { ms / 1000, ms % 1000 * 1000000 } };

	if (d->made)
		must(timer_settime(d->timer, 0, &t, NULL) == 0);
}

void
deadline_arm(struct deadline *d, const char *what, unsigned ms)
{
	long long left = ms;

	if (d->until != 0 && d->until - now_ms() < left)
		left = d->until - now_ms();
	d->call = what;
	if (d->note != NULL)
		snprintf(d->note, DEADLINE_NOTE, "%s", what);
	set_timer(d, left > 0 ? left : 1);
}

void
deadline_disarm(struct deadline *d)
{
	set_timer(d, 0);
	if (d->note != NULL)
		d->note[0] = '\0';
}

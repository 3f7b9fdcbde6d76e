/*
 * deadline.h - the timer that ends this process when a module call does not return.
 *
 * PKCS#11 has no cancel and a thread inside a module cannot be stopped, so the only
 * sure end of a hung call is the end of the process. The kernel delivers SIGKILL; no
 * code of ours has to run. Armed before each call by module_call().
 */
#pragma once

#include <stdbool.h>
#include <time.h>

#include "common/err.h"

#define DEADLINE_NOTE 32

struct deadline {
	timer_t		 timer;
	bool		 made;
	long long	 until;		/* end of the request in ms, 0 = none running */
	char		*note;		/* names the call in progress; outlives us */
	const char	*call;		/* the same, a literal, for commands */
};

/*
 * NOTE (DEADLINE_NOTE bytes, borrowed) is memory that survives a kill. Without one this
 * is a command that somebody waits for: it says which call hung and ends with status 1.
 * D must stay where it is.
 */
int deadline_init(struct deadline *d, char *note, struct err *e);

/* All calls from now on together get MS, each at most its own time. */
void deadline_begin(struct deadline *d, unsigned ms);
void deadline_end(struct deadline *d);

void deadline_arm(struct deadline *d, const char *what, unsigned ms);
void deadline_disarm(struct deadline *d);

/*
 * waiters.c - see waiters.h.
 */
#include "vaultd/waiters.h"

#include <stdlib.h>

struct waiter {
	struct waiter	*next;
	void		(*done)(void *arg, int rc, const struct err *e);
	void		*arg;
};

bool
waiters_join(void **list, void (*done)(void *, int, const struct err *), void *arg)
{
	struct waiter *w = calloc(1, sizeof *w);

	if (w == NULL)
		return false;
	*w = (struct waiter){ .next = *list, .done = done, .arg = arg };
	*list = w;
	return true;
}

void
waiters_wake(void **list, int rc, const struct err *e)
{
	struct waiter *w = *list, *next;

	*list = NULL;
	for (; w != NULL; w = next) {
		next = w->next;
		w->done(w->arg, rc, e);
		free(w);
	}
}

void
waiters_move(void **list, void (*go)(void *, void (*)(void *, int, const struct err *), void *),
    void *to)
{
	struct waiter *w = *list, *next;

	*list = NULL;
	for (; w != NULL; w = next) {
		next = w->next;
		go(to, w->done, w->arg);
		free(w);
	}
}

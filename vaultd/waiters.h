/*
 * waiters.h - those who share one result. A list is a pointer that begins as NULL.
 */
#pragma once

#include <stdbool.h>

#include "common/err.h"

/* False: out of memory. */
bool waiters_join(void **list, void (*done)(void *arg, int rc, const struct err *e), void *arg);
/* Each is called once, and LIST is empty when the first is: it may join another. */
void waiters_wake(void **list, int rc, const struct err *e);
/* The same, but each is given to GO, which promises to call DONE. */
void waiters_move(void **list, void (*go)(void *to, void (*done)(void *, int, const struct err *),
    void *arg), void *to);

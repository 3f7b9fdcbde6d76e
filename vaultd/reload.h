/*
 * reload.h - reading the policy files again: whole set or nothing, off the loop.
 */
#pragma once

#include "common/err.h"

struct vault;

/* At start, on the caller's thread. A bad set is an error: the vault refuses to serve. */
int policy_start(struct vault *v, struct err *e);

/* In the look-up thread; DONE(ARG) on the loop, RC 0 or the class with the error, which is
 * also kept in v->policy_error. ERR_BUSY while one is under way. */
void policy_reload(struct vault *v, void (*done)(void *arg, int rc, const struct err *e),
    void *arg);

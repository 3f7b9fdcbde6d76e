/*
 * connect.h - authorization-code sessions behind the verbs: what is left of one when a
 * crash, or time, got in between.
 */
#pragma once

#include "vaultd/attempt.h"

/* Sets A's callbacks for a code exchange that was open at the last stop. */
void connect_recover(struct attempt *a);

/* The session PENDING was never finished: removes it, and a connection that was only
 * begun. */
void connect_expire(struct vault *v, const struct id *pending);

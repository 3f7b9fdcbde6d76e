/*
 * turn.h - refreshes in their turn (pacing.h): who wants one, who is due, and what starts next.
 * Loop thread.
 */
#pragma once

#include <stdbool.h>

#include "common/exchange.h"

struct vault;

int turn_new(struct vault *v, struct err *e);

/* It is time for CONNECTION: it waits for its turn, or nothing happens when there is no room, or
 * it may not be renewed now. */
void turn_due(struct vault *v, const struct id *connection);
/* Starts whose turn it is. */
void turn_pump(struct vault *v);
/* What became of the request of CONNECTION's refresh: the next may go. */
void turn_over(struct vault *v, const struct id *connection, const struct exchange_result *res);
/* Is a refresh of CONNECTION under way, or does it wait? */
bool refresh_is_wanted(struct vault *v, const struct id *connection);

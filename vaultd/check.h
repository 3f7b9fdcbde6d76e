/*
 * check.h - is a connection still good? Two verdicts: the credential (what refreshing it says) and
 * the API (does the provider's test call take the token). On demand, and in the background at the
 * connection's interval.
 */
#pragma once

#include <stdint.h>

#include "vaultd/record.h"

struct vault;

#define CHECK_MIN_MINUTES	5
#define CHECK_MAX_MINUTES	1440
#define CHECK_FRESH_S		10	/* what was found lately is not asked again */

/*
 * Checks CONNECTION, or joins a check under way. DONE(ARG) runs once on the loop; RC 0: the record
 * says what was found. A check never renews a token to see whether that works: only one that is due,
 * or that the API refused, and then once.
 */
void check_want(struct vault *v, const struct id *connection,
    void (*done)(void *arg, int rc, const struct err *e), void *arg);

/* An entry of the due index fired. */
void check_due(struct vault *v, const struct id *connection);
/* Is it still to be looked at? */
bool check_is_due(struct vault *v, const struct id *connection);
/* When C is looked at next, into CH: never where its interval is 0. */
void check_plan(struct vault *v, struct changes *ch, const struct connection *c);

/*
 * diagnose.h - what a provider's no means. vault-egress names what it saw (egress/diagnose.h);
 * here it is seen with what the vault knows besides: how old the sign-in is, when the grant was
 * last used, who else has one. One table; pure: no store, no clock. refresh.c gathers the facts.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/errors.h"

#define SKEW_MAX_S	60	/* clocks that differ by more are told of */

/* Times in unix s, spans in s; 0 = not known. */
struct diagnose_facts {
	int64_t		now;
	int64_t		signed_in;	/* the last sign-in of a person */
	int64_t		last_ok;	/* the last success: sign-in or refresh */
	int64_t		refresh_obtained;	/* when the refresh token was given */
	int64_t		refresh_expires;	/* its end, as the provider told */
	uint32_t	idle_s, absolute_s, test_s;	/* limits of the connector */
	bool		lost;		/* an answer to it was lost before */
	bool		foreign;	/* it came with a copy of the store */
	int64_t		newer;		/* when another connection of the same account and app signed in */
	int64_t		secret_expires;	/* of the app */
	bool		asserts;	/* the app signs with a key: what it signs has times in it */
	int32_t		skew_s;		/* the provider's clock minus ours */
};

/* What SEEN is called, with all that is known. */
enum err_id diagnose(enum err_id seen, const struct diagnose_facts *f);

/* The span that ID was judged by, in s; 0 = it was judged by none. For the advice's {limit}. */
int64_t diagnose_limit_s(enum err_id id, const struct diagnose_facts *f);

/*
 * refresh_rules.h - when a grant may be renewed, and what a failure makes of its connection.
 *
 * Pure: no store, no clock, no helper. refresh.c gathers the facts and acts on the answers.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/exchange.h"
#include "vaultd/record.h"

#define REFRESH_STILL_COMING_S	30	/* a request whose line broke may be worked on so long */

/* AES-GCM with random nonces stays sound for 2^32 seals under one key (NIST SP 800-38D, 8.3); a
 * result that is made again after a crash is not counted. */
#ifndef RELEASE_SEALS_MAX
#define RELEASE_SEALS_MAX	(UINT64_C(1) << 30)
#endif
/* Is the key of R worn, so that its next token must have a new one? */
bool refresh_wants_new_key(const struct release *r);

/* What is known besides the connection's record. Zero is a provider of which nothing is known:
 * its refresh tokens are taken for ones that are spent once. */
struct refresh_facts {
	int64_t		now;		/* unix s */
	bool		alive;		/* there is an access token that can still be used */
	int64_t		expires;	/* its end, unix s; 0 = it has none, or there is none */
	uint64_t	generation;	/* of it */
	bool		app_changed;	/* the app was, since C failed */
	/* of the connector */
	bool		reuse_harmless;	/* an old refresh token stays good */
	uint32_t	reuse_grace_s;	/* or does for so long */
	bool		hold;		/* after a lost answer nothing is tried */
	/* of the vault */
	unsigned	lockout;	/* failures in a row that say nothing certain; 0 = never */
};

/* When to renew a token that lives LIFETIME seconds from OBTAINED: some time between the two
 * (unix ms). */
void refresh_due_span(int64_t obtained, int64_t lifetime, int64_t *ret_from, int64_t *ret_to);

/* A refresh token that dies when it is not used for IDLE_S is used after so many seconds: half of
 * that, and no more often than daily where that is often enough. 0: it does not die so. */
int64_t refresh_keep_alive_s(uint32_t idle_s);

/* The next wait after so many FAILURES in a row. */
int64_t refresh_backoff_s(unsigned failures);

/* An answer was lost, and using the refresh token again costs nothing: it stays good, or the
 * provider's grace is not over. */
bool refresh_reuse_is_safe(const struct connection *c, const struct refresh_facts *f);

/* Is an attempt now the one sanctioned retry of a refresh token that may be spent? */
bool refresh_is_last_try(const struct connection *c, const struct refresh_facts *f);

enum refresh_may {
	REFRESH_MAY,
	REFRESH_UNFINISHED,	/* the sign-in never was */
	REFRESH_NOT_NOW,	/* the record's cause says why */
};
/* May an attempt begin now, whoever wants it? */
enum refresh_may refresh_may_start(const struct connection *c, const struct refresh_facts *f);

/* When the scheduler tries again by itself, after a failure (unix ms); 0 = never. Never before
 * refresh_may_start() allows it. */
int64_t refresh_next_try(const struct connection *c, const struct refresh_facts *f);

/* For how long RES asks to be left alone (RFC 9110 section 10.2.3), an hour at most; 0 = it does not
 * say. */
int64_t refresh_retry_after_s(const struct exchange_result *res);

/* A failure that says nothing about the connection: our own helpers, disk, or order. */
bool refresh_is_local(enum err_id id);

/* All that C says of its last failure, but for how often and since when: gone. */
void refresh_clear_cause(struct connection *c);
/* What RES says of a failure, as it is: into C. */
void refresh_note_cause(struct connection *c, const struct exchange_result *res, int64_t now);

/* RES failed, and it is known how: into C. */
void refresh_note_failure(struct connection *c, const struct exchange_result *res,
    const struct refresh_facts *f);

/*
 * Bytes went out (for IN) and no answer came: into C, and RES->err becomes what it is called.
 * Where the old refresh token certainly stays good, or does for a while, it is used again soon;
 * where it may be spent, exactly one retry is allowed: at the end of the access token, or now if
 * that is dead already.
 */
void refresh_note_ambiguous(struct connection *c, const struct intent *in,
    struct exchange_result *res, const struct refresh_facts *f);

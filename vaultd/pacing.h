/*
 * pacing.h - who is renewed next. Refreshes wait here for their turn, by client: one OAuth app at
 * one host. What somebody waits for goes before what is only due, and of that the token that ends
 * first. A client has so many requests under way and so many a second, as the vault and its
 * connector say; a 429 slows the whole client, repeated failures the whole host.
 *
 * Pure: it knows no store and no clock. Times are ms of a clock that only goes forward. Costs
 * depend on what waits, not on how many connections there are.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/err.h"

#define PACING_MAX		65536U	/* that are only due; the rest stays in the due index */
#define PACING_CLIENT_MAX	(PACING_MAX / 4 * 3)	/* of these, of one client */

struct pacing;

struct pacing_conf {
	unsigned	in_flight;	/* requests of one client at once; at least 1 */
	unsigned	per_second;	/* of one client; 0 = not limited */
	unsigned	background;	/* of all clients at once, of what nobody waits for */
};

struct pacing_client {
	struct id	key, host;
	uint32_t	limit, limit_s;	/* as the connector says: so many in so many seconds; 0 = no */
};

int pacing_new(const struct pacing_conf *conf, struct pacing **ret, struct err *e);
void pacing_free(struct pacing *p);

/*
 * CONNECTION, whose token ends at ENDS_MS, is to be renewed. WANTED: somebody waits for it; one that
 * waits already moves to the front. False: there is no room, or it is under way.
 */
bool pacing_add(struct pacing *p, const struct id *connection, const struct pacing_client *client,
    int64_t ends_ms, bool wanted, int64_t now_ms);
/* What the owner keeps beside one that waits; NULL: it does not wait. */
void **pacing_arg(struct pacing *p, const struct id *connection);

/* Takes the next whose turn it is; it is under way until pacing_done(). False: nobody's. */
bool pacing_next(struct pacing *p, int64_t now_ms, struct id *ret, void **ret_arg);

enum pacing_end {
	PACED_ANSWERED,		/* the provider did, with a token or a no */
	PACED_THROTTLED,	/* it wants to be left alone */
	PACED_FAILED,		/* nobody answered, or the provider is not well */
	PACED_NOTHING,		/* it never came to a request */
};
/* UNTIL_MS: of THROTTLED, 0 = the provider did not say. */
void pacing_done(struct pacing *p, const struct id *connection, enum pacing_end end,
    int64_t until_ms, int64_t now_ms);

enum pacing_block { PACING_FREE, PACING_THROTTLED, PACING_DOWN, PACING_LIMIT };
/* May a request of CLIENT go out now, but for the others that wait? If not, until when. */
enum pacing_block pacing_blocked(struct pacing *p, const struct pacing_client *client,
    int64_t now_ms, int64_t *ret_until_ms);

/* In how many ms it may be somebody's turn by time alone; -1: nobody's. */
int64_t pacing_wait_ms(const struct pacing *p, int64_t now_ms);
size_t pacing_waiting(const struct pacing *p);
size_t pacing_under_way(const struct pacing *p);

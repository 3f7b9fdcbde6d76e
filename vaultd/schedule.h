/*
 * schedule.h - what is due when, and the attempts under way.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "vaultd/store.h"

struct attempt;
struct schedule;
struct vault;

int schedule_new(struct vault *v, struct schedule **ret, struct err *e);

/* Something was put into the due index, or a helper came back: look again soon. */
void schedule_poke(struct schedule *s);

/* TABLE_DUE entries. */
enum due_kind { DUE_REFRESH = 1, DUE_PENDING = 2, DUE_INTROSPECT = 3, DUE_WARN = 4, DUE_REVOKE = 5,
	DUE_CHECK = 6, DUE_IDEMPOTENCY = 7, DUE_APP = 8, DUE_POLL = 9 };
void due_put(struct changes *c, int64_t unix_ms, const struct id *id, enum due_kind kind);
/* None there is fine. */
void due_remove(struct changes *c, int64_t unix_ms, const struct id *id, enum due_kind kind);

/* ---- attempts under way; S does not own them */

void schedule_link(struct schedule *s, struct attempt *a);
void schedule_unlink(struct schedule *s, struct attempt *a);
struct attempt *schedule_first(const struct schedule *s);

/* Exchanges (refreshes and codes) that stopping waits for. One that only waits for egress's word
 * is left to the next run. */
unsigned schedule_inflight(const struct schedule *s);
/* Is there an answer that is in memory alone? Then stopping would lose a grant. */
bool schedule_holds_answer(const struct schedule *s);

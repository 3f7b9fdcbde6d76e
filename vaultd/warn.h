/*
 * warn.h - what ends, and is told of 14, 7 and 1 days before: OAuth apps' secrets and certificates,
 * and sign-ins. Each end has its next warning in the due index; the warning, and the entry of the
 * one after it, are one change, so that none is lost or told twice.
 */
#pragma once

#include "vaultd/record.h"
#include "vaultd/store.h"

struct vault;

/*
 * When to warn of END (unix s) next, seen from NOW: 0 = not any more. AT_ONCE: END is news to
 * people, so that a warning whose time is over is due now (once, as the latest of those); without,
 * only those to come are.
 */
int64_t warn_next(int64_t end, int64_t now, bool at_once);

/* From objects_put.c: OLD (NULL: none) becomes NOW. */
void warn_plan_app(struct changes *c, const struct app *old, const struct app *now);
void warn_plan_grant(struct changes *c, const struct grant *old, const struct grant *now);

/* From schedule.c: the entry of UNIX_MS and ID is due, and removed by C. Adds what it tells of, if
 * that is still so, and its next entry. */
void warn_due(struct vault *v, struct changes *c, int64_t unix_ms, const struct id *id);

/*
 * device.h - sign-ins on another device (RFC 8628): the provider is asked again and again, at the
 * pace it wants, until somebody there said yes or no, or time is up.
 *
 * What is asked next and when is in the session's record and in the due index, so that it goes on
 * after a stop. Each question is an attempt (attempt.h): its answer may hold the tokens.
 */
#pragma once

#include "vaultd/attempt.h"

/* Asks for session PENDING, when it is time to and nothing of its connection is under way. */
void device_due(struct vault *v, const struct id *pending);
/* When an entry of the due index that fires is looked at again; 0 = it was early, or all is over. */
int64_t device_again_ms(struct vault *v, const struct id *pending, int64_t now_ms);

/* Sets A's callbacks for a question that was open at the last stop. */
void device_recover(struct attempt *a);

/* From session P, fresh, to its first question: fills in what the provider said at NOW (unix s), and
 * adds the due entry to CH. */
void device_begun(struct pending *p, const struct begin_result *res, int64_t now,
    struct changes *ch);
/* Time is up for P: what it began goes, and how it ended is kept a while. */
int device_expire(struct vault *v, struct pending *p, struct changes *ch, struct err *e);

/* ---- the rules: pure */

/* Does one go on asking after RES, which brought no tokens? If so P says when next. */
bool device_goes_on(struct pending *p, const struct exchange_result *res, int64_t now);
/* What the end is called: an answer that was lost explains a code that is spent. */
void device_name_end(const struct pending *p, struct err *e);

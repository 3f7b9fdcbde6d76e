/*
 * exchange.h - the steps of an exchange that is asked for in another way (create.c).
 */
#pragma once

#include "egress/flight.h"

/* All keys a flight needs: F's kind, attempt and connection are set. RELEASE_WRAP empty: a new one. */
int exchange_keys(struct egress *x, struct slice release_wrap, struct flight *f, struct err *e);
/* J, whose state is F, goes to F's token endpoint next. */
int exchange_ready(struct job *j, const struct flight *f, struct err *e);
int exchange_perform(struct job *j, struct err *e);

/*
 * app_secret.h - an OAuth app's secrets over time: the one in use, one beside it (staged, or the
 * previous one), and what the provider has against the app itself.
 *
 *	stage	-> promote -> (overlap: the previous one is used again if the new one is refused) -> retire
 */
#pragma once

#include "vaultd/record.h"
#include "vaultd/vault.h"

/* Of a further secret: not that of the other one. */
uint64_t app_next_version(const struct app *a);
/* What is in use and what is in the slot change places, with their wraps. */
int app_swap(struct vault *v, struct changes *c, struct app *a, struct err *e);
/* The slot is emptied. */
int app_drop_slot(struct vault *v, struct changes *c, struct app *a, struct err *e);
/* A has another secret: nothing is held against it, and its connections that waited for that are
 * tried again, some at a time. */
void app_absolve(struct changes *c, struct app *a);

/* Is ID held against the app, whoever signs in with it? */
bool app_is_to_blame(enum err_id id);
/*
 * The provider answered ID with TEXT to a request of APP with secret VERSION (0: not known). TRUE:
 * another secret is in use from now on, and the same request may be tried again at once. Else what
 * was said is held against the app.
 */
bool app_refused(struct vault *v, struct changes *c, const struct id *app, uint64_t version,
    enum err_id id, const char *text);

/* An entry of the due index that is the app's: the overlap is over, or connections wait. What there
 * is to do is done in a change of its own. */
bool app_has_due(struct vault *v, const struct id *app);
void app_due(struct vault *v, const struct id *app);
/* How many connections use APP; at most MAX are counted. */
size_t app_count_uses(struct vault *v, const struct id *app, size_t max);

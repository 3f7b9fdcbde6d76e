/*
 * explain.h - what is wrong with a connection, as told to people: its cause with all the values
 * that the advice of its row has places for (common/advice.h). Calls that fail for it and
 * Connections.Show say the same. Loop thread.
 */
#pragma once

#include "vaultd/diagnose.h"
#include "vaultd/record.h"

struct vault;

/* The cause of C as the error it was, with its details; C has one. */
void explain(struct vault *v, const struct connection *c, struct err *e);
/* Adds to E, of whatever origin, what C and its app say: provider, app, host, next try. */
void explain_add(struct vault *v, const struct connection *c, struct err *e);

/* What a failure of C's refresh at NOW (unix s) is judged by. */
struct diagnose_facts explain_facts(struct vault *v, const struct connection *c, int64_t now);

/* When C is tried again by itself (unix s); 0 = never, or nothing failed. */
int64_t explain_next_try(struct vault *v, const struct connection *c);

/* Host and port of URL. */
void explain_host(const char *url, char *ret, size_t cap);

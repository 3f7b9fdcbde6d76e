/*
 * account.h - tokens as callers get them, and whose they are.
 */
#pragma once

#include "egress/destination.h"
#include "egress/show.h"

struct egress;

/* `"access_token":"...","token_type":"...","scope":"..."`: what is sealed under release. */
int fragment_make(const struct secret *token, const char *token_type, const char *scope,
    struct secret *ret, struct err *e);

/* The token out of it. V_CORRUPT: it holds none. */
int fragment_token(const struct secret *fragment, struct secret *ret, struct err *e);

/* Makes the connector's test call with the token, to where CAPTURED leads: the account's name into OUT,
 * if it can be had. */
void account_probe(struct egress *x, const struct connector *c, const struct destination *d,
    const struct ex_vars *captured, const struct secret *token, char *out, size_t cap);

/* Does BODY, of a test call or a revocation, say what C's probe_success wants? */
bool answer_succeeded(const struct connector *c, const struct secret *body);

/* The same with a verdict: 0, ERR_KEY_REJECTED, or why it could not be asked. */
int token_probe(struct egress *x, const struct connector *c, const struct destination *d,
    const struct secret *token, char *out, size_t cap, struct err *e);
/* The same with secrets that are no token. */
int shown_probe(struct egress *x, const struct connector *c, const struct destination *d,
    const struct shown *v, char *out, size_t cap, struct err *e);

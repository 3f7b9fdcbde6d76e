/*
 * session.h - sign-ins that were begun, in the store.
 */
#pragma once

#include "vaultd/record.h"

struct vault;

#define STATE_TEXT 44	/* base64url of 32 bytes, and NUL */

/* A fresh `state` for PENDING: its id and 128 random bits. Stored only as a hash. */
void session_state(const struct id *pending, char ret[STATE_TEXT]);

int session_load(struct vault *v, const struct id *id, struct pending *ret, struct err *e);
/* By the `state` that came back. Errors: ERR_STATE_INVALID. */
int session_find(struct vault *v, const char *state, struct pending *ret, struct err *e);
/* Encodes P and adds it to CH. */
int session_put(struct vault *v, struct changes *ch, const struct pending *p, uint64_t expect,
    struct err *e);
void session_remove(struct changes *ch, const struct id *pending);
/* It is over, and nothing came of it: removes it, and a connection that was only begun. On an
 * error CH, which must hold nothing else, is empty. */
int session_forget(struct vault *v, const struct pending *p, struct changes *ch, struct err *e);

/*
 * hsm.h - vaultd's line to vault-hsm: status polled, the vault's id adopted and its
 * metadata key unwrapped when the token is first reached, release keys unwrapped.
 */
#pragma once

#include "common/keyline.h"

struct hsm;
struct vault;

int hsm_new(struct vault *v, struct hsm **ret, struct err *e);

/* The last status; state ABSENT and a text when vault-hsm itself does not answer. */
const struct key_status *hsm_status(const struct hsm *h);
/* Would a question be answered? */
bool hsm_is_ready(const struct hsm *h);
/* The same as an error: ERR_HSM_UNAVAILABLE, with state and reason. */
int hsm_need(const struct hsm *h, struct err *e);

/* The release key of RECORD. DONE on the loop; DEK is borrowed, empty on error. Fails at
 * once with ERR_HSM_UNAVAILABLE while the token is away. */
void hsm_unwrap(struct hsm *h, const struct id *record, struct slice wrap,
    void (*done)(void *arg, int rc, struct secret *dek, struct err *e), void *arg);

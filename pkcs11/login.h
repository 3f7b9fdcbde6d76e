/*
 * login.h - C_Login, guarded: the only place that reads the PIN and gives it away.
 */
#pragma once

#include "pkcs11/config.h"
#include "pkcs11/guard.h"
#include "pkcs11/module.h"

/* Reads the PIN from where the configuration says. V_DENIED: it cannot be had. */
int login_pin(const struct hsm_conf *c, struct secret *ret, struct err *e);

/*
 * Logs the working session in unless the token says it is. PIN: NULL = read it, and wipe
 * it afterwards. V_DENIED: blocked, only the operator can help (the text says how);
 * anything else may pass by itself.
 */
int login(struct module *m, const struct hsm_conf *c, enum guard_mode mode,
    const struct secret *pin, struct err *e);

/*
 * kek.h - a KEK as an object in the token: how it is made, what it must look like, and
 * how we know that it is still the same one.
 */
#pragma once

#include "pkcs11/binding.h"
#include "pkcs11/mech.h"

/* One token object with this CKA_ID. V_NOT_FOUND; V_CONFLICT: several; V_UNAVAILABLE. */
int kek_find(struct module *m, const char *id, CK_OBJECT_HANDLE *ret, struct err *e);

/*
 * Reads the attributes back. V_DENIED: a key that could leave the token, be used without
 * the PIN, or do more than encrypt and decrypt (only a warning if ALLOW_WEAK);
 * V_UNAVAILABLE.
 */
int kek_check(struct module *m, CK_OBJECT_HANDLE key, const char *id, bool allow_weak,
    struct err *e);

/* A copy as an object of the working session: faster on many tokens. 0 = not possible. */
CK_OBJECT_HANDLE kek_copy(struct module *m, CK_OBJECT_HANDLE key);

/* Makes the key check value of B with HANDLE. V_UNAVAILABLE. */
int kek_kcv_make(struct module *m, const struct mech_row *row, CK_OBJECT_HANDLE handle,
    struct binding_kek *b, struct err *e);
/* Is HANDLE the key B was bound to? V_DENIED: no; V_UNAVAILABLE: could not be tried. */
int kek_kcv_check(struct module *m, CK_OBJECT_HANDLE handle, const struct binding_kek *b,
    struct err *e);

/* Generates a KEK in the token. Only `vault-hsm key init` calls this. V_UNAVAILABLE. */
int kek_make(struct module *m, const char *id, const char *label, CK_OBJECT_HANDLE *ret,
    struct err *e);

/*
 * pair.h - a key pair of a connection in the token: how it is made or brought in, what it
 * must look like, and how it signs. What it may sign is not decided here (ops_pair.c).
 *
 * The public key is read once, when the pair is made, and kept in the pair's file; every
 * signature is checked with it before it leaves. A token that signs wrongly, or with another
 * key that took over the same CKA_ID, is noticed before anybody else sees it.
 */
#pragma once

#include "pkcs11/module.h"
#include "pkcs11/pairfile.h"

#define PAIR_SIGNATURE	1024	/* of RSA 8192, which nobody has */

/* The private key of P. V_NOT_FOUND, V_CONFLICT, V_UNAVAILABLE. */
int pair_find(struct module *m, const struct pair_file *p, CK_OBJECT_HANDLE *ret, struct err *e);

/*
 * Makes the pair in the token; P->public gets its SPKI. V_DENIED: the token cannot, or not
 * safely; V_UNAVAILABLE. After an error there may be a key: look with pair_find().
 */
int pair_generate(struct module *m, struct pair_file *p, bool allow_weak, struct err *e);

/* The same from a private key in PEM (PKCS#8, or RSA's and EC's own), which the caller wipes.
 * V_INVALID: it is no such key. */
int pair_import(struct module *m, struct pair_file *p, struct slice pem, bool allow_weak,
    struct err *e);

/* KEY, which pair_find() found. V_NOT_FOUND: its label is not P's, so it is another's, and stays. */
int pair_destroy(struct module *m, const struct pair_file *p, CK_OBJECT_HANDLE key,
    struct err *e);

/*
 * Signs MESSAGE, hashing it first, by the way that the token has. RSA as it is, ECDSA as
 * r||s. OUT holds PAIR_SIGNATURE bytes; *LEN is set. CKR_MECHANISM_INVALID: it has none.
 */
CK_RV pair_sign(struct module *m, CK_OBJECT_HANDLE key, enum tls_scheme scheme,
    struct slice message, unsigned char *out, CK_ULONG *len);

/* Is SIGNATURE (as pair_sign() makes it) one of SPKI's key over MESSAGE? */
bool pair_verify(struct slice spki, enum tls_scheme scheme, struct slice message,
    struct slice signature);

/* r||s as a DER sequence, appended. FALSE: not 64 bytes, or memory. */
bool pair_ecdsa_der(struct slice raw, struct buf *out);

/*
 * certify.h - a certificate, or the request for one, about a key pair of a connection: made
 * here from its parts, so that nobody can have anything else signed as one.
 */
#pragma once

#include "pkcs11/pairfile.h"

/* What is to be signed; V_INVALID: the common name, or the days. */
int certify_tbs(const struct certify *q, const struct pair_file *p, int64_t now,
    struct buf *ret, struct err *e);

/* TBS, algorithm and SIGNATURE (RSA, or a DER pair), in DER. FALSE: memory. */
bool certify_finish(enum pair_kind kind, struct slice tbs, struct slice signature,
    struct buf *ret);

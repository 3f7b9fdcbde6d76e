/*
 * jwt.h - an assertion to be signed (RFC 7515, 7519, 7523): held against what was written
 * down when its key was made, then put together. Pure; ops_pair.c calls it.
 */
#pragma once

#include "pkcs11/pairfile.h"

/* Of an assertion: from 5 s ago, because clocks differ, for a minute. */
#define JWT_PAST	5
#define JWT_LIFE	60

/* May C be signed under P's key? ERR_HSM_REFUSED says which claim is not the recorded one. */
int jwt_check(const struct claims *c, const struct pair_file *p, struct err *e);

/*
 * "BASE64URL(header).BASE64URL(claims)" of C at NOW (unix s), with iat, nbf, exp and a random
 * jti. V_INVALID: a text that no JSON can hold; V_LIMIT.
 */
int jwt_input(const struct claims *c, int64_t now, struct secret *ret, struct err *e);

/* Appends ".BASE64URL(signature)". */
int jwt_finish(struct secret *jwt, struct slice signature, struct err *e);

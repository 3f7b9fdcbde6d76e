/*
 * pairkey.h - key pairs between the token's attributes and OpenSSL: a public key read from an
 * object, a private key taken apart for one. Used by pair.c alone.
 */
#pragma once

#include "pkcs11/module.h"
#include "pkcs11/pairfile.h"

/* CKA_LABEL: for the people who look into the token. Returns its length. */
CK_ULONG pairkey_label(const struct pair_file *p, char *out, size_t cap);

/* Reads the public object KEY into P->public.spki. V_DENIED: no such key; V_UNAVAILABLE. */
int pairkey_read(struct module *m, CK_OBJECT_HANDLE key, struct pair_file *p, struct err *e);

#define PAIRKEY_PARTS 8
/* The numbers of a private key, in locked memory. */
struct pairkey {
	size_t	n;
	struct { CK_ATTRIBUTE_TYPE type; void *p; CK_ULONG len; } part[PAIRKEY_PARTS];
};
/* Wipes. */
void pairkey_done(struct pairkey *k);

/* Takes PEM apart; kind and SPKI go into P->public. V_INVALID says what is wrong with it. */
int pairkey_parse(struct slice pem, struct pair_file *p, struct pairkey *ret, struct err *e);

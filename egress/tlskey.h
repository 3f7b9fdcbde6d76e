/*
 * tlskey.h - a TLS client certificate whose private key is in the token: OpenSSL gets a key
 * object of ours, and each signature it wants of that is a question to vault-hsm.
 */
#pragma once

#include "common/signing.h"

struct egress;
struct app_key;

/* Of one connection; outlives the SSL_CTX that uses it. */
struct tlskey {
	struct egress		*x;
	const struct app_key	*key;	/* with its certificate; borrowed */
	struct err		 err;	/* why there was no signature; code 0 = none was refused */
};

/* Once per process, after the allocators are set. */
void tlskey_init(void);

/* Gives SSL_CTX (an SSL_CTX *) certificate, chain and key. V_INVALID. */
int tlskey_use(struct tlskey *t, void *ssl_ctx, struct err *e);

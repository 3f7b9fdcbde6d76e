/*
 * egress.h - all that the role owns hangs from here.
 *
 * The loop thread serves the lines from vaultd. Work runs in worker threads, straight
 * line by line: unwrap, send, spool, parse, seal. A worker that must wait for its host's
 * turn gives the thread back (work.c), so a slow provider delays nobody else.
 */
#pragma once

#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>

#include "common/exchange.h"
#include "common/keyline.h"
#include "common/signing.h"
#include "connectors/catalogue.h"
#include "egress/allow.h"
#include "egress/config.h"

struct app_secret;
struct client;
struct grant_secret;
struct spool;
struct work;

struct egress {
	struct config		 conf;
	struct catalogue	 catalogue;
	struct allow		 allow;
	struct event_base	*base;
	struct spool		*spool;
	struct work		*work;
	struct event		*listener;
	struct client		*clients;
	uint64_t		 epoch;		/* newest said hello with */
	pthread_mutex_t		 vault_mutex;	/* held for moments: the loop takes it */
	struct id		 vault;		/* loop thread sets, workers read */
	pthread_mutex_t		 keys_mutex;	/* held while vault-hsm answers: workers only */
	struct keyline		 keys;
	unsigned char		*fingerprint_key;	/* 32 locked bytes; NULL until made */
	atomic_bool		 large;		/* an answer over HTTP_LARGE is being read */
	bool			 stopping;
};

/* The mutexes. */
void egress_init(struct egress *x);
/* The vault's id as vaultd said it. */
struct id egress_vault(struct egress *x);
void egress_set_vault(struct egress *x, const struct id *vault);

/* Keys, from any thread: one line to vault-hsm, one question at a time. */
int keys_make(struct egress *x, enum purpose p, const struct id *record,
    struct secret *ret_dek, struct buf *ret_wrap, struct err *e);
int keys_unwrap(struct egress *x, enum purpose p, const struct id *record,
    struct slice wrap, struct secret *ret_dek, struct err *e);
/* App and grant, which must be sealed for one destination: else ERR_RECORD_CORRUPT. What was
 * opened is the caller's, also after an error. */
int keys_open_grant(struct egress *x, const struct sealed *app, const struct sealed *grant,
    struct app_secret *ret_app, struct grant_secret *ret_grant, struct err *e);
/* Opens a sealed secret whose key is wrapped for its record. */
int keys_open(struct egress *x, enum purpose p, const struct sealed *s,
    struct secret *ret, struct err *e);
/* Seals under DEK for RECORD and VERSION. */
int keys_seal(struct egress *x, enum purpose p, const struct id *record, uint64_t version,
    const struct secret *dek, struct slice plain, struct buf *out, struct err *e);
/* Key pairs of OAuth apps, in the token: see common/signing.h. */
struct app_key;
int keys_pair_make(struct egress *x, const struct pair_make *q, struct pair_public *ret,
    struct err *e);
int keys_pair_public(struct egress *x, const struct app_key *k, struct pair_public *ret,
    struct err *e);
int keys_pair_destroy(struct egress *x, const struct app_key *k, struct err *e);
int keys_certify(struct egress *x, const struct certify *q, struct secret *ret, struct err *e);
int keys_sign_jwt(struct egress *x, const struct claims *c, struct secret *ret, struct err *e);
int keys_sign_tls(struct egress *x, const struct app_key *k, enum tls_scheme scheme,
    struct slice tbs, struct secret *ret, struct err *e);
/* HMAC of a refresh token, under a key vaultd cannot have. */
int keys_fingerprint(struct egress *x, const struct secret *token, unsigned char ret[32],
    struct err *e);

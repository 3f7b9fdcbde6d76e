/*
 * flight.h - one exchange, from the opened secrets to the sealed tokens, and what of it
 * the spool keeps so that a later process can finish it.
 */
#pragma once

#include "egress/destination.h"
#include "egress/http.h"
#include "egress/work.h"

/*
 * The wraps of the keys are in the spool file's header; the rest, with the secrets that
 * must not show in what a provider says, is in its sealed part.
 */
struct flight {
	enum exchange_kind	 kind;
	enum exchange_kind	 now;		/* what is sent: of PASSWORD a refresh token first */
	bool			 first;		/* these are the connection's first tokens */
	struct id		 attempt, connection;
	uint64_t		 grant_version, release_version;
	int64_t			 sent_at;	/* wall clock; expires_at counts from here */
	struct destination	 d;
	char			 nonce[64], scope[EX_SCOPE];
	struct ex_vars		 parameters;	/* of the redirect */
	unsigned char		 sent_print[32];
	unsigned char		 header[32];	/* SHA-256 of the spool file's: no other fits */
	struct secret		 spool_dek, grant_dek, release_dek;
	struct buf		 spool_wrap, grant_wrap, release_wrap;
	bool			 release_new;
	struct app_secret	 app;		/* after a restart: id and secret alone */
	struct flow_secret	 flow;		/* after a restart: the verifier alone */
	struct grant_secret	 grant;
	struct secret		 code;
	struct msg		 kept;		/* room for the sealed part, taken before sending */
};

/* J owns it from then on. */
struct flight *flight_new(struct job *j);

/* Takes the memory that keeping an ordinary answer needs. Errors: V_LIMIT. */
int flight_reserve(struct flight *f, struct err *e);

/* Just before the first byte: makes the spool file. Errors: ERR_STORE_UNWRITABLE. */
int flight_begin(struct egress *x, struct flight *f, struct err *e);
/* Seals A into the spool file. FALSE: it is in memory alone (logged). */
bool flight_keep(struct egress *x, struct flight *f, const struct http_answer *a);

/* A flight again from its spool file, of FORMAT as spool_read() says; F->attempt is set. */
int flight_open(struct egress *x, struct flight *f, struct slice header, struct slice blob,
    unsigned format, struct http_answer *ret, struct err *e);

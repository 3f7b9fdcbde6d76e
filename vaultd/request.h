/*
 * request.h - the spine every call passes once:
 * find -> decode -> identify -> object -> policy -> run -> audit and commit -> answer -> wipe.
 */
#pragma once

#include "common/exchange.h"
#include "policy/policy.h"
#include "vaultd/journal.h"
#include "vaultd/peer.h"
#include "vaultd/record.h"
#include "vaultd/verb.h"

struct conn;
struct vault;

struct request {
	struct vault		*vault;
	struct conn		*conn;		/* referenced until request_free */
	struct request		*next;		/* in conn's queue, in call order */
	const struct verb	*verb;
	json_t			*call;		/* what was received; args borrow from it */
	void			*args;		/* verb->args_size bytes */
	char			 trace[17];	/* names the call in audit, log and answer */
	long long		 start_us;

	/* filled by verb->object */
	struct policy_object	 object;
	char			 object_name[256];	/* for audit: "shared/team/github" */
	struct id		 object_id;
	struct policy_decision	 decision;
	bool			 decided;

	/* filled by verb->run and its continuations */
	json_t			*reply;		/* parameters of the answer; NULL = {} */
	struct changes		 changes;
	struct err		 err;
	void			*state;		/* the verb's own, freed by state_free */
	void			(*state_free)(void *);

	/* the ready answer, NUL included; wiped when sent */
	struct buf		 out;
	bool			 begin_written;	/* a `begin` audit line exists */
	bool			 ready;		/* out may be sent */
	bool			 secret;
};

/* From conn.c: TEXT is one message without its NUL. Takes nothing; the answer follows in
 * order through conn_ready(). Protocol errors: returns false and conn closes. */
bool request_start(struct vault *v, struct conn *c, char *text, size_t len);

/* From a helper's completion: goes on where run() returned REQUEST_WAIT. RC 0 or a class
 * with the error in E. */
void request_resume(struct request *r, int rc, const struct err *e);

/* Wipes and frees; the conn calls it after sending or when it closes. */
void request_free(struct request *r);

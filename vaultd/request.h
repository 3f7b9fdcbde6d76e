/*
 * request.h - the spine every call passes once:
 * find -> decode -> identify -> object -> policy -> run -> audit and commit -> answer -> wipe.
 */
#pragma once

#include "common/exchange.h"
#include "policy/policy.h"
#include "vaultd/journal.h"
#include "vaultd/names.h"
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
	size_t			 args_cap;
	char			 trace[17];	/* names the call in audit, log and answer */

	/* filled by verb->object */
	enum policy_action	 action;	/* the row's, unless it depends on the object */
	struct policy_object	 object;
	const char		*asked;		/* what the caller wrote; for NotFound */
	const char		*asked_for;	/* "connection", "folder" */
	struct id		 object_id;
	bool			 decided;
	bool			 more;		/* the caller takes several answers */

	/* filled by verb->run and its continuations */
	json_t			*reply;		/* parameters of the answer; NULL = {} */
	struct changes		 changes;
	bool			 keeps_changes;	/* they are made even when the call fails */
	/* On the loop once the changes are durable, before the answer leaves. */
	void			(*after)(struct request *r);
	/* When they are not, because of what changed meanwhile: may name it better in r->err. */
	void			(*conflict)(struct request *r);

	/* the ready answer, NUL included; wiped when sent */
	struct buf		 out;
	bool			 begin_written;	/* a `begin` audit line exists */
	unsigned		 besides;	/* refusals without a line of their own */
	bool			 ready;		/* out may be sent */
	/* Set by run() and more(): the answer is not the last one. */
	bool			 continues;

	/* of follow.c */
	struct request		*follow_next, *follow_prev;
	bool			 following;
	bool			 idle;		/* its last answer was taken */
	bool			 behind;	/* set by more(): there is more to read already */
	uint64_t		 heard;		/* version of the table when it read last */

	/* of conn.c: what is charged to the caller's uid */
	bool			 counted;	/* one of its calls in flight */
	size_t			 charged;	/* bytes of out */

	/* Large, and not zeroed but emptied for each call. TEXT is the first. */
	char			 text[256];	/* the hot path's copy of the connection's name */
	char			 object_name[528];	/* for audit: "shared/team/github" */
	char			 folder[400];		/* object.folder may point here */
	char			 caller[NAME_MAX];		/* the user's name, as it was asked for */
	char			 policy_hash[POLICY_HASH];	/* of the policy that decided */
	struct policy_decision	 decision;
	struct err		 err;
	struct job		 job;		/* makes it durable */
};

/* From conn.c: TEXT is one message without its NUL. Takes nothing; the answer follows in
 * order through conn_ready(). Protocol errors: returns false and conn closes. */
bool request_start(struct vault *v, struct conn *c, char *text, size_t len);

/* A call that is not even looked at: E is its answer, in its turn. */
bool request_refuse(struct vault *v, struct conn *c, const struct err *e);

/* Before a helper is asked: writes the call's `begin` line. From then on the answer may come
 * at any time, also before run() has returned REQUEST_WAIT. */
void request_defer(struct request *r);

/* From follow.c: R's answer, which continues, was sent. Makes the next one; FALSE: there is none
 * yet. */
bool request_next(struct request *r);

/* From a helper's completion: goes on where run() returned REQUEST_WAIT. RC 0 or a class
 * with the error in E (which may be &r->err, and NULL when RC is 0). */
void request_resume(struct request *r, int rc, const struct err *e);

/* Asks policy about an object, leaving no trace: for lists. What a call is about the spine asks. */
bool request_may(const struct request *r, enum policy_action action,
    const struct policy_object *o, struct policy_decision *ret);

/* Wipes and frees; the conn calls it after sending or when it closes. */
void request_free(struct request *r);

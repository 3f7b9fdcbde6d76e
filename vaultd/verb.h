/*
 * verb.h - one row per method of the client protocol, beside its handler.
 *
 * HACKING.md says how to add one. request.c does everything that must
 * hold for each: decode, identify, policy, audit, commit, answer, wipe. A handler cannot
 * forget a check because it makes none.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "policy/policy.h"

struct request;

enum field_type {
	F_STR,		/* char *: borrowed from the request, terminated */
	F_NAME,		/* char *: 1..120 bytes, no control character, no '/'; an optional
			   one that is empty counts as absent */
	F_ID,		/* struct id */
	F_BOOL,
	F_YESNO,	/* enum yesno: a boolean, and whether it was said */
	F_INT,		/* int64_t, not negative */
	F_SECONDS,	/* int64_t, 0..10 years */
	F_SECRET,	/* struct secret: moved out of the JSON tree, which is wiped; a
			   required one is not empty */
	F_STRINGS,	/* struct strings */
	F_MAP,		/* struct ex_vars: object of strings */
	F_TEXTS,	/* const json_t *: object of strings, borrowed; at most 32 */
	F_SECRETS,	/* struct ex_secrets: object of strings, moved as F_SECRET is */
};

enum yesno { NOT_SAID, SAID_YES, SAID_NO };

struct strings {
	const char	*v[64];
	size_t		 n;
};

struct field {
	const char	*name;
	enum field_type	 type;
	size_t		 offset;
	bool		 required;
	size_t		 max;		/* bytes of a string or secret; 0 = 4096, F_NAME: 120 */
};

enum {
	VERB_SECRET	= 1,	/* answer carries a secret: wiped, never logged */
	VERB_CHANGE	= 2,	/* changes the store */
	VERB_NO_AUDIT	= 4,	/* status and introspection */
	VERB_OPERATOR	= 8,	/* operator only, whatever policy says */
	VERB_UNSEALED	= 16,	/* refused while the vault is sealed */
	VERB_NAMED	= 32,	/* needs the caller's name although action is ACT_NONE */
	VERB_HSM	= 64,	/* needs the HSM: refused at once while it is away */
};

struct verb {
	const char		*method;	/* "vaultd.Tokens.Get" */
	const char		*help;
	enum policy_action	 action;
	unsigned		 flags;
	const struct field	*fields;	/* ends with a zeroed row; NULL = none */
	size_t			 args_size;
	void			(*args_done)(void *args);	/* secrets in args */
	/*
	 * Finds what the call is about and fills r->object, so that policy can be asked.
	 * Where the permission depends on it, sets r->action in place of the row's.
	 * NULL: about the vault as a whole. V_NOT_FOUND here and a policy that hides the
	 * object answer alike.
	 */
	int	(*object)(struct request *r, struct err *e);
	/*
	 * Does it. 0: r->reply and r->changes are complete. REQUEST_WAIT: a helper was
	 * asked; request_resume() follows. Anything else: the error in E is answered.
	 */
	int	(*run)(struct request *r, struct err *e);
	/*
	 * After an answer with r->continues: the next one. 0: r->reply is complete.
	 * REQUEST_WAIT: there is nothing to say yet. Anything else: E is the last answer.
	 */
	int	(*more)(struct request *r, struct err *e);
};

#define REQUEST_WAIT (-1)

/* The table, in verbs.c; ends with NULL. */
extern const struct verb *const verbs[];
const struct verb *verb_find(const char *method, size_t len);

/*
 * Decodes PARAMETERS (object or NULL) into ARGS. Unknown, missing, mistyped, too long:
 * ERR_INVALID_PARAMETER (ERR_NAME_INVALID for what is not a name) with detail
 * "parameter". null is absent. Strings are borrowed from PARAMETERS.
 * A secret's string in the tree is emptied (the allocator wipes).
 */
int fields_decode(const struct field *f, json_t *parameters, void *args, struct err *e);

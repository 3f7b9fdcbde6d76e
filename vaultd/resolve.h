/*
 * resolve.h - which connection a program means: by a binding, or where none is named. The path that
 * was taken is told step by step. Nothing is guessed: where no step leads to one there is none.
 *
 *	binding		its own connection; before it the caller's own choice, where that is allowed
 *	workspace	the default of the connector in the caller's own workspace
 *	folder		the default of the connector in the binding's folder
 *
 * A binding of which users choose nothing is not looked for in their workspaces; one of which each
 * has his own not in its folder.
 */
#pragma once

#include <jansson.h>

#include "vaultd/request.h"

#define BINDING_PREFIX	"binding:"	/* "binding:consumer/name": no connection is called so */
#define DEFAULT_PREFIX	"default:"	/* "default:folder/connector" */

struct resolution {
	struct binding	 b;
	uint64_t	 generation;
	struct folder	 f;		/* the binding's; or what was named with DEFAULT_PREFIX */
	struct id	 connection;	/* null: none */
	json_t		*steps;		/* array, as the IDL says; NULL: nobody wants them */
};

/* Finds binding and folder, fills r->object with the folder and r->asked. ERR_NOT_FOUND. */
int resolve_find(struct request *r, const char *consumer, const char *name,
    struct resolution *ret, struct err *e);
/* Goes the way. Errors: ERR_NO_CONNECTION, which says who can do what about it. */
int resolve_go(struct request *r, struct resolution *ret, struct err *e);
/*
 * TEXT with one of the prefixes, to the id of a connection that the caller may or may not use.
 * ERR_NOT_FOUND for what the caller may not see; ERR_NO_CONNECTION.
 */
bool resolve_is_one(const char *text);
int resolve_text(struct request *r, const char *text, char ret_id[ID_TEXT], struct err *e);
/* "folder/name" of a connection for the caller. FALSE: there is none that he may see. */
bool resolve_path(const struct request *r, const struct id *connection, char *ret, size_t cap);

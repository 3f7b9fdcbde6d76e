/*
 * place.h - where a new connection goes, and that it may: shared by the ways to make one.
 */
#pragma once

#include "connectors/catalogue.h"
#include "vaultd/request.h"

struct place {
	/* what the caller said; NULL = not said */
	const char	*connector, *folder, *name;
	/* found */
	struct folder	 f;
	bool		 make_workspace;	/* the caller's own, on first use */
	struct id	 id;			/* of the connection to be */
	bool		 replaces;		/* a sign-in of the caller's that nobody finished */
	struct connection unfinished;
	uint64_t	 unfinished_generation;
};

/* What an app or connection of connector ID made with VERSION goes by. Errors:
 * ERR_CONNECTOR_GONE. */
int place_connector(const struct vault *v, const char *id, uint32_t version,
    const struct connector **ret, struct err *e);
/* The folder at PATH, or the caller's own workspace that is still to be made (RET_MAKE). */
int place_folder(struct request *r, const char *path, struct folder *ret, bool *ret_make,
    struct err *e);
/* Into r->changes: F, the caller's own workspace as place_folder() found it. */
int place_workspace(struct request *r, struct folder *f, struct err *e);
/* For verb->object: finds connector and folder, fills r->object. */
int place_object(struct request *r, struct place *p, const char *auth_type, struct err *e);
/* After policy: does the connector have this type, is the name free? */
int place_check(struct request *r, struct place *p, struct err *e);
/* The record to be, state pending; adds the workspace to r->changes if it must be made. */
int place_connection(struct request *r, struct place *p, enum auth_type t,
    struct connection *ret, struct err *e);
/* After a conflict: names what came in between, in r->err. */
void place_conflict(struct request *r, const struct place *p);

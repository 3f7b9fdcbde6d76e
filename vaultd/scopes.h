/*
 * scopes.h - which scopes a new connection asks for (row 25). Pure.
 */
#pragma once

#include "connectors/catalogue.h"
#include "policy/policy.h"
#include "vaultd/record.h"
#include "vaultd/verb.h"

/* Who has a say, the first that says something counts; NULL: not there. */
struct scopes_from {
	const struct strings	 *asked;	/* the caller */
	const struct policy_byoa *policy;
	const struct app	 *app;
	const struct connector	 *connector;	/* and always what it cannot do without */
};

/* Into RET, separated by spaces. Errors: ERR_INVALID_PARAMETER. */
int scopes_choose(const struct scopes_from *from, char *ret, size_t cap, struct err *e);

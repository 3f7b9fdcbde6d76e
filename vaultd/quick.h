/*
 * quick.h - the hot call, recognised without building a tree.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/bytes.h"

struct quick_call {
	struct slice	connection;	/* plain ASCII, borrowed */
	bool		has_min_ttl;
	int64_t		min_ttl;
};

/*
 * TRUE: TEXT is a call of vaultd.Tokens.Get with a plain connection and at most
 * min_ttl, and jansson would read the same from it. FALSE says nothing: the full parser
 * decides.
 */
bool quick_token_get(const char *text, size_t len, struct quick_call *ret);

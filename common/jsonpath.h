/*
 * jsonpath.h - where in a provider's answer something is. Two ways to say it:
 *
 *	authed_user.access_token, errors[0].message	names with dots, [N] of an array
 *	/authed_user/access_token, /errors/0/message	RFC 6901, for names with dots in them
 *
 * "" is the whole answer.
 */
#pragma once

#include <stdbool.h>
#include <jansson.h>

#define JSONPATH_STEPS	8
#define JSONPATH_NAME	64

/* Can PATH be followed? */
bool jsonpath_valid(const char *path);

/* What PATH leads to in V, borrowed from it; NULL: nothing is there, or PATH is not valid. */
json_t *jsonpath_get(json_t *v, const char *path);

/* Does NAME stand for a step of PATH? */
bool jsonpath_has(const char *path, const char *name);

/*
 * keys.h - the keys of a connector file: one table for the reader and for tests of the
 * manual and the schema.
 */
#pragma once

#include <stddef.h>

enum connector_key_type {
	K_STR, K_URL, K_UINT, K_BOOL, K_ENUM, K_STRINGS, K_PAIRS, K_AUTH_TYPES, K_VARS,
	K_PATH,		/* one path of common/jsonpath.h */
	K_PATHS,	/* one, or an array of them */
	K_CAPTURE, K_ERROR_MAP,
	K_HEADERS,	/* of `secret_headers` */
	K_LINES,	/* object of strings, kept as header lines */
};

struct connector_key {
	const char		*name;
	enum connector_key_type	 type;
	size_t			 offset, count, max;
	const char *const	*words;		/* of K_ENUM, NULL ended */
};

extern const struct connector_key connector_keys[];	/* ends with a zeroed row */

/*
 * conf.h - `key = value` files, one parser for all roles.
 *
 * '#' starts a comment line. Unknown key, duplicate, bad value: an error with file and
 * line. A role describes its keys in one table; the table is the default, the parser
 * and what the manual is tested against.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

enum conf_type {
	CONF_STR,	/* char * , heap, owned by the struct */
	CONF_PATH,	/* char *, absolute */
	CONF_UINT,	/* unsigned */
	CONF_SIZE,	/* size_t; suffix k, M, G, T (powers of 1024) */
	CONF_SECONDS,	/* unsigned; suffix s, m, h, d */
	CONF_BOOL,	/* bool: yes, no */
	CONF_LIST,	/* struct conf_list: the key may stand several times */
};

struct conf_list {
	char	**v;
	size_t	 n;
};

struct conf_key {
	const char	*name;
	enum conf_type	 type;
	size_t		 offset;
	const char	*dflt;		/* parsed like a value; NULL = zero, "" or empty list */
	const char	*help;		/* one line, for --help and the manual's test */
};

/* KEYS ends with a zeroed row. Defaults first, then FILE (NULL: defaults alone; a
 * missing FILE is an error). Errors: V_INVALID with file:line, V_IO. */
int conf_load(const struct conf_key *keys, const char *file, void *into, struct err *e);
/* Frees what conf_load() allocated and zeroes. */
void conf_free(const struct conf_key *keys, void *from);
/* Prints every key with default and help, in file syntax. */
void conf_print(const struct conf_key *keys);

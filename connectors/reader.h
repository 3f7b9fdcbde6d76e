/*
 * reader.h - one connector file being read: what catalogue.c and the readers of its larger
 * keys share.
 */
#pragma once

#include <jansson.h>

#include "connectors/catalogue.h"
#include "connectors/keys.h"

struct reader {
	const char	*file;
	struct slice	 text;
	struct connector *c;
	struct err	*e;
};

/* ERR_CONNECTOR_INVALID for the value at POINTER, or its name (KEY). Returns the class. */
int reader_bad(struct reader *r, const char *pointer, bool key, const char *what);

#define reader_at(base, off, type) ((type *)(void *)((char *)(base) + (off)))

/* A path, or an array of at most CONNECTOR_PATHS. */
int read_paths(struct reader *r, const struct connector_key *k, const char *ptr, json_t *v);
int read_captures(struct reader *r, const char *ptr, json_t *v);
int read_error_map(struct reader *r, const char *ptr, json_t *v);
/* After all keys are read: the names in captures and in `api_base` fit together. */
int check_captures(struct reader *r);
/* variables.c */
int read_vars(struct reader *r, const char *ptr, json_t *v);
/* After all keys are read. */
int check_templates(struct reader *r);
/* secrets.c */
int read_secret_headers(struct reader *r, const char *ptr, json_t *v);
/* After all keys are read: what each type of secret needs is there, and can be sent. */
int check_secrets(struct reader *r);
void secret_headers_done(struct connector *c);
void captures_done(struct connector *c);
void error_map_done(struct connector *c);

/*
 * json.h - jansson, with the rules that hold everywhere: no duplicate keys, no NUL
 * inside strings, a bound on size and depth, and an allocator that wipes.
 *
 * A file of its own so that vault-hsm and libvaultd, which must not, do not link it.
 */
#pragma once

#include <stdbool.h>
#include <jansson.h>

#include "common/bytes.h"
#include "common/err.h"
#include "common/secret.h"

#define JSON_DEPTH_MAX 16

/* Once per process, before any jansson call: freed memory is wiped. */
void json_wiping_allocator(void);

/*
 * Parses TEXT. Errors: V_LIMIT (over MAX bytes or deeper than JSON_DEPTH_MAX), V_INVALID
 * (not JSON, duplicate key, \u0000), with line and column in the text. NULL on error.
 */
json_t *json_parse(struct slice text, size_t max, struct err *e);

/* Reads a file, then json_parse(). The error starts with the path: `FILE:LINE:COLUMN: `.
 * RET_TEXT (may be NULL) gets the bytes, for json_where(). */
json_t *json_parse_file(const char *path, size_t max, struct buf *ret_text, struct err *e);

/*
 * Line and column (from 1) of the value at POINTER (RFC 6901) in TEXT, which is known to
 * parse. KEY: of the member's name rather than its value. FALSE: there is none.
 * Re-scans the text: for error messages only.
 */
bool json_where(struct slice text, const char *pointer, bool key, int *line, int *column);

/* err_name(ID, "FILE:LINE:COLUMN: message") for the value at POINTER. Returns class. */
int json_err_at(struct err *e, unsigned id, const char *file, struct slice text,
    const char *pointer, bool key, const char *fmt, ...)
    __attribute__((format(printf, 7, 8)));

/* Writes S (LEN bytes of valid UTF-8) as a JSON string with quotes. FALSE: not UTF-8 or
 * out of memory. */
bool json_quote(struct buf *out, const char *s, size_t len);
/* The same into a secret. */
int json_quote_secret(struct secret *out, const char *s, size_t len, struct err *e);

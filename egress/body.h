/*
 * body.h - the bytes of a provider's answer as one JSON object, whatever they were. Pure.
 */
#pragma once

#include <jansson.h>

#include "common/bytes.h"
#include "common/err.h"

#define ANSWER_MAX	(1u << 20)

/*
 * JSON, with or without a byte order mark; or a form (RFC 6749 answers of old), whose members
 * become strings. CONTENT_TYPE may be "": what the bytes are decides, but a web page is none.
 * Errors: V_CORRUPT: neither, over ANSWER_MAX, too deep, a member twice, a NUL. NULL on error.
 */
json_t *body_parse(struct slice body, const char *content_type, struct err *e);

/* Is CONTENT_TYPE, or what BODY begins with, a web page? */
bool body_is_page(struct slice body, const char *content_type);

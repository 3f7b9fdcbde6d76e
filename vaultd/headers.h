/*
 * headers.h - what callers send to an API, ready made: row 22. Pure.
 */
#pragma once

#include <jansson.h>

#include "connectors/catalogue.h"

/*
 * Of a release plaintext: {"headers": [...], "query": [...]}, and with RAW {"secrets": {...}}. C may
 * be NULL: then a token goes into Authorization. The tree holds secrets; its allocator wipes.
 * Errors: ERR_RECORD_CORRUPT, V_LIMIT.
 */
json_t *headers_of(struct slice fragment, const struct connector *c, bool raw, struct err *e);

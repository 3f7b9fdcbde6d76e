/*
 * varlink.h - the strict subset of the Varlink wire format: calls in, replies and
 * errors out. `oneway` and `upgrade` are refused, unknown members too
 * (docs/PROTOCOL.md).
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "common/bytes.h"
#include "common/err.h"

struct varlink_call {
	const char	*method;	/* borrowed from the message */
	json_t		*parameters;	/* borrowed; NULL = none */
	bool		 more;
};

/* V_INVALID: not a call; the connection is closed without a reply. */
int varlink_call_parse(json_t *message, struct varlink_call *ret, struct err *e);

/* The error with NUL, appended. FALSE: out of memory. */
bool varlink_error(struct buf *out, const struct err *e, const char *trace);
/* {"parameters":REPLY} with NUL; REPLY NULL = {}. CONTINUES: another answer follows. */
bool varlink_reply(struct buf *out, const json_t *reply, bool continues);

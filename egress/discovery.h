/*
 * discovery.h - endpoints of an issuer from its metadata (RFC 8414, OpenID Discovery).
 * Read once, when an app is registered; what was found is sealed in and never changes.
 */
#pragma once

#include "egress/destination.h"

struct egress;

/* The document of ISSUER, into RET. */
int discovery_fetch(struct egress *x, const char *issuer, struct secret *ret, struct err *e);

/* D->issuer is set. Fills the endpoints; ISS_REQUIRED: RFC 9207 is advertised. */
int discover(struct egress *x, struct destination *d, bool *iss_required, struct err *e);

/* The same from the text of a document. Pure; fuzzed. */
int discovery_parse(struct slice text, struct destination *d, bool *iss_required,
    struct err *e);

/*
 * assert.h - assertions signed in the token (RFC 7521, 7523): an OAuth app shows who it is
 * with one, or asks for tokens with one.
 */
#pragma once

#include "connectors/catalogue.h"
#include "egress/destination.h"

struct egress;

#define CLIENT_ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#define GRANT_JWT_BEARER "urn:ietf:params:oauth:grant-type:jwt-bearer"

/* Who APP is: iss and sub are its client id (RFC 7523 section 3). ERR_HSM_REFUSED,
 * ERR_HSM_UNAVAILABLE. */
int assert_client(struct egress *x, const struct app_secret *app, struct secret *ret,
    struct err *e);

/*
 * APP asks for a token on behalf of SUBJECT ("": the one it was registered for) with SCOPE
 * ("": no such claim) and more claims. ERR_INVALID_PARAMETER: no key, no subject, or more
 * claims than fit.
 */
int assert_grant(struct egress *x, const struct app_secret *app, const char *subject,
    const char *scope, const struct name_value *claims, size_t n, struct secret *ret,
    struct err *e);

/* What assertions of an app of C must have as `aud`, into OUT: what the connector says, else the
 * issuer, else the token URL. */
int assert_audience(const struct connector *c, const struct destination *d, char *out, size_t cap,
    struct err *e);

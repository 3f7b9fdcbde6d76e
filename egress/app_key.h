/*
 * app_key.h - the key pair of an OAuth app that signs: made in the token while the app is
 * registered, its certificate, and what of both is shown to people. For app.c alone.
 */
#pragma once

#include "egress/destination.h"

struct egress;

/* Makes what Q asks for, for APP, whose destination is complete. ERR_INVALID_PARAMETER; what
 * vault-hsm says. */
int app_key_make(struct egress *x, const struct connector *c, const struct seal_app *q,
    struct app_secret *app, struct err *e);
/* Takes back what app_key_make() made; says in the log when it cannot. */
void app_key_unmake(struct egress *x, const struct app_key *k);

/* PEM becomes the certificate of K. ERR_INVALID_PARAMETER: it is another key's, or over. */
int app_key_certify(struct egress *x, struct app_key *k, struct slice pem, struct err *e);

/* Fills what vaultd keeps of it. */
void app_key_result(const struct app_key *k, struct seal_app_result *res);

int app_key_show(struct egress *x, const struct app_secret *app, const struct app_key_ask *q,
    struct app_key_result *ret, struct err *e);

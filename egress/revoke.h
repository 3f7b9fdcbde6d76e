/*
 * revoke.h - taking back at the provider what will not be used.
 */
#pragma once

#include "egress/destination.h"

struct egress;

/*
 * In a worker of its own, without telling anybody: best effort. Takes both tokens; either
 * may be empty.
 */
void revoke_later(struct egress *x, const struct connector *c, const struct app_secret *app,
    struct secret *refresh_token, struct secret *access_token);

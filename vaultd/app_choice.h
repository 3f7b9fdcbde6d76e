/*
 * app_choice.h - which OAuth app a new connection asks with.
 */
#pragma once

#include "vaultd/request.h"

/* What policy is asked of O about a sign-in with APP, as it is now: one that is not its default was
 * chosen. RET: its rules. */
void app_about(const struct policy *p, const struct policy_subject *s, const struct app *app,
    struct policy_object *o, struct policy_byoa *ret);
/* The policy may lock a connector to one app. Errors: ERR_APP_FORBIDDEN. */
int app_is_locked_out(const struct policy_byoa *byoa, const char *app, const char *connector,
    struct err *e);

/* NAMED, or else the policy's default. The caller frees RET with app_done(). Errors:
 * ERR_APP_REQUIRED, ERR_APP_FORBIDDEN, ERR_NOT_FOUND, or it is of another connector. */
int app_choose(struct request *r, const char *connector, const char *named,
    const struct policy_byoa *byoa, struct app *ret, struct err *e);

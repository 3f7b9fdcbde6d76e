/*
 * ops.h - the table of what vaultd may ask: op, and the steps that do it.
 */
#pragma once

#include "egress/work.h"

/* Picks J's steps by its op and submits it. Errors: unknown op; J stays the caller's. */
int ops_start(struct job *j, struct err *e);

/* exchange.c */
int exchange_prepare(struct job *j, struct err *e);
int attempt_prepare(struct job *j, struct err *e);
int drop_prepare(struct job *j, struct err *e);
/* app.c */
int seal_app_prepare(struct job *j, struct err *e);
int app_key_prepare(struct job *j, struct err *e);
int app_forget_prepare(struct job *j, struct err *e);
/* signin.c */
int begin_prepare(struct job *j, struct err *e);
/* revoke.c */
int revoke_prepare(struct job *j, struct err *e);
/* create.c */
int create_prepare(struct job *j, struct err *e);
/* test_app.c */
int test_app_prepare(struct job *j, struct err *e);
/* check.c */
int check_prepare(struct job *j, struct err *e);
/* introspect.c */
int introspect_prepare(struct job *j, struct err *e);
/* metadata.c */
int discover_prepare(struct job *j, struct err *e);
/* reseal.c */
int reseal_prepare(struct job *j, struct err *e);

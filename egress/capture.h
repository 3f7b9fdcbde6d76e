/*
 * capture.h - what of an answer, or of a sign-in's redirect, is kept beside the tokens. Pure.
 */
#pragma once

#include "connectors/catalogue.h"
#include "egress/reply.h"

/* From the answer O into R->captured, each as its type allows; the name of a url that leads
 * elsewhere than its connector allows goes into R->strayed. */
void capture_answer(json_t *o, const struct connector *c, struct reply *r);

/* The same from the parameters of the redirect, as vaultd was told them. TOKEN_URL is the sealed one,
 * whose host a connector may allow. */
void capture_callback(const struct ex_vars *parameters, const struct connector *c,
    const char *token_url, struct reply *r);

/* Before the code goes out: does the redirect lead where the app is registered (Zoho's
 * accounts-server)? Errors: ERR_ACCOUNT_ELSEWHERE. */
int capture_check_callback(const struct ex_vars *parameters, const struct connector *c,
    const char *token_url, struct err *e);

/*
 * What was captured once and comes back from vaultd: what still is an id or url as the connector's
 * rules have it. Nothing else gets into a URL to which a token is sent.
 */
void capture_again(const struct ex_vars *captured, const struct connector *c,
    const char *token_url, struct ex_vars *ret);

/*
 * Is VALUE an https URL on one of C's hosts, with neither user, query nor fragment? RET is the URL
 * with its host in lower case and no '/' at its end. TOKEN_URL as above.
 */
bool capture_url(const struct connector_capture *c, const char *token_url, const char *value,
    char *ret, size_t cap);

/*
 * capture.h - what of an answer, or of a sign-in's redirect, is kept beside the tokens. Pure.
 */
#pragma once

#include "connectors/catalogue.h"
#include "egress/reply.h"

/* From the answer O into R->captured, each as its type allows; the name of a url that leads
 * elsewhere than its connector allows goes into R->strayed. */
void capture_answer(json_t *o, const struct connector *c, struct reply *r);

/* The same from the parameters of the redirect, as vaultd was told them. */
void capture_callback(const struct ex_vars *parameters, const struct connector *c,
    struct reply *r);

/*
 * Is VALUE an https URL on one of C's hosts, with neither user, query nor fragment? RET is the URL
 * with its host in lower case and no '/' at its end.
 */
bool capture_url(const struct connector_capture *c, const char *value, char *ret, size_t cap);

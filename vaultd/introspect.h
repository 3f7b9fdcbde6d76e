/*
 * introspect.h - after a lost answer: the provider is asked whether the refresh token was spent,
 * where it can be asked (RFC 7662). What it says is committed; no answer changes nothing.
 * DUE_INTROSPECT of the due index calls it. Loop thread.
 */
#pragma once

#include "common/bytes.h"

struct vault;

void introspect(struct vault *v, const struct id *connection);

/*
 * lifetime.h - how long something lives, or when it ends, in any way that providers say it. Pure.
 */
#pragma once

#include <stdint.h>
#include <jansson.h>

#include "connectors/catalogue.h"

struct lifetime {
	uint32_t	in_s;	/* from when the request was sent; 0 = not said so */
	int64_t		at;	/* seconds since 1970; 0 = not said so */
};

/*
 * V as UNIT: an integer, a float, or either as a string; or the text of a time. What is zero,
 * negative, absurd or no number says nothing.
 */
struct lifetime lifetime_of(const json_t *v, enum expiry_unit unit);

/* 2026-11-27T08:50:00Z and its kin (RFC 3339, with or without fraction, `T` and zone; without a
 * zone it is UTC). 0: it is none. */
int64_t time_of_iso8601(const char *s);

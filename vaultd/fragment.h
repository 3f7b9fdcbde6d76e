/*
 * fragment.h - what is sealed under `release`: `"access_token":"...","token_type":"...",
 * "scope":"..."`, ready to be part of an answer.
 */
#pragma once

#include <stdbool.h>

#include "common/bytes.h"

/* Strictly those three members, all strings, nothing else. */
bool fragment_ok(struct slice fragment);

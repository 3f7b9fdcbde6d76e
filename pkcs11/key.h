/*
 * key.h - what the operator does by hand: `vault-hsm key init`, `key status`, `pin try`.
 *
 * These run in a process of their own, on no line. The daemon and these commands share
 * all code below hsm.h; only `key init` ever makes a key.
 */
#pragma once

#include "pkcs11/config.h"

/* Runs the command that ARGV (from its first word) names. Returns the exit status. */
int key_command(struct hsm_conf *conf, int argc, char **argv);

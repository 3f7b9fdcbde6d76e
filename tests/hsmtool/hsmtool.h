/*
 * hsmtool.h - what its two files share.
 */
#pragma once

#include "common/keyline.h"

int say(const struct err *e);		/* prints the error; 1 */
struct id record(const char *text);
void print_hex(const void *p, size_t n, const char *after);

/* Commands about key pairs: ARGV is what follows SOCKET. */
int pair_command(struct keyline *k, const char *op, int argc, char **argv);

/*
 * ops.h - what may be asked, and by whom. One row for each operation; the mask belongs
 * to the listener that accepted the line, never to anything a message says.
 */
#pragma once

#include "pkcs11/hsm.h"

/* "from-vaultd", "from-egress": also the names of the sockets. */
const char *line_name(enum key_line line);

/* May OP take as long as making a key does? */
bool ops_slow(unsigned op);

/*
 * Answers one question. OUT is started by us and holds the answer's body, in locked
 * memory; on error E is the answer.
 */
int ops_run(struct hsm *h, enum key_line line, const struct frame *q, struct msg *out,
    struct err *e);

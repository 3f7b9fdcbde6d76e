/*
 * call.h - one question in the hands of its op: ops.c makes it, ops_pair.c has ops too.
 */
#pragma once

#include "pkcs11/hsm.h"

struct call {
	struct hsm	*h;
	enum key_line	 line;
	unsigned	 mask;
	const char	*name;
};

/* A line that asks for what it may not have is a bug or an attack: said, not too often. */
int call_deny(const struct call *c, const char *what, struct err *e);

/* ---- ops_pair.c: key pairs of connections, asked for by vault-egress alone */
int op_pair_make(const struct call *c, struct msg *in, struct msg *out, struct err *e);
int op_pair_public(const struct call *c, struct msg *in, struct msg *out, struct err *e);
int op_pair_destroy(const struct call *c, struct msg *in, struct msg *out, struct err *e);
int op_sign_jwt(const struct call *c, struct msg *in, struct msg *out, struct err *e);
int op_sign_tls(const struct call *c, struct msg *in, struct msg *out, struct err *e);
int op_certify(const struct call *c, struct msg *in, struct msg *out, struct err *e);

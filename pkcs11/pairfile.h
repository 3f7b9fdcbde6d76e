/*
 * pairfile.h - what vault-hsm knows of each key pair of a connection: one file
 * `pair-<CKA_ID>` of the state directory, written when the pair is made and never changed.
 *
 * A key is used for what this file says, never for what a caller says. No secret is in it,
 * but whoever can write it can change what a key signs: it belongs to vault-hsm's user, mode
 * 0600. Format, one item a line; texts go to the end of their line:
 *
 *	vaultd-pair 1
 *	key <CKA_ID> <rsa|ec> <assertion|tls> <generated|imported> <unix seconds>
 *	record <32 hex digits>
 *	issuer <text>
 *	subject <text, or *>
 *	audience <text>		up to four
 *	endpoint <text>
 *	public <SubjectPublicKeyInfo, hex>
 *	end
 */
#pragma once

#include "common/signing.h"

struct pair_file {
	char			id[PAIR_ID];
	struct id		record;
	struct pair_rule	rule;
	struct pair_public	public;
};

/* Is ID 16 hex digits, so that it can be part of a file's name? */
bool pair_id_ok(const char *id);
/* Printable, and on one line. */
bool pair_text_ok(const char *text);

/* V_NOT_FOUND, V_CORRUPT, V_IO. */
int pairfile_load(const char *state_dir, const char *id, struct pair_file *ret, struct err *e);
/* Durable. V_CONFLICT when there is one. */
int pairfile_create(const char *state_dir, const struct pair_file *p, struct err *e);
/* Durable. One that is not there is no error. */
int pairfile_remove(const char *state_dir, const char *id, struct err *e);
/* Calls EACH for every file; not 0 ends it, and is returned. A damaged one: e.code V_CORRUPT. */
int pairfile_walk(const char *state_dir, int (*each)(void *arg, const struct pair_file *p,
    const struct err *bad), void *arg, struct err *e);

/* The file's text and back; TEXT is written to. V_CORRUPT. */
int pairfile_parse(char *text, struct pair_file *ret, struct err *e);
bool pairfile_text(const struct pair_file *p, struct buf *text);

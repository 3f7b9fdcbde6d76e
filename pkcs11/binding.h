/*
 * binding.h - which keys of the token are ours, and what each is for. The file
 * `binding` of the state directory, written by `vault-hsm key` alone.
 *
 * A KEK's purpose is what this file says, never what a caller or a blob says. No secret
 * is in it, but whoever can write it can change what a key is used for: it belongs to
 * vault-hsm's user, mode 0600. Format, one item a line:
 *
 *	vaultd-binding 1
 *	vault <32 hex digits>
 *	kek <CKA_ID> <grant|release> <generation> <current|previous> <check value, hex>
 *	end
 *
 * The check value is a wrap (envelope.h) of a fixed text under that very key, for the
 * null record: another key under the same CKA_ID cannot open it.
 */
#pragma once

#include "common/keyline.h"

struct binding_kek {
	char		id[KEK_ID_LEN + 1];
	enum purpose	purpose;
	uint32_t	generation;
	bool		current;
	unsigned char	kcv[WRAP_MAX];
	size_t		kcv_len;
};

struct binding {
	struct id		vault;
	size_t			n;
	struct binding_kek	kek[KEY_KEKS];
};

/* Errors: V_NOT_FOUND (never initialised), V_CORRUPT (which line), V_IO. */
int binding_load(const char *state_dir, struct binding *ret, struct err *e);

/* Writes a first binding. V_CONFLICT when there is one. */
int binding_create(const char *state_dir, const struct binding *b, struct err *e);

/* The file's text and back; TEXT is written to. V_CORRUPT. */
int binding_parse(char *text, struct binding *ret, struct err *e);
bool binding_text(const struct binding *b, struct buf *text);

bool binding_equal(const struct binding *a, const struct binding *b);

/* "grant", "release". */
const char *purpose_name(enum purpose p);

/*
 * mech.h - the ways to wrap a data key with a KEK, one row each, and the proof that a
 * row does on this token what it promises.
 *
 * New wraps use the first row that the token offers and that passes the self-test; old
 * wraps are opened by the row they name. To add a mechanism: a row in mech.c.
 */
#pragma once

#include "common/envelope.h"
#include "pkcs11/module.h"

enum iv_mode {
	IV_APPLICATION = 1,	/* random bytes of ours, in the wrap's IV field */
};

struct mech_row {
	const char		*name;
	CK_MECHANISM_TYPE	 type;
	enum iv_mode		 iv_mode;
	uint8_t			 iv_len;
	size_t			 wrapped_len;	/* of a DEK, exactly */
	/* IV is iv_len bytes, filled. OUT holds wrapped_len + MECH_SLACK, *LEN is both ways. */
	CK_RV	(*wrap)(struct module *m, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key,
		    unsigned char *iv, struct slice aad, const unsigned char *dek,
		    unsigned char *out, CK_ULONG *len);
	CK_RV	(*unwrap)(struct module *m, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key,
		    struct slice iv, struct slice aad, struct slice wrapped,
		    unsigned char *out, CK_ULONG *len);
};

/* No length queries (some modules answer them wrongly): room for a padding block or two. */
#define MECH_SLACK 48

/* A key to work with, in a session. */
struct mech_key {
	CK_SESSION_HANDLE	session;
	CK_OBJECT_HANDLE	handle;
	const char		*kek_id;
	enum purpose		purpose;
};

/* Wraps DEK (32 bytes) for RECORD; appends to RET. */
CK_RV mech_wrap(const struct mech_row *row, struct module *m, const struct mech_key *k,
    const struct id *record, const unsigned char *dek, struct buf *ret);

/* Opens WRAP with the row it names, into DEK (32 bytes, locked memory). */
CK_RV mech_unwrap(struct module *m, const struct mech_key *k, const struct wrap_view *wrap,
    const struct id *record, unsigned char *dek);

/*
 * The row for new wraps with key K. V_UNAVAILABLE: a module call failed; V_DENIED: the
 * token has no mechanism that is safe, TEXT says what each did.
 */
int mech_pick(struct module *m, const struct mech_key *k, const struct mech_row **ret,
    struct err *e);

/*
 * hsm.h - all that vault-hsm owns, how it gets from nothing to READY, and the three
 * operations that use a KEK. Called by main.c and key.c (start), serve.c and ops.c.
 *
 *	STARTING -> READY <-> SUSPECT		a failed call is checked with a canary
 *	         -> ABSENT			leave, be started again, with backoff
 *	         -> UNBOUND, BLOCKED, MISMATCH	wait for the operator (SIGHUP)
 */
#pragma once

#include "pkcs11/kek.h"
#include "pkcs11/login.h"
#include "pkcs11/recover.h"

struct kek {
	const struct binding_kek *b;
	const struct mech_row	 *row;		/* for new wraps */
	CK_OBJECT_HANDLE	  handle;	/* the copy if there is one */
};

struct hsm_count {
	uint64_t	made, unwrapped, rewrapped, signatures, refused;
};

struct hsm {
	struct hsm_conf		 conf;
	struct module		 module;
	struct binding		 binding;
	struct kek		 kek[KEY_KEKS];	/* as in binding.kek */
	struct recover		 recover;	/* note NULL: an operator's command */
	enum guard_mode		 mode;
	struct secret		 pin;		/* operator's commands: read as root */
	enum key_state		 state;
	char			 text[256];	/* why, and whose move it is */
	bool			 stay;		/* only the operator can change the state */
	bool			 leave;		/* answer what is in hand, then exit */
	long long		 started_ms, probed_ms, warned_ms;
	struct hsm_count	 line[3];	/* by enum key_line */
};

/*
 * Loads the module, logs in, binds the KEKs, tests the mechanism. Returns 0 with state
 * READY; else the state says what is wrong, and h->stay that trying again is no use.
 */
int hsm_start(struct hsm *h, struct err *e);

/* Just module, token, sessions and login: `key init` starts from there. */
int hsm_reach(struct hsm *h, struct err *e);

void hsm_set(struct hsm *h, enum key_state state, const char *text);

/* Looks whether the token is still there; h->leave when it is not. */
void hsm_probe(struct hsm *h);

/* The KEK that ID names, or the current one for PURPOSE; NULL = not ours. */
const struct kek *hsm_kek(const struct hsm *h, const char *id);
const struct kek *hsm_current(const struct hsm *h, enum purpose purpose);

/*
 * DEK is 32 bytes of locked memory. Errors: ERR_HSM_UNAVAILABLE (and h->leave when the
 * token is gone), ERR_HSM_REFUSED: the wrap is damaged or was made for another record.
 */
int hsm_wrap(struct hsm *h, const struct kek *k, const struct id *record,
    const unsigned char *dek, struct buf *ret, struct err *e);
int hsm_unwrap(struct hsm *h, const struct kek *k, const struct wrap_view *wrap,
    const struct id *record, unsigned char *dek, struct err *e);

/*
 * Any other use of the token: F makes module calls in the working session, and is run once
 * more, on a fresh one, when it failed and the token works all the same. Errors:
 * ERR_HSM_UNAVAILABLE, and ERR_HSM_REFUSED when F alone fails. CKR_MECHANISM_INVALID is final
 * at once.
 */
int hsm_use(struct hsm *h, const char *what, CK_RV (*f)(struct hsm *h, void *arg), void *arg,
    struct err *e);

/* WHAT failed, and is not to be tried again: is it the token? 0: no; else it is away. */
int hsm_suspect(struct hsm *h, const char *what, struct err *e);

void hsm_status(const struct hsm *h, struct key_status *ret);

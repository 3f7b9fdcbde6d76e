/*
 * guard.h - the PIN guard: a wrong PIN is tried once, however often we are restarted.
 *
 * Tokens lock themselves after three wrong PINs, some without a warning flag, and a
 * service manager restarts us ten times a second. So before each C_Login the attempt is
 * put on disk, and its outcome after it. A PIN that was refused is dead until its
 * content changes. A PIN whose login was never heard of again (a crash, a kill) is dead
 * too, unless it has worked on this token before and the token shows no failed try: then
 * the crash had another cause.
 *
 * One file for each token, `pin-guard-<token hash>` in the state directory:
 *
 *	vaultd-pin-guard 1
 *	salt <32 hex digits>
 *	pin <scrypt(PIN, salt), 64 hex digits> <worked|new> <idle|trying> <-|CKR_name>
 *	end
 */
#pragma once

#include <p11-kit/pkcs11.h>

#include "common/bytes.h"
#include "common/secret.h"

#define GUARD_PINS 16

struct guard_pin {
	char	print[65];	/* fingerprint, hex */
	bool	worked;
	bool	trying;		/* C_Login was called and has not answered yet */
	char	refused[44];	/* what the token said; "" = it was not refused */
};

struct guard {
	char			 dir[256];
	char			 name[64];
	int			 lock;		/* held from guard_enter() to guard_done() */
	char			 salt[33];
	size_t			 n, at;		/* AT: the PIN in question */
	struct guard_pin	 pin[GUARD_PINS];
};

/* Who asks for the login. */
enum guard_mode {
	GUARD_SERVICE,	/* the daemon, unattended */
	GUARD_OPERATOR,	/* a person ran `vault-hsm key`: a low try counter is their choice */
	GUARD_FORCED,	/* a person ran `vault-hsm pin try`: forget what was before */
};

enum guard_outcome {
	GUARD_WORKED,
	GUARD_REFUSED,		/* the PIN is dead */
	GUARD_UNEXPLAINED,	/* may have cost a try: stays "trying" */
	GUARD_NO_TRY,		/* the PIN was not looked at */
};

/*
 * May PIN be tried on the token with these INFO flags? When it returns 0 the attempt is
 * on disk and guard_leave() must follow. V_DENIED: no, and why, and whose move it is;
 * V_BUSY: another login is under way; V_IO.
 */
int guard_enter(struct guard *g, const char *state_dir, const CK_TOKEN_INFO *info,
    const struct secret *pin, enum guard_mode mode, struct err *e);
/* WHY: what the token said, for GUARD_REFUSED. */
int guard_leave(struct guard *g, enum guard_outcome outcome, const char *why, struct err *e);
/* Releases the lock; a zeroed guard needs lock = -1 first (GUARD_INIT). */
void guard_done(struct guard *g);
#define GUARD_INIT { .lock = -1 }

/* The file's text into an empty guard, and back; TEXT is written to. False: damaged. */
bool guard_parse(struct guard *g, char *text);
bool guard_text(const struct guard *g, struct buf *text);

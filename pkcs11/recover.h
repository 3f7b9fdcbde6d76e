/*
 * recover.h - what one run of vault-hsm leaves to the next.
 *
 * Only a new process is sure to get a PKCS#11 module out of trouble, so recovery is to
 * leave and be started again: the first two times at once, then after a wait that
 * doubles to 30 seconds. How many starts in a row failed, why, and which module call was
 * in progress when the process was killed, is in the file `recover` of the state
 * directory. It is mapped, not written: a kill loses nothing, a power cut loses nothing
 * that matters.
 */
#pragma once

#include "common/keyline.h"
#include "pkcs11/deadline.h"

struct recover_note {
	char		magic[8];
	uint32_t	starts;		/* in a row that never reached READY, this one too */
	uint32_t	state;		/* enum key_state of the last failure */
	char		text[200];	/* its reason; "" = none */
	char		call[DEADLINE_NOTE];	/* module call in progress; "" = none */
};

struct recover {
	struct recover_note	*note;
	char			 died_in[DEADLINE_NOTE];	/* of the run before us */
};

/* Maps DIR/recover, making it when needed. V_IO. */
int recover_open(struct recover *r, const char *dir, struct err *e);
void recover_done(struct recover *r);

void recover_attempt(struct recover *r);	/* the module is about to be loaded */
void recover_ready(struct recover *r);
void recover_failed(struct recover *r, enum key_state state, const char *text);
/* The operator asked: the next start does not wait. */
void recover_forget(struct recover *r);

/* How long to wait before the next start, after STARTS that failed. Without jitter. */
unsigned recover_delay_ms(unsigned starts);
/* The same for this run, with jitter: many vaults must not hit one HSM together. */
unsigned recover_wait_ms(const struct recover *r);

/*
 * module.h - the PKCS#11 module, the one token we use, and our two sessions on it.
 *
 * One module per process, loaded by absolute path, never unloaded and never
 * initialised twice: the way back from trouble is a new process (recover.h). Two
 * sessions: `keeper` is opened first and does nothing, because closing the last session
 * logs out everywhere; `session` does the work and is replaced after every error, since
 * an error may leave an operation active in it.
 */
#pragma once

#include <p11-kit/pkcs11.h>

#include "common/err.h"
#include "pkcs11/deadline.h"

struct hsm_conf;

struct module {
	CK_FUNCTION_LIST	*f;
	struct deadline		 deadline;
	unsigned		 call_ms, login_ms, init_ms;
	CK_SLOT_ID		 slot;
	CK_TOKEN_INFO		 info;
	char			 label[33], serial[17], maker[33], model[17];
	CK_SESSION_HANDLE	 keeper, session;	/* 0 = none */
};

/*
 * The only way into the module: with the deadline armed around it. MS is a member:
 * module_call(m, call_ms, C_Login, ...) is a CK_RV.
 */
#define module_call(m, ms, fn, ...)                                                      \
	({                                                                               \
		CK_RV rv_;                                                               \
		deadline_arm(&(m)->deadline, #fn, (m)->ms);                              \
		rv_ = (m)->f->fn(__VA_ARGS__);                                           \
		deadline_disarm(&(m)->deadline);                                         \
		rv_;                                                                     \
	})

/* V_UNAVAILABLE "WHAT: CKR_...", V_INVALID where no retry can help. Returns the class. */
int module_err(struct err *e, CK_RV rv, const char *what);

/* Is TEXT a URI that selects a token, and nothing else? V_INVALID. */
int module_uri_check(const char *text, struct err *e);

/* Loads the shared object. V_INVALID: the configuration is wrong, trying again is no use. */
int module_load(struct module *m, const struct hsm_conf *c, char *note, struct err *e);
/* C_Initialize, then finds the token. V_UNAVAILABLE when it is not there. */
int module_init(struct module *m, const struct hsm_conf *c, struct err *e);

/* Opens both sessions, or replaces the working one by a fresh one. */
int module_sessions(struct module *m, struct err *e);
/* A session for a test that may leave it unusable. */
int module_scratch(struct module *m, CK_SESSION_HANDLE *ret, struct err *e);
void module_scratch_close(struct module *m, CK_SESSION_HANDLE s);
/* Is somebody logged in? The token's own word. */
bool module_logged_in(struct module *m);
/* Reads flags and limits anew. */
int module_token_info(struct module *m, struct err *e);

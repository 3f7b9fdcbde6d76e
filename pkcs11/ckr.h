/*
 * ckr.h - what a CK_RV is called, and what it means for us. Used wherever a module
 * call failed; the classes decide what hsm.c and login.c do next.
 */
#pragma once

#include <p11-kit/pkcs11.h>

enum ckr_class {
	CKR_IS_OK,
	CKR_IS_REQUEST,	/* this request is wrong, the token is fine */
	CKR_IS_SESSION,	/* a new session, perhaps a login, and it works again */
	CKR_IS_HANDLE,	/* the key must be looked up again */
	CKR_IS_PIN,	/* only the operator can help */
	CKR_IS_MODULE,	/* anything else: only a new process is sure to help */
};

enum ckr_class ckr_class(CK_RV rv);

/* "CKR_DEVICE_ERROR", or "CK_RV 0x80000384". By value: ckr_text(rv).s in an argument. */
struct ckr_text {
	char	s[44];
};
struct ckr_text ckr_text(CK_RV rv);

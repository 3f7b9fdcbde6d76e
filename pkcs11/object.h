/*
 * object.h - keys as objects of the token: finding one by its CKA_ID, and what its
 * attributes must be. One table of flags is both the template to make a key with and the
 * check of what came of it. Used by kek.c and pair.c.
 */
#pragma once

#include "pkcs11/module.h"

struct object_flag {
	CK_ATTRIBUTE_TYPE	 type;
	const char		*name;
	CK_BBOOL		 want;
	unsigned char		 drop;	/* 1: left out first when a token refuses it, 2: next */
	const char		*why;	/* what is wrong with the other value */
};

/* One token object with this CKA_ID. V_NOT_FOUND; V_CONFLICT: several; V_UNAVAILABLE. */
int object_find(struct module *m, CK_OBJECT_CLASS class, CK_KEY_TYPE type, const char *id,
    CK_OBJECT_HANDLE *ret, struct err *e);

/* One attribute; *LEN is both ways. */
CK_RV object_get(struct module *m, CK_OBJECT_HANDLE key, CK_ATTRIBUTE_TYPE type, void *value,
    CK_ULONG *len);

/* V_DENIED: a flag is not what it must be; V_UNAVAILABLE. */
int object_check(struct module *m, CK_OBJECT_HANDLE key, const struct object_flag *flags,
    size_t n, struct err *e);

/* Appends the flags to T, whose values are V (N of them); those up to DROP stay away. Returns
 * how many there are now of USED. */
CK_ULONG object_template(const struct object_flag *flags, size_t n, unsigned drop, CK_BBOOL *v,
    CK_ATTRIBUTE *t, CK_ULONG used);

/* These codes mean that nothing was made: a shorter template may do. */
bool object_template_refused(CK_RV rv);

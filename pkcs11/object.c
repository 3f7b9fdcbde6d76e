/*
 * object.c - see object.h.
 */
#include "pkcs11/object.h"

#include <stdio.h>
#include <string.h>

#include "common/envelope.h"

int
object_find(struct module *m, CK_OBJECT_CLASS class, CK_KEY_TYPE type, const char *id,
    CK_OBJECT_HANDLE *ret, struct err *e)
{
	const char *what = class == CKO_SECRET_KEY ? "AES" : "private";
	CK_BBOOL token = CK_TRUE;
	CK_ATTRIBUTE want[] = {
		{ CKA_CLASS, &class, sizeof class },
		{ CKA_KEY_TYPE, &type, sizeof type },
		{ CKA_TOKEN, &token, sizeof token },
		{ CKA_ID, (void *)id, KEK_ID_LEN },
	};
	CK_OBJECT_HANDLE found[2] = { 0 };
	CK_ULONG n = 0;
	CK_RV rv = module_call(m, call_ms, C_FindObjectsInit, m->session, want,
	    sizeof want / sizeof *want);

	if (rv != CKR_OK)
		return module_err(e, rv, "C_FindObjectsInit");
	rv = module_call(m, call_ms, C_FindObjects, m->session, found, 2, &n);
	if (rv != CKR_OK)
		return module_err(e, rv, "C_FindObjects");
	rv = module_call(m, call_ms, C_FindObjectsFinal, m->session);
	if (rv != CKR_OK)
		return module_err(e, rv, "C_FindObjectsFinal");
	if (n == 0)
		return err_set(e, V_NOT_FOUND, "the token has no %s key with ID %s", what, id);
	if (n > 1)
		return err_set(e, V_CONFLICT, "the token has several %s keys with ID %s", what,
		    id);
	*ret = found[0];
	return 0;
}

/* One attribute at a time: a call for several fails as a whole on some modules. */
CK_RV
object_get(struct module *m, CK_OBJECT_HANDLE key, CK_ATTRIBUTE_TYPE type, void *value,
    CK_ULONG *len)
{
	CK_ATTRIBUTE a = { type, value, *len };
	CK_RV rv = module_call(m, call_ms, C_GetAttributeValue, m->session, key, &a, 1);

	*len = a.ulValueLen;
	return rv;
}

/* Some modules say nothing about uses a key does not have. */
static bool
unknown(CK_RV rv, CK_ULONG len)
{
	return rv == CKR_ATTRIBUTE_TYPE_INVALID ||
	    (rv == CKR_OK && (len == 0 || len == CK_UNAVAILABLE_INFORMATION));
}

static int
check_flag(struct module *m, CK_OBJECT_HANDLE key, const struct object_flag *f, char *bad,
    size_t cap, struct err *e)
{
	CK_BBOOL v = !f->want;
	CK_ULONG len = sizeof v;
	CK_RV rv = object_get(m, key, f->type, &v, &len);
	size_t n = strlen(bad);

	if (unknown(rv, len) && f->drop != 0)
		return 0;
	if (rv != CKR_OK && !unknown(rv, len))
		return module_err(e, rv, "C_GetAttributeValue");
	if ((v != CK_FALSE) != f->want)
		snprintf(bad + n, cap - n, "%s%s=%d (%s)", n > 0 ? ", " : "", f->name, !f->want,
		    f->why);
	return 0;
}

int
object_check(struct module *m, CK_OBJECT_HANDLE key, const struct object_flag *flags, size_t n,
    struct err *e)
{
	char bad[240] = "";

	for (size_t i = 0; i < n; i++)
		if (check_flag(m, key, &flags[i], bad, sizeof bad, e) != 0)
			return e->code;
	return bad[0] == '\0' ? 0 : err_set(e, V_DENIED, "weak key: %s", bad);
}

CK_ULONG
object_template(const struct object_flag *flags, size_t n, unsigned drop, CK_BBOOL *v,
    CK_ATTRIBUTE *t, CK_ULONG used)
{
	for (size_t i = 0; i < n; i++) {
		if (flags[i].drop != 0 && flags[i].drop <= drop)
			continue;
		v[i] = flags[i].want;
		t[used++] = (CK_ATTRIBUTE){ flags[i].type, &v[i], sizeof v[i] };
	}
	return used;
}

bool
object_template_refused(CK_RV rv)
{
	return rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_TEMPLATE_INCONSISTENT;
}

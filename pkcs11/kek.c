/*
 * kek.c - see kek.h.
 */
#include "pkcs11/kek.h"

#include <stdio.h>

#include "common/auto.h"
#include "common/log.h"
#include "pkcs11/ckr.h"

static const unsigned char kcv_text[DEK_LEN + 1] = "vaultd key check value, 32 bytes";

int
kek_find(struct module *m, const char *id, CK_OBJECT_HANDLE *ret, struct err *e)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
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
		return err_set(e, V_NOT_FOUND, "the token has no AES key with ID %s", id);
	if (n > 1)
		return err_set(e, V_CONFLICT, "the token has several AES keys with ID %s", id);
	*ret = found[0];
	return 0;
}

/* ---- attributes: one table is the template and the check */

static const struct {
	CK_ATTRIBUTE_TYPE	 type;
	const char		*name;
	CK_BBOOL		 want;
	unsigned char		 drop;	/* 1: left out first when a token refuses it, 2: next */
	const char		*why;
} flags[] = {
	{ CKA_TOKEN, "TOKEN", CK_TRUE, 0, "it would vanish" },
	{ CKA_PRIVATE, "PRIVATE", CK_TRUE, 0, "anybody can use it without the PIN" },
	{ CKA_SENSITIVE, "SENSITIVE", CK_TRUE, 0, "it can be read" },
	{ CKA_EXTRACTABLE, "EXTRACTABLE", CK_FALSE, 0, "it can leave the token" },
	{ CKA_ENCRYPT, "ENCRYPT", CK_TRUE, 0, "it cannot wrap data keys" },
	{ CKA_DECRYPT, "DECRYPT", CK_TRUE, 0, "it cannot unwrap data keys" },
	{ CKA_WRAP, "WRAP", CK_FALSE, 2, "other keys can be exported under it" },
	{ CKA_UNWRAP, "UNWRAP", CK_FALSE, 2, "data keys can be turned into objects" },
	{ CKA_SIGN, "SIGN", CK_FALSE, 1, "it has a use it must not have" },
	{ CKA_VERIFY, "VERIFY", CK_FALSE, 1, "it has a use it must not have" },
	{ CKA_DERIVE, "DERIVE", CK_FALSE, 1, "it has a use it must not have" },
};

#define NFLAGS (sizeof flags / sizeof *flags)

/* One attribute at a time: a call for several fails as a whole on some modules. */
static CK_RV
get(struct module *m, CK_OBJECT_HANDLE key, CK_ATTRIBUTE_TYPE type, void *value,
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
check_flag(struct module *m, CK_OBJECT_HANDLE key, size_t i, char *bad, size_t cap,
    struct err *e)
{
	CK_BBOOL v = !flags[i].want;
	CK_ULONG len = sizeof v;
	CK_RV rv = get(m, key, flags[i].type, &v, &len);
	size_t n = strlen(bad);

	if (unknown(rv, len) && flags[i].drop != 0)
		return 0;
	if (rv != CKR_OK && !unknown(rv, len))
		return module_err(e, rv, "C_GetAttributeValue");
	if ((v != CK_FALSE) != flags[i].want)
		snprintf(bad + n, cap - n, "%s%s=%d (%s)", n > 0 ? ", " : "", flags[i].name,
		    !flags[i].want, flags[i].why);
	return 0;
}

static int
check_value(struct module *m, CK_OBJECT_HANDLE key, struct err *e)
{
	unsigned char *value = secret_alloc(64);
	CK_ULONG len = 64, bits = 0, bits_len = sizeof bits;
	CK_RV rv;

	if (value == NULL)
		return err_set(e, V_LIMIT, "secret memory exhausted");
	rv = get(m, key, CKA_VALUE, value, &len);
	secret_free(value);
	if (rv == CKR_OK && len != 0 && len != CK_UNAVAILABLE_INFORMATION)
		return err_set(e, V_DENIED, "its value can be read");
	rv = get(m, key, CKA_VALUE_LEN, &bits, &bits_len);
	if (rv == CKR_OK && bits_len == sizeof bits && bits != DEK_LEN)
		return err_set(e, V_DENIED, "it has %lu bits, not 256", bits * 8);
	return 0;
}

/* Good to know and no reason to refuse: tokens differ in what they claim here. */
static void
warn_history(struct module *m, CK_OBJECT_HANDLE key)
{
	static const struct {
		CK_ATTRIBUTE_TYPE	 type;
		const char		*name;
	} rows[] = { { CKA_ALWAYS_SENSITIVE, "ALWAYS_SENSITIVE" },
		{ CKA_NEVER_EXTRACTABLE, "NEVER_EXTRACTABLE" }, { CKA_LOCAL, "LOCAL" } };

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		CK_BBOOL v = CK_FALSE;
		CK_ULONG len = sizeof v;

		if (get(m, key, rows[i].type, &v, &len) == CKR_OK && len == sizeof v && !v)
			log_warn("KEK attribute %s is 0: was it imported?", rows[i].name);
	}
}

static int
check_all(struct module *m, CK_OBJECT_HANDLE key, struct err *e)
{
	char bad[240] = "";

	for (size_t i = 0; i < NFLAGS; i++)
		if (check_flag(m, key, i, bad, sizeof bad, e) != 0)
			return e->code;
	if (bad[0] != '\0')
		return err_set(e, V_DENIED, "weak key: %s", bad);
	if (check_value(m, key, e) != 0)
		return err_wrap(e, "weak key");
	return 0;
}

int
kek_check(struct module *m, CK_OBJECT_HANDLE key, const char *id, bool allow_weak,
    struct err *e)
{
	if (check_all(m, key, e) != 0) {
		err_wrap(e, "KEK %s", id);
		if (e->code != V_DENIED || !allow_weak)
			return e->code;
		log_warn("weak KEK is used because allow_weak_key_attributes is set "
		    "why=\"%s\"", e->text);
	}
	warn_history(m, key);
	return 0;
}

CK_OBJECT_HANDLE
kek_copy(struct module *m, CK_OBJECT_HANDLE key)
{
	CK_BBOOL no = CK_FALSE, v;
	CK_ATTRIBUTE a = { CKA_TOKEN, &no, sizeof no };
	CK_OBJECT_HANDLE copy = 0;
	CK_RV rv = module_call(m, call_ms, C_CopyObject, m->session, key, &a, 1, &copy);

	if (rv != CKR_OK) {
		log_debug("KEK is used in the token itself rv=%s", ckr_text(rv).s);
		return 0;
	}
	for (size_t i = 0; i < NFLAGS; i++) {
		CK_ULONG len = sizeof v;

		/* The copy must be as closed as the original, and must not be a token object. */
		if (flags[i].drop != 0)
			continue;
		rv = get(m, copy, flags[i].type, &v, &len);
		if (rv != CKR_OK || len != sizeof v || (v != CK_FALSE) !=
		    (flags[i].type == CKA_TOKEN ? CK_FALSE : flags[i].want)) {
			(void)module_call(m, call_ms, C_DestroyObject, m->session, copy);
			return 0;
		}
	}
	return copy;
}

/* ---- key check value */

int
kek_kcv_make(struct module *m, const struct mech_row *row, CK_OBJECT_HANDLE handle,
    struct binding_kek *b, struct err *e)
{
	static const struct id null;
	struct mech_key k = { m->session, handle, b->id, b->purpose };
	AUTO(buf) wrap = { 0 };
	CK_RV rv = mech_wrap(row, m, &k, &null, kcv_text, &wrap);

	if (rv != CKR_OK)
		return module_err(e, rv, "key check value");
	must(wrap.len <= sizeof b->kcv);
	memcpy(b->kcv, wrap.p, wrap.len);
	b->kcv_len = wrap.len;
	return 0;
}

int
kek_kcv_check(struct module *m, CK_OBJECT_HANDLE handle, const struct binding_kek *b,
    struct err *e)
{
	static const struct id null;
	struct mech_key k = { 0, handle, b->id, b->purpose };
	struct wrap_view w;
	unsigned char *got;
	CK_RV rv;
	bool same;

	if (wrap_decode((struct slice){ b->kcv, b->kcv_len }, &w, e) != 0)
		return err_wrap(e, "check value of KEK %s", b->id);
	if ((got = secret_alloc(DEK_LEN)) == NULL)
		return err_set(e, V_LIMIT, "secret memory exhausted");
	if (module_scratch(m, &k.session, e) != 0) {
		secret_free(got);
		return e->code;
	}
	rv = mech_unwrap(m, &k, &w, &null, got);
	same = rv == CKR_OK && memcmp(got, kcv_text, DEK_LEN) == 0;
	secret_free(got);
	module_scratch_close(m, k.session);
	if (same)
		return 0;
	/* GENERAL_ERROR is how SoftHSM says that a tag does not fit. The self-test has just
	 * seen this very key work, so the code does not mean that the module is ill. */
	if (rv == CKR_OK || ckr_class(rv) == CKR_IS_REQUEST || rv == CKR_GENERAL_ERROR)
		return err_set(e, V_DENIED, "the key with ID %s is not the one that was bound: "
		    "its check value does not fit", b->id);
	return module_err(e, rv, "check value");
}

/* ---- making one */

static CK_RV
generate(struct module *m, const char *id, const char *label, unsigned drop,
    CK_OBJECT_HANDLE *ret)
{
	CK_MECHANISM mech = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	CK_ULONG len = DEK_LEN;
	CK_BBOOL v[NFLAGS];
	CK_ATTRIBUTE t[NFLAGS + 5] = {
		{ CKA_CLASS, &class, sizeof class },
		{ CKA_KEY_TYPE, &type, sizeof type },
		{ CKA_VALUE_LEN, &len, sizeof len },
		{ CKA_LABEL, (void *)label, strlen(label) },
		{ CKA_ID, (void *)id, KEK_ID_LEN },
	};
	CK_ULONG n = 5;

	for (size_t i = 0; i < NFLAGS; i++) {
		if (flags[i].drop != 0 && flags[i].drop <= drop)
			continue;
		v[i] = flags[i].want;
		t[n++] = (CK_ATTRIBUTE){ flags[i].type, &v[i], sizeof v[i] };
	}
	return module_call(m, init_ms, C_GenerateKey, m->session, &mech, t, n, ret);
}

int
kek_make(struct module *m, const char *id, const char *label, CK_OBJECT_HANDLE *ret,
    struct err *e)
{
	CK_RV rv = CKR_OK;

	/* These codes mean that nothing was made; no other failure is tried again. */
	for (unsigned drop = 0; drop <= 2; drop++) {
		rv = generate(m, id, label, drop, ret);
		if (rv != CKR_ATTRIBUTE_TYPE_INVALID && rv != CKR_TEMPLATE_INCONSISTENT)
			break;
	}
	return rv == CKR_OK ? 0 : module_err(e, rv, "C_GenerateKey");
}

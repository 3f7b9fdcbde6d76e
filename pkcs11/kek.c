/*
 * kek.c - see kek.h.
 */
#include "pkcs11/kek.h"

#include "common/auto.h"
#include "common/log.h"
#include "pkcs11/ckr.h"
#include "pkcs11/object.h"

static const unsigned char kcv_text[DEK_LEN + 1] = "vaultd key check value, 32 bytes";

int
kek_find(struct module *m, const char *id, CK_OBJECT_HANDLE *ret, struct err *e)
{
	return object_find(m, CKO_SECRET_KEY, CKK_AES, id, ret, e);
}

/* ---- attributes */

static const struct object_flag flags[] = {
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

static int
check_value(struct module *m, CK_OBJECT_HANDLE key, struct err *e)
{
	unsigned char *value = secret_alloc(64);
	CK_ULONG len = 64, bits = 0, bits_len = sizeof bits;
	CK_RV rv;

	if (value == NULL)
		return err_set(e, V_LIMIT, "secret memory exhausted");
	rv = object_get(m, key, CKA_VALUE, value, &len);
	secret_free(value);
	if (rv == CKR_OK && len != 0 && len != CK_UNAVAILABLE_INFORMATION)
		return err_set(e, V_DENIED, "its value can be read");
	rv = object_get(m, key, CKA_VALUE_LEN, &bits, &bits_len);
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

		if (object_get(m, key, rows[i].type, &v, &len) == CKR_OK && len == sizeof v && !v)
			log_warn("KEK attribute %s is 0: was it imported?", rows[i].name);
	}
}

static int
check_all(struct module *m, CK_OBJECT_HANDLE key, struct err *e)
{
	if (object_check(m, key, flags, NFLAGS, e) != 0)
		return e->code;
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
		rv = object_get(m, copy, flags[i].type, &v, &len);
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

	n = object_template(flags, NFLAGS, drop, v, t, n);
	return module_call(m, init_ms, C_GenerateKey, m->session, &mech, t, n, ret);
}

int
kek_make(struct module *m, const char *id, const char *label, CK_OBJECT_HANDLE *ret,
    struct err *e)
{
	CK_RV rv = CKR_OK;

	for (unsigned drop = 0; drop <= 2; drop++) {
		rv = generate(m, id, label, drop, ret);
		if (!object_template_refused(rv))
			break;
	}
	return rv == CKR_OK ? 0 : module_err(e, rv, "C_GenerateKey");
}

/*
 * mech.c - see mech.h.
 *
 * The self-test exists because modules accept what they do not do: one encrypts with a
 * constant IV where it should refuse, one reports wrong lengths, some list what they do
 * not have. Nothing here is believed until it was seen.
 */
#include "pkcs11/mech.h"

#include <stdio.h>

#include "common/auto.h"
#include "common/log.h"
#include "pkcs11/ckr.h"

static CK_RV
gcm_wrap(struct module *m, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, unsigned char *iv,
    struct slice aad, const unsigned char *dek, unsigned char *out, CK_ULONG *len)
{
	unsigned char sent[NONCE_LEN];
	CK_GCM_PARAMS gcm = { iv, NONCE_LEN, 8 * NONCE_LEN, (unsigned char *)aad.p, aad.len,
		8 * TAG_LEN };
	CK_MECHANISM mech = { CKM_AES_GCM, &gcm, sizeof gcm };
	CK_RV rv;

	memcpy(sent, iv, sizeof sent);
	rv = module_call(m, call_ms, C_EncryptInit, s, &mech, key);
	if (rv == CKR_OK)
		rv = module_call(m, call_ms, C_Encrypt, s, (unsigned char *)dek, DEK_LEN,
		    out, len);
	/* A device that puts its own IV there needs a row of its own. */
	if (rv == CKR_OK && (memcmp(sent, iv, sizeof sent) != 0 || gcm.iv_len != NONCE_LEN))
		rv = CKR_MECHANISM_PARAM_INVALID;
	return rv;
}

static CK_RV
gcm_unwrap(struct module *m, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, struct slice iv,
    struct slice aad, struct slice wrapped, unsigned char *out, CK_ULONG *len)
{
	CK_GCM_PARAMS gcm = { (unsigned char *)iv.p, iv.len, 8 * iv.len,
		(unsigned char *)aad.p, aad.len, 8 * TAG_LEN };
	CK_MECHANISM mech = { CKM_AES_GCM, &gcm, sizeof gcm };
	CK_RV rv = module_call(m, call_ms, C_DecryptInit, s, &mech, key);

	if (rv == CKR_OK)
		rv = module_call(m, call_ms, C_Decrypt, s, (unsigned char *)wrapped.p,
		    wrapped.len, out, len);
	return rv;
}

static const struct mech_row rows[] = {
	{ "AES-GCM", CKM_AES_GCM, IV_APPLICATION, NONCE_LEN, DEK_LEN + TAG_LEN, gcm_wrap,
	    gcm_unwrap },
};

#define NROWS (sizeof rows / sizeof *rows)

CK_RV
mech_wrap(const struct mech_row *row, struct module *m, const struct mech_key *k,
    const struct id *record, const unsigned char *dek, struct buf *ret)
{
	unsigned char iv[32], aad[64], out[WRAP_MAX + MECH_SLACK];
	struct wrap_view w = { .purpose = k->purpose, .mechanism = (uint32_t)row->type,
		.iv_mode = (uint8_t)row->iv_mode };
	CK_ULONG len = row->wrapped_len + MECH_SLACK;
	size_t aad_len;
	CK_RV rv;

	must(row->iv_len <= sizeof iv && len <= sizeof out);
	random_bytes(iv, row->iv_len);
	memcpy(w.kek_id, k->kek_id, sizeof w.kek_id);
	aad_len = wrap_aad(&w, record, aad);
	rv = row->wrap(m, k->session, k->handle, iv, (struct slice){ aad, aad_len }, dek,
	    out, &len);
	if (rv != CKR_OK)
		return rv;
	if (len != row->wrapped_len)
		return CKR_FUNCTION_FAILED;
	w.iv = (struct slice){ iv, row->iv_len };
	w.wrapped = (struct slice){ out, len };
	return wrap_encode(ret, &w) ? CKR_OK : CKR_HOST_MEMORY;
}

static const struct mech_row *
row_of(const struct wrap_view *w)
{
	for (size_t i = 0; i < NROWS; i++)
		if (rows[i].type == w->mechanism && rows[i].iv_mode == w->iv_mode &&
		    rows[i].iv_len == w->iv.len && rows[i].wrapped_len == w->wrapped.len)
			return &rows[i];
	return NULL;
}

CK_RV
mech_unwrap(struct module *m, const struct mech_key *k, const struct wrap_view *wrap,
    const struct id *record, unsigned char *dek)
{
	const struct mech_row *row = row_of(wrap);
	struct wrap_view w = *wrap;
	unsigned char aad[64], *out;
	CK_ULONG len = DEK_LEN + MECH_SLACK;
	size_t aad_len;
	CK_RV rv;

	if (row == NULL)
		return CKR_ENCRYPTED_DATA_LEN_RANGE;
	if ((out = secret_alloc(len)) == NULL)
		return CKR_HOST_MEMORY;
	w.purpose = k->purpose;		/* the key's, whatever the wrap says */
	aad_len = wrap_aad(&w, record, aad);
	rv = row->unwrap(m, k->session, k->handle, wrap->iv, (struct slice){ aad, aad_len },
	    wrap->wrapped, out, &len);
	if (rv == CKR_OK && len != DEK_LEN)
		rv = CKR_FUNCTION_FAILED;
	if (rv == CKR_OK)
		memcpy(dek, out, DEK_LEN);
	secret_free(out);
	return rv;
}

/* ---- self-test */

struct trial {
	struct module		*m;
	const struct mech_row	*row;
	struct mech_key		 key;
	struct id		 record;
	unsigned char		*dek, *got;	/* DEK_LEN each, locked */
	struct buf		 wrap;
};

/* Each step in a session of its own: what must fail may leave it unusable. */
static int
open_wrap(struct trial *t, struct slice wrap, const struct id *record, bool *ret_ok,
    struct err *e)
{
	struct mech_key k = t->key;
	struct wrap_view w;
	CK_RV rv;

	if (wrap_decode(wrap, &w, e) != 0 || module_scratch(t->m, &k.session, e) != 0)
		return e->code;
	memset(t->got, 0, DEK_LEN);
	rv = mech_unwrap(t->m, &k, &w, record, t->got);
	module_scratch_close(t->m, k.session);
	*ret_ok = rv == CKR_OK && memcmp(t->got, t->dek, DEK_LEN) == 0;
	return 0;
}

static int
refused(struct trial *t, struct slice wrap, const struct id *record, const char *what,
    struct err *e)
{
	bool ok;

	if (open_wrap(t, wrap, record, &ok, e) != 0)
		return e->code;
	return ok ? err_set(e, V_DENIED, "%s opened %s", t->row->name, what) : 0;
}

static int
test_wrap(struct trial *t, struct err *e)
{
	AUTO(buf) again = { 0 };
	CK_RV rv = mech_wrap(t->row, t->m, &t->key, &t->record, t->dek, &t->wrap);
	struct wrap_view w;

	if (rv == CKR_OK)
		rv = mech_wrap(t->row, t->m, &t->key, &t->record, t->dek, &again);
	if (rv != CKR_OK)
		return ckr_class(rv) == CKR_IS_REQUEST ?
		    err_set(e, V_DENIED, "%s: %s", t->row->name, ckr_text(rv).s) :
		    module_err(e, rv, t->row->name);
	if (wrap_decode(buf_slice(&again), &w, e) != 0)
		return e->code;
	/* The end of both is the ciphertext: equal means that our IV was not used. */
	if (t->wrap.len != again.len || memcmp(t->wrap.p + t->wrap.len - w.wrapped.len,
	    w.wrapped.p, w.wrapped.len) == 0)
		return err_set(e, V_DENIED, "%s wraps the same key to the same bytes twice",
		    t->row->name);
	return 0;
}

static int
test_unwrap(struct trial *t, struct err *e)
{
	struct id other = t->record;
	struct slice wrap = buf_slice(&t->wrap);
	bool ok;

	if (open_wrap(t, wrap, &t->record, &ok, e) != 0)
		return e->code;
	if (!ok)
		return err_set(e, V_DENIED, "%s does not open what it wrapped",
		    t->row->name);
	other.b[0] ^= 1;
	if (refused(t, wrap, &other, "a wrap for another record", e) != 0)
		return e->code;
	t->wrap.p[t->wrap.len - 1] ^= 1;
	return refused(t, wrap, &t->record, "a damaged wrap", e);
}

static int
self_test(const struct mech_row *row, struct module *m, const struct mech_key *k,
    struct err *e)
{
	struct trial t = { .m = m, .row = row, .key = *k, .record = id_new(),
		.dek = secret_alloc(DEK_LEN), .got = secret_alloc(DEK_LEN) };
	int rc;

	if (t.dek == NULL || t.got == NULL) {
		rc = err_set(e, V_LIMIT, "secret memory exhausted");
	} else {
		random_bytes(t.dek, DEK_LEN);
		if ((rc = test_wrap(&t, e)) == 0)
			rc = test_unwrap(&t, e);
	}
	secret_free(t.dek);
	secret_free(t.got);
	buf_done(&t.wrap);
	return rc;
}

static bool
offered(struct module *m, const struct mech_row *row)
{
	CK_MECHANISM_INFO info;
	CK_FLAGS need = CKF_ENCRYPT | CKF_DECRYPT;

	return module_call(m, call_ms, C_GetMechanismInfo, m->slot, row->type, &info) ==
	    CKR_OK && (info.flags & need) == need;
}

int
mech_pick(struct module *m, const struct mech_key *k, const struct mech_row **ret,
    struct err *e)
{
	err_set(e, V_DENIED, "the token offers no mechanism that vault-hsm knows (AES-GCM)");
	for (size_t i = 0; i < NROWS; i++) {
		if (!offered(m, &rows[i]))
			continue;
		if (self_test(&rows[i], m, k, e) == 0) {
			*ret = &rows[i];
			return 0;
		}
		if (e->code != V_DENIED)
			return err_wrap(e, "self-test");
		log_warn("self-test failed mechanism=%s why=\"%s\"", rows[i].name, e->text);
	}
	return e->code;
}

/*
 * pair.c - see pair.h.
 */
#include "pkcs11/pair.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "common/auto.h"
#include "common/log.h"
#include "pkcs11/ckr.h"
#include "pkcs11/object.h"
#include "pkcs11/pairkey.h"

#define HASH	32
#define ECDSA	64	/* r||s of P-256 */

/* DER of the OID of P-256. */
static const unsigned char p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
static const unsigned char exponent[] = { 1, 0, 1 };

/* Of the private key. */
static const struct object_flag flags[] = {
	{ CKA_TOKEN, "TOKEN", CK_TRUE, 0, "it would vanish" },
	{ CKA_PRIVATE, "PRIVATE", CK_TRUE, 0, "anybody can use it without the PIN" },
	{ CKA_SENSITIVE, "SENSITIVE", CK_TRUE, 0, "it can be read" },
	{ CKA_EXTRACTABLE, "EXTRACTABLE", CK_FALSE, 0, "it can leave the token" },
	{ CKA_SIGN, "SIGN", CK_TRUE, 0, "it cannot sign" },
	{ CKA_DECRYPT, "DECRYPT", CK_FALSE, 1, "it has a use it must not have" },
	{ CKA_UNWRAP, "UNWRAP", CK_FALSE, 1, "it has a use it must not have" },
	{ CKA_SIGN_RECOVER, "SIGN_RECOVER", CK_FALSE, 1, "it has a use it must not have" },
	{ CKA_DERIVE, "DERIVE", CK_FALSE, 1, "it has a use it must not have" },
};
#define NFLAGS (sizeof flags / sizeof *flags)

static CK_KEY_TYPE
type_of(const struct pair_file *p)
{
	return p->public.kind == PAIR_EC ? CKK_EC : CKK_RSA;
}

int
pair_find(struct module *m, const struct pair_file *p, CK_OBJECT_HANDLE *ret, struct err *e)
{
	return object_find(m, CKO_PRIVATE_KEY, type_of(p), p->id, ret, e);
}

/* Whoever has the PIN may give a key of his the same CKA_ID. */
static int
check_label(struct module *m, const struct pair_file *p, CK_OBJECT_HANDLE key, struct err *e)
{
	char ours[80], theirs[80];
	CK_ULONG n = pairkey_label(p, ours, sizeof ours), len = sizeof theirs;
	CK_RV rv = object_get(m, key, CKA_LABEL, theirs, &len);

	if (rv == CKR_OK && len == n && memcmp(ours, theirs, n) == 0)
		return 0;
	if (rv != CKR_OK && rv != CKR_BUFFER_TOO_SMALL && rv != CKR_ATTRIBUTE_TYPE_INVALID)
		return module_err(e, rv, "C_GetAttributeValue");
	return err_set(e, V_NOT_FOUND, "the token's key with ID %s is not labelled %s: it is not the "
	    "vault's", p->id, ours);
}

int
pair_destroy(struct module *m, const struct pair_file *p, CK_OBJECT_HANDLE key, struct err *e)
{
	CK_RV rv;

	if (check_label(m, p, key, e) != 0)
		return e->code;
	rv = module_call(m, init_ms, C_DestroyObject, m->session, key);
	return rv == CKR_OK ? 0 : module_err(e, rv, "C_DestroyObject");
}

/* ---- signing */

/*
 * Digests rather than messages where the token can: nearly all have those mechanisms, and
 * not all have the others.
 */
static const struct sign_row {
	enum tls_scheme		 scheme;
	CK_MECHANISM_TYPE	 type;
	enum { WHOLE, DIGEST, DIGEST_INFO } input;
} rows[] = {
	{ TLS_RSA_PKCS1_SHA256, CKM_RSA_PKCS, DIGEST_INFO },
	{ TLS_RSA_PKCS1_SHA256, CKM_SHA256_RSA_PKCS, WHOLE },
	{ TLS_RSA_PSS_SHA256, CKM_RSA_PKCS_PSS, DIGEST },
	{ TLS_RSA_PSS_SHA256, CKM_SHA256_RSA_PKCS_PSS, WHOLE },
	{ TLS_ECDSA_P256_SHA256, CKM_ECDSA, DIGEST },
	{ TLS_ECDSA_P256_SHA256, CKM_ECDSA_SHA256, WHOLE },
};

static const struct sign_row *
row_for(struct module *m, enum tls_scheme scheme)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		CK_MECHANISM_INFO info;

		if (rows[i].scheme == scheme && module_call(m, call_ms, C_GetMechanismInfo,
			m->slot, rows[i].type, &info) == CKR_OK && (info.flags & CKF_SIGN) != 0)
			return &rows[i];
	}
	return NULL;
}

/* What the mechanism wants to be given, in ROOM. */
static struct slice
input_of(const struct sign_row *row, struct slice message, unsigned char room[HASH + 19])
{
	static const unsigned char info[] = { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48,
		0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20 };
	size_t head = row->input == DIGEST_INFO ? sizeof info : 0;

	if (row->input == WHOLE)
		return message;
	memcpy(room, info, head);
	sha256(message, room + head);
	return (struct slice){ room, head + HASH };
}

CK_RV
pair_sign(struct module *m, CK_OBJECT_HANDLE key, enum tls_scheme scheme,
    struct slice message, unsigned char *out, CK_ULONG *len)
{
	const struct sign_row *row = row_for(m, scheme);
	CK_RSA_PKCS_PSS_PARAMS pss = { CKM_SHA256, CKG_MGF1_SHA256, HASH };
	CK_MECHANISM mech = { 0 };
	unsigned char room[HASH + 19];
	struct slice in;
	CK_RV rv;

	if (row == NULL)
		return CKR_MECHANISM_INVALID;
	in = input_of(row, message, room);
	mech.mechanism = row->type;
	if (scheme == TLS_RSA_PSS_SHA256) {
		mech.pParameter = &pss;
		mech.ulParameterLen = sizeof pss;
	}
	*len = PAIR_SIGNATURE;
	rv = module_call(m, call_ms, C_SignInit, m->session, &mech, key);
	if (rv == CKR_OK)
		rv = module_call(m, call_ms, C_Sign, m->session, (unsigned char *)in.p, in.len,
		    out, len);
	if (rv == CKR_OK && scheme == TLS_ECDSA_P256_SHA256 && *len != ECDSA)
		rv = CKR_FUNCTION_FAILED;
	return rv;
}

bool
pair_ecdsa_der(struct slice raw, struct buf *out)
{
	const unsigned char *p = raw.p;
	unsigned char der[80], *end = der;
	ECDSA_SIG *s = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(p, ECDSA / 2, NULL), *t = BN_bin2bn(p + ECDSA / 2, ECDSA / 2, NULL);
	bool ok = raw.len == ECDSA && s != NULL && r != NULL && t != NULL;
	int n;

	if (!ok || ECDSA_SIG_set0(s, r, t) != 1) {
		BN_free(r);
		BN_free(t);
		ECDSA_SIG_free(s);
		return false;
	}
	n = i2d_ECDSA_SIG(s, &end);
	ECDSA_SIG_free(s);
	return n > 0 && buf_add(out, der, (size_t)n);
}

bool
pair_verify(struct slice spki, enum tls_scheme scheme, struct slice message,
    struct slice signature)
{
	const unsigned char *p = spki.p;
	EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)spki.len);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx = NULL;
	AUTO(buf) der = { 0 };
	bool ok = key != NULL && ctx != NULL &&
	    EVP_DigestVerifyInit(ctx, &pctx, EVP_sha256(), NULL, key) == 1;

	if (ok && scheme == TLS_RSA_PSS_SHA256)
		ok = EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) > 0 &&
		    EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) > 0;
	if (ok && scheme == TLS_ECDSA_P256_SHA256) {
		ok = pair_ecdsa_der(signature, &der);
		signature = buf_slice(&der);
	}
	ok = ok && EVP_DigestVerify(ctx, signature.p, signature.len, message.p, message.len) == 1;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return ok;
}

/* ---- making one */

/* Both halves are found by the same ID; the public one lives in the session only. */
static CK_RV
generate(struct module *m, const struct pair_file *p, unsigned drop, CK_BBOOL public_in_token,
    CK_OBJECT_HANDLE *ret_public, CK_OBJECT_HANDLE *ret_private)
{
	bool rsa = p->public.kind == PAIR_RSA;
	CK_MECHANISM mech = { rsa ? CKM_RSA_PKCS_KEY_PAIR_GEN : CKM_EC_KEY_PAIR_GEN, NULL, 0 };
	CK_ULONG bits = 2048, n = 2;
	CK_BBOOL yes = CK_TRUE, v[NFLAGS];
	char label[80];
	CK_ATTRIBUTE public[] = {
		{ CKA_TOKEN, &public_in_token, sizeof public_in_token },
		{ CKA_ID, (void *)p->id, KEK_ID_LEN },
		{ CKA_VERIFY, &yes, sizeof yes },
		rsa ? (CK_ATTRIBUTE){ CKA_MODULUS_BITS, &bits, sizeof bits } :
		      (CK_ATTRIBUTE){ CKA_EC_PARAMS, (void *)p256, sizeof p256 },
		{ CKA_PUBLIC_EXPONENT, (void *)exponent, sizeof exponent },	/* RSA alone */
	};
	CK_ATTRIBUTE private[NFLAGS + 2] = {
		{ CKA_ID, (void *)p->id, KEK_ID_LEN },
		{ CKA_LABEL, label, pairkey_label(p, label, sizeof label) },
	};

	n = object_template(flags, NFLAGS, drop, v, private, n);
	return module_call(m, init_ms, C_GenerateKeyPair, m->session, &mech, public,
	    rsa ? 5 : 4, private, n, ret_public, ret_private);
}

/* The flags of the object, and that it signs what its public key verifies. */
static int
prove(struct module *m, const struct pair_file *p, CK_OBJECT_HANDLE key, bool allow_weak,
    struct err *e)
{
	enum tls_scheme scheme = p->public.kind == PAIR_EC ? TLS_ECDSA_P256_SHA256 :
	    TLS_RSA_PKCS1_SHA256;
	struct slice text = { "vaultd: a key that was just made", 32 };
	unsigned char out[PAIR_SIGNATURE];
	CK_ULONG len;
	CK_RV rv;

	if (object_check(m, key, flags, NFLAGS, e) != 0) {
		if (e->code != V_DENIED || !allow_weak)
			return e->code;
		log_warn("weak key pair is used because allow_weak_key_attributes is set "
		    "why=\"%s\"", e->text);
	}
	rv = pair_sign(m, key, scheme, text, out, &len);
	if (rv == CKR_MECHANISM_INVALID)
		return err_set(e, V_DENIED, "the token has no mechanism to sign with %s keys",
		    pair_kind_name(p->public.kind));
	if (rv != CKR_OK)
		return module_err(e, rv, "C_Sign");
	if (!pair_verify((struct slice){ p->public.spki, p->public.spki_len }, scheme, text,
		(struct slice){ out, len }))
		return err_set(e, V_DENIED, "what the token signs does not fit the key's public half");
	return 0;
}

int
pair_generate(struct module *m, struct pair_file *p, bool allow_weak, struct err *e)
{
	CK_OBJECT_HANDLE public = 0, private = 0;
	CK_RV rv = CKR_OK;

	for (unsigned try = 0; try < 4; try++) {
		rv = generate(m, p, try % 2, try / 2 ? CK_TRUE : CK_FALSE, &public, &private);
		if (!object_template_refused(rv))
			break;
	}
	if (rv != CKR_OK)
		return ckr_class(rv) == CKR_IS_REQUEST ?
		    err_set(e, V_DENIED, "the token makes no such key: %s", ckr_text(rv).s) :
		    module_err(e, rv, "C_GenerateKeyPair");
	if (pairkey_read(m, public, p, e) != 0)
		return e->code;
	(void)module_call(m, call_ms, C_DestroyObject, m->session, public);
	return prove(m, p, private, allow_weak, e);
}

/* ---- bringing one in */

static CK_RV
create(struct module *m, const struct pair_file *p, const struct pairkey *k, unsigned drop,
    CK_OBJECT_HANDLE *ret)
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_KEY_TYPE type = type_of(p);
	CK_BBOOL v[NFLAGS];
	char label[80];
	CK_ATTRIBUTE t[NFLAGS + 4 + PAIRKEY_PARTS] = {
		{ CKA_CLASS, &class, sizeof class },
		{ CKA_KEY_TYPE, &type, sizeof type },
		{ CKA_ID, (void *)p->id, KEK_ID_LEN },
		{ CKA_LABEL, label, pairkey_label(p, label, sizeof label) },
	};
	CK_ULONG n = object_template(flags, NFLAGS, drop, v, t, 4);

	if (p->public.kind == PAIR_EC)
		t[n++] = (CK_ATTRIBUTE){ CKA_EC_PARAMS, (void *)p256, sizeof p256 };
	for (size_t i = 0; i < k->n; i++)
		t[n++] = (CK_ATTRIBUTE){ k->part[i].type, k->part[i].p, k->part[i].len };
	return module_call(m, init_ms, C_CreateObject, m->session, t, n, ret);
}

int
pair_import(struct module *m, struct pair_file *p, struct slice pem, bool allow_weak,
    struct err *e)
{
	AUTO(pairkey) k = { 0 };
	CK_OBJECT_HANDLE key = 0;
	CK_RV rv = CKR_OK;

	if (pairkey_parse(pem, p, &k, e) != 0)
		return e->code;
	for (unsigned drop = 0; drop < 2; drop++) {
		rv = create(m, p, &k, drop, &key);
		if (!object_template_refused(rv))
			break;
	}
	if (rv != CKR_OK)
		return ckr_class(rv) == CKR_IS_REQUEST ?
		    err_set(e, V_DENIED, "the token takes no key from outside (%s): let it make "
			"one, and register that at the provider", ckr_text(rv).s) :
		    module_err(e, rv, "C_CreateObject");
	return prove(m, p, key, allow_weak, e);
}

/*
 * tlskey.c - see tlskey.h.
 *
 * An OpenSSL provider inside this process, in a library context of its own so that nothing
 * else ever finds it. It has two key types and two signature algorithms. A key of it holds
 * the public key as an ordinary EVP_PKEY, which answers all that is asked about it, and where
 * to ask for signatures. Exporting refuses the private half: OpenSSL then has no way to sign
 * but through here, with the whole message, which is what vault-hsm wants to see.
 */
#include "egress/tlskey.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <strings.h>

#include "common/auto.h"
#include "common/errors.h"
#include "egress/destination.h"
#include "egress/egress.h"

#define NAME	"vault-hsm"
#define P_KEY	"vault-key"	/* struct tlskey *, as its bytes */
#define P_SPKI	"vault-spki"

static OSSL_LIB_CTX *lib;

/* ---- keys */

struct keydata {
	const char	*type;		/* "RSA", "EC" */
	EVP_PKEY	*public;
	struct tlskey	*t;		/* NULL: a public key from elsewhere, to compare with */
};

static void *
key_new(const char *type)
{
	struct keydata *k = calloc(1, sizeof *k);

	if (k != NULL)
		k->type = type;
	return k;
}

static void *
rsa_new(void *provider)
{
	(void)provider;
	return key_new("RSA");
}

static void *
ec_new(void *provider)
{
	(void)provider;
	return key_new("EC");
}

static void
key_free(void *arg)
{
	struct keydata *k = arg;

	if (k == NULL)
		return;
	EVP_PKEY_free(k->public);
	free(k);
}

static int
key_has(const void *arg, int selection)
{
	const struct keydata *k = arg;

	if (k == NULL || k->public == NULL)
		return 0;
	return k->t != NULL || (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) == 0;
}

static int
key_match(const void *a, const void *b, int selection)
{
	const struct keydata *ka = a, *kb = b;

	(void)selection;
	return ka->public != NULL && kb->public != NULL &&
	    EVP_PKEY_eq(ka->public, kb->public) == 1;
}

static int
key_get_params(void *arg, OSSL_PARAM params[])
{
	struct keydata *k = arg;

	return k->public != NULL && EVP_PKEY_get_params(k->public, params);
}

static const OSSL_PARAM *
key_gettable(void *provider)
{
	static const OSSL_PARAM list[] = { OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0), OSSL_PARAM_END };

	(void)provider;
	return list;
}

/* A public key of another provider: a certificate's, to be compared with ours. */
static int
import_foreign(struct keydata *k, const OSSL_PARAM params[])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, k->type, NULL);
	int ok = ctx != NULL && EVP_PKEY_fromdata_init(ctx) > 0 && EVP_PKEY_fromdata(ctx,
	    &k->public, EVP_PKEY_PUBLIC_KEY, (OSSL_PARAM *)params) > 0;

	EVP_PKEY_CTX_free(ctx);
	return ok;
}

static int
key_import(void *arg, int selection, const OSSL_PARAM params[])
{
	struct keydata *k = arg;
	const OSSL_PARAM *t = OSSL_PARAM_locate_const(params, P_KEY),
			 *spki = OSSL_PARAM_locate_const(params, P_SPKI);
	const unsigned char *p;

	(void)selection;
	if (t == NULL || spki == NULL)
		return import_foreign(k, params);
	if (t->data_size != sizeof k->t)
		return 0;
	memcpy(&k->t, t->data, sizeof k->t);
	p = spki->data;
	k->public = d2i_PUBKEY(NULL, &p, (long)spki->data_size);
	return k->public != NULL;
}

static const OSSL_PARAM *
key_types(int selection)
{
	static const OSSL_PARAM list[] = { OSSL_PARAM_octet_string(P_KEY, NULL, 0),
		OSSL_PARAM_octet_string(P_SPKI, NULL, 0), OSSL_PARAM_END };

	(void)selection;
	return list;
}

static int
key_export(void *arg, int selection, OSSL_CALLBACK *take, void *cbarg)
{
	struct keydata *k = arg;
	OSSL_PARAM *params = NULL;
	int ok;

	if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 || k->public == NULL ||
	    EVP_PKEY_todata(k->public, EVP_PKEY_PUBLIC_KEY, &params) != 1)
		return 0;
	ok = take(params, cbarg);
	OSSL_PARAM_free(params);
	return ok;
}

static const char *
rsa_operation(int op)
{
	return op == OSSL_OP_SIGNATURE ? "RSA" : NULL;
}

static const char *
ec_operation(int op)
{
	return op == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}

#define FN(id, f) { id, (void (*)(void))(f) }
#define KEYMGMT(type)                                                                    \
	static const OSSL_DISPATCH type##_keymgmt[] = {                                  \
		FN(OSSL_FUNC_KEYMGMT_NEW, type##_new), FN(OSSL_FUNC_KEYMGMT_FREE, key_free), \
		FN(OSSL_FUNC_KEYMGMT_HAS, key_has), FN(OSSL_FUNC_KEYMGMT_MATCH, key_match), \
		FN(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get_params),                        \
		FN(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable),                     \
		FN(OSSL_FUNC_KEYMGMT_IMPORT, key_import),                                \
		FN(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_types),                           \
		FN(OSSL_FUNC_KEYMGMT_EXPORT, key_export),                                \
		FN(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, key_types),                           \
		FN(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, type##_operation), { 0, NULL } }
KEYMGMT(rsa);
KEYMGMT(ec);

/* ---- signatures */

struct sigctx {
	struct keydata	*k;
	bool		 pss;
	struct buf	 message;	/* between update and final */
};

static void *
sig_new(void *provider, const char *propq)
{
	(void)provider;
	(void)propq;
	return calloc(1, sizeof(struct sigctx));
}

static void
sig_free(void *arg)
{
	struct sigctx *s = arg;

	if (s != NULL)
		buf_done(&s->message);
	free(s);
}

static int
sig_set(void *arg, const OSSL_PARAM params[])
{
	struct sigctx *s = arg;
	const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
	int mode = RSA_PKCS1_PADDING;

	if (p == NULL)
		return 1;		/* the salt is as long as the digest, whatever it says */
	if (p->data_type == OSSL_PARAM_UTF8_STRING) {
		s->pss = strcasecmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0;
		return s->pss || strcasecmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 0;
	}
	if (OSSL_PARAM_get_int(p, &mode) != 1)
		return 0;
	s->pss = mode == RSA_PKCS1_PSS_PADDING;
	return s->pss || mode == RSA_PKCS1_PADDING;
}

static const OSSL_PARAM *
sig_settable(void *arg, void *provider)
{
	static const OSSL_PARAM list[] = {
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0), OSSL_PARAM_END };

	(void)arg;
	(void)provider;
	return list;
}

/* The sole digest that vault-hsm knows; the negotiation is held to it below. */
static int
sig_init(void *arg, const char *digest, void *key, const OSSL_PARAM params[])
{
	struct sigctx *s = arg;

	if (digest == NULL || (strcasecmp(digest, "SHA2-256") != 0 &&
	    strcasecmp(digest, "SHA256") != 0))
		return 0;
	if (key != NULL)
		s->k = key;
	return s->k != NULL && s->k->t != NULL && (params == NULL || sig_set(s, params));
}

static enum tls_scheme
scheme_of(const struct sigctx *s)
{
	if (s->k->t->key->kind == PAIR_EC)
		return TLS_ECDSA_P256_SHA256;
	return s->pss ? TLS_RSA_PSS_SHA256 : TLS_RSA_PKCS1_SHA256;
}

static int
sign(void *arg, unsigned char *out, size_t *len, size_t cap, const unsigned char *tbs,
    size_t tbslen)
{
	struct sigctx *s = arg;
	struct tlskey *t = s->k->t;
	AUTO(secret) signature = { 0 };

	if (out == NULL) {
		*len = (size_t)EVP_PKEY_get_size(s->k->public);
		return 1;
	}
	if (keys_sign_tls(t->x, t->key, scheme_of(s), (struct slice){ tbs, tbslen }, &signature,
		&t->err) != 0 || signature.len > cap)
		return 0;
	memcpy(out, signature.p, signature.len);
	*len = signature.len;
	return 1;
}

static int
sig_update(void *arg, const unsigned char *p, size_t n)
{
	struct sigctx *s = arg;

	return buf_add(&s->message, p, n);
}

static int
sig_final(void *arg, unsigned char *out, size_t *len, size_t cap)
{
	struct sigctx *s = arg;

	return sign(s, out, len, cap, s->message.p, s->message.len);
}

static const OSSL_DISPATCH signature[] = {
	FN(OSSL_FUNC_SIGNATURE_NEWCTX, sig_new), FN(OSSL_FUNC_SIGNATURE_FREECTX, sig_free),
	FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, sig_init),
	FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_UPDATE, sig_update),
	FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_FINAL, sig_final),
	FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, sign),
	FN(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, sig_set),
	FN(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, sig_settable), { 0, NULL },
};

/* ---- the provider */

#define RSA_NAMES "RSA:rsaEncryption:1.2.840.113549.1.1.1"
#define EC_NAMES  "EC:id-ecPublicKey:1.2.840.10045.2.1"

static const OSSL_ALGORITHM *
query(void *provider, int op, int *no_cache)
{
	static const OSSL_ALGORITHM keys[] = { { RSA_NAMES, "provider=" NAME, rsa_keymgmt, NULL },
		{ EC_NAMES, "provider=" NAME, ec_keymgmt, NULL }, { 0 } };
	static const OSSL_ALGORITHM signs[] = { { RSA_NAMES, "provider=" NAME, signature, NULL },
		{ "ECDSA", "provider=" NAME, signature, NULL }, { 0 } };

	(void)provider;
	*no_cache = 0;
	return op == OSSL_OP_KEYMGMT ? keys : op == OSSL_OP_SIGNATURE ? signs : NULL;
}

static int
provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
    void **ret)
{
	static const OSSL_DISPATCH table[] = { FN(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query),
		{ 0, NULL } };

	(void)in;
	*out = table;
	*ret = (void *)handle;
	return 1;
}

void
tlskey_init(void)
{
	lib = OSSL_LIB_CTX_new();
	must(lib != NULL && OSSL_PROVIDER_add_builtin(lib, NAME, provider_init) == 1 &&
	    OSSL_PROVIDER_load(lib, NAME) != NULL);
}

/* ---- for a connection */

static EVP_PKEY *
make_key(struct tlskey *t, const X509 *x)
{
	unsigned char *der = NULL;
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(lib,
	    t->key->kind == PAIR_EC ? "EC" : "RSA", NULL);
	EVP_PKEY *key = NULL;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(P_KEY, &t, sizeof t),
		OSSL_PARAM_construct_octet_string(P_SPKI, der, n > 0 ? (size_t)n : 0),
		OSSL_PARAM_construct_end(),
	};

	if (n <= 0 || ctx == NULL || EVP_PKEY_fromdata_init(ctx) <= 0 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) <= 0)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	OPENSSL_free(der);
	return key;
}

/* The certificate, and those that lead to its authority behind it. */
static X509 *
take_chain(SSL_CTX *ctx, const struct app_key *k)
{
	BIO *b = BIO_new_mem_buf(k->certificate.p, (int)k->certificate.len);
	X509 *first = b == NULL ? NULL : PEM_read_bio_X509(b, NULL, NULL, (void *)""), *x;

	while (first != NULL && (x = PEM_read_bio_X509(b, NULL, NULL, (void *)"")) != NULL) {
		SSL_CTX_add1_chain_cert(ctx, x);
		X509_free(x);
	}
	BIO_free(b);
	return first;
}

int
tlskey_use(struct tlskey *t, void *ssl_ctx, struct err *e)
{
	SSL_CTX *ctx = ssl_ctx;
	X509 *x = take_chain(ctx, t->key);
	EVP_PKEY *key = x == NULL ? NULL : make_key(t, x);
	bool ok = key != NULL && SSL_CTX_use_certificate(ctx, x) == 1 &&
	    SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_set1_client_sigalgs_list(ctx,
		"ECDSA+SHA256:rsa_pss_rsae_sha256:RSA+SHA256") == 1;

	EVP_PKEY_free(key);
	X509_free(x);
	ERR_clear_error();
	return ok ? 0 : err_set(e, V_INVALID, "the client certificate of the OAuth app cannot be used");
}

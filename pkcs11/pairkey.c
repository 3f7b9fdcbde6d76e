/*
 * pairkey.c - see pairkey.h. What OpenSSL allocates on the way is wiped when it is freed:
 * openssl_wiping_allocator() (common/wiping.h) is set at the start of the role.
 */
#include "pkcs11/pairkey.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>

#include "pkcs11/ckr.h"
#include "pkcs11/object.h"

#define COORDINATE	32

CK_ULONG
pairkey_label(const struct pair_file *p, char *out, size_t cap)
{
	char record[ID_TEXT];

	id_text(&p->record, record);
	return (CK_ULONG)snprintf(out, cap, "vault-app-%s-%s", record,
	    pair_use_name(p->public.use));
}

/* ---- public, from the token */

static EVP_PKEY *
from_params(const char *type, OSSL_PARAM_BLD *bld)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (params == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) <= 0 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) <= 0)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return key;
}

static EVP_PKEY *
rsa_from(struct slice n, struct slice e)
{
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	BIGNUM *bn = BN_bin2bn(n.p, (int)n.len, NULL), *be = BN_bin2bn(e.p, (int)e.len, NULL);
	EVP_PKEY *key = NULL;

	if (bld != NULL && bn != NULL && be != NULL &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn) == 1 &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, be) == 1)
		key = from_params("RSA", bld);
	OSSL_PARAM_BLD_free(bld);
	BN_free(bn);
	BN_free(be);
	return key;
}

/* CKA_EC_POINT is an OCTET STRING by the standard, and the point itself on some tokens. */
static EVP_PKEY *
ec_from(struct slice point)
{
	const unsigned char *p = point.p;
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	EVP_PKEY *key = NULL;

	if (point.len == 2 + 1 + 2 * COORDINATE && p[0] == 0x04 && p[1] == point.len - 2)
		point = (struct slice){ p + 2, point.len - 2 };
	if (bld != NULL && point.len == 1 + 2 * COORDINATE &&
	    OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) ==
	    1 && OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point.p,
		point.len) == 1)
		key = from_params("EC", bld);
	OSSL_PARAM_BLD_free(bld);
	return key;
}

static int
put_spki(EVP_PKEY *key, struct pair_file *p, struct err *e)
{
	unsigned char *der = NULL;
	int n = key == NULL ? -1 : i2d_PUBKEY(key, &der);

	ERR_clear_error();
	if (n <= 0 || n > PAIR_SPKI) {
		OPENSSL_free(der);
		return err_set(e, V_DENIED, "the public key is not one of RSA up to 4096 bits or "
		    "P-256");
	}
	memcpy(p->public.spki, der, (size_t)n);
	p->public.spki_len = (size_t)n;
	OPENSSL_free(der);
	return 0;
}

int
pairkey_read(struct module *m, CK_OBJECT_HANDLE key, struct pair_file *p, struct err *e)
{
	bool rsa = p->public.kind == PAIR_RSA;
	unsigned char a[1024], b[16];
	CK_ULONG na = sizeof a, nb = sizeof b;
	CK_RV rv = object_get(m, key, rsa ? CKA_MODULUS : CKA_EC_POINT, a, &na);
	EVP_PKEY *k;
	int rc;

	if (rv == CKR_OK && rsa)
		rv = object_get(m, key, CKA_PUBLIC_EXPONENT, b, &nb);
	if (rv != CKR_OK)
		return module_err(e, rv, "C_GetAttributeValue");
	if (na > sizeof a || nb > sizeof b)
		return err_set(e, V_DENIED, "the token says no public key");
	k = rsa ? rsa_from((struct slice){ a, na }, (struct slice){ b, nb }) :
		  ec_from((struct slice){ a, na });
	rc = put_spki(k, p, e);
	EVP_PKEY_free(k);
	return rc;
}

/* ---- private, from outside */

void
pairkey_done(struct pairkey *k)
{
	for (size_t i = 0; i < k->n; i++)
		secret_free(k->part[i].p);
	*k = (struct pairkey){ 0 };
}

static bool
add_part(struct pairkey *k, CK_ATTRIBUTE_TYPE type, const EVP_PKEY *key, const char *param,
    int least)
{
	BIGNUM *bn = NULL;
	int n;
	void *room;

	if (EVP_PKEY_get_bn_param(key, param, &bn) != 1)
		return false;
	n = BN_num_bytes(bn);
	if (n < least)
		n = least;
	room = secret_alloc((size_t)n);
	if (room != NULL)
		n = BN_bn2binpad(bn, room, n);
	BN_clear_free(bn);
	if (room == NULL)
		return false;
	k->part[k->n].type = type;
	k->part[k->n].p = room;
	k->part[k->n++].len = (CK_ULONG)n;
	return n > 0;
}

static int
take_rsa(const EVP_PKEY *key, struct pairkey *k, struct err *e)
{
	static const struct { CK_ATTRIBUTE_TYPE type; const char *param; } parts[] = {
		{ CKA_MODULUS, OSSL_PKEY_PARAM_RSA_N }, { CKA_PUBLIC_EXPONENT, OSSL_PKEY_PARAM_RSA_E },
		{ CKA_PRIVATE_EXPONENT, OSSL_PKEY_PARAM_RSA_D },
		{ CKA_PRIME_1, OSSL_PKEY_PARAM_RSA_FACTOR1 },
		{ CKA_PRIME_2, OSSL_PKEY_PARAM_RSA_FACTOR2 },
		{ CKA_EXPONENT_1, OSSL_PKEY_PARAM_RSA_EXPONENT1 },
		{ CKA_EXPONENT_2, OSSL_PKEY_PARAM_RSA_EXPONENT2 },
		{ CKA_COEFFICIENT, OSSL_PKEY_PARAM_RSA_COEFFICIENT1 },
	};
	int bits = EVP_PKEY_get_bits(key);

	if (bits < 2048 || bits > 4096)
		return err_set(e, V_INVALID, "an RSA key of %d bits: 2048 to 4096 are taken", bits);
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (!add_part(k, parts[i].type, key, parts[i].param, 1))
			return err_set(e, V_INVALID, "the RSA key lacks one of its numbers");
	return 0;
}

static int
take_ec(const EVP_PKEY *key, struct pairkey *k, struct err *e)
{
	char group[64] = "";

	if (EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group,
		NULL) != 1 || strcmp(group, "prime256v1") != 0)
		return err_set(e, V_INVALID, "an EC key of curve '%.40s': P-256 is taken", group);
	if (!add_part(k, CKA_VALUE, key, OSSL_PKEY_PARAM_PRIV_KEY, COORDINATE))
		return err_set(e, V_INVALID, "the EC key lacks its private number");
	return 0;
}

/* Never asks anybody for a passphrase. */
static int
no_passphrase(char *buf, int size, int rwflag, void *u)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	*(bool *)u = true;
	return -1;
}

int
pairkey_parse(struct slice pem, struct pair_file *p, struct pairkey *ret, struct err *e)
{
	bool encrypted = false;
	BIO *b = BIO_new_mem_buf(pem.p, (int)pem.len);
	EVP_PKEY *key = b == NULL ? NULL : PEM_read_bio_PrivateKey(b, NULL, no_passphrase,
	    &encrypted);
	int rc;

	BIO_free(b);
	ERR_clear_error();
	if (key == NULL)
		return err_set(e, V_INVALID, encrypted ? "the private key is encrypted: decrypt it "
		    "first, such as with `openssl pkey -in FILE`" : "no private key in PEM "
		    "(-----BEGIN PRIVATE KEY-----) is in it");
	if (EVP_PKEY_is_a(key, "RSA")) {
		p->public.kind = PAIR_RSA;
		rc = take_rsa(key, ret, e);
	} else if (EVP_PKEY_is_a(key, "EC")) {
		p->public.kind = PAIR_EC;
		rc = take_ec(key, ret, e);
	} else {
		rc = err_set(e, V_INVALID, "the key is of type %.20s: RSA and P-256 are taken",
		    EVP_PKEY_get0_type_name(key));
	}
	if (rc == 0)
		rc = put_spki(key, p, e);
	EVP_PKEY_free(key);
	return rc;
}

/*
 * jwk.c - see jwk.h.
 */
#include "common/jwk.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/envelope.h"

#define COORDINATE	32	/* of P-256 */

/* ---- JWK */

static bool
add_member(struct buf *out, const char *name, const unsigned char *p, size_t n)
{
	char text[(1024 * 4 + 2) / 3 + 1];

	if (n > 1024)
		return false;
	b64url_encode(p, n, text);
	buf_add_str(out, "\"");
	buf_add_str(out, name);
	buf_add_str(out, "\":\"");
	buf_add_str(out, text);
	return buf_add(out, "\"", 1);
}

static bool
add_bignum(struct buf *out, const char *name, const EVP_PKEY *key, const char *param,
    size_t least)
{
	unsigned char raw[1024];
	BIGNUM *bn = NULL;
	int n = 0;
	bool ok;

	ok = EVP_PKEY_get_bn_param(key, param, &bn) == 1 && (n = BN_num_bytes(bn)) > 0 &&
	    (size_t)n <= sizeof raw;
	if (ok && (size_t)n < least)
		n = (int)least;
	ok = ok && BN_bn2binpad(bn, raw, n) == n && add_member(out, name, raw, (size_t)n);
	BN_free(bn);
	return ok;
}

static bool
rsa_members(const EVP_PKEY *key, struct buf *out)
{
	buf_add_str(out, "{");
	if (!add_bignum(out, "e", key, OSSL_PKEY_PARAM_RSA_E, 1))
		return false;
	buf_add_str(out, ",\"kty\":\"RSA\",");
	return add_bignum(out, "n", key, OSSL_PKEY_PARAM_RSA_N, 1);
}

static bool
ec_members(const EVP_PKEY *key, struct buf *out)
{
	char group[64];

	if (EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group,
		NULL) != 1 || strcmp(group, "prime256v1") != 0)
		return false;
	buf_add_str(out, "{\"crv\":\"P-256\",\"kty\":\"EC\",");
	if (!add_bignum(out, "x", key, OSSL_PKEY_PARAM_EC_PUB_X, COORDINATE))
		return false;
	buf_add_str(out, ",");
	return add_bignum(out, "y", key, OSSL_PKEY_PARAM_EC_PUB_Y, COORDINATE);
}

int
jwk_of(struct slice spki, bool open, struct buf *out, struct err *e)
{
	const unsigned char *p = spki.p;
	EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)spki.len);
	bool ok = key != NULL;

	if (ok)
		ok = EVP_PKEY_is_a(key, "RSA") ? rsa_members(key, out) :
		    EVP_PKEY_is_a(key, "EC") && ec_members(key, out);
	EVP_PKEY_free(key);
	ERR_clear_error();
	if (!ok)
		return err_set(e, V_INVALID, "not a public key of RSA or P-256");
	if (!open)
		buf_add(out, "}", 1);
	return out->failed ? err_set(e, V_LIMIT, "out of memory") : 0;
}

int
jwk_thumbprint(struct slice spki, char out[THUMBPRINT_TEXT], struct err *e)
{
	struct buf text = { 0 };
	unsigned char hash[32];
	int rc = jwk_of(spki, false, &text, e);

	if (rc == 0) {
		sha256(buf_slice(&text), hash);
		b64url_encode(hash, sizeof hash, out);
	}
	buf_done(&text);
	return rc;
}

bool
pem_of(const char *label, struct slice der, struct buf *out)
{
	BIO *b = BIO_new(BIO_s_mem());
	char *p;
	long n;
	bool ok = b != NULL && PEM_write_bio(b, label, "", der.p, (long)der.len) > 0 &&
	    (n = BIO_get_mem_data(b, &p)) > 0 && buf_add(out, p, (size_t)n);

	BIO_free(b);
	return ok;
}

/* ---- certificates */

static bool
seconds(const ASN1_TIME *t, int64_t *ret)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(t, &tm) != 1)
		return false;
	*ret = timegm(&tm);
	return true;
}

static bool
thumbprint(const X509 *x, const EVP_MD *md, char *out)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned n;

	if (X509_digest(x, md, hash, &n) != 1)
		return false;
	b64url_encode(hash, n, out);
	return true;
}

static void
name_text(const X509_NAME *name, char *out, size_t cap)
{
	BIO *b = BIO_new(BIO_s_mem());
	char *p;
	long n;

	out[0] = '\0';
	if (b != NULL && X509_NAME_print_ex(b, name, 0, XN_FLAG_RFC2253) >= 0 &&
	    (n = BIO_get_mem_data(b, &p)) > 0)
		snprintf(out, cap, "%.*s", (int)n, p);
	BIO_free(b);
}

static bool
key_is(const X509 *x, struct slice key)
{
	unsigned char *der = NULL;
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
	bool same = n > 0 && (size_t)n == key.len && memcmp(der, key.p, key.len) == 0;

	OPENSSL_free(der);
	return same;
}

static int
describe(const X509 *x, struct slice key, struct cert_info *ret, struct err *e)
{
	if (!seconds(X509_get0_notBefore(x), &ret->not_before) ||
	    !seconds(X509_get0_notAfter(x), &ret->not_after) ||
	    !thumbprint(x, EVP_sha1(), ret->x5t) || !thumbprint(x, EVP_sha256(), ret->x5t_s256))
		return err_set(e, V_INVALID, "the certificate is damaged");
	if (key.len > 0 && !key_is(x, key))
		return err_set(e, V_INVALID, "the certificate is for another key: ask for one with "
		    "the request that `vaultctl app key --csr` prints");
	name_text(X509_get_subject_name(x), ret->subject, sizeof ret->subject);
	name_text(X509_get_issuer_name(x), ret->issuer, sizeof ret->issuer);
	ret->self_signed = X509_NAME_cmp(X509_get_subject_name(x), X509_get_issuer_name(x)) == 0;
	return 0;
}

int
cert_read(struct slice pem, struct slice key, struct cert_info *ret, struct err *e)
{
	BIO *b = BIO_new_mem_buf(pem.p, (int)pem.len);
	X509 *x = b == NULL ? NULL : PEM_read_bio_X509(b, NULL, NULL, (void *)"");
	int rc = x == NULL ? err_set(e, V_INVALID, "no certificate in PEM "
	    "(-----BEGIN CERTIFICATE-----) is in it") : describe(x, key, ret, e);

	X509_free(x);
	BIO_free(b);
	ERR_clear_error();
	return rc;
}

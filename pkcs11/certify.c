/*
 * certify.c - see certify.h.
 */
#include "pkcs11/certify.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "common/auto.h"

#define DAYS_MAX 3660

static int
algorithm(enum pair_kind kind)
{
	return kind == PAIR_EC ? NID_ecdsa_with_SHA256 : NID_sha256WithRSAEncryption;
}

static EVP_PKEY *
public_of(const struct pair_file *p)
{
	const unsigned char *at = p->public.spki;

	return d2i_PUBKEY(NULL, &at, (long)p->public.spki_len);
}

static bool
add_name(X509_NAME *name, const char *cn)
{
	return name != NULL && X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
	    (const unsigned char *)cn, -1, -1, 0) == 1;
}

/* The parameters of an RSA algorithm are NULL, those of ECDSA absent. */
static bool
set_algorithm(X509_ALGOR *a, enum pair_kind kind)
{
	return a != NULL && X509_ALGOR_set0(a, OBJ_nid2obj(algorithm(kind)),
	    kind == PAIR_EC ? V_ASN1_UNDEF : V_ASN1_NULL, NULL) == 1;
}

static bool
add_extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	bool ok = ext != NULL && X509_add_ext(x, ext, -1) == 1;

	X509_EXTENSION_free(ext);
	return ok;
}

/* 126 random bits, positive. */
static bool
set_serial(X509 *x)
{
	unsigned char raw[16];
	BIGNUM *bn;
	bool ok;

	random_bytes(raw, sizeof raw);
	raw[0] = (raw[0] & 0x3f) | 0x40;
	bn = BN_bin2bn(raw, sizeof raw, NULL);
	ok = bn != NULL && BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(x)) != NULL;
	BN_free(bn);
	return ok;
}

static int
certificate(const struct certify *q, const struct pair_file *p, EVP_PKEY *key, int64_t now,
    unsigned char **der)
{
	X509 *x = X509_new();
	int n = -1;

	if (x != NULL && X509_set_version(x, X509_VERSION_3) == 1 && set_serial(x) &&
	    set_algorithm((X509_ALGOR *)X509_get0_tbs_sigalg(x), p->public.kind) &&
	    ASN1_TIME_set(X509_getm_notBefore(x), now - 3600) != NULL &&
	    ASN1_TIME_set(X509_getm_notAfter(x), now + (int64_t)q->days * 86400) != NULL &&
	    add_name(X509_get_subject_name(x), q->common_name) &&
	    X509_set_issuer_name(x, X509_get_subject_name(x)) == 1 &&
	    X509_set_pubkey(x, key) == 1 && add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
	    add_extension(x, NID_key_usage, "critical,digitalSignature") &&
	    add_extension(x, NID_ext_key_usage, "clientAuth"))
		n = i2d_re_X509_tbs(x, der);
	X509_free(x);
	return n;
}

static int
request(const struct certify *q, EVP_PKEY *key, unsigned char **der)
{
	X509_REQ *r = X509_REQ_new();
	int n = -1;

	if (r != NULL && X509_REQ_set_version(r, X509_REQ_VERSION_1) == 1 &&
	    add_name(X509_REQ_get_subject_name(r), q->common_name) &&
	    X509_REQ_set_pubkey(r, key) == 1)
		n = i2d_re_X509_REQ_tbs(r, der);
	X509_REQ_free(r);
	return n;
}

int
certify_tbs(const struct certify *q, const struct pair_file *p, int64_t now, struct buf *ret,
    struct err *e)
{
	unsigned char *der = NULL;
	EVP_PKEY *key;
	int n;

	if (q->common_name[0] == '\0' || !pair_text_ok(q->common_name))
		return err_set(e, V_INVALID, "a certificate needs a name: 1 to 64 printable "
		    "characters");
	if (!q->request && (q->days < 1 || q->days > DAYS_MAX))
		return err_set(e, V_INVALID, "a certificate is for 1 to %d days", DAYS_MAX);
	key = public_of(p);
	n = key == NULL ? -1 : q->request ? request(q, key, &der) :
	    certificate(q, p, key, now, &der);
	EVP_PKEY_free(key);
	ERR_clear_error();
	if (n > 0 && !buf_add(ret, der, (size_t)n))
		n = -1;
	OPENSSL_free(der);
	return n > 0 ? 0 : err_set(e, V_INVALID, "no certificate can be made for that name");
}

/* ---- SEQUENCE { TBS, algorithm, BIT STRING } */

static bool
add_head(struct buf *out, unsigned char tag, size_t n)
{
	unsigned char h[4] = { tag, 0x82, (unsigned char)(n >> 8), (unsigned char)n };

	if (n < 0x80)
		return buf_add(out, (unsigned char[]){ tag, (unsigned char)n }, 2);
	if (n < 0x100)
		return buf_add(out, (unsigned char[]){ tag, 0x81, (unsigned char)n }, 3);
	return n < 0x10000 && buf_add(out, h, sizeof h);
}

bool
certify_finish(enum pair_kind kind, struct slice tbs, struct slice signature, struct buf *ret)
{
	X509_ALGOR *a = X509_ALGOR_new();
	unsigned char *alg = NULL;
	AUTO(buf) body = { 0 };
	int n = set_algorithm(a, kind) ? i2d_X509_ALGOR(a, &alg) : -1;
	bool ok = n > 0 && buf_add(&body, tbs.p, tbs.len) && buf_add(&body, alg, (size_t)n) &&
	    add_head(&body, 0x03, signature.len + 1) && buf_add(&body, "", 1) &&
	    buf_add(&body, signature.p, signature.len);

	OPENSSL_free(alg);
	X509_ALGOR_free(a);
	return ok && add_head(ret, 0x30, body.len) && buf_add(ret, body.p, body.len);
}

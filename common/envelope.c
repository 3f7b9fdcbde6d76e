/*
 * envelope.c - see envelope.h.
 *
 * One cipher context per thread, fetched once: re-keying it costs a third less than
 * making one (and the context's key schedule is overwritten by the next use; it is wiped
 * by re-keying with zeroes after each open of the cold path).
 */
#include "common/envelope.h"

#include "common/auto.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#define AAD_LEN (1 + 1 + 16 + 16 + 8)
#define FORMAT	1

static EVP_CIPHER *
gcm(void)
{
	static _Thread_local EVP_CIPHER *cipher;

	if (cipher == NULL)
		cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	must(cipher != NULL);
	return cipher;
}

static EVP_CIPHER_CTX *
context(bool encrypt)
{
	static _Thread_local EVP_CIPHER_CTX *ctx[2];
	static const unsigned char zero[DEK_LEN];
	EVP_CIPHER_CTX **c = &ctx[encrypt];

	if (*c == NULL) {
		*c = EVP_CIPHER_CTX_new();
		must(*c != NULL);
		must(EVP_CipherInit_ex2(*c, gcm(), zero, zero, encrypt, NULL) == 1);
	}
	return *c;
}

static void
forget_key(EVP_CIPHER_CTX *c)
{
	static const unsigned char zero[DEK_LEN];

	EVP_CipherInit_ex2(c, NULL, zero, zero, -1, NULL);
}

static void
aad_fill(const struct envelope_ctx *ctx, unsigned char aad[AAD_LEN])
{
	aad[0] = FORMAT;
	aad[1] = (unsigned char)ctx->purpose;
	memcpy(aad + 2, ctx->vault.b, 16);
	memcpy(aad + 18, ctx->record.b, 16);
	for (int i = 0; i < 8; i++)
		aad[34 + i] = (unsigned char)(ctx->version >> 8 * (7 - i));
}

int
envelope_seal(const struct envelope_ctx *ctx, const struct secret *dek,
    struct slice plain, struct buf *out, struct err *e)
{
	unsigned char aad[AAD_LEN], *p = buf_room(out, ENVELOPE_EXTRA + plain.len);
	EVP_CIPHER_CTX *c = context(true);
	int n, tail;
	bool ok;

	must(dek->len == DEK_LEN);
	if (p == NULL || plain.len > (1u << 21))
		return err_set(e, V_LIMIT, "cannot seal %zu bytes", plain.len);
	p[0] = FORMAT;
	p[1] = (unsigned char)ctx->purpose;
	random_bytes(p + 2, NONCE_LEN);
	for (int i = 0; i < 4; i++)
		p[2 + NONCE_LEN + i] = (unsigned char)(plain.len >> 8 * (3 - i));
	aad_fill(ctx, aad);
	ok = EVP_EncryptInit_ex2(c, NULL, dek->p, p + 2, NULL) == 1 &&
	    EVP_EncryptUpdate(c, NULL, &n, aad, AAD_LEN) == 1 &&
	    EVP_EncryptUpdate(c, p + ENVELOPE_HEAD, &n, plain.p, (int)plain.len) == 1 &&
	    EVP_EncryptFinal_ex(c, p + ENVELOPE_HEAD + n, &tail) == 1 &&
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG_LEN,
		p + ENVELOPE_HEAD + plain.len) == 1;
	forget_key(c);
	if (!ok)
		return err_set(e, V_INTERNAL, "AES-256-GCM failed");
	out->len += ENVELOPE_EXTRA + plain.len;
	return 0;
}

size_t
envelope_plain_len(struct slice blob)
{
	const unsigned char *p = blob.p;
	size_t n = 0;

	if (blob.len < ENVELOPE_EXTRA || p[0] != FORMAT)
		return 0;
	for (int i = 0; i < 4; i++)
		n = n << 8 | p[2 + NONCE_LEN + i];
	return n == blob.len - ENVELOPE_EXTRA ? n : 0;
}

ssize_t
envelope_open_into(const struct envelope_ctx *ctx, const unsigned char *dek,
    struct slice blob, void *out, size_t cap)
{
	const unsigned char *p = blob.p;
	unsigned char aad[AAD_LEN], *o = out;
	size_t len = envelope_plain_len(blob);
	EVP_CIPHER_CTX *c = context(false);
	int n, tail;

	if (len == 0 || len > cap || p[1] != ctx->purpose)
		return -1;
	aad_fill(ctx, aad);
	if (EVP_DecryptInit_ex2(c, NULL, dek, p + 2, NULL) == 1 &&
	    EVP_DecryptUpdate(c, NULL, &n, aad, AAD_LEN) == 1 &&
	    EVP_DecryptUpdate(c, o, &n, p + ENVELOPE_HEAD, (int)len) == 1 &&
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG_LEN,
		(void *)(p + ENVELOPE_HEAD + len)) == 1 &&
	    EVP_DecryptFinal_ex(c, o + n, &tail) == 1)
		return (ssize_t)len;
	explicit_bzero(out, len);
	return -1;
}

int
envelope_open(const struct envelope_ctx *ctx, const struct secret *dek,
    struct slice blob, struct secret *ret, struct err *e)
{
	AUTO(secret) s = { 0 };
	size_t len = envelope_plain_len(blob);
	ssize_t n;

	if (dek->len != DEK_LEN || len == 0)
		return err_set(e, V_CORRUPT, "not a sealed secret");
	if (secret_reserve(&s, len, e) != 0)
		return e->code;
	n = envelope_open_into(ctx, dek->p, blob, s.p, s.cap);
	forget_key(context(false));
	if (n < 0)
		return err_set(e, V_CORRUPT, "sealed secret is damaged, or belongs to another "
		    "record or version");
	s.len = (size_t)n;
	*ret = secret_take(&s);
	return 0;
}

int
wrap_decode(struct slice wrap, struct wrap_view *ret, struct err *e)
{
	struct wrap_view w = { 0 };
	struct slice id;
	struct msg m;
	unsigned format, purpose;

	msg_read(&m, wrap);
	format = msg_get_u8(&m);
	purpose = msg_get_u8(&m);
	id = msg_get_raw(&m, KEK_ID_LEN);
	w.mechanism = msg_get_u32(&m);
	w.iv_mode = msg_get_u8(&m);
	w.iv = msg_get_raw(&m, msg_get_u8(&m));
	w.wrapped = msg_get_raw(&m, msg_get_u16(&m));
	if (msg_end(&m, "wrapped key", e) != 0)
		return e->code;
	if (format != FORMAT || (purpose != PURPOSE_GRANT && purpose != PURPOSE_RELEASE))
		return err_set(e, V_CORRUPT, "wrapped key has an unknown format or purpose");
	w.purpose = purpose;
	memcpy(w.kek_id, id.p, KEK_ID_LEN);
	for (int i = 0; i < KEK_ID_LEN; i++)
		if (strchr("0123456789abcdef", w.kek_id[i]) == NULL || w.kek_id[i] == '\0')
			return err_set(e, V_CORRUPT, "wrapped key names no KEK");
	*ret = w;
	return 0;
}

bool
wrap_encode(struct buf *out, const struct wrap_view *w)
{
	AUTO(msg) m = { 0 };

	if (w->iv.len > 255 || w->wrapped.len > 0xffff || strlen(w->kek_id) != KEK_ID_LEN)
		return false;
	msg_put_u8(&m, FORMAT);
	msg_put_u8(&m, (uint8_t)w->purpose);
	msg_put_raw(&m, w->kek_id, KEK_ID_LEN);
	msg_put_u32(&m, w->mechanism);
	msg_put_u8(&m, w->iv_mode);
	msg_put_u8(&m, (uint8_t)w->iv.len);
	msg_put_raw(&m, w->iv.p, w->iv.len);
	msg_put_u16(&m, (uint16_t)w->wrapped.len);
	msg_put_raw(&m, w->wrapped.p, w->wrapped.len);
	return msg_ok(&m) && buf_add(out, m.b.p, m.b.len);
}

size_t
wrap_aad(const struct wrap_view *w, const struct id *record, unsigned char out[64])
{
	unsigned char *p = out;

	memcpy(p, w->kek_id, KEK_ID_LEN);
	p += KEK_ID_LEN;
	for (int i = 3; i >= 0; i--)
		*p++ = (unsigned char)(w->mechanism >> 8 * i);
	*p++ = (unsigned char)w->purpose;
	memcpy(p, record->b, sizeof record->b);
	return (size_t)(p - out) + sizeof record->b;
}

void
hmac_sha256(const unsigned char key[32], struct slice data, unsigned char out[32])
{
	unsigned n = 32;

	must(HMAC(EVP_sha256(), key, 32, data.p, data.len, out, &n) != NULL && n == 32);
}

void
sha256(struct slice data, unsigned char out[32])
{
	must(EVP_Digest(data.p, data.len, out, NULL, EVP_sha256(), NULL) == 1);
}

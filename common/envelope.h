/*
 * envelope.h - the sealed blob: AES-256-GCM under a data key (DEK), and the wraps of
 * that DEK.
 *
 * Data part:  u8 format (1) | u8 purpose | 12 nonce | u32 length | ciphertext | 16 tag
 * AAD:        u8 format | u8 purpose | vault id | record id | u64 secret version
 * Wrap:       u8 format (1) | u8 purpose | KEK id (16 characters) | u32 mechanism |
 *             u8 IV mode | u8 IV length | IV | u16 length | wrapped DEK
 * AAD of the wrap, where the mechanism has one:
 *             KEK id | u32 mechanism | u8 purpose | record id
 *
 * The secret version changes only when the secret does. Rename, move and KEK rotation
 * never touch the data part. See docs/FORMATS.md.
 */
#pragma once

#include "common/bytes.h"
#include "common/msg.h"
#include "common/secret.h"

enum purpose {
	PURPOSE_GRANT = 1,	/* buys new tokens: refresh token, client secret, verifier */
	PURPOSE_RELEASE = 2,	/* what callers get: access token, PAT, API key */
};

#define DEK_LEN		32
#define NONCE_LEN	12
#define TAG_LEN		16
#define ENVELOPE_HEAD	(1 + 1 + NONCE_LEN + 4)
#define ENVELOPE_EXTRA	(ENVELOPE_HEAD + TAG_LEN)
#define KEK_ID_LEN	16	/* CKA_ID: [a-z0-9], not terminated in the wrap */
#define WRAP_MAX	256

/* What the ciphertext is bound to. */
struct envelope_ctx {
	enum purpose	purpose;
	struct id	vault;
	struct id	record;
	uint64_t	version;
};

/* Seals PLAIN under DEK (32 bytes) with a fresh random nonce; appends to OUT. */
int envelope_seal(const struct envelope_ctx *ctx, const struct secret *dek,
    struct slice plain, struct buf *out, struct err *e);

/* Opens BLOB. V_CORRUPT when it is not what CTX says or was changed. */
int envelope_open(const struct envelope_ctx *ctx, const struct secret *dek,
    struct slice blob, struct secret *ret, struct err *e);

/*
 * The hot path's form: decrypts into OUT (CAP bytes), which the caller wipes. Returns
 * the plaintext's length or -1. DEK is 32 raw bytes in locked memory.
 */
ssize_t envelope_open_into(const struct envelope_ctx *ctx, const unsigned char *dek,
    struct slice blob, void *out, size_t cap);
/* Plaintext length of BLOB without opening it; 0 when it is no envelope. */
size_t envelope_plain_len(struct slice blob);

/* Wrap, decoded. Pointers are borrowed from the wrap. */
struct wrap_view {
	enum purpose	purpose;
	char		kek_id[KEK_ID_LEN + 1];
	uint32_t	mechanism;
	uint8_t		iv_mode;
	struct slice	iv;
	struct slice	wrapped;
};

int wrap_decode(struct slice wrap, struct wrap_view *ret, struct err *e);
bool wrap_encode(struct buf *out, const struct wrap_view *w);
/* AAD of a wrap, into OUT (at least 64 bytes). Returns its length. */
size_t wrap_aad(const struct wrap_view *w, const struct id *record, unsigned char out[64]);

/* HMAC-SHA256 for record tags and fingerprints; KEY of 32 bytes. */
void hmac_sha256(const unsigned char key[32], struct slice data, unsigned char out[32]);
void sha256(struct slice data, unsigned char out[32]);

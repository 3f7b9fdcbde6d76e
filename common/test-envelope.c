#include "tests/unit.h"

#include "common/auto.h"
#include "common/envelope.h"

static struct envelope_ctx ctx = { PURPOSE_GRANT, { { 1 } }, { { 2 } }, 3 };

static void
key(struct secret *dek)
{
	unsigned char k[DEK_LEN];
	struct err e;

	random_bytes(k, sizeof k);
	T_EQ(secret_set(dek, k, sizeof k, &e), 0);
}

TEST(sealed_opens_and_only_as_what_it_was_sealed)
{
	AUTO(secret) dek = { 0 }, other = { 0 }, out = { 0 };
	AUTO(buf) blob = { 0 };
	struct envelope_ctx c = ctx;
	struct err e = { 0 };

	key(&dek);
	key(&other);
	T_DO(envelope_seal(&ctx, &dek, (struct slice){ "secret", 6 }, &blob, &e), e);
	T_DO(envelope_open(&ctx, &dek, buf_slice(&blob), &out, &e), e);
	T_OK(secret_equal(&out, "secret", 6));
	T_EQ(envelope_open(&ctx, &other, buf_slice(&blob), &out, &e), V_CORRUPT);
	c.version++;
	T_EQ(envelope_open(&c, &dek, buf_slice(&blob), &out, &e), V_CORRUPT);
	c = ctx;
	c.record.b[15] ^= 1;	/* a blob of another record */
	T_EQ(envelope_open(&c, &dek, buf_slice(&blob), &out, &e), V_CORRUPT);
	c = ctx;
	c.vault.b[0] ^= 1;
	T_EQ(envelope_open(&c, &dek, buf_slice(&blob), &out, &e), V_CORRUPT);
	c = ctx;
	c.purpose = PURPOSE_RELEASE;
	T_EQ(envelope_open(&c, &dek, buf_slice(&blob), &out, &e), V_CORRUPT);
}

TEST(any_changed_byte_is_noticed)
{
	AUTO(secret) dek = { 0 }, out = { 0 };
	AUTO(buf) blob = { 0 };
	struct err e = { 0 };

	key(&dek);
	T_DO(envelope_seal(&ctx, &dek, (struct slice){ "secret", 6 }, &blob, &e), e);
	for (size_t i = 0; i < blob.len; i++) {
		blob.p[i] ^= 0x10;
		T_EQ(envelope_open(&ctx, &dek, buf_slice(&blob), &out, &e), V_CORRUPT);
		blob.p[i] ^= 0x10;
	}
	for (size_t n = 0; n < blob.len; n++)
		T_EQ(envelope_open(&ctx, &dek, (struct slice){ blob.p, n }, &out, &e),
		    V_CORRUPT);
}

TEST(two_seals_of_one_text_differ)
{
	AUTO(secret) dek = { 0 };
	AUTO(buf) a = { 0 }, b = { 0 };
	struct err e = { 0 };

	key(&dek);
	T_DO(envelope_seal(&ctx, &dek, (struct slice){ "secret", 6 }, &a, &e), e);
	T_DO(envelope_seal(&ctx, &dek, (struct slice){ "secret", 6 }, &b, &e), e);
	T_OK(memcmp(a.p + 2, b.p + 2, NONCE_LEN) != 0);
}

TEST(wraps_round_trip_and_damaged_ones_are_refused)
{
	struct wrap_view w = { .purpose = PURPOSE_RELEASE, .kek_id = "0123456789abcdef",
		.mechanism = 0x1087, .iv_mode = 1, .iv = { "iviviviviviv", 12 },
		.wrapped = { "0123456789012345678901234567890123456789", 40 } }, r;
	AUTO(buf) b = { 0 };
	struct err e = { 0 };

	T_OK(wrap_encode(&b, &w));
	T_DO(wrap_decode(buf_slice(&b), &r, &e), e);
	T_EQ(r.purpose, PURPOSE_RELEASE);
	T_STR(r.kek_id, w.kek_id);
	T_EQ(r.wrapped.len, 40);
	for (size_t n = 0; n < b.len; n++)
		T_EQ(wrap_decode((struct slice){ b.p, n }, &r, &e), V_CORRUPT);
	b.p[1] = 9;
	T_EQ(wrap_decode(buf_slice(&b), &r, &e), V_CORRUPT);
}

TEST(hex_and_base64url)
{
	struct id id = id_new(), again;
	char text[64];
	unsigned char raw[16];

	id_text(&id, text);
	T_OK(id_parse(text, &again) && id_equal(&id, &again));
	text[0] = 'G';
	T_NOT(id_parse(text, &again));
	b64url_encode(id.b, 16, text);
	T_EQ(b64url_decode(text, strlen(text), raw), 16);
	T_MEM(raw, id.b, 16);
	T_EQ(b64url_decode("a", 1, raw), -1);
	T_EQ(b64url_decode("a=bc", 4, raw), -1);
	T_EQ(b64url_decode("AB", 2, raw), -1);	/* stray bits */
}

int
main(void)
{
	struct err e;

	return secret_arena_init(256 << 10, false, &e) != 0 ? 1 : unit_run();
}

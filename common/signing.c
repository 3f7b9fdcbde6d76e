/*
 * signing.c - see signing.h.
 */
#include "common/signing.h"

#include <stdio.h>

#include "common/auto.h"

#define MAKE_MS	90000		/* a token may look for primes for a while */
#define SIGN_MS	10000

/* ---- names */

static bool
find(const char *const *names, int n, const char *name, int *ret)
{
	for (int i = 1; i < n; i++)
		if (strcmp(names[i], name) == 0) {
			*ret = i;
			return true;
		}
	return false;
}

static const char *const kinds[] = { "?", "rsa", "ec" };
static const char *const uses[] = { "?", "assertion", "tls" };
static const char *const algs[] = { "?", "RS256", "PS256", "ES256" };

#define NAMES(fn, type, list)                                                            \
	const char *fn##_name(enum type v)                                               \
	{                                                                                \
		return list[v < sizeof list / sizeof *list ? v : 0];                     \
	}                                                                                \
	bool fn##_parse(const char *name, enum type *ret)                                \
	{                                                                                \
		int i;                                                                   \
		\
		if (!find(list, sizeof list / sizeof *list, name, &i))                   \
			return false;                                                    \
		*ret = (enum type)i;                                                     \
		return true;                                                             \
	}

NAMES(pair_kind, pair_kind, kinds)
NAMES(pair_use, pair_use, uses)
NAMES(jws_alg, jws_alg, algs)

bool
jws_alg_fits(enum jws_alg a, enum pair_kind k)
{
	return (a == JWS_ES256) == (k == PAIR_EC);
}

void
pair_id_new(char ret[PAIR_ID])
{
	unsigned char raw[KEK_ID_LEN / 2];

	random_bytes(raw, sizeof raw);
	hex_encode(raw, sizeof raw, ret);
}

/* ---- bodies */

static uint8_t
get_within(struct msg *m, uint8_t least, uint8_t most)
{
	uint8_t v = msg_get_u8(m);

	if (v < least || v > most)
		m->failed = true;
	return v;
}

void
pair_name_put(struct msg *m, const char *id, const struct id *record)
{
	msg_put_str(m, id);
	msg_put_id(m, record);
}

static void
rule_put(struct msg *m, const struct pair_rule *r)
{
	msg_put_str(m, r->iss);
	msg_put_str(m, r->sub);
	msg_put_u8(m, (uint8_t)r->naud);
	for (size_t i = 0; i < r->naud; i++)
		msg_put_str(m, r->aud[i]);
	msg_put_str(m, r->endpoint);
}

static void
rule_get(struct msg *m, struct pair_rule *r)
{
	msg_get_str(m, r->iss, sizeof r->iss);
	msg_get_str(m, r->sub, sizeof r->sub);
	r->naud = get_within(m, 0, PAIR_AUDIENCES);
	for (size_t i = 0; !m->failed && i < r->naud; i++)
		msg_get_str(m, r->aud[i], sizeof r->aud[i]);
	msg_get_str(m, r->endpoint, sizeof r->endpoint);
}

void
pair_make_done(struct pair_make *q)
{
	secret_done(&q->pem);
}

void
pair_make_put(struct msg *m, const struct pair_make *q)
{
	pair_name_put(m, q->id, &q->record);
	msg_put_u8(m, (uint8_t)q->kind);
	msg_put_u8(m, (uint8_t)q->use);
	rule_put(m, &q->rule);
	msg_put_bytes(m, q->pem.p, q->pem.len);
}

int
pair_make_get(struct slice body, struct pair_make *ret, struct err *e)
{
	struct msg m;

	msg_read(&m, body);
	msg_get_str(&m, ret->id, sizeof ret->id);
	ret->record = msg_get_id(&m);
	ret->kind = get_within(&m, PAIR_RSA, PAIR_EC);
	ret->use = get_within(&m, PAIR_ASSERTION, PAIR_TLS);
	rule_get(&m, &ret->rule);
	if (!m.failed && msg_get_secret(&m, &ret->pem, e) != 0)
		return e->code;
	return msg_end(&m, "question for a key pair", e);
}

void
pair_public_put(struct msg *m, const struct pair_public *v)
{
	msg_put_u8(m, (uint8_t)v->kind);
	msg_put_u8(m, (uint8_t)v->use);
	msg_put_u8(m, v->imported);
	msg_put_u64(m, (uint64_t)v->made);
	msg_put_bytes(m, v->spki, v->spki_len);
}

int
pair_public_get(struct slice body, struct pair_public *ret, struct err *e)
{
	struct slice spki;
	struct msg m;

	msg_read(&m, body);
	ret->kind = get_within(&m, PAIR_RSA, PAIR_EC);
	ret->use = get_within(&m, PAIR_ASSERTION, PAIR_TLS);
	ret->imported = get_within(&m, 0, 1);
	ret->made = (int64_t)msg_get_u64(&m);
	spki = msg_get_slice(&m);
	if (spki.len == 0 || spki.len > sizeof ret->spki)
		m.failed = true;
	else
		memcpy(ret->spki, spki.p, ret->spki_len = spki.len);
	return msg_end(&m, "public key", e);
}

void
claims_put(struct msg *m, const struct claims *v)
{
	pair_name_put(m, v->id, &v->record);
	msg_put_u8(m, (uint8_t)v->alg);
	msg_put_str(m, v->kid);
	msg_put_str(m, v->x5t);
	msg_put_str(m, v->x5t_s256);
	msg_put_str(m, v->iss);
	msg_put_str(m, v->sub);
	msg_put_str(m, v->aud);
	msg_put_u8(m, (uint8_t)v->nextra);
	for (size_t i = 0; i < v->nextra; i++) {
		msg_put_str(m, v->extra[i].name);
		msg_put_str(m, v->extra[i].value);
	}
}

int
claims_get(struct slice body, struct claims *ret, struct err *e)
{
	struct msg m;

	msg_read(&m, body);
	msg_get_str(&m, ret->id, sizeof ret->id);
	ret->record = msg_get_id(&m);
	ret->alg = get_within(&m, JWS_RS256, JWS_ES256);
	msg_get_str(&m, ret->kid, sizeof ret->kid);
	msg_get_str(&m, ret->x5t, sizeof ret->x5t);
	msg_get_str(&m, ret->x5t_s256, sizeof ret->x5t_s256);
	msg_get_str(&m, ret->iss, sizeof ret->iss);
	msg_get_str(&m, ret->sub, sizeof ret->sub);
	msg_get_str(&m, ret->aud, sizeof ret->aud);
	ret->nextra = get_within(&m, 0, CLAIMS_EXTRA);
	for (size_t i = 0; !m.failed && i < ret->nextra; i++) {
		msg_get_str(&m, ret->extra[i].name, sizeof ret->extra[i].name);
		msg_get_str(&m, ret->extra[i].value, sizeof ret->extra[i].value);
	}
	return msg_end(&m, "claims to sign", e);
}

void
sign_tls_put(struct msg *m, const char *id, const struct id *record, enum tls_scheme scheme,
    struct slice tbs)
{
	pair_name_put(m, id, record);
	msg_put_u16(m, (uint16_t)scheme);
	msg_put_slice(m, tbs);
}

void
certify_put(struct msg *m, const struct certify *v)
{
	pair_name_put(m, v->id, &v->record);
	msg_put_u8(m, v->request);
	msg_put_str(m, v->common_name);
	msg_put_u32(m, v->days);
}

int
certify_get(struct slice body, struct certify *ret, struct err *e)
{
	struct msg m;

	msg_read(&m, body);
	msg_get_str(&m, ret->id, sizeof ret->id);
	ret->record = msg_get_id(&m);
	ret->request = get_within(&m, 0, 1);
	msg_get_str(&m, ret->common_name, sizeof ret->common_name);
	ret->days = msg_get_u32(&m);
	return msg_end(&m, "question for a certificate", e);
}

int
signed_get(struct slice body, struct secret *ret, struct err *e)
{
	struct msg m;

	msg_read(&m, body);
	if (msg_get_secret(&m, ret, e) != 0)
		return e->code;
	return msg_end(&m, "signature", e);
}

/* ---- the asker's line */

int
keyline_pair_make(struct keyline *k, const struct pair_make *q, struct pair_public *ret,
    struct err *e)
{
	AUTO(secret) in = { 0 };
	AUTO(msg) m = { 0 };
	struct slice body;

	if (q->pem.len > 0)
		msg_secret(&m);
	pair_make_put(&m, q);
	if (!msg_ok(&m))
		return err_set(e, V_LIMIT, "secret memory exhausted");
	if (keyline_call(k, q->pem.len > 0 ? KEY_IMPORT : KEY_GENERATE, &m, MAKE_MS, &in, &body,
		e) != 0)
		return e->code;
	return pair_public_get(body, ret, e);
}

int
keyline_pair_public(struct keyline *k, const char *id, const struct id *record,
    struct pair_public *ret, struct err *e)
{
	AUTO(secret) in = { 0 };
	AUTO(msg) m = { 0 };
	struct slice body;

	pair_name_put(&m, id, record);
	if (keyline_call(k, KEY_PUBLIC, &m, SIGN_MS, &in, &body, e) != 0)
		return e->code;
	return pair_public_get(body, ret, e);
}

int
keyline_pair_destroy(struct keyline *k, const char *id, const struct id *record, struct err *e)
{
	AUTO(secret) in = { 0 };
	AUTO(msg) m = { 0 };
	struct slice body;

	pair_name_put(&m, id, record);
	return keyline_call(k, KEY_DESTROY, &m, SIGN_MS, &in, &body, e);
}

static int
ask_signed(struct keyline *k, enum key_op op, const struct msg *m, struct secret *ret,
    struct err *e)
{
	AUTO(secret) in = { 0 };
	struct slice body;

	if (!msg_ok(m))
		return err_set(e, V_LIMIT, "out of memory");
	if (keyline_call(k, op, m, SIGN_MS, &in, &body, e) != 0)
		return e->code;
	return signed_get(body, ret, e);
}

int
keyline_sign_jwt(struct keyline *k, const struct claims *c, struct secret *ret, struct err *e)
{
	AUTO(msg) m = { 0 };

	claims_put(&m, c);
	return ask_signed(k, KEY_SIGN_JWT, &m, ret, e);
}

int
keyline_sign_tls(struct keyline *k, const char *id, const struct id *record,
    enum tls_scheme scheme, struct slice tbs, struct secret *ret, struct err *e)
{
	AUTO(msg) m = { 0 };

	if (tbs.len > TLS_TBS_MAX)
		return err_set(e, V_LIMIT, "the TLS handshake is too long to be signed: the server "
		    "must offer TLS 1.3");
	sign_tls_put(&m, id, record, scheme, tbs);
	return ask_signed(k, KEY_SIGN_TLS, &m, ret, e);
}

int
keyline_certify(struct keyline *k, const struct certify *q, struct secret *ret, struct err *e)
{
	AUTO(msg) m = { 0 };

	certify_put(&m, q);
	return ask_signed(k, KEY_CERTIFY, &m, ret, e);
}

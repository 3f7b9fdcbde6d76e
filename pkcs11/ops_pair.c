/*
 * ops_pair.c - key pairs of connections: made, shown, destroyed, and what they sign. What a
 * key may sign is what its file says (pairfile.h); what a question says is held against it.
 */
#include <stdio.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/log.h"
#include "common/role.h"
#include "pkcs11/call.h"
#include "pkcs11/certify.h"
#include "pkcs11/ckr.h"
#include "pkcs11/jwt.h"
#include "pkcs11/pair.h"
#include "pkcs11/tlstbs.h"

#define PER_RECORD 4	/* a key and its successors */

/* ---- which */

static int
load(const struct call *c, const char *id, const struct id *record, struct pair_file *ret,
    struct err *e)
{
	int rc = pairfile_load(c->h->conf.state_dir, id, ret, e);

	if (rc == V_NOT_FOUND)
		return err_name(e, ERR_HSM_REFUSED, "vault-hsm has no key pair %.16s", id);
	if (rc == V_CORRUPT)
		return err_rename(e, ERR_HSM_REFUSED);
	if (rc == 0 && !id_equal(record, &ret->record))
		return call_deny(c, "a key pair of another record", e);
	return rc;
}

static int
load_named(const struct call *c, struct msg *in, struct pair_file *ret, struct err *e)
{
	char id[PAIR_ID];
	struct id record;

	msg_get_str(in, id, sizeof id);
	record = msg_get_id(in);
	if (msg_end(in, "question about a key pair", e) != 0)
		return e->code;
	return load(c, id, &record, ret, e);
}

int
op_pair_public(const struct call *c, struct msg *in, struct msg *out, struct err *e)
{
	struct pair_file p;

	if (load_named(c, in, &p, e) != 0)
		return e->code;
	pair_public_put(out, &p.public);
	return 0;
}

/* ---- making one */

static int
check_rule(const struct pair_make *q, struct err *e)
{
	const struct pair_rule *r = &q->rule;
	bool ok = pair_text_ok(r->iss) && pair_text_ok(r->sub) && pair_text_ok(r->endpoint);

	for (size_t i = 0; i < r->naud; i++)
		ok = ok && pair_text_ok(r->aud[i]) && r->aud[i][0] != '\0';
	if (!ok || !pair_id_ok(q->id) || id_is_null(&q->record))
		return err_set(e, V_INVALID, "what a key pair is for must be printable text");
	if (q->use == PAIR_ASSERTION && (r->iss[0] == '\0' || r->sub[0] == '\0' || r->naud == 0))
		return err_set(e, V_INVALID, "a key for assertions needs issuer, subject and audience");
	return 0;
}

struct quota {
	const struct id	*record;
	unsigned	 all, same;
};

static int
count(void *arg, const struct pair_file *p, const struct err *bad)
{
	struct quota *q = arg;

	q->all++;
	q->same += bad->code == 0 && id_equal(&p->record, q->record);
	return 0;
}

static int
check_quota(const struct hsm *h, const struct id *record, struct err *e)
{
	struct quota q = { .record = record };

	if (pairfile_walk(h->conf.state_dir, count, &q, e) != 0)
		return e->code;
	if (q.all >= h->conf.pairs_max)
		return err_name(e, ERR_LIMIT_EXCEEDED, "the token holds %u key pairs of "
		    "connections: delete OAuth apps that are not used, or raise connection_keys of "
		    "vault-hsm.conf", q.all);
	if (q.same >= PER_RECORD)
		return err_name(e, ERR_LIMIT_EXCEEDED, "this OAuth app has %u key pairs already",
		    q.same);
	return 0;
}

/* Ours without a file is what is left of an attempt that failed: nobody has used it. */
static int
clear_left(struct hsm *h, const struct pair_file *p, struct err *e)
{
	struct pair_file either = *p;
	CK_OBJECT_HANDLE key;
	int rc;

	for (int kind = PAIR_RSA; kind <= PAIR_EC; kind++) {
		either.public.kind = kind;
		rc = pair_find(&h->module, &either, &key, e);
		if (rc == V_NOT_FOUND)
			continue;
		if (rc != 0 || pair_destroy(&h->module, &either, key, e) != 0)
			return e->code;
	}
	return 0;
}

/* Not tried again: the failed call may have made its key, which is taken away. */
static int
failed(struct hsm *h, const struct pair_file *p, const char *what, struct err *e)
{
	struct err why = *e, left;

	if (why.code == V_UNAVAILABLE && hsm_suspect(h, why.text, e) != 0)
		return e->code;
	if (clear_left(h, p, &left) != 0)
		log_warn("a key pair may be left in the token id=%s why=\"%s\"", p->id, left.text);
	if (why.code == V_INVALID)
		return err_name(e, ERR_INVALID_PARAMETER, "%s", why.text);
	return err_name(e, ERR_HSM_REFUSED, "%s: %.200s", what, why.text);
}

static int
make(struct hsm *h, const struct pair_make *q, struct pair_file *p, struct err *e)
{
	const char *what = q->pem.len > 0 ? "import" : "generate";
	int rc = clear_left(h, p, e);

	if (rc == 0 && q->pem.len > 0)
		rc = pair_import(&h->module, p, (struct slice){ q->pem.p, q->pem.len },
		    h->conf.allow_weak, e);
	else if (rc == 0)
		rc = pair_generate(&h->module, p, h->conf.allow_weak, e);
	if (rc == 0)
		rc = pairfile_create(h->conf.state_dir, p, e);
	return rc == 0 ? 0 : failed(h, p, what, e);
}

int
op_pair_make(const struct call *c, struct msg *in, struct msg *out, struct err *e)
{
	AUTO(pair_make) q = { 0 };
	struct pair_file p;
	char record[ID_TEXT];
	int rc;

	if (pair_make_get(in->in, &q, e) != 0 || check_rule(&q, e) != 0)
		return e->code;
	rc = pairfile_load(c->h->conf.state_dir, q.id, &p, e);
	if (rc == 0 && id_equal(&p.record, &q.record)) {
		pair_public_put(out, &p.public);	/* asked again: it was made */
		return 0;
	}
	if (rc == 0)
		return call_deny(c, "a key pair whose name is taken", e);
	if (rc != V_NOT_FOUND)
		return err_rename(e, ERR_HSM_REFUSED);
	p = (struct pair_file){ .record = q.record, .rule = q.rule, .public = { .kind = q.kind,
		.use = q.use, .imported = q.pem.len > 0, .made = wall_seconds() } };
	memcpy(p.id, q.id, sizeof p.id);
	if (check_quota(c->h, &q.record, e) != 0 || make(c->h, &q, &p, e) != 0)
		return e->code;
	id_text(&p.record, record);
	log_info("key pair is there id=%s app=%s kind=%s use=%s imported=%d endpoint=\"%s\"", p.id,
	    record, pair_kind_name(p.public.kind), pair_use_name(p.public.use),
	    p.public.imported, p.rule.endpoint);
	pair_public_put(out, &p.public);
	return 0;
}

/* ---- destroying one */

/* "Not found" is not "not there" before the token has shown its other keys. */
static int
destroy(struct hsm *h, const struct pair_file *p, struct err *e)
{
	CK_OBJECT_HANDLE key;

	for (int try = 0; try < 2; try++) {
		int rc = pair_find(&h->module, p, &key, e);

		if (rc == 0)
			rc = pair_destroy(&h->module, p, key, e);
		if (rc == 0)
			return 0;
		if (hsm_suspect(h, e->text, e) != 0)
			return e->code;
		if (rc == V_NOT_FOUND && try == 1)
			return 0;
	}
	return err_name(e, ERR_HSM_REFUSED, "the token does not destroy key pair %s", p->id);
}

int
op_pair_destroy(const struct call *c, struct msg *in, struct msg *out, struct err *e)
{
	struct pair_file p;
	struct id record;
	char id[PAIR_ID], text[ID_TEXT];
	int rc;

	(void)out;
	msg_get_str(in, id, sizeof id);
	record = msg_get_id(in);
	if (msg_end(in, "question about a key pair", e) != 0)
		return e->code;
	if (pairfile_load(c->h->conf.state_dir, id, &p, e) == V_NOT_FOUND)
		return 0;
	rc = load(c, id, &record, &p, e);
	if (rc != 0 || destroy(c->h, &p, e) != 0 ||
	    pairfile_remove(c->h->conf.state_dir, p.id, e) != 0)
		return e->code;
	id_text(&p.record, text);
	log_info("key pair is destroyed id=%s app=%s", p.id, text);
	return 0;
}

/* ---- signing */

struct signing {
	const struct pair_file	*p;
	enum tls_scheme		 scheme;
	struct slice		 message;
	unsigned char		 out[PAIR_SIGNATURE];
	CK_ULONG		 len;
};

static CK_RV
find_and_sign(struct hsm *h, void *arg)
{
	struct signing *s = arg;
	CK_OBJECT_HANDLE key;
	struct err e;
	int rc = pair_find(&h->module, s->p, &key, &e);

	if (rc != 0)
		return rc == V_UNAVAILABLE ? CKR_FUNCTION_FAILED : CKR_KEY_HANDLE_INVALID;
	return pair_sign(&h->module, key, s->scheme, s->message, s->out, &s->len);
}

static int
sign(const struct call *c, struct signing *s, struct err *e)
{
	const struct pair_public *k = &s->p->public;

	if (hsm_use(c->h, "sign", find_and_sign, s, e) != 0)
		return e->code;
	if (!pair_verify((struct slice){ k->spki, k->spki_len }, s->scheme, s->message,
		(struct slice){ s->out, s->len })) {
		log_error("a signature of the token does not fit the recorded public key id=%s",
		    s->p->id);
		return err_name(e, ERR_HSM_REFUSED, "key pair %s of the token is not the one that "
		    "was made, or the token signs wrongly: nothing was sent", s->p->id);
	}
	c->h->line[c->line].signatures++;
	return 0;
}

static enum tls_scheme
scheme_of(enum jws_alg alg)
{
	return alg == JWS_ES256 ? TLS_ECDSA_P256_SHA256 :
	    alg == JWS_PS256 ? TLS_RSA_PSS_SHA256 : TLS_RSA_PKCS1_SHA256;
}

int
op_sign_jwt(const struct call *c, struct msg *in, struct msg *out, struct err *e)
{
	AUTO_FREE struct claims *q = calloc(1, sizeof *q);
	AUTO(secret) jwt = { 0 };
	struct signing s;
	struct pair_file p;

	if (q == NULL)
		return err_set(e, V_LIMIT, "out of memory");
	if (claims_get(in->in, q, e) != 0 || load(c, q->id, &q->record, &p, e) != 0)
		return e->code;
	if (jwt_check(q, &p, e) != 0) {
		c->h->line[c->line].refused++;
		log_warn("assertion refused id=%s why=\"%s\"", p.id, e->text);
		return e->code;
	}
	if (jwt_input(q, wall_seconds(), &jwt, e) != 0)
		return e->code;
	s = (struct signing){ .p = &p, .scheme = scheme_of(q->alg),
		.message = { jwt.p, jwt.len } };
	if (sign(c, &s, e) != 0 ||
	    jwt_finish(&jwt, (struct slice){ s.out, s.len }, e) != 0)
		return e->code;
	msg_put_secret(out, &jwt);
	return 0;
}

/* RSA as it is; ECDSA as a sequence, as TLS and certificates want it. */
static int
put_signature(const struct signing *s, struct buf *ret, struct err *e)
{
	bool ok = s->scheme == TLS_ECDSA_P256_SHA256 ?
	    pair_ecdsa_der((struct slice){ s->out, s->len }, ret) : buf_add(ret, s->out, s->len);

	return ok ? 0 : err_set(e, V_LIMIT, "out of memory");
}

static bool
scheme_fits(enum tls_scheme scheme, enum pair_kind kind)
{
	return scheme == TLS_ECDSA_P256_SHA256 ? kind == PAIR_EC :
	    kind == PAIR_RSA && (scheme == TLS_RSA_PSS_SHA256 || scheme == TLS_RSA_PKCS1_SHA256);
}

int
op_sign_tls(const struct call *c, struct msg *in, struct msg *out, struct err *e)
{
	AUTO(buf) signature = { 0 };
	struct pair_file p;
	struct signing s = { .p = &p };
	char id[PAIR_ID];
	struct id record;

	msg_get_str(in, id, sizeof id);
	record = msg_get_id(in);
	s.scheme = msg_get_u16(in);
	s.message = msg_get_slice(in);
	if (msg_end(in, "question for a TLS signature", e) != 0 ||
	    load(c, id, &record, &p, e) != 0)
		return e->code;
	if (p.public.use != PAIR_TLS)
		return call_deny(c, "a key pair that is not for TLS", e);
	if (!scheme_fits(s.scheme, p.public.kind))
		return call_deny(c, "a signature scheme that does not fit the key", e);
	if (!tlstbs_is_client(s.message))
		return call_deny(c, "something that is not a TLS client's proof", e);
	if (sign(c, &s, e) != 0 || put_signature(&s, &signature, e) != 0)
		return e->code;
	msg_put_slice(out, buf_slice(&signature));
	return 0;
}

int
op_certify(const struct call *c, struct msg *in, struct msg *out, struct err *e)
{
	AUTO(buf) tbs = { 0 }, signature = { 0 }, der = { 0 };
	struct certify q = { 0 };
	struct pair_file p;
	struct signing s = { .p = &p };

	if (certify_get(in->in, &q, e) != 0 || load(c, q.id, &q.record, &p, e) != 0 ||
	    certify_tbs(&q, &p, wall_seconds(), &tbs, e) != 0)
		return e->code;
	s.scheme = p.public.kind == PAIR_EC ? TLS_ECDSA_P256_SHA256 : TLS_RSA_PKCS1_SHA256;
	s.message = buf_slice(&tbs);
	if (sign(c, &s, e) != 0 || put_signature(&s, &signature, e) != 0)
		return e->code;
	if (!certify_finish(p.public.kind, buf_slice(&tbs), buf_slice(&signature), &der))
		return err_set(e, V_LIMIT, "out of memory");
	msg_put_slice(out, buf_slice(&der));
	return 0;
}

/*
 * ops.c - see ops.h.
 */
#include "pkcs11/ops.h"

#include "common/auto.h"
#include "common/errors.h"
#include "common/log.h"
#include "common/role.h"
#include "pkcs11/call.h"

enum {
	MAY_ASK = 1,				/* no key is involved */
	MAY_GRANT = 1 << PURPOSE_GRANT,
	MAY_RELEASE = 1 << PURPOSE_RELEASE,
	MAY_BOTH = MAY_GRANT | MAY_RELEASE,
	MAY_PAIR = 1 << 3,			/* key pairs of connections */
	IS_SLOW = 1 << 4,			/* a token may look for primes */
};

struct op_row {
	enum key_op	 op;
	const char	*name;
	unsigned	 vaultd, egress;	/* masks */
	int	(*run)(const struct call *c, struct msg *in, struct msg *out, struct err *e);
};

const char *
line_name(enum key_line line)
{
	return line == LINE_VAULTD ? "from-vaultd" : "from-egress";
}

int
call_deny(const struct call *c, const char *what, struct err *e)
{
	long long now = boot_ms();

	c->h->line[c->line].refused++;
	if (now - c->h->warned_ms > 1000) {
		c->h->warned_ms = now;
		log_warn("request refused line=%s op=%s what=\"%s\"", line_name(c->line),
		    c->name, what);
	}
	return err_name(e, ERR_HSM_REFUSED, "%s of %s", c->name, what);
}

static int
check_purpose(const struct call *c, enum purpose asked, const struct kek *k, struct err *e)
{
	if (k == NULL)
		return call_deny(c, "a key that is not bound to this vault", e);
	/* The KEK's purpose counts; question and wrap must say the same. */
	if ((c->mask & 1u << k->b->purpose) == 0)
		return call_deny(c, k->b->purpose == PURPOSE_GRANT ?
		    "a grant key is not allowed on this line" :
		    "a release key is not allowed on this line", e);
	if (asked != k->b->purpose)
		return call_deny(c, "a key of another purpose than the question says", e);
	return 0;
}

static int
op_status(const struct call *c, struct msg *in, struct msg *out, struct err *e)
{
	struct key_status s;

	if (msg_end(in, "status question", e) != 0)
		return e->code;
	hsm_status(c->h, &s);
	key_status_put(out, &s);
	return 0;
}

static int
op_make(const struct call *c, struct msg *in, struct msg *out, struct err *e)
{
	enum purpose purpose = msg_get_u8(in);
	struct id record = msg_get_id(in);
	const struct kek *k = hsm_current(c->h, purpose);
	AUTO(secret) dek = { 0 };
	AUTO(buf) wrap = { 0 };

	if (msg_end(in, "question for a new key", e) != 0 ||
	    check_purpose(c, purpose, k, e) != 0 || secret_reserve(&dek, DEK_LEN, e) != 0)
		return e->code;
	random_bytes(dek.p, DEK_LEN);
	dek.len = DEK_LEN;
	if (hsm_wrap(c->h, k, &record, dek.p, &wrap, e) != 0)
		return e->code;
	msg_put_secret(out, &dek);
	msg_put_slice(out, buf_slice(&wrap));
	c->h->line[c->line].made++;
	return 0;
}

/* Reads purpose, record and wrap, and opens it. */
static int
unwrap(const struct call *c, struct msg *in, struct id *ret_record,
    const struct kek **ret_kek, struct secret *ret_dek, struct err *e)
{
	enum purpose purpose = msg_get_u8(in);
	struct id record = msg_get_id(in);
	struct slice wrap = msg_get_slice(in);
	AUTO(secret) dek = { 0 };
	struct wrap_view w;
	const struct kek *k;

	if (msg_end(in, "question with a wrapped key", e) != 0 ||
	    wrap_decode(wrap, &w, e) != 0)
		return e->code;
	k = hsm_kek(c->h, w.kek_id);
	if (check_purpose(c, purpose, k, e) != 0)
		return e->code;
	if (w.purpose != k->b->purpose)
		return call_deny(c, "a wrap whose purpose was changed", e);
	if (secret_reserve(&dek, DEK_LEN, e) != 0)
		return e->code;
	if (hsm_unwrap(c->h, k, &w, &record, dek.p, e) != 0) {
		c->h->line[c->line].refused += e->id == ERR_HSM_REFUSED;
		return e->code;
	}
	dek.len = DEK_LEN;
	*ret_record = record;
	*ret_kek = k;
	*ret_dek = secret_take(&dek);
	return 0;
}

static int
op_unwrap(const struct call *c, struct msg *in, struct msg *out, struct err *e)
{
	AUTO(secret) dek = { 0 };
	const struct kek *k;
	struct id record;

	if (unwrap(c, in, &record, &k, &dek, e) != 0)
		return e->code;
	msg_put_secret(out, &dek);
	c->h->line[c->line].unwrapped++;
	return 0;
}

/* The data key does not leave: the asker gets a new wrap under the current KEK. */
static int
op_rewrap(const struct call *c, struct msg *in, struct msg *out, struct err *e)
{
	AUTO(secret) dek = { 0 };
	AUTO(buf) wrap = { 0 };
	const struct kek *k;
	struct id record;

	if (unwrap(c, in, &record, &k, &dek, e) != 0 ||
	    hsm_wrap(c->h, hsm_current(c->h, k->b->purpose), &record, dek.p, &wrap, e) != 0)
		return e->code;
	msg_put_slice(out, buf_slice(&wrap));
	c->h->line[c->line].rewrapped++;
	return 0;
}

static const struct op_row rows[] = {
	/* op		name		vaultd		egress */
	{ KEY_STATUS,	"status",	MAY_ASK,	MAY_ASK,	op_status },
	{ KEY_MAKE,	"make",		MAY_BOTH,	MAY_BOTH,	op_make },
	{ KEY_UNWRAP,	"unwrap",	MAY_RELEASE,	MAY_BOTH,	op_unwrap },
	{ KEY_REWRAP,	"rewrap",	MAY_BOTH,	0,		op_rewrap },
	{ KEY_GENERATE,	"generate",	0,		MAY_PAIR | IS_SLOW, op_pair_make },
	{ KEY_IMPORT,	"import",	0,		MAY_PAIR | IS_SLOW, op_pair_make },
	{ KEY_PUBLIC,	"public",	0,		MAY_ASK,	op_pair_public },
	{ KEY_DESTROY,	"destroy",	0,		MAY_PAIR,	op_pair_destroy },
	{ KEY_SIGN_JWT,	"sign-jwt",	0,		MAY_PAIR,	op_sign_jwt },
	{ KEY_SIGN_TLS,	"sign-tls",	0,		MAY_PAIR,	op_sign_tls },
	{ KEY_CERTIFY,	"certify",	0,		MAY_PAIR,	op_certify },
};

static const struct op_row *
find(unsigned op)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].op == op)
			return &rows[i];
	return NULL;
}

bool
ops_slow(unsigned op)
{
	const struct op_row *row = find(op);

	return row != NULL && (row->egress & IS_SLOW) != 0;
}

static int
away(const struct hsm *h, struct err *e)
{
	err_name(e, ERR_HSM_UNAVAILABLE, "token %s: %s", key_state_name(h->state), h->text);
	err_detail(e, "state", "%s", key_state_name(h->state));
	return e->code;
}

int
ops_run(struct hsm *h, enum key_line line, const struct frame *q, struct msg *out,
    struct err *e)
{
	const struct op_row *row = find(q->op);
	struct call c = { .h = h, .line = line, .name = row == NULL ? "?" : row->name };
	struct msg in;

	if (row != NULL)
		c.mask = line == LINE_VAULTD ? row->vaultd : row->egress;
	if (c.mask == 0)
		return call_deny(&c, "an operation that is not allowed on this line", e);
	if (h->state != KEY_READY && (c.mask & MAY_ASK) == 0)
		return away(h, e);
	msg_secret(out);
	msg_read(&in, q->body);
	if (row->run(&c, &in, out, e) != 0)
		return e->code;
	return msg_ok(out) ? 0 : err_set(e, V_LIMIT, "secret memory exhausted");
}

/*
 * jwt.c - see jwt.h. This role has no JSON library: what is written here are objects of texts
 * and numbers.
 */
#include "pkcs11/jwt.h"

#include <ctype.h>
#include <stdio.h>

#include "common/auto.h"
#include "common/errors.h"

/* ---- may it be signed */

static int
refuse(struct err *e, const char *claim, const char *why)
{
	err_name(e, ERR_HSM_REFUSED, "the assertion is not signed: its %s %s", claim, why);
	err_detail(e, "claim", "%s", claim);
	return e->code;
}

static bool
audience_ok(const struct pair_rule *r, const char *aud)
{
	for (size_t i = 0; i < r->naud; i++)
		if (strcmp(r->aud[i], aud) == 0)
			return true;
	return false;
}

/* Ours, and those that say who speaks to whom, cannot come as more claims. */
static bool
reserved(const char *name)
{
	static const char *const names[] = { "iss", "sub", "aud", "exp", "iat", "nbf", "jti" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static bool
name_ok(const char *name)
{
	if (*name == '\0')
		return false;
	for (; *name != '\0'; name++)
		if (!isalnum((unsigned char)*name) && strchr("_-.:/", *name) == NULL)
			return false;
	return true;
}

static int
check_extra(const struct claims *c, struct err *e)
{
	for (size_t i = 0; i < c->nextra; i++) {
		if (!name_ok(c->extra[i].name) || reserved(c->extra[i].name))
			return refuse(e, "further claims", "have a name that is not theirs to have");
		for (size_t j = 0; j < i; j++)
			if (strcmp(c->extra[i].name, c->extra[j].name) == 0)
				return refuse(e, "further claims", "have one name twice");
	}
	return 0;
}

int
jwt_check(const struct claims *c, const struct pair_file *p, struct err *e)
{
	static const char differs[] = "is not what was recorded when the key was made";

	if (p->public.use != PAIR_ASSERTION)
		return refuse(e, "key", "is one for TLS");
	if (!jws_alg_fits(c->alg, p->public.kind))
		return refuse(e, "algorithm", "does not fit the key");
	if (p->rule.iss[0] == '\0' || strcmp(c->iss, p->rule.iss) != 0)
		return refuse(e, "iss", differs);
	if (c->sub[0] == '\0' ||
	    (strcmp(p->rule.sub, PAIR_ANY) != 0 && strcmp(c->sub, p->rule.sub) != 0))
		return refuse(e, "sub", differs);
	if (!audience_ok(&p->rule, c->aud))
		return refuse(e, "aud", differs);
	return check_extra(c, e);
}

/* ---- putting it together */

struct object {
	struct secret	*to;
	bool		 begun;
	int		 rc;
	struct err	*e;
};

static void
put(struct object *o, const void *p, size_t n)
{
	if (o->rc == 0)
		o->rc = secret_append(o->to, p, n, o->e);
}

/* Length of the UTF-8 sequence at P, 0: none. Shortest forms alone, no surrogates. */
static size_t
sequence(const unsigned char *p)
{
	size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 :
	    p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90))
		return 0;
	return n;
}

static void
quote(struct object *o, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t n;

	put(o, "\"", 1);
	for (; *p != '\0' && o->rc == 0; p += n) {
		n = *p < 0x20 || *p == 0x7f ? 0 : sequence(p);
		if (n == 0)
			o->rc = err_set(o->e, V_INVALID, "a claim has characters that are no text");
		if (*p == '"' || *p == '\\')
			put(o, "\\", 1);
		put(o, p, n);
	}
	put(o, "\"", 1);
}

static void
name(struct object *o, const char *text)
{
	put(o, o->begun ? "," : "{", 1);
	o->begun = true;
	quote(o, text);
	put(o, ":", 1);
}

static void
text(struct object *o, const char *key, const char *value)
{
	if (*value == '\0')
		return;
	name(o, key);
	quote(o, value);
}

static void
number(struct object *o, const char *key, int64_t value)
{
	char digits[24];

	name(o, key);
	put(o, digits, (size_t)snprintf(digits, sizeof digits, "%lld", (long long)value));
}

static int
header(const struct claims *c, struct secret *ret, struct err *e)
{
	struct object o = { .to = ret, .e = e };

	text(&o, "alg", jws_alg_name(c->alg));
	text(&o, "kid", c->kid);
	text(&o, "typ", "JWT");
	text(&o, "x5t", c->x5t);
	text(&o, "x5t#S256", c->x5t_s256);
	put(&o, "}", 1);
	return o.rc;
}

static int
payload(const struct claims *c, int64_t now, struct secret *ret, struct err *e)
{
	struct object o = { .to = ret, .e = e };
	unsigned char raw[16];
	char jti[32];

	random_bytes(raw, sizeof raw);
	b64url_encode(raw, sizeof raw, jti);
	text(&o, "iss", c->iss);
	text(&o, "sub", c->sub);
	text(&o, "aud", c->aud);
	for (size_t i = 0; i < c->nextra; i++)
		text(&o, c->extra[i].name, c->extra[i].value);
	number(&o, "iat", now - JWT_PAST);
	number(&o, "nbf", now - JWT_PAST);
	number(&o, "exp", now - JWT_PAST + JWT_LIFE);
	text(&o, "jti", jti);
	put(&o, "}", 1);
	return o.rc;
}

static int
append_b64(struct secret *to, const void *p, size_t n, struct err *e)
{
	if (secret_reserve(to, to->len + (n * 4 + 2) / 3 + 2, e) != 0)
		return e->code;
	to->len += b64url_encode(p, n, (char *)to->p + to->len);
	return 0;
}

int
jwt_input(const struct claims *c, int64_t now, struct secret *ret, struct err *e)
{
	AUTO(secret) head = { 0 }, body = { 0 };

	if (header(c, &head, e) != 0 || payload(c, now, &body, e) != 0 ||
	    append_b64(ret, head.p, head.len, e) != 0 || secret_append(ret, ".", 1, e) != 0)
		return e->code;
	return append_b64(ret, body.p, body.len, e);
}

int
jwt_finish(struct secret *jwt, struct slice signature, struct err *e)
{
	if (secret_append(jwt, ".", 1, e) != 0)
		return e->code;
	return append_b64(jwt, signature.p, signature.len, e);
}

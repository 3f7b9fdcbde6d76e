/*
 * siblings.c - see siblings.h.
 */
#include "vaultd/siblings.h"

#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/log.h"
#include "vaultd/attempt.h"
#include "vaultd/dek_cache.h"
#include "vaultd/egress.h"
#include "vaultd/objects.h"
#include "vaultd/refresh.h"
#include "vaultd/refresh_rules.h"
#include "vaultd/vault.h"

#define SIBLINGS_MAX	16	/* more have one refresh token in no life */
#define AGAIN_MS	1000

struct sibling {
	struct id	id;
	uint64_t	grant_version, release_version;	/* of what it is to have */
	struct buf	release_blob, release_wrap, grant_blob, grant_wrap;
	bool		ready;
};

struct siblings {
	struct sibling	v[SIBLINGS_MAX];
	size_t		n, at;
	unsigned char	fingerprint[32];	/* that they share */
	void		(*then)(struct attempt *a);
};

/* ---- who they are */

struct found {
	struct id	of, v[SIBLINGS_MAX];
	size_t		n;
	/* while it is looked for */
	struct vault	*vault;
	const struct grant *grant;	/* of OF */
};

/* The index has no tag, a grant has one. A refresh token belongs to one client (RFC 6749 section
 * 6): what looks like it at another OAuth app is no sibling, and gets nothing of this one's. */
static bool
is_sibling(const struct found *f, const struct id *id)
{
	AUTO(grant) g = { 0 };
	struct err e;

	return !id_equal(id, &f->of) && object_grant(f->vault, id, &g, NULL, &e) == 0 &&
	    id_equal(&g.app, &f->grant->app) &&
	    memcmp(g.fingerprint, f->grant->fingerprint, sizeof g.fingerprint) == 0;
}

static bool
each(void *arg, struct slice key, struct slice value, uint64_t generation)
{
	struct found *f = arg;
	struct id id;

	(void)value;
	(void)generation;
	if (!id_behind(key, 32, &id))
		return true;
	if (is_sibling(f, &id))
		f->v[f->n++] = id;
	return f->n < SIBLINGS_MAX;
}

static void
find(struct vault *v, const struct id *connection, struct found *ret, unsigned char print[32])
{
	static const unsigned char none[32];
	AUTO(grant) g = { 0 };
	struct slice key;
	struct err e;

	*ret = (struct found){ .of = *connection, .vault = v };
	if (object_grant(v, connection, &g, NULL, &e) != 0 ||
	    memcmp(g.fingerprint, none, sizeof none) == 0)
		return;
	memcpy(print, g.fingerprint, sizeof g.fingerprint);
	key = (struct slice){ g.fingerprint, sizeof g.fingerprint };
	ret->grant = &g;
	store_walk(v->store, TABLE_FINGERPRINT, key, key, each, ret, &e);
	ret->grant = NULL;
}

struct attempt *
siblings_attempt(struct vault *v, const struct id *connection)
{
	struct attempt *a = attempt_find(v, connection);
	unsigned char print[32];
	struct found f;

	if (a != NULL)
		return a;
	find(v, connection, &f, print);
	for (size_t i = 0; i < f.n; i++)
		if ((a = attempt_find(v, &f.v[i])) != NULL &&
		    !exchange_is_signin(a->intent.kind))
			return a;
	return NULL;
}

/* ---- the answer, for each */

static void share_next(struct attempt *a);

static void
keep(struct sibling *s, struct exchange_result *res)
{
	s->release_blob = buf_take(&res->release_blob);
	s->release_wrap = buf_take(&res->release_wrap);
	s->grant_blob = buf_take(&res->grant_blob);
	s->grant_wrap = buf_take(&res->grant_wrap);
	s->ready = true;
}

static void
resealed(void *arg, int rc, struct slice body, struct err *e)
{
	struct attempt *a = arg;
	struct siblings *all = a->siblings;
	struct exchange_result res = { 0 };
	struct msg m;

	if (rc != 0 && (refresh_is_local(e->id) || e->code == V_TIMEOUT || e->code == V_LIMIT)) {
		attempt_later(a, AGAIN_MS, share_next);
		return;
	}
	if (rc == 0) {
		msg_read(&m, body);
		rc = exchange_result_get(&m, &res, e);
	}
	if (rc == 0)
		keep(&all->v[all->at], &res);
	else
		log_error("a token that two connections share cannot be sealed for both: %s", e->text);
	exchange_result_done(&res);
	all->at++;
	share_next(a);
}

static int
ask(struct attempt *a, struct sibling *s, struct err *e)
{
	struct vault *v = a->vault;
	AUTO(buf) wrap = { 0 };
	AUTO(grant) g = { 0 };
	AUTO(release) r = { 0 };
	AUTO(msg) m = { 0 };
	struct reseal q = { .connection = s->id };

	if (object_grant(v, &s->id, &g, NULL, e) != 0 || object_release(v, &s->id, &r, NULL, e) != 0)
		return e->code;
	if (a->res.release_wrap.len == 0 &&
	    object_wrap(v, &a->intent.connection, PURPOSE_RELEASE, &wrap, e) != 0)
		return e->code;
	s->grant_version = q.grant_version = g.version + 1;
	s->release_version = q.release_version = r.version + 1;
	q.release = sealed_of(&a->intent.connection, a->intent.release_version,
	    &a->res.release_blob, wrap.len > 0 ? &wrap : &a->res.release_wrap);
	if (a->res.grant_blob.len > 0)
		q.grant = sealed_of(&a->intent.connection, a->intent.grant_version,
		    &a->res.grant_blob, &a->res.grant_wrap);
	reseal_put(&m, &q);
	egress_call(v->egress, EGRESS_RESEAL, &m, EGRESS_SHORT_MS, resealed, a);
	return 0;
}

static void
share_next(struct attempt *a)
{
	struct siblings *all = a->siblings;
	struct err e = { 0 };

	for (; all->at < all->n; all->at++) {
		if (ask(a, &all->v[all->at], &e) == 0)
			return;
		if (e.id == ERR_HSM_UNAVAILABLE) {
			attempt_later(a, AGAIN_MS, share_next);
			return;
		}
		log_error("a token that two connections share is not shared: %s", e.text);
	}
	all->then(a);
}

static void
share_start(struct attempt *a)
{
	struct siblings *all = a->siblings;
	struct found f;

	if (a->vault->meta_key == NULL) {	/* grants cannot be read yet */
		attempt_later(a, AGAIN_MS, share_start);
		return;
	}
	find(a->vault, &a->intent.connection, &f, all->fingerprint);
	for (; all->n < f.n; all->n++)
		all->v[all->n].id = f.v[all->n];
	share_next(a);
}

void
siblings_share(struct attempt *a, void (*then)(struct attempt *a))
{
	a->siblings = calloc(1, sizeof *a->siblings);
	must(a->siblings != NULL);	/* without it a grant may be lost; the answer is in the spool */
	a->siblings->then = then;
	share_start(a);
}

/* ---- into the commit */

/* It has not come by another token since. */
static bool
still_shares(struct vault *v, const struct siblings *all, const struct sibling *s)
{
	AUTO(grant) g = { 0 };
	AUTO(release) r = { 0 };
	struct err e;

	return object_grant(v, &s->id, &g, NULL, &e) == 0 &&
	    object_release(v, &s->id, &r, NULL, &e) == 0 &&
	    memcmp(g.fingerprint, all->fingerprint, sizeof g.fingerprint) == 0 &&
	    (!s->ready || (g.version + 1 == s->grant_version &&
		r.version + 1 == s->release_version));
}

static int
store_one(struct attempt *a, struct changes *ch, const struct sibling *s, struct connection *c,
    struct err *e)
{
	struct intent in = a->intent;
	struct exchange_result res = a->res;	/* borrows what S has */

	in.connection = s->id;
	in.grant_version = s->grant_version;
	in.release_version = s->release_version;
	res.release_blob = s->release_blob;
	res.release_wrap = s->release_wrap;
	res.grant_blob = s->grant_blob;
	res.grant_wrap = s->grant_wrap;
	res.account[0] = '\0';
	return refresh_store_result(a->vault, ch, c, &res, &in, e);
}

/* What it has is spent now: using it would end the grant of the others too. */
static void
cut_off(struct attempt *a, struct connection *c)
{
	struct exchange_result res = { .phase = PHASE_REJECTED };
	struct refresh_facts f = refresh_facts_of(a->vault, c);

	err_name(&res.err, ERR_GRANT_DISPLACED, "its refresh token was renewed for another "
	    "connection that has the same one, and the new one could not be stored here");
	refresh_note_failure(c, &res, &f);
}

int
siblings_store(struct attempt *a, struct changes *ch, struct err *e)
{
	struct siblings *all = a->siblings;
	struct connection c;
	uint64_t generation;

	for (size_t i = 0; all != NULL && i < all->n; i++) {
		struct sibling *s = &all->v[i];

		if (!still_shares(a->vault, all, s) ||
		    object_connection(a->vault, &s->id, true, &c, &generation, e) != 0)
			continue;
		if (s->ready && store_one(a, ch, s, &c, e) != 0)
			return e->code;
		if (!s->ready && a->res.grant_blob.len > 0)
			cut_off(a, &c);
		if (object_put_connection(a->vault, ch, &c, generation, e) != 0)
			return e->code;
	}
	return 0;
}

int
siblings_fail(struct attempt *a, struct changes *ch,
    void (*note)(struct attempt *, struct changes *, struct connection *), struct err *e)
{
	unsigned char print[32];
	struct connection c;
	uint64_t generation;
	struct found f;

	find(a->vault, &a->intent.connection, &f, print);
	for (size_t i = 0; i < f.n; i++) {
		if (object_connection(a->vault, &f.v[i], true, &c, &generation, e) != 0)
			continue;
		note(a, ch, &c);
		if (object_put_connection(a->vault, ch, &c, generation, e) != 0)
			return e->code;
	}
	return 0;
}

void
siblings_forget_keys(struct attempt *a)
{
	struct siblings *all = a->siblings;

	for (size_t i = 0; all != NULL && i < all->n; i++)
		dek_cache_forget(a->vault->deks, &all->v[i].id);
}

void
siblings_free(struct attempt *a)
{
	struct siblings *all = a->siblings;

	for (size_t i = 0; all != NULL && i < all->n; i++) {
		buf_done(&all->v[i].release_blob);
		buf_done(&all->v[i].release_wrap);
		buf_done(&all->v[i].grant_blob);
		buf_done(&all->v[i].grant_wrap);
	}
	free(all);
	a->siblings = NULL;
}

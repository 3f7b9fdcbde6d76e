/*
 * keys.c - this role's questions to vault-hsm. See egress.h.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "common/auto.h"
#include "common/errors.h"
#include "egress/destination.h"
#include "egress/egress.h"

void
egress_init(struct egress *x)
{
	must(pthread_mutex_init(&x->vault_mutex, NULL) == 0);
	must(pthread_mutex_init(&x->keys_mutex, NULL) == 0);
}

struct id
egress_vault(struct egress *x)
{
	struct id id;

	pthread_mutex_lock(&x->vault_mutex);
	id = x->vault;
	pthread_mutex_unlock(&x->vault_mutex);
	return id;
}

void
egress_set_vault(struct egress *x, const struct id *vault)
{
	pthread_mutex_lock(&x->vault_mutex);
	x->vault = *vault;
	pthread_mutex_unlock(&x->vault_mutex);
}

int
keys_make(struct egress *x, enum purpose p, const struct id *record,
    struct secret *ret_dek, struct buf *ret_wrap, struct err *e)
{
	int rc;

	pthread_mutex_lock(&x->keys_mutex);
	rc = keyline_make(&x->keys, p, record, ret_dek, ret_wrap, e);
	pthread_mutex_unlock(&x->keys_mutex);
	return rc;
}

int
keys_unwrap(struct egress *x, enum purpose p, const struct id *record,
    struct slice wrap, struct secret *ret_dek, struct err *e)
{
	int rc;

	pthread_mutex_lock(&x->keys_mutex);
	rc = keyline_unwrap(&x->keys, p, record, wrap, ret_dek, e);
	pthread_mutex_unlock(&x->keys_mutex);
	return rc;
}

int
keys_open(struct egress *x, enum purpose p, const struct sealed *s, struct secret *ret,
    struct err *e)
{
	AUTO(secret) dek = { 0 };
	struct envelope_ctx ctx = { p, egress_vault(x), s->record, s->version };

	if (keys_unwrap(x, p, &s->record, s->wrap, &dek, e) != 0)
		return e->code;
	if (envelope_open(&ctx, &dek, s->blob, ret, e) == 0)
		return 0;
	if (e->code == V_CORRUPT)
		return err_name(e, ERR_RECORD_CORRUPT, "a sealed secret does not open: it was "
		    "damaged, or belongs to another record or version");
	return e->code;
}

int
keys_open_grant(struct egress *x, const struct sealed *app, const struct sealed *grant,
    struct app_secret *ret_app, struct grant_secret *ret_grant, struct err *e)
{
	AUTO(secret) a = { 0 }, g = { 0 };

	if (keys_open(x, PURPOSE_GRANT, app, &a, e) != 0 || app_secret_get(&a, ret_app, e) != 0 ||
	    keys_open(x, PURPOSE_GRANT, grant, &g, e) != 0 ||
	    grant_secret_get(&g, ret_grant, e) != 0)
		return e->code;
	return destination_agree(&ret_app->d, &ret_grant->d, e);
}

int
keys_seal(struct egress *x, enum purpose p, const struct id *record, uint64_t version,
    const struct secret *dek, struct slice plain, struct buf *out, struct err *e)
{
	struct envelope_ctx ctx = { p, egress_vault(x), *record, version };

	return envelope_seal(&ctx, dek, plain, out, e);
}

/* ---- key pairs of OAuth apps */

/* One question at a time on the line. */
#define ASK(call)                                                                        \
	({                                                                               \
		int rc_;                                                                 \
		pthread_mutex_lock(&x->keys_mutex);                                      \
		rc_ = (call);                                                            \
		pthread_mutex_unlock(&x->keys_mutex);                                    \
		rc_;                                                                     \
	})

int
keys_pair_make(struct egress *x, const struct pair_make *q, struct pair_public *ret,
    struct err *e)
{
	return ASK(keyline_pair_make(&x->keys, q, ret, e));
}

int
keys_pair_public(struct egress *x, const struct app_key *k, struct pair_public *ret,
    struct err *e)
{
	return ASK(keyline_pair_public(&x->keys, k->id, &k->record, ret, e));
}

int
keys_pair_destroy(struct egress *x, const struct app_key *k, struct err *e)
{
	return ASK(keyline_pair_destroy(&x->keys, k->id, &k->record, e));
}

int
keys_certify(struct egress *x, const struct certify *q, struct secret *ret, struct err *e)
{
	return ASK(keyline_certify(&x->keys, q, ret, e));
}

int
keys_sign_jwt(struct egress *x, const struct claims *c, struct secret *ret, struct err *e)
{
	return ASK(keyline_sign_jwt(&x->keys, c, ret, e));
}

int
keys_sign_tls(struct egress *x, const struct app_key *k, enum tls_scheme scheme,
    struct slice tbs, struct secret *ret, struct err *e)
{
	return ASK(keyline_sign_tls(&x->keys, k->id, &k->record, scheme, tbs, ret, e));
}

/* ---- the fingerprint key: a grant key of the vault, its wrap in the state directory */

static int
wrap_read(const char *path, struct buf *ret)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned char b[WRAP_MAX];
	ssize_t n = fd < 0 ? -1 : read(fd, b, sizeof b);

	return n > 0 && buf_add(ret, b, (size_t)n);
}

static int
wrap_write(const char *dir, const char *path, const struct buf *wrap, struct err *e)
{
	char tmp[800];
	AUTO_CLOSE int fd = -1, dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	snprintf(tmp, sizeof tmp, "%s.new", path);
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, wrap->p, wrap->len) != (ssize_t)wrap->len || fsync(fd) != 0 ||
	    rename(tmp, path) != 0 || dirfd < 0 || fsync(dirfd) != 0)
		return err_errno(e, "%s", path);
	return 0;
}

/* Under keys_mutex. */
static int
fingerprint_key(struct egress *x, struct err *e)
{
	AUTO(secret) dek = { 0 };
	AUTO(buf) wrap = { 0 };
	struct id vault = egress_vault(x);
	char path[700];
	int rc;

	if (x->fingerprint_key != NULL)
		return 0;
	snprintf(path, sizeof path, "%s/fingerprint.wrap", x->conf.state_dir);
	if (wrap_read(path, &wrap)) {
		rc = keyline_unwrap(&x->keys, PURPOSE_GRANT, &vault, buf_slice(&wrap), &dek, e);
		if (rc != 0 && e->code == V_CORRUPT)
			err_name(e, ERR_HSM_REFUSED, "the key in %.300s does not open: if the token is "
			    "the right one, remove the file, and a new key is made", path);
	} else {
		rc = keyline_make(&x->keys, PURPOSE_GRANT, &vault, &dek, &wrap, e);
		if (rc == 0)
			rc = wrap_write(x->conf.state_dir, path, &wrap, e);
	}
	if (rc != 0)
		return rc;
	x->fingerprint_key = secret_alloc(DEK_LEN);
	if (x->fingerprint_key == NULL)
		return err_set(e, V_LIMIT, "secret memory exhausted");
	memcpy(x->fingerprint_key, dek.p, DEK_LEN);
	return 0;
}

int
keys_fingerprint(struct egress *x, const struct secret *token, unsigned char ret[32],
    struct err *e)
{
	int rc;

	pthread_mutex_lock(&x->keys_mutex);
	rc = fingerprint_key(x, e);
	if (rc == 0)
		hmac_sha256(x->fingerprint_key, (struct slice){ token->p, token->len }, ret);
	pthread_mutex_unlock(&x->keys_mutex);
	return rc;
}

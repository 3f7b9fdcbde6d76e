/*
 * idempotency.c - see idempotency.h.
 *
 * The record stands under an id that is made of the vault, the user and the key: the due index, and
 * the tags of records, go by ids.
 */
#include "vaultd/idempotency.h"

#include <string.h>

#include "common/auto.h"
#include "common/errors.h"
#include "vaultd/conn.h"
#include "vaultd/objects.h"
#include "vaultd/schedule.h"
#include "vaultd/vault.h"

#define KEPT_S	86400

static struct id
id_of(const struct request *r, const char *key)
{
	static const char purpose[] = "idempotency";
	uint32_t uid = (uint32_t)r->conn->peer.uid;
	unsigned char hash[32];
	AUTO(buf) b = { 0 };
	struct id id;

	buf_add(&b, purpose, sizeof purpose);
	buf_add(&b, r->vault->id.b, sizeof r->vault->id.b);
	buf_add(&b, &uid, sizeof uid);
	buf_add_str(&b, key);
	must(!b.failed);
	sha256(buf_slice(&b), hash);
	memcpy(id.b, hash, sizeof id.b);
	return id;
}

static int
put_text(const char *text, size_t n, void *arg)
{
	return buf_add(arg, text, n) ? 0 : -1;
}

/* Keyed, so that what is stored does not let a guess at a parameter be tried. The secrets in the
 * tree were moved out of it when they were decoded. */
static int
hash_parameters(struct request *r, unsigned char ret[32], struct err *e)
{
	json_auto_t *o = json_copy(json_object_get(r->call, "parameters"));
	AUTO(buf) text = { 0 };

	json_object_del(o, "idempotency_key");
	json_object_del(o, "port");
	buf_add_str(&text, r->verb->method);
	if (o == NULL || r->vault->meta_key == NULL ||
	    json_dump_callback(o, put_text, &text, JSON_COMPACT | JSON_SORT_KEYS) != 0)
		return err_set(e, V_LIMIT, "out of memory");
	hmac_sha256(r->vault->meta_key, buf_slice(&text), ret);
	return 0;
}

static int
load(struct vault *v, const struct id *id, struct made *ret, uint64_t *generation, struct err *e)
{
	struct slice in;

	if (object_tagged(v, TABLE_IDEMPOTENCY, id, true, "idempotency key", &in, generation, e) != 0)
		return e->code;
	if (made_decode(in, ret, e) != 0)
		return object_undecodable(e, "idempotency key");
	return 0;
}

int
idempotency_find(struct request *r, struct idempotency *i, struct err *e)
{
	unsigned char hash[32];
	struct id id;

	i->found = false;
	i->generation = EXPECT_ABSENT;
	if (i->key == NULL)
		return 0;
	if (*i->key == '\0')
		return err_parameter(e, "idempotency_key",
		    "an idempotency key is not empty");
	id = id_of(r, i->key);
	if (load(r->vault, &id, &i->made, &i->generation, e) == V_NOT_FOUND) {
		err_clear(e);
		return 0;
	}
	if (e->code != 0 || hash_parameters(r, hash, e) != 0)
		return e->code;
	if (i->made.until <= clock_s(&r->vault->clock))	/* about to be forgotten */
		return 0;
	i->found = memcmp(hash, i->made.parameters, sizeof hash) == 0;
	return i->found ? 0 : err_name(e, ERR_IDEMPOTENCY_KEY_REUSED, "this idempotency key was used "
	    "with other parameters");
}

int
idempotency_put(struct request *r, struct idempotency *i, const struct id *connection,
    const struct id *session, struct err *e)
{
	AUTO(buf) rec = { 0 };
	struct made *m = &i->made;

	if (i->key == NULL)
		return 0;
	*m = (struct made){ .id = id_of(r, i->key), .uid = r->conn->peer.uid,
		.connection = *connection, .until = clock_s(&r->vault->clock) + KEPT_S };
	if (session != NULL)
		m->session = *session;
	if (hash_parameters(r, m->parameters, e) != 0 || made_encode(m, &rec, e) != 0)
		return e->code;
	due_put(&r->changes, m->until * 1000, &m->id, DUE_IDEMPOTENCY);
	return object_put_tagged(r->vault, &r->changes, TABLE_IDEMPOTENCY, &m->id, i->generation,
	    &rec, e);
}

void
idempotency_due(struct vault *v, struct changes *ch, const struct id *id)
{
	uint64_t generation;
	struct made m;
	struct err e;

	if (load(v, id, &m, &generation, &e) == 0 && m.until <= clock_s(&v->clock))
		changes_remove(ch, TABLE_IDEMPOTENCY, id_key(id),
		    EXPECT_ANY);
}

/*
 * store_apply.c - change sets into one LMDB transaction. Commit thread only.
 *
 * Each set is applied in a nested transaction: one that fails its comparison leaves
 * nothing, and the others of the batch still commit together with one sync.
 */
#include <string.h>

#include "common/errors.h"
#include "vaultd/store_file.h"

/* 0 = as expected; MDB_KEYEXIST. */
static int
compare(struct store *s, MDB_txn *txn, const struct change *c, bool *there)
{
	MDB_val k = { c->keylen, (void *)c->key }, v;
	uint64_t have = 0;
	int rc = mdb_get(txn, s->dbi[c->table], &k, &v);

	*there = rc == 0;
	if (rc != 0 && rc != MDB_NOTFOUND)
		return rc;
	if (c->expect == EXPECT_ANY || c->expect == KEEP_IF_THERE)
		return 0;
	if (c->expect == EXPECT_THERE)
		return *there ? 0 : MDB_KEYEXIST;
	if (rc == 0 && v.mv_size >= 8)
		for (int i = 0; i < 8; i++)
			have = have << 8 | ((unsigned char *)v.mv_data)[i];
	if (c->expect == EXPECT_ABSENT)
		return *there ? MDB_KEYEXIST : 0;
	return *there && have == c->expect ? 0 : MDB_KEYEXIST;
}

static int
compare_none(struct store *s, MDB_txn *txn, const struct change *c)
{
	MDB_val k = { c->keylen, (void *)c->key }, v;
	MDB_cursor *cursor;
	int rc = mdb_cursor_open(txn, s->dbi[c->table], &cursor);

	if (rc != 0)
		return rc;
	rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
	if (rc == 0 && k.mv_size >= c->keylen && memcmp(k.mv_data, c->key, c->keylen) == 0)
		rc = MDB_KEYEXIST;
	else if (rc == MDB_NOTFOUND)
		rc = 0;
	mdb_cursor_close(cursor);
	return rc;
}

static int
count(struct store *s, MDB_txn *txn, const struct change *c)
{
	MDB_val k = { c->keylen, (void *)c->key }, v;
	unsigned char value[16] = { 0 };
	int64_t n = 0;

	if (mdb_get(txn, s->dbi[c->table], &k, &v) == 0 && v.mv_size == sizeof value)
		for (int i = 8; i < 16; i++)
			n = (int64_t)((uint64_t)n << 8 | ((unsigned char *)v.mv_data)[i]);
	n += c->add;
	store_put64(value + 8, n < 0 ? 0 : (uint64_t)n);
	v = (MDB_val){ sizeof value, value };
	return mdb_put(txn, s->dbi[c->table], &k, &v, 0);
}

static int
put(struct store *s, MDB_txn *txn, const struct change *c, uint64_t generation)
{
	MDB_val k = { c->keylen, (void *)c->key }, v = { 8 + c->value.len, NULL };
	int rc = mdb_put(txn, s->dbi[c->table], &k, &v, MDB_RESERVE);

	if (rc != 0)
		return rc;
	store_put64(v.mv_data, generation);
	if (c->value.len > 0)
		memcpy((char *)v.mv_data + 8, c->value.p, c->value.len);
	return 0;
}

/* Two go for one that comes, where fewer are to be kept than there are. */
static int
drop_old_events(struct store *s, MDB_cursor *cursor, uint64_t last)
{
	MDB_val k, v;
	int rc = 0;

	for (int i = 0; rc == 0 && i < 2 && s->events > 0; i++) {
		if ((rc = mdb_cursor_get(cursor, &k, &v, MDB_FIRST)) != 0 || k.mv_size != 8 ||
		    store_get64(k.mv_data) + s->events > last)
			break;
		rc = mdb_cursor_del(cursor, 0);
	}
	return rc;
}

/* Numbered without a gap, in the order of the commits. */
static int
add_event(struct store *s, MDB_txn *txn, const struct change *c, uint64_t generation)
{
	unsigned char key[8];
	struct change numbered = *c;
	MDB_val k, v;
	MDB_cursor *cursor;
	uint64_t last = 0;
	int rc = mdb_cursor_open(txn, s->dbi[TABLE_EVENT], &cursor);

	if (rc != 0)
		return rc;
	if (mdb_cursor_get(cursor, &k, &v, MDB_LAST) == 0 && k.mv_size == sizeof key)
		last = store_get64(k.mv_data);
	store_put64(key, last + 1);
	memcpy(numbered.key, key, sizeof key);
	numbered.keylen = sizeof key;
	if ((rc = put(s, txn, &numbered, generation)) == 0)
		rc = drop_old_events(s, cursor, last + 1);
	mdb_cursor_close(cursor);
	return rc;
}

static int
apply_one(struct store *s, MDB_txn *txn, const struct change *c, uint64_t generation)
{
	MDB_val k = { c->keylen, (void *)c->key };
	bool there;
	int rc;

	if (c->op == CHANGE_COUNT)
		return count(s, txn, c);
	if (c->op == CHANGE_EXPECT_NONE)
		return compare_none(s, txn, c);
	if (c->op == CHANGE_EVENT)
		return add_event(s, txn, c, generation);
	if ((rc = compare(s, txn, c, &there)) != 0)
		return rc;
	if (c->op == CHANGE_EXPECT || (there && c->expect == KEEP_IF_THERE))
		return 0;
	if (c->op == CHANGE_PUT)
		return put(s, txn, c, generation);
	return there ? mdb_del(txn, s->dbi[c->table], &k, NULL) : 0;
}

/* MDB_KEYEXIST stands for a failed comparison. */
static int
apply_set(struct store *s, MDB_txn *parent, const struct changes *set, uint64_t generation)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(s->env, parent, 0, &txn);

	if (rc != 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < set->n; i++)
		rc = apply_one(s, txn, &set->v[i], generation);
	if (rc == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

static int
apply_all(struct store *s, MDB_txn *txn, struct changes *const *sets, size_t n, int *rc,
    const struct audit_head *head, uint64_t commit, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		/* The batch's commits are numbered up to COMMIT. */
		int r = apply_set(s, txn, sets[i], commit - (n - 1 - i));

		if (r != 0 && r != MDB_KEYEXIST)
			return r;
		rc[i] = r == 0 ? 0 : V_CONFLICT;
	}
	return store_meta_write(s, txn, head, commit, e) == 0 ? 0 : MDB_BAD_TXN;
}

static int
fail_all(int *rc, size_t n, int class)
{
	for (size_t i = 0; i < n; i++)
		rc[i] = class;
	return class;
}

/* Before done() of any of them runs. */
static void
note_changed(struct store *s, struct changes *const *sets, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < sets[i]->n; k++) {
			const struct change *c = &sets[i]->v[k];

			if (c->op != CHANGE_EXPECT && c->op != CHANGE_EXPECT_NONE)
				atomic_fetch_add(&s->changed[c->table], 1);
		}
}

int
store_apply(struct store *s, struct changes *const *sets, size_t n, int *rc,
    const struct audit_head *head, uint64_t commit, struct err *e)
{
	MDB_txn *txn;
	int r = mdb_txn_begin(s->env, NULL, 0, &txn);

	e->code = 0;
	if (r == 0) {
		r = apply_all(s, txn, sets, n, rc, head, commit, e);
		if (r == 0)
			r = mdb_txn_commit(txn);
		else
			mdb_txn_abort(txn);
	}
	if (r == 0) {
		note_changed(s, sets, n);
		return 0;
	}
	if (r == MDB_MAP_FULL)
		return fail_all(rc, n, err_set(e, V_LIMIT, "the store's map is full"));
	if (e->code == 0)
		store_mdb_err(e, r, "commit");
	store_give_ballast(s);
	return fail_all(rc, n, (int)e->code);
}

/*
 * changes.c - change sets. See store.h.
 */
#include <stdlib.h>
#include <string.h>

#include "vaultd/store.h"

static struct change *
add(struct changes *c, enum change_op op, enum table t, struct slice key, uint64_t expect)
{
	struct change *v;

	if (c->failed || key.len > KEY_MAX_LEN) {
		c->failed = true;
		return NULL;
	}
	if (c->n == c->cap) {
		size_t cap = c->cap == 0 ? 8 : 2 * c->cap;

		if ((v = reallocarray(c->v, cap, sizeof *v)) == NULL) {
			c->failed = true;
			return NULL;
		}
		c->v = v;
		c->cap = cap;
	}
	v = &c->v[c->n++];
	memset(v, 0, sizeof *v);
	v->op = op;
	v->table = t;
	v->expect = expect;
	memcpy(v->key, key.p, key.len);
	v->keylen = key.len;
	return v;
}

void
changes_put(struct changes *c, enum table t, struct slice key, uint64_t expect,
    struct slice value)
{
	struct change *v = add(c, CHANGE_PUT, t, key, expect);

	if (v != NULL && !buf_add(&v->value, value.p, value.len))
		c->failed = true;
}

void
changes_remove(struct changes *c, enum table t, struct slice key, uint64_t expect)
{
	add(c, CHANGE_REMOVE, t, key, expect);
}

void
changes_count(struct changes *c, const char *kek_id, int64_t n)
{
	struct change *v = add(c, CHANGE_COUNT, TABLE_BY_KEK,
	    (struct slice){ kek_id, strlen(kek_id) }, EXPECT_ANY);

	if (v != NULL)
		v->add = n;
}

void
changes_event(struct changes *c, struct slice value)
{
	struct change *v = add(c, CHANGE_EVENT, TABLE_EVENT, (struct slice){ "", 0 }, EXPECT_ANY);

	if (v != NULL && !buf_add(&v->value, value.p, value.len))
		c->failed = true;
}

void
changes_expect(struct changes *c, enum table t, struct slice key, uint64_t expect)
{
	add(c, CHANGE_EXPECT, t, key, expect);
}

void
changes_expect_none(struct changes *c, enum table t, struct slice prefix)
{
	add(c, CHANGE_EXPECT_NONE, t, prefix, EXPECT_ANY);
}

void
changes_done(struct changes *c)
{
	for (size_t i = 0; i < c->n; i++)
		buf_done(&c->v[i].value);
	free(c->v);
	*c = (struct changes){ 0 };
}

struct changes
changes_take(struct changes *c)
{
	struct changes was = *c;

	*c = (struct changes){ 0 };
	return was;
}

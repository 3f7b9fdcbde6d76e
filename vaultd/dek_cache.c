/*
 * dek_cache.c - see dek_cache.h. A chained hash over a fixed array, and a doubly linked
 * list in order of use. Links are indexes: 0 is none, so slot 0 is never used.
 */
#include "vaultd/dek_cache.h"

#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "common/envelope.h"

struct slot {
	struct id	id;
	unsigned	chain, newer, older;
	long long	until_ms;
	uint64_t	checked;
};

struct dek_cache {
	unsigned	 entries, buckets, used, free;
	unsigned	 newest, oldest;
	long long	 life_ms;
	struct slot	*slot;		/* entries + 1 */
	unsigned	*bucket;
	unsigned char	*keys;		/* locked; DEK_LEN each */
};

int
dek_cache_new(unsigned entries, unsigned seconds, struct dek_cache **ret, struct err *e)
{
	struct dek_cache *c = calloc(1, sizeof *c);

	if (c == NULL)
		return err_set(e, V_LIMIT, "out of memory");
	c->entries = seconds == 0 ? 0 : entries;
	c->life_ms = (long long)seconds * 1000;
	for (c->buckets = 1; c->buckets < c->entries; c->buckets *= 2)
		;
	c->slot = calloc((size_t)c->entries + 1, sizeof *c->slot);
	c->bucket = calloc(c->buckets, sizeof *c->bucket);
	c->keys = secret_alloc((size_t)(c->entries + 1) * DEK_LEN);
	if (c->slot == NULL || c->bucket == NULL || c->keys == NULL) {
		dek_cache_free(c);
		return err_set(e, V_INVALID, "no locked memory for %u data keys: raise "
		    "secret_memory or lower dek_cache_entries", entries);
	}
	for (unsigned i = 1; i <= c->entries; i++) {
		c->slot[i].chain = c->free;
		c->free = i;
	}
	*ret = c;
	return 0;
}

void
dek_cache_free(struct dek_cache *c)
{
	if (c == NULL)
		return;
	secret_free(c->keys);
	free(c->slot);
	free(c->bucket);
	free(c);
}

/* Ids are random: their first bytes are the hash. */
static unsigned *
bucket_of(struct dek_cache *c, const struct id *id)
{
	unsigned h;

	memcpy(&h, id->b, sizeof h);
	return &c->bucket[h & (c->buckets - 1)];
}

static unsigned
find(struct dek_cache *c, const struct id *id)
{
	unsigned i = *bucket_of(c, id);

	while (i != 0 && !id_equal(&c->slot[i].id, id))
		i = c->slot[i].chain;
	return i;
}

static void
unlink_use(struct dek_cache *c, unsigned i)
{
	struct slot *s = &c->slot[i];

	*(s->newer != 0 ? &c->slot[s->newer].older : &c->newest) = s->older;
	*(s->older != 0 ? &c->slot[s->older].newer : &c->oldest) = s->newer;
}

static void
link_newest(struct dek_cache *c, unsigned i)
{
	struct slot *s = &c->slot[i];

	s->newer = 0;
	s->older = c->newest;
	*(c->newest != 0 ? &c->slot[c->newest].newer : &c->oldest) = i;
	c->newest = i;
}

static void
drop(struct dek_cache *c, unsigned i)
{
	unsigned *at = bucket_of(c, &c->slot[i].id);

	while (*at != i)
		at = &c->slot[*at].chain;
	*at = c->slot[i].chain;
	unlink_use(c, i);
	explicit_bzero(c->keys + (size_t)i * DEK_LEN, DEK_LEN);
	c->slot[i] = (struct slot){ .chain = c->free };
	c->free = i;
	c->used--;
}

const unsigned char *
dek_cache_get(struct dek_cache *c, const struct id *record, long long now_ms,
    uint64_t **ret_checked)
{
	unsigned i = find(c, record);

	if (i == 0)
		return NULL;
	if (c->slot[i].until_ms < now_ms) {
		drop(c, i);
		return NULL;
	}
	if (c->newest != i) {
		unlink_use(c, i);
		link_newest(c, i);
	}
	*ret_checked = &c->slot[i].checked;
	return c->keys + (size_t)i * DEK_LEN;
}

void
dek_cache_put(struct dek_cache *c, const struct id *record, const struct secret *dek,
    long long now_ms)
{
	unsigned i, *at;

	if (c->entries == 0)
		return;
	dek_cache_forget(c, record);
	if (c->free == 0)
		drop(c, c->oldest);
	i = c->free;
	c->free = c->slot[i].chain;
	must(dek->len == DEK_LEN);
	memcpy(c->keys + (size_t)i * DEK_LEN, dek->p, DEK_LEN);
	at = bucket_of(c, record);
	c->slot[i] = (struct slot){ .id = *record, .chain = *at,
		.until_ms = now_ms + c->life_ms };
	*at = i;
	link_newest(c, i);
	c->used++;
}

void
dek_cache_forget(struct dek_cache *c, const struct id *record)
{
	unsigned i = find(c, record);

	if (i != 0)
		drop(c, i);
}

void
dek_cache_wipe(struct dek_cache *c)
{
	while (c->oldest != 0)
		drop(c, c->oldest);
}

size_t
dek_cache_count(const struct dek_cache *c)
{
	return c->used;
}

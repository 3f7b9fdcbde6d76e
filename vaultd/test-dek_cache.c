#include "tests/unit.h"

#include "common/auto.h"
#include "vaultd/dek_cache.h"

static struct dek_cache *
cache(unsigned entries, unsigned seconds)
{
	struct dek_cache *c = NULL;
	struct err e = { 0 };

	T_DO(dek_cache_new(entries, seconds, &c, &e), e);
	return c;
}

static void
put(struct dek_cache *c, unsigned n, long long now)
{
	AUTO(secret) dek = { 0 };
	unsigned char key[32];
	struct err e;
	struct id id = { { (unsigned char)n, (unsigned char)(n >> 8) } };

	memset(key, (int)n, sizeof key);
	T_EQ(secret_set(&dek, key, sizeof key, &e), 0);
	dek_cache_put(c, &id, &dek, now);
}

static bool
has(struct dek_cache *c, unsigned n, long long now)
{
	struct id id = { { (unsigned char)n, (unsigned char)(n >> 8) } };
	uint64_t *checked;
	const unsigned char *k = dek_cache_get(c, &id, now, &checked);

	return k != NULL && k[0] == (unsigned char)n && k[31] == (unsigned char)n;
}

TEST(least_recently_used_goes_first)
{
	struct dek_cache *c = cache(3, 10);

	for (unsigned i = 1; i <= 3; i++)
		put(c, i, 0);
	T_OK(has(c, 1, 0));
	put(c, 4, 0);
	T_OK(has(c, 1, 0));
	T_NOT(has(c, 2, 0));
	T_OK(has(c, 3, 0));
	T_OK(has(c, 4, 0));
	T_EQ(dek_cache_count(c), 3);
	dek_cache_free(c);
}

TEST(entries_end_and_are_forgotten)
{
	struct dek_cache *c = cache(8, 10);

	put(c, 1, 0);
	put(c, 2, 5000);
	T_OK(has(c, 1, 10000));
	T_NOT(has(c, 1, 10001));
	T_OK(has(c, 2, 10001));
	dek_cache_forget(c, &(struct id){ { 2 } });
	T_NOT(has(c, 2, 10001));
	T_EQ(dek_cache_count(c), 0);
	dek_cache_free(c);
}

TEST(a_mark_lives_as_long_as_its_key)
{
	struct dek_cache *c = cache(8, 10);
	struct id id = { { 1 } };
	uint64_t *checked = NULL;

	put(c, 1, 0);
	T_OK(dek_cache_get(c, &id, 0, &checked) != NULL);
	T_EQ(*checked, 0);
	*checked = 7;
	put(c, 2, 0);
	T_OK(dek_cache_get(c, &id, 0, &checked) != NULL);
	T_EQ(*checked, 7);
	put(c, 1, 0);		/* another key: look again */
	T_OK(dek_cache_get(c, &id, 0, &checked) != NULL);
	T_EQ(*checked, 0);
	dek_cache_free(c);
}

TEST(no_entries_means_no_cache)
{
	struct dek_cache *none = cache(0, 10), *never = cache(10, 0);

	put(none, 1, 0);
	put(never, 1, 0);
	T_NOT(has(none, 1, 0));
	T_NOT(has(never, 1, 0));
	dek_cache_free(none);
	dek_cache_free(never);
}

TEST(wipe_leaves_nothing_and_many_fit)
{
	struct dek_cache *c = cache(1000, 10);

	for (unsigned i = 1; i <= 5000; i++)
		put(c, i, 0);
	T_EQ(dek_cache_count(c), 1000);
	T_OK(has(c, 5000, 0));
	T_OK(has(c, 4001, 0));
	T_NOT(has(c, 4000, 0));
	dek_cache_wipe(c);
	T_EQ(dek_cache_count(c), 0);
	T_NOT(has(c, 5000, 0));
	dek_cache_free(c);
}

int
main(void)
{
	struct err e;

	if (secret_arena_init(1 << 20, false, &e) != 0)
		return 1;
	return unit_run();
}

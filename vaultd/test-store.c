#include "tests/unit.h"

#include <sys/stat.h>

#include "common/auto.h"
#include "vaultd/store.h"

static char dir[64];

static struct store *
open_store(size_t map)
{
	struct store_conf conf = { .dir = dir, .map_size = map };
	struct store *s = NULL;
	struct err e = { 0 };

	T_DO(store_open(&conf, &s, &e), e);
	return s;
}

static void
fresh(void)
{
	unit_dir("store", dir);
}

static struct slice
str(const char *s)
{
	return (struct slice){ s, strlen(s) };
}

static int
apply(struct store *s, struct changes *c, uint64_t commit)
{
	struct changes *sets[] = { c };
	struct err e = { 0 };
	int rc = 0;

	store_read_end(s);
	if (store_apply(s, sets, 1, &rc, NULL, commit, &e) != 0)
		return (int)e.code;
	changes_done(c);
	return rc;
}

static uint64_t
generation(struct store *s, const char *key, const char *want)
{
	struct slice v;
	uint64_t g = 0;
	struct err e;
	int rc = store_get(s, TABLE_APP, str(key), &v, &g, &e);

	if (want == NULL) {
		T_EQ(rc, V_NOT_FOUND);
		return 0;
	}
	T_EQ(rc, 0);
	T_EQ(v.len, strlen(want));
	T_MEM(v.p, want, v.len);
	return g;
}

TEST(compare_and_set)
{
	struct changes c = { 0 };
	struct store *s;
	uint64_t g;

	fresh();
	s = open_store(1 << 24);
	changes_put(&c, TABLE_APP, str("k"), EXPECT_ABSENT, str("one"));
	T_EQ(apply(s, &c, 1), 0);
	g = generation(s, "k", "one");
	T_EQ(g, 1);
	changes_put(&c, TABLE_APP, str("k"), EXPECT_ABSENT, str("two"));
	T_EQ(apply(s, &c, 2), V_CONFLICT);
	changes_put(&c, TABLE_APP, str("k"), g + 5, str("two"));
	T_EQ(apply(s, &c, 3), V_CONFLICT);
	changes_put(&c, TABLE_APP, str("k"), g, str("two"));
	T_EQ(apply(s, &c, 4), 0);
	T_EQ(generation(s, "k", "two"), 4);
	changes_put(&c, TABLE_APP, str("k"), KEEP_IF_THERE, str("three"));
	T_EQ(apply(s, &c, 5), 0);
	T_EQ(generation(s, "k", "two"), 4);
	changes_remove(&c, TABLE_APP, str("k"), 4);
	T_EQ(apply(s, &c, 6), 0);
	generation(s, "k", NULL);
	changes_put(&c, TABLE_APP, str("k"), KEEP_IF_THERE, str("four"));
	T_EQ(apply(s, &c, 7), 0);
	T_EQ(generation(s, "k", "four"), 7);
	store_close(s);
}

TEST(a_set_applies_whole_or_not_at_all_and_others_of_the_batch_still_do)
{
	struct changes a = { 0 }, b = { 0 };
	struct changes *sets[] = { &a, &b };
	struct err e = { 0 };
	int rc[2];
	struct store *s;

	fresh();
	s = open_store(1 << 24);
	changes_put(&a, TABLE_APP, str("x"), EXPECT_ABSENT, str("1"));
	changes_put(&a, TABLE_APP, str("y"), 77, str("1"));	/* fails: takes x with it */
	changes_put(&b, TABLE_APP, str("z"), EXPECT_ABSENT, str("1"));
	T_DO(store_apply(s, sets, 2, rc, NULL, 2, &e), e);
	T_EQ(rc[0], V_CONFLICT);
	T_EQ(rc[1], 0);
	generation(s, "x", NULL);
	T_EQ(generation(s, "z", "1"), 2);
	changes_done(&a);
	changes_done(&b);
	store_close(s);
}

TEST(meta_survives_and_epochs_count)
{
	struct audit_head head = { .seq = 9, .hash = { 1, 2, 3 } };
	struct store_meta m, n;
	struct changes c = { 0 };
	struct changes *sets[] = { &c };
	struct err e = { 0 };
	struct store *s;
	int rc;

	fresh();
	s = open_store(1 << 24);
	store_meta(s, &m);
	changes_put(&c, TABLE_APP, str("k"), EXPECT_ANY, str("v"));
	T_DO(store_apply(s, sets, 1, &rc, &head, 42, &e), e);
	changes_done(&c);
	store_close(s);
	s = open_store(1 << 24);
	store_meta(s, &n);
	T_EQ(n.epoch, m.epoch + 1);
	T_EQ(n.commit, 42);
	T_EQ(n.audit.seq, 9);
	T_OK(id_equal(&n.instance, &m.instance));
	T_MEM(n.audit.hash, head.hash, 32);
	store_close(s);
}

TEST(one_vaultd_at_a_time)
{
	struct store_conf conf = { .dir = dir, .map_size = 1 << 24 };
	struct store *s, *t = NULL;
	struct err e = { 0 };

	fresh();
	s = open_store(1 << 24);
	T_EQ(store_open(&conf, &t, &e), V_BUSY);
	T_HAS(e.text, "another vaultd");
	store_close(s);
}

TEST(a_full_map_grows_and_the_same_set_is_applied)
{
	static char big[20000];
	struct changes c = { 0 };
	struct changes *sets[] = { &c };
	struct err e = { 0 };
	struct store *s;
	struct slice v;
	char key[16];
	int rc, grown = 0;

	fresh();
	s = open_store(1 << 20);
	for (int i = 0; i < 200; i++) {
		snprintf(key, sizeof key, "k%d", i);
		changes_put(&c, TABLE_APP, str(key), EXPECT_ABSENT, (struct slice){ big, sizeof big });
		/* An open read transaction while the map is full: ended before growing. */
		store_get(s, TABLE_APP, str("k0"), &v, NULL, &e);
		while (store_apply(s, sets, 1, &rc, NULL, (uint64_t)i + 1, &e) == V_LIMIT) {
			store_read_end(s);
			T_DO(store_grow(s, &e), e);
			grown++;
		}
		T_EQ(rc, 0);
		changes_done(&c);
	}
	T_OK(grown > 0);
	store_read_end(s);
	T_EQ(store_get(s, TABLE_APP, str("k199"), &v, NULL, &e), 0);
	store_close(s);
}

TEST(counts_by_kek)
{
	struct changes c = { 0 };
	struct store *s;
	struct slice v;
	struct err e;

	fresh();
	s = open_store(1 << 24);
	changes_count(&c, "0123456789abcdef", 1);
	changes_count(&c, "0123456789abcdef", 1);
	changes_count(&c, "0123456789abcdef", -1);
	T_EQ(apply(s, &c, 1), 0);
	T_EQ(store_get(s, TABLE_BY_KEK, str("0123456789abcdef"), &v, NULL, &e), 0);
	T_EQ(v.len, 8);
	T_EQ(((const unsigned char *)v.p)[7], 1);
	store_close(s);
}

static bool
collect(void *arg, struct slice key, struct slice value, uint64_t g)
{
	(void)value;
	(void)g;
	snprintf((char *)arg + strlen(arg), 100, "%.*s,", (int)key.len, (const char *)key.p);
	return true;
}

TEST(walks_stay_below_their_prefix_in_order)
{
	struct changes c = { 0 };
	struct store *s;
	struct err e = { 0 };
	char seen[200] = "";

	fresh();
	s = open_store(1 << 24);
	changes_put(&c, TABLE_DUE, str("b2"), EXPECT_ANY, str(""));
	changes_put(&c, TABLE_DUE, str("a1"), EXPECT_ANY, str(""));
	changes_put(&c, TABLE_DUE, str("b1"), EXPECT_ANY, str(""));
	changes_put(&c, TABLE_DUE, str("c1"), EXPECT_ANY, str(""));
	T_EQ(apply(s, &c, 1), 0);
	T_DO(store_walk(s, TABLE_DUE, str("b"), str(""), collect, seen, &e), e);
	T_STR(seen, "b1,b2,");
	store_close(s);
}

int
main(void)
{
	return unit_run();
}

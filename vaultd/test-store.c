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

TEST(what_is_leant_on_must_be_there)
{
	struct changes c = { 0 };
	struct store *s;

	fresh();
	s = open_store(1 << 24);
	changes_expect(&c, TABLE_FOLDER, str("f"), EXPECT_THERE);
	changes_put(&c, TABLE_APP, str("in f"), EXPECT_ABSENT, str("1"));
	T_EQ(apply(s, &c, 1), V_CONFLICT);
	generation(s, "in f", NULL);
	changes_put(&c, TABLE_FOLDER, str("f"), EXPECT_ABSENT, str("f"));
	changes_expect(&c, TABLE_FOLDER, str("f"), EXPECT_THERE);	/* by this very set */
	changes_put(&c, TABLE_APP, str("in f"), EXPECT_ABSENT, str("1"));
	T_EQ(apply(s, &c, 2), 0);
	changes_expect(&c, TABLE_FOLDER, str("f"), 2);
	changes_put(&c, TABLE_APP, str("more"), EXPECT_ABSENT, str("2"));
	T_EQ(apply(s, &c, 3), 0);
	changes_expect(&c, TABLE_FOLDER, str("f"), 3);		/* nothing was written to it */
	changes_put(&c, TABLE_APP, str("more"), EXPECT_ANY, str("3"));
	T_EQ(apply(s, &c, 4), V_CONFLICT);
	changes_expect(&c, TABLE_FOLDER, str("f"), EXPECT_ABSENT);
	changes_put(&c, TABLE_APP, str("more"), EXPECT_ANY, str("3"));
	T_EQ(apply(s, &c, 5), V_CONFLICT);
	generation(s, "more", "2");
	changes_remove(&c, TABLE_FOLDER, str("f"), EXPECT_THERE);
	T_EQ(apply(s, &c, 6), 0);
	changes_remove(&c, TABLE_FOLDER, str("f"), EXPECT_THERE);
	T_EQ(apply(s, &c, 7), V_CONFLICT);
	store_close(s);
}

TEST(what_goes_must_be_empty)
{
	struct changes c = { 0 };
	struct store *s;

	fresh();
	s = open_store(1 << 24);
	changes_expect_none(&c, TABLE_APP, str("f1/"));		/* an empty table */
	changes_put(&c, TABLE_FOLDER, str("f1"), EXPECT_ABSENT, str("f"));
	T_EQ(apply(s, &c, 1), 0);
	changes_put(&c, TABLE_APP, str("f1/a"), EXPECT_ABSENT, str("1"));
	changes_put(&c, TABLE_APP, str("f3/a"), EXPECT_ABSENT, str("1"));
	T_EQ(apply(s, &c, 2), 0);
	changes_expect_none(&c, TABLE_APP, str("f1/"));
	changes_remove(&c, TABLE_FOLDER, str("f1"), EXPECT_THERE);
	T_EQ(apply(s, &c, 3), V_CONFLICT);
	changes_expect_none(&c, TABLE_APP, str("f2/"));		/* neighbours do not count */
	changes_expect_none(&c, TABLE_APP, str("f1/ab"));
	changes_expect_none(&c, TABLE_APP, str("f9/"));
	T_EQ(apply(s, &c, 4), 0);
	changes_remove(&c, TABLE_APP, str("f1/a"), EXPECT_ANY);	/* the set itself empties it */
	changes_expect_none(&c, TABLE_APP, str("f1/"));
	changes_remove(&c, TABLE_FOLDER, str("f1"), EXPECT_THERE);
	T_EQ(apply(s, &c, 5), 0);
	generation(s, "f1/a", NULL);
	generation(s, "f3/a", "1");
	store_close(s);
}

/* Somebody moves in while somebody else takes the house down: whoever is second fails. */
TEST(in_one_batch_the_second_one_loses)
{
	struct changes in = { 0 }, out = { 0 }, *first[] = { &in, &out }, *second[] = { &out, &in };
	struct store *s;
	struct err e = { 0 };
	int rc[2];

	fresh();
	s = open_store(1 << 24);
	changes_put(&in, TABLE_FOLDER, str("f"), EXPECT_ANY, str("f"));
	T_EQ(apply(s, &in, 1), 0);
	changes_expect(&in, TABLE_FOLDER, str("f"), EXPECT_THERE);
	changes_put(&in, TABLE_APP, str("f/a"), EXPECT_ABSENT, str("1"));
	changes_expect_none(&out, TABLE_APP, str("f/"));
	changes_remove(&out, TABLE_FOLDER, str("f"), EXPECT_THERE);
	T_DO(store_apply(s, first, 2, rc, NULL, 3, &e), e);
	T_EQ(rc[0], 0);
	T_EQ(rc[1], V_CONFLICT);
	changes_remove(&out, TABLE_APP, str("f/a"), EXPECT_ANY);
	T_DO(store_apply(s, second, 2, rc, NULL, 5, &e), e);
	T_EQ(rc[0], V_CONFLICT);	/* the removal stands behind what it was to make true */
	T_EQ(rc[1], V_CONFLICT);
	changes_done(&out);
	changes_remove(&out, TABLE_APP, str("f/a"), EXPECT_ANY);
	changes_expect_none(&out, TABLE_APP, str("f/"));
	changes_remove(&out, TABLE_FOLDER, str("f"), EXPECT_THERE);
	T_DO(store_apply(s, second, 2, rc, NULL, 7, &e), e);
	T_EQ(rc[0], 0);
	T_EQ(rc[1], V_CONFLICT);
	generation(s, "f/a", NULL);
	changes_done(&in);
	changes_done(&out);
	store_close(s);
}

TEST(an_expectation_is_no_change_of_its_table)
{
	struct changes c = { 0 };
	struct store *s;
	uint64_t folders, apps;

	fresh();
	s = open_store(1 << 24);
	folders = store_version(s, TABLE_FOLDER);
	apps = store_version(s, TABLE_APP);
	changes_expect(&c, TABLE_FOLDER, str("f"), EXPECT_ABSENT);
	changes_expect_none(&c, TABLE_FOLDER, str("f"));
	changes_put(&c, TABLE_APP, str("a"), EXPECT_ABSENT, str("1"));
	T_EQ(apply(s, &c, 1), 0);
	T_EQ(store_version(s, TABLE_FOLDER), folders);
	T_NE(store_version(s, TABLE_APP), apps);
	store_close(s);
}

TEST(a_store_of_another_format_is_refused_with_its_number)
{
	static const unsigned char one[8] = { 0, 0, 0, 0, 0, 0, 0, 1 };
	struct store_conf conf = { .dir = dir, .map_size = 1 << 24 };
	struct changes c = { 0 };
	struct store *s;
	struct err e = { 0 };

	fresh();
	s = open_store(1 << 24);
	changes_put(&c, TABLE_META, str("format"), EXPECT_ANY, (struct slice){ one, sizeof one });
	T_EQ(apply(s, &c, 1), 0);
	store_close(s);
	T_EQ(store_open(&conf, &s, &e), V_CORRUPT);
	T_HAS(e.text, "the store has format 1,");
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
	T_EQ(store_count(s, TABLE_DUE, str("b"), 9), 2);
	T_EQ(store_count(s, TABLE_DUE, str("b"), 1), 1);
	T_EQ(store_count(s, TABLE_DUE, str("d"), 9), 0);
	T_EQ(store_count(s, TABLE_DUE, str(""), 9), 4);
	store_close(s);
}

static void
event(struct store *s, uint64_t commit, const char *text)
{
	struct changes c = { 0 };

	changes_event(&c, str(text));
	T_EQ(apply(s, &c, commit), 0);
}

TEST(events_are_numbered_without_a_gap_and_the_oldest_go)
{
	struct store_conf conf = { .dir = dir, .map_size = 1 << 24, .events = 3 };
	struct changes c = { 0 };
	struct store *s = NULL;
	struct err e = { 0 };

	fresh();
	T_DO(store_open(&conf, &s, &e), e);
	T_EQ(store_last(s, TABLE_EVENT), 0);
	event(s, 1, "one");
	/* What is not applied has no number. */
	changes_event(&c, str("never"));
	changes_put(&c, TABLE_APP, str("k"), 77, str("x"));
	T_EQ(apply(s, &c, 2), V_CONFLICT);
	changes_event(&c, str("two"));
	changes_event(&c, str("three"));
	T_EQ(apply(s, &c, 3), 0);
	T_EQ(store_first(s, TABLE_EVENT), 1);
	T_EQ(store_last(s, TABLE_EVENT), 3);
	store_close(s);
	T_DO(store_open(&conf, &s, &e), e);
	event(s, 4, "four");
	T_EQ(store_first(s, TABLE_EVENT), 2);
	T_EQ(store_last(s, TABLE_EVENT), 4);
	store_close(s);
	/* With fewer to keep it shrinks, two for each that comes. */
	conf.events = 1;
	T_DO(store_open(&conf, &s, &e), e);
	event(s, 5, "five");
	event(s, 6, "six");
	T_EQ(store_first(s, TABLE_EVENT), 6);
	T_EQ(store_last(s, TABLE_EVENT), 6);
	store_close(s);
}

int
main(void)
{
	return unit_run();
}

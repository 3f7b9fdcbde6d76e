/* Row 34: what ends is told of 14, 7 and 1 days before. */
#include "vaultd/test-rig.h"

#include "common/auto.h"
#include "common/role.h"
#include "vaultd/notice.h"
#include "vaultd/schedule.h"
#include "vaultd/warn.h"

#define DAY 86400

struct found { size_t n; int64_t ms; };

static bool
each(void *arg, struct slice k, struct slice value, uint64_t generation)
{
	struct found *f = arg;

	(void)generation;
	T_EQ(*(const unsigned char *)value.p, DUE_WARN);
	if (f->n++ == 0)
		for (int i = 0; i < 8; i++)
			f->ms = f->ms << 8 | ((const unsigned char *)k.p)[i];
	return true;
}

/* The one entry there is, unix s; 0 = none. */
static int64_t
planned(void)
{
	static const struct slice all = { "", 0 };
	struct found f = { 0 };
	struct err e = { 0 };

	T_DO(store_walk(vault.store, TABLE_DUE, all, all, each, &f, &e), e);
	T_OK(f.n <= 1);
	return f.ms / 1000;
}

/* As schedule.c does. */
static void
fire(const struct id *id)
{
	int64_t ms = planned() * 1000;
	struct changes c = { 0 };

	due_remove(&c, ms, id, DUE_WARN);
	warn_due(&vault, &c, ms, id);
	rig_apply(&c);
}

static void
put_app(const struct app *a)
{
	struct changes c = { 0 };
	struct err e = { 0 };

	T_DO(object_put_app(&vault, &c, a, EXPECT_ANY, &e), e);
	rig_apply(&c);
}

TEST(row_34_when_to_warn)
{
	static const struct { int64_t end, now; bool at_once; int64_t want; } t[] = {
		{ 100 * DAY, 0, false, 86 * DAY }, { 100 * DAY, 0, true, 86 * DAY },
		{ 100 * DAY, 86 * DAY, false, 93 * DAY }, { 100 * DAY, 93 * DAY, false, 99 * DAY },
		{ 100 * DAY, 99 * DAY, false, 0 },
		/* News of what ends soon: once, as the warning that fits. */
		{ 13 * DAY, 0, true, -1 * DAY }, { 6 * DAY, 0, true, -1 * DAY },
		{ DAY / 2, 0, true, -DAY / 2 },
		/* A short life is none. */
		{ 13 * DAY, 0, false, 6 * DAY }, { DAY / 2, 0, false, 0 },
		/* After a long stop one warning, not two. */
		{ 100 * DAY, 94 * DAY, false, 99 * DAY },
		{ 5, 5, true, 0 }, { 5, 6, true, 0 },
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		T_EQ(warn_next(t[i].end, t[i].now, t[i].at_once), t[i].want);
}

TEST(row_34_a_secret_that_ends_in_13_days_is_told_of_at_once_and_then_in_six)
{
	AUTO(app) a = { .id = id_new(), .name = "acme", .version = 1 };
	uint64_t before;

	rig_open("warn");
	a.rotate_by = wall_seconds() + 13 * DAY;
	put_app(&a);
	T_EQ(planned(), a.rotate_by - 14 * DAY);
	before = store_last(vault.store, TABLE_EVENT);
	fire(&a.id);
	T_EQ(store_last(vault.store, TABLE_EVENT), before + 1);
	T_EQ(planned(), a.rotate_by - 7 * DAY);
	rig_close();
}

TEST(row_34_another_day_moves_the_warning)
{
	AUTO(app) a = { .id = id_new(), .name = "acme", .version = 1 };
	uint64_t before;

	rig_open("warn");
	a.rotate_by = wall_seconds() + 100 * DAY;
	put_app(&a);
	T_EQ(planned(), a.rotate_by - 14 * DAY);
	put_app(&a);			/* and one that is none */
	T_EQ(planned(), a.rotate_by - 14 * DAY);
	a.rotate_by += DAY;
	put_app(&a);
	T_EQ(planned(), a.rotate_by - 14 * DAY);
	a.rotate_by = 0;
	put_app(&a);
	T_EQ(planned(), 0);
	/* One that was overtaken says nothing. */
	before = store_last(vault.store, TABLE_EVENT);
	warn_due(&vault, &(struct changes){ 0 }, 1000, &a.id);
	T_EQ(store_last(vault.store, TABLE_EVENT), before);
	rig_close();
}

static void
put_connection(const struct id *id)
{
	struct folder f = { .id = id_new(), .parent = root_shared, .class = FOLDER_SHARED,
		.name = "team" };
	struct connection r = { .id = *id, .folder = f.id, .name = "one", .connector = "openid",
		.auth_type = AUTH_PAT, .state = CONN_CONNECTED };
	struct changes c = { 0 };
	struct err e = { 0 };

	T_DO(object_put_folder(&vault, &c, &f, EXPECT_ABSENT, &e), e);
	T_DO(object_add_connection(&vault, &c, &r, &e), e);
	rig_apply(&c);
}

static void
put_grant(const struct id *id, int64_t ends)
{
	struct grant g = { .connection = *id, .version = 1, .refresh_expires = ends };
	struct changes c = { 0 };
	struct err e = { 0 };

	T_DO(object_put_grant(&vault, &c, &g, EXPECT_ANY, &e), e);
	rig_apply(&c);
}

TEST(row_83_a_sign_in_that_ends_is_told_of_and_one_that_is_renewed_is_not)
{
	struct id id = id_new();
	int64_t ends = wall_seconds() + 30 * DAY;
	uint64_t before;

	rig_open("warn");
	put_connection(&id);
	put_grant(&id, ends);
	T_EQ(planned(), ends - 14 * DAY);
	for (int i = 0; i < 100; i++)		/* each refresh moves it */
		put_grant(&id, ++ends);
	T_EQ(planned(), ends - 14 * DAY);
	before = store_last(vault.store, TABLE_EVENT);
	fire(&id);
	T_EQ(store_last(vault.store, TABLE_EVENT), before + 1);
	T_EQ(planned(), ends - 7 * DAY);
	put_grant(&id, wall_seconds() + 5);	/* lives for seconds: no warning */
	T_EQ(planned(), 0);
	rig_close();
}

int
main(void)
{
	return unit_run();
}

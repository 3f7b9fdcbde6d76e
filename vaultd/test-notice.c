/* Rows 46 and 83: which event a change of a connection or app is. */
#include "vaultd/test-rig.h"

#include "common/advice.h"
#include "common/auto.h"
#include "common/errors.h"
#include "vaultd/notice.h"

static bool
one(void *arg, struct slice k, struct slice value, uint64_t generation)
{
	struct err e = { 0 };

	(void)k;
	(void)generation;
	T_DO(notice_decode(value, arg, &e), e);
	return true;
}

/* The last one; how many there are. */
static uint64_t
last(struct notice *ret)
{
	static const struct slice all = { "", 0 };
	struct err e = { 0 };

	*ret = (struct notice){ 0 };
	T_DO(store_walk(vault.store, TABLE_EVENT, all, all, one, ret, &e), e);
	return store_last(vault.store, TABLE_EVENT);
}

static const struct folder team = { .id = { { 3 } }, .parent = { { 2 } }, .class = FOLDER_SHARED,
	.name = "team" };

static struct connection
example(enum conn_state s)
{
	struct connection r = { .id = id_new(), .folder = team.id, .name = "one",
		.connector = "openid", .auth_type = AUTH_PAT, .state = s };
	struct changes c = { 0 };
	struct err e = { 0 };

	T_DO(object_put_folder(&vault, &c, &team, EXPECT_ANY, &e), e);
	T_DO(object_add_connection(&vault, &c, &r, &e), e);
	rig_apply(&c);
	return r;
}

static void
put(const struct connection *r)
{
	struct changes c = { 0 };
	struct err e = { 0 };

	T_DO(object_put_connection(&vault, &c, r, EXPECT_ANY, &e), e);
	rig_apply(&c);
}

TEST(a_record_is_read_as_it_was_written_and_nothing_else_is)
{
	struct notice n = { .type = NOTICE_LOCKED, .time = 5, .of = NOTICE_OF_CONNECTION,
		.id = id_new(), .class = FOLDER_PERSONAL, .folder_owner = 7, .name = "a",
		.was = "b", .connector = "c", .old_state = CONN_DEGRADED, .state = CONN_LOCKED,
		.cause = ERR_PROVIDER_DOWN, .text = "t", .deadline = 9 }, got;
	AUTO(buf) rec = { 0 };
	struct err e = { 0 };

	T_DO(notice_encode(&n, &rec, &e), e);
	T_DO(notice_decode(buf_slice(&rec), &got, &e), e);
	T_EQ(got.type, n.type);
	T_EQ(got.deadline, n.deadline);
	T_STR(got.was, n.was);
	for (size_t i = 0; i < rec.len; i++)
		T_EQ(notice_decode((struct slice){ rec.p, i }, &got, &e), V_CORRUPT);
	rec.p[2] = NOTICE_END;
	T_EQ(notice_decode(buf_slice(&rec), &got, &e), V_CORRUPT);
}

TEST(row_46_each_change_of_state_is_one_event)
{
	static const struct { enum conn_state from, to; enum notice_type type; } t[] = {
		{ CONN_PENDING, CONN_CONNECTED, NOTICE_AUTHENTICATED },
		{ CONN_CONNECTED, CONN_DEGRADED, NOTICE_DEGRADED },
		{ CONN_DEGRADED, CONN_CONNECTED, NOTICE_RECOVERED },
		{ CONN_CONNECTED, CONN_DISCONNECTED, NOTICE_NEEDS_RECONNECT },
		{ CONN_DISCONNECTED, CONN_CONNECTED, NOTICE_RECONNECTED },
		{ CONN_DEGRADED, CONN_LOCKED, NOTICE_LOCKED },
		{ CONN_LOCKED, CONN_CONNECTED, NOTICE_UNLOCKED },
		{ CONN_CONNECTED, CONN_DISABLED, NOTICE_DISABLED },
		{ CONN_DISABLED, CONN_CONNECTED, NOTICE_ENABLED },
		{ CONN_DISABLED, CONN_DISCONNECTED, NOTICE_ENABLED },
		{ CONN_DISABLED, CONN_DELETED, NOTICE_DELETED },
	};
	struct notice n;

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct connection r = { .name = "" };
		uint64_t before;

		rig_open("notice");
		r = example(t[i].from);
		before = last(&n);
		T_EQ(n.type, NOTICE_CREATED);
		put(&r);			/* nothing that is told of */
		T_EQ(last(&n), before);
		r.state = t[i].to;
		r.cause = ERR_GRANT_REVOKED;
		put(&r);
		T_EQ(last(&n), before + 1);
		T_EQ(n.type, t[i].type);
		T_EQ(n.old_state, t[i].from);
		T_EQ(n.state, t[i].to);
		T_STR(n.folder, "shared/team");
		rig_close();
	}
}

TEST(row_83_a_lost_grant_says_why_and_whose_move_it_is)
{
	struct connection r;
	struct notice n;
	char advice[ADVICE_MAX];

	rig_open("notice");
	r = example(CONN_CONNECTED);
	r.state = CONN_DISCONNECTED;
	r.cause = ERR_GRANT_REVOKED;
	snprintf(r.cause_text, sizeof r.cause_text, "invalid_grant");
	put(&r);
	last(&n);
	T_EQ(n.cause, ERR_GRANT_REVOKED);
	T_STR(n.text, "invalid_grant");
	T_STR(notice_owner(&n), "caller");
	notice_advice(&n, "shared/team/one", advice, sizeof advice);
	T_HAS(advice, "Reconnect");
	T_HAS(advice, "shared/team/one");
	rig_close();
}

TEST(a_tombstone_that_goes_is_not_deleted_twice)
{
	struct changes c = { 0 };
	struct connection r;
	struct notice n;
	struct err e = { 0 };
	uint64_t before;

	rig_open("notice");
	r = example(CONN_CONNECTED);
	r.state = CONN_DELETED;
	put(&r);
	before = last(&n);
	T_EQ(n.type, NOTICE_DELETED);
	T_DO(object_remove_connection(&vault, &c, &r, EXPECT_ANY, &e), e);
	rig_apply(&c);
	T_EQ(last(&n), before);
	rig_close();
}

TEST(an_app_and_its_secret)
{
	AUTO(app) a = { .id = id_new(), .name = "acme", .version = 1 };
	struct changes c = { 0 };
	struct notice n;
	struct err e = { 0 };

	rig_open("notice");
	T_DO(object_put_app(&vault, &c, &a, EXPECT_ABSENT, &e), e);
	rig_apply(&c);
	last(&n);
	T_EQ(n.type, NOTICE_APP_ADDED);
	a.version = 2;
	T_DO(object_put_app(&vault, &c, &a, EXPECT_ANY, &e), e);
	rig_apply(&c);
	last(&n);
	T_EQ(n.type, NOTICE_APP_SECRET_CHANGED);
	T_STR(n.name, "acme");
	rig_close();
}

int
main(void)
{
	return unit_run();
}

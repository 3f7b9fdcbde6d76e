#include "vaultd/test-rig.h"

#include "common/auto.h"

static size_t
entries(enum table t)
{
	return store_count(vault.store, t, (struct slice){ "", 0 }, SIZE_MAX);
}

static void
put_folder_and_app(const struct connection *r)
{
	struct folder f = { .id = r->folder, .class = FOLDER_SHARED, .name = "team" };
	AUTO(app) a = { .id = r->app, .name = "acme", .version = 1 };
	struct changes c = { 0 };
	struct err e = { 0 };

	T_DO(object_put_folder(&vault, &c, &f, EXPECT_ABSENT, &e), e);
	if (!id_is_null(&r->app))
		T_DO(object_put_app(&vault, &c, &a, EXPECT_ABSENT, &e), e);
	rig_apply(&c);
}

static int
add(const struct connection *r)
{
	struct changes c = { 0 };
	struct err e = { 0 };

	T_DO(object_add_connection(&vault, &c, r, &e), e);
	return rig_try(&c);
}

/* What a sign-in brings. */
static void
put_tokens(const struct connection *r)
{
	struct wrap_view view = { .kek_id = "0123456789abcdef", .wrapped = { "key", 3 } };
	AUTO(grant) g = { .connection = r->id, .version = 1 };
	AUTO(release) rel = { .connection = r->id, .version = 1 };
	struct changes c = { 0 };
	struct err e = { 0 };

	for (enum purpose p = PURPOSE_GRANT; p <= PURPOSE_RELEASE; p++) {
		AUTO(buf) wrap = { 0 };

		view.purpose = p;
		T_OK(wrap_encode(&wrap, &view));
		T_DO(object_put_wrap(&vault, &c, &r->id, p, buf_slice(&wrap), &e), e);
	}
	T_DO(object_put_grant(&vault, &c, &g, EXPECT_ABSENT, &e), e);
	T_DO(object_put_release(&vault, &c, &rel, EXPECT_ABSENT, &e), e);
	rig_apply(&c);
}

static uint64_t
wraps_counted(void)
{
	struct slice v;
	struct err e = { 0 };
	uint64_t n = 0;

	T_DO(store_get(vault.store, TABLE_BY_KEK, (struct slice){ "0123456789abcdef", 16 }, &v,
	    NULL, &e), e);
	for (size_t i = 0; i < v.len; i++)
		n = n << 8 | ((const unsigned char *)v.p)[i];
	return n;
}

static struct connection
example(void)
{
	return (struct connection){ .id = id_new(), .folder = id_new(), .app = id_new(),
		.name = "one", .connector = "openid", .state = CONN_PENDING };
}

TEST(a_connection_comes_and_goes_whole)
{
	static const enum table tables[] = { TABLE_CONNECTION, TABLE_CONNECTION_BY_FOLDER,
		TABLE_CONNECTION_BY_APP, TABLE_GRANT, TABLE_RELEASE };
	struct connection r = example();
	struct changes c = { 0 };
	struct err e = { 0 };

	rig_open("objects_put");
	put_folder_and_app(&r);
	T_EQ(add(&r), 0);
	put_tokens(&r);
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		T_EQ(entries(tables[i]), 1);
	T_EQ(entries(TABLE_WRAP), 2);
	T_EQ(wraps_counted(), 2);
	T_DO(object_remove_connection(&vault, &c, &r, 2, &e), e);
	rig_apply(&c);
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		T_EQ(entries(tables[i]), 0);
	T_EQ(entries(TABLE_WRAP), 0);
	T_EQ(wraps_counted(), 0);
	rig_close();
}

TEST(one_that_was_changed_since_is_not_removed)
{
	struct connection r = example();
	struct changes c = { 0 };
	struct err e = { 0 };

	rig_open("objects_put");
	put_folder_and_app(&r);
	T_EQ(add(&r), 0);
	r.failures = 1;
	T_DO(object_put_connection(&vault, &c, &r, 2, &e), e);
	rig_apply(&c);
	T_DO(object_remove_connection(&vault, &c, &r, 2, &e), e);
	T_EQ(rig_try(&c), V_CONFLICT);
	T_EQ(entries(TABLE_CONNECTION_BY_FOLDER), 1);
	T_EQ(entries(TABLE_CONNECTION_BY_APP), 1);
	rig_close();
}

TEST(not_without_its_folder_nor_without_its_app)
{
	struct connection r = example(), homeless = r, of_nothing = r, token = r;

	rig_open("objects_put");
	put_folder_and_app(&r);
	homeless.folder = id_new();
	T_EQ(add(&homeless), V_CONFLICT);
	of_nothing.app = id_new();
	T_EQ(add(&of_nothing), V_CONFLICT);
	T_EQ(entries(TABLE_CONNECTION), 0);
	token.app = (struct id){ { 0 } };	/* a static token has none */
	T_EQ(add(&token), 0);
	T_EQ(entries(TABLE_CONNECTION_BY_APP), 0);
	r.id = id_new();
	T_EQ(add(&r), V_CONFLICT);		/* the name is taken */
	rig_close();
}

TEST(renamed_it_has_one_name_and_its_app)
{
	struct connection r = example(), other = r;
	struct changes c = { 0 };
	struct err e = { 0 };

	rig_open("objects_put");
	put_folder_and_app(&r);
	T_EQ(add(&r), 0);
	other.id = id_new();
	snprintf(other.name, sizeof other.name, "two");
	T_EQ(add(&other), 0);
	T_DO(object_rename_connection(&vault, &c, &other, "one", 3, &e), e);
	T_EQ(rig_try(&c), V_CONFLICT);
	snprintf(other.name, sizeof other.name, "two");
	T_DO(object_rename_connection(&vault, &c, &other, "three", 3, &e), e);
	rig_apply(&c);
	T_STR(other.name, "three");
	T_EQ(entries(TABLE_CONNECTION_BY_FOLDER), 2);
	T_EQ(entries(TABLE_CONNECTION_BY_APP), 2);
	rig_close();
}

/* Row 44: who else lives by the same refresh token is known, and only who lives. */
TEST(connections_with_one_refresh_token_are_siblings)
{
	struct connection one = example(), two = example();
	AUTO(grant) g = { .version = 1, .fingerprint = { 9, 9 } };
	struct tombstone t = { .revocation = REVOCATION_QUEUED };
	struct changes c = { 0 };
	struct err e = { 0 };
	struct id found;

	rig_open("objects_put");
	put_folder_and_app(&one);
	two.folder = one.folder;
	two.app = one.app;
	strcpy(two.name, "two");
	T_EQ(add(&one), 0);
	T_EQ(add(&two), 0);
	g.connection = one.id;
	T_DO(object_put_grant(&vault, &c, &g, EXPECT_ABSENT, &e), e);
	rig_apply(&c);
	T_NOT(object_has_sibling(&vault, g.fingerprint, &one.id, NULL));
	g.connection = two.id;
	T_DO(object_put_grant(&vault, &c, &g, EXPECT_ABSENT, &e), e);
	rig_apply(&c);
	T_OK(object_has_sibling(&vault, g.fingerprint, &one.id, &found));
	T_OK(id_equal(&found, &two.id));

	/* Another refresh token: no longer. */
	g.fingerprint[0] = 8;
	T_DO(object_put_grant(&vault, &c, &g, EXPECT_ANY, &e), e);
	rig_apply(&c);
	T_NOT(object_has_sibling(&vault, g.fingerprint, &two.id, NULL));
	T_EQ(entries(TABLE_FINGERPRINT), 2);
	g.fingerprint[0] = 9;
	T_DO(object_put_grant(&vault, &c, &g, EXPECT_ANY, &e), e);
	rig_apply(&c);

	/* One that is deleted is none, though its grant is still there to be revoked. */
	t.id = two.id;
	T_DO(object_bury_connection(&vault, &c, &two, EXPECT_ANY, &t, &e), e);
	rig_apply(&c);
	T_EQ(entries(TABLE_FINGERPRINT), 2);
	T_NOT(object_has_sibling(&vault, g.fingerprint, &one.id, NULL));
	T_OK(object_has_sibling(&vault, g.fingerprint, &two.id, NULL));
	T_DO(object_forget_tokens(&vault, &c, &two.id, &two.app, &e), e);
	rig_apply(&c);
	T_EQ(entries(TABLE_FINGERPRINT), 1);
	T_EQ(entries(TABLE_GRANT), 1);
	T_EQ(entries(TABLE_TOMBSTONE), 1);
	T_EQ(object_tombstone(&vault, &two.id, &t, NULL, &e), 0);
	T_EQ(object_tombstone(&vault, &one.id, &t, NULL, &e), V_NOT_FOUND);

	/* No refresh token is nobody's sibling. */
	memset(g.fingerprint, 0, sizeof g.fingerprint);
	T_NOT(object_has_sibling(&vault, g.fingerprint, &one.id, NULL));
	rig_close();
}

int
main(void)
{
	return unit_run();
}

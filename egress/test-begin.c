/*
 * An app's secret is sealed behind its destination; another secret changes nothing else.
 */
#include "egress/test-rig.h"

static struct rig rig;

static void
ask_seal(const struct seal_app *q, const char *secret, struct seal_app_result *ret, struct err *e)
{
	AUTO(msg) m = { 0 };
	struct seal_app with = *q;
	struct job *j;

	*ret = (struct seal_app_result){ 0 };
	T_EQ(secret_set(&with.client_secret, secret, strlen(secret), e), 0);
	msg_secret(&m);
	seal_app_put(&m, &with);
	secret_done(&with.client_secret);
	j = rig_ask(&rig, seal_app_prepare, &m);
	*e = j->err;
	if (j->rc == 0)
		T_DO(seal_app_result_get(msg_slice(&j->answer), ret, e), *e);
	job_free(j);
}

static void
open_app(const struct id *app, uint64_t version, const struct seal_app_result *res,
    struct app_secret *ret)
{
	AUTO(secret) plain = { 0 };
	struct err e = { 0 };

	rig_open(&rig, PURPOSE_GRANT, app, version, &res->blob, &res->wrap, &plain);
	T_DO(app_secret_get(&plain, ret, &e), e);
}

static struct seal_app
first_of(struct id app, const char *host)
{
	struct seal_app q = { .app = app, .version = 1, .vars = { .n = 1 } };

	snprintf(q.connector, sizeof q.connector, "test");
	snprintf(q.client_id, sizeof q.client_id, "client");
	snprintf(q.vars.v[0].name, EX_NAME, "host");
	snprintf(q.vars.v[0].value, sizeof q.vars.v[0].value, "%s", host);
	return q;
}

static struct seal_app
next_of(const struct seal_app *first, const struct seal_app_result *res)
{
	struct seal_app q = { .app = first->app, .version = first->version + 1 };

	q.old = sealed_of(&first->app, first->version, &res->blob, &res->wrap);
	return q;
}

TEST(another_secret_leaves_the_destination_to_the_letter)
{
	struct seal_app q = first_of(id_new(), "127.0.0.1"), next;
	AUTO(seal_app_result) one = { 0 }, two = { 0 };
	AUTO(app_secret) was = { 0 }, is = { 0 };
	struct connector *c = (struct connector *)catalogue_find(&rig.x.catalogue, "test");
	struct err e = { 0 };

	ask_seal(&q, "the first secret", &one, &e);
	next = next_of(&q, &one);
	/* The connector was replaced meanwhile; what vaultd says beside is not looked at. */
	c->version++;
	snprintf(next.connector, sizeof next.connector, "test");
	snprintf(next.client_id, sizeof next.client_id, "another");
	ask_seal(&next, "the second secret", &two, &e);
	c->version--;
	open_app(&q.app, 1, &one, &was);
	open_app(&q.app, 2, &two, &is);
	T_OK(destination_equal(&was.d, &is.d));
	T_STR(is.client_id, "client");
	T_OK(secret_equal(&was.client_secret, "the first secret", 16));
	T_OK(secret_equal(&is.client_secret, "the second secret", 17));
}

TEST(a_public_app_gets_no_secret)
{
	size_t before = secret_in_use();
	struct seal_app q = first_of(id_new(), "127.0.0.1"), next;
	AUTO(seal_app_result) one = { 0 }, two = { 0 };
	struct err e = { 0 };

	ask_seal(&q, "", &one, &e);
	next = next_of(&q, &one);
	ask_seal(&next, "secret", &two, &e);
	T_EQ(e.id, ERR_INVALID_PARAMETER);
	T_HAS(e.text, "public client");
	T_EQ(secret_in_use(), before);		/* what was opened for it is wiped */
}

TEST(an_app_of_another_record_gives_no_destination)
{
	struct seal_app q = first_of(id_new(), "127.0.0.1"), next;
	AUTO(seal_app_result) one = { 0 }, two = { 0 };
	struct err e = { 0 };

	ask_seal(&q, "secret", &one, &e);
	next = next_of(&q, &one);
	next.old.record = id_new();
	ask_seal(&next, "secret", &two, &e);
	T_NE(e.code, 0);
	T_EQ(two.blob.len, 0);
}

int
main(void)
{
	struct err e;
	int rc;

	if (secret_arena_init(1 << 20, true, &e) != 0)
		return 1;
	rig_new(&rig);
	rc = unit_run();
	rig_done(&rig);
	return rc;
}

#include "egress/test-rig.h"

static struct rig rig;

struct given {
	struct id	record;
	struct buf	blob, wrap;
};

static void
seal(struct rig *r, enum purpose p, const char *text, struct given *ret)
{
	AUTO(secret) dek = { 0 };
	struct err e = { 0 };

	T_DO(keys_make(&r->x, p, &ret->record, &dek, &ret->wrap, &e), e);
	T_DO(keys_seal(&r->x, p, &ret->record, 7, &dek, (struct slice){ text, strlen(text) },
	    &ret->blob, &e), e);
}

static void
given_done(struct given *g)
{
	buf_done(&g->blob);
	buf_done(&g->wrap);
}

static struct sealed
sealed_stored(const struct given *g)
{
	return sealed_of(&g->record, 7, &g->blob, &g->wrap);
}

static struct job *
ask(struct rig *r, const struct reseal *q)
{
	AUTO(msg) m = { 0 };

	reseal_put(&m, q);
	return rig_ask(r, reseal_prepare, &m);
}

static void
opens_to(struct rig *r, enum purpose p, const struct id *record, uint64_t version,
    const struct buf *blob, const struct buf *wrap, const char *text)
{
	AUTO(secret) plain = { 0 };

	rig_open(r, p, record, version, blob, wrap, &plain);
	T_EQ(plain.len, strlen(text));
	T_MEM(plain.p, text, plain.len);
}

TEST(row_37_tokens_are_sealed_again_for_another_connection_under_keys_of_its_own)
{
	struct given grant = { 0 }, token = { 0 };
	struct reseal q = { .grant_version = 3, .release_version = 5 };
	struct exchange_result res;
	struct job *j;

	grant.record = token.record = id_new();
	q.connection = id_new();
	seal(&rig, PURPOSE_GRANT, "where it goes, and what buys", &grant);
	seal(&rig, PURPOSE_RELEASE, "what is bought", &token);
	q.grant = sealed_stored(&grant);
	q.release = sealed_stored(&token);
	j = ask(&rig, &q);
	rig_result(j, NULL, &res);
	opens_to(&rig, PURPOSE_GRANT, &q.connection, 3, &res.grant_blob, &res.grant_wrap,
	    "where it goes, and what buys");
	opens_to(&rig, PURPOSE_RELEASE, &q.connection, 5, &res.release_blob, &res.release_wrap,
	    "what is bought");
	exchange_result_done(&res);
	job_free(j);
	given_done(&grant);
	given_done(&token);
}

TEST(a_refresh_token_that_stays_is_not_sealed_again)
{
	struct given token = { 0 };
	struct reseal q = { .grant_version = 3, .release_version = 5 };
	struct exchange_result res;
	struct job *j;

	token.record = id_new();
	q.connection = id_new();
	seal(&rig, PURPOSE_RELEASE, "what is bought", &token);
	q.release = sealed_stored(&token);
	j = ask(&rig, &q);
	rig_result(j, NULL, &res);
	T_EQ(res.grant_blob.len, 0);
	T_EQ(res.grant_wrap.len, 0);
	exchange_result_done(&res);
	job_free(j);
	given_done(&token);
}

/* What buys tokens does not become what is handed out, and nothing of another record opens. */
TEST(purpose_record_and_version_are_held_to)
{
	struct given grant = { 0 };
	struct reseal q = { .grant_version = 3, .release_version = 5 };
	struct job *j;

	grant.record = id_new();
	q.connection = id_new();
	seal(&rig, PURPOSE_GRANT, "what buys", &grant);
	q.release = sealed_stored(&grant);
	j = ask(&rig, &q);
	T_NE(j->rc, 0);
	T_EQ(j->err.id, ERR_HSM_REFUSED);
	job_free(j);
	q.release.version = 8;
	q.release.record = q.connection;
	j = ask(&rig, &q);
	T_NE(j->rc, 0);
	job_free(j);
	given_done(&grant);
}

int
main(void)
{
	struct err e;
	int rc;

	signal(SIGPIPE, SIG_IGN);
	json_wiping_allocator();
	if (secret_arena_init(6 << 20, true, &e) != 0)
		return 1;
	rig_new(&rig);
	rc = unit_run();
	rig_done(&rig);
	return rc;
}

#include "tests/unit.h"

#include "common/role.h"
#include "vaultd/limits.h"

static const struct limits_conf small = {
	.connections_per_uid = 2, .connections = 3, .inflight_per_uid = 2,
	.bytes_per_uid = 1000, .bytes = 2500, .rate_per_uid = 0,
};

TEST(connections_per_uid_and_in_all)
{
	struct limits l;
	struct bucket *a, *b;

	limits_init(&l, &small);
	a = limits_bucket(&l, 1000, true);
	b = limits_bucket(&l, 1001, true);
	T_OK(a != NULL && b != NULL && a != b);
	T_OK(limits_connect(&l, a));
	T_OK(limits_connect(&l, a));
	T_NOT(limits_connect(&l, a));		/* of this uid */
	T_OK(limits_connect(&l, b));
	T_NOT(limits_connect(&l, b));		/* in all */
	limits_disconnect(&l, a);
	T_OK(limits_connect(&l, b));
	T_EQ(l.connections, 3);
	limits_done(&l);
}

TEST(unnamed_uids_share_one_bucket)
{
	struct limits l;
	struct bucket *a;

	limits_init(&l, &small);
	a = limits_bucket(&l, 2000, false);
	T_OK(a->shared);
	T_OK(limits_bucket(&l, 2001, false) == a);
	T_NOT(limits_bucket(&l, 2000, true) == a);
	T_OK(limits_bucket(&l, 2000, true) == limits_bucket(&l, 2000, true));
	limits_done(&l);
}

TEST(calls_in_flight)
{
	struct limits l;
	struct bucket *b;

	limits_init(&l, &small);
	b = limits_bucket(&l, 1000, true);
	T_OK(limits_call(&l, b, 0));
	T_OK(limits_call(&l, b, 0));
	T_NOT(limits_call(&l, b, 0));
	limits_call_done(b);
	T_OK(limits_call(&l, b, 0));
	limits_done(&l);
}

TEST(rate_is_a_token_bucket_of_one_second)
{
	struct limits_conf conf = small;
	struct limits l;
	struct bucket *b;
	long long t = boot_ms() + 1000000;
	int n = 0;

	conf.rate_per_uid = 10;
	conf.inflight_per_uid = 1000;
	limits_init(&l, &conf);
	b = limits_bucket(&l, 1000, true);
	while (limits_call(&l, b, t))
		n++;
	T_EQ(n, 10);
	T_NOT(limits_call(&l, b, t + 99));
	T_OK(limits_call(&l, b, t + 200));
	for (n = 0; limits_call(&l, b, t + 60000); n++)
		;
	T_EQ(n, 10);		/* a long rest saves up no more than a second */
	limits_done(&l);
}

TEST(bytes_are_refused_whole_and_given_back)
{
	struct limits l;
	struct bucket *b;

	limits_init(&l, &small);
	b = limits_bucket(&l, 1000, true);
	T_OK(limits_bytes(&l, b, 600));
	T_NOT(limits_bytes(&l, b, 401));
	T_EQ(b->bytes, 600);
	T_OK(limits_bytes(&l, b, 400));
	limits_bytes_owed(&l, b, 50);
	T_EQ(b->bytes, 1050);
	T_NOT(limits_bytes(&l, b, 1));
	T_OK(limits_bytes(&l, b, -1050));
	T_EQ(b->bytes, 0);
	limits_done(&l);
}

TEST(idle_buckets_go_and_used_ones_stay)
{
	struct limits l;
	struct bucket *used, *idle;

	limits_init(&l, &small);
	used = limits_bucket(&l, 1, true);
	T_OK(limits_connect(&l, used));
	idle = limits_bucket(&l, 1 + 256, true);	/* same chain */
	used->refilled_ms = idle->refilled_ms = boot_ms() - 10000;
	T_OK(limits_bucket(&l, 1 + 512, true) != NULL);
	T_OK(limits_bucket(&l, 1, true) == used);
	for (struct bucket *b = l.hash[1]; b != NULL; b = b->next)
		T_NE(b->uid, 1 + 256);
	limits_done(&l);
	for (int i = 0; i < 256; i++)
		T_OK(l.hash[i] == NULL);
}

TEST(renewals_that_were_begun_are_bounded_for_a_minute)
{
	struct limits l;
	struct id one = { { 1, 2, 3 } }, same_place = { { 1, 2, 4 } };
	long long now = 5000000;

	limits_init(&l, &small);
	for (int i = 0; i < 100; i++)		/* asking is free */
		T_OK(limits_may_renew(&l, &one, now));
	for (int i = 0; i < RENEWALS_MAX; i++) {
		T_OK(limits_may_renew(&l, &one, now));
		limits_renewal(&l, &one, now);
	}
	T_NOT(limits_may_renew(&l, &one, now + RENEWALS_MS - 1));
	T_OK(limits_may_renew(&l, &one, now + RENEWALS_MS));
	T_OK(limits_may_renew(&l, &same_place, now));
	limits_done(&l);
}

TEST(all_clients_together_have_a_bound)
{
	struct limits l;
	struct bucket *b[3];

	limits_init(&l, &small);
	for (unsigned i = 0; i < 3; i++)
		b[i] = limits_bucket(&l, 2000 + i, true);
	T_OK(limits_bytes(&l, b[0], 1000));
	T_OK(limits_bytes(&l, b[1], 1000));
	T_NOT(limits_bytes(&l, b[2], 600));
	T_OK(limits_bytes(&l, b[2], 500));
	limits_bytes_owed(&l, b[2], 100);
	T_NOT(limits_bytes(&l, b[2], 1));
	T_OK(limits_bytes(&l, b[0], -1000));
	T_OK(limits_bytes(&l, b[2], 400));
	limits_done(&l);
}

int
main(void)
{
	return unit_run();
}

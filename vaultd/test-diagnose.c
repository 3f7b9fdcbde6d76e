#include "tests/unit.h"

#include "vaultd/diagnose.h"

#define DAY	86400
#define T	(1000 * DAY)		/* now */
#define SEEN(ago_in, ago_ok) .now = T, .signed_in = T - (ago_in), .last_ok = T - (ago_ok), \
	.refresh_obtained = T - (ago_ok)

static const struct {
	const char		*what;
	enum err_id		 seen;
	struct diagnose_facts	 f;
	enum err_id		 is;
} cases[] = {
	{ "nothing is known", ERR_GRANT_REVOKED, { .now = T }, ERR_GRANT_REVOKED },
	{ "an hour after it worked", ERR_GRANT_REVOKED, { SEEN(30 * DAY, 3600), .idle_s = 90 * DAY,
	    .absolute_s = 365 * DAY, .test_s = 7 * DAY }, ERR_GRANT_REVOKED },

	{ "an answer was lost", ERR_GRANT_REVOKED, { SEEN(DAY, 3600), .lost = true },
	    ERR_GRANT_LOST_IN_TRANSIT },
	{ "lost, and idle too", ERR_GRANT_REVOKED, { SEEN(200 * DAY, 95 * DAY), .lost = true,
	    .idle_s = 90 * DAY }, ERR_GRANT_LOST_IN_TRANSIT },
	{ "of a copy of the store", ERR_GRANT_REVOKED, { SEEN(DAY, 3600), .foreign = true },
	    ERR_GRANT_REUSED_ELSEWHERE },

	{ "a week after the sign-in, app in testing", ERR_GRANT_REVOKED,
	    { SEEN(7 * DAY + 600, 3000), .test_s = 7 * DAY }, ERR_GRANT_TEST_MODE },
	{ "six days after it", ERR_GRANT_REVOKED, { SEEN(6 * DAY, 3000), .test_s = 7 * DAY },
	    ERR_GRANT_REVOKED },
	{ "nine days after it", ERR_GRANT_REVOKED, { SEEN(9 * DAY, 3000), .test_s = 7 * DAY },
	    ERR_GRANT_REVOKED },

	{ "the absolute end", ERR_GRANT_REVOKED, { SEEN(365 * DAY, 3600), .absolute_s = 365 * DAY,
	    .idle_s = 90 * DAY }, ERR_GRANT_EXPIRED_ABSOLUTE },
	{ "the day before it", ERR_GRANT_REVOKED, { SEEN(364 * DAY, 3600), .absolute_s = 365 * DAY },
	    ERR_GRANT_REVOKED },
	{ "the provider told its end at the sign-in", ERR_GRANT_REVOKED, { .now = T,
	    .signed_in = T - 7 * DAY, .last_ok = T - 3600, .refresh_obtained = T - 7 * DAY,
	    .refresh_expires = T - 5 }, ERR_GRANT_EXPIRED_ABSOLUTE },

	{ "idle", ERR_GRANT_REVOKED, { SEEN(200 * DAY, 90 * DAY), .idle_s = 90 * DAY },
	    ERR_GRANT_EXPIRED_IDLE },
	{ "the day before", ERR_GRANT_REVOKED, { SEEN(200 * DAY, 89 * DAY), .idle_s = 90 * DAY },
	    ERR_GRANT_REVOKED },
	{ "an end that each refresh moves", ERR_GRANT_REVOKED, { SEEN(200 * DAY, 31 * DAY),
	    .refresh_expires = T - DAY }, ERR_GRANT_EXPIRED_IDLE },

	{ "a newer connection of the account", ERR_GRANT_REVOKED, { SEEN(30 * DAY, 3600),
	    .newer = T - 600 }, ERR_GRANT_DISPLACED },
	{ "one that was there when it last worked", ERR_GRANT_REVOKED, { SEEN(30 * DAY, 3600),
	    .newer = T - 7200 }, ERR_GRANT_REVOKED },

	{ "the secret has ended", ERR_CLIENT_SECRET_WRONG, { SEEN(DAY, 3600),
	    .secret_expires = T - 1 }, ERR_CLIENT_SECRET_EXPIRED },
	{ "the secret ends tomorrow", ERR_CLIENT_SECRET_WRONG, { SEEN(DAY, 3600),
	    .secret_expires = T + DAY }, ERR_CLIENT_SECRET_WRONG },
	{ "a signature, and clocks that differ", ERR_CLIENT_SECRET_WRONG, { SEEN(DAY, 3600),
	    .asserts = true, .skew_s = -61 }, ERR_CLOCK_SKEW },
	{ "a signature, and clocks that agree", ERR_CLIENT_SECRET_WRONG, { SEEN(DAY, 3600),
	    .asserts = true, .skew_s = 60 }, ERR_CLIENT_SECRET_WRONG },
	{ "a secret does not care for clocks", ERR_CLIENT_SECRET_WRONG, { SEEN(DAY, 3600),
	    .skew_s = 4000 }, ERR_CLIENT_SECRET_WRONG },

	/* What egress knows for certain is not judged again. */
	{ "said to be idle", ERR_GRANT_EXPIRED_IDLE, { SEEN(DAY, 3600), .foreign = true },
	    ERR_GRANT_EXPIRED_IDLE },
	{ "a policy", ERR_SIGNIN_REQUIRED, { SEEN(365 * DAY, 3600), .absolute_s = 365 * DAY },
	    ERR_SIGNIN_REQUIRED },
	{ "throttled", ERR_THROTTLED, { SEEN(365 * DAY, 99 * DAY), .lost = true, .idle_s = DAY },
	    ERR_THROTTLED },
};

TEST(row_51_what_a_refusal_means)
{
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		enum err_id is = diagnose(cases[i].seen, &cases[i].f);

		if (is != cases[i].is)
			fail_msg("%s: %s", cases[i].what, err_row(is)->name);
	}
}

TEST(the_limit_that_was_reached)
{
	struct diagnose_facts f = { .signed_in = T - 9 * DAY, .refresh_obtained = T - 5 * DAY,
		.refresh_expires = T - DAY };

	T_EQ(diagnose_limit_s(ERR_GRANT_EXPIRED_ABSOLUTE, &f), 8 * DAY);
	T_EQ(diagnose_limit_s(ERR_GRANT_EXPIRED_IDLE, &f), 4 * DAY);
	f.idle_s = 90 * DAY;
	f.absolute_s = 365 * DAY;
	f.test_s = 7 * DAY;
	T_EQ(diagnose_limit_s(ERR_GRANT_EXPIRED_IDLE, &f), 90 * DAY);
	T_EQ(diagnose_limit_s(ERR_GRANT_EXPIRED_ABSOLUTE, &f), 365 * DAY);
	T_EQ(diagnose_limit_s(ERR_GRANT_TEST_MODE, &f), 7 * DAY);
	T_EQ(diagnose_limit_s(ERR_GRANT_REVOKED, &f), 0);
}

int
main(void)
{
	return unit_run();
}

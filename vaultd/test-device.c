#include "tests/unit.h"

#include "common/errors.h"
#include "vaultd/device.h"

#define T 1700000000

/* RFC 8628 section 3.5, row by row: does one go on, and after how long? */
static const struct {
	const char		*what;
	enum phase		 phase;
	enum err_id		 id;
	const char		*code;
	uint32_t		 retry_after_s;
	bool			 goes_on, lost;
	uint32_t		 interval_s;	/* from then on; it was 5 */
	int64_t			 next;
} answers[] = {
	{ "nobody was there yet", PHASE_REJECTED, ERR_AUTHORIZATION_PENDING, "authorization_pending", 0,
	    true, false, 5, 5 },
	{ "too fast", PHASE_REJECTED, ERR_AUTHORIZATION_PENDING, "slow_down", 0, true, false, 10, 10 },
	{ "no", PHASE_REJECTED, ERR_USER_DENIED, "access_denied", 0, false, false, 5, 0 },
	{ "too late", PHASE_REJECTED, ERR_DEVICE_CODE_EXPIRED, "expired_token", 0, false, false, 5, 0 },
	{ "spent", PHASE_REJECTED, ERR_CODE_REJECTED, "invalid_grant", 0, false, false, 5, 0 },
	{ "the app is wrong", PHASE_REJECTED, ERR_CLIENT_SECRET_WRONG, "invalid_client", 0,
	    false, false, 5, 0 },
	{ "throttled", PHASE_REJECTED, ERR_THROTTLED, "", 30, true, false, 5, 30 },
	{ "throttled for less than an interval", PHASE_REJECTED, ERR_THROTTLED, "", 2,
	    true, false, 5, 5 },
	{ "not reached: half as often", PHASE_NOT_SENT, ERR_UNREACHABLE_CONNECT, "", 0,
	    true, false, 10, 10 },
	{ "not reached, and never will be", PHASE_NOT_SENT, ERR_HOST_NOT_ALLOWED, "", 0,
	    false, false, 5, 0 },
	{ "the HSM is away: nobody asked the provider", PHASE_NOT_SENT, ERR_HSM_UNAVAILABLE, "", 0,
	    true, false, 5, 5 },
	{ "an answer was lost", PHASE_AMBIGUOUS, ERR_OUTCOME_UNKNOWN, "", 0, true, true, 10, 10 },
	{ "it fails", PHASE_AMBIGUOUS, ERR_PROVIDER_DOWN, "", 0, true, true, 10, 10 },
};

TEST(row_23_a_device_asks_on_until_there_is_a_word)
{
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		struct exchange_result res = { .phase = answers[i].phase,
			.retry_after_s = answers[i].retry_after_s };
		struct pending p = { .interval_s = 5 };

		err_name(&res.err, answers[i].id, "why");
		snprintf(res.provider_code, sizeof res.provider_code, "%s", answers[i].code);
		if (device_goes_on(&p, &res, T) != answers[i].goes_on ||
		    p.lost != answers[i].lost || p.interval_s != answers[i].interval_s ||
		    p.next_poll != (answers[i].goes_on ? T + answers[i].next : 0))
			fail_msg("%s: interval %u, next %lld", answers[i].what, p.interval_s,
			    (long long)(p.next_poll - T));
	}
}

TEST(row_23_a_provider_that_is_away_is_asked_once_a_minute_at_last)
{
	struct exchange_result res = { .phase = PHASE_NOT_SENT };
	struct pending p = { .interval_s = 5 };

	err_name(&res.err, ERR_UNREACHABLE_DNS, "why");
	for (int i = 0; i < 9; i++)
		device_goes_on(&p, &res, T);
	T_EQ(p.interval_s, 60);
	p.interval_s = 120;		/* as the provider said */
	device_goes_on(&p, &res, T);
	T_EQ(p.interval_s, 120);
}

TEST(row_23_a_spent_code_after_a_lost_answer_is_a_lost_sign_in)
{
	struct pending p = { .lost = true };
	struct err e;

	err_name(&e, ERR_CODE_REJECTED, "invalid_grant");
	device_name_end(&p, &e);
	T_EQ(e.id, ERR_SIGNIN_LOST);
	err_name(&e, ERR_USER_DENIED, "no");
	device_name_end(&p, &e);
	T_EQ(e.id, ERR_USER_DENIED);
	p.lost = false;
	err_name(&e, ERR_CODE_REJECTED, "invalid_grant");
	device_name_end(&p, &e);
	T_EQ(e.id, ERR_CODE_REJECTED);
}

int
main(void)
{
	return unit_run();
}

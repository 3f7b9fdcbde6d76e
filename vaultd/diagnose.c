/*
 * diagnose.c - see diagnose.h.
 */
#include "vaultd/diagnose.h"

#include <stddef.h>

#define EARLY_S	3600	/* clocks and providers are not exact to the hour */
#define DAY_S	86400

static bool
lost(const struct diagnose_facts *f)
{
	return f->lost;
}

static bool
foreign(const struct diagnose_facts *f)
{
	return f->foreign;
}

static bool
reached(const struct diagnose_facts *f, int64_t since, uint32_t limit)
{
	return limit != 0 && since != 0 && f->now >= since + (int64_t)limit - EARLY_S;
}

/* It worked until then and not after; later than a day after it may have been anything. */
static bool
test_mode(const struct diagnose_facts *f)
{
	return reached(f, f->signed_in, f->test_s) &&
	    f->now < f->signed_in + (int64_t)f->test_s + DAY_S;
}

/* Told once, at the sign-in, and never moved by a refresh. */
static bool
ends_with_the_sign_in(const struct diagnose_facts *f)
{
	return f->refresh_obtained <= f->signed_in;
}

static bool
told_end(const struct diagnose_facts *f)
{
	return f->refresh_expires != 0 && f->now >= f->refresh_expires;
}

static bool
absolute(const struct diagnose_facts *f)
{
	return reached(f, f->signed_in, f->absolute_s) ||
	    (told_end(f) && ends_with_the_sign_in(f));
}

static bool
idle(const struct diagnose_facts *f)
{
	return reached(f, f->last_ok, f->idle_s) || told_end(f);
}

static bool
displaced(const struct diagnose_facts *f)
{
	return f->newer > f->last_ok;
}

static bool
secret_ended(const struct diagnose_facts *f)
{
	return f->secret_expires != 0 && f->now >= f->secret_expires;
}

static bool
skewed(const struct diagnose_facts *f)
{
	return f->asserts && (f->skew_s > SKEW_MAX_S || f->skew_s < -SKEW_MAX_S);
}

/* The first that fits. */
static const struct {
	enum err_id	seen;
	bool		(*when)(const struct diagnose_facts *f);
	enum err_id	is;
} meanings[] = {
	{ ERR_GRANT_REVOKED, lost, ERR_GRANT_LOST_IN_TRANSIT },
	{ ERR_GRANT_REVOKED, foreign, ERR_GRANT_REUSED_ELSEWHERE },
	{ ERR_GRANT_REVOKED, test_mode, ERR_GRANT_TEST_MODE },
	{ ERR_GRANT_REVOKED, skewed, ERR_CLOCK_SKEW },	/* of a JWT bearer grant */
	{ ERR_GRANT_REVOKED, absolute, ERR_GRANT_EXPIRED_ABSOLUTE },
	{ ERR_GRANT_REVOKED, idle, ERR_GRANT_EXPIRED_IDLE },
	{ ERR_GRANT_REVOKED, displaced, ERR_GRANT_DISPLACED },
	{ ERR_CLIENT_SECRET_WRONG, skewed, ERR_CLOCK_SKEW },
	{ ERR_CLIENT_SECRET_WRONG, secret_ended, ERR_CLIENT_SECRET_EXPIRED },
};

enum err_id
diagnose(enum err_id seen, const struct diagnose_facts *f)
{
	for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
		if (meanings[i].seen == seen && meanings[i].when(f))
			return meanings[i].is;
	return seen;
}

int64_t
diagnose_limit_s(enum err_id id, const struct diagnose_facts *f)
{
	switch (id) {
	case ERR_GRANT_TEST_MODE:
		return f->test_s;
	case ERR_GRANT_EXPIRED_ABSOLUTE:
		return f->absolute_s != 0 ? f->absolute_s :
		    f->refresh_expires > f->signed_in ? f->refresh_expires - f->signed_in : 0;
	case ERR_GRANT_EXPIRED_IDLE:
		return f->idle_s != 0 ? f->idle_s :
		    f->refresh_expires > f->refresh_obtained ?
		    f->refresh_expires - f->refresh_obtained : 0;
	default:
		return 0;
	}
}

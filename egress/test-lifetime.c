#include "tests/unit.h"

#include "egress/lifetime.h"

/* Row 18: what a provider says of a token's end. V is JSON. */
static const struct { const char *v; enum expiry_unit unit; uint32_t in; int64_t at; } lives[] = {
	{ "3600", EXPIRY_AUTO, 3600, 0 }, { "\"3600\"", EXPIRY_AUTO, 3600, 0 },
	{ "3599.9", EXPIRY_AUTO, 3599, 0 }, { "0.2", EXPIRY_AUTO, 1, 0 },
	{ "\"28800.0\"", EXPIRY_AUTO, 28800, 0 }, { "0", EXPIRY_AUTO, 0, 0 },
	{ "-1", EXPIRY_AUTO, 0, 0 }, { "\"\"", EXPIRY_AUTO, 0, 0 }, { "null", EXPIRY_AUTO, 0, 0 },
	{ "true", EXPIRY_AUTO, 0, 0 }, { "[]", EXPIRY_AUTO, 0, 0 }, { "\"0x10\"", EXPIRY_AUTO, 0, 0 },
	{ "\"nan\"", EXPIRY_AUTO, 0, 0 }, { "\"inf\"", EXPIRY_S, 0, 0 }, { "1e300", EXPIRY_S, 0, 0 },
	{ "\"3600s\"", EXPIRY_AUTO, 0, 0 }, { "315360000", EXPIRY_AUTO, 315360000, 0 },
	{ "1893456000", EXPIRY_AUTO, 0, 1893456000 }, { "\"1893456000000\"", EXPIRY_AUTO, 0,
	    1893456000 }, { "1893456000123.5", EXPIRY_AUTO, 0, 1893456000 },
	{ "\"2030-01-01T00:00:00Z\"", EXPIRY_AUTO, 0, 1893456000 },
	{ "3600000", EXPIRY_MS, 3600, 0 }, { "\"500\"", EXPIRY_MS, 1, 0 }, { "0", EXPIRY_MS, 0, 0 },
	{ "1893456000", EXPIRY_EPOCH_S, 0, 1893456000 }, { "3600", EXPIRY_EPOCH_S, 0, 0 },
	{ "1893456000000", EXPIRY_EPOCH_MS, 0, 1893456000 }, { "1e300", EXPIRY_EPOCH_MS, 0, 0 },
	{ "\"2030-01-01T00:00:00.123456Z\"", EXPIRY_ISO8601, 0, 1893456000 },
	{ "\"2030-01-01T01:30:00+01:30\"", EXPIRY_ISO8601, 0, 1893456000 },
	{ "\"2029-12-31T19:00:00-0500\"", EXPIRY_ISO8601, 0, 1893456000 },
	{ "\"2030-01-01 00:00:00\"", EXPIRY_ISO8601, 0, 1893456000 },
	{ "\"2030-13-01T00:00:00Z\"", EXPIRY_ISO8601, 0, 0 },
	{ "\"2030-01-01T24:00:00Z\"", EXPIRY_ISO8601, 0, 0 },
	{ "\"2030-01-01\"", EXPIRY_ISO8601, 0, 0 }, { "\"2030-01-01T00:00:00 or so\"",
	    EXPIRY_ISO8601, 0, 0 }, { "\"-030-01-01T00:00:00Z\"", EXPIRY_ISO8601, 0, 0 },
	{ "\"1000-01-01T00:00:00Z\"", EXPIRY_ISO8601, 0, 0 }, { "3600", EXPIRY_ISO8601, 0, 0 },
	{ "\"0:04:00\"", EXPIRY_D_HH_MM, 14400, 0 }, { "\"1:00:01\"", EXPIRY_D_HH_MM, 86460, 0 },
	{ "\"0:00:00\"", EXPIRY_D_HH_MM, 0, 0 }, { "\"0:25:00\"", EXPIRY_D_HH_MM, 0, 0 },
	{ "\"1:00\"", EXPIRY_D_HH_MM, 0, 0 }, { "\"-1:00:00\"", EXPIRY_D_HH_MM, 0, 0 },
	{ "\"1:00:00:00\"", EXPIRY_D_HH_MM, 0, 0 }, { "60", EXPIRY_D_HH_MM, 0, 0 },
};

TEST(row_18_an_end_in_every_unit)
{
	for (size_t i = 0; i < sizeof lives / sizeof *lives; i++) {
		json_auto_t *v = json_loads(lives[i].v, JSON_DECODE_ANY, NULL);
		struct lifetime l = lifetime_of(v, lives[i].unit);

		if (l.in_s != lives[i].in || l.at != lives[i].at)
			fail_msg("%s as %d: in %u at %lld", lives[i].v, lives[i].unit, l.in_s,
			    (long long)l.at);
	}
	T_EQ(lifetime_of(NULL, EXPIRY_ISO8601).at, 0);
	T_EQ(lifetime_of(NULL, EXPIRY_D_HH_MM).in_s, 0);
}

int
main(void)
{
	return unit_run();
}

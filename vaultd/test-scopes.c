#include "tests/unit.h"

#include "common/errors.h"
#include "vaultd/scopes.h"

static struct connector
connector(void)
{
	static char need[] = "openid", other[] = "https://{host}/.default", usual[] = "read";

	return (struct connector){ .nvars = 1, .var[0] = { .name = (char *)"host" },
		.scopes_mandatory = { need, other }, .nmandatory = 2,
		.scopes_default = { usual }, .ndefault = 1 };
}

TEST(row_25_what_is_mandatory_is_always_asked_for_and_the_first_that_speaks_counts)
{
	static const char *const preset[] = { "team" };
	struct connector k = connector();
	struct app app = { .scope = "of the app", .vars = { .n = 1, .v = { { "host", "a.b" } } } };
	struct policy_byoa policy = { .scopes = preset, .nscopes = 1 };
	struct strings asked = { { "mine", "openid" }, 2 }, none = { 0 };
	struct scopes_from from = { &asked, &policy, &app, &k };
	char text[EX_SCOPE];
	struct err e = { 0 };

	T_DO(scopes_choose(&from, text, sizeof text, &e), e);
	T_STR(text, "openid https://a.b/.default mine");
	from.asked = &none;
	T_DO(scopes_choose(&from, text, sizeof text, &e), e);
	T_STR(text, "openid https://a.b/.default team");
	policy.scopes = NULL;
	T_DO(scopes_choose(&from, text, sizeof text, &e), e);
	T_STR(text, "openid https://a.b/.default of the app");
	app.scope[0] = '\0';
	T_DO(scopes_choose(&from, text, sizeof text, &e), e);
	T_STR(text, "openid https://a.b/.default read");
}

TEST(row_25_what_is_no_scope_is_refused)
{
	struct connector k = { 0 };
	struct strings asked = { { "two words" }, 1 };
	struct scopes_from from = { .asked = &asked, .connector = &k };
	char text[EX_SCOPE], little[8];
	struct err e = { 0 };

	T_EQ(scopes_choose(&from, text, sizeof text, &e), V_INVALID);
	T_EQ(e.id, ERR_INVALID_PARAMETER);
	asked.v[0] = "too-long-for-it";
	T_EQ(scopes_choose(&from, little, sizeof little, &e), V_INVALID);
	T_HAS(e.text, "too many");
}

int
main(void)
{
	return unit_run();
}

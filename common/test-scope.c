#include "tests/unit.h"

#include "common/scope.h"
#include "common/suggest.h"

TEST(a_scope_is_one_printable_word)
{
	T_OK(scope_valid("read:user"));
	T_OK(scope_valid("https://www.googleapis.com/auth/drive"));
	T_NOT(scope_valid(""));
	T_NOT(scope_valid("a b"));
	T_NOT(scope_valid("a\"b"));
	T_NOT(scope_valid("a\\b"));
	T_NOT(scope_valid("a\n"));
	T_NOT(scope_valid("\xc3\xa9"));
}

TEST(a_scope_is_found_whole)
{
	T_OK(scope_has("repo", "repo"));
	T_OK(scope_has("read:user repo", "repo"));
	T_OK(scope_has("repo_all repo", "repo"));
	T_NOT(scope_has("repo_all", "repo"));
	T_NOT(scope_has("my.repo", "repo"));
	T_NOT(scope_has("", "repo"));
	T_NOT(scope_has("repo", ""));
}

TEST(a_scope_is_added_once_and_never_cut)
{
	char list[12] = "";

	T_OK(scope_add(list, sizeof list, "openid"));
	T_OK(scope_add(list, sizeof list, "openid"));
	T_STR(list, "openid");
	T_NOT(scope_add(list, sizeof list, "email"));
	T_STR(list, "openid");
	T_OK(scope_add(list, sizeof list, "mail"));
	T_STR(list, "openid mail");
}

TEST(the_closest_name_is_suggested)
{
	static const char *const names[] = { "policies", "roles", "grants" };
	char text[SUGGEST_TEXT];

	T_STR(suggest_text("polices", names, 3, text), "policies");
	T_STR(text, "; did you mean 'policies'?");
	assert_null(suggest_text("mandatory", names, 3, text));
	T_STR(text, "");
}

int
main(void)
{
	return unit_run();
}

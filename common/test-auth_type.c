#include "tests/unit.h"

#include "common/auth_type.h"

TEST(every_word_is_a_type_and_every_type_a_word)
{
	char text[] = AUTH_TYPE_WORDS, *at = text, *word;
	unsigned all = 0;
	enum auth_type t;

	while ((word = strsep(&at, " ")) != NULL) {
		T_OK(auth_type_parse(word, &t));
		T_STR(auth_type_name(t), word);
		T_OK(auth_type_flags(t) != 0);
		all |= t;
	}
	T_EQ(all, AUTH_TYPE_END - 1);
	T_NOT(auth_type_parse("saml", &t));
	T_STR(auth_type_name(0), "unknown");
	T_STR(auth_type_name(3), "unknown");
}

TEST(what_is_static_is_not_renewed)
{
	for (unsigned t = 1; t < AUTH_TYPE_END; t <<= 1) {
		unsigned f = auth_type_flags(t);

		T_EQ(!(f & AUTH_STATIC), !!(f & AUTH_RENEWS));
		T_EQ(f & AUTH_REMINTS && f & AUTH_NEEDS_USER, 0);
	}
}

TEST(every_word_is_a_client_authentication)
{
	char text[] = CLIENT_AUTH_WORDS, *at = text, *word;
	int n = 0;
	enum client_auth a;

	while ((word = strsep(&at, " ")) != NULL) {
		T_OK(client_auth_parse(word, &a));
		T_EQ(a, n++);
		T_STR(client_auth_name(a), word);
	}
	T_EQ(n, CLIENT_AUTH_END);
	assert_null(client_auth_words[n]);
	T_STR(client_auth_name(CLIENT_AUTH_END), "unknown");
}

int
main(void)
{
	return unit_run();
}

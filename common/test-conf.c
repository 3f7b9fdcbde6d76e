#include "tests/unit.h"

#include "common/auto.h"
#include "common/conf.h"

struct sample { char *name, *dir; unsigned n, t; size_t size; bool on; struct conf_list l; };

static const struct conf_key keys[] = {
	{ "name", CONF_STR, offsetof(struct sample, name), "x", "" },
	{ "dir", CONF_PATH, offsetof(struct sample, dir), NULL, "" },
	{ "n", CONF_UINT, offsetof(struct sample, n), "3", "" },
	{ "t", CONF_SECONDS, offsetof(struct sample, t), "2m", "" },
	{ "size", CONF_SIZE, offsetof(struct sample, size), "4k", "" },
	{ "on", CONF_BOOL, offsetof(struct sample, on), "yes", "" },
	{ "l", CONF_LIST, offsetof(struct sample, l), NULL, "" },
	{ 0 },
};

static int
load(const char *text, struct sample *s, struct err *e)
{
	char path[] = "/tmp/test-conf.XXXXXX";
	int fd = mkstemp(path), rc;

	T_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	memset(s, 0, sizeof *s);
	rc = conf_load(keys, path, s, e);
	unlink(path);
	return rc;
}

TEST(defaults_and_values)
{
	struct sample s;
	struct err e = { 0 };

	T_DO(load("# comment\n\nname = a b \nsize=2M\nl = 1\nl = 2\non = no\n", &s, &e), e);
	T_STR(s.name, "a b");
	T_STR(s.dir, "");
	T_EQ(s.n, 3);
	T_EQ(s.t, 120);
	T_EQ(s.size, 2 << 20);
	T_NOT(s.on);
	T_EQ(s.l.n, 2);
	conf_free(keys, &s);
}

TEST(mistakes_say_where_and_what)
{
	static const struct { const char *text, *says; } table[] = {
		{ "name = a\nnam = b\n", ":2: unknown key 'nam'" },
		{ "n = 1\nn = 2\n", ":2: 'n' stands twice" },
		{ "n = -1\n", ":1: 'n' must be a number" },
		{ "n = 99999999999\n", "must be a number" },
		{ "size = 2X\n", "must be a size" },
		{ "size = 99999999999T\n", "must be a size" },
		{ "t = soon\n", "must be a time" },
		{ "on = true\n", "must be yes or no" },
		{ "dir = here\n", "must be an absolute path" },
		{ "nothing\n", "expected `key = value`" },
	};
	struct sample s;
	struct err e = { 0 };

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		T_EQ(load(table[i].text, &s, &e), V_INVALID);
		T_HAS(e.text, table[i].says);
	}
	T_EQ(conf_load(keys, "/nonexistent", &s, &e), V_IO);
}

int
main(void)
{
	return unit_run();
}

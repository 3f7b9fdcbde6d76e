/*
 * test-binding.c - the binding file: what is written is read back, and nothing else is
 * taken for one.
 */
#include "pkcs11/binding.h"

#include "common/auto.h"
#include "pkcs11/statefile.h"
#include "tests/unit.h"

static char dir[64];

static void
fresh(void)
{
	unit_dir("binding", dir);
}

static struct binding
sample(void)
{
	struct binding b = { .vault = id_new(), .n = 2 };

	for (size_t i = 0; i < b.n; i++) {
		b.kek[i] = (struct binding_kek){ .purpose = i == 0 ? PURPOSE_GRANT :
			PURPOSE_RELEASE, .generation = 7, .current = true, .kcv_len = 90 };
		snprintf(b.kek[i].id, sizeof b.kek[i].id, "%016zx", i + 1);
		random_bytes(b.kek[i].kcv, b.kek[i].kcv_len);
	}
	return b;
}

TEST(what_is_written_is_read_back_and_never_replaced)
{
	struct binding b = sample(), got;
	struct err e;

	fresh();
	T_EQ(binding_load(dir, &got, &e), V_NOT_FOUND);
	T_DO(binding_create(dir, &b, &e), e);
	T_DO(binding_load(dir, &got, &e), e);
	T_OK(binding_equal(&b, &got));
	T_EQ(binding_create(dir, &b, &e), V_CONFLICT);
	got.kek[1].current = false;
	T_NOT(binding_equal(&b, &got));
	T_EQ(binding_create(dir, &got, &e), V_CORRUPT);
}

TEST(edited_files_are_refused)
{
#define HEAD "vaultd-binding 1\nvault 00112233445566778899aabbccddeeff\n"
#define G    "kek 00000000000000aa grant 1 current 0102\n"
#define REL  "kek 00000000000000bb release 1 current 0102\n"
	static const struct {
		const char	*text;
		int		 code;
	} rows[] = {
		{ HEAD G REL "end\n", 0 },
		{ HEAD G REL "kek 00000000000000cc grant 2 previous 01\nend\n", 0 },
		{ "", V_CORRUPT },
		{ HEAD G REL, V_CORRUPT },			/* cut */
		{ HEAD G REL "end", V_CORRUPT },
		{ HEAD G REL "end\nmore\n", V_CORRUPT },
		{ HEAD G "end\n", V_CORRUPT },			/* a purpose is missing */
		{ HEAD G REL "kek 00000000000000cc grant 2 current 01\nend\n", V_CORRUPT },
		{ HEAD G REL "kek 00000000000000aa grant 2 previous 01\nend\n", V_CORRUPT },
		{ HEAD G "kek 00000000000000bb release 1 current 012\nend\n", V_CORRUPT },
		{ HEAD G "kek 00000000000000bb release 1 current 01 x\nend\n", V_CORRUPT },
		{ HEAD G "kek 00000000000000bb release 0 current 01\nend\n", V_CORRUPT },
		{ HEAD G "kek 00000000000000bb release -1 current 01\nend\n", V_CORRUPT },
		{ HEAD G "kek 00000000000000bb other 1 current 01\nend\n", V_CORRUPT },
		{ HEAD G "kek 00000000000000b release 1 current 01\nend\n", V_CORRUPT },
		{ "vaultd-binding 2\n" REL G "end\n", V_CORRUPT },
		{ "vaultd-binding 1\nvault 00000000000000000000000000000000\n" G REL "end\n",
		    V_CORRUPT },
	};
	struct binding b;
	struct err e;

	fresh();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct slice text = { rows[i].text, strlen(rows[i].text) };

		T_DO(statefile_write(dir, "binding", text, false, &e), e);
		if (binding_load(dir, &b, &e) != rows[i].code)
			fail_msg("row %zu: %s", i, e.text);
	}
}

int
main(void)
{
	return unit_run();
}

/*
 * test-guard.c - who may try which PIN, as a table, and what stays on disk.
 */
#include "pkcs11/guard.h"

#include "common/auto.h"
#include "tests/unit.h"

static char dir[64];
static const CK_TOKEN_INFO token = { .serialNumber = "0123456789abcde",
	.manufacturerID = "maker", .model = "model" };

static void
fresh(void)
{
	static bool done;
	struct err e;

	if (!done)
		T_DO(secret_arena_init(65536, true, &e), e);
	done = true;
	unit_dir("guard", dir);
}

/* 0 = may try; the attempt ends with OUTCOME, or not at all if that is 9. */
static int
try(const char *pin, CK_FLAGS flags, enum guard_mode mode, int outcome)
{
	struct guard g = GUARD_INIT;
	CK_TOKEN_INFO info = token;
	AUTO(secret) s = { 0 };
	struct err e;
	int rc;

	info.flags = flags;
	T_DO(secret_set(&s, pin, strlen(pin), &e), e);
	rc = guard_enter(&g, dir, &info, &s, mode, &e);
	if (rc == 0 && outcome != 9)
		T_DO(guard_leave(&g, outcome, "CKR_PIN_INCORRECT", &e), e);
	guard_done(&g);
	return rc;
}

#define LOW CKF_USER_PIN_COUNT_LOW
#define CRASH 9

TEST(one_failed_or_unexplained_try_per_pin)
{
	static const struct {
		const char	*pin;
		CK_FLAGS	 flags;
		enum guard_mode	 mode;
		int		 outcome, rc;
	} rows[] = {
		/* a refused PIN is dead, for persons too, until one insists */
		{ "wrong", 0, GUARD_SERVICE, GUARD_REFUSED, 0 },
		{ "wrong", 0, GUARD_SERVICE, GUARD_REFUSED, V_DENIED },
		{ "wrong", 0, GUARD_OPERATOR, GUARD_REFUSED, V_DENIED },
		/* another is not; with a low counter only a person may try it first */
		{ "right", LOW, GUARD_SERVICE, GUARD_WORKED, V_DENIED },
		{ "right", LOW, GUARD_OPERATOR, GUARD_WORKED, 0 },
		{ "right", LOW, GUARD_SERVICE, GUARD_WORKED, 0 },
		{ "wrong", 0, GUARD_SERVICE, GUARD_REFUSED, V_DENIED },
		/* a crash with a PIN that worked costs nothing while the counter is full */
		{ "right", 0, GUARD_SERVICE, CRASH, 0 },
		{ "right", 0, GUARD_SERVICE, CRASH, 0 },
		{ "right", LOW, GUARD_SERVICE, CRASH, V_DENIED },
		{ "right", 0, GUARD_SERVICE, GUARD_WORKED, 0 },
		/* a crash with an unknown PIN is a failure, an explained one is none */
		{ "new", 0, GUARD_SERVICE, GUARD_NO_TRY, 0 },
		{ "new", 0, GUARD_SERVICE, GUARD_UNEXPLAINED, 0 },
		{ "new", 0, GUARD_SERVICE, GUARD_WORKED, V_DENIED },
		{ "new", 0, GUARD_OPERATOR, GUARD_WORKED, V_DENIED },
		{ "new", 0, GUARD_FORCED, GUARD_WORKED, 0 },
		{ "new", 0, GUARD_SERVICE, GUARD_WORKED, 0 },
		{ "wrong", 0, GUARD_FORCED, GUARD_REFUSED, 0 },
		{ "wrong", 0, GUARD_SERVICE, GUARD_REFUSED, V_DENIED },
		/* nobody overrides the token */
		{ "right", CKF_USER_PIN_FINAL_TRY, GUARD_FORCED, GUARD_WORKED, V_DENIED },
		{ "right", CKF_USER_PIN_LOCKED, GUARD_FORCED, GUARD_WORKED, V_DENIED },
		{ "right", CKF_PROTECTED_AUTHENTICATION_PATH, GUARD_SERVICE, GUARD_WORKED,
		    V_DENIED },
	};

	fresh();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (try(rows[i].pin, rows[i].flags, rows[i].mode, rows[i].outcome) !=
		    rows[i].rc)
			fail_msg("row %zu", i);
}

TEST(many_wrong_pins_end_in_a_refusal_and_no_old_one_is_forgotten)
{
	char pin[32];

	fresh();
	for (int i = 0; i < GUARD_PINS; i++) {
		snprintf(pin, sizeof pin, "wrong-%d", i);
		T_EQ(try(pin, 0, GUARD_SERVICE, GUARD_REFUSED), 0);
	}
	T_EQ(try("one more", 0, GUARD_SERVICE, GUARD_WORKED), V_DENIED);
	T_EQ(try("wrong-0", 0, GUARD_SERVICE, GUARD_WORKED), V_DENIED);
	T_EQ(try("one more", 0, GUARD_FORCED, GUARD_WORKED), 0);
}

TEST(no_pin_on_disk_and_a_damaged_file_stops_the_service)
{
	char cmd[256];

	fresh();
	T_EQ(try("271828182845", 0, GUARD_SERVICE, GUARD_WORKED), 0);
	snprintf(cmd, sizeof cmd, "grep -rq 271828182845 %s", dir);
	T_NE(system(cmd), 0);
	snprintf(cmd, sizeof cmd, "for f in %s/pin-guard-*; do echo x >>$f; done", dir);
	T_EQ(system(cmd), 0);
	T_EQ(try("271828182845", 0, GUARD_SERVICE, GUARD_WORKED), V_DENIED);
	T_EQ(try("271828182845", 0, GUARD_FORCED, GUARD_WORKED), 0);
	T_EQ(try("271828182845", 0, GUARD_SERVICE, GUARD_WORKED), 0);
}

TEST(a_person_mends_a_file_whose_beginning_is_damaged)
{
	char cmd[256];

	fresh();
	T_EQ(try("right", 0, GUARD_SERVICE, GUARD_WORKED), 0);
	snprintf(cmd, sizeof cmd, "for f in %s/pin-guard-*; do sed -i 1d $f; done", dir);
	T_EQ(system(cmd), 0);
	T_EQ(try("right", 0, GUARD_SERVICE, GUARD_WORKED), V_DENIED);
	T_EQ(try("right", 0, GUARD_FORCED, GUARD_WORKED), 0);
	T_EQ(try("right", 0, GUARD_SERVICE, GUARD_WORKED), 0);
}

TEST(two_logins_at_once_are_one_after_the_other)
{
	struct guard g = GUARD_INIT;
	AUTO(secret) s = { 0 };
	struct err e;

	fresh();
	T_DO(secret_set(&s, "right", 5, &e), e);
	T_DO(guard_enter(&g, dir, &token, &s, GUARD_SERVICE, &e), e);
	T_EQ(try("right", 0, GUARD_SERVICE, GUARD_WORKED), V_BUSY);
	guard_done(&g);
}

int
main(void)
{
	return unit_run();
}

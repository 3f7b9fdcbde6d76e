/*
 * test-recover.c - what survives a kill, how long the waits are, and that the timer
 * really ends a process.
 */
#include "pkcs11/recover.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkcs11/ckr.h"
#include "tests/unit.h"

TEST(the_first_restart_is_at_once_then_waits_double_to_30_s)
{
	static const unsigned want[] = { 0, 0, 200, 400, 800, 1600, 3200, 6400, 12800, 25600,
		30000, 30000 };

	for (unsigned i = 0; i < sizeof want / sizeof *want; i++)
		T_EQ(recover_delay_ms(i), want[i]);
	T_EQ(recover_delay_ms(UINT32_MAX), 30000);
}

static void
hang(const char *dir)
{
	struct recover r;
	struct deadline d;
	struct err e;

	T_DO(recover_open(&r, dir, &e), e);
	recover_attempt(&r);
	T_DO(deadline_init(&d, r.note->call, &e), e);
	deadline_arm(&d, "C_Quick", 5000);
	deadline_disarm(&d);
	deadline_begin(&d, 50);
	deadline_arm(&d, "C_Slow", 5000);
	for (;;)
		pause();
}

TEST(a_hung_call_kills_and_leaves_its_name)
{
	char dir[64];
	struct recover r;
	struct err e;
	int status;

	unit_dir("recover", dir);
	for (unsigned i = 1; i <= 3; i++) {
		pid_t pid = fork();

		if (pid == 0)
			hang(dir);
		T_EQ(waitpid(pid, &status, 0), pid);
		T_OK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		if (i == 2)
			continue;
		T_DO(recover_open(&r, dir, &e), e);
		T_STR(r.died_in, "C_Slow");
		T_EQ(r.note->starts, i);
		recover_done(&r);
		T_DO(recover_open(&r, dir, &e), e);
		T_STR(r.died_in, "");		/* told once */
		recover_done(&r);
	}
	T_DO(recover_open(&r, dir, &e), e);
	T_OK(recover_wait_ms(&r) > 300 && recover_wait_ms(&r) <= 400);
	recover_ready(&r);
	T_EQ(recover_wait_ms(&r), 0);
	recover_done(&r);
}

TEST(codes_have_names_and_unknown_ones_count_as_the_module)
{
	T_STR(ckr_text(CKR_PIN_LOCKED).s, "CKR_PIN_LOCKED");
	T_STR(ckr_text(0x80000384).s, "CK_RV 0x80000384");
	T_EQ(ckr_class(0x80000384), CKR_IS_MODULE);
	T_EQ(ckr_class(CKR_GENERAL_ERROR), CKR_IS_MODULE);
	T_EQ(ckr_class(CKR_ENCRYPTED_DATA_INVALID), CKR_IS_REQUEST);
	T_EQ(ckr_class(CKR_SESSION_CLOSED), CKR_IS_SESSION);
}

int
main(void)
{
	return unit_run();
}

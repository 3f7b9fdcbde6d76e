/* Frames and bodies between the roles, and lines of the audit log. */
#include "common/auditlog.h"
#include "common/exchange.h"
#include "common/keyline.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct err e;

	(void)argc;
	(void)argv;
	return secret_arena_init(8 << 20, true, &e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct slice s = { p + 1, n - 1 };
	struct hello h;
	static struct seal_app sa;
	static struct begin b;
	static struct exchange x;
	static struct exchange_result res;
	static struct revoke rv;
	static struct pat pat;
	struct key_status ks;
	struct frame f;
	struct msg m;
	struct err e;
	uint64_t seq;
	char prev[65];

	if (n == 0)
		return 0;
	switch (p[0] % 9) {
	case 0:
		frame_parse(s, &f);
		break;
	case 1:
		hello_get(s, &h, &e);
		break;
	case 2:
		seal_app_get(s, &sa, &e);
		seal_app_done(&sa);
		break;
	case 3:
		begin_get(s, &b, &e);
		break;
	case 4:
		exchange_get(s, &x, &e);
		exchange_done(&x);
		break;
	case 5:
		msg_read(&m, s);
		if (exchange_result_get(&m, &res, &e) == 0)
			exchange_result_done(&res);
		break;
	case 6:
		revoke_get(s, &rv, &e);
		break;
	case 7:
		pat_get(s, &pat, &e);
		pat_done(&pat);
		break;
	case 8:
		key_status_get(s, &ks, &e);
		audit_line_parse(s, &seq, prev);
		break;
	}
	return 0;
}

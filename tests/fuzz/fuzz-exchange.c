/* Frames and bodies between the roles, and lines of the audit log. */
#include <string.h>

#include "common/auditlog.h"
#include "common/auto.h"
#include "common/envelope.h"
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
	static struct create create;
	static struct seal_app_result sar;
	static struct begin_result br;
	static struct revoke_result rr;
	struct introspect in;
	struct reseal rs;
	struct test_app ta = { 0 };
	struct test_app_result tr;
	static struct check ck;
	static struct check_result cr;
	static struct app_key_ask ak;
	static struct app_key_result akr;
	AUTO(secret) dek = { 0 };
	AUTO(buf) wrap = { 0 };
	struct wrap_view w;
	struct key_status ks;
	struct frame f;
	struct msg m;
	struct err e;
	uint64_t seq;
	char prev[65];

	if (n == 0)
		return 0;
	switch (p[0] % 19) {
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
		if (create_get(s, &create, &e) == 0)
			create_done(&create);
		break;
	case 8:
		key_status_get(s, &ks, &e);
		audit_line_parse(s, &seq, prev);
		break;
	case 9:
		if (seal_app_result_get(s, &sar, &e) == 0)
			seal_app_result_done(&sar);
		break;
	case 10:
		if (begin_result_get(s, &br, &e) == 0)
			begin_result_done(&br);
		break;
	case 11:
		revoke_result_get(s, &rr, &e);
		break;
	case 12:
		key_make_get(s, &dek, &wrap, &e);
		break;
	case 13:
		key_unwrap_get(s, &dek, &e);
		break;
	case 14:
		wrap_decode(s, &w, &e);
		msg_read(&m, s);
		msg_get_err(&m, &e);
		break;
	case 15:
		introspect_get(s, &in, &e);
		reseal_get(s, &rs, &e);
		break;
	case 16:
		test_app_get(s, &ta, &e);
		test_app_result_get(s, &tr, &e);
		break;
	case 17:
		check_get(s, &ck, &e);
		check_result_get(s, &cr, &e);
		break;
	case 18:
		if (app_key_ask_get(s, &ak, &e) == 0)
			must(strlen(ak.common_name) < sizeof ak.common_name);
		if (app_key_result_get(s, &akr, &e) == 0)
			app_key_result_done(&akr);
		break;
	}
	return 0;
}

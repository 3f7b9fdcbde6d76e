#include "tests/unit.h"

#include <sys/socket.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/exchange.h"
#include "common/frame.h"
#include "common/keyline.h"

TEST(what_is_put_is_got)
{
	AUTO(msg) m = { 0 };
	struct msg r;
	char text[16];
	struct err e;

	msg_put_u8(&m, 200);
	msg_put_u16(&m, 65000);
	msg_put_u64(&m, UINT64_MAX - 1);
	msg_put_str(&m, "hello");
	msg_put_bytes(&m, "\0\1", 2);
	msg_read(&r, msg_slice(&m));
	T_EQ(msg_get_u8(&r), 200);
	T_EQ(msg_get_u16(&r), 65000);
	T_OK(msg_get_u64(&r) == UINT64_MAX - 1);
	msg_get_str(&r, text, sizeof text);
	T_STR(text, "hello");
	T_EQ(msg_get_slice(&r).len, 2);
	T_EQ(msg_end(&r, "test", &e), 0);
}

TEST(short_long_and_damaged_messages_are_refused)
{
	AUTO(msg) m = { 0 };
	struct msg r;
	char text[4];
	struct err e;

	msg_put_str(&m, "too long");
	msg_read(&r, msg_slice(&m));
	msg_get_str(&r, text, sizeof text);
	T_OK(r.failed);
	msg_read(&r, (struct slice){ m.b.p, m.b.len - 1 });
	T_EQ(msg_get_slice(&r).len, 0);
	T_EQ(msg_end(&r, "it", &e), V_CORRUPT);
	msg_read(&r, msg_slice(&m));
	msg_get_u32(&r);
	T_EQ(msg_end(&r, "it", &e), V_CORRUPT);
	T_HAS(e.text, "8 bytes too many");
	msg_read(&r, (struct slice){ "\377\377\377\377", 4 });
	msg_get_slice(&r);
	T_OK(r.failed);
}

TEST(an_error_crosses_with_its_row_and_details)
{
	AUTO(msg) m = { 0 };
	struct err in = { 0 }, out = { 0 };
	struct msg r;

	err_name(&in, ERR_HSM_UNAVAILABLE, "the HSM is %s", "away");
	err_detail(&in, "state", "ABSENT");
	err_detail(&in, "not-listed", "x");
	msg_put_err(&m, &in);
	msg_read(&r, msg_slice(&m));
	msg_get_err(&r, &out);
	T_NOT(r.failed);
	T_EQ(out.id, ERR_HSM_UNAVAILABLE);
	T_EQ(out.code, V_UNAVAILABLE);
	T_STR(out.text, "the HSM is away");
	T_STR(err_detail_get(&out, "state"), "ABSENT");
	T_OK(err_detail_get(&out, "not-listed") == NULL);
}

TEST(frames_are_cut_whole)
{
	AUTO(buf) b = { 0 };
	struct frame f = { .id = 7, .op = 3, .deadline_ms = 100, .body = { "body", 4 } }, g;

	T_OK(frame_pack(&b, &f));
	for (size_t n = 0; n < b.len; n++)
		T_EQ(frame_parse((struct slice){ b.p, n }, &g), 0);
	T_EQ(frame_parse(buf_slice(&b), &g), (ssize_t)b.len);
	T_EQ(g.id, 7);
	T_EQ(g.op, 3);
	T_EQ(g.body.len, 4);
	b.p[0] = 0xff;
	T_EQ(frame_parse(buf_slice(&b), &g), -1);
}

TEST(a_silent_peer_is_a_time_out_and_a_gone_one_is_unavailable)
{
	AUTO(secret) in = { 0 };
	struct frame f;
	struct err e;
	int s[2];

	T_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	T_EQ(frame_recv(s[0], &in, &f, 20, &e), V_TIMEOUT);
	close(s[1]);
	T_EQ(frame_recv(s[0], &in, &f, 20, &e), V_UNAVAILABLE);
	close(s[0]);
}

TEST(every_error_row_is_whole)
{
	for (unsigned i = ERR_NONE; i < ERR_MAX; i++) {
		const struct err_row *r = err_row(i);

		T_OK(r->name != NULL && r->advice != NULL && *r->advice != '\0');
		T_OK(r->code >= V_INVALID && r->code <= V_INTERNAL);
		T_OK(strchr(r->name, '.') != NULL);
		for (unsigned k = ERR_INTERFACE_NOT_FOUND; k < i; k++)
			if (i != ERR_INTERNAL && k != ERR_NONE)
				T_OK(strcmp(err_row(k)->name, r->name) != 0);
	}
}

TEST(an_exchange_result_without_what_its_phase_promises_is_refused)
{
	struct exchange_result in = { .phase = PHASE_ANSWERED }, out = { 0 };
	AUTO(msg) m = { 0 };
	struct msg r;
	struct err e;

	exchange_result_put(&m, &in);	/* answered, and no token */
	msg_read(&r, msg_slice(&m));
	T_EQ(exchange_result_get(&r, &out, &e), V_CORRUPT);
}

int
main(void)
{
	struct err e;

	return secret_arena_init(256 << 10, false, &e) != 0 ? 1 : unit_run();
}

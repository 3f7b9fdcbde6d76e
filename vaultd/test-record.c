#include "tests/unit.h"

#include "common/auto.h"
#include "vaultd/record.h"

TEST(a_connection_round_trips_and_every_cut_is_refused)
{
	struct connection c = { .id = { { 1 } }, .folder = { { 2 } }, .name = "git",
		.connector = "github", .state = CONN_CONNECTED, .owner = 1000, .cause = 3,
		.cause_text = "why", .failures = 2, .created = 1700000000,
		.description = "for builds", .resume = CONN_DEGRADED, .skew_s = -90,
		.vars = { 1, { { "host", "git.example.com" } } } }, d;
	AUTO(buf) b = { 0 };
	struct err e = { 0 };

	T_DO(connection_encode(&c, &b, &e), e);
	T_DO(connection_decode(buf_slice(&b), &d, &e), e);
	T_STR(d.name, "git");
	T_EQ(d.owner, 1000);
	T_EQ(d.created, 1700000000);
	T_EQ(d.failures, 2);
	T_STR(d.description, "for builds");
	T_EQ(d.resume, CONN_DEGRADED);
	T_STR(ex_var(&d.vars, "host"), "git.example.com");
	T_EQ(d.skew_s, -90);
	for (size_t n = 0; n < b.len; n++)
		T_EQ(connection_decode((struct slice){ b.p, n }, &d, &e), V_CORRUPT);
	c.state = 99;
	buf_reset(&b);
	T_DO(connection_encode(&c, &b, &e), e);
	T_EQ(connection_decode(buf_slice(&b), &d, &e), V_CORRUPT);
}

TEST(a_binding_round_trips_and_every_cut_is_refused)
{
	struct binding a = { .id = { { 1 } }, .folder = { { 2 } }, .connection = { { 3 } },
		.of = { { 4 } }, .user = 4701, .consumer = "payroll", .name = "ledger",
		.connector = "openid", .overridable = true, .created = 1700000000 }, b;
	AUTO(buf) rec = { 0 };
	struct err e = { 0 };

	T_DO(binding_encode(&a, &rec, &e), e);
	T_DO(binding_decode(buf_slice(&rec), &b, &e), e);
	T_STR(b.consumer, "payroll");
	T_STR(b.name, "ledger");
	T_EQ(b.user, 4701);
	T_EQ(b.overridable, true);
	T_EQ(b.per_user, false);
	T_EQ(b.created, 1700000000);
	for (size_t n = 0; n < rec.len; n++)
		T_EQ(binding_decode((struct slice){ rec.p, n }, &b, &e), V_CORRUPT);
}

TEST(a_tombstone_round_trips_and_every_cut_is_refused)
{
	struct tombstone t = { .id = { { 1 } }, .name = "git", .connector = "github",
		.deleted = 1700000000, .deadline = 1700000900, .tries = 3, .deleted_by = 1000,
		.revocation = REVOCATION_SHARED, .cause = ERR_PROVIDER_DOWN, .cause_text = "503" }, d;
	AUTO(buf) b = { 0 };
	struct err e = { 0 };

	T_DO(tombstone_encode(&t, &b, &e), e);
	T_DO(tombstone_decode(buf_slice(&b), &d, &e), e);
	T_STR(d.name, "git");
	T_EQ(d.deadline, 1700000900);
	T_EQ(d.tries, 3);
	T_EQ(d.revocation, REVOCATION_SHARED);
	T_STR(d.cause_text, "503");
	for (size_t n = 0; n < b.len; n++)
		T_EQ(tombstone_decode((struct slice){ b.p, n }, &d, &e), V_CORRUPT);
	t.revocation = REVOCATION_END;
	buf_reset(&b);
	T_DO(tombstone_encode(&t, &b, &e), e);
	T_EQ(tombstone_decode(buf_slice(&b), &d, &e), V_CORRUPT);
}

TEST(a_session_round_trips_and_every_cut_is_refused)
{
	struct pending p = { .id = { { 1 } }, .connection = { { 2 } }, .uid = 1000, .name = "tv",
		.expires = 1700000000, .kind = EX_DEVICE, .user_code = "WDJB-MJHT",
		.verification_uri = "https://p.example/device", .interval_s = 10,
		.next_poll = 1699999000, .lost = true, .over = SESSION_FAILED,
		.cause = ERR_USER_DENIED, .cause_text = "no", .ngids = 2, .gids = { 1000, 27 },
		.unit = "job.service" }, d = { 0 };
	AUTO(buf) b = { 0 };
	struct err e = { 0 };

	T_DO(pending_encode(&p, &b, &e), e);
	T_DO(pending_decode(buf_slice(&b), &d, &e), e);
	T_STR(d.user_code, "WDJB-MJHT");
	T_STR(d.verification_uri, "https://p.example/device");
	T_EQ(d.interval_s, 10);
	T_EQ(d.next_poll, 1699999000);
	T_EQ(d.lost, true);
	T_EQ(d.over, SESSION_FAILED);
	T_EQ(d.cause, ERR_USER_DENIED);
	T_EQ(d.ngids, 2);
	T_EQ(d.gids[1], 27);
	T_STR(d.unit, "job.service");
	for (size_t n = 0; n < b.len; n++)
		T_EQ(pending_decode((struct slice){ b.p, n }, &d, &e), V_CORRUPT);
	p.kind = EX_REFRESH;
	buf_reset(&b);
	T_DO(pending_encode(&p, &b, &e), e);
	T_EQ(pending_decode(buf_slice(&b), &d, &e), V_CORRUPT);
}

TEST(a_session_of_format_1_is_read_as_one_with_a_browser)
{
	struct id id = { { 1 } };
	unsigned char hash[32] = { 3 };
	struct pending d;
	AUTO(msg) m = { 0 };
	struct err e = { 0 };

	memset(&d, 0, sizeof d);
	d.over = 7;
	d.ngids = 9;
	msg_put_u8(&m, 1);
	for (int i = 0; i < 4; i++)
		msg_put_id(&m, &id);
	msg_put_u8(&m, 1);
	msg_put_u32(&m, 1000);
	msg_put_raw(&m, hash, sizeof hash);
	msg_put_str(&m, "git");
	msg_put_str(&m, "http://127.0.0.1/callback");
	msg_put_str(&m, "repo");
	msg_put_u64(&m, 1700000000);
	msg_put_str(&m, "blob");
	msg_put_str(&m, "wrap");
	T_DO(pending_decode(msg_slice(&m), &d, &e), e);
	T_EQ(d.kind, EX_CODE);
	T_EQ(d.over, SESSION_WAITS);
	T_EQ(d.ngids, 0);
	T_EQ(d.reconnect, true);
	T_STR(d.name, "git");
	pending_done(&d);
}

/* As vaults wrote them before there was more to say. */
TEST(a_connection_of_format_1_is_read)
{
	static const char strings[] = "\0\0\0\3git\0\0\0\6github";
	struct connection d;
	AUTO(msg) m = { 0 };
	struct id id = { { 1 } };
	struct err e = { 0 };

	memset(&d, 0xff, sizeof d);
	msg_put_u8(&m, 1);
	for (int i = 0; i < 3; i++)
		msg_put_id(&m, &id);
	msg_put_raw(&m, strings, sizeof strings - 1);
	msg_put_u32(&m, 7);
	msg_put_u32(&m, AUTH_PAT);
	msg_put_u8(&m, CONN_CONNECTED);
	msg_put_u32(&m, 1000);
	for (int i = 0; i < 3; i++)
		msg_put_u64(&m, 5);
	for (int i = 0; i < 3; i++)
		msg_put_str(&m, "");
	msg_put_u16(&m, 0);
	msg_put_str(&m, "");
	msg_put_u64(&m, 0);
	msg_put_u32(&m, 0);
	msg_put_u64(&m, 0);
	msg_put_u64(&m, 0);
	T_DO(connection_decode(msg_slice(&m), &d, &e), e);
	T_STR(d.connector, "github");
	T_EQ(d.auth_type, AUTH_PAT);
	T_STR(d.description, "");
	T_EQ(d.vars.n, 0);
	T_EQ(d.last_checked, 0);
}

TEST(a_tag_binds_record_key_and_table)
{
	unsigned char key[32] = { 7 }, other[32] = { 8 };
	AUTO(buf) b = { 0 };
	struct slice body, k = { "key", 3 };

	buf_add(&b, "record", 6);
	record_tag(key, TABLE_CONNECTION, k, &b);
	T_EQ(b.len, 38);
	T_OK(record_tag_ok(key, TABLE_CONNECTION, k, buf_slice(&b), &body));
	T_EQ(body.len, 6);
	T_NOT(record_tag_ok(other, TABLE_CONNECTION, k, buf_slice(&b), &body));
	T_NOT(record_tag_ok(key, TABLE_FOLDER, k, buf_slice(&b), &body));
	T_NOT(record_tag_ok(key, TABLE_CONNECTION, (struct slice){ "kez", 3 }, buf_slice(&b),
	    &body));
	for (size_t i = 0; i < b.len; i++) {
		b.p[i] ^= 1;
		T_NOT(record_tag_ok(key, TABLE_CONNECTION, k, buf_slice(&b), &body));
		b.p[i] ^= 1;
	}
}

TEST(the_hot_view_reads_what_decode_reads)
{
	struct release r = { .version = 3, .obtained = 10, .expires = 20, .generation = 5 }, d = { 0 };
	struct release_view v;
	AUTO(buf) b = { 0 };
	struct err e = { 0 };

	buf_add(&r.blob, "sealed", 6);
	T_DO(release_encode(&r, &b, &e), e);
	T_OK(release_view(buf_slice(&b), &v));
	T_DO(release_decode(buf_slice(&b), &d, &e), e);
	T_EQ(v.version, d.version);
	T_EQ(v.expires, d.expires);
	T_EQ(v.generation, d.generation);
	T_EQ(v.blob.len, 6);
	release_done(&d);
	release_done(&r);
}

TEST(wraps_are_bounded)
{
	struct wraps w = { .n = 2 }, d = { 0 };
	AUTO(buf) b = { 0 };
	struct err e = { 0 };

	buf_add(&w.v[0], "a", 1);
	buf_add(&w.v[1], "b", 1);
	T_DO(wraps_encode(&w, &b, &e), e);
	T_DO(wraps_decode(buf_slice(&b), &d, &e), e);
	T_EQ(d.n, 2);
	wraps_done(&d);
	b.p[1] = 5;
	T_EQ(wraps_decode(buf_slice(&b), &d, &e), V_CORRUPT);
	wraps_done(&w);
}

int
main(void)
{
	struct err e;

	return secret_arena_init(64 << 10, false, &e) != 0 ? 1 : unit_run();
}

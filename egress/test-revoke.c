/*
 * How each provider is told that a grant is over: what goes over the wire, style by style, and
 * how its answer is read. Also where refreshes go when they have a URL of their own.
 */
#include "egress/test-rig.h"

#include "common/envelope.h"

static struct rig rig;

#define HEAD(n) "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " #n "\r\n\r\n"
#define REFUSED "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

struct stored {
	struct id	record;
	struct buf	blob, wrap;
};

static struct sealed
sealed_stored(const struct stored *s)
{
	return sealed_of(&s->record, 1, &s->blob, &s->wrap);
}

static void
stored_done(struct stored *s)
{
	buf_done(&s->blob);
	buf_done(&s->wrap);
}

static void
seal(struct stored *s, enum purpose p, const struct secret *plain)
{
	AUTO(secret) dek = { 0 };
	struct err e = { 0 };

	s->record = id_new();
	T_DO(keys_make(&rig.x, p, &s->record, &dek, &s->wrap, &e), e);
	T_DO(keys_seal(&rig.x, p, &s->record, 1, &dek, (struct slice){ plain->p, plain->len },
	    &s->blob, &e), e);
}

/* The catalogue of one connector "test", with MORE keys. */
static void
catalogue_of(const char *more)
{
	struct err e = { 0 };
	char text[2048];

	snprintf(text, sizeof text, "{\"id\":\"test\",\"name\":\"Test\",\"version\":1,"
	    "\"auth_types\":[\"oauth2_code\"],\"authorization_url\":\"https://127.0.0.1:%d/auth\","
	    "\"token_url\":\"https://127.0.0.1:%d/token\","
	    "\"revocation_url\":\"https://127.0.0.1:%d/revoke/{client_id}\",\"client_auth\":\"post\"%s}",
	    rig.port, rig.port, rig.port, more);
	rig_write(rig.catalogue, "test.json", text);
	catalogue_done(&rig.x.catalogue);
	T_DO(catalogue_load(rig.catalogue, &rig.x.catalogue, &e), e);
}

static void
store_tokens(struct stored *app, struct stored *grant, struct stored *release, bool refresh)
{
	AUTO(app_secret) a = { .client_id = "the client" };
	AUTO(grant_secret) g = { 0 };
	AUTO(secret) plain = { 0 }, fragment = { 0 };
	struct err e = { 0 };
	static const char text[] = "\"access_token\":\"at+1\",\"token_type\":\"Bearer\","
	    "\"scope\":\"\"";

	T_DO(destination_expand(catalogue_find(&rig.x.catalogue, "test"), &(struct ex_vars){ 0 },
	    "the-client", &a.d, &e), e);
	g.d = a.d;
	g.kind = EX_REFRESH;
	T_EQ(secret_set(&a.client_secret, "s3cr3t", 6, &e), 0);
	T_EQ(app_secret_put(&a, &plain, &e), 0);
	seal(app, PURPOSE_GRANT, &plain);
	secret_done(&plain);
	plain = (struct secret){ 0 };
	T_EQ(secret_set(&g.refresh_token, "rt/1", 4, &e), 0);
	T_EQ(grant_secret_put(&g, &plain, &e), 0);
	if (refresh)
		seal(grant, PURPOSE_GRANT, &plain);
	T_EQ(secret_set(&fragment, text, sizeof text - 1, &e), 0);
	seal(release, PURPOSE_RELEASE, &fragment);
}

/* Revokes; REFRESH: the grant has a refresh token. What was sent is in TEXT. */
static struct revoke_result
revoke_it(const char *more, bool refresh, const char *first, const char *second, char *text,
    size_t cap)
{
	struct stored app = { 0 }, grant = { 0 }, release = { 0 };
	struct revoke q = { .connection = id_new() };
	struct revoke_result res = { 0 };
	AUTO(msg) m = { 0 };
	struct err e = { 0 };
	struct job *j;

	catalogue_of(more);
	store_tokens(&app, &grant, &release, refresh);
	q.app = sealed_stored(&app);
	if (refresh)
		q.grant = sealed_stored(&grant);
	q.release = sealed_stored(&release);
	revoke_put(&m, &q);
	if (first != NULL)
		rig_serve_two(&rig, first, second);
	j = rig_ask(&rig, revoke_prepare, &m);
	if (j->rc != 0)
		fail_msg("%s", j->err.text);
	T_DO(revoke_result_get(msg_slice(&j->answer), &res, &e), e);
	job_free(j);
	if (first != NULL)
		rig_served(&rig, text, cap);
	stored_done(&app);
	stored_done(&grant);
	stored_done(&release);
	return res;
}

TEST(each_style_is_told_its_own_way)
{
	static const struct {
		const char *style;
		bool two;
		const char *has[5], *never;
	} table[] = {
		{ "rfc7009", true, { "POST /revoke/the-client HTTP/1.1", "token=rt%2F1",
		    "token_type_hint=refresh_token", "client_secret=s3cr3t", "token=at%2B1" },
		    "Authorization:" },
		{ "rfc7009_token_only", true, { "POST /revoke/the-client HTTP/1.1",
		    "token=rt%2F1", "token=at%2B1", "urlencoded" }, "s3cr3t" },
		{ "github", false, { "DELETE /revoke/the-client HTTP/1.1",
		    "Authorization: Basic dGhlIGNsaWVudDpzM2NyM3Q=", "{\"access_token\":\"at+1\"}",
		    "application/json" }, "rt/1" },
		{ "delete_bearer", false, { "DELETE /revoke/the-client HTTP/1.1",
		    "Authorization: Bearer at+1" }, "Content-Type" },
		{ "post_bearer", false, { "POST /revoke/the-client HTTP/1.1",
		    "Authorization: Bearer at+1", "Content-Length: 0" }, "Content-Type" },
		{ "query", false, { "POST /revoke/the-client?token=rt%2F1 HTTP/1.1" }, "s3cr3t" },
		{ "path", false, { "DELETE /revoke/the-client/rt%2F1 HTTP/1.1" }, "s3cr3t" },
		{ "client_header", false, { "POST /revoke/the-client HTTP/1.1",
		    "Authorization: Client s3cr3t",
		    "{\"client_id\":\"the client\",\"access_token\":\"at+1\"}" }, "rt/1" },
	};
	char more[100], text[16384];

	rig_new(&rig);
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct revoke_result res;

		snprintf(more, sizeof more, ",\"revoke\":\"%s\"", table[i].style);
		res = revoke_it(more, true, HEAD(0), table[i].two ? HEAD(0) : NULL, text,
		    sizeof text);
		if (!res.supported || !res.revoked)
			fail_msg("%s: %s", table[i].style, res.err.text);
		for (int k = 0; k < 5 && table[i].has[k] != NULL; k++)
			if (strstr(text, table[i].has[k]) == NULL)
				fail_msg("%s: no '%s' in: %s", table[i].style, table[i].has[k], text);
		if (strstr(text, table[i].never) != NULL)
			fail_msg("%s: '%s' in: %s", table[i].style, table[i].never, text);
	}
	rig_done(&rig);
}

TEST(what_has_no_way_is_not_asked)
{
	struct revoke_result res;

	rig_new(&rig);
	res = revoke_it(",\"revoke\":\"none\"", true, NULL, NULL, NULL, 0);
	T_OK(!res.supported && !res.revoked);
	rig_done(&rig);
}

TEST(without_a_refresh_token_the_access_token_stands_in)
{
	char text[8192];

	rig_new(&rig);
	T_OK(revoke_it(",\"revoke\":\"query\"", false, HEAD(0), NULL, text, sizeof text).revoked);
	T_HAS(text, "?token=at%2B1 ");
	T_OK(revoke_it(",\"revoke\":\"rfc7009\"", false, HEAD(0), NULL, text,
	    sizeof text).revoked);
	T_HAS(text, "token_type_hint=access_token");
	rig_done(&rig);
}

/* Slack answers 200 to anything. */
TEST(a_refusal_in_an_answer_of_200_is_one)
{
	static const char more[] = ",\"revoke\":\"post_bearer\",\"probe_success\":{\"ok\":\"true\"}";
	struct revoke_result res;
	char text[8192];

	rig_new(&rig);
	res = revoke_it(more, true, HEAD(12) "{\"ok\":false}", NULL, text, sizeof text);
	T_OK(res.supported && !res.revoked);
	T_EQ(res.err.id, ERR_PROVIDER_REFUSED);
	T_OK(revoke_it(more, true, HEAD(11) "{\"ok\":true}", NULL, text, sizeof text).revoked);
	res = revoke_it(more, true, REFUSED, NULL, text, sizeof text);
	T_OK(res.supported && !res.revoked);
	rig_done(&rig);
}

TEST(headers_of_the_provider_go_along)
{
	char text[8192];

	rig_new(&rig);
	T_OK(revoke_it(",\"revoke\":\"query\",\"headers\":{\"Notion-Version\":\"2022-06-28\"}", true,
	    HEAD(0), NULL, text, sizeof text).revoked);
	T_HAS(text, "\r\nNotion-Version: 2022-06-28\r\n");
	rig_done(&rig);
}

/* ---- refreshes, and what they are made of */

static void
refresh_it(const char *more, const struct ex_vars *vars, char *text, size_t cap)
{
	AUTO(app_secret) a = { .client_id = "client" };
	AUTO(grant_secret) g = { 0 };
	AUTO(secret) app = { 0 }, grant = { 0 };
	struct stored sa = { 0 }, sg = { 0 };
	struct exchange q = { .kind = EX_REFRESH, .attempt = id_new(), .connection = id_new(),
		.grant_version = 2, .release_version = 1 };
	struct exchange_result res = { 0 };
	AUTO(msg) m = { 0 };
	struct err e = { 0 };
	struct job *j;

	catalogue_of(more);
	T_DO(destination_expand(catalogue_find(&rig.x.catalogue, "test"), vars, "c", &a.d, &e), e);
	g.d = a.d;
	g.kind = EX_REFRESH;
	T_EQ(secret_set(&g.refresh_token, "rt-1", 4, &e), 0);
	T_EQ(app_secret_put(&a, &app, &e), 0);
	T_EQ(grant_secret_put(&g, &grant, &e), 0);
	seal(&sa, PURPOSE_GRANT, &app);
	seal(&sg, PURPOSE_GRANT, &grant);
	q.app = sealed_stored(&sa);
	q.secret = sealed_stored(&sg);
	exchange_put(&m, &q);
	rig_serve(&rig, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 21\r\n\r\n"
	    "{\"access_token\":\"at\"}");
	j = rig_ask(&rig, exchange_prepare, &m);
	rig_result(j, NULL, &res);
	rig_served(&rig, text, cap);
	T_EQ(res.phase, PHASE_ANSWERED);
	exchange_result_done(&res);
	job_free(j);
	stored_done(&sa);
	stored_done(&sg);
}

TEST(a_refresh_goes_to_its_own_url_with_its_own_parameters)
{
	struct ex_vars vars = { .n = 1, .v = { { "aud", "https://api.example/v2?x={y}" } } };
	char text[8192], more[600];

	rig_new(&rig);
	snprintf(more, sizeof more, ",\"refresh_url\":\"https://127.0.0.1:%d/elsewhere\","
	    "\"token_params\":{\"audience\":\"{aud}\",\"odd\":\"{\"},"
	    "\"refresh_params\":{\"grace\":\"1\"},\"headers\":{\"X-V\":\"3\"},"
	    "\"variables\":{\"aud\":{\"text\":true}}", rig.port);
	refresh_it(more, &vars, text, sizeof text);
	T_HAS(text, "POST /elsewhere HTTP/1.1");
	T_HAS(text, "audience=https%3A%2F%2Fapi.example%2Fv2%3Fx%3D%7By%7D");
	T_HAS(text, "&odd=%7B&");
	T_HAS(text, "&grace=1&");
	T_HAS(text, "\r\nX-V: 3\r\n");
	refresh_it("", &(struct ex_vars){ 0 }, text, sizeof text);
	T_HAS(text, "POST /token HTTP/1.1");
	T_OK(strstr(text, "grace") == NULL);
	rig_done(&rig);
}

/* A destination as it was sealed before it had a refresh URL is still read, and is the same one as
 * what is made of it now. */
TEST(destinations_sealed_before_are_read)
{
	AUTO(msg) m = { 0 }, again = { 0 };
	struct destination d = { 0 }, d2 = { 0 };
	struct msg in;
	struct err e = { 0 };

	msg_put_str(&m, "test");
	msg_put_u32(&m, 4);
	for (int i = 0; i < 9; i++)
		msg_put_str(&m, i == 2 ? "https://a.example/token" : "");
	msg_put_u8(&m, CLIENT_POST);
	msg_read(&in, msg_slice(&m));
	destination_get(&in, &d);
	T_DO(msg_end(&in, "destination", &e), e);
	T_STR(d.connector, "test");
	T_EQ(d.version, 4);
	T_STR(destination_refresh_url(&d), "https://a.example/token");
	destination_put(&again, &d);
	msg_read(&in, msg_slice(&again));
	destination_get(&in, &d2);
	T_DO(msg_end(&in, "destination", &e), e);
	T_OK(destination_equal(&d, &d2));
	snprintf(d2.refresh_url, sizeof d2.refresh_url, "https://a.example/other");
	T_OK(!destination_equal(&d, &d2));
}

/* ---- test calls */

static int
probe_it(const char *more, const char *answer, char *text, size_t cap, struct err *e)
{
	struct create q = { .connection = id_new(), .release_version = 1, .connector = "test",
		.auth_type = AUTH_PAT, .secrets = { .n = 1, .v = { { .name = "token" } } } };
	AUTO(msg) m = { 0 };
	struct job *j;
	char all[1024];
	int rc;

	snprintf(all, sizeof all, ",\"probe_url\":\"https://127.0.0.1:%d/me\"%s", rig.port, more);
	catalogue_of(all);
	rig.x.catalogue.v[0].auth_types |= AUTH_PAT;
	T_EQ(secret_set(&q.secrets.v[0].value, "key+1", 5, e), 0);
	msg_secret(&m);
	create_put(&m, &q);
	create_done(&q);
	rig_serve(&rig, answer);
	j = rig_ask(&rig, create_prepare, &m);
	rc = j->rc;
	*e = j->err;
	job_free(j);
	rig_served(&rig, text, cap);
	return rc;
}

/* Row 26: one read-only call at creation tells a bad secret. */
TEST(row_26_the_test_call_is_as_the_provider_wants_it)
{
	struct err e;
	char text[8192];

	rig_new(&rig);
	T_EQ(probe_it("", HEAD(2) "{}", text, sizeof text, &e), 0);
	T_HAS(text, "GET /me HTTP/1.1");
	T_HAS(text, "\r\nAuthorization: Bearer key+1\r\n");
	T_EQ(probe_it(",\"probe_method\":\"POST\",\"probe_body\":\"{\\\"query\\\":\\\"{ me }\\\"}\","
	    "\"token_header\":\"X-Access\",\"token_prefix\":\"\"", HEAD(2) "{}", text, sizeof text,
	    &e), 0);
	T_HAS(text, "POST /me HTTP/1.1");
	T_HAS(text, "\r\nX-Access: key+1\r\n");
	T_HAS(text, "\r\n\r\n{\"query\":\"{ me }\"}");
	T_OK(strstr(text, "Authorization:") == NULL);
	T_EQ(probe_it(",\"probe_method\":\"POST\",\"probe_token\":\"form\"", HEAD(2) "{}", text,
	    sizeof text, &e), 0);
	T_HAS(text, "\r\n\r\naccess_token=key%2B1");
	T_NE(probe_it(",\"probe_success\":{\"a.ok\":\"true\"}", HEAD(18) "{\"a\":{\"ok\":false}}",
	    text, sizeof text, &e), 0);
	T_EQ(e.id, ERR_KEY_REJECTED);
	T_EQ(probe_it(",\"probe_success\":{\"a.ok\":\"true\"}", HEAD(17) "{\"a\":{\"ok\":true}}",
	    text, sizeof text, &e), 0);
	rig_done(&rig);
}

int
main(void)
{
	struct err e;

	signal(SIGPIPE, SIG_IGN);
	http_init();
	if (secret_arena_init(1 << 20, true, &e) != 0)
		return 1;
	return unit_run();
}

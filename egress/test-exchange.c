#include "egress/test-rig.h"

#include "common/envelope.h"

static struct rig rig;

/* ---- what vaultd would have stored */

struct stored {
	struct id	record;
	uint64_t	version;
	struct buf	blob, wrap;
};

static void
stored_done(struct stored *s)
{
	buf_done(&s->blob);
	buf_done(&s->wrap);
}

static struct sealed
sealed_stored(const struct stored *s)
{
	return sealed_of(&s->record, s->version, &s->blob, &s->wrap);
}

static void
seal_plain(struct stored *s, const struct secret *plain)
{
	AUTO(secret) dek = { 0 };
	struct err e = { 0 };

	s->record = id_new();
	s->version = 1;
	T_DO(keys_make(&rig.x, PURPOSE_GRANT, &s->record, &dek, &s->wrap, &e), e);
	T_DO(keys_seal(&rig.x, PURPOSE_GRANT, &s->record, s->version, &dek,
	    (struct slice){ plain->p, plain->len }, &s->blob, &e), e);
}

static void
destination_of(const char *host, struct destination *d)
{
	const struct connector *c = catalogue_find(&rig.x.catalogue, "test");
	struct ex_vars v = { .n = 1 };
	struct err e = { 0 };

	*d = (struct destination){ 0 };
	snprintf(v.v[0].name, EX_NAME, "host");
	snprintf(v.v[0].value, sizeof v.v[0].value, "%s", host);
	T_DO(destination_expand(c, &v, "client", d, &e), e);
}

static void
store_app(struct stored *s, const char *host)
{
	AUTO(app_secret) app = { .client_id = "client" };
	AUTO(secret) plain = { 0 };
	struct err e;

	destination_of(host, &app.d);
	T_EQ(secret_set(&app.client_secret, "s3cr3t-client", 13, &e), 0);
	T_EQ(app_secret_put(&app, &plain, &e), 0);
	seal_plain(s, &plain);
}

static void
store_flow(struct stored *s, const char *host)
{
	AUTO(flow_secret) f = { .redirect_uri = "http://127.0.0.1/cb" };
	AUTO(secret) plain = { 0 };
	struct err e;

	destination_of(host, &f.d);
	T_EQ(secret_set(&f.verifier, "the-verifier", 12, &e), 0);
	T_EQ(flow_secret_put(&f, &plain, &e), 0);
	seal_plain(s, &plain);
}

static void
store_grant(struct stored *s, const char *host)
{
	AUTO(grant_secret) g = { 0 };
	AUTO(secret) plain = { 0 };
	struct err e;

	destination_of(host, &g.d);
	g.kind = EX_REFRESH;
	T_EQ(secret_set(&g.refresh_token, "rt-one-the-spent", 16, &e), 0);
	T_EQ(grant_secret_put(&g, &plain, &e), 0);
	seal_plain(s, &plain);
}

/* ---- one exchange */

struct asked {
	struct exchange		 q;
	struct stored		 app, secret;
	struct job		*job;
	struct exchange_result	 res;
};

static void
asked_done(struct asked *a)
{
	stored_done(&a->app);
	stored_done(&a->secret);
	exchange_done(&a->q);
	exchange_result_done(&a->res);
	if (a->job != NULL)
		job_free(a->job);
}

static void
prepare(struct asked *a, enum exchange_kind kind)
{
	struct err e;

	store_app(&a->app, "127.0.0.1");
	if (kind == EX_CODE)
		store_flow(&a->secret, "127.0.0.1");
	else
		store_grant(&a->secret, "127.0.0.1");
	a->q = (struct exchange){ .kind = kind, .attempt = id_new(), .connection = id_new(),
		.grant_version = 7, .release_version = 3, .scope = "files" };
	a->q.app = sealed_stored(&a->app);
	a->q.secret = sealed_stored(&a->secret);
	if (kind == EX_CODE)
		T_EQ(secret_set(&a->q.code, "the-code", 8, &e), 0);
}

static void
send_it(struct asked *a)
{
	AUTO(msg) m = { 0 };

	if (a->q.kind == EX_CODE)
		msg_secret(&m);
	exchange_put(&m, &a->q);
	if (a->job != NULL)
		job_free(a->job);
	a->job = rig_ask(&rig, exchange_prepare, &m);
}

/* What ATTEMPT says; its result replaces A's. */
static enum attempt_state
again(struct asked *a)
{
	struct job *j = rig_attempt(&rig, &a->q.attempt);
	enum attempt_state state;

	exchange_result_done(&a->res);
	rig_result(j, &state, &a->res);
	job_free(j);
	return state;
}

static void
forget(struct asked *a)
{
	AUTO(msg) m = { 0 };

	msg_put_id(&m, &a->q.attempt);
	job_free(rig_ask(&rig, drop_prepare, &m));
	T_EQ(rig_spooled(&rig), 0);
}

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"

/* An HTTP answer around BODY. */
static const char *
ok(const char *body)
{
	static char text[4096];

	snprintf(text, sizeof text, OK_HEAD "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
	return text;
}

static const char *
bad(const char *body)
{
	static char text[4096];

	snprintf(text, sizeof text, "HTTP/1.1 400 Bad\r\nContent-Type: application/json\r\n"
	    "Connection: close\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
	return text;
}

#define TOKENS "{\"access_token\":\"at-two\",\"token_type\":\"bearer\",\"expires_in\":60," \
	"\"refresh_token\":\"rt-two\",\"scope\":\"files mail\"}"

static void
expect_fragment(const struct asked *a, const char *want)
{
	AUTO(secret) text = { 0 };

	rig_open(&rig, PURPOSE_RELEASE, &a->q.connection, 3, &a->res.release_blob,
	    &a->res.release_wrap, &text);
	if (!secret_equal(&text, want, strlen(want)))
		fail_msg("fragment: %.*s", (int)text.len, (const char *)text.p);
}

static void
expect_grant(const struct asked *a, const char *want)
{
	AUTO(secret) plain = { 0 };
	AUTO(grant_secret) g = { 0 };
	struct destination d;
	struct err e = { 0 };

	rig_open(&rig, PURPOSE_GRANT, &a->q.connection, 7, &a->res.grant_blob,
	    &a->res.grant_wrap, &plain);
	T_DO(grant_secret_get(&plain, &g, &e), e);
	T_OK(secret_equal(&g.refresh_token, want, strlen(want)));
	destination_of("127.0.0.1", &d);
	T_OK(destination_equal(&d, &g.d));
}

static void
expect_tokens(const struct asked *a)
{
	T_EQ(a->res.phase, PHASE_ANSWERED);
	T_OK(a->res.spooled);
	T_EQ(a->res.expires_in_s, 60);
	T_STR(a->res.scope, "files mail");
	expect_fragment(a, "\"access_token\":\"at-two\",\"token_type\":\"Bearer\","
	    "\"scope\":\"files mail\"");
	expect_grant(a, "rt-two");
}

/* ---- the story */

TEST(a_code_becomes_tokens_and_the_answer_stays_until_it_is_dropped)
{
	AUTO(asked) a = { 0 };
	char text[8192];

	prepare(&a, EX_CODE);
	rig_serve(&rig, ok(TOKENS));
	send_it(&a);
	rig_result(a.job, NULL, &a.res);
	rig_served(&rig, text, sizeof text);
	T_HAS(text, "POST /token HTTP/1.1");
	T_HAS(text, "grant_type=authorization_code&code=the-code&redirect_uri="
	    "http%3A%2F%2F127.0.0.1%2Fcb&code_verifier=the-verifier");
	T_HAS(text, "client_secret=s3cr3t-client");
	T_OK(strstr(text, "Authorization:") == NULL);
	expect_tokens(&a);
	T_EQ(rig_spooled(&rig), 1);
	T_EQ(again(&a), ATTEMPT_SPOOLED);	/* as after a crash of either side */
	expect_tokens(&a);
	T_EQ(again(&a), ATTEMPT_SPOOLED);
	forget(&a);
}

TEST(a_refresh_sends_the_token_once_and_keeps_the_new_one)
{
	AUTO(asked) a = { 0 };
	static const unsigned char none[32];
	char text[8192];

	prepare(&a, EX_REFRESH);
	rig_serve(&rig, ok(TOKENS));
	send_it(&a);
	rig_result(a.job, NULL, &a.res);
	rig_served(&rig, text, sizeof text);
	T_HAS(text, "grant_type=refresh_token&refresh_token=rt-one-the-spent");
	expect_tokens(&a);
	T_OK(memcmp(a.res.fingerprint, none, 32) != 0);
	T_OK(memcmp(a.res.fingerprint_sent, none, 32) != 0);
	T_OK(memcmp(a.res.fingerprint, a.res.fingerprint_sent, 32) != 0);
	forget(&a);
}

TEST(an_answer_without_refresh_token_keeps_the_old_one)
{
	AUTO(asked) a = { 0 };

	prepare(&a, EX_REFRESH);
	rig_serve(&rig, ok("{\"access_token\":\"at\",\"refresh_token\":\"\"}"));
	send_it(&a);
	rig_result(a.job, NULL, &a.res);
	rig_served(&rig, NULL, 0);
	T_EQ(a.res.phase, PHASE_ANSWERED);
	T_EQ(a.res.grant_blob.len, 0);
	T_MEM(a.res.fingerprint, a.res.fingerprint_sent, 32);
	forget(&a);
}

/* The refresh token is spent by then: what came for it must not be thrown away. */
TEST(fewer_scopes_at_a_refresh_are_noted_and_the_tokens_kept)
{
	AUTO(asked) a = { 0 };

	prepare(&a, EX_REFRESH);
	rig_serve(&rig, ok("{\"access_token\":\"at\",\"refresh_token\":\"rt\",\"scope\":\"mail\"}"));
	send_it(&a);
	rig_result(a.job, NULL, &a.res);
	rig_served(&rig, NULL, 0);
	T_EQ(a.res.phase, PHASE_ANSWERED);
	T_STR(a.res.scope, "mail");
	forget(&a);
}

TEST(fewer_scopes_than_mandatory_at_a_sign_in_are_refused_and_revoked)
{
	AUTO(asked) a = { 0 };
	char text[8192];

	prepare(&a, EX_CODE);
	rig_serve_two(&rig, ok("{\"access_token\":\"at\",\"refresh_token\":\"rt\",\"scope\":"
	    "\"mail\"}"), OK_HEAD "Content-Length: 0\r\n\r\n");
	send_it(&a);
	rig_result(a.job, NULL, &a.res);
	rig_served(&rig, text, sizeof text);
	T_HAS(text, "POST /revoke HTTP/1.1");	/* nothing of it stays alive there */
	T_HAS(text, "token=rt&token_type_hint=refresh_token&client_secret=");
	T_EQ(a.res.phase, PHASE_REJECTED);
	T_EQ(a.res.err.id, ERR_SCOPE_INSUFFICIENT);
	T_EQ(a.res.release_blob.len, 0);
	forget(&a);
}

/* ---- phases */

TEST(nobody_listens_nothing_was_sent)
{
	AUTO(asked) a = { 0 };

	prepare(&a, EX_REFRESH);
	send_it(&a);
	rig_result(a.job, NULL, &a.res);
	T_EQ(a.res.phase, PHASE_NOT_SENT);
	T_EQ(a.res.err.id, ERR_UNREACHABLE_CONNECT);
	T_EQ(rig_spooled(&rig), 0);
}

TEST(a_stranger_s_certificate_gets_nothing)
{
	AUTO(asked) a = { 0 };
	char text[8192];

	prepare(&a, EX_REFRESH);
	rig.x.conf.ca_file = (char *)"";
	rig_serve(&rig, NULL);
	send_it(&a);
	rig.x.conf.ca_file = rig.ca;
	rig_result(a.job, NULL, &a.res);
	rig_served(&rig, text, sizeof text);
	T_EQ(a.res.phase, PHASE_NOT_SENT);
	T_EQ(a.res.err.id, ERR_TLS_UNTRUSTED);
	T_STR(text, "");
	T_EQ(rig_spooled(&rig), 0);
}

TEST(an_address_that_is_not_listed_is_not_reached)
{
	AUTO(asked) a = { 0 };
	size_t n = rig.x.allow.nnets;

	prepare(&a, EX_REFRESH);
	rig.x.allow.nnets = 0;
	send_it(&a);
	rig.x.allow.nnets = n;
	rig_result(a.job, NULL, &a.res);
	T_EQ(a.res.phase, PHASE_NOT_SENT);
	T_EQ(a.res.err.id, ERR_HOST_NOT_ALLOWED);
}

TEST(an_answer_that_never_comes_is_ambiguous_and_its_attempt_is_barred)
{
	AUTO(asked) a = { 0 };

	prepare(&a, EX_REFRESH);
	rig_serve(&rig, NULL);
	send_it(&a);
	rig_result(a.job, NULL, &a.res);
	rig_served(&rig, NULL, 0);
	T_EQ(a.res.phase, PHASE_AMBIGUOUS);
	T_EQ(a.res.err.id, ERR_OUTCOME_UNKNOWN);
	T_EQ(again(&a), ATTEMPT_UNKNOWN);
	send_it(&a);
	T_EQ(a.job->err.id, ERR_CONFLICT);
	forget(&a);
}

TEST(half_an_answer_is_no_answer)
{
	AUTO(asked) a = { 0 };

	prepare(&a, EX_REFRESH);
	rig_serve(&rig, OK_HEAD "Content-Length: 500\r\n\r\n{\"access_token\":\"at\"");
	send_it(&a);
	rig_result(a.job, NULL, &a.res);
	rig_served(&rig, NULL, 0);
	T_EQ(a.res.phase, PHASE_AMBIGUOUS);
	T_EQ(again(&a), ATTEMPT_UNKNOWN);
	forget(&a);
}

TEST(without_a_spool_nothing_is_sent)
{
	AUTO(asked) a = { 0 };
	char path[100], text[8192];

	prepare(&a, EX_REFRESH);
	snprintf(path, sizeof path, "%s/spool", rig.dir);
	T_EQ(rmdir(path), 0);		/* a directory that is gone takes no file */
	rig_serve(&rig, NULL);
	send_it(&a);
	rig_result(a.job, NULL, &a.res);
	rig_served(&rig, text, sizeof text);
	T_EQ(a.res.phase, PHASE_NOT_SENT);
	T_EQ(a.res.err.id, ERR_STORE_UNWRITABLE);
	T_STR(text, "");
	spool_close(rig.x.spool);
	T_EQ(spool_open(rig.dir, &rig.x.spool, &a.job->err), 0);
}

/* ---- what happens to us between the request and its answer */

static void
hsm_goes(struct rig *r)
{
	r->hsm_away = true;
	shutdown(r->x.keys.fd, SHUT_RDWR);
}

TEST(no_hsm_is_needed_between_an_answer_and_the_disk)
{
	AUTO(asked) a = { 0 };

	prepare(&a, EX_CODE);
	secret_free(rig.x.fingerprint_key);	/* as right after a start */
	rig.x.fingerprint_key = NULL;
	rig.meanwhile = hsm_goes;
	rig_serve(&rig, ok(TOKENS));
	send_it(&a);
	rig_result(a.job, NULL, &a.res);
	rig_served(&rig, NULL, 0);
	rig.hsm_away = false;
	expect_tokens(&a);
	forget(&a);
}

/* ---- secrets in what providers say */

static void
expect_redacted(const struct asked *a)
{
	static const char *const secrets[] = { "s3cr3t-client", "rt-one-the-spent" };

	for (size_t i = 0; i < 2; i++) {
		T_OK(strstr(a->res.provider_text, secrets[i]) == NULL);
		T_OK(strstr(a->res.provider_code, secrets[i]) == NULL);
		T_OK(strstr(a->res.err.text, secrets[i]) == NULL);
	}
	for (size_t i = 0; i < a->res.err.n; i++)
		T_OK(strstr(a->res.err.detail[i].value, "rt-one") == NULL);
}

TEST(a_provider_that_repeats_secrets_is_not_repeated)
{
	AUTO(asked) a = { 0 };

	prepare(&a, EX_REFRESH);
	rig_serve(&rig, bad("{\"error\":\"rt-one-the-spent\",\"error_description\":"
	    "\"no rt-one-the-spent with s3cr3t-client\"}"));
	send_it(&a);
	rig_result(a.job, NULL, &a.res);
	rig_served(&rig, NULL, 0);
	T_EQ(a.res.phase, PHASE_REJECTED);
	expect_redacted(&a);
	T_EQ(again(&a), ATTEMPT_SPOOLED);	/* after a restart as well */
	T_EQ(a.res.phase, PHASE_REJECTED);
	expect_redacted(&a);
	forget(&a);
}

TEST(grant_secrets_beside_the_tokens_are_dropped)
{
	AUTO(asked) a = { 0 };

	prepare(&a, EX_REFRESH);
	rig_serve(&rig, ok("{\"access_token\":\"at-two\",\"token_type\":\"s3cr3t-client\","
	    "\"expires_in\":60,\"refresh_token\":\"rt-two-the-new\","
	    "\"scope\":\"files rt-two-the-new rt-one-the-spent\"}"));
	send_it(&a);
	rig_result(a.job, NULL, &a.res);
	rig_served(&rig, NULL, 0);
	T_EQ(a.res.phase, PHASE_ANSWERED);
	T_STR(a.res.scope, "");
	expect_fragment(&a, "\"access_token\":\"at-two\",\"token_type\":\"Bearer\","
	    "\"scope\":\"files\"");
	expect_grant(&a, "rt-two-the-new");
	forget(&a);
}

TEST(an_access_token_that_holds_a_grant_secret_is_not_handed_out)
{
	AUTO(asked) a = { 0 };

	prepare(&a, EX_REFRESH);
	rig_serve(&rig, ok("{\"access_token\":\"at.rt-one-the-spent\",\"expires_in\":60}"));
	send_it(&a);
	rig_result(a.job, NULL, &a.res);
	rig_served(&rig, NULL, 0);
	T_EQ(a.res.phase, PHASE_REJECTED);
	T_EQ(a.res.err.id, ERR_BAD_ANSWER);
	T_EQ(a.res.release_blob.len, 0);
	expect_redacted(&a);
	forget(&a);
}

/* ---- vaultd taken over */

TEST(app_and_grant_of_different_hosts_are_not_used_together)
{
	AUTO(asked) a = { 0 };

	prepare(&a, EX_REFRESH);
	stored_done(&a.app);
	store_app(&a.app, "evil.example");
	a.q.app = sealed_stored(&a.app);
	send_it(&a);
	T_EQ(a.job->err.id, ERR_RECORD_CORRUPT);
	T_HAS(a.job->err.text, "different destinations");
}

TEST(a_blob_of_another_record_or_version_does_not_open)
{
	AUTO(asked) a = { 0 };
	struct id other = id_new();

	prepare(&a, EX_REFRESH);
	a.q.secret.version = 2;
	send_it(&a);
	T_EQ(a.job->err.id, ERR_RECORD_CORRUPT);
	a.q.secret.version = 1;
	a.q.secret.record = other;
	send_it(&a);
	T_EQ(a.job->err.id, ERR_HSM_REFUSED);
	a.q.secret = a.q.app;		/* the app in the grant's place */
	send_it(&a);
	T_EQ(a.job->rc, V_CORRUPT);
	a.q.secret = sealed_stored(&a.secret);
	a.q.app = a.q.secret;
	send_it(&a);
	T_EQ(a.job->rc, V_CORRUPT);
}

/* A destination of its own choice, sealed under a key it may make: it still has no grant
 * for it, and the grant it has goes nowhere else. */
TEST(a_key_made_by_vaultd_redirects_nothing)
{
	AUTO(asked) a = { 0 };
	unsigned char dek[DEK_LEN] = { 1, 2, 3 }, wrap[49];
	struct envelope_ctx ctx = { PURPOSE_GRANT, rig.x.vault, id_new(), 1 };
	AUTO(app_secret) evil = { .client_id = "client" };
	AUTO(secret) plain = { 0 }, key = { 0 };
	AUTO(buf) blob = { 0 };
	struct err e;

	prepare(&a, EX_REFRESH);
	destination_of("evil.example", &evil.d);
	T_EQ(app_secret_put(&evil, &plain, &e), 0);
	T_EQ(secret_set(&key, dek, sizeof dek, &e), 0);
	T_EQ(envelope_seal(&ctx, &key, (struct slice){ plain.p, plain.len }, &blob, &e), 0);
	rig_wrap(PURPOSE_GRANT, &ctx.record, dek, wrap);
	a.q.app = (struct sealed){ ctx.record, 1, buf_slice(&blob), { wrap, sizeof wrap } };
	send_it(&a);
	T_EQ(a.job->err.id, ERR_RECORD_CORRUPT);
	T_HAS(a.job->err.text, "different destinations");
}

TEST(the_new_grant_is_under_a_key_made_here)
{
	AUTO(asked) a = { 0 };
	unsigned char dek[DEK_LEN] = { 9 }, wrap[49];
	unsigned char print[32];
	unsigned made;
	struct err e;

	/* The line has no field to hand a grant key in; the release key is vaultd's to know. */
	prepare(&a, EX_REFRESH);
	T_EQ(keys_fingerprint(&rig.x, &a.q.code, print, &e), 0);	/* its key is made now */
	rig_wrap(PURPOSE_RELEASE, &a.q.connection, dek, wrap);
	a.q.release_wrap = (struct slice){ wrap, sizeof wrap };
	made = rig.made;
	rig_serve(&rig, ok(TOKENS));
	send_it(&a);
	rig_result(a.job, NULL, &a.res);
	rig_served(&rig, NULL, 0);
	T_EQ(rig.made - made, 2);		/* spool and grant */
	T_EQ(a.res.release_wrap.len, 0);
	T_OK(a.res.grant_wrap.len > 0);
	expect_grant(&a, "rt-two");
	/* A grant key in the release key's place is of another purpose. */
	wrap[0] = PURPOSE_GRANT;
	forget(&a);
	a.q.attempt = id_new();
	send_it(&a);
	T_EQ(a.job->err.id, ERR_HSM_REFUSED);
}

TEST(an_attempt_that_was_asked_about_can_never_begin)
{
	AUTO(asked) a = { 0 };

	prepare(&a, EX_REFRESH);
	T_EQ(again(&a), ATTEMPT_NOT_SENT);
	T_EQ(again(&a), ATTEMPT_NOT_SENT);
	send_it(&a);
	T_EQ(a.job->err.id, ERR_CONFLICT);
	forget(&a);
}

/* ---- last, for what it does to the arena */

static void *hoard[4096];
static size_t hoarded;

static void
memory_goes(struct rig *r)
{
	(void)r;
	for (size_t n = 1 << 20; n >= 16; n /= 2)
		while (hoarded < 4096 && (hoard[hoarded] = secret_alloc(n)) != NULL)
			hoarded++;
}

/* Our own trouble is never told as the provider's "no": the old refresh token is spent. */
static void
spool_file(const struct id *attempt, char out[200])
{
	char id[ID_TEXT];

	id_text(attempt, id);
	snprintf(out, 200, "%.80s/spool/%s.answer", rig.dir, id);
}

TEST(an_answer_is_not_read_under_another_header)
{
	AUTO(asked) a = { 0 };
	char path[200], page[4096];
	AUTO_CLOSE int fd = -1;

	prepare(&a, EX_CODE);
	rig_serve(&rig, ok(TOKENS));
	send_it(&a);
	rig_served(&rig, NULL, 0);
	spool_file(&a.q.attempt, path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	T_EQ(pread(fd, page, sizeof page, 0), sizeof page);
	for (size_t i = 0; i + 16 <= sizeof page; i++)
		if (memcmp(page + i, a.q.connection.b, 16) == 0)
			page[i] ^= 1;			/* the tokens would be another's */
	T_EQ(pwrite(fd, page, sizeof page, 0), sizeof page);
	T_EQ(again(&a), ATTEMPT_UNKNOWN);	/* and said so, so that it is settled */
	forget(&a);
}

/* Without its header a request would come back as "wrong client secret". */
TEST(a_request_without_its_authorization_is_not_sent)
{
	AUTO(secret) auth = { 0 };
	struct http_request q = { .method = "POST", .url = "https://127.0.0.1:9/token",
		.timeout_s = 5, .authorization = &auth };
	struct http_answer a = { 0 };
	struct err e;

	T_DO(secret_set(&auth, "Basic eDp5", 10, &e), e);
	memory_goes(&rig);
	http_send(&rig.x, &q, &a);
	while (hoarded > 0)
		secret_free(hoard[--hoarded]);
	T_EQ(a.phase, PHASE_NOT_SENT);
	T_EQ(a.err.code, V_LIMIT);
	http_answer_done(&a);
}

TEST(what_cannot_be_sealed_now_is_sealed_later)
{
	AUTO(asked) a = { 0 };

	prepare(&a, EX_REFRESH);
	rig_serve(&rig, ok(TOKENS));	/* once as it should be: blocks of all sizes exist then */
	send_it(&a);
	rig_served(&rig, NULL, 0);
	T_EQ(again(&a), ATTEMPT_SPOOLED);
	forget(&a);
	a.q.attempt = id_new();
	rig.meanwhile = memory_goes;
	rig_serve(&rig, ok(TOKENS));
	send_it(&a);
	rig_served(&rig, NULL, 0);
	while (hoarded > 0)
		secret_free(hoard[--hoarded]);
	if (a.job->rc == 0) {
		struct msg m;
		struct err e;

		msg_read(&m, msg_slice(&a.job->answer));
		T_EQ(exchange_result_get(&m, &a.res, &e), 0);
		fail_msg("told as %s: %s", phase_name(a.res.phase), a.res.err.text);
	}
	T_EQ(a.job->err.id, ERR_EGRESS_UNAVAILABLE);	/* vaultd asks what became of it */
	T_EQ(again(&a), ATTEMPT_SPOOLED);
	expect_tokens(&a);
	forget(&a);
}

int
main(void)
{
	struct err e;
	int rc;

	signal(SIGPIPE, SIG_IGN);
	json_wiping_allocator();
	if (secret_arena_init(6 << 20, true, &e) != 0)
		return 1;
	http_init();
	rig_new(&rig);
	rc = unit_run();
	rig_done(&rig);
	return rc;
}

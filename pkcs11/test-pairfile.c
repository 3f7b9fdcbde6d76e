/*
 * test-pairfile.c - the file of a key pair is read back as it was written, and nothing else is
 * taken for one; which assertions fit it; what a TLS client's proof looks like.
 */
#include "pkcs11/pairfile.h"

#include "common/auto.h"
#include "common/errors.h"
#include "pkcs11/jwt.h"
#include "pkcs11/tlstbs.h"
#include "tests/unit.h"

static char dir[64];

static struct pair_file
sample(void)
{
	struct pair_file p = { .id = "00112233445566aa", .record = id_new(),
		.rule = { .iss = "client \"1\"", .sub = "client \"1\"", .naud = 2,
			.aud = { "https://as.example.test", "https://as.example.test/token" },
			.endpoint = "https://as.example.test/token" },
		.public = { .kind = PAIR_EC, .use = PAIR_ASSERTION, .made = 1700000000,
			.spki_len = 91 } };

	memset(p.public.spki, 0x5a, p.public.spki_len);
	return p;
}

TEST(what_is_written_is_read_back_and_never_replaced)
{
	struct pair_file p = sample(), got;
	struct err e;

	unit_dir("pairfile", dir);
	T_EQ(pairfile_load(dir, p.id, &got, &e), V_NOT_FOUND);
	T_DO(pairfile_create(dir, &p, &e), e);
	T_DO(pairfile_load(dir, p.id, &got, &e), e);
	T_MEM(&p, &got, sizeof p);
	T_EQ(pairfile_create(dir, &p, &e), V_CONFLICT);
	T_DO(pairfile_remove(dir, p.id, &e), e);
	T_DO(pairfile_remove(dir, p.id, &e), e);
	T_EQ(pairfile_load(dir, p.id, &got, &e), V_NOT_FOUND);
	T_EQ(pairfile_load(dir, "../../etc/passwd", &got, &e), V_NOT_FOUND);
}

TEST(a_cut_or_changed_file_is_damaged)
{
	struct pair_file p = sample(), got;
	AUTO(buf) text = { 0 };
	struct err e;

	T_OK(pairfile_text(&p, &text));
	for (size_t n = 0; n < text.len; n++) {
		char *cut = strndup((char *)text.p, n);

		T_EQ(pairfile_parse(cut, &got, &e), V_CORRUPT);
		free(cut);
	}
	buf_add(&text, "end\n", 5);
	T_EQ(pairfile_parse((char *)text.p, &got, &e), V_CORRUPT);
}

TEST(an_assertion_says_what_was_recorded_and_no_more)
{
	struct pair_file p = sample();
	struct claims c = { .alg = JWS_ES256 };
	struct err e;

	strcpy(c.iss, p.rule.iss);
	strcpy(c.sub, p.rule.sub);
	strcpy(c.aud, p.rule.aud[1]);
	T_DO(jwt_check(&c, &p, &e), e);
	strcpy(c.aud, "https://as.example.test/toke");
	T_EQ(jwt_check(&c, &p, &e), V_CORRUPT);
	T_EQ(e.id, ERR_HSM_REFUSED);
	strcpy(c.aud, p.rule.aud[0]);
	strcpy(c.sub, "*");			/* a word for any in the file, not in a question */
	T_NE(jwt_check(&c, &p, &e), 0);
	strcpy(p.rule.sub, PAIR_ANY);
	T_DO(jwt_check(&c, &p, &e), e);
	c.sub[0] = '\0';
	T_NE(jwt_check(&c, &p, &e), 0);
	strcpy(c.sub, "x");
	c.alg = JWS_RS256;
	T_NE(jwt_check(&c, &p, &e), 0);
	c.alg = JWS_ES256;
	p.public.use = PAIR_TLS;
	T_NE(jwt_check(&c, &p, &e), 0);
}

TEST(an_assertion_lives_a_minute_from_a_moment_ago)
{
	struct claims c = { .alg = JWS_ES256, .kid = "k\\1", .iss = "i", .sub = "s", .aud = "a" };
	AUTO(secret) jwt = { 0 };
	char text[1024];
	ssize_t n;
	char *dot;
	struct err e;

	T_DO(jwt_input(&c, 1000, &jwt, &e), e);
	T_DO(secret_append(&jwt, "", 1, &e), e);
	dot = strchr((char *)jwt.p, '.');
	n = b64url_decode((char *)jwt.p, (size_t)(dot - (char *)jwt.p), text);
	T_OK(n > 0);
	text[n] = '\0';
	T_STR(text, "{\"alg\":\"ES256\",\"kid\":\"k\\\\1\",\"typ\":\"JWT\"}");
	n = b64url_decode(dot + 1, strlen(dot + 1), text);
	T_OK(n > 0);
	text[n] = '\0';
	T_HAS(text, "{\"iss\":\"i\",\"sub\":\"s\",\"aud\":\"a\",\"iat\":995,\"nbf\":995,\"exp\":1055,\"jti\":\"");
}

TEST(a_tls_proof_is_told_from_everything_else)
{
	char tbs[200];
	size_t n = (size_t)snprintf(tbs, sizeof tbs, "%64sTLS 1.3, client CertificateVerify", "") + 1;

	memset(tbs + n, 7, 64);
	T_OK(tlstbs_is_client((struct slice){ tbs, n + 32 }));
	T_OK(tlstbs_is_client((struct slice){ tbs, n + 48 }));
	for (size_t k = 0; k < n; k++)
		T_NOT(tlstbs_is_client((struct slice){ tbs, k }));
	T_NOT(tlstbs_is_client((struct slice){ tbs, n + 31 }));
	tbs[3] = '!';
	T_NOT(tlstbs_is_client((struct slice){ tbs, n + 32 }));
	T_NOT(tlstbs_is_client((struct slice){ "", 0 }));
	/* Handshake messages: without the request for a certificate it is no client's proof. */
	T_OK(tlstbs_is_client((struct slice){ "\1\0\0\0\2\0\0\0\15\0\0\0\16\0\0\0\20\0\0\0", 20 }));
	T_NOT(tlstbs_is_client((struct slice){ "\1\0\0\0\2\0\0\0\16\0\0\0\20\0\0\0", 16 }));
	T_NOT(tlstbs_is_client((struct slice){ "\1\0\0\0\2\0\0\0\15\0\0\0\16\0\0\0\20\0\0\1", 20 }));
}

int
main(void)
{
	struct err e;

	return secret_arena_init(1 << 18, true, &e) != 0 ? 1 : unit_run();
}

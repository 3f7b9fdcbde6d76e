/*
 * The corpus: tests/fixtures/answers/CONNECTOR/NAME.EXT is what a provider says, byte for byte, and
 * NAME.expect what it comes to, read with that connector of connectors/. See the README there.
 */
#include "tests/unit.h"

#include <glob.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/json.h"
#include "egress/capture.h"
#include "egress/diagnose.h"

#define ANSWERS "tests/fixtures/answers"

struct answer {
	char		 name[300];		/* CONNECTOR/NAME */
	char		 id[EX_NAME];
	json_t		*expect;
	struct buf	 body;
	struct http_answer a;
};

static const char *
want(const struct answer *x, const char *key)
{
	const char *s = json_string_value(json_object_get(x->expect, key));

	return s == NULL ? "" : s;
}

static long long
number(const struct answer *x, const char *key)
{
	return json_integer_value(json_object_get(x->expect, key));
}

static void
same_text(const struct answer *x, const char *key, const char *got)
{
	if (strcmp(want(x, key), got) != 0)
		fail_msg("%s: %s is '%s' rather than '%s'", x->name, key, got, want(x, key));
}

static void
same_secret(const struct answer *x, const char *key, const struct secret *got)
{
	if (!secret_equal(got, want(x, key), strlen(want(x, key))))
		fail_msg("%s: %s is '%.*s' rather than '%s'", x->name, key, (int)got->len,
		    got->len > 0 ? (char *)got->p : "", want(x, key));
}

static void
same_number(const struct answer *x, const char *key, long long got)
{
	if (number(x, key) != got)
		fail_msg("%s: %s is %lld rather than %lld", x->name, key, got, number(x, key));
}

static void
read_body(const char *expect_path, struct answer *x)
{
	char pattern[400], *dot;
	glob_t g = { 0 };
	struct err e = { 0 };
	int bodies = 0;

	snprintf(pattern, sizeof pattern, "%s", expect_path);
	if ((dot = strrchr(pattern, '.')) == NULL)
		fail_msg("%s", expect_path);
	strcpy(dot, ".*");
	T_EQ(glob(pattern, 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		FILE *f;
		char *end = strrchr(g.gl_pathv[i], '.');
		char bytes[8192];
		size_t n;

		if (strcmp(end, ".expect") == 0)
			continue;
		bodies++;
		if ((f = fopen(g.gl_pathv[i], "r")) == NULL)
			fail_msg("%s", g.gl_pathv[i]);
		while (f != NULL && (n = fread(bytes, 1, sizeof bytes, f)) > 0)
			T_OK(buf_add(&x->body, bytes, n));
		fclose(f);
	}
	globfree(&g);
	if (bodies != 1)
		fail_msg("%s: %d bodies", x->name, bodies);
	T_EQ(secret_set(&x->a.body, x->body.p, x->body.len, &e), 0);
}

static void
load(const char *path, struct answer *x)
{
	static const char *const keys[] = { "asked", "status", "type", "basis", "access_token",
		"refresh_token", "token_type", "scope", "expires_in", "expires_at", "refresh_expires_in",
		"captured", "callback", "variables", "api_base", "account", "strayed", "error", "phase",
		"provider_code", "client_auth", "skew", "retry_after", NULL };
	const char *name = path + strlen(ANSWERS) + 1, *key;
	struct err e = { 0 };
	json_t *v;

	*x = (struct answer){ .a = { .phase = PHASE_ANSWERED } };
	snprintf(x->name, sizeof x->name, "%s", name);
	snprintf(x->id, sizeof x->id, "%.*s", (int)strcspn(name, "/"), name);
	if ((x->expect = json_parse_file(path, 1 << 20, NULL, &e)) == NULL)
		fail_msg("%s", e.text);
	json_object_foreach(x->expect, key, v) {
		int i = 0;

		while (keys[i] != NULL && strcmp(keys[i], key) != 0)
			i++;
		if (keys[i] == NULL)
			fail_msg("%s: unknown key %s", path, key);
	}
	x->a.status = (unsigned)number(x, "status");
	x->a.skew_s = (int32_t)number(x, "skew");
	x->a.retry_after_s = (uint32_t)number(x, "retry_after");
	snprintf(x->a.content_type, sizeof x->a.content_type, "%s", want(x, "type"));
	read_body(path, x);
}

static void
unload(struct answer *x)
{
	json_decref(x->expect);
	buf_done(&x->body);
	http_answer_done(&x->a);
}

static void
vars_of(json_t *o, struct ex_vars *ret)
{
	const char *name;
	json_t *v;

	json_object_foreach(o, name, v) {
		snprintf(ret->v[ret->n].name, EX_NAME, "%s", name);
		snprintf(ret->v[ret->n++].value, sizeof ret->v[0].value, "%s", json_string_value(v));
	}
}

static void
check_captured(const struct answer *x, const struct connector *c, const struct reply *r)
{
	struct ex_vars wanted = { 0 };
	char base[EX_URL];

	if (json_object_get(x->expect, "captured") != NULL) {
		vars_of(json_object_get(x->expect, "captured"), &wanted);
		if (wanted.n != r->captured.n)
			fail_msg("%s: %zu captured", x->name, r->captured.n);
		for (size_t i = 0; i < wanted.n; i++) {
			const char *got = ex_var(&r->captured, wanted.v[i].name);

			if (got == NULL || strcmp(got, wanted.v[i].value) != 0)
				fail_msg("%s: captured %s is %s", x->name, wanted.v[i].name,
				    got == NULL ? "absent" : got);
		}
	}
	same_text(x, "strayed", r->strayed);
	if (*want(x, "api_base") == '\0')
		return;
	if (c->api_base == NULL || !connector_fill(c->api_base, &r->captured, base, sizeof base))
		fail_msg("%s: no api_base", x->name);
	same_text(x, "api_base", base);
}

static void
check_account(const struct answer *x, const struct connector *c, const struct reply *r)
{
	struct id_claims claims = { 0 };
	struct err e = { 0 };

	if (*want(x, "account") == '\0')
		return;
	if (c->account_from != ACCOUNT_ID_TOKEN) {
		same_text(x, "account", r->account);
		return;
	}
	T_DO(reply_id_token(&r->id_token, "client", c->account_member, &claims, &e), e);
	same_text(x, "account", claims.account);
}

static void
check_tokens(const struct answer *x, const struct connector *c, const struct reply *r)
{
	same_secret(x, "access_token", &r->access_token);
	same_secret(x, "refresh_token", &r->refresh_token);
	same_text(x, "scope", r->scope);
	same_number(x, "expires_in", r->expires.in_s);
	same_number(x, "expires_at", r->expires.at);
	same_number(x, "refresh_expires_in", r->refresh_expires.in_s);
	if (*want(x, "token_type") != '\0')
		same_text(x, "token_type", r->token_type);
	check_captured(x, c, r);
	check_account(x, c, r);
}

static enum asked
asked_of(const struct answer *x)
{
	static const struct { const char *name; enum asked asked; } names[] = {
		{ "code", ASKED_CODE }, { "refresh", ASKED_REFRESH }, { "client", ASKED_CLIENT },
		{ "password", ASKED_PASSWORD }, { "assertion", ASKED_ASSERTION },
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i].name, want(x, "asked")) == 0)
			return names[i].asked;
	fail_msg("%s: asked what?", x->name);
	return 0;
}

static void
check_error(const struct answer *x, const struct err *e)
{
	const char *got = e->code == 0 ? "" : err_short_name(e->id);

	if (strcmp(want(x, "error"), got) != 0)
		fail_msg("%s: %s (%s) rather than '%s'", x->name, got, e->code == 0 ? "tokens" :
		    e->text, want(x, "error"));
}

static void
check_grant(const struct answer *x, const struct connector *c)
{
	struct slice body = { x->body.p, x->body.len };
	struct facts f = { .asked = asked_of(x), .connector = c, .client_auth = c->client_auth };
	struct exchange_result res = { 0 };
	struct ex_vars callback = { 0 }, vars = { 0 };
	char token_url[EX_URL] = "";
	struct reply r = { 0 };
	struct err e = { 0 };
	bool read = reply_parse(body, x->a.content_type, c, &r, &e) == 0;

	if (*want(x, "client_auth") != '\0')
		T_OK(client_auth_parse(want(x, "client_auth"), &f.client_auth));
	vars_of(json_object_get(x->expect, "callback"), &callback);
	vars_of(json_object_get(x->expect, "variables"), &vars);
	if (callback.n > 0 && connector_expand(c, c->token_url, &vars, token_url, sizeof token_url, &e) != 0)
		fail_msg("%s: %s", x->name, e.text);
	capture_callback(&callback, c, token_url, &r);
	diagnose(&f, &x->a, read ? &r : NULL, &res);
	check_error(x, &res.err);
	if (res.err.code == 0)
		check_tokens(x, c, &r);
	else if (strcmp(phase_name(res.phase), *want(x, "phase") != '\0' ? want(x, "phase") :
		"rejected") != 0)
		fail_msg("%s: phase is %s", x->name, phase_name(res.phase));
	if (*want(x, "provider_code") != '\0')
		same_text(x, "provider_code", res.provider_code);
	reply_done(&r);
}

static void
check(const struct answer *x, const struct catalogue *all, const struct connector *plain)
{
	const struct connector *c = catalogue_find(all, x->id);
	struct err e = { 0 };

	if (c == NULL && strcmp(x->id, "any") != 0)
		fail_msg("%s: there is no such connector", x->name);
	if (strcmp(want(x, "basis"), "documented") != 0 && strcmp(want(x, "basis"), "standard") != 0)
		fail_msg("%s: what is it based on?", x->name);
	if (strcmp(want(x, "asked"), "probe") != 0) {
		check_grant(x, c == NULL ? plain : c);
		return;
	}
	diagnose_probe(&x->a, &e);
	check_error(x, &e);
}

/* Every connector has one good answer at least, and one bad. */
static void
tally(const struct answer *x, const struct catalogue *all, int (*seen)[2])
{
	const struct connector *c = catalogue_find(all, x->id);

	if (c != NULL)
		seen[c - all->v][*want(x, "error") != '\0']++;
}

TEST(rows_18_48_51_what_each_provider_answers)
{
	static const char plain_text[] = "{\"id\":\"any\",\"name\":\"Any\",\"version\":1,\"auth_types\":"
	    "[\"pat\"]}";
	struct catalogue all = { 0 };
	struct connector plain = { 0 };
	struct err e = { 0 };
	int (*seen)[2];
	glob_t g = { 0 };

	T_DO(catalogue_load("connectors", &all, &e), e);
	T_DO(connector_parse("any", (struct slice){ plain_text, sizeof plain_text - 1 }, &plain, &e),
	    e);
	T_OK((seen = calloc(all.n, sizeof *seen)) != NULL);
	T_EQ(glob(ANSWERS "/*/*.expect", 0, NULL, &g), 0);
	T_OK(g.gl_pathc > 300);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		struct answer x;

		load(g.gl_pathv[i], &x);
		check(&x, &all, &plain);
		tally(&x, &all, seen);
		unload(&x);
	}
	for (size_t i = 0; i < all.n; i++)
		if (strcmp(all.v[i].id, "openid") != 0 && (seen[i][0] == 0 || seen[i][1] == 0))
			fail_msg("%s: %d good answers and %d bad ones", all.v[i].id, seen[i][0], seen[i][1]);
	globfree(&g);
	free(seen);
	connector_done(&plain);
	catalogue_done(&all);
}

int
main(void)
{
	struct err e;

	return secret_arena_init(8 << 20, false, &e) != 0 ? 1 : unit_run();
}

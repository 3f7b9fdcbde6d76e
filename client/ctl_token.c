/*
 * ctl_token.c - vaultctl token get.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/ctl.h"

/* A shell reads 'it'\''s' as it's. */
static void
print_assignment(const char *name, const char *value)
{
	printf("%s='", name);
	for (; *value != '\0'; value++)
		fputs(*value == '\'' ? "'\\''" : (char[]){ *value, '\0' }, stdout);
	printf("'\n");
}

/* What goes into a header must be one line. */
static bool
is_one_line(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

/* What to send, of any type of connection, a header a line. */
static int
print_headers(struct ctl *c, long long ttl, long long refused)
{
	json_t *p = json_pack("{s:s}", "connection", c->arg[0]), *r, *item;
	size_t i;
	int rc = EX_OK;

	if (ttl > 0)
		json_object_set_new(p, "min_ttl", json_integer(ttl));
	if (refused > 0)
		json_object_set_new(p, "refused_generation", json_integer(refused));
	if ((r = ctl_call(c, "vaultd.Tokens.Headers", p)) == NULL)
		return c->status;
	if (json_array_size(json_object_get(r, "query")) > 0)
		rc = ctl_fail(c, EX_FAILED, "this key goes into the query, not into a header: "
		    "`vaultctl call vaultd.Tokens.Headers` has it");
	json_array_foreach(json_object_get(r, "headers"), i, item)
		if (!is_one_line(ctl_text(item, "name")) || !is_one_line(ctl_text(item, "value")))
			rc = ctl_fail(c, EX_FAILED, "this token cannot be a header: it has control "
			    "characters in it");
	json_array_foreach(json_object_get(r, "headers"), i, item)
		if (rc == EX_OK)
			printf("%s: %s\n", ctl_text(item, "name"), ctl_text(item, "value"));
	json_decref(r);
	return rc;
}

static int
print_token(struct ctl *c, const struct vaultd_token *t)
{
	const char *format = ctl_option(c, "format");

	if (c->json || (format != NULL && strcmp(format, "json") == 0)) {
		json_t *o = json_pack("{s:s, s:s, s:s?, s:I, s:s?, s:I, s:s?}", "access_token",
		    t->access_token, "token_type", t->token_type, "scope", t->scope, "expires",
		    (json_int_t)t->expires, "api_base", t->api_base, "generation",
		    (json_int_t)t->generation, "connection", t->connection);

		ctl_dump(o);
		json_decref(o);
	} else if (format == NULL || strcmp(format, "token") == 0) {
		printf("%s\n", t->access_token);
	} else {
		print_assignment("ACCESS_TOKEN", t->access_token);
		print_assignment("TOKEN_TYPE", t->token_type);
		printf("TOKEN_EXPIRES='%lld'\n", (long long)t->expires);
	}
	return EX_OK;
}

/* Before a token is asked for, which may mean a refresh. */
static int
check_options(struct ctl *c, long long *ttl, long long *refused)
{
	static const char *const formats[] = { "token", "header", "env", "json" };
	const char *format = ctl_option(c, "format");
	size_t i = 0;

	while (format != NULL && i < 4 && strcmp(formats[i], format) != 0)
		i++;
	if (i == 4)
		return ctl_fail(c, EX_USE, "--format is one of: token header env json");
	if (ctl_number(c, "min-ttl", 0, ttl) != 0 ||
	    ctl_number(c, "refused-generation", 1, refused) != 0)
		return EX_USE;
	if (*ttl > 0 && *refused > 0)
		return ctl_fail(c, EX_USE, "--min-ttl and --refused-generation exclude each other");
	if (isatty(STDOUT_FILENO) && ctl_option(c, "show") == NULL)
		return ctl_fail(c, EX_USE, "a token is printed to a terminal only with --show; to a pipe "
		    "it goes as it is");
	return 0;
}

static int
token_get(struct ctl *c)
{
	long long ttl, refused;
	struct vaultd_token t;
	int rc = check_options(c, &ttl, &refused);

	if (rc != 0)
		return rc;
	if (!c->json && ctl_option(c, "format") != NULL &&
	    strcmp(ctl_option(c, "format"), "header") == 0)
		return print_headers(c, ttl, refused);
	rc = refused > 0 ? vaultd_token_refused(c->v, c->arg[0], refused, &t, &c->error) :
	    vaultd_token_get(c->v, c->arg[0], ttl, &t, &c->error);
	if (rc != 0) {
		ctl_print_error(c);
		return ctl_exit_of(&c->error);
	}
	rc = print_token(c, &t);
	vaultd_token_done(&t);
	return rc;
}

const struct command commands_token[] = {
	{ "token get", "CONNECTION", 1, 1, "min-ttl= format= show refused-generation=",
	    "print a valid access token",
	    "  --min-ttl SECONDS         that lives at least so long, if the provider's do\n"
	    "  --format token|header|env|json\n"
	    "  --show                    also to a terminal\n"
	    "  --refused-generation N    an API refused the token of this generation: renew it\n\n"
	    "  vaultctl token get github --format header | curl -H @- https://api.github.com/user\n",
	    token_get },
	{ 0 },
};

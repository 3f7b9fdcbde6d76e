/*
 * ctl_token.c - vaultctl token get.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/ctl.h"

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
	} else if (strcmp(format, "header") == 0) {
		printf("Authorization: %s %s\n", t->token_type, t->access_token);
	} else if (strcmp(format, "env") == 0) {
		printf("ACCESS_TOKEN='%s'\nTOKEN_TYPE='%s'\nTOKEN_EXPIRES='%lld'\n",
		    t->access_token, t->token_type, (long long)t->expires);
	} else {
		return ctl_fail(EX_USE, "--format is one of: token header env json");
	}
	return EX_OK;
}

static int
token_get(struct ctl *c)
{
	const char *ttl = ctl_option(c, "min-ttl");
	const char *refused = ctl_option(c, "refused-generation");
	struct vaultd_token t;
	int rc;

	if (isatty(STDOUT_FILENO) && ctl_option(c, "show") == NULL)
		return ctl_fail(EX_USE, "a token is printed to a terminal only with --show; to a pipe "
		    "it goes as it is");
	rc = refused != NULL ?
	    vaultd_token_refused(c->v, c->arg[0], atoll(refused), &t, &c->error) :
	    vaultd_token_get(c->v, c->arg[0], ttl == NULL ? 0 : atoll(ttl), &t, &c->error);
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
	    "  --min-ttl SECONDS         that lives at least so long\n"
	    "  --format token|header|env|json\n"
	    "  --show                    also to a terminal\n"
	    "  --refused-generation N    an API refused the token of this generation: renew it\n\n"
	    "  curl -H \"$(vaultctl token get github --format header)\" https://api.github.com/user\n",
	    token_get },
	{ 0 },
};

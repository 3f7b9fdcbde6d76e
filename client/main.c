/*
 * main.c - vaultctl(1): find the command, read its options, run it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl.h"
#include "common/json.h"
#include "common/secret.h"

const struct command *const command_tables[] = {
	commands_connect, commands_connection, commands_token, commands_app, commands_folder,
	commands_connector, commands_policy, commands_audit, commands_vault, NULL,
};

/* ---- help */

static void
usage(FILE *to)
{
	fprintf(to, "usage: vaultctl [--socket PATH] [--json] COMMAND [ARGUMENT...] [--OPTION...]\n"
	    "       vaultctl COMMAND --help\n\n");
	for (const struct command *const *t = command_tables; *t != NULL; t++)
		for (const struct command *k = *t; k->name != NULL; k++)
			fprintf(to, "  %-28s %s\n", k->name, k->help);
	fprintf(to, "\nExit status: 0 done, 1 failed, 2 wrong command line, 3 not found, 4 denied,\n"
	    "5 sign in again, 6 try later, 7 aborted. See vaultctl(1).\n");
}

static void
command_usage(const struct command *k, FILE *to)
{
	fprintf(to, "usage: vaultctl %s%s%s\n\n%s.\n", k->name, *k->args ? " " : "", k->args,
	    k->help);
	if (k->more != NULL)
		fprintf(to, "\n%s", k->more);
}

/* ---- the command line */

static size_t
words_match(const struct command *k, int argc, char **argv)
{
	char name[64];
	size_t n = 0;

	snprintf(name, sizeof name, "%s", k->name);
	for (char *save, *w = strtok_r(name, " ", &save); w != NULL;
	     w = strtok_r(NULL, " ", &save), n++)
		if ((int)n >= argc || strcmp(argv[n], w) != 0)
			return 0;
	return n;
}

static const struct command *
find(int argc, char **argv, size_t *words)
{
	for (const struct command *const *t = command_tables; *t != NULL; t++)
		for (const struct command *k = *t; k->name != NULL; k++)
			if ((*words = words_match(k, argc, argv)) > 0)
				return k;
	return NULL;
}

static int
unknown_command(int argc, char **argv)
{
	const char *names[64];
	size_t n = 0;
	char said[128];
	const char *close;

	for (const struct command *const *t = command_tables; *t != NULL; t++)
		for (const struct command *k = *t; k->name != NULL && n < 64; k++)
			names[n++] = k->name;
	snprintf(said, sizeof said, "%s%s%s", argv[0], argc > 1 && argv[1][0] != '-' ? " " : "",
	    argc > 1 && argv[1][0] != '-' ? argv[1] : "");
	close = json_suggest(said, names, n);
	fprintf(stderr, "error: there is no command '%s'%s%s%s\nnext   vaultctl --help lists them\n",
	    said, close != NULL ? "; did you mean '" : "", close != NULL ? close : "",
	    close != NULL ? "'?" : "");
	return EX_USE;
}

/* 0 = unknown, 1 = flag, 2 = with value. */
static int
option_kind(const struct command *k, const char *name, const char **ret_name)
{
	size_t n = strlen(name);

	for (const char *p = k->options; *p != '\0'; p += strcspn(p, " "), p += *p == ' ') {
		size_t m = strcspn(p, " =");

		if (m == n && memcmp(p, name, n) == 0) {
			*ret_name = name;
			return p[m] == '=' ? 2 : 1;
		}
	}
	return 0;
}

static int
take_option(struct ctl *c, int *i, int argc, char **argv)
{
	char *name = argv[*i] + 2, *value = strchr(name, '=');
	struct option_value *o = &c->option[c->noptions];
	int kind;

	if (value != NULL)
		*value++ = '\0';
	if (strcmp(name, "json") == 0) {
		c->json = true;
		return 0;
	}
	kind = option_kind(c->command, name, &o->name);
	if (kind == 0)
		return ctl_fail(EX_USE, "`vaultctl %s` has no option --%s; --help lists them",
		    c->command->name, name);
	if (kind == 2 && value == NULL && *i + 1 < argc)
		value = argv[++*i];
	if ((kind == 2) != (value != NULL))
		return ctl_fail(EX_USE, kind == 2 ? "option --%s needs a value" :
		    "option --%s takes no value", name);
	if (c->noptions == OPTIONS_MAX)
		return ctl_fail(EX_USE, "too many options");
	o->value = value == NULL ? "" : value;
	c->noptions++;
	return 0;
}

static int
parse(struct ctl *c, int argc, char **argv)
{
	bool only_args = false;

	for (int i = 0; i < argc; i++) {
		int rc = 0;

		if (!only_args && strcmp(argv[i], "--") == 0)
			only_args = true;
		else if (!only_args && (strcmp(argv[i], "--help") == 0 ||
		    strcmp(argv[i], "-h") == 0)) {
			command_usage(c->command, stdout);
			exit(EX_OK);
		} else if (!only_args && strncmp(argv[i], "--", 2) == 0)
			rc = take_option(c, &i, argc, argv);
		else if (c->nargs == c->command->max)
			rc = ctl_fail(EX_USE, "`vaultctl %s` takes no argument '%s'",
			    c->command->name, argv[i]);
		else
			c->arg[c->nargs++] = argv[i];
		if (rc != 0)
			return rc;
	}
	if (c->nargs >= c->command->min)
		return 0;
	ctl_fail(EX_USE, "`vaultctl %s` needs %s", c->command->name, c->command->args);
	return EX_USE;
}

int
main(int argc, char **argv)
{
	struct ctl c = { 0 };
	const char *socket_path = NULL;
	size_t words = 0;
	struct err e;
	int i = 1, rc;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--json") == 0)
			c.json = true;
		else if (strcmp(argv[i], "--socket") == 0 && i + 1 < argc)
			socket_path = argv[++i];
		else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			usage(stdout);
			return EX_OK;
		} else if (strcmp(argv[i], "--version") == 0) {
			printf("vaultctl " VERSION "\n");
			return EX_OK;
		} else
			return ctl_fail(EX_USE, "vaultctl has no option %s; --help lists them", argv[i]);
	}
	if (i == argc) {
		usage(stderr);
		return EX_USE;
	}
	if ((c.command = find(argc - i, argv + i, &words)) == NULL)
		return unknown_command(argc - i, argv + i);
	if ((rc = parse(&c, argc - i - (int)words, argv + i + words)) != 0)
		return rc;
	json_wiping_allocator();
	if (secret_arena_init(256 << 10, false, &e) != 0 ||
	    vaultd_open(socket_path, &c.v, &c.error) != 0)
		return ctl_fail(EX_FAILED, "%s", c.v == NULL ? c.error.message : e.text);
	rc = c.command->run(&c);
	vaultd_close(c.v);
	if (fflush(stdout) != 0)
		return ctl_fail(EX_FAILED, "standard output cannot be written");
	return rc;
}

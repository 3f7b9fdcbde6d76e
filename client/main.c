/*
 * main.c - vaultctl(1): find the command, read its options, run it.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "client/ctl.h"
#include "common/json.h"
#include "common/suggest.h"

const struct command *const command_tables[] = {
	commands_connect, commands_connection, commands_create, commands_wait,
	commands_binding, commands_token,
	commands_exec, commands_app, commands_folder, commands_connector, commands_policy,
	commands_audit, commands_vault, commands_events, NULL,
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

/* `vaultctl connection` and `vaultctl connection --help`: what there is of it. */
static bool
noun_usage(const char *noun, FILE *to)
{
	size_t n = strlen(noun);
	bool any = false;

	for (const struct command *const *t = command_tables; *t != NULL; t++)
		for (const struct command *k = *t; k->name != NULL; k++)
			if (strncmp(k->name, noun, n) == 0 && k->name[n] == ' ') {
				fprintf(to, "  vaultctl %s%s%s\n      %s\n", k->name,
				    *k->args ? " " : "", k->args, k->help);
				any = true;
			}
	return any;
}

static bool
is_help(const char *arg)
{
	return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
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

const struct command *
command_find(int argc, char **argv, size_t *words)
{
	for (const struct command *const *t = command_tables; *t != NULL; t++)
		for (const struct command *k = *t; k->name != NULL; k++)
			if ((*words = words_match(k, argc, argv)) > 0)
				return k;
	return NULL;
}

/* `vaultctl help connect` is `vaultctl connect --help`. */
static int
help(int argc, char **argv)
{
	size_t words;
	const struct command *k = command_find(argc, argv, &words);

	if (k != NULL)
		command_usage(k, stdout);
	else if (argc == 0 || !noun_usage(argv[0], stdout))
		usage(stdout);
	return EX_OK;
}

static int
unknown_command(struct ctl *c, int argc, char **argv)
{
	bool asked;
	const char *names[64];
	size_t n = 0;
	char said[128], close[SUGGEST_TEXT];

	if (strcmp(argv[0], "help") == 0)
		return help(argc - 1, argv + 1);
	asked = argc > 1 && is_help(argv[1]);
	if ((argc == 1 || argv[1][0] == '-') && (asked || !c->json_errors) &&
	    noun_usage(argv[0], asked ? stdout : stderr))
		return asked ? EX_OK : EX_USE;
	for (const struct command *const *t = command_tables; *t != NULL; t++)
		for (const struct command *k = *t; k->name != NULL && n < 64; k++)
			names[n++] = k->name;
	snprintf(said, sizeof said, "%s%s%s", argv[0], argc > 1 && argv[1][0] != '-' ? " " : "",
	    argc > 1 && argv[1][0] != '-' ? argv[1] : "");
	suggest_text(said, names, n, close);
	return ctl_fail(c, EX_USE, "there is no command '%s'%s; vaultctl --help lists them", said,
	    close);
}

const char *
command_option(const struct command *k, const char *name, size_t n)
{
	for (const char *p = k->options; *p != '\0'; p += strcspn(p, " "), p += *p == ' ')
		if (strcspn(p, " =") == n && memcmp(p, name, n) == 0)
			return p;
	return NULL;
}

static int
take_option(struct ctl *c, int *i, int argc, char **argv)
{
	char *name = argv[*i] + 2, *value = strchr(name, '=');
	const char *row;
	bool with_value;

	if (value != NULL)
		*value++ = '\0';
	if (strcmp(name, "json") == 0 && value == NULL) {
		c->json = true;
		return 0;
	}
	if (strcmp(name, "socket") == 0) {
		if (value == NULL && *i + 1 < argc)
			value = argv[++*i];
		c->socket = value;
		return value != NULL ? 0 : ctl_fail(c, EX_USE, "option --socket needs a value");
	}
	if ((row = command_option(c->command, name, strlen(name))) == NULL)
		return ctl_fail(c, EX_USE, "`vaultctl %s` has no option --%s; --help lists them",
		    c->command->name, name);
	with_value = row[strlen(name)] == '=';
	if (with_value && value == NULL && *i + 1 < argc)
		value = argv[++*i];
	if (with_value != (value != NULL))
		return ctl_fail(c, EX_USE, with_value ? "option --%s needs a value" :
		    "option --%s takes no value", name);
	if (c->noptions == OPTIONS_MAX)
		return ctl_fail(c, EX_USE, "too many options");
	c->option[c->noptions++] = (struct option_value){ name, value == NULL ? "" : value };
	return 0;
}

static int
parse(struct ctl *c, int argc, char **argv)
{
	bool only_args = false;

	for (int i = 0; i < argc; i++) {
		int rc = 0;

		if (!only_args && strcmp(argv[i], "--") == 0) {
			if (command_option(c->command, "--", 2) != NULL) {
				c->rest = argv + i + 1;
				break;
			}
			only_args = true;
		}
		else if (!only_args && is_help(argv[i])) {
			command_usage(c->command, stdout);
			exit(EX_OK);
		} else if (!only_args && strncmp(argv[i], "--", 2) == 0)
			rc = take_option(c, &i, argc, argv);
		else if (!only_args && argv[i][0] == '-' && isalpha((unsigned char)argv[i][1]))
			rc = ctl_fail(c, EX_USE, "`vaultctl %s` has no option %s; options begin with --, and "
			    "--help lists them", c->command->name, argv[i]);
		else if (c->nargs == c->command->max)
			rc = ctl_fail(c, EX_USE, "`vaultctl %s` takes no argument '%s'",
			    c->command->name, argv[i]);
		else
			c->arg[c->nargs++] = argv[i];
		if (rc != 0)
			return rc;
	}
	if (c->nargs >= c->command->min)
		return 0;
	return ctl_fail(c, EX_USE, "`vaultctl %s` needs %s; --help explains it", c->command->name,
	    c->command->args);
}

/* The options before the command. *I is left at the command. -1: go on. */
static int
global_options(struct ctl *c, int argc, char **argv, int *i)
{
	for (; *i < argc && argv[*i][0] == '-'; ++*i) {
		const char *o = argv[*i];

		if (strcmp(o, "--json") == 0) {
			c->json = true;
		} else if (strcmp(o, "--socket") == 0 && *i + 1 < argc) {
			c->socket = argv[++*i];
		} else if (strncmp(o, "--socket=", 9) == 0) {
			c->socket = o + 9;
		} else if (strcmp(o, "--complete") == 0) {
			return ctl_complete(c, argc - *i - 1, argv + *i + 1);
		} else if (is_help(o)) {
			usage(stdout);
			return EX_OK;
		} else if (strcmp(o, "--version") == 0) {
			printf("vaultctl " VERSION "\n");
			return EX_OK;
		} else {
			return ctl_fail(c, EX_USE, "vaultctl has no option %s; --help lists them", o);
		}
	}
	if (*i < argc)
		return -1;
	if (c->json)
		return ctl_fail(c, EX_USE, "no command was given; vaultctl --help lists them");
	usage(stderr);
	return EX_USE;
}

/* --json counts also where the command line is wrong. */
static bool
wants_json(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--json") == 0)
			return true;
	return false;
}

/* Nothing of ours lands in a file that was opened where a standard stream should be, and
 * no token in a core. */
static void
harden(struct ctl *c)
{
	struct rlimit core = { 0 };
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
	getrlimit(RLIMIT_CORE, &core);
	c->core_limit = core.rlim_cur;
	core.rlim_cur = 0;
	setrlimit(RLIMIT_CORE, &core);
	json_wiping_allocator();
}

static int
run(struct ctl *c)
{
	int rc;

	if (vaultd_open(c->socket, &c->v, &c->error) != 0) {
		ctl_print_error(c);
		return EX_FAILED;
	}
	rc = c->command->run(c);
	vaultd_close(c->v);
	if (fflush(stdout) != 0 && errno == EPIPE)
		return rc;	/* `| head` has seen enough */
	if (ferror(stdout))
		return ctl_fail(c, EX_FAILED, "standard output cannot be written");
	return rc;
}

int
main(int argc, char **argv)
{
	struct ctl c = { 0 };
	size_t words = 0;
	int i = 1, rc;

	harden(&c);
	c.json_errors = wants_json(argc, argv);
	if ((rc = global_options(&c, argc, argv, &i)) >= 0)
		return rc;
	if ((c.command = command_find(argc - i, argv + i, &words)) == NULL)
		return unknown_command(&c, argc - i, argv + i);
	if ((rc = parse(&c, argc - i - (int)words, argv + i + words)) != 0)
		return rc;
	c.json_errors = c.json;
	return run(&c);
}

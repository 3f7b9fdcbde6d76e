/*
 * ctl_complete.c - what may come next on a command line, for vaultctl.bash:
 *
 *	vaultctl --complete WORD...
 *
 * The last WORD is the one being typed. Commands, options and arguments are those of the command
 * tables, names are asked of the vault; one to a line. A line with a tab in front says what the
 * shell knows better: files, or directories. Nothing is said of errors: nobody would read it.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl.h"
#include "common/auth_type.h"
#include "policy/policy.h"

#define WAIT_MS 1000	/* somebody sits there and waits */

struct line {
	struct ctl	*c;
	int		 argc;		/* words before the one being typed */
	char		**argv;
	const char	*lead, *cur;	/* "--folder=", "sha" */
	size_t		 leadlen;
	char		 last[64];	/* what was offered last */
};

static void
offer(struct line *l, const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
		if (iscntrl((unsigned char)*p))
			return;
	if (*text != '\0' && strncmp(text, l->cur, strlen(l->cur)) == 0)
		printf("%.*s%s\n", (int)l->leadlen, l->lead, text);
}

static void
offer_words(struct line *l, const char *words)
{
	char text[600];

	snprintf(text, sizeof text, "%s", words);
	for (char *save, *w = strtok_r(text, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
		offer(l, w);
}

/* ---- names that the vault knows */

/* One in the own workspace needs no folder in front, once something was typed. */
static void
offer_name(struct line *l, const char *name)
{
	static const char own[] = "personal/";

	offer(l, name);
	if (*l->cur != '\0' && strncmp(name, own, sizeof own - 1) == 0)
		offer(l, name + sizeof own - 1);
}

static void
offer_names(struct line *l, const char *method, const char *list, const char *member,
    const char *begins)
{
	json_t *r, *v;
	size_t i;

	if (vaultd_open(l->c->socket, &l->c->v, &l->c->error) != 0)
		return;
	vaultd_timeout(l->c->v, WAIT_MS);
	r = ctl_try(l->c, method, NULL);
	json_array_foreach(json_object_get(r, list), i, v)
		if (strncmp(ctl_text(v, member), begins, strlen(begins)) == 0)
			offer_name(l, ctl_text(v, member));
	json_decref(r);
	vaultd_close(l->c->v);
}

static void
offer_actions(struct line *l)
{
	for (enum policy_action a = ACT_NONE + 1; a < ACT_MAX; a++)
		offer(l, policy_action_name(a));
}

/* What the rows of the commands call their arguments. */
static void
offer_kind(struct line *l, const char *kind)
{
	if (strcmp(kind, "CONNECTION") == 0)
		offer_names(l, "vaultd.Connections.List", "connections", "path", "");
	else if (strcmp(kind, "CONNECTOR") == 0)
		offer_names(l, "vaultd.Connectors.List", "connectors", "id", "");
	else if (strcmp(kind, "APP") == 0)
		offer_names(l, "vaultd.Apps.List", "apps", "name", "");
	else if (strcmp(kind, "BINDING") == 0)
		offer_names(l, "vaultd.Bindings.List", "bindings", "binding", "");
	else if (strcmp(kind, "FOLDER") == 0)
		offer_names(l, "vaultd.Folders.List", "folders", "path", "");
	else if (strcmp(kind, "shared/NAME") == 0)
		offer_names(l, "vaultd.Folders.List", "folders", "path", "shared/");
	else if (strcmp(kind, "ACTION") == 0)
		offer_actions(l);
	else if (strcmp(kind, "FILE") == 0)
		printf("\tfiles\n");
	else if (strcmp(kind, "DIRECTORY") == 0)
		printf("\tdirectories\n");
}

/* ---- options */

/* Values of options: a kind, or the words themselves. */
static const struct { const char *option, *kind, *words; } values[] = {
	{ "app", "APP", NULL },
	{ "auth-type", NULL, AUTH_TYPE_WORDS },
	{ "client-auth", NULL, CLIENT_AUTH_WORDS },
	{ "key", NULL, "ec rsa" },
	{ "algorithm", NULL, "RS256 PS256 ES256" },
	{ "connector", "CONNECTOR", NULL },
	{ "connectors", "DIRECTORY", NULL },
	{ "folder", "FOLDER", NULL },
	{ "format", NULL, "token header env json" },
	{ "output", "FILE", NULL },
	{ "secret-file", "FILE", NULL },
	{ "socket", "FILE", NULL },
	{ "type", NULL, "created authenticated reconnected recovered degraded needs_reconnect locked "
	    "unlocked disabled enabled renamed moved deleted expiring app_added app_changed "
	    "app_secret_changed app_deleted rotate_due policy_changed policy_failed sealed unsealed "
	    "hsm_up hsm_down store_unwritable audit_unwritable writable" },
};

static void
offer_value(struct line *l, const char *option, size_t n)
{
	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		if (strlen(values[i].option) != n || memcmp(values[i].option, option, n) != 0)
			continue;
		if (values[i].kind != NULL)
			offer_kind(l, values[i].kind);
		else
			offer_words(l, values[i].words);
	}
}

static bool
takes_value(const struct command *k, const char *word)
{
	size_t n = strlen(word);
	const char *o = k == NULL || n < 3 ? NULL : command_option(k, word + 2, n - 2);

	return strcmp(word, "--socket") == 0 || (o != NULL && o[n - 2] == '=');
}

static bool
said(const struct line *l, const char *option, size_t n)
{
	for (int i = 0; i < l->argc; i++)
		if (strncmp(l->argv[i], "--", 2) == 0 && strcspn(l->argv[i] + 2, "=") == n &&
		    memcmp(l->argv[i] + 2, option, n) == 0)
			return true;
	return false;
}

/* Those of the command that were not given, or may be repeated; then those of all. */
static void
offer_options(struct line *l, const struct command *k)
{
	char text[64];

	for (const char *p = k->options; *p != '\0'; p += strcspn(p, " "), p += *p == ' ') {
		size_t n = strcspn(p, " =");

		if (said(l, p, n) && memchr(p, '*', strcspn(p, " ")) == NULL)
			continue;
		snprintf(text, sizeof text, "--%.*s", (int)n, p);
		offer(l, text);
	}
	offer_words(l, "--json --socket --help");
}

/* ---- commands */

/* The word of NAME behind those that were said; NULL = they are not its first ones. */
static const char *
next_word(const char *name, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		size_t n = strlen(argv[i]);

		if (strncmp(name, argv[i], n) != 0 || name[n] != ' ')
			return NULL;
		name += n + 1;
	}
	return name;
}

static void
offer_command_words(struct line *l, int argc, char **argv)
{
	char word[64];

	for (const struct command *const *t = command_tables; *t != NULL; t++)
		for (const struct command *k = *t; k->name != NULL; k++) {
			const char *next = next_word(k->name, argc, argv);

			if (next == NULL)
				continue;
			snprintf(word, sizeof word, "%.*s", (int)strcspn(next, " "), next);
			if (strcmp(word, l->last) != 0)
				offer(l, word);
			snprintf(l->last, sizeof l->last, "%s", word);
		}
}

/* The kind of the N-th argument: "CONNECTION NAME", "[DIRECTORY]", "FILE...". */
static void
offer_argument(struct line *l, const struct command *k, int n)
{
	char args[100], *kind = NULL, *save;

	snprintf(args, sizeof args, "%s", k->args);
	for (char *w = strtok_r(args, " ", &save); w != NULL && n >= 0;
	     w = strtok_r(NULL, " ", &save), n--)
		kind = w;
	if (kind == NULL || (n >= 0 && strstr(kind, "...") == NULL))
		return;
	kind += *kind == '[';
	kind[strcspn(kind, "].")] = '\0';
	offer_kind(l, kind);
}

static void
offer_behind(struct line *l, const struct command *k, int from)
{
	bool only_args = false;
	int n = 0;

	for (int i = from; i < l->argc; i++)
		if (only_args || strncmp(l->argv[i], "--", 2) != 0)
			n++;
		else if (strcmp(l->argv[i], "--") == 0)
			only_args = true;
		else
			i += takes_value(k, l->argv[i]);
	if (!only_args && *l->cur == '-')
		offer_options(l, k);
	else
		offer_argument(l, k, n);
}

/* Over --json and --socket; where the command begins. */
static int
skip_global(struct line *l)
{
	int i = 0;

	for (; i < l->argc && l->argv[i][0] == '-'; i++)
		if (strcmp(l->argv[i], "--socket") == 0 && i + 1 < l->argc)
			l->c->socket = l->argv[++i];
		else if (strncmp(l->argv[i], "--socket=", 9) == 0)
			l->c->socket = l->argv[i] + 9;
	return i;
}

/* Is the word being typed a value? Then L is about what stands behind the '='. */
static bool
complete_value(struct line *l, const struct command *k)
{
	const char *before = l->argc > 0 ? l->argv[l->argc - 1] : "";
	size_t n = strcspn(l->cur, "=");

	if (strncmp(before, "--", 2) == 0 && takes_value(k, before)) {
		offer_value(l, before + 2, strlen(before + 2));
		return true;
	}
	if (strncmp(l->cur, "--", 2) != 0 || l->cur[n] != '=')
		return false;
	l->lead = l->cur;
	l->leadlen = n + 1;
	l->cur += n + 1;
	offer_value(l, l->lead + 2, n - 2);
	return true;
}

int
ctl_complete(struct ctl *c, int argc, char **argv)
{
	struct line l = { .c = c, .argc = argc > 0 ? argc - 1 : 0, .argv = argv, .lead = "",
		.cur = argc > 0 ? argv[argc - 1] : "" };
	int i = skip_global(&l);
	size_t words = 0;
	const struct command *k;
	bool help = i < l.argc && strcmp(argv[i], "help") == 0;

	i += help;
	k = command_find(l.argc - i, argv + i, &words);
	if (complete_value(&l, k))
		return EX_OK;
	if (k != NULL)
		offer_behind(&l, k, i + (int)words);
	else
		offer_command_words(&l, l.argc - i, argv + i);
	if (k == NULL && i == l.argc && !help)
		offer_words(&l, "help --json --socket --help --version");
	return EX_OK;
}

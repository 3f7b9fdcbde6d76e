/*
 * ctl_binding.c - vaultctl binding ..., connection set-default and clear-default.
 */
#include <stdio.h>
#include <string.h>

#include "client/ctl.h"

static const char *const fields[] = { "binding", "binding", "folder", "folder", "connector",
	"connector", "connection", "connection", "override", "your own choice", "overridable",
	"users choose", "per_user", "per user", "description", "description", "created",
	"created", "updated", "changed", "id", "id", NULL };

/* CONSUMER/NAME as parameters. NULL: said why. */
static json_t *
named(struct ctl *c)
{
	const char *slash = strchr(c->arg[0], '/');

	if (slash == NULL || slash == c->arg[0] || slash[1] == '\0') {
		ctl_fail(c, EX_USE, "a binding is named CONSUMER/NAME");
		return NULL;
	}
	return json_pack("{s:s%, s:s}", "consumer", c->arg[0], (size_t)(slash - c->arg[0]), "name",
	    slash + 1);
}

static int
print_binding(struct ctl *c, const char *method, json_t *p)
{
	json_t *r = ctl_call(c, method, p), *b = json_object_get(r, "binding");

	if (r == NULL)
		return c->status;
	if (c->json)
		ctl_dump(r);
	else
		ctl_fields(b, fields);
	if (!c->json && json_is_false(json_object_get(b, "bound")))
		printf("it has no connection of its own\n");
	json_decref(r);
	return EX_OK;
}

/* --yes or --no of OPTION, which may be neither. FALSE: said why. */
static bool
yes_no(struct ctl *c, json_t *p, const char *option, const char *member)
{
	const char *v = ctl_option(c, option);

	if (v == NULL)
		return true;
	if (strcmp(v, "yes") != 0 && strcmp(v, "no") != 0) {
		ctl_fail(c, EX_USE, "--%s is yes or no", option);
		return false;
	}
	json_object_set_new(p, member, json_boolean(strcmp(v, "yes") == 0));
	return true;
}

static json_t *
with_options(struct ctl *c)
{
	json_t *p = named(c);
	long long revision = 0;

	if (p == NULL)
		return NULL;
	ctl_set(p, "connection", ctl_option(c, "no-connection") != NULL ? "" :
	    ctl_option(c, "connection"));
	ctl_set(p, "description", ctl_option(c, "description"));
	if (yes_no(c, p, "overridable", "overridable") && yes_no(c, p, "per-user", "per_user") &&
	    ctl_number(c, "revision", 1, &revision) == 0) {
		if (revision > 0)
			json_object_set_new(p, "revision", json_integer(revision));
		return p;
	}
	json_decref(p);
	return NULL;
}

static int
create(struct ctl *c)
{
	json_t *p;

	if (ctl_option(c, "folder") == NULL)
		return ctl_fail(c, EX_USE, "--folder is required: a shared folder");
	if ((p = with_options(c)) == NULL)
		return EX_USE;
	ctl_set(p, "folder", ctl_option(c, "folder"));
	ctl_set(p, "connector", ctl_option(c, "connector"));
	return print_binding(c, "vaultd.Bindings.Create", p);
}

static int
set(struct ctl *c)
{
	json_t *p = with_options(c);

	return p == NULL ? EX_USE : print_binding(c, "vaultd.Bindings.Set", p);
}

static int
override(struct ctl *c)
{
	json_t *p;

	if ((c->nargs == 2) == (ctl_option(c, "forget") != NULL))
		return ctl_fail(c, EX_USE, "name a connection of yours, or --forget your choice");
	if ((p = named(c)) == NULL)
		return EX_USE;
	if (c->nargs == 2)
		ctl_set(p, "connection", c->arg[1]);
	return print_binding(c, "vaultd.Bindings.Override", p);
}

static int
show(struct ctl *c)
{
	json_t *p = named(c);

	return p == NULL ? EX_USE : print_binding(c, "vaultd.Bindings.Show", p);
}

static int
list(struct ctl *c)
{
	static const char *const members[] = { "binding", "connector", "connection", "folder",
		NULL };
	static const char *const heads[] = { "BINDING", "CONNECTOR", "CONNECTION", "FOLDER", NULL };
	json_t *p = json_object(), *r;

	ctl_set(p, "folder", ctl_option(c, "folder"));
	ctl_set(p, "consumer", ctl_option(c, "consumer"));
	if ((r = ctl_pages(c, "vaultd.Bindings.List", "bindings", p, NULL)) == NULL)
		return c->status;
	if (c->json)
		ctl_dump(r);
	else
		ctl_table(json_object_get(r, "bindings"), members, heads,
		    "no bindings; make one with `vaultctl binding create`");
	json_decref(r);
	return EX_OK;
}

static int
delete_it(struct ctl *c)
{
	json_t *p = with_options(c), *r;

	if (p == NULL)
		return EX_USE;
	if ((r = ctl_call(c, "vaultd.Bindings.Delete", p)) == NULL)
		return c->status;
	if (c->json)
		ctl_dump(r);
	else
		ctl_say(stdout, "deleted binding %s\n", c->arg[0]);
	json_decref(r);
	return EX_OK;
}

/* ---- resolve */

static void
print_path(const json_t *r)
{
	json_t *path = json_object_get(r, "path"), *s;
	size_t i;

	json_array_foreach(path, i, s) {
		const char *to = ctl_text(s, "connection"), *why = ctl_text(s, "why");

		ctl_say(stdout, "%zu. %s: %s\n", i + 1, ctl_text(s, "looked_at"),
		    *to != '\0' ? to : why);
	}
}

static int
resolve(struct ctl *c)
{
	json_t *p = named(c), *r;
	const char *to;

	if (p == NULL)
		return EX_USE;
	if ((r = ctl_call(c, "vaultd.Bindings.Resolve", p)) == NULL)
		return c->status;
	to = ctl_text(r, "connection");
	if (c->json) {
		ctl_dump(r);
	} else {
		print_path(r);
		if (*to != '\0')
			ctl_say(stdout, "\n%s -> %s, %s\n", c->arg[0], to, ctl_text(r, "state"));
		if (*ctl_text(r, "problem") != '\0')
			ctl_say(stdout, "%sno token: %s\n", *to != '\0' ? "" : "\n",
			    ctl_text(r, "problem"));
	}
	p = json_object_get(r, "problem");
	c->status = json_is_null(p) ? EX_OK : EX_FAILED;
	json_decref(r);
	return c->status;
}

/* ---- defaults */

static int
change_default(struct ctl *c, const char *method, const char *said)
{
	json_t *r = ctl_call(c, method, json_pack("{s:s}", "connection", c->arg[0])), *k;

	if (r == NULL)
		return c->status;
	k = json_object_get(r, "connection");
	if (c->json)
		ctl_dump(r);
	else
		ctl_say(stdout, "%s is %s of %s in %s\n", ctl_text(k, "name"), said,
		    ctl_text(k, "connector"), ctl_text(k, "folder"));
	json_decref(r);
	return EX_OK;
}

static int
set_default(struct ctl *c)
{
	return change_default(c, "vaultd.Connections.SetDefault", "now the default");
}

static int
clear_default(struct ctl *c)
{
	return change_default(c, "vaultd.Connections.ClearDefault", "no more the default");
}

#define OPTIONS_TEXT \
	"  --connection CONNECTION  which it is; you must be allowed to use it\n" \
	"  --overridable yes|no     may users choose another for themselves?\n" \
	"  --per-user yes|no        has each user his own, the default of his workspace?\n" \
	"  --description TEXT\n"

const struct command commands_binding[] = {
	{ "connection set-default", "CONNECTION", 1, 1, "",
	    "it is meant in its folder where none is named",
	    "  vaultctl connection set-default shared/team/github\n"
	    "  vaultctl token get default:shared/team/github\n", set_default },
	{ "connection clear-default", "CONNECTION", 1, 1, "", "it is that no more",
	    "  vaultctl connection clear-default shared/team/github\n", clear_default },
	{ "binding create", "BINDING", 1, 1, "folder= connector= connection= overridable= per-user= "
	    "description=", "say which connection a program gets",
	    "BINDING is CONSUMER/NAME: the program, and what it calls the connection. It asks\n"
	    "for binding:CONSUMER/NAME where others name a connection.\n"
	    "  --folder FOLDER          a shared folder: who sees it there sees the binding\n"
	    "  --connector CONNECTOR    when there is no connection yet\n"
	    OPTIONS_TEXT "\n"
	    "  vaultctl binding create payroll/ledger --folder shared/finance \\\n"
	    "      --connection shared/finance/ledger\n"
	    "  vaultctl token get binding:payroll/ledger\n", create },
	{ "binding set", "BINDING", 1, 1, "connection= no-connection overridable= per-user= "
	    "description= revision=", "give it another connection, or none",
	    "What is not said stays.\n" OPTIONS_TEXT
	    "  --no-connection          none\n"
	    "  --revision N             only if it was not changed since\n\n"
	    "  vaultctl binding set payroll/ledger --connection shared/finance/new\n", set },
	{ "binding override", "BINDING [CONNECTION]", 1, 2, "forget",
	    "choose a connection for yourself",
	    "  --forget                 your choice; the binding's connection counts again\n\n"
	    "  vaultctl binding override payroll/ledger my-ledger\n", override },
	{ "binding list", "", 0, 0, "folder= consumer=", "list the bindings you may see",
	    "  --folder FOLDER          only of this folder\n"
	    "  --consumer CONSUMER      only of this program\n\n"
	    "  vaultctl binding list --consumer payroll\n", list },
	{ "binding show", "BINDING", 1, 1, "", "show one",
	    "  vaultctl binding show payroll/ledger\n", show },
	{ "binding resolve", "BINDING", 1, 1, "", "which connection would you get, and why",
	    "Exit status 1: none that you may use.\n\n"
	    "  vaultctl binding resolve payroll/ledger\n", resolve },
	{ "binding delete", "BINDING", 1, 1, "revision=", "forget a binding",
	    "  --revision N             only if it was not changed since\n\n"
	    "  vaultctl binding delete payroll/ledger\n", delete_it },
	{ 0 },
};

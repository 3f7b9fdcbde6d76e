/*
 * ctl_policy.c - vaultctl policy ...
 */
#include <stdio.h>

#include "client/ctl.h"
#include "policy/policy.h"

static int
print_policy(struct ctl *c, json_t *r)
{
	static const char *const fields[] = { "hash", "hash", "directory", "directory", "error",
		"not in force", NULL };
	json_t *w = json_object_get(r, "warnings"), *item;
	size_t i;

	if (c->json) {
		ctl_dump(r);
	} else {
		ctl_fields(r, fields);
		json_array_foreach(w, i, item)
			ctl_say(stdout, "%-15s %s\n", "warning", json_string_value(item));
	}
	json_decref(r);
	return EX_OK;
}

static int
show(struct ctl *c)
{
	json_t *r = ctl_call(c, "vaultd.Policy.Show", NULL);

	return r == NULL ? c->status : print_policy(c, r);
}

static int
reload(struct ctl *c)
{
	json_t *r = ctl_call(c, "vaultd.Policy.Reload", NULL);

	if (r == NULL)
		return c->status;
	if (!c->json)
		printf("the policy files are in force\n");
	return print_policy(c, r);
}

static int
list_actions(struct ctl *c)
{
	json_t *a = json_array();

	for (enum policy_action i = ACT_NONE + 1; i < ACT_MAX; i++)
		if (c->json)
			json_array_append_new(a, json_string(policy_action_name(i)));
		else
			printf("%s\n", policy_action_name(i));
	if (c->json)
		ctl_dump(a);
	json_decref(a);
	return EX_OK;
}

static int
explain(struct ctl *c)
{
	static const char *const fields[] = { "allow", "allowed", "policy_file", "file", "rule",
		"rule", "policy", "policy", "level", "level", "text", "why", NULL };
	json_t *p, *r;

	if (c->nargs == 0)
		return list_actions(c);
	p = json_pack("{s:s}", "action", c->arg[0]);
	ctl_set(p, "folder", ctl_option(c, "folder"));
	ctl_set(p, "connector", ctl_option(c, "connector"));
	ctl_set(p, "auth_type", ctl_option(c, "auth-type"));
	ctl_set(p, "app", ctl_option(c, "app"));
	if ((r = ctl_call(c, "vaultd.Policy.Explain", p)) == NULL)
		return c->status;
	if (c->json)
		ctl_dump(r);
	else
		ctl_fields(r, fields);
	json_decref(r);
	return EX_OK;
}

const struct command commands_policy[] = {
	{ "policy check", "FILE...", 1, ARGS_MAX, "connectors=",
	    "check policy files, without a vault",
	    "Exit status 1: a file is wrong; FILE:LINE:COLUMN says where, of all that is wrong.\n"
	    "All files of the vault belong together: give them all. With --json standard output\n"
	    "is an array of {file, line, column, message, suggestion}, empty when all is well.\n"
	    "  --connectors DIRECTORY  names of connectors must be in it; without, in\n"
	    "                          /usr/share/vaultd/connectors if there is one\n\n"
	    "  vaultctl policy check /etc/vaultd/policy.d/*.json\n", ctl_check_policy },
	{ "policy show", "", 0, 0, "", "what is in force",
	    "  vaultctl policy show\n", show },
	{ "policy reload", "", 0, 0, "", "read the files again",
	    "A bad file keeps the last good set in force.\n\n"
	    "  vaultctl policy reload\n", reload },
	{ "policy explain", "[ACTION]", 0, 1, "folder= connector= auth-type= app=",
	    "say whether you would be allowed, and by which rule",
	    "ACTION is a permission such as conn.create or folder.create. Without one the\n"
	    "permissions that there are are listed.\n"
	    "  --folder FOLDER --connector CONNECTOR --auth-type TYPE --app APP\n\n"
	    "  vaultctl policy explain conn.create --folder shared/team --connector github\n",
	    explain },
	{ 0 },
};

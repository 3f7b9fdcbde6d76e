/*
 * ctl_connection.c - vaultctl connection ...
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl.h"

static const char *const fields[] = { "path", "connection", "state", "state",
	"state_since", "since", "resumes", "when enabled", "disabled_by", "disabled by uid",
	"disabled_note", "note", "account",
	"account", "connector", "connector", "auth_type", "authentication", "app", "OAuth app",
	"scope", "scopes", "api_base", "API base", "expires", "token ends", "refresh_token_expires",
	"sign-in ends", "last_refresh_ok", "last renewed", "created", "created", "cause", "problem",
	"cause_text", "what was said", "provider_code", "provider code", "provider_text",
	"provider says", "cause_status", "HTTP status", "cause_phase", "request was",
	"cause_time", "of", "next_try", "next try", "cause_owner", "whose move", "cause_trace",
	"audit trace", "advice", "next", "warnings", "warning", "id", "id", NULL };

int
ctl_print_connection(struct ctl *c, json_t *r)
{
	if (c->json)
		ctl_dump(r);
	else
		ctl_fields(json_object_get(r, "connection"), fields);
	json_decref(r);
	return EX_OK;
}

static int
list(struct ctl *c)
{
	static const char *const members[] = { "path", "connector", "state", "account",
		"expires", NULL };
	static const char *const heads[] = { "CONNECTION", "CONNECTOR", "STATE", "ACCOUNT",
		"TOKEN ENDS", NULL };
	json_t *p = json_object(), *r;

	ctl_set(p, "folder", ctl_option(c, "folder"));
	ctl_set(p, "connector", ctl_option(c, "connector"));
	if ((r = ctl_call(c, "vaultd.Connections.List", p)) == NULL)
		return c->status;
	if (c->json)
		ctl_dump(r);
	else
		ctl_table(json_object_get(r, "connections"), members, heads,
		    "no connections; make one with `vaultctl connect CONNECTOR`");
	json_decref(r);
	return EX_OK;
}

static int
show(struct ctl *c)
{
	json_t *r = ctl_call(c, "vaultd.Connections.Show",
	    json_pack("{s:s}", "connection", c->arg[0]));

	return r == NULL ? c->status : ctl_print_connection(c, r);
}

static int
rename_it(struct ctl *c)
{
	json_t *r = ctl_call(c, "vaultd.Connections.Rename",
	    json_pack("{s:s, s:s}", "connection", c->arg[0], "name", c->arg[1]));

	return r == NULL ? c->status : ctl_print_connection(c, r);
}

static void
set_flag(struct ctl *c, json_t *p, const char *option, const char *member)
{
	if (ctl_option(c, option) != NULL)
		json_object_set_new(p, member, json_true());
}

static int
disable(struct ctl *c)
{
	json_t *p = json_pack("{s:s}", "connection", c->arg[0]), *r;

	ctl_set(p, "note", ctl_option(c, "note"));
	r = ctl_call(c, "vaultd.Connections.Disable", p);
	return r == NULL ? c->status : ctl_print_connection(c, r);
}

static int
enable(struct ctl *c)
{
	json_t *r = ctl_call(c, "vaultd.Connections.Enable",
	    json_pack("{s:s}", "connection", c->arg[0]));

	return r == NULL ? c->status : ctl_print_connection(c, r);
}

static int
delete_it(struct ctl *c)
{
	json_t *p = json_pack("{s:s}", "connection", c->arg[0]), *r;
	const char *revocation;

	set_flag(c, p, "cascade", "cascade");
	set_flag(c, p, "no-revoke", "no_revoke");
	set_flag(c, p, "no-wait", "no_wait");
	if ((r = ctl_call(c, "vaultd.Connections.Delete", p)) == NULL)
		return c->status;
	revocation = ctl_text(r, "revocation");
	if (c->json)
		ctl_dump(r);
	else if (strcmp(revocation, "revoked") == 0)
		printf("deleted, and revoked at the provider\n");
	else
		ctl_say(stdout, "deleted%s\n%s%s", strcmp(revocation, "queued") == 0 ?
		    "; revoking is queued: `vaultctl connection deleted` shows what becomes of it" :
		    "", ctl_text(r, "note"), *ctl_text(r, "note") ? "\n" : "");
	json_decref(r);
	return EX_OK;
}

static int
deleted(struct ctl *c)
{
	static const char *const members[] = { "path", "deleted", "revocation", NULL };
	static const char *const heads[] = { "CONNECTION", "DELETED", "REVOCATION", NULL };
	json_t *r = ctl_call(c, "vaultd.Connections.Deleted", json_object()), *row;
	size_t i;

	if (r == NULL)
		return c->status;
	if (c->json)
		ctl_dump(r);
	else
		ctl_table(json_object_get(r, "connections"), members, heads, "none was deleted lately");
	json_array_foreach(json_object_get(r, "connections"), i, row)
		if (!c->json && *ctl_text(row, "note") != '\0')
			ctl_say(stdout, "\n%s (%s)\n  %s\n", ctl_text(row, "path"),
			    ctl_text(row, "id"), ctl_text(row, "note"));
	json_decref(r);
	return EX_OK;
}

const struct command commands_connection[] = {
	{ "connection list", "", 0, 0, "folder= connector=", "list the connections you may see",
	    "  --folder FOLDER          only this folder (personal, shared/team)\n"
	    "  --connector CONNECTOR    only of this connector\n\n"
	    "  vaultctl connection list --folder shared/team\n", list },
	{ "connection show", "CONNECTION", 1, 1, "", "show one: state, account, and what to do",
	    "CONNECTION is an id, FOLDER/NAME, or a NAME in your own workspace.\n\n"
	    "  vaultctl connection show shared/team/github\n", show },
	{ "connection rename", "CONNECTION NAME", 2, 2, "", "give it another name",
	    "  vaultctl connection rename github work\n", rename_it },
	{ "connection disable", "CONNECTION", 1, 1, "note=", "hand out no tokens of it",
	    "  --note TEXT    why; shown to those who ask for a token\n\n"
	    "  vaultctl connection disable shared/team/github --note 'leaked, see #12'\n", disable },
	{ "connection enable", "CONNECTION", 1, 1, "", "hand out tokens of it again",
	    "  vaultctl connection enable shared/team/github\n", enable },
	{ "connection delete", "CONNECTION", 1, 1, "cascade no-revoke no-wait",
	    "forget it, and revoke it at the provider",
	    "  --cascade      with the bindings of programs that lead to it\n"
	    "  --no-revoke    forget it here alone\n"
	    "  --no-wait      do not wait for what the provider says\n\n"
	    "  vaultctl connection delete shared/team/github\n", delete_it },
	{ "connection deleted", "", 0, 0, "", "what became of deleted ones at their providers",
	    "  vaultctl connection deleted\n", deleted },
	{ 0 },
};

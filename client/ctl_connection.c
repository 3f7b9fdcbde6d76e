/*
 * ctl_connection.c - vaultctl connection ...
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl.h"

static const char *const fields[] = { "path", "connection", "state", "state",
	"state_since", "since", "resumes", "when enabled", "disabled_by", "disabled by",
	"disabled_note", "note", "account",
	"account", "connector", "connector", "auth_type", "authentication", "app", "OAuth app",
	"description", "description", "account_class", "account class",
	"scope", "scopes", "scope_gap", "not granted", "reported_gap", "API lacks",
	"reported_gap_time", "said", "last_checked", "last checked", "check_cause", "check found",
	"check_text", "check said", "check_advice", "to do", "last_used", "last used", "api_base", "API base",
	"captured", "told at sign-in", "expires", "token ends", "refresh_token_expires",
	"sign-in ends", "last_refresh_ok", "last renewed", "created", "created", "cause", "problem",
	"cause_text", "what was said", "provider_code", "provider code", "provider_text",
	"provider says", "cause_status", "HTTP status", "cause_phase", "request was",
	"cause_time", "of", "next_try", "next try", "cause_owner", "whose move", "cause_trace",
	"audit trace", "advice", "next", "warnings", "warning", "id", "id", NULL };

int
ctl_print_connection(struct ctl *c, json_t *r)
{
	if (r == NULL)
		return c->status;
	if (c->json)
		ctl_dump(r);
	else
		ctl_fields(json_object_get(r, "connection"), fields);
	json_decref(r);
	return EX_OK;
}

static void
set_flag(struct ctl *c, json_t *p, const char *option, const char *member)
{
	if (ctl_option(c, option) != NULL)
		json_object_set_new(p, member, json_true());
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
	ctl_set(p, "state", ctl_option(c, "state"));
	ctl_set(p, "auth_type", ctl_option(c, "auth-type"));
	ctl_set(p, "account_class", ctl_option(c, "account-class"));
	set_flag(c, p, "all", "all");
	set_flag(c, p, "byoa", "byoa");
	if (ctl_option(c, "no-byoa") != NULL)
		json_object_set_new(p, "byoa", json_false());
	if ((r = ctl_pages(c, "vaultd.Connections.List", "connections", p, NULL)) == NULL)
		return c->status;
	if (c->json)
		ctl_dump(r);
	else
		ctl_table(json_object_get(r, "connections"), members, heads,
		    "no connections; make one with `vaultctl connect CONNECTOR`");
	json_decref(r);
	return EX_OK;
}

static void
print_line(const json_t *connection)
{
	char *text = json_dumps(connection, JSON_COMPACT);

	if (text != NULL)
		printf("%s\n", text);
	free(text);
}

static int
export(struct ctl *c)
{
	json_t *r = ctl_pages(c, "vaultd.Connections.Export", "connections", json_object(),
	    print_line);

	json_decref(r);
	return r == NULL ? c->status : EX_OK;
}

static int
edit(struct ctl *c)
{
	json_t *p = json_pack("{s:s}", "connection", c->arg[0]), *r;
	const char *interval = ctl_option(c, "check-interval");
	long long minutes = 0, revision = 0;

	if (interval != NULL && strcmp(interval, "default") == 0)
		json_object_set_new(p, "check_default", json_true());
	else if (ctl_number(c, "check-interval", 1, &minutes) != 0)
		minutes = -1;
	if (minutes < 0 || ctl_number(c, "revision", 1, &revision) != 0) {
		json_decref(p);
		return EX_USE;
	}
	if (minutes > 0)
		json_object_set_new(p, "check_interval", json_integer(minutes));
	if (revision > 0)
		json_object_set_new(p, "revision", json_integer(revision));
	ctl_set(p, "name", ctl_option(c, "name"));
	ctl_set(p, "description", ctl_option(c, "description"));
	ctl_set(p, "account_class", ctl_option(c, "account-class"));
	r = ctl_call(c, "vaultd.Connections.Edit", p);
	return ctl_print_connection(c, r);
}

static int
move(struct ctl *c)
{
	json_t *p = json_pack("{s:s, s:s}", "connection", c->arg[0], "folder", c->arg[1]), *r;

	ctl_set(p, "name", ctl_option(c, "name"));
	r = ctl_call(c, "vaultd.Connections.Move", p);
	return ctl_print_connection(c, r);
}

static int
check(struct ctl *c)
{
	json_t *r = ctl_call(c, "vaultd.Connections.Check",
	    json_pack("{s:s}", "connection", c->arg[0]));
	const char *credential, *api;
	int status;

	if (r == NULL)
		return c->status;
	credential = ctl_text(r, "credential");
	api = ctl_text(r, "api");
	status = strcmp(credential, "ok") != 0 && strcmp(credential, "warn") != 0 ? EX_RECONNECT :
	    strcmp(api, "rejected") == 0 ? EX_RECONNECT : strcmp(api, "unknown") == 0 ? EX_LATER :
	    strcmp(api, "forbidden") == 0 ? EX_FAILED : EX_OK;
	if (!c->json) {
		printf("%-15s %s\n%-15s %s%s\n", "credential", credential, "API", api,
		    json_is_true(json_object_get(r, "fresh")) ||
		    strcmp(api, "not_checked") == 0 ? "" : " (found a moment ago)");
	}
	ctl_print_connection(c, r);
	return status;
}

static int
report_forbidden(struct ctl *c)
{
	json_t *p = json_pack("{s:s}", "connection", c->arg[0]), *r;

	ctl_set(p, "scope", ctl_option(c, "scope"));
	r = ctl_call(c, "vaultd.Connections.ReportForbidden", p);
	return ctl_print_connection(c, r);
}

static int
show(struct ctl *c)
{
	json_t *r = ctl_call(c, "vaultd.Connections.Show",
	    json_pack("{s:s}", "connection", c->arg[0]));

	return ctl_print_connection(c, r);
}

static int
rename_it(struct ctl *c)
{
	json_t *r = ctl_call(c, "vaultd.Connections.Rename",
	    json_pack("{s:s, s:s}", "connection", c->arg[0], "name", c->arg[1]));

	return ctl_print_connection(c, r);
}

static int
disable(struct ctl *c)
{
	json_t *p = json_pack("{s:s}", "connection", c->arg[0]), *r;

	ctl_set(p, "note", ctl_option(c, "note"));
	r = ctl_call(c, "vaultd.Connections.Disable", p);
	return ctl_print_connection(c, r);
}

static int
enable(struct ctl *c)
{
	json_t *r = ctl_call(c, "vaultd.Connections.Enable",
	    json_pack("{s:s}", "connection", c->arg[0]));

	return ctl_print_connection(c, r);
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
	static const char *const members[] = { "path", "deleted", "deleted_by", "revocation",
		NULL };
	static const char *const heads[] = { "CONNECTION", "DELETED", "BY", "REVOCATION", NULL };
	json_t *r = ctl_pages(c, "vaultd.Connections.Deleted", "connections", json_object(), NULL),
	    *row;
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
	{ "connection list", "", 0, 0, "folder= all connector= byoa no-byoa state= auth-type= "
	    "account-class=", "list the connections you may see",
	    "  --folder FOLDER          only this folder (personal, shared/team)\n"
	    "  --all                    in every folder, as without --folder\n"
	    "  --connector CONNECTOR    only of this connector\n"
	    "  --state STATE            only in this state: connected, disconnected...\n"
	    "  --auth-type TYPE         only of this authentication type\n"
	    "  --account-class CLASS    only personal, service or unknown ones\n"
	    "  --byoa, --no-byoa        only with an OAuth app of your own, or without\n\n"
	    "  vaultctl connection list --folder shared/team --state disconnected\n", list },
	{ "connection show", "CONNECTION", 1, 1, "", "show one: state, account, and what to do",
	    "CONNECTION is an id, FOLDER/NAME, or a NAME in your own workspace.\n\n"
	    "  vaultctl connection show shared/team/github\n", show },
	{ "connection rename", "CONNECTION NAME", 2, 2, "", "give it another name",
	    "  vaultctl connection rename github work\n", rename_it },
	{ "connection edit", "CONNECTION", 1, 1, "name= description= check-interval= "
	    "account-class= revision=", "change what may be changed",
	    "  --name NAME                 another name\n"
	    "  --description TEXT          what it is for\n"
	    "  --check-interval MINUTES    check it so often, 5 to 1440; or `default`\n"
	    "  --account-class CLASS       personal, service or unknown\n"
	    "  --revision N                only if nobody changed it since\n\n"
	    "  vaultctl connection edit github --description 'for builds'\n", edit },
	{ "connection move", "CONNECTION FOLDER", 2, 2, "name=", "put it into another folder",
	    "  --name NAME    and call it so there\n\n"
	    "  vaultctl connection move shared/team/github shared/ops\n", move },
	{ "connection check", "CONNECTION", 1, 1, "", "does it still work?",
	    "Asks the provider; the exit status is 0 when it works.\n\n"
	    "  vaultctl connection check github\n", check },
	{ "connection report-forbidden", "CONNECTION", 1, 1, "scope=",
	    "an API answered 403: a scope is missing",
	    "  --scope SCOPES    those that the API named\n\n"
	    "  vaultctl connection report-forbidden github --scope repo\n", report_forbidden },
	{ "connection export", "", 0, 0, "", "all of them, as lines of JSON, for who audits",
	    "  vaultctl connection export >connections.jsonl\n", export },
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

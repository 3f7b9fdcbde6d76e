/*
 * verb_policy.c - vaultd.Policy: what is in force, reading it again, and why.
 */
#include <stdio.h>
#include <string.h>

#include "common/auto.h"
#include "common/errors.h"
#include "vaultd/conn.h"
#include "vaultd/objects.h"
#include "vaultd/reload.h"
#include "vaultd/request.h"
#include "vaultd/vault.h"
#include "vaultd/verbs.h"
#include "vaultd/warnings.h"

/* ---- Reload */

static void
reloaded(void *arg, int rc, const struct err *e)
{
	struct request *r = arg;

	if (rc == 0)
		r->reply = json_pack("{s:s, s:o}", "hash", policy_hash(r->vault->policy),
		    "warnings", warnings_json(r->vault));
	request_resume(r, rc, e);
}

static int
reload_run(struct request *r, struct err *e)
{
	(void)e;
	request_defer(r);
	policy_reload(r->vault, reloaded, r);
	return REQUEST_WAIT;
}

const struct verb verb_policy_reload = {
	.method = "vaultd.Policy.Reload",
	.help = "read the policy files again",
	.action = ACT_POLICY_RELOAD,
	.flags = VERB_CHANGE,
	.run = reload_run,
};

/* ---- Show */

static int
show_run(struct request *r, struct err *e)
{
	struct vault *v = r->vault;

	(void)e;
	r->reply = json_pack("{s:s, s:o, s:o, s:s}", "hash", policy_hash(v->policy), "error",
	    v->policy_error[0] == '\0' ? json_null() : json_string(v->policy_error),
	    "warnings", warnings_json(v), "directory", v->conf.policy_dir);
	return 0;
}

const struct verb verb_policy_show = {
	.method = "vaultd.Policy.Show",
	.help = "the policy set in force",
	.action = ACT_POLICY_READ,
	.run = show_run,
};

/* ---- Explain */

struct explain_args {
	const char	*action, *folder, *connector, *auth_type, *app;
};

static const struct field explain_fields[] = {
	{ "action", F_STR, offsetof(struct explain_args, action), true, 60 },
	{ "folder", F_STR, offsetof(struct explain_args, folder), false, 390 },
	{ "connector", F_STR, offsetof(struct explain_args, connector), false, 63 },
	{ "auth_type", F_STR, offsetof(struct explain_args, auth_type), false, 60 },
	{ "app", F_STR, offsetof(struct explain_args, app), false, 120 },
	{ 0 },
};

static int
unknown_action(const char *name, struct err *e)
{
	char all[280] = "";
	size_t n = 0;

	for (enum policy_action a = ACT_NONE + 1; a < ACT_MAX; a++) {
		n = str_put(all, sizeof all, n, " ");
		n = str_put(all, sizeof all, n, policy_action_name(a));
	}
	return err_parameter(e, "action",
	    "there is no action '%.60s'; there are:%s", name, all);
}

/* Of what there is not policy would say no, and that would lead nowhere. */
static int
names_are_real(struct request *r, struct explain_args *a, struct err *e)
{
	const struct connector *k = NULL;
	AUTO(app) app = { 0 };
	enum auth_type t;

	if (a->connector != NULL &&
	    (k = catalogue_find(&r->vault->catalogue, a->connector)) == NULL)
		return err_name(e, ERR_CONNECTOR_UNKNOWN, "there is no connector '%.60s'",
		    a->connector);
	if (k != NULL)
		a->connector = k->id;		/* not an alias */
	if (a->auth_type != NULL && !auth_type_parse(a->auth_type, &t))
		return err_parameter(e, "auth_type",
		    "there is no authentication type '%.60s'",
		    a->auth_type);
	if (a->folder != NULL && strcmp(a->folder, "personal") != 0 &&
	    strncmp(a->folder, "personal/", 9) != 0 && strncmp(a->folder, "shared/", 7) != 0)
		return err_parameter(e, "folder", "a folder is personal, personal/USER or "
		    "shared/NAME");
	return a->app == NULL ? 0 : object_find_app(r->vault, a->app, &app, NULL, e);
}

static int
explain_run(struct request *r, struct err *e)
{
	struct explain_args *a = r->args;
	enum policy_action action;
	struct policy_object o = { .connector = a->connector, .auth_type = a->auth_type,
		.byoa = a->app != NULL, .app = a->app };
	struct policy_decision d;

	if (!policy_action_parse(a->action, &action))
		return unknown_action(a->action, e);
	if (names_are_real(r, a, e) != 0)
		return e->code;
	if (a->folder == NULL && strncmp(a->action, "folder.", 7) == 0)
		return err_parameter(e, "folder",
		    "say which folder: the answer depends on it");
	if (a->folder == NULL && strncmp(a->action, "conn.", 5) == 0)
		a->folder = "personal";
	if (a->folder != NULL && strncmp(a->folder, "shared/", 7) == 0) {
		o.class = FOLDER_SHARED;
		o.folder = a->folder;
	} else if (a->folder != NULL) {
		o.class = FOLDER_PERSONAL;
		o.folder = "personal";
		o.own = strcmp(a->folder, "personal") == 0;
	}
	request_may(r, action, &o, &d);
	r->reply = json_pack("{s:b, s:s, s:s, s:s, s:s, s:s}", "allow", (int)d.allow,
	    "policy_file", d.file, "rule", d.rule, "policy", d.policy, "level", d.level, "text",
	    d.text);
	return 0;
}

const struct verb verb_policy_explain = {
	.method = "vaultd.Policy.Explain",
	.help = "would the caller be allowed, and by which rule?",
	.action = ACT_NONE,
	.fields = explain_fields,
	.args_size = sizeof(struct explain_args),
	.run = explain_run,
};

/*
 * verb_check.c - vaultd.Connections.Check and ReportForbidden.
 */
#include <stdio.h>
#include <string.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/role.h"
#include "vaultd/check.h"
#include "vaultd/conn.h"
#include "vaultd/named.h"
#include "vaultd/vault.h"
#include "vaultd/verbs.h"

static const struct field check_fields[] = {
	{ "connection", F_STR, offsetof(struct named, connection), true, 0 },
	{ 0 },
};

static const char *
credential_verdict(const struct connection *c)
{
	switch (c->state) {
	case CONN_CONNECTED:
		return c->cause == ERR_NONE ? "ok" : "warn";
	case CONN_DEGRADED:
		return "warn";
	default:
		return conn_state_name(c->state);
	}
}

static const char *
api_verdict(const struct connection *c)
{
	if (c->last_checked == 0)
		return "not_checked";
	switch (c->check_cause) {
	case ERR_NONE:
		return "ok";
	case ERR_SCOPE_INSUFFICIENT:
		return "forbidden";
	case ERR_KEY_REJECTED:
	case ERR_KEY_EXPIRED:
		return "rejected";
	default:
		return "unknown";
	}
}

static void
check_reply(struct request *r, bool fresh)
{
	struct named *n = r->args;
	const struct connection *c = &n->t.c;

	r->reply = json_pack("{s:o, s:s, s:s, s:b}", "connection", object_connection_json(r, &n->t),
	    "credential", credential_verdict(c), "api", api_verdict(c), "fresh", (int)fresh);
}

static void
checked(void *arg, int rc, const struct err *e)
{
	struct request *r = arg;
	struct named *n = r->args;
	int64_t before = n->t.c.last_checked;
	char id[ID_TEXT];

	if (rc == 0) {
		id_text(&n->t.c.id, id);
		rc = object_find_connection(r, id, true, &n->t, &r->err);
		e = &r->err;
	}
	if (rc == 0)
		check_reply(r, n->t.c.last_checked != before);
	request_resume(r, rc, e);
}

static int
check_run(struct request *r, struct err *e)
{
	struct named *n = r->args;

	(void)e;
	if (wall_seconds() - n->t.c.last_checked < CHECK_FRESH_S) {
		check_reply(r, false);
		return 0;
	}
	request_defer(r);
	check_want(r->vault, &n->t.c.id, checked, r);
	return REQUEST_WAIT;
}

const struct verb verb_connection_check = {
	.method = "vaultd.Connections.Check",
	.help = "does it still work: the credential, and the provider's API",
	.action = ACT_CONN_VIEW,
	.flags = VERB_UNSEALED,
	.fields = check_fields,
	.args_size = sizeof(struct named),
	.object = named_object_verified,
	.run = check_run,
};

/* ---- ReportForbidden: a program was refused by the API although the token is good */

struct report_args {
	struct named	 n;
	const char	*scope;
};

static const struct field report_fields[] = {
	{ "connection", F_STR, offsetof(struct report_args, n.connection), true, 0 },
	{ "scope", F_STR, offsetof(struct report_args, scope), false, 255 },
	{ 0 },
};

static int
report_run(struct request *r, struct err *e)
{
	struct report_args *a = r->args;
	struct connection *c = &a->n.t.c;
	const char *scope = a->scope != NULL ? a->scope : "";
	int64_t now = wall_seconds();

	for (const char *p = scope; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
			return err_parameter(e, "scope", "scopes are visible ASCII");
	/* The same again, from every worker at once, is not news. */
	if (now - c->gap_time < CHECK_FRESH_S && strcmp(c->gap_scope, scope) == 0) {
		named_reply(r);
		return 0;
	}
	c->gap_time = now;
	snprintf(c->gap_scope, sizeof c->gap_scope, "%s", scope);
	r->after = named_reply;
	return object_put_connection(r->vault, &r->changes, c, a->n.t.generation, e);
}

const struct verb verb_connection_report_forbidden = {
	.method = "vaultd.Connections.ReportForbidden",
	.help = "an API refused a good token: note that a scope is missing",
	.action = ACT_CONN_USE,
	.flags = VERB_CHANGE,
	.fields = report_fields,
	.args_size = sizeof(struct report_args),
	.object = named_object_verified,
	.run = report_run,
};

/*
 * roles.c - actions by name, and the roles that exist without being written anywhere.
 */
#include <stdlib.h>
#include <string.h>

#include "policy/snapshot.h"

static const char *const actions[ACT_MAX] = {
	[ACT_NONE] = "none",
	[ACT_CONN_VIEW] = "conn.view",
	[ACT_CONN_USE] = "conn.use",
	[ACT_CONN_CREATE] = "conn.create",
	[ACT_CONN_EDIT] = "conn.edit",
	[ACT_CONN_RECONNECT] = "conn.reconnect",
	[ACT_CONN_DELETE] = "conn.delete",
	[ACT_FOLDER_VIEW] = "folder.view",
	[ACT_FOLDER_CREATE] = "folder.create",
	[ACT_FOLDER_CREATE_SUB] = "folder.create_sub",
	[ACT_FOLDER_GRANT] = "folder.grant",
	[ACT_FOLDER_DELETE] = "folder.delete",
	[ACT_APP_VIEW] = "app.view",
	[ACT_APP_EDIT] = "app.edit",
	[ACT_POLICY_READ] = "policy.read",
	[ACT_POLICY_RELOAD] = "policy.reload",
	[ACT_AUDIT_READ] = "audit.read",
	[ACT_VAULT_ADMIN] = "vault.admin",
	[ACT_CONN_DEFAULT] = "conn.default",
	[ACT_CONN_DISABLE] = "conn.disable",
	[ACT_CONN_MOVE] = "conn.move",
	[ACT_CONN_EXPORT] = "conn.export",
	[ACT_CONN_USE_RAW] = "conn.use_raw",
	[ACT_BINDING_EDIT] = "binding.edit",
	[ACT_APP_ROTATE] = "app.rotate",
};

const char *
policy_action_name(enum policy_action a)
{
	return a < ACT_MAX ? actions[a] : "none";
}

bool
policy_action_parse(const char *name, enum policy_action *ret)
{
	for (int i = ACT_NONE + 1; i < ACT_MAX; i++)
		if (strcmp(actions[i], name) == 0) {
			*ret = (enum policy_action)i;
			return true;
		}
	return false;
}

#define BIT(a) (1u << (a))
#define VIEW (BIT(ACT_CONN_VIEW) | BIT(ACT_FOLDER_VIEW))
#define USER (VIEW | BIT(ACT_CONN_USE))
#define DEVELOPER (USER | BIT(ACT_CONN_CREATE) | BIT(ACT_CONN_EDIT) | BIT(ACT_CONN_RECONNECT) | \
    BIT(ACT_CONN_DEFAULT) | BIT(ACT_BINDING_EDIT))
/* Besides, whoever answers for a folder. */
#define KEEPER (DEVELOPER | BIT(ACT_CONN_DELETE) | BIT(ACT_CONN_DISABLE) | BIT(ACT_CONN_MOVE))

/* Who administers does not use: neither governance-admin nor vault-admin has conn.use. */
static const struct { const char *name; uint32_t actions; } builtin[] = {
	{ "automation-user", USER },
	{ "automation-developer", DEVELOPER },
	{ "folder-admin", KEEPER | BIT(ACT_FOLDER_CREATE_SUB) |
	    BIT(ACT_FOLDER_GRANT) | BIT(ACT_FOLDER_DELETE) },
	{ "workspace-owner", KEEPER | BIT(ACT_CONN_USE_RAW) },
	{ "auditor", VIEW | BIT(ACT_CONN_EXPORT) | BIT(ACT_AUDIT_READ) | BIT(ACT_POLICY_READ) |
	    BIT(ACT_APP_VIEW) },
	{ "governance-admin", VIEW | BIT(ACT_APP_VIEW) | BIT(ACT_APP_EDIT) |
	    BIT(ACT_APP_ROTATE) | BIT(ACT_CONN_DISABLE) |
	    BIT(ACT_FOLDER_CREATE) | BIT(ACT_FOLDER_CREATE_SUB) | BIT(ACT_FOLDER_GRANT) |
	    BIT(ACT_FOLDER_DELETE) | BIT(ACT_POLICY_READ) | BIT(ACT_POLICY_RELOAD) |
	    BIT(ACT_AUDIT_READ) },
	{ "vault-admin", VIEW | BIT(ACT_POLICY_READ) | BIT(ACT_AUDIT_READ) |
	    BIT(ACT_VAULT_ADMIN) },
};

int
roles_builtin(struct policy *p, struct err *e)
{
	for (size_t i = 0; i < sizeof builtin / sizeof *builtin; i++) {
		struct role *r = array_more(p->role, p->nroles, sizeof *r);

		if (r == NULL)
			return err_set(e, V_LIMIT, "out of memory");
		p->role = r;
		r += p->nroles++;
		*r = (struct role){ .name = strdup(builtin[i].name), .actions = builtin[i].actions };
		if (r->name == NULL)
			return err_set(e, V_LIMIT, "out of memory");
	}
	return 0;
}

int
role_find(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->nroles; i++)
		if (strcmp(p->role[i].name, name) == 0)
			return (int)i;
	return -1;
}

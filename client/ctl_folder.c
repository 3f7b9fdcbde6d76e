/*
 * ctl_folder.c - vaultctl folder ... and connector ...
 */
#include <stdio.h>

#include "client/ctl.h"

/* ---- folders */

static int
folder_list(struct ctl *c)
{
	static const char *const members[] = { "path", "class", "owner", "created", NULL };
	static const char *const heads[] = { "FOLDER", "CLASS", "OWNER", "CREATED", NULL };
	json_t *r = ctl_call(c, "vaultd.Folders.List", NULL);

	if (r == NULL)
		return c->status;
	if (c->json)
		ctl_dump(r);
	else
		ctl_table(json_object_get(r, "folders"), members, heads, "no folders yet; your own "
		    "workspace comes with your first connection");
	json_decref(r);
	return EX_OK;
}

static int
folder_create(struct ctl *c)
{
	json_t *r = ctl_call(c, "vaultd.Folders.Create", json_pack("{s:s}", "path", c->arg[0]));

	if (r == NULL)
		return c->status;
	if (c->json)
		ctl_dump(r);
	else
		printf("made %s\n", c->arg[0]);
	json_decref(r);
	return EX_OK;
}

static int
folder_delete(struct ctl *c)
{
	json_t *r = ctl_call(c, "vaultd.Folders.Delete", json_pack("{s:s}", "path", c->arg[0]));

	if (r == NULL)
		return c->status;
	json_decref(r);
	if (!c->json)
		printf("deleted %s\n", c->arg[0]);
	return EX_OK;
}

const struct command commands_folder[] = {
	{ "folder list", "", 0, 0, "", "list the folders you may see",
	    "  vaultctl folder list\n", folder_list },
	{ "folder create", "shared/NAME", 1, 1, "", "make a shared folder",
	    "The folder above it must exist.\n\n"
	    "  vaultctl folder create shared/finance\n"
	    "  vaultctl folder create shared/finance/eu\n", folder_create },
	{ "folder delete", "shared/NAME", 1, 1, "", "remove an empty folder",
	    "  vaultctl folder delete shared/finance/eu\n", folder_delete },
	{ 0 },
};

/* ---- connectors */

static int
connector_list(struct ctl *c)
{
	static const char *const members[] = { "id", "auth_types", "byoa", "policy", NULL };
	static const char *const heads[] = { "CONNECTOR", "AUTHENTICATION", "OWN APP",
		"POLICY", NULL };
	json_t *r = ctl_call(c, "vaultd.Connectors.List", NULL);

	if (r == NULL)
		return c->status;
	if (c->json)
		ctl_dump(r);
	else
		ctl_table(json_object_get(r, "connectors"), members, heads, "no connectors");
	json_decref(r);
	return EX_OK;
}

static int
connector_show(struct ctl *c)
{
	static const char *const fields[] = { "id", "connector", "name", "name", "version",
		"version", "auth_types", "authentication", "policy", "policy", "byoa",
		"own OAuth app", "default_app", "default app", "scopes_mandatory", "always asked",
		"scopes_default", "default scopes", "api_base", "API base", "refresh", "refresh",
		"pat_url", "tokens made at", "unverified", "unverified", NULL };
	json_t *r = ctl_call(c, "vaultd.Connectors.Show",
	    json_pack("{s:s}", "connector", c->arg[0]));

	if (r == NULL)
		return c->status;
	if (c->json)
		ctl_dump(r);
	else
		ctl_fields(json_object_get(r, "connector"), fields);
	json_decref(r);
	return EX_OK;
}

const struct command commands_connector[] = {
	{ "connector list", "", 0, 0, "", "list the catalogue",
	    "  vaultctl connector list\n", connector_list },
	{ "connector show", "CONNECTOR", 1, 1, "", "show one connector",
	    "  vaultctl connector show github\n", connector_show },
	{ "connector check", "FILE...", 1, ARGS_MAX, "", "check connector files, without a vault",
	    "Exit status 1: a file is wrong; FILE:LINE:COLUMN says where. With --json standard\n"
	    "output is an array of {file, line, column, message, suggestion}, empty when all is\n"
	    "well.\n\n"
	    "  vaultctl connector check /usr/share/vaultd/connectors/*.json\n",
	    ctl_check_connectors },
	{ 0 },
};

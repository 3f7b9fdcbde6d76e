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
folder_show(struct ctl *c)
{
	static const char *const fields[] = { "path", "folder", "class", "class", "owner", "owner",
		"created", "created", "id", "id", NULL };
	static const char *const more[] = { "connections", "connections", "folders", "folders",
		"bindings", "bindings", "permissions", "you may", NULL };
	json_t *r = ctl_call(c, "vaultd.Folders.Show", json_pack("{s:s}", "path", c->arg[0]));

	if (r == NULL)
		return c->status;
	if (c->json) {
		ctl_dump(r);
	} else {
		ctl_fields(json_object_get(r, "folder"), fields);
		ctl_fields(r, more);
	}
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
	{ "folder show", "FOLDER", 1, 1, "", "what is in one, and what you may do there",
	    "  vaultctl folder show shared/finance\n", folder_show },
	{ "folder create", "shared/NAME", 1, 1, "", "make a shared folder",
	    "The folder above it must exist.\n\n"
	    "  vaultctl folder create shared/finance\n"
	    "  vaultctl folder create shared/finance/eu\n", folder_create },
	{ "folder delete", "shared/NAME", 1, 1, "", "remove an empty folder",
	    "  vaultctl folder delete shared/finance/eu\n", folder_delete },
	{ 0 },
};

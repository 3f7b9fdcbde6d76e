/*
 * verb_connection.c - vaultd.Connections.Show.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/errors.h"
#include "common/role.h"
#include "vaultd/conn.h"
#include "vaultd/named.h"
#include "vaultd/vault.h"
#include "vaultd/verbs.h"

/* ---- Show */

static const struct field show_fields[] = {
	{ "connection", F_STR, offsetof(struct named, connection), true, 0 },
	{ 0 },
};

static int
show_run(struct request *r, struct err *e)
{
	struct named *a = r->args;

	(void)e;
	r->reply = json_pack("{s:o}", "connection", object_connection_json(r, &a->t));
	return 0;
}

const struct verb verb_connection_show = {
	.method = "vaultd.Connections.Show",
	.help = "one connection: state, account, cause and what to do",
	.action = ACT_CONN_VIEW,
	.fields = show_fields,
	.args_size = sizeof(struct named),
	.object = named_object_resolved,
	.run = show_run,
};

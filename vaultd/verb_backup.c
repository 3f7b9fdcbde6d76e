/*
 * verb_backup.c - vaultd.Vault.Backup: a hot copy by a process of its own, so that neither
 * the loop nor a write waits for it. Ciphertext only.
 */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/errors.h"
#include "vaultd/backup.h"
#include "vaultd/request.h"
#include "vaultd/vault.h"
#include "vaultd/verbs.h"

struct backup_args {
	const char	*name;
	char		 path[600];
	struct backup	*job;
};

static const struct field backup_fields[] = {
	{ "name", F_NAME, offsetof(struct backup_args, name), true, 64 },
	{ 0 },
};

static void
finished(void *arg, int rc, const struct err *e)
{
	struct request *r = arg;
	struct backup_args *a = r->args;

	if (rc == 0)
		r->reply = json_pack("{s:s}", "path", a->path);
	request_resume(r, rc, e);
}

static int
backup_run(struct request *r, struct err *e)
{
	struct backup_args *a = r->args;

	if (a->name[0] == '.') {
		err_name(e, ERR_NAME_INVALID, "the name of a backup does not start with a dot");
		return e->code;
	}
	snprintf(a->path, sizeof a->path, "%s/backup/%s", r->vault->conf.state_dir, a->name);
	request_defer(r);
	if (backup_start(r->vault, a->path, finished, r, e) != 0)
		return e->code;
	return REQUEST_WAIT;
}

const struct verb verb_vault_backup = {
	.method = "vaultd.Vault.Backup",
	.help = "a consistent copy of store and audit log",
	.action = ACT_NONE,
	.flags = VERB_CHANGE | VERB_OPERATOR,
	.fields = backup_fields,
	.args_size = sizeof(struct backup_args),
	.run = backup_run,
};

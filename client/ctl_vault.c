/*
 * ctl_vault.c - vaultctl status, whoami, seal, unseal, backup, key status, call.
 */
#include <stdio.h>
#include <string.h>

#include "client/ctl.h"

static void
print_status(const json_t *r)
{
	static const char *const fields[] = { "summary", "vaultd", "version", "version", "vault",
		"vault", "egress", "egress", "store", "store", "policy_hash", "policy",
		"policy_error", "policy error", "connections", "connections", "deks_cached",
		"keys cached", "clients", "clients", "role_separation", "separation",
		"rollback_anchor", "rollback anchor", NULL };
	const json_t *h = json_object_get(r, "hsm"), *a = json_object_get(r, "audit");

	ctl_fields(r, fields);
	printf("%-15s %s%s%s\n", "HSM", ctl_text(h, "state"), *ctl_text(h, "text") ? ": " : "",
	    ctl_text(h, "text"));
	printf("%-15s %s, line %lld\n", "audit", ctl_text(a, "state"),
	    (long long)json_integer_value(json_object_get(a, "sequence")));
}

static int
status(struct ctl *c)
{
	json_t *r = ctl_call(c, "vaultd.Vault.Status", NULL);

	if (r == NULL)
		return c->status;
	if (c->json)
		ctl_dump(r);
	else
		print_status(r);
	json_decref(r);
	return EX_OK;
}

static int
whoami(struct ctl *c)
{
	static const char *const fields[] = { "uid", "uid", "gids", "groups", "unit", "unit", "operator",
		"operator", NULL };
	json_t *r = ctl_call(c, "vaultd.Vault.WhoAmI", NULL);

	if (r == NULL)
		return c->status;
	if (c->json)
		ctl_dump(r);
	else
		ctl_fields(r, fields);
	json_decref(r);
	return EX_OK;
}

static int
plain(struct ctl *c, const char *method, const char *said)
{
	json_t *r = ctl_call(c, method, NULL);

	if (r == NULL)
		return c->status;
	json_decref(r);
	if (!c->json)
		printf("%s\n", said);
	return EX_OK;
}

static int
seal(struct ctl *c)
{
	return plain(c, "vaultd.Vault.Seal", "sealed: nothing is released until unsealed");
}

static int
unseal(struct ctl *c)
{
	return plain(c, "vaultd.Vault.Unseal", "unsealed");
}

static int
adopt(struct ctl *c)
{
	return plain(c, "vaultd.Vault.Adopt", "adopted: refresh tokens of the restored store are "
	    "used again");
}

static int
backup(struct ctl *c)
{
	json_t *r = ctl_call(c, "vaultd.Vault.Backup", json_pack("{s:s}", "name", c->arg[0]));

	if (r == NULL)
		return c->status;
	if (c->json)
		ctl_dump(r);
	else
		printf("%s\n", ctl_text(r, "path"));
	json_decref(r);
	return EX_OK;
}

static int
key_status(struct ctl *c)
{
	static const char *const fields[] = { "state", "state", "text", "why", "token", "token",
		NULL };
	static const char *const members[] = { "id", "purpose", "generation", "current", "wraps",
		NULL };
	static const char *const heads[] = { "KEK", "PURPOSE", "GENERATION", "CURRENT",
		"KEYS UNDER IT", NULL };
	json_t *r = ctl_call(c, "vaultd.Keys.Status", NULL);

	if (r == NULL)
		return c->status;
	if (c->json) {
		ctl_dump(r);
	} else {
		ctl_fields(r, fields);
		ctl_table(json_object_get(r, "keks"), members, heads, "no keys are bound");
	}
	json_decref(r);
	return EX_OK;
}

static int
call(struct ctl *c)
{
	json_error_t je;
	json_t *p = NULL, *r;

	if (c->nargs > 1 && (p = json_loads(c->arg[1], 0, &je)) == NULL)
		return ctl_fail(c, EX_USE, "the parameters are not JSON: %s", je.text);
	if ((r = ctl_call(c, c->arg[0], p)) == NULL)
		return c->status;
	ctl_dump(r);
	json_decref(r);
	return EX_OK;
}

const struct command commands_vault[] = {
	{ "status", "", 0, 0, "", "how the vault is",
	    "The first line says what to do, if anything.\n\n"
	    "  vaultctl --json status\n", status },
	{ "whoami", "", 0, 0, "", "who the vault thinks you are",
	    "  vaultctl whoami\n", whoami },
	{ "key status", "", 0, 0, "", "keys of the vault in the HSM",
	    "  vaultctl key status\n", key_status },
	{ "seal", "", 0, 0, "", "operator: wipe cached keys, release nothing",
	    "  vaultctl seal\n", seal },
	{ "unseal", "", 0, 0, "", "operator: release again",
	    "  vaultctl unseal\n", unseal },
	{ "backup", "NAME", 1, 1, "", "operator: copy store and audit log",
	    "The copy is below the state directory; it is ciphertext, and opens only with\n"
	    "the keys in the HSM. To restore: stop vaultd, put store/ and audit/ back,\n"
	    "start it, and read `vaultctl status`.\n\n"
	    "  vaultctl backup before-upgrade\n",
	    backup },
	{ "adopt", "", 0, 0, "", "operator: trust a restored store",
	    "A store that was restored from a copy holds refresh tokens that may have been\n"
	    "used since; where they rotate, using one again can cost the grant. Say this when\n"
	    "the store it was copied from is gone and nothing was refreshed there since.\n"
	    "Else let the users reconnect.\n\n"
	    "  vaultctl adopt\n", adopt },
	{ "call", "METHOD [JSON]", 1, 2, "", "call any method of the protocol",
	    "  vaultctl call org.varlink.service.GetInfo\n", call },
	{ 0 },
};

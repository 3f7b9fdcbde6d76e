/*
 * verb_vault.c - vaultd.Vault, vaultd.Audit and vaultd.Keys: how the vault is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/errors.h"
#include "common/role.h"
#include "vaultd/conn.h"
#include "vaultd/dek_cache.h"
#include "vaultd/egress.h"
#include "vaultd/notice.h"
#include "vaultd/hsm.h"
#include "vaultd/schedule.h"
#include "vaultd/request.h"
#include "vaultd/vault.h"
#include "vaultd/verbs.h"

/* ---- Status */

static const char *
journal_text(const struct vault *v)
{
	switch (journal_state(v->journal)) {
	case JOURNAL_AUDIT_UNWRITABLE:
		return "unwritable";
	case JOURNAL_STORE_UNWRITABLE:
	case JOURNAL_OK:
		break;
	}
	return "ok";
}

static const char *
store_text(const struct vault *v)
{
	return journal_state(v->journal) == JOURNAL_STORE_UNWRITABLE ? "unwritable" : "ok";
}

/* The one sentence an operator should read first. */
static void
summary(const struct vault *v, char *ret, size_t cap)
{
	const struct key_status *k = hsm_status(v->hsm);

	if (v->sealed)
		snprintf(ret, cap, "sealed: nothing is released until `vaultctl unseal`");
	else if (journal_state(v->journal) == JOURNAL_AUDIT_UNWRITABLE)
		snprintf(ret, cap, "the audit log cannot be written: free space");
	else if (journal_state(v->journal) == JOURNAL_STORE_UNWRITABLE)
		snprintf(ret, cap, "the store cannot be written: free space");
	else if (!hsm_is_ready(v->hsm))
		snprintf(ret, cap, "HSM %s: %s", key_state_name(k->state), k->text);
	else if (!egress_is_up(v->egress))
		snprintf(ret, cap, "vault-egress is not running: nothing is refreshed");
	else if (v->policy_error[0] != '\0')
		snprintf(ret, cap, "the policy on disk is not in force: %s", v->policy_error);
	else if (!v->adopted)
		snprintf(ret, cap, "the store was restored from a copy: refresh tokens that rotate "
		    "are not used until `vaultctl adopt`");
	else if (!v->roles_separate)
		snprintf(ret, cap, "ok, but role separation is off: all roles share one user");
	else
		snprintf(ret, cap, "ok");
}

static json_t *
hsm_json(const struct vault *v)
{
	const struct key_status *k = hsm_status(v->hsm);

	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I}", "state", key_state_name(k->state),
	    "text", k->text, "token", k->token, "made", (json_int_t)k->made, "unwrapped",
	    (json_int_t)k->unwrapped, "refused", (json_int_t)k->refused);
}

static json_t *
audit_json(const struct vault *v)
{
	struct journal_stats s;
	char hash[65];

	journal_stats(v->journal, &s);
	hex_encode(s.head.hash, sizeof s.head.hash, hash);
	return json_pack("{s:I, s:s, s:s}", "sequence", (json_int_t)s.head.seq, "hash", hash,
	    "state", journal_text(v));
}

static json_t *
journal_json(const struct vault *v)
{
	struct journal_stats s;

	journal_stats(v->journal, &s);
	return json_pack("{s:I, s:I, s:I, s:I}", "lines", (json_int_t)s.audit_lines,
	    "line_batches", (json_int_t)s.audit_batches, "commits", (json_int_t)s.commits,
	    "commit_batches", (json_int_t)s.commit_batches);
}

static int
status_run(struct request *r, struct err *e)
{
	const struct vault *v = r->vault;
	size_t entries[TABLE_MAX] = { 0 }, bytes = 0;
	char id[ID_TEXT], instance[ID_TEXT], text[800];

	(void)e;
	store_stat(v->store, entries, &bytes);
	summary(v, text, sizeof text);
	id_text(&v->id, id);
	id_text(&v->instance, instance);
	r->reply = json_pack("{s:s, s:s, s:s, s:I, s:s, s:o, s:s, s:s, s:o, s:o, s:s, s:o, s:b, s:b,"
	    " s:i, s:s, s:b, s:I, s:I, s:i}",
	    "version", VERSION, "vault", id_is_null(&v->id) ? "" : id, "instance", instance,
	    "uptime", (json_int_t)((boot_ms() - v->started_ms) / 1000), "summary", text,
	    "hsm", hsm_json(v), "egress", egress_is_up(v->egress) ? "up" : "down",
	    "store", store_text(v), "audit", audit_json(v), "journal", journal_json(v),
	    "policy_hash", policy_hash(v->policy), "policy_error",
	    v->policy_error[0] == '\0' ? json_null() : json_string(v->policy_error),
	    "sealed", (int)v->sealed, "role_separation", (int)v->roles_separate,
	    "landlock", v->landlock, "rollback_anchor", "none",
	    "adopted", (int)v->adopted,
	    "connections", (json_int_t)entries[TABLE_CONNECTION],
	    "deks_cached", (json_int_t)dek_cache_count(v->deks),
	    "clients", (int)v->limits.connections);
	return 0;
}

const struct verb verb_vault_status = {
	.method = "vaultd.Vault.Status",
	.help = "how the vault is",
	.action = ACT_NONE,
	.flags = VERB_NO_AUDIT,
	.run = status_run,
};

/* ---- WhoAmI */

static int
whoami_run(struct request *r, struct err *e)
{
	const struct peer *p = &r->conn->peer;
	json_t *gids = json_array();

	(void)e;
	for (size_t i = 0; i < p->ngids; i++)
		json_array_append_new(gids, json_integer(p->gids[i]));
	r->reply = json_pack("{s:I, s:o, s:o, s:b}", "uid", (json_int_t)p->uid, "gids", gids,
	    "unit", p->unit[0] == '\0' ? json_null() : json_string(p->unit), "operator",
	    (int)r->conn->operator);
	return 0;
}

const struct verb verb_vault_whoami = {
	.method = "vaultd.Vault.WhoAmI",
	.help = "who the vault thinks is asking",
	.action = ACT_NONE,
	.flags = VERB_NO_AUDIT,
	.run = whoami_run,
};

/* ---- Seal, Unseal */

static int
seal_run(struct request *r, struct err *e)
{
	(void)e;
	r->vault->sealed = true;
	dek_cache_wipe(r->vault->deks);
	notice_of_vault(r->vault, NOTICE_SEALED, ERR_NONE, NULL);
	return 0;
}

const struct verb verb_vault_seal = {
	.method = "vaultd.Vault.Seal",
	.help = "wipe cached keys and release nothing",
	.action = ACT_NONE,
	.flags = VERB_CHANGE | VERB_OPERATOR,
	.run = seal_run,
};

static int
unseal_run(struct request *r, struct err *e)
{
	(void)e;
	r->vault->sealed = false;
	notice_of_vault(r->vault, NOTICE_UNSEALED, ERR_NONE, NULL);
	return 0;
}

const struct verb verb_vault_unseal = {
	.method = "vaultd.Vault.Unseal",
	.help = "release again",
	.action = ACT_NONE,
	.flags = VERB_CHANGE | VERB_OPERATOR,
	.run = unseal_run,
};

/* ---- Adopt */

static void
adopted(struct request *r)
{
	r->vault->adopted = true;
	schedule_poke(r->vault->schedule);
}

static int
adopt_run(struct request *r, struct err *e)
{
	if (r->vault->adopted)
		return err_name(e, ERR_CONFLICT, "this store was not restored, or is adopted "
		    "already");
	store_adopt(r->vault->store, &r->changes);
	r->after = adopted;
	return 0;
}

const struct verb verb_vault_adopt = {
	.method = "vaultd.Vault.Adopt",
	.help = "trust what a restored store holds",
	.action = ACT_NONE,
	.flags = VERB_CHANGE | VERB_OPERATOR,
	.run = adopt_run,
};

/* ---- Audit.Head */

static int
head_run(struct request *r, struct err *e)
{
	char dir[600];
	json_t *o = audit_json(r->vault);

	(void)e;
	snprintf(dir, sizeof dir, "%s/audit", r->vault->conf.state_dir);
	json_object_del(o, "state");
	json_object_set_new(o, "directory", json_string(dir));
	r->reply = o;
	return 0;
}

const struct verb verb_audit_head = {
	.method = "vaultd.Audit.Head",
	.help = "sequence and hash of the last audit line",
	.action = ACT_AUDIT_READ,
	.flags = VERB_NO_AUDIT,
	.run = head_run,
};

/* ---- Keys.Status */

static json_int_t
wraps_under(const struct vault *v, const char *kek)
{
	struct slice value;
	struct err e;
	json_int_t n = 0;
	const unsigned char *p;

	if (store_get(v->store, TABLE_BY_KEK, (struct slice){ kek, strlen(kek) }, &value, NULL,
		&e) != 0)
		return 0;
	p = value.p;
	for (size_t i = 0; i < value.len; i++)
		n = n << 8 | p[i];
	return n;
}

static int
keys_run(struct request *r, struct err *e)
{
	const struct key_status *k = hsm_status(r->vault->hsm);
	json_t *keks = json_array();

	(void)e;
	for (size_t i = 0; i < k->n; i++)
		json_array_append_new(keks, json_pack("{s:s, s:s, s:i, s:b, s:I}", "id",
		    k->kek[i].id, "purpose",
		    k->kek[i].purpose == PURPOSE_GRANT ? "grant" : "release", "generation",
		    (int)k->kek[i].generation, "current", (int)k->kek[i].current, "wraps",
		    wraps_under(r->vault, k->kek[i].id)));
	r->reply = json_pack("{s:s, s:s, s:s, s:I, s:o}", "state", key_state_name(k->state),
	    "text", k->text, "token", k->token, "mechanism", (json_int_t)k->mechanism, "keks",
	    keks);
	return 0;
}

const struct verb verb_key_status = {
	.method = "vaultd.Keys.Status",
	.help = "keys of the vault in the HSM",
	.action = ACT_NONE,
	.flags = VERB_NO_AUDIT,
	.run = keys_run,
};

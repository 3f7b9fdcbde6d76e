/*
 * verb_delete.c - vaultd.Connections.Delete and Deleted.
 *
 * The tombstone is durable first; then the connection is gone, whoever answers or not. What the
 * provider says of it is waited for a little.
 */
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/role.h"
#include "vaultd/audit_line.h"
#include "vaultd/bindings.h"
#include "vaultd/conn.h"
#include "vaultd/dek_cache.h"
#include "vaultd/named.h"
#include "vaultd/page.h"
#include "vaultd/revoke.h"
#include "vaultd/vault.h"
#include "vaultd/verbs.h"

#define WAIT_MS 10000

struct delete_args {
	struct named	 n;
	bool		 no_revoke, no_wait, cascade;
	struct tombstone t;
};

static const struct field delete_fields[] = {
	{ "connection", F_STR, offsetof(struct delete_args, n.connection), true, 0 },
	{ "revision", F_INT, offsetof(struct delete_args, n.revision), false, 0 },
	{ "cascade", F_BOOL, offsetof(struct delete_args, cascade), false, 0 },
	{ "no_revoke", F_BOOL, offsetof(struct delete_args, no_revoke), false, 0 },
	{ "no_wait", F_BOOL, offsetof(struct delete_args, no_wait), false, 0 },
	{ 0 },
};

static void
answer(void *arg, const struct tombstone *t)
{
	struct request *r = arg;
	char note[560];

	revoke_note(t, note, sizeof note);
	r->reply = json_pack("{s:b, s:s, s:s}", "revoked", (int)(t->revocation == REVOCATION_DONE),
	    "revocation", revocation_name(t->revocation), "note", note);
	request_resume(r, 0, NULL);
}

/* ---- bindings */

static int
refuse_bound(struct request *r, struct err *e)
{
	struct delete_args *a = r->args;
	size_t n = a->cascade ? 0 : binding_count_of(r->vault, &a->n.t.c.id, 100);

	return n == 0 ? 0 : err_name(e, ERR_IN_USE, "%zu binding%s of programs lead%s to '%s'; "
	    "cascade takes %s away with it", n, n == 1 ? "" : "s", n == 1 ? "s" : "", a->n.t.c.name,
	    n == 1 ? "it" : "them");
}

/* ---- */

static void
buried(struct job *j)
{
	struct request *r = j->arg;
	struct delete_args *a = r->args;
	struct id id = a->n.t.c.id;
	int rc = j->rc;
	struct err e = j->err;

	job_free(j);
	if (rc == V_CONFLICT && refuse_bound(r, &e) == 0)
		err_name(&e, ERR_CONFLICT, "it was changed by somebody else meanwhile");
	if (rc != 0) {
		request_resume(r, rc, &e);
		return;
	}
	dek_cache_forget(r->vault->deks, &id);
	if (a->t.ended != 0)
		answer(r, &a->t);
	else
		revoke_want(r->vault, &id, a->no_wait ? 0 : WAIT_MS, answer, r);
}

static int
delete_run(struct request *r, struct err *e)
{
	struct delete_args *a = r->args;
	struct connection *c = &a->n.t.c;
	struct job *j;

	if (named_check_revision(&a->n, e) != 0 || refuse_bound(r, e) != 0)
		return e->code;
	if ((j = calloc(1, sizeof *j)) == NULL)
		return err_set(e, V_LIMIT, "out of memory");
	if (!a->cascade)
		changes_expect_none(&j->changes, TABLE_BINDING_BY_CONNECTION,
		    id_key(&c->id));
	if (revoke_bury(r->vault, &j->changes, c, a->n.t.generation, r->conn->peer.uid,
		!a->no_revoke, &a->t, e) != 0) {
		job_free(j);
		return e->code;
	}
	j->has_changes = true;
	j->done = buried;
	j->arg = r;
	request_defer(r);	/* its line comes first */
	audit_line_system(&j->line, r->vault, "connection.deleted", r->object_name, &c->id, NULL);
	journal_submit(r->vault->journal, j);
	return REQUEST_WAIT;
}

const struct verb verb_connection_delete = {
	.method = "vaultd.Connections.Delete",
	.help = "forget it, and revoke it at the provider",
	.action = ACT_CONN_DELETE,
	.flags = VERB_CHANGE,
	.fields = delete_fields,
	.args_size = sizeof(struct delete_args),
	.object = named_object_verified,
	.run = delete_run,
};

/* ---- Deleted: what became of them */

#define PAGE_MAX 200

struct deleted_args {
	struct id	 after;
	int64_t		 limit;
};

static const struct field deleted_fields[] = {
	{ "after", F_ID, offsetof(struct deleted_args, after), false, 0 },
	{ "limit", F_INT, offsetof(struct deleted_args, limit), false, 0 },
	{ 0 },
};

struct deleted {
	struct request	*r;
	json_t		*out;
	size_t		 max, looks;
	struct id	 last;		/* the next page begins behind it */
	bool		 full;
};

static json_t *
tombstone_json(const struct request *r, const struct tombstone *t, const struct folder *f)
{
	char text[ID_TEXT], folder[400], note[560];

	id_text(&t->id, text);
	object_folder_path(r->vault, r, f, folder, sizeof folder);
	revoke_note(t, note, sizeof note);
	return json_pack("{s:s, s:o, s:s, s:I, s:i, s:s, s:s, s:i, s:I}", "id", text, "path",
	    json_sprintf("%s/%s", folder, t->name), "connector", t->connector, "deleted",
	    (json_int_t)t->deleted, "deleted_by", (int)t->deleted_by, "revocation",
	    revocation_name(t->revocation), "note", note, "tries", (int)t->tries, "ended",
	    (json_int_t)t->ended);
}

static bool
list_tombstone(void *arg, struct slice key, struct slice value, uint64_t generation)
{
	struct deleted *d = arg;
	struct tombstone t;
	struct folder f;
	struct id id;
	struct err e;

	(void)value;
	(void)generation;
	if (!id_behind(key, 0, &id))
		return true;
	d->full = d->looks-- == 0 || json_array_size(d->out) == d->max;
	if (d->full)
		return false;
	d->last = id;
	if (object_tombstone(d->r->vault, &id, &t, NULL, &e) == 0 &&
	    object_folder(d->r->vault, &t.folder, &f, &e) == 0 && object_may(d->r, ACT_CONN_VIEW, &f))
		json_array_append_new(d->out, tombstone_json(d->r, &t, &f));
	return true;
}

static int
deleted_run(struct request *r, struct err *e)
{
	static const struct slice all = { "", 0 };
	const struct deleted_args *a = r->args;
	struct deleted d = { .r = r, .out = json_array(), .max = page_size(a->limit, PAGE_MAX) };
	unsigned char from[sizeof a->after.b + 1] = { 0 };
	char next[ID_TEXT];
	int rc;

	d.looks = d.max * PAGE_LOOKS;
	memcpy(from, a->after.b, sizeof a->after.b);
	rc = store_walk(r->vault->store, TABLE_TOMBSTONE, all, (struct slice){ from, sizeof from },
	    list_tombstone, &d, e);
	r->reply = json_pack("{s:o}", "connections", d.out);
	id_text(&d.last, next);
	if (d.full)
		json_object_set_new(r->reply, "next", json_string(next));
	return rc;
}

const struct verb verb_connection_deleted = {
	.method = "vaultd.Connections.Deleted",
	.help = "what became of deleted connections at their providers",
	.action = ACT_NONE,		/* each one's folder is asked about */
	.flags = VERB_NAMED,
	.fields = deleted_fields,
	.args_size = sizeof(struct deleted_args),
	.run = deleted_run,
};

/*
 * verb_events.c - vaultd.Events.Follow: what happened, and with `more` what happens. An answer is a
 * page of the table behind the number that the caller has; nothing is queued for anybody.
 */
#include <stdlib.h>
#include <string.h>

#include "common/advice.h"
#include "common/auto.h"
#include "common/errors.h"
#include "vaultd/conn.h"
#include "vaultd/follow.h"
#include "vaultd/notice.h"
#include "vaultd/objects.h"
#include "vaultd/vault.h"
#include "vaultd/verbs.h"

#define PAGE_EVENTS	64
#define PAGE_READ	512	/* so many are looked at in one turn of the loop */

struct follow_args {
	int64_t		 since;
	struct strings	 types;
	const char	*connection;
	struct target	 t;
	struct id	 only;		/* null: of all */
	bool		 wanted[NOTICE_END];
	uint64_t	 at;		/* read up to here */
};

static const struct field follow_fields[] = {
	{ "since", F_INT, offsetof(struct follow_args, since), false, 0 },
	{ "types", F_STRINGS, offsetof(struct follow_args, types), false, 40 },
	{ "connection", F_STR, offsetof(struct follow_args, connection), false, 0 },
	{ 0 },
};

/* An id names one that is gone, too: each of its events is for who may see it, and an id that there
 * never was has none. A name is looked up. */
static int
follow_object(struct request *r, struct err *e)
{
	struct follow_args *a = r->args;

	if (a->connection == NULL || id_parse(a->connection, &a->only))
		return 0;
	if (object_find_connection(r, a->connection, false, &a->t, e) != 0)
		return e->code;
	a->only = a->t.c.id;
	r->action = ACT_CONN_VIEW;
	return 0;
}

/* ---- who sees it, asked when it is sent */

static bool
may_see_connection(const struct request *r, const struct notice *n)
{
	struct policy_object o = { .class = n->class, .folder = "personal" };
	struct policy_decision d;

	if (n->class == FOLDER_SHARED)
		o.folder = n->folder;
	else
		o.own = n->class == FOLDER_PERSONAL && n->folder_owner == r->conn->peer.uid &&
		    strcmp(n->folder_owner_name, r->caller) == 0;
	return n->class != FOLDER_NONE && request_may(r, ACT_CONN_VIEW, &o, &d);
}

static bool
may_see(const struct request *r, const struct notice *n)
{
	struct policy_object o = { .app = n->name };
	struct policy_decision d;

	switch (n->of) {
	case NOTICE_OF_CONNECTION:
		return may_see_connection(r, n);
	case NOTICE_OF_APP:
		return request_may(r, ACT_APP_VIEW, &o, &d);
	case NOTICE_OF_POLICY:
		o.app = NULL;
		return r->conn->operator || request_may(r, ACT_POLICY_READ, &o, &d);
	case NOTICE_OF_VAULT:
		break;		/* as vaultd.Vault.Status */
	}
	return true;
}

/* ---- as the answer shows it */

static void
set_text(json_t *o, const char *key, const char *value)
{
	json_object_set_new(o, key, *value == '\0' ? json_null() : json_string(value));
}

/* As the caller would name it. */
static void
path_of(const struct request *r, const struct notice *n, char *ret, size_t cap)
{
	bool own = n->folder_owner == r->conn->peer.uid;
	size_t at = 0;

	if (n->class == FOLDER_SHARED) {
		at = str_put(ret, cap, 0, n->folder);
	} else if (n->class == FOLDER_PERSONAL) {
		at = str_put(ret, cap, 0, own ? "personal" : "personal/");
		at = str_put(ret, cap, at, own ? "" : n->folder_owner_name);
	}
	at = str_put(ret, cap, at, at > 0 ? "/" : "");
	str_put(ret, cap, at, n->name);
}

static void
set_state(json_t *o, const char *key, enum conn_state s)
{
	set_text(o, key, s == 0 ? "" : conn_state_name(s));
}

/* Who sees where it lies now may not see where it lay. */
static bool
may_see_was(const struct request *r, const struct notice *n)
{
	struct policy_object o = { .class = FOLDER_SHARED, .folder = n->was };
	struct policy_decision d;

	return n->type != NOTICE_MOVED ||
	    (strncmp(n->was, "shared/", 7) == 0 && request_may(r, ACT_CONN_VIEW, &o, &d));
}

static json_t *
notice_json(const struct request *r, const struct notice *n, uint64_t sequence)
{
	static const char *const words[] = { "vault", "policy", "app", "connection" };
	json_t *o = json_object();
	char id[ID_TEXT] = "", path[620], advice[ADVICE_MAX];

	if (!id_is_null(&n->id))
		id_text(&n->id, id);
	path_of(r, n, path, sizeof path);
	notice_advice(n, path, advice, sizeof advice);
	json_object_set_new(o, "sequence", json_integer((json_int_t)sequence));
	json_object_set_new(o, "time", json_integer(n->time));
	set_text(o, "type", notice_type_name(n->type));
	set_text(o, "object", words[n->of]);
	set_text(o, "id", id);
	set_text(o, "path", path);
	set_text(o, "connector", n->connector);
	set_text(o, "was", may_see_was(r, n) ? n->was : "");
	set_state(o, "old_state", n->old_state);
	set_state(o, "state", n->state);
	set_text(o, "cause", n->cause == ERR_NONE ? "" : err_row(n->cause)->name);
	set_text(o, "text", n->text);
	set_text(o, "owner", notice_owner(n));
	set_text(o, "advice", advice);
	json_object_set_new(o, "deadline", json_integer(n->deadline));
	return o;
}

/* ---- a page */

struct page {
	struct request	*r;
	json_t		*events;
	size_t		 read;
	uint64_t	 lost;
	bool		 full;
};

static bool
each(void *arg, struct slice key, struct slice value, uint64_t generation)
{
	struct page *p = arg;
	struct follow_args *a = p->r->args;
	struct notice n;
	struct err e;
	uint64_t sequence = 0;

	(void)generation;
	if (p->read == PAGE_READ || json_array_size(p->events) == PAGE_EVENTS) {
		p->full = true;
		return false;
	}
	for (size_t i = 0; i < key.len; i++)
		sequence = sequence << 8 | ((const unsigned char *)key.p)[i];
	p->lost += sequence - a->at - 1;
	p->read++;
	a->at = sequence;
	if (notice_decode(value, &n, &e) == 0 && a->wanted[n.type] &&
	    (id_is_null(&a->only) || id_equal(&a->only, &n.id)) && may_see(p->r, &n))
		json_array_append_new(p->events, notice_json(p->r, &n, sequence));
	return true;
}

static struct slice
key_of(uint64_t n, unsigned char key[8])
{
	for (int i = 7; i >= 0; i--, n >>= 8)
		key[i] = (unsigned char)n;
	return (struct slice){ key, 8 };
}

static int
read_page(struct request *r, struct page *p, struct err *e)
{
	static const struct slice all = { "", 0 };
	struct follow_args *a = r->args;
	unsigned char key[8];
	int rc;

	*p = (struct page){ .r = r, .events = json_array() };
	rc = store_walk(r->vault->store, TABLE_EVENT, all, key_of(a->at + 1, key), each, p, e);
	r->behind = p->full;
	if (rc != 0)
		json_decref(p->events);
	return rc;
}

static void
reply(struct request *r, const struct page *p)
{
	const struct follow_args *a = r->args;
	char instance[ID_TEXT];

	id_text(&r->vault->instance, instance);
	r->reply = json_pack("{s:o, s:I, s:I, s:b, s:s}", "events", p->events, "last",
	    (json_int_t)a->at, "lost", (json_int_t)p->lost, "complete", (int)!p->full,
	    "instance", instance);
}

/* ---- Follow */

static int
check_types(struct follow_args *a, struct err *e)
{
	for (size_t i = 0; i < NOTICE_END; i++)
		a->wanted[i] = a->types.n == 0;
	for (size_t i = 0; i < a->types.n; i++) {
		enum notice_type t = notice_type_parse(a->types.v[i]);

		if (t == 0)
			return err_parameter(e, "types",
			    "there is no type of event '%.40s'",
			    a->types.v[i]);
		a->wanted[t] = true;
	}
	return 0;
}

/* Who follows and does not say from where hears what comes. */
static int
check_since(struct request *r, struct follow_args *a, struct err *e)
{
	uint64_t last = store_last(r->vault->store, TABLE_EVENT);
	const json_t *said = json_object_get(json_object_get(r->call, "parameters"), "since");

	a->at = (uint64_t)a->since;
	if (r->more && !json_is_integer(said))
		a->at = last;
	if (a->at <= last)
		return 0;
	err_name(e, ERR_SEQUENCE_UNKNOWN, "no event has number %llu yet, the last one is %llu",
	    (unsigned long long)a->at, (unsigned long long)last);
	err_detail(e, "last", "%llu", (unsigned long long)last);
	return e->code;
}

static int
events_run(struct request *r, struct err *e)
{
	struct follow_args *a = r->args;
	struct page p;

	if (check_types(a, e) != 0 || check_since(r, a, e) != 0)
		return e->code;
	if (r->more && !follow_begin(r))
		return err_name(e, ERR_BUSY, "you follow events %u times already: that is the most",
		    r->vault->limits.conf.followers_per_uid);
	if (read_page(r, &p, e) != 0)
		return e->code;
	r->heard = store_version(r->vault->store, TABLE_EVENT);
	r->continues = r->more;
	reply(r, &p);
	return 0;
}

/* The end of a client's sending side is the end of what it follows. */
static int
events_more(struct request *r, struct err *e)
{
	struct page p;

	if (read_page(r, &p, e) != 0)
		return e->code;
	r->continues = !r->conn->eof || p.full;
	if (json_array_size(p.events) == 0 && p.lost == 0 && r->continues) {
		json_decref(p.events);
		return REQUEST_WAIT;
	}
	reply(r, &p);
	return 0;
}

const struct verb verb_events_follow = {
	.method = "vaultd.Events.Follow",
	.help = "what happened, and what happens",
	.action = ACT_NONE,	/* each event is asked about; a connection that is named, as a whole */
	.flags = VERB_NAMED,
	.fields = follow_fields,
	.args_size = sizeof(struct follow_args),
	.object = follow_object,
	.run = events_run,
	.more = events_more,
};

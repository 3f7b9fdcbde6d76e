/*
 * decide.c - the decision: no I/O, no clock, no allocation.
 *
 * Order: folder visible, folder-class rules, permission, connector enabled, auth type,
 * BYOA. The first that says no answers, and says which rule it was. Where several levels
 * speak, one whole policy is selected (user, else the group of the lowest priority, else
 * tenant); the mandatory policy is then a floor that nothing below can widen.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/snapshot.h"

struct query {
	const struct policy		*p;
	const struct policy_subject	*s;
	const struct policy_object	*o;
	enum policy_action		 action;
	const struct set		*set, *floor;	/* NULL = built-in */
	const char			*level;
	uint64_t			 roles;		/* held on this object, by bits */
	uint32_t			 actions;	/* what they allow */
	const struct grant		*seen_by;	/* a grant that made it visible */
	struct policy_decision		*d;
};

/* ---- subjects */

static int
by_number(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	return x < y ? -1 : x > y;
}

static bool
has_id(const unsigned *v, size_t n, unsigned id)
{
	return n > 0 && bsearch(&id, v, n, sizeof *v, by_number) != NULL;
}

bool
subjects_match(const struct policy *p, const struct subjects *s,
    const struct policy_subject *who, uint64_t held_roles)
{
	if (s->everyone || has_id(s->uid, s->nuids, who->uid))
		return true;
	for (size_t i = 0; s->ngids > 0 && i < who->ngids; i++)
		if (has_id(s->gid, s->ngids, who->gids[i]))
			return true;
	for (size_t i = 0; who->unit != NULL && i < s->nunits; i++)
		if (strcmp(s->unit[i], who->unit) == 0)
			return true;
	for (size_t i = 0; i < s->nroles; i++) {
		int r = role_find(p, s->role[i]);

		if (r >= 0 && held_roles >> r & 1)
			return true;
	}
	return false;
}

/* ---- which policy */

static const struct set *
set_at(const struct policy *p, int i)
{
	return i == NO_SET ? NULL : &p->set[i];
}

static const struct set *
select_set(const struct policy *p, const struct policy_subject *s, const char **level)
{
	const struct assign *best = NULL;

	for (size_t i = 0; i < p->nusers; i++)
		if (p->user[i].uid == s->uid) {
			*level = "user";
			return set_at(p, p->user[i].set);
		}
	for (size_t i = 0; i < p->ngroups; i++)
		for (size_t k = 0; k < s->ngids; k++)
			if (p->group[i].gid == s->gids[k] &&
			    (best == NULL || p->group[i].priority < best->priority))
				best = &p->group[i];
	if (best != NULL) {
		*level = "group";
		return set_at(p, best->set);
	}
	*level = p->has_tenant ? "tenant" : "built-in";
	return p->has_tenant ? set_at(p, p->tenant) : NULL;
}

static enum tri
workspace_of(const struct set *s)
{
	return s != NULL && s->workspace != UNSET ? s->workspace : ALLOW;
}

/* ---- roles */

static bool
covers(const char *pattern, const char *folder)
{
	size_t n = strlen(pattern);

	if (folder == NULL)
		return false;
	if (n > 3 && strcmp(pattern + n - 3, "/**") == 0)
		return strncmp(pattern, folder, n - 3) == 0 &&
		    (folder[n - 3] == '/' || folder[n - 3] == '\0');
	return strcmp(pattern, folder) == 0;
}

#define BIT(a) (1u << (a))
/* A grant without a folder counts for the vault itself, and on shared folders too. */
static bool
applies(const struct query *q, const struct grant *g)
{
	if (g->folder == NULL)
		return q->o->class != FOLDER_PERSONAL;
	return q->o->class == FOLDER_SHARED && covers(g->folder, q->o->folder);
}

static void
gather_roles(struct query *q)
{
	const struct policy *p = q->p;

	for (size_t i = 0; i < p->ngrants; i++) {
		const struct grant *g = &p->grant[i];

		if (!applies(q, g) || !subjects_match(p, &g->to, q->s, 0))
			continue;
		q->roles |= 1ULL << g->role;
		q->actions |= p->role[g->role].actions;
		if (q->seen_by == NULL && p->role[g->role].actions & BIT(ACT_CONN_VIEW))
			q->seen_by = g;
	}
	if (q->o->class == FOLDER_PERSONAL && q->o->own && workspace_of(q->set) == ALLOW &&
	    workspace_of(q->floor) == ALLOW) {
		int r = role_find(p, "workspace-owner");

		q->roles |= 1ULL << r;
		q->actions |= p->role[r].actions;
	}
	/* An operator keeps the vault running; that gives no use of what is in it. */
	if (q->s->operator)
		q->actions |= BIT(ACT_POLICY_READ) | BIT(ACT_POLICY_RELOAD) |
		    BIT(ACT_AUDIT_READ) | BIT(ACT_VAULT_ADMIN);
}

/* ---- answers */

/* Which rule it was. AT NULL is the built-in one. */
static void
decided_by(struct query *q, const struct where *at, const char *key)
{
	struct policy_decision *d = q->d;
	size_t n;

	str_put(d->level, sizeof d->level, 0, q->level);
	if (at != NULL)
		str_put(d->file, sizeof d->file, 0, q->p->file[at->file]);
	n = str_put(d->rule, sizeof d->rule, 0, at != NULL ? at->pointer : "built-in");
	str_put(d->rule, sizeof d->rule, n, key);
}

static bool
deny(struct query *q, enum err_id id, const struct where *at, const char *key,
    const char *text)
{
	struct policy_decision *d = q->d;

	d->allow = false;
	d->id = id;
	decided_by(q, at, key);
	str_put(d->text, sizeof d->text, 0, text);
	return false;
}

static const char *
folder_text(const struct query *q)
{
	return q->o->folder != NULL ? q->o->folder : "the vault";
}

static bool
hidden(struct query *q)
{
	char text[300];

	snprintf(text, sizeof text, "uid %u may not see %s", (unsigned)q->s->uid,
	    folder_text(q));
	return deny(q, ERR_NOT_FOUND, NULL, "/view", text);
}

static bool
not_permitted(struct query *q)
{
	const char *action = policy_action_name(q->action);
	char text[320];

	if (q->o->class == FOLDER_PERSONAL && q->o->own && workspace_of(q->set) != ALLOW) {
		snprintf(text, sizeof text, "policy '%s' gives you no personal workspace; ask a "
		    "governance admin", q->set->name);
		return deny(q, ERR_POLICY_DENIED, &q->set->at, "/personal/workspace", text);
	}
	snprintf(text, sizeof text, "no role of uid %u has %s on %s; ask a governance admin for a "
	    "role that has it", (unsigned)q->s->uid, action, folder_text(q));
	return deny(q, ERR_PERMISSION_DENIED, q->seen_by != NULL ? &q->seen_by->at : NULL, "",
	    text);
}

/* ---- folder-class rules: creating in, and of, shared folders */

struct class_rule {
	enum tri	 value;
	const char	*key, *what;
};

static struct class_rule
class_rule(const struct set *s, enum policy_action a)
{
	struct class_rule r = { UNSET, "", "" };

	if (a == ACT_CONN_CREATE)
		r = (struct class_rule){ s == NULL ? UNSET : s->connection_create,
			"/shared/connection_create", "creating connections in shared folders" };
	else if (a == ACT_FOLDER_CREATE)
		r = (struct class_rule){ s == NULL ? UNSET : s->folder_create,
			"/shared/folder_create", "creating shared folders" };
	else if (a == ACT_FOLDER_CREATE_SUB)
		r = (struct class_rule){ s == NULL ? UNSET : s->subfolder_create,
			"/shared/subfolder_create", "creating folders inside shared folders" };
	return r;
}

static bool
class_denied(struct query *q, const struct set *s, struct class_rule r)
{
	char text[320];

	snprintf(text, sizeof text, "%s is not allowed to you here (%s): policy '%s', rule %s in "
	    "%s; ask a governance admin", r.what, folder_text(q), s != NULL ? s->name : "built-in",
	    r.key + 1, s != NULL ? q->p->file[s->at.file] : "no file");
	return deny(q, ERR_POLICY_DENIED, s != NULL ? &s->at : NULL, r.key, text);
}

static bool
class_allows(struct query *q)
{
	struct class_rule r = class_rule(q->set, q->action);
	struct class_rule f = class_rule(q->floor, q->action);

	if (r.key[0] == '\0' || q->o->class != FOLDER_SHARED)
		return true;
	if (q->floor != NULL && f.value == DENY &&
	    !subjects_match(q->p, &q->floor->except, q->s, q->roles)) {
		q->level = "floor";
		return class_denied(q, q->floor, f);
	}
	if (r.value == ALLOW ||
	    (q->set != NULL && subjects_match(q->p, &q->set->except, q->s, q->roles)))
		return true;
	return class_denied(q, q->set, r);	/* unset is a no */
}

/* ---- connector rules */

static const struct connector_rules *
rules_of(const struct set *s, const char *id)
{
	for (size_t i = 0; s != NULL && i < s->nconnectors; i++)
		if (strcmp(s->connector[i].id, id) == 0)
			return &s->connector[i];
	return NULL;
}

/* The named connector's value where it has one, else that of "*". */
static enum tri
enabled(const struct set *s, const char *id, const struct connector_rules **at)
{
	const struct connector_rules *named = rules_of(s, id), *all = rules_of(s, "*");

	*at = named != NULL && named->enabled != UNSET ? named : all;
	return *at == NULL ? UNSET : (*at)->enabled;
}

/* OTHERWISE: where nothing is said. */
static unsigned
auth_types(const struct set *s, const char *id, unsigned otherwise,
    const struct connector_rules **at)
{
	const struct connector_rules *named = rules_of(s, id), *all = rules_of(s, "*");

	*at = named != NULL && named->auth_types != 0 ? named : all;
	return *at == NULL || (*at)->auth_types == 0 ? otherwise : (*at)->auth_types;
}

static const struct connector_rules *
byoa_rules(const struct set *s, const char *id)
{
	const struct connector_rules *named = rules_of(s, id), *all = rules_of(s, "*");

	return named != NULL && named->has_byoa ? named :
	    all != NULL && all->has_byoa ? all : NULL;
}

static bool
connector_allows(struct query *q, const struct set *s, bool must_say_yes)
{
	const struct connector_rules *at;
	enum tri v = enabled(s, q->o->connector, &at);
	char text[320];

	if (v == ALLOW || (v == UNSET && !must_say_yes))
		return true;
	snprintf(text, sizeof text, "connector '%s' is not enabled for you by policy '%s'; ask a "
	    "governance admin", q->o->connector, s != NULL ? s->name : "built-in");
	if (v == DENY)
		return deny(q, ERR_CONNECTOR_DISABLED, &at->at, "/enabled", text);
	return deny(q, ERR_CONNECTOR_DISABLED, s != NULL ? &s->at : NULL, "/connectors", text);
}

static bool
auth_allows(struct query *q, const struct set *s)
{
	const struct connector_rules *at;
	/* A password is a legacy type (RFC 9700 section 2.4): only where it is named. */
	unsigned otherwise = s == q->floor ? ~0u : ~(unsigned)AUTH_PASSWORD;
	unsigned have = auth_types(s, q->o->connector, otherwise, &at);
	enum auth_type type;
	char text[320];

	if (auth_type_parse(q->o->auth_type, &type) && have & type)
		return true;
	snprintf(text, sizeof text, "policy '%s' does not allow %s for connector '%s'; use another "
	    "authentication type, or ask a governance admin", s->name, q->o->auth_type,
	    q->o->connector);
	return deny(q, ERR_AUTH_TYPE_NOT_ALLOWED, at != NULL ? &at->at : &s->at, "/auth_types", text);
}

static bool
byoa_allows(struct query *q, const struct set *s)
{
	const struct connector_rules *r = byoa_rules(s, q->o->connector);
	enum auth_type type;
	char text[320];

	if (r == NULL || q->o->auth_type == NULL || !auth_type_parse(q->o->auth_type, &type) ||
	    !(auth_type_flags(type) & AUTH_NEEDS_APP))
		return true;
	if (q->o->byoa && r->byoa == BYOA_FORBIDDEN) {
		snprintf(text, sizeof text, "policy '%s' does not let you choose an OAuth app for "
		    "connector '%s'", s->name, q->o->connector);
		return deny(q, ERR_APP_FORBIDDEN, &r->at, "/byoa/mode", text);
	}
	return true;
}

static bool
connector_rules_allow(struct query *q)
{
	const char *level = q->level;
	bool create = q->action == ACT_CONN_CREATE || q->action == ACT_CONN_RECONNECT;
	bool use = q->action == ACT_CONN_USE || q->action == ACT_CONN_USE_RAW;

	if (q->o->connector == NULL || (!create && !use))
		return true;
	if (q->floor != NULL) {
		q->level = "floor";
		if (!connector_allows(q, q->floor, false) ||
		    (create && q->o->auth_type != NULL && !auth_allows(q, q->floor)) ||
		    (q->action == ACT_CONN_CREATE && !byoa_allows(q, q->floor)))
			return false;
		q->level = level;
	}
	if (!connector_allows(q, q->set, true))
		return false;
	if (!create || q->o->auth_type == NULL)
		return true;
	return auth_allows(q, q->set) && (q->action != ACT_CONN_CREATE || byoa_allows(q, q->set));
}

/* ---- the whole */

static bool
needs_sight(const struct query *q)
{
	return q->o->class != FOLDER_NONE && q->action != ACT_FOLDER_CREATE &&
	    q->action != ACT_FOLDER_CREATE_SUB;
}

static bool
sees(const struct query *q)
{
	return q->actions & (BIT(ACT_CONN_VIEW) | BIT(ACT_FOLDER_VIEW));
}

bool
policy_decide(const struct policy *p, const struct policy_subject *s,
    enum policy_action action, const struct policy_object *o, struct policy_decision *ret)
{
	struct query q = { .p = p, .s = s, .o = o, .action = action, .level = "built-in",
		.d = ret };
	bool own_hidden;

	ret->allow = false;
	ret->id = ERR_NONE;
	ret->file[0] = ret->rule[0] = ret->policy[0] = ret->text[0] = ret->level[0] = '\0';
	q.set = select_set(p, s, &q.level);
	q.floor = set_at(p, p->mandatory);
	gather_roles(&q);
	str_put(ret->policy, sizeof ret->policy, 0, q.set != NULL ? q.set->name : "built-in");
	own_hidden = o->class == FOLDER_PERSONAL && o->own;
	if (needs_sight(&q) && !sees(&q) && !own_hidden)
		return hidden(&q);
	if (!class_allows(&q))
		return false;
	if (!(q.actions & BIT(action)))
		return not_permitted(&q);
	if (!connector_rules_allow(&q))
		return false;
	ret->allow = true;
	decided_by(&q, q.set != NULL ? &q.set->at : NULL, "");
	return true;
}

/* A lock of either sticks. */
static void
take_app(const struct connector_rules *r, struct policy_byoa *ret)
{
	if (r->app_ref != NULL)
		ret->app_ref = r->app_ref;
	ret->locked |= r->locked;
	if (r->nscopes == 0)
		return;
	ret->scopes = (const char *const *)r->scopes;
	ret->nscopes = r->nscopes;
}

/* The floor forbids, and its app goes before others; what it leaves open the policy says. */
void
policy_byoa(const struct policy *p, const struct policy_subject *s, const char *connector,
    struct policy_byoa *ret)
{
	const char *level;
	const struct connector_rules *r = byoa_rules(select_set(p, s, &level), connector);
	const struct connector_rules *floor = byoa_rules(set_at(p, p->mandatory), connector);

	*ret = (struct policy_byoa){ .mode = r != NULL ? r->byoa : BYOA_REQUIRED };
	if (r != NULL)
		take_app(r, ret);
	if (floor == NULL)
		return;
	if (floor->byoa == BYOA_FORBIDDEN)
		ret->mode = BYOA_FORBIDDEN;
	take_app(floor, ret);
}

bool
policy_names_subject(const struct policy *p, const struct policy_subject *s)
{
	for (size_t i = 0; i < p->nusers; i++)
		if (p->user[i].uid == s->uid)
			return true;
	for (size_t i = 0; i < p->ngroups; i++)
		for (size_t k = 0; k < s->ngids; k++)
			if (p->group[i].gid == s->gids[k])
				return true;
	for (size_t i = 0; i < p->ngrants; i++)
		if (!p->grant[i].to.everyone && subjects_match(p, &p->grant[i].to, s, 0))
			return true;
	return false;
}

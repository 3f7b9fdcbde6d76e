/*
 * snapshot.c - life and plain questions of a snapshot.
 */
#include "policy/snapshot.h"

#include <stdlib.h>
#include <string.h>

static void
free_texts(char **v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(v[i]);
	free(v);
}

void
subjects_done(struct subjects *s)
{
	free(s->uid);
	free(s->gid);
	free_texts(s->unit, s->nunits);
	free_texts(s->role, s->nroles);
}

static void
set_done(struct set *s)
{
	for (size_t i = 0; i < s->nconnectors; i++) {
		free(s->connector[i].id);
		free(s->connector[i].app_ref);
		free_texts(s->connector[i].scopes, s->connector[i].nscopes);
		free(s->connector[i].at.pointer);
	}
	free(s->connector);
	subjects_done(&s->except);
	free(s->at.pointer);
	free(s->name);
}

void
policy_free(struct policy *p)
{
	for (size_t i = 0; i < p->nsets; i++)
		set_done(&p->set[i]);
	for (size_t i = 0; i < p->nroles; i++)
		free(p->role[i].name);
	for (size_t i = 0; i < p->ngrants; i++) {
		subjects_done(&p->grant[i].to);
		free(p->grant[i].folder);
		free(p->grant[i].at.pointer);
	}
	for (int i = 0; i < p->nfiles; i++)
		free(p->file[i]);
	free(p->set);
	free(p->role);
	free(p->grant);
	free(p->user);
	free(p->group);
	free(p->warning);
	free(p);
}

struct policy *
policy_ref(struct policy *p)
{
	atomic_fetch_add(&p->refs, 1);
	return p;
}

void
policy_unref(struct policy *p)
{
	if (p != NULL && atomic_fetch_sub(&p->refs, 1) == 1)
		policy_free(p);
}

const char *
policy_hash(const struct policy *p)
{
	return p->hash;
}

size_t
policy_warnings(const struct policy *p, const struct policy_warning **ret)
{
	*ret = p->warning;
	return p->nwarnings;
}

void
policy_app_refs(const struct policy *p,
    void (*each)(void *arg, const struct policy_mention *m), void *arg)
{
	for (size_t i = 0; i < p->nsets; i++)
		for (size_t k = 0; k < p->set[i].nconnectors; k++) {
			const struct connector_rules *c = &p->set[i].connector[k];
			struct policy_mention m = { c->app_ref, c->id, p->file[c->at.file],
				c->at.pointer };

			if (c->app_ref != NULL)
				each(arg, &m);
		}
}

void
policy_grant_folders(const struct policy *p,
    void (*each)(void *arg, const struct policy_mention *m), void *arg)
{
	char folder[400];

	for (size_t i = 0; i < p->ngrants; i++) {
		const struct grant *g = &p->grant[i];
		struct policy_mention m = { folder, NULL, p->file[g->at.file], g->at.pointer };
		size_t n = g->folder == NULL ? 0 : strcspn(g->folder, "*");

		/* "shared/" alone is all of them. */
		if (n <= 7 || n >= sizeof folder)
			continue;
		memcpy(folder, g->folder, n);
		folder[folder[n - 1] == '/' ? n - 1 : n] = '\0';
		each(arg, &m);
	}
}

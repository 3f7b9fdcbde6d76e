/*
 * warnings.c - see warnings.h. What the store has is looked up when somebody asks: apps and
 * folders come and go without a policy file being touched.
 */
#include "vaultd/warnings.h"

#include <string.h>

#include "common/log.h"
#include "vaultd/objects.h"
#include "vaultd/vault.h"

#define WARNINGS_MAX 100	/* more help nobody, and an answer has a bound */

struct list {
	struct vault	*v;
	json_t		*texts;
	size_t		 dropped;
};

static void
add(struct list *l, json_t *text)
{
	if (text != NULL && json_array_size(l->texts) < WARNINGS_MAX) {
		json_array_append_new(l->texts, text);
		return;
	}
	json_decref(text);
	l->dropped++;
}

static void
each_app(void *arg, const struct policy_mention *m)
{
	struct list *l = arg;
	struct app a = { 0 };
	struct err e;
	int rc = object_find_app(l->v, m->name, &a, NULL, &e);

	if (rc == V_NOT_FOUND)
		add(l, json_sprintf("%s: app_ref at %s/byoa: there is no OAuth app '%s'", m->file,
		    m->rule, m->name));
	else if (rc == 0 && strcmp(m->connector, "*") != 0 &&
	    strcmp(m->connector, a.connector) != 0)
		add(l, json_sprintf("%s: app_ref at %s/byoa: OAuth app '%s' is one of connector "
		    "'%s'", m->file, m->rule, m->name, a.connector));
	app_done(&a);
}

static void
each_folder(void *arg, const struct policy_mention *m)
{
	struct list *l = arg;
	struct folder f;
	struct err e;

	if (object_shared_folder(l->v, m->name, &f, &e) == V_NOT_FOUND)
		add(l, json_sprintf("%s: grant %s: there is no folder '%s'", m->file, m->rule,
		    m->name));
}

static void
of_files(struct list *l)
{
	const struct policy_warning *w;
	size_t n = policy_warnings(l->v->policy, &w);

	for (size_t i = 0; i < n; i++)
		add(l, json_string(w[i].text));
}

static void
of_store(struct list *l)
{
	policy_app_refs(l->v->policy, each_app, l);
	policy_grant_folders(l->v->policy, each_folder, l);
}

static void
finish(struct list *l)
{
	if (l->dropped > 0)
		json_array_append_new(l->texts, json_sprintf("and %zu more", l->dropped));
}

static void
log_list(struct list *l)
{
	size_t i;
	json_t *text;

	finish(l);
	json_array_foreach(l->texts, i, text)
		log_warn("policy: %s", json_string_value(text));
	json_decref(l->texts);
}

json_t *
warnings_json(struct vault *v)
{
	struct list l = { .v = v, .texts = json_array() };

	of_files(&l);
	of_store(&l);
	finish(&l);
	return l.texts;
}

void
warnings_log_files(struct vault *v)
{
	struct list l = { .v = v, .texts = json_array() };

	of_files(&l);
	log_list(&l);
}

void
warnings_log_store(struct vault *v)
{
	struct list l = { .v = v, .texts = json_array() };

	of_store(&l);
	log_list(&l);
}

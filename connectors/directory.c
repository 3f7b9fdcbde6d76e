/*
 * directory.c - the files of the catalogue together, see catalogue.h.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "common/errors.h"
#include "connectors/catalogue.h"

bool
connector_probes(const struct connector *c, enum auth_type t)
{
	return c->probe_url != NULL && (c->probe_types == 0 || c->probe_types & t);
}

static int
by_id(const void *a, const void *b)
{
	const struct connector *x = a, *y = b;
	int rc = strcmp(x->id, y->id);

	return rc != 0 ? rc : (x->version > y->version) - (x->version < y->version);
}

static int
add_file(struct connector **v, size_t *n, const char *path, struct err *e)
{
	struct connector *more = array_more(*v, *n, sizeof *more);

	if (more == NULL)
		return err_set(e, V_LIMIT, "out of memory");
	*v = more;
	if (connector_load(path, &more[*n], e) != 0)
		return e->code;
	(*n)++;
	return 0;
}

static int
is_json(const struct dirent *de)
{
	size_t n = strlen(de->d_name);

	return n > 5 && strcmp(de->d_name + n - 5, ".json") == 0 && de->d_name[0] != '.';
}

/* Files of DIR; there need not be one when OPTIONAL. */
static int
load_dir(const char *dir, bool optional, struct connector **v, size_t *ret_n, struct err *e)
{
	struct dirent **names = NULL;
	char path[1000];
	int n = scandir(dir, &names, is_json, alphasort), rc = 0;

	if (n < 0)
		return optional && errno == ENOENT ? 0 : err_errno(e, "%s", dir);
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof path, "%.700s/%s", dir, names[i]->d_name);
		if (rc == 0)
			rc = add_file(v, ret_n, path, e);
		free(names[i]);
	}
	free(names);
	if (rc == 0 && *ret_n > 0)
		qsort(*v, *ret_n, sizeof **v, by_id);
	return rc;
}

static int
twice(const struct connector *a, const struct connector *b, const char *id, struct err *e)
{
	return err_name(e, ERR_CONNECTOR_INVALID, "%s: connector '%s' is in %s already", b->file, id,
	    a->file);
}

/* One file for each id, whether its own or an alias. */
static int
check_ids(const struct catalogue *c, struct err *e)
{
	for (size_t i = 1; i < c->n; i++)
		if (strcmp(c->v[i - 1].id, c->v[i].id) == 0)
			return twice(&c->v[i - 1], &c->v[i], c->v[i].id, e);
	for (size_t i = 0; i < c->n; i++)
		for (size_t k = 0; k < c->v[i].naliases; k++) {
			const struct connector *other = catalogue_find(c, c->v[i].aliases[k]);

			if (other != &c->v[i])
				return twice(other, &c->v[i], c->v[i].aliases[k], e);
		}
	return 0;
}

/* And one for each version, the current one having the highest number. */
static int
check_old(const struct catalogue *c, struct err *e)
{
	for (size_t i = 0; i < c->nold; i++) {
		const struct connector *now = catalogue_find(c, c->old[i].id);

		if (i > 0 && by_id(&c->old[i - 1], &c->old[i]) == 0)
			return twice(&c->old[i - 1], &c->old[i], c->old[i].id, e);
		if (now != NULL && now->version <= c->old[i].version)
			return err_name(e, ERR_CONNECTOR_INVALID, "%s: version %u of '%s' is not "
			    "older than version %u in %s", c->old[i].file, c->old[i].version,
			    c->old[i].id, now->version, now->file);
	}
	return 0;
}

int
catalogue_load(const char *dir, struct catalogue *ret, struct err *e)
{
	struct catalogue c = { 0 };
	char old[800];

	snprintf(old, sizeof old, "%.700s/old", dir);
	if (load_dir(dir, false, &c.v, &c.n, e) != 0 ||
	    load_dir(old, true, &c.old, &c.nold, e) != 0 || check_ids(&c, e) != 0 ||
	    check_old(&c, e) != 0) {
		catalogue_done(&c);
		return e->code;
	}
	*ret = c;
	return 0;
}

void
catalogue_done(struct catalogue *c)
{
	for (size_t i = 0; i < c->n; i++)
		connector_done(&c->v[i]);
	for (size_t i = 0; i < c->nold; i++)
		connector_done(&c->old[i]);
	free(c->v);
	free(c->old);
	*c = (struct catalogue){ 0 };
}

static int
id_only(const void *a, const void *b)
{
	return strcmp(((const struct connector *)a)->id, ((const struct connector *)b)->id);
}

const struct connector *
catalogue_find(const struct catalogue *c, const char *id)
{
	struct connector key = { .id = (char *)id };
	const struct connector *k = c->n == 0 ? NULL :
	    bsearch(&key, c->v, c->n, sizeof *c->v, id_only);

	for (size_t i = 0; k == NULL && i < c->n; i++)
		for (size_t n = 0; n < c->v[i].naliases; n++)
			if (strcmp(c->v[i].aliases[n], id) == 0)
				return &c->v[i];
	return k;
}

const struct connector *
catalogue_pinned(const struct catalogue *c, const char *id, uint32_t version)
{
	const struct connector *k = catalogue_find(c, id);

	if (k != NULL && k->version == version)
		return k;
	for (size_t i = 0; i < c->nold; i++)
		if (strcmp(c->old[i].id, id) == 0 && c->old[i].version >= version)
			return &c->old[i];
	return k;
}

const char **
catalogue_ids(const struct catalogue *c)
{
	const char **v = calloc(c->n + 1, sizeof *v);

	for (size_t i = 0; v != NULL && i < c->n; i++)
		v[i] = c->v[i].id;
	return v;
}

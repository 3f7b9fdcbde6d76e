/*
 * load_json.c - what all readers of policy files need: errors with their place, warnings, and
 * which keys an object may have.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/suggest.h"
#include "policy/load.h"

#define WARNINGS_MAX 1000

/* Finding a place costs a look at the whole file: not for what nobody is told. */
static bool
is_enough(struct loader *l)
{
	struct faults *f = l->how->faults;

	if (f != NULL && f->n == FAULTS_MAX)
		f->more = true;
	return l->e->code != 0 && (f == NULL || f->n == FAULTS_MAX);
}

static int
note(struct loader *l, const char *ptr, bool key, const char *text, const char *suggestion)
{
	struct err e;

	if (is_enough(l))
		return l->e->code;
	json_err_at(&e, ERR_POLICY_INVALID, l->file, l->text, ptr, key, "%s", text);
	if (l->e->code == 0)
		*l->e = e;
	if (suggestion != NULL)
		err_detail(&e, "suggestion", "%s", suggestion);
	if (l->how->faults != NULL)
		faults_add(l->how->faults, l->file, &e);
	return e.code;
}

int
load_bad(struct loader *l, const char *ptr, bool key, const char *fmt, ...)
{
	char text[260];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return note(l, ptr, key, text, NULL);
}

int
load_bad_in(struct loader *l, const char *ptr, const char *member, bool key,
    const char *text)
{
	char at[LOAD_POINTER];

	return load_bad(l, load_join(at, sizeof at, ptr, member), key, "%s", text);
}

int
load_unknown(struct loader *l, const char *ptr, bool key, const char *what, const char *name,
    const char *const *names, size_t n)
{
	char close[SUGGEST_TEXT], text[260];
	const char *suggestion = suggest_text(name, names, n, close);

	snprintf(text, sizeof text, "%s '%.60s'%s", what, name, close);
	return note(l, ptr, key, text, suggestion);
}

int
load_no_memory(struct loader *l)
{
	return err_set(l->e, V_LIMIT, "out of memory");
}

static void
add_warning(struct policy *p, const struct policy_warning *new)
{
	struct policy_warning *w = array_more(p->warning, p->nwarnings, sizeof *w);

	if (w == NULL)
		return;
	p->warning = w;
	w[p->nwarnings++] = *new;
}

void
load_warn(struct loader *l, const char *ptr, const char *what, const char *name)
{
	struct policy_warning w;
	int line = 1, column = 1;

	if (l->p->nwarnings == WARNINGS_MAX)
		return;
	if (l->p->nwarnings == WARNINGS_MAX - 1) {
		load_warn_of_set(l, "and more of this kind");
		return;
	}
	json_where(l->text, ptr, false, &line, &column);
	snprintf(w.text, sizeof w.text, "%.120s:%d:%d: %s '%.80s'", l->file, line, column, what,
	    name);
	add_warning(l->p, &w);
}

void
load_warn_of_set(struct loader *l, const char *text)
{
	struct policy_warning w;

	snprintf(w.text, sizeof w.text, "%s", text);
	add_warning(l->p, &w);
}

char *
load_join(char *out, size_t cap, const char *ptr, const char *name)
{
	size_t n = (size_t)snprintf(out, cap, "%s/", ptr);

	for (; *name != '\0' && n + 3 < cap; name++) {
		if (*name == '~' || *name == '/') {
			out[n++] = '~';
			out[n++] = *name == '~' ? '0' : '1';
		} else {
			out[n++] = *name;
		}
	}
	out[n < cap ? n : cap - 1] = '\0';
	return out;
}

bool
load_is_note(const char *key)
{
	return strcmp(key, "$schema") == 0 || strcmp(key, "$comment") == 0;
}

/* A secret never belongs here; its value is not repeated. */
static bool
looks_secret(const char *key)
{
	static const char *const words[] = { "client_secret", "secret", "password", "token",
		"access_token", "refresh_token", "pin", "api_key", "private_key", NULL };

	for (const char *const *w = words; *w != NULL; w++)
		if (strcasecmp(*w, key) == 0)
			return true;
	return false;
}

static int
unknown(struct loader *l, const char *ptr, const char *key, const char *const *names)
{
	char at[LOAD_POINTER];
	size_t n = 0;

	while (names[n] != NULL)
		n++;
	load_join(at, sizeof at, ptr, key);
	if (looks_secret(key))
		return load_bad(l, at, true, "'%.60s' looks like a secret: policy files hold none. "
		    "Store it with `vaultctl app add` and name the app in `app_ref`", key);
	return load_unknown(l, at, true, "unknown key", key, names, n);
}

int
load_keys(struct loader *l, const char *ptr, json_t *o, const char *const *names)
{
	const char *key;
	json_t *v;
	int rc = 0;

	if (!json_is_object(o))
		return load_bad(l, ptr, false, "expected an object");
	json_object_foreach(o, key, v) {
		const char *const *n = names;

		while (*n != NULL && strcmp(*n, key) != 0)
			n++;
		if (*n == NULL && !load_is_note(key))
			rc = unknown(l, ptr, key, names);
	}
	return rc;
}

struct where
load_where(struct loader *l, const char *ptr)
{
	return (struct where){ l->index, strdup(ptr) };
}

/*
 * variables.c - the key `variables`, and whether every {name} of a file is one of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/errors.h"
#include "connectors/reader.h"

/* A string, or an array of strings with spaces between; NULL: it is neither. */
static char *
joined(const json_t *v)
{
	char text[1024] = "";
	size_t i, n = 0;
	json_t *item;

	if (json_is_string(v))
		return strdup(json_string_value(v));
	json_array_foreach(v, i, item) {
		const char *s = json_string_value(item);

		if (s == NULL || *s == '\0' || strchr(s, ' ') != NULL ||
		    n + strlen(s) + 2 > sizeof text)
			return NULL;
		n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", n > 0 ? " " : "", s);
	}
	return n == 0 ? NULL : strdup(text);
}

enum var_member { VAR_COMMENT, VAR_STR, VAR_LIST, VAR_FLAG };
#define VAR(m) offsetof(struct connector_var, m)

static const struct {
	const char	*name;
	enum var_member	 type;
	size_t		 offset;
} var_members[] = {
	{ "label", VAR_STR, VAR(label) }, { "default", VAR_STR, VAR(dflt) },
	{ "suffix", VAR_LIST, VAR(suffix) }, { "values", VAR_LIST, VAR(values) },
	{ "example", VAR_STR, VAR(example) }, { "url", VAR_FLAG, VAR(url) },
	{ "text", VAR_FLAG, VAR(text) }, { "$comment", VAR_COMMENT, 0 },
};

static int
read_var_member(struct reader *r, const char *ptr, struct connector_var *to, const char *key,
    json_t *v)
{
	size_t i = 0, n = sizeof var_members / sizeof *var_members;

	while (i < n && strcmp(var_members[i].name, key) != 0)
		i++;
	if (i == n)
		return reader_bad(r, ptr, false, "a variable has: label, default, suffix, values, example, "
		    "url, text");
	if (var_members[i].type == VAR_FLAG) {
		if (!json_is_boolean(v))
			return reader_bad(r, ptr, false, "a variable's url and text are true or false");
		*reader_at(to, var_members[i].offset, bool) = json_is_true(v);
	} else if (var_members[i].type == VAR_COMMENT || (var_members[i].type == VAR_STR &&
	    !json_is_string(v))) {
		if (!json_is_string(v))
			return reader_bad(r, ptr, false, "a variable's label, default and example are strings");
	} else if ((*reader_at(to, var_members[i].offset, char *) = joined(v)) == NULL) {
		return reader_bad(r, ptr, false, "a variable's suffix and values are strings or arrays of "
		    "strings without spaces");
	}
	return 0;
}

/* A suffix that begins with a letter would fit names of others too. */
static bool
good_suffix(const char *s)
{
	for (; s != NULL && *s != '\0'; s += *s == ' ') {
		if (*s != '.')
			return false;
		s += strcspn(s, " ");
	}
	return true;
}

static int
read_var(struct reader *r, const char *ptr, const char *name, json_t *v)
{
	struct connector_var *to = &r->c->var[r->c->nvars++];
	const char *key;
	json_t *item;

	if ((to->name = strdup(name)) == NULL)
		return err_set(r->e, V_LIMIT, "out of memory");
	if (!json_is_object(v))
		return reader_bad(r, ptr, false, "expected an object");
	if (*name == '\0' || strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789_") != strlen(name) || strlen(name) >= EX_NAME)
		return reader_bad(r, ptr, true, "a variable's name is of letters, digits and '_'");
	json_object_foreach(v, key, item)
		if (read_var_member(r, ptr, to, key, item) != 0)
			return r->e->code;
	if (!good_suffix(to->suffix))
		return reader_bad(r, ptr, false, "a suffix begins with '.': else it fits other names too");
	if (to->url && to->text)
		return reader_bad(r, ptr, false, "a variable is a url or text, not both");
	return 0;
}

int
read_vars(struct reader *r, const char *ptr, json_t *v)
{
	const char *name;
	json_t *item;
	char p[300];

	if (!json_is_object(v) || json_object_size(v) > EX_VARS)
		return reader_bad(r, ptr, false, "expected an object of at most 8 variables");
	json_object_foreach(v, name, item) {
		snprintf(p, sizeof p, "/variables/%.200s", name);
		(void)ptr;
		if (read_var(r, p, name, item) != 0)
			return r->e->code;
	}
	return 0;
}

/* ---- what is filled in */

static const struct connector_var *
var_find(const struct connector *c, const char *name, size_t n)
{
	for (size_t i = 0; i < c->nvars; i++)
		if (strlen(c->var[i].name) == n && memcmp(c->var[i].name, name, n) == 0)
			return &c->var[i];
	return NULL;
}

static bool
is_name(const char *s, size_t n)
{
	return n > 0 && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789_") >= n;
}

/* Every {name} of a URL is a declared variable; TEXT: of a parameter, where other braces are as
 * good as any character. */
static int
check_template(struct reader *r, const char *key, const char *template, bool text)
{
	const struct connector_var *var;
	char ptr[80], why[200];

	snprintf(ptr, sizeof ptr, "/%s", key);
	for (const char *p = template; p != NULL && (p = strchr(p, '{')) != NULL; p++) {
		size_t n = strcspn(p + 1, "}");

		if (text && (p[1 + n] != '}' || !is_name(p + 1, n)))
			continue;
		if (p[1 + n] != '}')
			return reader_bad(r, ptr, false, "a '{' is not closed");
		/* {client_id} is known of every app; revocation URLs use it. */
		if (n == 9 && memcmp(p + 1, "client_id", 9) == 0)
			continue;
		if ((strcmp(key, "api_base") == 0 || strcmp(key, "probe_url") == 0) &&
		    connector_capture_find(r->c, p + 1, n) != NULL)
			continue;
		var = var_find(r->c, p + 1, n);
		if (var != NULL && (text || !var->text))
			continue;
		snprintf(why, sizeof why, var == NULL ? "{%.*s} is not one of `variables`" :
		    "{%.*s} is a variable of type text, which is no part of a URL",
		    (int)(n > 60 ? 60 : n), p + 1);
		return reader_bad(r, ptr, false, why);
	}
	return 0;
}

static int
check_pairs(struct reader *r, const struct connector_key *k)
{
	const struct name_value *v = reader_at(r->c, k->offset, struct name_value);

	for (size_t i = 0; i < *reader_at(r->c, k->count, size_t); i++)
		if (check_template(r, k->name, v[i].value, true) != 0)
			return r->e->code;
	return 0;
}

static int
check_strings(struct reader *r, const struct connector_key *k)
{
	char *const *v = reader_at(r->c, k->offset, char *);

	for (size_t i = 0; i < *reader_at(r->c, k->count, size_t); i++)
		if (check_template(r, k->name, v[i], true) != 0)
			return r->e->code;
	return 0;
}

int
check_templates(struct reader *r)
{
	int rc = 0;

	for (const struct connector_key *k = connector_keys; rc == 0 && k->name != NULL; k++)
		if (k->type == K_URL)
			rc = check_template(r, k->name, *reader_at(r->c, k->offset, char *), false);
		else if (k->type == K_PAIRS)
			rc = check_pairs(r, k);
		else if (k->type == K_STRINGS)
			rc = check_strings(r, k);
	return rc;
}

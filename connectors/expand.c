/*
 * expand.c - {name} in URL templates. See catalogue.h: what a caller puts in must not be
 * able to choose another host than the connector's.
 */
#include <stdio.h>
#include <string.h>

#include "common/errors.h"
#include "common/suggest.h"
#include "connectors/catalogue.h"

static int
bad(struct err *e, const char *name, const char *what)
{
	return err_parameter(e, "variables", "variable '%.60s' %s", name, what);
}

static int
check_url(const char *name, const char *v, struct err *e)
{
	if (strncmp(v, "https://", 8) != 0 || v[8] == '\0')
		return bad(e, name, "must be an https URL");
	for (const char *p = v; *p != '\0'; p++)
		if (*p <= 0x20 || *p >= 0x7f || strchr("\"\\<>{}#?@", *p) != NULL)
			return bad(e, name, "must be a plain https URL without query and user");
	return 0;
}

/* Of LIST, words with a space between. */
static bool
is_one_of(const char *v, const char *list)
{
	size_t n = strlen(v);

	for (; *list != '\0'; list += *list == ' ') {
		size_t m = strcspn(list, " ");

		if (m == n && memcmp(list, v, n) == 0)
			return true;
		list += m;
	}
	return false;
}

static bool
ends_in_one(const char *v, const char *suffixes)
{
	size_t n = strlen(v);

	for (; *suffixes != '\0'; suffixes += *suffixes == ' ') {
		size_t m = strcspn(suffixes, " ");

		/* And something in front of it. */
		if (n > m && memcmp(suffixes, v + n - m, m) == 0)
			return true;
		suffixes += m;
	}
	return false;
}

static int
check_label(const struct connector_var *var, const char *v, struct err *e)
{
	size_t n = strlen(v);

	if (n == 0 || strspn(v, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789.-") != n)
		return bad(e, var->name, "must be of letters, digits, '.' and '-'");
	if (var->suffix != NULL && !ends_in_one(v, var->suffix))
		return bad(e, var->name, "is not one of this provider's hosts");
	return 0;
}

static int
check_text(const char *name, const char *v, struct err *e)
{
	for (const char *p = v; *p != '\0'; p++)
		if (*p < 0x20 || *p >= 0x7f)
			return bad(e, name, "must be visible ASCII");
	return *v == '\0' ? bad(e, name, "must not be empty") : 0;
}

static int
check_values(const struct connector_var *var, const char *v, struct err *e)
{
	char text[300];

	if (var->values == NULL || is_one_of(v, var->values))
		return 0;
	snprintf(text, sizeof text, "is one of: %.250s", var->values);
	return bad(e, var->name, text);
}

static int
check_value(const struct connector_var *var, const char *v, struct err *e)
{
	if (check_values(var, v, e) != 0)
		return e->code;
	return var->url ? check_url(var->name, v, e) : var->text ? check_text(var->name, v, e) :
								   check_label(var, v, e);
}

static int
value_of(const struct connector *c, const char *name, size_t len,
    const struct ex_vars *vars, const char **ret, struct err *e)
{
	for (size_t i = 0; i < c->nvars; i++) {
		const struct connector_var *v = &c->var[i];

		if (strlen(v->name) != len || memcmp(v->name, name, len) != 0)
			continue;
		*ret = ex_var(vars, v->name);
		if (*ret == NULL || **ret == '\0')
			*ret = v->dflt;
		if (*ret == NULL)
			return bad(e, v->name, "is required for this connector (--var NAME=VALUE)");
		return check_value(v, *ret, e);
	}
	if (len == 9 && memcmp(name, "client_id", 9) == 0 &&
	    (*ret = ex_var(vars, "client_id")) != NULL)
		return 0;
	return err_set(e, V_INTERNAL, "a template names an unknown variable");
}

/* The length of the {name} that P begins with, braces included; 0: none. TEXT: it must be one. */
static size_t
name_at(const char *p, bool text)
{
	size_t n;

	if (*p != '{')
		return 0;
	n = strcspn(p, "}") + 1;
	if (text && (p[n - 1] != '}' || n == 2))
		return 0;
	if (text && strspn(p + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789_") != n - 2)
		return 0;
	return n;
}

static int
expand(const struct connector *c, const char *template, const struct ex_vars *vars, bool text,
    char *ret, size_t cap, struct err *e)
{
	size_t n = 0;

	for (const char *p = template; *p != '\0';) {
		const char *v = p;
		size_t skip = name_at(p, text), len = 1;

		/* What is captured is filled in later. */
		if (skip > 0 && !text && connector_capture_find(c, p + 1, skip - 2) != NULL) {
			len = skip;
		} else if (skip > 0) {
			if (value_of(c, p + 1, skip - 2, vars, &v, e) != 0)
				return e->code;
			len = strlen(v);
		}
		if (n + len >= cap)
			return err_name(e, ERR_INVALID_PARAMETER, "the expanded %s is too long", text ?
			    "parameter" : "URL");
		memcpy(ret + n, v, len);
		n += len;
		p += skip > 0 ? skip : 1;
	}
	ret[n] = '\0';
	return 0;
}

int
connector_expand(const struct connector *c, const char *template,
    const struct ex_vars *vars, char *ret, size_t cap, struct err *e)
{
	char out[EX_URL];

	if (expand(c, template, vars, false, out, sizeof out, e) != 0)
		return e->code;
	if (strncmp(out, "https://", 8) != 0 && *out != '{')
		return err_name(e, ERR_INVALID_PARAMETER, "the expanded URL is not https");
	if (strlen(out) >= cap)
		return err_name(e, ERR_INVALID_PARAMETER, "the expanded URL is too long");
	memcpy(ret, out, strlen(out) + 1);
	return 0;
}

bool
connector_fill(const char *template, const struct ex_vars *captured, char *ret, size_t cap)
{
	char name[EX_NAME];
	size_t n = 0;

	for (const char *p = template; *p != '\0' && n < cap;) {
		size_t len = *p == '{' ? strcspn(p, "}") : 0;
		const char *v = NULL;

		if (len > 0 && p[len] == '}' && len <= sizeof name) {
			snprintf(name, sizeof name, "%.*s", (int)len - 1, p + 1);
			if ((v = ex_var(captured, name)) == NULL || *v == '\0')
				return false;
			n += (size_t)snprintf(ret + n, cap - n, "%s", v);
			p += len + 1;
		} else {
			ret[n++] = *p++;
		}
	}
	if (n >= cap)
		return false;
	ret[n] = '\0';
	return true;
}

int
connector_expand_text(const struct connector *c, const char *template,
    const struct ex_vars *vars, char *ret, size_t cap, struct err *e)
{
	return expand(c, template, vars, true, ret, cap, e);
}

int
connector_check_vars(const struct connector *c, const struct ex_vars *vars, struct err *e)
{
	const char *names[EX_VARS];
	char close[SUGGEST_TEXT];

	for (size_t i = 0; i < c->nvars; i++)
		names[i] = c->var[i].name;
	for (size_t i = 0; i < vars->n; i++) {
		size_t k = 0;

		while (k < c->nvars && strcmp(names[k], vars->v[i].name) != 0)
			k++;
		if (k < c->nvars)
			continue;
		suggest_text(vars->v[i].name, names, c->nvars, close);
		return err_parameter(e, "variables",
		    "connector '%s' has no variable '%s'%s", c->id,
		    vars->v[i].name, close);
	}
	return 0;
}

/*
 * catalogue.c - one file, see catalogue.h. One table of keys is parser, defaults and what the
 * manual is tested against.
 */
#include "connectors/catalogue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/json.h"
#include "common/jsonpath.h"
#include "common/scope.h"
#include "common/suggest.h"
#include "connectors/keys.h"
#include "connectors/reader.h"

#define FILE_MAX	(256u << 10)

/* ---- one file being read */

int
reader_bad(struct reader *r, const char *pointer, bool key, const char *what)
{
	return json_err_at(r->e, ERR_CONNECTOR_INVALID, r->file, r->text, pointer, key, "%s",
	    what);
}

#define at reader_at
#define bad reader_bad

static int
read_str(struct reader *r, const struct connector_key *k, const char *ptr, json_t *v)
{
	char **to = at(r->c, k->offset, char *);

	if (!json_is_string(v) || json_string_length(v) >= EX_URL)
		return bad(r, ptr, false, "expected a string");
	if (k->type == K_URL && strncmp(json_string_value(v), "https://", 8) != 0 &&
	    strncmp(json_string_value(v), "{", 1) != 0)
		return bad(r, ptr, false, "expected an https URL");
	free(*to);
	return (*to = strdup(json_string_value(v))) != NULL ? 0 :
	    err_set(r->e, V_LIMIT, "out of memory");
}

static int
read_enum(struct reader *r, const struct connector_key *k, const char *ptr, json_t *v)
{
	char text[300] = "expected one of:";

	for (int i = 0; k->words[i] != NULL; i++) {
		if (json_is_string(v) && strcmp(json_string_value(v), k->words[i]) == 0) {
			*at(r->c, k->offset, int) = i;
			return 0;
		}
		snprintf(text + strlen(text), sizeof text - strlen(text), " %s", k->words[i]);
	}
	return bad(r, ptr, false, text);
}

static int
read_strings(struct reader *r, const struct connector_key *k, const char *ptr, json_t *v)
{
	char **to = at(r->c, k->offset, char *);
	size_t *n = at(r->c, k->count, size_t), i;
	json_t *item;

	if (!json_is_array(v) || json_array_size(v) > CONNECTOR_LIST)
		return bad(r, ptr, false, "expected an array of at most 16 strings");
	json_array_foreach(v, i, item) {
		if (!json_is_string(item) || !scope_valid(json_string_value(item)))
			return bad(r, ptr, false, "expected strings without spaces and quotes");
		if ((to[(*n)++] = strdup(json_string_value(item))) == NULL)
			return err_set(r->e, V_LIMIT, "out of memory");
	}
	return 0;
}

static int
read_pairs(struct reader *r, const struct connector_key *k, const char *ptr, json_t *v)
{
	struct name_value *to = at(r->c, k->offset, struct name_value);
	size_t *n = at(r->c, k->count, size_t);
	const char *name;
	json_t *item;

	if (!json_is_object(v) || json_object_size(v) > k->max)
		return bad(r, ptr, false, "expected an object of strings, not too many");
	json_object_foreach(v, name, item) {
		if (!json_is_string(item))
			return bad(r, ptr, false, "expected an object of strings");
		to[*n].name = strdup(name);
		to[(*n)++].value = strdup(json_string_value(item));
	}
	return 0;
}

static bool
is_header(const char *name, const char *value)
{
	size_t n = strlen(name);

	if (n == 0 || n > 60 || strlen(value) > 120 || strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789-") != n)
		return false;
	for (; *value != '\0'; value++)
		if (*value < 0x20 || *value >= 0x7f)
			return false;
	return true;
}

static int
read_headers(struct reader *r, const struct connector_key *k, const char *ptr, json_t *v)
{
	char **to = at(r->c, k->offset, char *), line[200];
	size_t *n = at(r->c, k->count, size_t);
	const char *name;
	json_t *item;

	if (!json_is_object(v) || json_object_size(v) > k->max)
		return bad(r, ptr, false, "expected an object of at most 4 headers");
	json_object_foreach(v, name, item) {
		if (!json_is_string(item) || !is_header(name, json_string_value(item)))
			return bad(r, ptr, false, "expected headers: names of letters, digits and '-', "
			    "values of visible ASCII");
		snprintf(line, sizeof line, "%s: %s", name, json_string_value(item));
		if ((to[(*n)++] = strdup(line)) == NULL)
			return err_set(r->e, V_LIMIT, "out of memory");
	}
	return 0;
}

static int
read_auth_types(struct reader *r, const struct connector_key *k, const char *ptr, json_t *v)
{
	enum auth_type t;
	size_t i;
	json_t *item;

	static const char text[] = "expected a non-empty array of: " AUTH_TYPE_WORDS;

	if (!json_is_array(v) || json_array_size(v) == 0)
		return bad(r, ptr, false, text);
	json_array_foreach(v, i, item) {
		if (!json_is_string(item) || !auth_type_parse(json_string_value(item), &t))
			return bad(r, ptr, false, text);
		*at(r->c, k->offset, unsigned) |= t;
	}
	return 0;
}

static int
unknown_key(struct reader *r, const char *ptr, const char *name,
    const struct connector_key *keys)
{
	const char *names[128], *suggestion;
	size_t n = 0;
	char close[SUGGEST_TEXT], text[200];

	while (n < 128 && keys[n].name != NULL) {
		names[n] = keys[n].name;
		n++;
	}
	suggestion = suggest_text(name, names, n, close);
	snprintf(text, sizeof text, "unknown key '%.60s'%s", name, close);
	bad(r, ptr, true, text);
	if (suggestion != NULL)
		err_detail(r->e, "suggestion", "%s", suggestion);
	return r->e->code;
}

static int
read_value(struct reader *r, const struct connector_key *k, const char *ptr, json_t *v)
{
	switch (k->type) {
	case K_STR:
	case K_URL:
		return read_str(r, k, ptr, v);
	case K_UINT:
		if (!json_is_integer(v) || json_integer_value(v) < 0 ||
		    json_integer_value(v) > 315360000)
			return bad(r, ptr, false, "expected a number, 0 or more");
		*at(r->c, k->offset, uint32_t) = (uint32_t)json_integer_value(v);
		return 0;
	case K_BOOL:
		if (!json_is_boolean(v))
			return bad(r, ptr, false, "expected true or false");
		*at(r->c, k->offset, bool) = json_is_true(v);
		return 0;
	case K_ENUM:
		return read_enum(r, k, ptr, v);
	case K_STRINGS:
		return read_strings(r, k, ptr, v);
	case K_PAIRS:
		return read_pairs(r, k, ptr, v);
	case K_AUTH_TYPES:
		return read_auth_types(r, k, ptr, v);
	case K_VARS:
		return read_vars(r, ptr, v);
	case K_PATH:
		if (!json_is_string(v) || !jsonpath_valid(json_string_value(v)))
			return bad(r, ptr, false, "expected a path like `a.b`, `a[0].b` or `/a/b`");
		return read_str(r, k, ptr, v);
	case K_PATHS:
		return read_paths(r, k, ptr, v);
	case K_CAPTURE:
		return read_captures(r, ptr, v);
	case K_ERROR_MAP:
		return read_error_map(r, ptr, v);
	case K_HEADERS:
		return read_secret_headers(r, ptr, v);
	case K_LINES:
		return read_headers(r, k, ptr, v);
	}
	return bad(r, ptr, true, "key without a type");
}

/* ---- the whole */

static bool
good_id(const char *id)
{
	size_t n = strlen(id);

	return n > 0 && n < EX_NAME &&
	    strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

static int
check_whole(struct reader *r)
{
	struct connector *c = r->c;

	if (c->id == NULL || !good_id(c->id))
		return bad(r, c->id == NULL ? "" : "/id", false,
		    "`id` is required: lower-case letters, digits and '-'");
	for (size_t i = 0; i < c->naliases; i++)
		if (!good_id(c->aliases[i]))
			return bad(r, "/aliases", false, "aliases are ids: lower-case letters, digits "
			    "and '-'");
	if (c->name == NULL)
		return bad(r, "", false, "`name` is required");
	if (c->version == 0)
		return bad(r, "", false, "`version` is required, 1 or more");
	if (c->auth_types == 0)
		return bad(r, "", false, "`auth_types` is required");
	if (c->auth_types & AUTH_OAUTH2_CODE && !c->discovery &&
	    (c->authorization_url == NULL || c->token_url == NULL))
		return bad(r, "", false, "oauth2_code needs `authorization_url` and `token_url`, or "
		    "`discovery`");
	if (connector_has_apps(c) && !c->discovery && c->token_url == NULL)
		return bad(r, "", false, "what an OAuth app asks for needs `token_url`, or `discovery`");
	if (c->auth_types & AUTH_DEVICE && !c->discovery && c->device_url == NULL)
		return bad(r, "", false, "oauth2_device needs `device_url`, or `discovery`");
	if (c->discovery && c->issuer == NULL)
		return bad(r, "", false, "`discovery` needs `issuer`");
	if (!c->pkce && c->pkce_off_proof == NULL)
		return bad(r, "/pkce", false, "PKCE is switched off only with `pkce_off_proof`: where "
		    "the provider documents that it fails");
	if (c->exchange_timeout_s < 10 || c->exchange_timeout_s > 120)
		return bad(r, "/exchange_timeout_s", false, "expected 10 to 120 seconds");
	if ((c->probe_body != NULL || c->probe_token == PROBE_FORM) && c->probe_method != PROBE_POST)
		return bad(r, "/probe_url", true, "a test call with a body is a POST: `probe_method`");
	if (c->probe_body != NULL && c->probe_token == PROBE_FORM)
		return bad(r, "/probe_body", true, "a test call has `probe_body`, or the token as a "
		    "form: not both");
	if (c->account_from != ACCOUNT_NONE && c->account_member == NULL)
		return bad(r, "/account_from", true, "`account_from` needs `account_member`");
	if (c->account_from == ACCOUNT_PROBE && c->probe_url == NULL)
		return bad(r, "/account_from", true, "`account_from: probe` needs `probe_url`");
	for (size_t i = 0; i < c->nreply_success; i++)
		if (!jsonpath_valid(c->reply_success[i].name))
			return bad(r, "/reply_success", false, "expected paths like `a.b` or `/a/b`");
	for (size_t i = 0; i < c->nprobe_success; i++)
		if (!jsonpath_valid(c->probe_success[i].name))
			return bad(r, "/probe_success", false, "expected paths like `a.b` or `/a/b`");
	if (check_captures(r) != 0 || check_secrets(r) != 0)
		return r->e->code;
	return check_templates(r);
}

static void
set_defaults(struct connector *c)
{
	c->pkce = true;
	c->exchange_timeout_s = 90;
	c->scope_separator = strdup(" ");
	c->probe_scheme = strdup("Bearer");
	c->pat_token_type = strdup("Bearer");
}

static int
read_object(struct reader *r, json_t *o)
{
	const char *name;
	json_t *v;
	char ptr[300];

	if (!json_is_object(o))
		return bad(r, "", false, "a connector is an object");
	json_object_foreach(o, name, v) {
		const struct connector_key *k = connector_keys;

		snprintf(ptr, sizeof ptr, "/%.200s", name);
		if (strcmp(name, "$schema") == 0 || strcmp(name, "$comment") == 0)
			continue;
		while (k->name != NULL && strcmp(k->name, name) != 0)
			k++;
		if (k->name == NULL)
			return unknown_key(r, ptr, name, connector_keys);
		if (!json_is_null(v) && read_value(r, k, ptr, v) != 0)
			return r->e->code;
	}
	return check_whole(r);
}

static int
read_text(const char *file, struct slice text, json_t *o, struct connector *ret,
    struct err *e)
{
	struct connector c = { 0 };
	struct reader r = { file, text, &c, e };

	set_defaults(&c);
	c.file = strdup(file);
	if (read_object(&r, o) != 0) {
		connector_done(&c);
		return e->code;
	}
	*ret = c;
	return 0;
}

int
connector_parse(const char *file, struct slice text, struct connector *ret, struct err *e)
{
	json_auto_t *o = json_parse(text, FILE_MAX, e);

	if (o == NULL) {
		err_prefix(e, "%s:", file);
		return err_rename(e, ERR_CONNECTOR_INVALID);
	}
	return read_text(file, text, o, ret, e);
}

int
connector_load(const char *path, struct connector *ret, struct err *e)
{
	AUTO(buf) text = { 0 };
	json_auto_t *o = json_parse_file(path, FILE_MAX, &text, e);

	if (o == NULL)
		return err_rename(e, ERR_CONNECTOR_INVALID);
	return read_text(path, buf_slice(&text), o, ret, e);
}

static void
free_pairs(struct name_value *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(v[i].name);
		free(v[i].value);
	}
}

void
connector_done(struct connector *c)
{
	for (const struct connector_key *k = connector_keys; k->name != NULL; k++) {
		if (k->type == K_STR || k->type == K_URL || k->type == K_PATH)
			free(*at(c, k->offset, char *));
		else if (k->type == K_STRINGS || k->type == K_PATHS ||
		    k->type == K_LINES)
			for (size_t i = 0; i < *at(c, k->count, size_t); i++)
				free(at(c, k->offset, char *)[i]);
		else if (k->type == K_PAIRS)
			free_pairs(at(c, k->offset, struct name_value), *at(c, k->count, size_t));
	}
	for (size_t i = 0; i < c->nvars; i++) {
		free(c->var[i].name);
		free(c->var[i].label);
		free(c->var[i].dflt);
		free(c->var[i].suffix);
		free(c->var[i].values);
		free(c->var[i].example);
	}
	captures_done(c);
	error_map_done(c);
	secret_headers_done(c);
	free(c->file);
	*c = (struct connector){ 0 };
}

const char *
connector_word(const struct connector *c, const char *key)
{
	for (const struct connector_key *k = connector_keys; k->name != NULL; k++)
		if (k->type == K_ENUM && strcmp(k->name, key) == 0)
			return k->words[*(const int *)(const void *)((const char *)c + k->offset)];
	return "";
}

bool
connector_has_apps(const struct connector *c)
{
	for (unsigned t = 1; t < AUTH_TYPE_END; t <<= 1)
		if (c->auth_types & t && auth_type_flags(t) & AUTH_NEEDS_APP)
			return true;
	return false;
}

/*
 * answer.c - the keys that say how a provider's answers are read: where its members are,
 * which of them are kept, and what its names of errors mean. See catalogue.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/errors.h"
#include "common/jsonpath.h"
#include "common/suggest.h"
#include "connectors/reader.h"

static int
no_memory(struct reader *r)
{
	return err_set(r->e, V_LIMIT, "out of memory");
}

/* ---- paths */

static int
add_path(struct reader *r, char **to, size_t *n, const char *ptr, const json_t *v)
{
	if (!json_is_string(v) || !jsonpath_valid(json_string_value(v)))
		return reader_bad(r, ptr, false, "expected a path like `a.b`, `a[0].b` or `/a/b`");
	to[*n] = strdup(json_string_value(v));
	return to[*n] != NULL ? (int)((*n)++, 0) : no_memory(r);
}

int
read_paths(struct reader *r, const struct connector_key *k, const char *ptr, json_t *v)
{
	char **to = reader_at(r->c, k->offset, char *);
	size_t *n = reader_at(r->c, k->count, size_t), i;
	json_t *item;

	if (json_is_string(v))
		return add_path(r, to, n, ptr, v);
	if (!json_is_array(v) || json_array_size(v) > CONNECTOR_PATHS)
		return reader_bad(r, ptr, false, "expected a path, or an array of at most 8");
	json_array_foreach(v, i, item)
		if (add_path(r, to, n, ptr, item) != 0)
			return r->e->code;
	return 0;
}

/* ---- what is kept */

static int
read_hosts(struct reader *r, struct connector_capture *to, const char *ptr, const json_t *v)
{
	size_t i;
	json_t *item;

	if (!json_is_array(v) || json_array_size(v) > CONNECTOR_LIST)
		return reader_bad(r, ptr, false, "`hosts` is an array of at most 16 strings");
	json_array_foreach(v, i, item) {
		const char *s = json_string_value(item);

		if (s != NULL && strcmp(s, "token_url") == 0) {
			to->token_host = true;
			continue;
		}
		if (s == NULL || strlen(s) < 4 || strchr(s + 1, '.') == NULL ||
		    strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789.-") != strlen(s))
			return reader_bad(r, ptr, false, "`hosts` holds host names in lower case, or "
			    "what they end in, as `.example.com`, or token_url: the host of that");
		if ((to->hosts[to->nhosts] = strdup(s)) == NULL)
			return no_memory(r);
		to->nhosts++;
	}
	return 0;
}

static int
word_of(const json_t *v, const char *const *words)
{
	for (int i = 0; words[i] != NULL; i++)
		if (json_is_string(v) && strcmp(json_string_value(v), words[i]) == 0)
			return i;
	return -1;
}

static int
read_capture_member(struct reader *r, struct connector_capture *to, const char *ptr,
    const char *key, json_t *v)
{
	static const char *const types[] = { "text", "id", "url", NULL };
	static const char *const sources[] = { "answer", "callback", NULL };
	int w = 0;

	if (strcmp(key, "$comment") == 0)
		return json_is_string(v) ? 0 : reader_bad(r, ptr, false, "a comment is a string");
	if (strcmp(key, "hosts") == 0)
		return read_hosts(r, to, ptr, v);
	if (strcmp(key, "path") == 0 && json_is_string(v))
		return (to->path = strdup(json_string_value(v))) != NULL ? 0 : no_memory(r);
	if (strcmp(key, "type") == 0 && (w = word_of(v, types)) >= 0)
		to->type = (enum capture_type)w;
	else if (strcmp(key, "from") == 0 && (w = word_of(v, sources)) >= 0)
		to->from_callback = w == 1;
	else
		return reader_bad(r, ptr, false, "a capture is a path, or an object of: path, from "
		    "(answer, callback), type (text, id, url), hosts");
	return 0;
}

static int
check_capture(struct reader *r, const struct connector_capture *c, const char *ptr)
{
	static const char *const tokens[] = { "access_token", "refresh_token", "id_token" };

	if (c->path == NULL || c->path[0] == '\0' || !jsonpath_valid(c->path))
		return reader_bad(r, ptr, false, "a capture needs a path like `a.b` or `/a/b`");
	for (size_t i = 0; i < 3; i++)
		if (jsonpath_has(c->path, tokens[i]))
			return reader_bad(r, ptr, false, "tokens are never captured");
	if ((c->type == CAPTURE_URL) != (c->nhosts > 0 || c->token_host))
		return reader_bad(r, ptr, false, "a capture of type url, and no other, has `hosts` it "
		    "may lead to");
	return 0;
}

static int
read_capture(struct reader *r, const char *name, json_t *v)
{
	struct connector_capture *to = &r->c->capture[r->c->ncapture++];
	const char *key;
	json_t *item;
	char p[300];

	snprintf(p, sizeof p, "/capture/%.200s", name);
	if ((to->name = strdup(name)) == NULL)
		return no_memory(r);
	if (strlen(name) == 0 || strlen(name) >= EX_NAME ||
	    strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") !=
	    strlen(name))
		return reader_bad(r, p, true, "a capture's name is of letters, digits and '_'");
	if (json_is_string(v))
		to->path = strdup(json_string_value(v));
	else if (!json_is_object(v))
		return reader_bad(r, p, false, "a capture is a path or an object");
	json_object_foreach(v, key, item)
		if (read_capture_member(r, to, p, key, item) != 0)
			return r->e->code;
	return check_capture(r, to, p);
}

int
read_captures(struct reader *r, const char *ptr, json_t *v)
{
	const char *name;
	json_t *item;

	if (!json_is_object(v) || json_object_size(v) > EX_VARS)
		return reader_bad(r, ptr, false, "expected an object of at most 8 captures");
	json_object_foreach(v, name, item)
		if (read_capture(r, name, item) != 0)
			return r->e->code;
	return 0;
}

const struct connector_capture *
connector_capture_find(const struct connector *c, const char *name, size_t len)
{
	for (size_t i = 0; i < c->ncapture; i++)
		if (strlen(c->capture[i].name) == len && memcmp(c->capture[i].name, name, len) == 0)
			return &c->capture[i];
	return NULL;
}

const char *
connector_callback_name(const struct connector_capture *k)
{
	return k->from_callback ? k->path + (k->path[0] == '/') : NULL;
}

/* A URL is filled only with what was checked. */
static int
check_captured(struct reader *r, const char *ptr, const char *url)
{
	const struct connector *c = r->c;

	for (const char *p = url; p != NULL && (p = strchr(p, '{')) != NULL; p++) {
		size_t n = strcspn(p + 1, "}");
		const struct connector_capture *k = connector_capture_find(c, p + 1, n);

		if (k != NULL && k->type == CAPTURE_TEXT)
			return reader_bad(r, ptr, false, "what is captured as text cannot be "
			    "part of a URL: its type must be id or url");
		if (k != NULL && (k->type == CAPTURE_URL) != (p == url))
			return reader_bad(r, ptr, false, "a captured url stands at the "
			    "beginning, a captured id after it");
	}
	return 0;
}

/* A name means one thing. */
int
check_captures(struct reader *r)
{
	const struct connector *c = r->c;
	char ptr[100];

	for (size_t i = 0; i < c->ncapture; i++) {
		snprintf(ptr, sizeof ptr, "/capture/%.63s", c->capture[i].name);
		for (size_t k = 0; k < c->nvars; k++)
			if (strcmp(c->var[k].name, c->capture[i].name) == 0)
				return reader_bad(r, ptr, true, "this name is one of `variables`");
	}
	if (check_captured(r, "/api_base", c->api_base) != 0)
		return r->e->code;
	return check_captured(r, "/probe_url", c->probe_url);
}

void
captures_done(struct connector *c)
{
	for (size_t i = 0; i < c->ncapture; i++) {
		free(c->capture[i].name);
		free(c->capture[i].path);
		for (size_t k = 0; k < c->capture[i].nhosts; k++)
			free(c->capture[i].hosts[k]);
	}
}

/* ---- what a provider's names of errors mean */

/* `refresh:NAME`, `code:NAME` or NAME of both. */
static void
phase_of(const char *name, struct connector_error *to, const char **ret_code)
{
	to->refresh = to->code = true;
	*ret_code = name;
	if (strncmp(name, "refresh:", 8) == 0) {
		to->code = false;
		*ret_code = name + 8;
	} else if (strncmp(name, "code:", 5) == 0) {
		to->refresh = false;
		*ret_code = name + 5;
	}
}

static int
unknown_error(struct reader *r, const char *ptr, const char *name)
{
	const char *names[ERR_MAX];
	char close[SUGGEST_TEXT], text[300];
	size_t n = 0;

	for (unsigned i = 1; i < ERR_MAX; i++)
		if (err_of_provider(i))
			names[n++] = err_short_name(i);
	suggest_text(name, names, n, close);
	snprintf(text, sizeof text, "'%.60s' is not an error that a provider's answer can mean%s",
	    name, close);
	return reader_bad(r, ptr, false, text);
}

static int
read_error(struct reader *r, const char *name, const json_t *v)
{
	struct connector_error *to = &r->c->error_map[r->c->nerror_map];
	const char *code, *ours = json_string_value(v);
	char p[300];
	unsigned id = ours == NULL ? ERR_NONE : err_by_short_name(ours);

	snprintf(p, sizeof p, "/error_map/%.200s", name);
	phase_of(name, to, &code);
	if (*code == '\0' || strlen(code) >= 64)
		return reader_bad(r, p, true, "a provider's name of an error has 1 to 63 bytes");
	if (ours == NULL)
		return reader_bad(r, p, false, "expected the name of an error");
	if (id == ERR_NONE || !err_of_provider(id))
		return unknown_error(r, p, ours);
	to->id = id;
	to->name = strdup(code);
	r->c->nerror_map++;
	return to->name != NULL ? 0 : no_memory(r);
}

int
read_error_map(struct reader *r, const char *ptr, json_t *v)
{
	const char *name;
	json_t *item;

	if (!json_is_object(v) || json_object_size(v) > CONNECTOR_ERRORS)
		return reader_bad(r, ptr, false, "expected an object of at most 32 errors");
	json_object_foreach(v, name, item)
		if (read_error(r, name, item) != 0)
			return r->e->code;
	return 0;
}

unsigned
connector_error(const struct connector *c, const char *name, bool refresh)
{
	for (size_t i = 0; c != NULL && i < c->nerror_map; i++)
		if ((refresh ? c->error_map[i].refresh : c->error_map[i].code) &&
		    strcmp(c->error_map[i].name, name) == 0)
			return c->error_map[i].id;
	return ERR_NONE;
}

void
error_map_done(struct connector *c)
{
	for (size_t i = 0; i < c->nerror_map; i++)
		free(c->error_map[i].name);
}

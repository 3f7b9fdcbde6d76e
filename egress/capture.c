/*
 * capture.c - see capture.h. Hosts learned from a provider's answer are where callers send their
 * tokens later: they must be the provider's (row 48).
 */
#include "egress/capture.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/jsonpath.h"
#include "egress/http.h"

#define VALUE_MAX sizeof ((struct ex_vars *)0)->v[0].value

static bool
host_is_allowed(const struct connector_capture *c, const char *host)
{
	size_t n = strlen(host);

	for (size_t i = 0; i < c->nhosts; i++) {
		size_t s = strlen(c->hosts[i]);

		if (c->hosts[i][0] == '.' ? n > s && strcmp(host + n - s, c->hosts[i]) == 0 :
					    strcmp(host, c->hosts[i]) == 0)
			return true;
	}
	return false;
}

/* Letters, digits, dots and dashes: no port, and nothing that readers of URLs see differently. */
static bool
plain_host(const char *host)
{
	return *host != '\0' && *host != '.' && strstr(host, "..") == NULL &&
	    strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789.-") == strlen(host);
}

static bool
plain_path(const char *p)
{
	return strspn(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	    "/-._~") == strlen(p) && strstr(p, "..") == NULL && strstr(p, "//") == NULL;
}

bool
capture_url(const struct connector_capture *c, const char *value, char *ret, size_t cap)
{
	const char *path;
	char host[256];
	size_t n;

	if (strncasecmp(value, "https://", 8) != 0)
		return false;
	n = strcspn(value + 8, "/");
	path = value + 8 + n;
	if (n >= sizeof host)
		return false;
	for (size_t i = 0; i < n; i++)
		host[i] = (char)tolower((unsigned char)value[8 + i]);
	host[n] = '\0';
	if (!plain_host(host) || !plain_path(path) || !host_is_allowed(c, host))
		return false;
	n = strlen(path);
	while (n > 0 && path[n - 1] == '/')
		n--;
	return (size_t)snprintf(ret, cap, "https://%s%.*s", host, (int)n, path) < cap;
}

static bool
plain_id(const char *v)
{
	size_t n = strlen(v);

	return n > 0 && n <= 128 && v[0] != '.' &&
	    strspn(v, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~") == n;
}

static bool
holds(const char *v, const struct secret *token)
{
	return token->len >= 8 && memmem(v, strlen(v), token->p, token->len) != NULL;
}

/* A value that is or contains a token is no value. */
static bool
shows_token(const struct reply *r, const char *v)
{
	return holds(v, &r->refresh_token) || holds(v, &r->access_token) || holds(v, &r->id_token);
}

static void
keep(const struct connector_capture *c, const char *value, struct reply *r)
{
	char *to = r->captured.v[r->captured.n].value;

	if (*value == '\0' || r->captured.n >= EX_VARS || strlen(c->name) >= EX_NAME ||
	    shows_token(r, value) || ex_var(&r->captured, c->name) != NULL)
		return;
	if (c->type == CAPTURE_ID && !plain_id(value))
		return;
	if (c->type == CAPTURE_URL && !capture_url(c, value, to, VALUE_MAX)) {
		snprintf(r->strayed, sizeof r->strayed, "%s", c->name);
		return;
	}
	if (c->type != CAPTURE_URL)
		snprintf(to, VALUE_MAX, "%s", value);
	snprintf(r->captured.v[r->captured.n++].name, EX_NAME, "%s", c->name);
}

/* A text or a whole number; "" when it is neither, or does not fit whole. */
static void
text_of(const json_t *v, char *ret, size_t cap)
{
	*ret = '\0';
	if (json_is_integer(v))
		snprintf(ret, cap, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	else
		reply_name(v, ret, cap);
}

void
capture_answer(json_t *o, const struct connector *c, struct reply *r)
{
	static const char *const tokens[] = { "access_token", "refresh_token", "id_token" };
	char value[VALUE_MAX];

	for (size_t i = 0; i < c->ncapture; i++) {
		const struct connector_capture *k = &c->capture[i];

		if (k->from_callback || jsonpath_has(k->path, tokens[0]) ||
		    jsonpath_has(k->path, tokens[1]) || jsonpath_has(k->path, tokens[2]))
			continue;
		text_of(jsonpath_get(o, k->path), value, sizeof value);
		keep(k, value, r);
	}
}

void
capture_callback(const struct ex_vars *parameters, const struct connector *c, struct reply *r)
{
	for (size_t i = 0; i < c->ncapture; i++) {
		const char *name = c->capture[i].path + (c->capture[i].path[0] == '/'), *v;

		v = c->capture[i].from_callback ? ex_var(parameters, name) : NULL;

		if (v != NULL)
			keep(&c->capture[i], v, r);
	}
}

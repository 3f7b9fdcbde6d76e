/*
 * capture.c - see capture.h. Hosts learned from a provider's answer are where callers send their
 * tokens later: they must be the provider's (row 48).
 */
#include "egress/capture.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/errors.h"
#include "common/jsonpath.h"
#include "egress/http.h"

#define VALUE_MAX sizeof ((struct ex_vars *)0)->v[0].value

static bool
host_is_allowed(const struct connector_capture *c, const char *token_url, const char *host)
{
	size_t n = strlen(host);
	char tokens[256];

	if (c->token_host && http_host(token_url, tokens, sizeof tokens) && strcmp(host, tokens) == 0)
		return true;
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
capture_url(const struct connector_capture *c, const char *token_url, const char *value, char *ret,
    size_t cap)
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
	if (!plain_host(host) || !plain_path(path) || !host_is_allowed(c, token_url, host))
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
keep(const struct connector_capture *c, const char *token_url, const char *value, struct reply *r)
{
	char *to = r->captured.v[r->captured.n].value;

	if (*value == '\0' || r->captured.n >= EX_VARS || strlen(c->name) >= EX_NAME ||
	    shows_token(r, value) || ex_var(&r->captured, c->name) != NULL)
		return;
	if (c->type == CAPTURE_ID && !plain_id(value))
		return;
	if (c->type == CAPTURE_URL && !capture_url(c, token_url, value, to, VALUE_MAX)) {
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
		keep(k, "", value, r);
	}
}

void
capture_callback(const struct ex_vars *parameters, const struct connector *c,
    const char *token_url, struct reply *r)
{
	for (size_t i = 0; i < c->ncapture; i++) {
		const char *name = connector_callback_name(&c->capture[i]);
		const char *v = name == NULL ? NULL : ex_var(parameters, name);

		if (v != NULL)
			keep(&c->capture[i], token_url, v, r);
	}
}

/* As it looks, when that is a host: what a page in a browser says is not repeated otherwise. */
static void
host_of(const char *value, char *ret, size_t cap)
{
	if (!http_host(value, ret, cap) || !plain_host(ret))
		snprintf(ret, cap, "something else");
}

int
capture_check_callback(const struct ex_vars *parameters, const struct connector *c,
    const char *token_url, struct err *e)
{
	struct reply r = { 0 };
	const struct connector_capture *k;
	char got[256], expected[256];

	capture_callback(parameters, c, token_url, &r);
	if (r.strayed[0] == '\0')
		return 0;
	k = connector_capture_find(c, r.strayed, strlen(r.strayed));
	host_of(ex_var(parameters, connector_callback_name(k)), got, sizeof got);
	host_of(token_url, expected, sizeof expected);
	err_name(e, ERR_ACCOUNT_ELSEWHERE, "the sign-in came back with %.60s at %.100s, and this OAuth "
	    "app is for %.100s: the code was not sent", connector_callback_name(k), got, expected);
	err_detail(e, "expected", "%s", expected);
	err_detail(e, "got", "%s", got);
	return e->code;
}

void
capture_again(const struct ex_vars *captured, const struct connector *c, const char *token_url,
    struct ex_vars *ret)
{
	struct reply r = { 0 };

	for (size_t i = 0; i < c->ncapture; i++) {
		const char *v = ex_var(captured, c->capture[i].name);

		if (v != NULL && c->capture[i].type != CAPTURE_TEXT)
			keep(&c->capture[i], token_url, v, &r);
	}
	*ret = r.captured;
}

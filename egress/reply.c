/*
 * reply.c - see reply.h.
 */
#include "egress/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/json.h"
#include "common/jsonpath.h"
#include "egress/body.h"
#include "egress/capture.h"

#define TOKEN_MAX	(64u << 10)

void
reply_done(struct reply *r)
{
	secret_done(&r->access_token);
	secret_done(&r->refresh_token);
	secret_done(&r->id_token);
}

/* ---- values */

/* Visible ASCII and spaces: RFC 6749, appendix A.12. Callers put it into a header. */
static bool
token_is_plain(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < 0x20 || (unsigned char)s[i] > 0x7e)
			return false;
	return true;
}

/* Absent, null and "" are the same. */
static int
take_secret(json_t *root, const char *path, const char *dflt, struct secret *ret, struct err *e)
{
	json_t *v = jsonpath_get(root, path != NULL ? path : dflt);
	size_t n = json_string_length(v);

	if (!json_is_string(v) || n == 0)
		return 0;
	if (n > TOKEN_MAX)
		return err_set(e, V_CORRUPT, "%s is longer than 64 KiB", dflt);
	if (!token_is_plain(json_string_value(v), n))
		return err_set(e, V_CORRUPT, "%s holds bytes that no token has", dflt);
	return secret_set(ret, json_string_value(v), n, e);
}

void
reply_text(const json_t *v, char *ret, size_t cap)
{
	const char *s = json_string_value(v);
	size_t n = 0;

	if (s == NULL)
		return;
	for (; *s != '\0' && n + 1 < cap; s++)
		ret[n++] = (unsigned char)*s < 0x20 || (unsigned char)*s >= 0x7f ? ' ' : *s;
	ret[n] = '\0';
}

void
reply_name(const json_t *v, char *ret, size_t cap)
{
	const char *s = json_string_value(v);
	size_t n = json_string_length(v);

	if (s == NULL || n >= cap)
		return;
	for (size_t i = 0; i < n; i++)		/* of Unicode too: U+0080 to U+009F */
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f ||
		    ((unsigned char)s[i] == 0xc2 && (unsigned char)s[i + 1] < 0xa0))
			return;
	memcpy(ret, s, n + 1);
}

/* The text of a string, a number or a boolean; "" of anything else. */
static void
scalar_text(const json_t *v, char *ret, size_t cap)
{
	*ret = '\0';
	if (json_is_integer(v))
		snprintf(ret, cap, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	else if (json_is_boolean(v))
		snprintf(ret, cap, "%s", json_is_true(v) ? "true" : "false");
	else
		reply_text(v, ret, cap);
}

/* ---- lives */

/* The first of NAMES that says something. Its name says that it is a time. */
static struct lifetime
first_lifetime(json_t *root, const char *const *names)
{
	for (; *names != NULL; names++) {
		struct lifetime l = lifetime_of(json_object_get(root, *names), EXPIRY_AUTO);

		if (strstr(*names, "_at") != NULL)
			l.in_s = 0;
		if (l.in_s != 0 || l.at != 0)
			return l;
	}
	return (struct lifetime){ 0 };
}

static void
take_lives(json_t *root, const struct connector *c, struct reply *r)
{
	static const char *const access[] = { "expires_in", "expires_at", "expires", NULL };
	static const char *const refresh[] = { "refresh_token_expires_in", "refresh_expires_in",
		"x_refresh_token_expires_in", "refresh_token_expires_at", NULL };

	r->expires = c != NULL && c->reply_expires != NULL ?
	    lifetime_of(jsonpath_get(root, c->reply_expires), c->reply_expires_unit) :
	    first_lifetime(root, access);
	r->refresh_expires = c != NULL && c->reply_refresh_expires != NULL ?
	    lifetime_of(jsonpath_get(root, c->reply_refresh_expires),
		c->reply_refresh_expires_unit) :
	    first_lifetime(root, refresh);
	if (r->expires.in_s == 0 && r->expires.at == 0 &&
	    (c == NULL || c->default_expires_s == 0))
		r->expires = reply_jwt_end(&r->access_token);
}

/* ---- scopes and type */

/* The words of TEXT, whatever stands between them, after those that are there; whole or not. */
static void
add_scopes(const char *text, char *to, size_t cap)
{
	size_t n = strlen(to);

	for (const char *p = text; *(p += strspn(p, " ,\"\\\t\r\n")) != '\0';) {
		size_t len = strcspn(p, " ,\"\\\t\r\n");

		if (n + (n > 0) + len >= cap)
			return;
		if (n > 0)
			to[n++] = ' ';
		for (size_t i = 0; i < len; i++)
			to[n++] = (unsigned char)p[i] < 0x20 || (unsigned char)p[i] > 0x7e ? '?' : p[i];
		to[n] = '\0';
		p += len;
	}
}

/* A string with spaces or commas, or an array of such. */
static void
take_scope(json_t *v, struct reply *r)
{
	size_t i;
	json_t *item;

	if (json_is_string(v))
		add_scopes(json_string_value(v), r->scope, sizeof r->scope);
	json_array_foreach(v, i, item)
		if (json_is_string(item))
			add_scopes(json_string_value(item), r->scope, sizeof r->scope);
}

/* Slack says whose token it is, which is no way to show it. */
static void
take_type(json_t *v, const struct connector *c, struct reply *r)
{
	char said[sizeof r->token_type] = "";

	reply_text(v, said, sizeof said);
	if (c != NULL && c->reply_token_type_is != NULL)
		snprintf(r->token_type, sizeof r->token_type, "%s", c->reply_token_type_is);
	else if (said[0] == '\0' || strcasecmp(said, "bearer") == 0 || strcmp(said, "bot") == 0 ||
	    strcmp(said, "user") == 0)
		snprintf(r->token_type, sizeof r->token_type, "Bearer");
	else
		snprintf(r->token_type, sizeof r->token_type, "%s", said);
}

/* ---- errors */

static bool
succeeded(json_t *o, const struct connector *c)
{
	char text[64];

	for (size_t i = 0; c != NULL && i < c->nreply_success; i++) {
		scalar_text(jsonpath_get(o, c->reply_success[i].name), text, sizeof text);
		if (strcmp(text, c->reply_success[i].value) != 0)
			return false;
	}
	return !json_is_false(json_object_get(o, "ok")) &&
	    !json_is_false(json_object_get(o, "success"));
}

/* The first path of a connector's, or else of ours, at which there is a name or a number. "true" and
 * "false" are neither. */
static void
first_text(json_t *o, char *const *paths, size_t n, const char *const *dflt, char *ret, size_t cap)
{
	for (size_t i = 0; n > 0 ? i < n : dflt[i] != NULL; i++) {
		json_t *v = jsonpath_get(o, n > 0 ? paths[i] : dflt[i]);

		if (!json_is_boolean(v))
			scalar_text(v, ret, cap);
		if (*ret != '\0')
			return;
	}
}

static void
take_number(json_t *o, struct reply *r)
{
	const char *at = strstr(r->description, "AADSTS");
	const json_t *v = jsonpath_get(o, "error_codes[0]");

	if (json_is_integer(v) && json_integer_value(v) > 0 && json_integer_value(v) < 100000000)
		r->number = (uint32_t)json_integer_value(v);
	else if (at != NULL)
		r->number = (uint32_t)strtoul(at + 6, NULL, 10);
}

static void
take_error(json_t *o, const struct connector *c, struct reply *r)
{
	static char *const none[1];
	static const char *const names[] = { "error", "error.type", "error.code", "error.name",
		"error_code", "errorCode", "errors[0].code", "errors[0].errorCode", "code", NULL };
	static const char *const texts[] = { "error_description", "error.message", "message",
		"error_message", "errors[0].message", "errors[0].description", "reason", "errorSummary",
		"description", NULL };
	bool good = succeeded(o, c), error_is_text = json_string_length(json_object_get(o,
		"error")) > 0;

	if (good && r->access_token.len > 0 && !error_is_text)
		return;
	first_text(o, c == NULL ? none : c->reply_error, c == NULL ? 0 : c->nreply_error, names,
	    r->error, sizeof r->error);
	first_text(o, c == NULL ? none : c->reply_error_text, c == NULL ? 0 : c->nreply_error_text,
	    texts, r->description, sizeof r->description);
	if (r->error[0] == '\0' && !good)
		snprintf(r->error, sizeof r->error, "not_ok");
	if (r->error[0] == '\0' && (json_is_object(json_object_get(o, "error")) ||
		json_is_true(json_object_get(o, "error"))))
		snprintf(r->error, sizeof r->error, "error");
	take_number(o, r);
}

/* ---- the whole */

/* The first object that has an access token; the whole where none is looked for. */
static json_t *
root_of(json_t *o, const struct connector *c)
{
	const char *token = c != NULL && c->reply_access_token != NULL ? c->reply_access_token :
									 "access_token";

	for (size_t i = 0; c != NULL && i < c->nreply_root; i++) {
		json_t *v = jsonpath_get(o, c->reply_root[i]);

		if (json_string_length(jsonpath_get(v, token)) > 0)
			return v;
	}
	return c == NULL || c->nreply_root == 0 ? o : NULL;
}

static int
take_tokens(json_t *root, const struct connector *c, struct reply *r, struct err *e)
{
	static const struct connector plain;

	if (c == NULL)
		c = &plain;
	if (take_secret(root, c->reply_access_token, "access_token", &r->access_token, e) != 0 ||
	    take_secret(root, c->reply_refresh_token, "refresh_token", &r->refresh_token, e) != 0 ||
	    take_secret(root, c->reply_id_token, "id_token", &r->id_token, e) != 0)
		return e->code;
	take_type(jsonpath_get(root, c->reply_token_type != NULL ? c->reply_token_type :
	    "token_type"), c, r);
	take_scope(jsonpath_get(root, c->reply_scope != NULL ? c->reply_scope : "scope"), r);
	take_lives(root, c, r);
	return 0;
}

/* Whose tokens they are. Never a token, nor a text with one in it. */
static void
take_account(json_t *o, const struct connector *c, struct reply *r)
{
	const char *path = c->account_member;
	json_t *v = jsonpath_get(o, path);

	if (json_is_string(v) && !jsonpath_has(path, "access_token") &&
	    !jsonpath_has(path, "refresh_token") && !jsonpath_has(path, "id_token") &&
	    (r->refresh_token.len == 0 || memmem(json_string_value(v), json_string_length(v),
		r->refresh_token.p, r->refresh_token.len) == NULL))
		reply_name(v, r->account, sizeof r->account);
}

int
reply_parse(struct slice body, const char *content_type, const struct connector *c,
    struct reply *r, struct err *e)
{
	json_auto_t *o = body_parse(body, content_type, e);

	if (o == NULL)
		return e->code;
	if (take_tokens(root_of(o, c), c, r, e) != 0)
		return e->code;
	take_error(o, c, r);
	if (c != NULL && c->account_from == ACCOUNT_ANSWER)
		take_account(o, c, r);
	if (c != NULL)
		capture_answer(o, c, r);
	return 0;
}

/* ---- other answers */

enum token_state
reply_introspection(struct slice body)
{
	struct err e;
	json_auto_t *o = json_parse(body, ANSWER_MAX, &e);
	const json_t *active = json_object_get(o, "active");

	if (!json_is_boolean(active))
		return TOKEN_UNKNOWN;
	return json_is_true(active) ? TOKEN_ACTIVE : TOKEN_INACTIVE;
}

void
reply_member(struct slice body, const char *member, char *ret, size_t cap)
{
	struct err e;
	json_auto_t *o = json_parse(body, ANSWER_MAX, &e);

	reply_name(json_object_get(o, member), ret, cap);
}

/*
 * reply.c - see reply.h.
 */
#include "egress/reply.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/json.h"

#define TOKEN_MAX	(64u << 10)
#define ANSWER_MAX	(1u << 20)

void
reply_done(struct reply *r)
{
	secret_done(&r->access_token);
	secret_done(&r->refresh_token);
	secret_done(&r->id_token);
}

/* ---- form-encoded answers become the object they mean */

static int
hex(int c)
{
	return isdigit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
	    c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static json_t *
form_value(const char *p, size_t n)
{
	char *out = malloc(n + 1);
	size_t m = 0;
	json_t *v;

	if (out == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '%' && i + 2 < n && hex(p[i + 1]) >= 0 && hex(p[i + 2]) >= 0) {
			out[m++] = (char)(hex(p[i + 1]) << 4 | hex(p[i + 2]));
			i += 2;
		} else {
			out[m++] = p[i] == '+' ? ' ' : p[i];
		}
	}
	v = memchr(out, '\0', m) == NULL ? json_stringn(out, m) : NULL;
	explicit_bzero(out, n + 1);
	free(out);
	return v;
}

static json_t *
form_parse(struct slice body)
{
	const char *p = body.p, *end = p + body.len;
	json_t *o = json_object();
	char key[64];

	while (p < end) {
		size_t n = 0, k;

		while (p + n < end && p[n] != '&')
			n++;
		for (k = 0; k < n && p[k] != '='; k++)
			;
		if (k == 0 || k == n || k >= sizeof key) {
			json_decref(o);
			return NULL;
		}
		memcpy(key, p, k);
		key[k] = '\0';
		if (json_object_get(o, key) != NULL ||
		    json_object_set_new(o, key, form_value(p + k + 1, n - k - 1)) != 0) {
			json_decref(o);
			return NULL;
		}
		p += n + 1;
	}
	return o;
}

static json_t *
parse_body(struct slice body, const char *content_type, struct err *e)
{
	const char *p = body.p;
	size_t i = 0;
	json_t *o;

	while (i < body.len && isspace((unsigned char)p[i]))
		i++;
	if (i < body.len && p[i] == '{')
		return json_parse(body, ANSWER_MAX, e);
	if (body.len > 0 && strncasecmp(content_type, "text/html", 9) != 0 &&
	    memchr(p, '=', body.len) != NULL && (o = form_parse(body)) != NULL)
		return o;
	err_set(e, V_CORRUPT, "%s", body.len == 0 ? "an empty answer" :
	    strncasecmp(content_type, "text/html", 9) == 0 ? "a web page instead of an answer" :
	    "neither JSON nor a form");
	return NULL;
}

/* ---- values */

static int
take_secret(json_t *o, const char *name, struct secret *ret, struct err *e)
{
	json_t *v = json_object_get(o, name);
	size_t n = json_string_length(v);

	if (!json_is_string(v) || n == 0)
		return 0;
	if (n > TOKEN_MAX)
		return err_set(e, V_CORRUPT, "%s is longer than 64 KiB", name);
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

/* Integer, string or float, as providers like it. -1 = not a number. */
static double
number_of(json_t *v)
{
	char *end;
	double d;

	if (json_is_number(v))
		return json_number_value(v);
	if (!json_is_string(v) || json_string_length(v) == 0)
		return -1;
	d = strtod(json_string_value(v), &end);
	return *end == '\0' && isfinite(d) ? d : -1;
}

static uint32_t
seconds_of(json_t *v)
{
	double n = number_of(v);

	return !(n > 0) || n >= 4e9 ? 0 : n < 1 ? 1 : (uint32_t)n;
}

static void
take_expiry(json_t *o, struct reply *r)
{
	double at = number_of(json_object_get(o, "expires_at"));

	r->expires_in_s = seconds_of(json_object_get(o, "expires_in"));
	if (at > 1e11)		/* milliseconds */
		at /= 1000;
	if (at > 1e9 && at < 1e11)
		r->expires_at = (int64_t)at;
	r->refresh_expires_in_s = seconds_of(json_object_get(o, "refresh_token_expires_in"));
	if (r->refresh_expires_in_s == 0)
		r->refresh_expires_in_s = seconds_of(json_object_get(o, "refresh_expires_in"));
}

/* A string with spaces or commas, or an array. */
static void
take_scope(json_t *v, struct reply *r)
{
	size_t i, n = 0;
	json_t *item;

	if (json_is_string(v)) {
		reply_text(v, r->scope, sizeof r->scope);
		for (char *p = r->scope; *p != '\0'; p++)
			if (*p == ',' || *p == '"' || *p == '\\')
				*p = ' ';
		return;
	}
	json_array_foreach(v, i, item) {
		char one[200] = "";

		reply_text(item, one, sizeof one);
		n += (size_t)snprintf(r->scope + n, sizeof r->scope - n, "%s%s", n > 0 ? " " : "",
		    one);
		if (n >= sizeof r->scope) {
			r->scope[0] = '\0';
			return;
		}
	}
}

static void
take_error(json_t *o, struct reply *r)
{
	json_t *v = json_object_get(o, "error");

	if (json_is_object(v)) {	/* {"error": {"code"|"type": ..., "message": ...}} */
		reply_text(json_object_get(v, "type"), r->error, sizeof r->error);
		if (r->error[0] == '\0')
			reply_text(json_object_get(v, "code"), r->error, sizeof r->error);
		reply_text(json_object_get(v, "message"), r->description, sizeof r->description);
		if (r->error[0] == '\0')
			snprintf(r->error, sizeof r->error, "error");
		return;
	}
	reply_text(v, r->error, sizeof r->error);
	if (r->error[0] == '\0' && json_is_false(json_object_get(o, "ok")))
		snprintf(r->error, sizeof r->error, "not_ok");
	reply_text(json_object_get(o, "error_description"), r->description,
	    sizeof r->description);
	if (r->error[0] != '\0' && r->description[0] == '\0')
		reply_text(json_object_get(o, "message"), r->description, sizeof r->description);
}

/* "a.b.c" into the answer. Never a value that is a grant secret. */
static json_t *
by_path(json_t *o, const char *path)
{
	char part[64];

	while (*path != '\0' && o != NULL) {
		size_t n = strcspn(path, ".");

		if (n >= sizeof part)
			return NULL;
		memcpy(part, path, n);
		part[n] = '\0';
		if (strcmp(part, "refresh_token") == 0 || strcmp(part, "id_token") == 0 ||
		    strcmp(part, "access_token") == 0)
			return NULL;
		o = json_object_get(o, part);
		path += n + (path[n] == '.');
	}
	return o;
}

/* What callers may be told. A value that is or contains a grant secret is refused, and so
 * is one too long to be kept whole. */
static void
take_public(json_t *o, const char *path, const struct reply *r, char *ret, size_t cap)
{
	json_t *v = by_path(o, path);
	const char *s = json_string_value(v);
	size_t n = json_string_length(v);

	if (n == 0 || n >= cap || (r->refresh_token.len > 0 &&
		memmem(s, n, r->refresh_token.p, r->refresh_token.len) != NULL))
		return;
	reply_name(v, ret, cap);
}

static void
capture(json_t *o, const struct connector *c, struct reply *r)
{
	if (c == NULL)
		return;
	if (c->account_from == ACCOUNT_ANSWER)
		take_public(o, c->account_member, r, r->account, sizeof r->account);
	for (size_t i = 0; i < c->ncapture && r->captured.n < EX_VARS; i++) {
		char value[256] = "";

		take_public(o, c->capture[i].path, r, value, sizeof value);
		if (value[0] == '\0' || strlen(c->capture[i].name) >= EX_NAME)
			continue;
		snprintf(r->captured.v[r->captured.n].name, EX_NAME, "%s", c->capture[i].name);
		snprintf(r->captured.v[r->captured.n++].value, 256, "%s", value);
	}
}

int
reply_parse(struct slice body, const char *content_type, const struct connector *c,
    struct reply *r, struct err *e)
{
	json_auto_t *o = parse_body(body, content_type, e);

	if (o == NULL)
		return e->code = V_CORRUPT;
	if (!json_is_object(o))
		return err_set(e, V_CORRUPT, "not an object");
	if (take_secret(o, "access_token", &r->access_token, e) != 0 ||
	    take_secret(o, "refresh_token", &r->refresh_token, e) != 0 ||
	    take_secret(o, "id_token", &r->id_token, e) != 0)
		return e->code;
	snprintf(r->token_type, sizeof r->token_type, "Bearer");
	reply_text(json_object_get(o, "token_type"), r->token_type, sizeof r->token_type);
	if (strcasecmp(r->token_type, "bearer") == 0)
		snprintf(r->token_type, sizeof r->token_type, "Bearer");
	take_scope(json_object_get(o, "scope"), r);
	take_expiry(o, r);
	take_error(o, r);
	capture(o, c, r);
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

/* ---- ID token */

static bool
has_aud(json_t *aud, const char *client_id)
{
	size_t i;
	json_t *v;

	if (json_is_string(aud))
		return strcmp(json_string_value(aud), client_id) == 0;
	json_array_foreach(aud, i, v)
		if (json_is_string(v) && strcmp(json_string_value(v), client_id) == 0)
			return true;
	return false;
}

int
reply_id_token(const struct secret *jwt, const char *client_id, const char *member,
    struct id_claims *ret, struct err *e)
{
	const char *p = memchr(jwt->p, '.', jwt->len), *end;
	AUTO(secret) text = { 0 };
	json_auto_t *o = NULL;
	ssize_t n;

	*ret = (struct id_claims){ 0 };
	if (p == NULL || (end = memchr(p + 1, '.', jwt->len - (size_t)(p + 1 - (char *)jwt->p))) ==
	    NULL)
		return err_set(e, V_CORRUPT, "the ID token is not a JWT");
	if (secret_reserve(&text, (size_t)(end - p), e) != 0)
		return e->code;
	if ((n = b64url_decode(p + 1, (size_t)(end - p - 1), text.p)) < 0)
		return err_set(e, V_CORRUPT, "the ID token is not a JWT");
	text.len = (size_t)n;
	o = json_parse((struct slice){ text.p, text.len }, TOKEN_MAX, e);
	if (!json_is_object(o))
		return err_set(e, V_CORRUPT, "the ID token's claims are not an object");
	reply_text(json_object_get(o, "iss"), ret->iss, sizeof ret->iss);
	reply_text(json_object_get(o, "nonce"), ret->nonce, sizeof ret->nonce);
	if (member != NULL)
		reply_name(by_path(o, member), ret->account, sizeof ret->account);
	ret->aud_ok = has_aud(json_object_get(o, "aud"), client_id);
	return 0;
}

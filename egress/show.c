/*
 * show.c - see show.h.
 */
#include "egress/show.h"

#include <stdio.h>
#include <string.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/json.h"
#include "egress/oauth.h"

void
shown_done(struct shown *v)
{
	for (size_t i = 0; i < v->n; i++)
		secret_done(&v->header[i].value);
	secret_done(&v->value);
	*v = (struct shown){ 0 };
}

/* ---- are they the ones that are asked for? */

static int
bad(struct err *e, const char *name, const char *what)
{
	err_name(e, ERR_INVALID_PARAMETER, "secret '%.60s' %s", name, what);
	err_detail(e, "parameter", "secrets.%.60s", name);
	return e->code;
}

/* One line. Basic is encoded: of it a text may have anything else. */
static bool
is_line(const struct secret *s, bool encoded)
{
	for (size_t i = 0; i < s->len; i++)
		if (s->p[i] < 0x20 || s->p[i] == 0x7f || (!encoded && s->p[i] > 0x7f))
			return false;
	return true;
}

static int
check_one(enum auth_type t, const char *name, const struct secret *s, struct err *e)
{
	bool encoded = t == AUTH_BASIC || t == AUTH_PASSWORD;

	if (s == NULL || s->len == 0)
		return bad(e, name, "is missing");
	if (!is_line(s, encoded))
		return bad(e, name, encoded ? "holds control characters" :
		    "holds characters that cannot be in a header");
	if (!encoded && (s->p[0] == ' ' || s->p[s->len - 1] == ' '))
		return bad(e, name, "begins or ends with a space");
	if (t == AUTH_PAT && memchr(s->p, ' ', s->len) != NULL)
		return bad(e, name, "holds a space: a token has none");
	if (t == AUTH_BASIC && strcmp(name, "username") == 0 && memchr(s->p, ':', s->len) != NULL)
		return bad(e, name, "holds a ':', which Basic authentication cannot send");
	return 0;
}

int
secrets_check(const struct connector *c, enum auth_type t, const struct ex_secrets *s,
    struct err *e)
{
	struct connector_secret want[EX_SECRETS];
	size_t n = connector_secrets(c, t, want), known;

	for (size_t i = 0; i < s->n; i++) {
		for (known = 0; known < n && strcmp(want[known].name, s->v[i].name) != 0; known++)
			;
		if (known == n)
			return bad(e, s->v[i].name, n == 0 ? "is not wanted: this type brings none" :
			    "is not one of this type");
	}
	for (size_t i = 0; i < n; i++)
		if (check_one(t, want[i].name, ex_secret(s, want[i].name), e) != 0)
			return e->code;
	return 0;
}

/* ---- headers */

static int
put(struct secret *to, const char *text, struct err *e)
{
	return text == NULL || *text == '\0' ? 0 : secret_append(to, text, strlen(text), e);
}

static int
add(struct shown *v, const char *name, const char *prefix, const struct secret *s, struct err *e)
{
	struct secret *to = &v->header[v->n].value;

	v->header[v->n++].name = name;
	return put(to, prefix, e) != 0 ? (int)e->code : secret_append(to, s->p, s->len, e);
}

/* RFC 7617. */
static int
add_basic(struct shown *v, const struct connector *c, const struct ex_secrets *s, struct err *e)
{
	AUTO(secret) name = { 0 }, word = { 0 };
	const struct secret *given = ex_secret(s, "username");
	int rc = c->basic_username != NULL ? put(&name, c->basic_username, e) :
	    secret_append(&name, given->p, given->len, e);

	given = ex_secret(s, "password");
	if (rc == 0)
		rc = c->basic_password != NULL ? put(&word, c->basic_password, e) :
		    secret_append(&word, given->p, given->len, e);
	if (rc == 0)
		rc = secret_append(&name, "", 1, e);
	v->header[v->n++].name = "Authorization";
	return rc != 0 ? rc : basic_make((const char *)name.p, &word, true, &v->header[0].value, e);
}

int
shown_make(const struct connector *c, enum auth_type t, const struct ex_secrets *s,
    struct shown *ret, struct err *e)
{
	const struct secret *one = s->n > 0 ? &s->v[0].value : NULL;

	if (t == AUTH_BASIC)
		return add_basic(ret, c, s, e);
	if (t == AUTH_API_KEY && c->api_key_header != NULL)
		return add(ret, c->api_key_header, c->api_key_prefix, one, e);
	if (t == AUTH_API_KEY) {
		ret->query = c->api_key_query;
		return put(&ret->value, c->api_key_prefix, e) != 0 ? (int)e->code :
		    secret_append(&ret->value, one->p, one->len, e);
	}
	for (size_t i = 0; i < c->nsecret_headers; i++)
		if (add(ret, c->secret_header[i].name, c->secret_header[i].prefix,
			ex_secret(s, c->secret_header[i].name), e) != 0)
			return e->code;
	return 0;
}

/* ---- what is sealed */

static int
put_pair(struct secret *to, const char *name, const struct secret *value, bool more,
    struct err *e)
{
	if (put(to, more ? ",{\"name\":" : "{\"name\":", e) != 0 ||
	    json_quote_secret(to, name, strlen(name), e) != 0 || put(to, ",\"value\":", e) != 0 ||
	    json_quote_secret(to, (const char *)value->p, value->len, e) != 0)
		return e->code;
	return put(to, "}", e);
}

int
shown_fragment(const struct shown *v, const struct ex_secrets *s, struct secret *ret,
    struct err *e)
{
	int rc = put(ret, "\"headers\":[", e);

	for (size_t i = 0; rc == 0 && i < v->n; i++)
		rc = put_pair(ret, v->header[i].name, &v->header[i].value, i > 0, e);
	if (rc == 0)
		rc = put(ret, "],\"query\":[", e);
	if (rc == 0 && v->query != NULL)
		rc = put_pair(ret, v->query, &v->value, false, e);
	if (rc == 0)
		rc = put(ret, "],\"secrets\":{", e);
	for (size_t i = 0; rc == 0 && i < s->n; i++) {
		if ((i > 0 && put(ret, ",", e) != 0) ||
		    json_quote_secret(ret, s->v[i].name, strlen(s->v[i].name), e) != 0 ||
		    put(ret, ":", e) != 0)
			return e->code;
		rc = json_quote_secret(ret, (const char *)s->v[i].value.p, s->v[i].value.len,
		    e);
	}
	return rc == 0 ? put(ret, "}", e) : rc;
}

int
fragment_secrets(const struct secret *fragment, struct ex_secrets *ret, struct err *e)
{
	AUTO(secret) text = { 0 };
	json_auto_t *o = NULL;
	const char *name;
	json_t *v;

	if (put(&text, "{", e) != 0 || secret_append(&text, fragment->p, fragment->len, e) != 0 ||
	    put(&text, "}", e) != 0)
		return e->code;
	o = json_parse((struct slice){ text.p, text.len }, 1u << 20, e);
	json_object_foreach(json_object_get(o, "secrets"), name, v) {
		if (ret->n == EX_SECRETS || !json_is_string(v))
			break;
		snprintf(ret->v[ret->n].name, sizeof ret->v[0].name, "%s", name);
		ret->v[ret->n].value = (struct secret){ 0 };
		if (secret_set(&ret->v[ret->n++].value, json_string_value(v), json_string_length(v),
			e) != 0)
			return e->code;
	}
	return ret->n > 0 ? 0 : err_set(e, V_CORRUPT, "the sealed secrets are not readable");
}

/*
 * secrets.c - the keys that say how a caller shows what it got: API keys, Basic, headers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/errors.h"
#include "connectors/reader.h"

#define TEXT_MAX 80

/* RFC 9110 section 5.6.2, and none that the request itself is made of. */
static bool
is_header_name(const char *s)
{
	static const char *const taken[] = { "host", "content-length", "transfer-encoding",
		"connection", "content-type", "expect", "te", "upgrade" };
	size_t n = strlen(s);

	if (n == 0 || n > TEXT_MAX || strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~") != n)
		return false;
	for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
		if (strcasecmp(taken[i], s) == 0)
			return false;
	return true;
}

static bool
is_line(const char *s)
{
	size_t i = 0;

	while (s[i] >= 0x20 && s[i] < 0x7f)
		i++;
	return s[i] == '\0' && i <= TEXT_MAX;
}

/* ---- secret_headers */

static int
read_header_member(struct reader *r, struct connector_header *to, const char *ptr,
    const char *key, const json_t *v)
{
	char **at = strcmp(key, "label") == 0 ? &to->label : strcmp(key, "prefix") == 0 ?
	    &to->prefix : NULL;

	if (strcmp(key, "$comment") == 0)
		return 0;
	if (at == NULL || !json_is_string(v) || !is_line(json_string_value(v)))
		return reader_bad(r, ptr, false, "a secret header has: label and prefix, short texts");
	if ((*at = strdup(json_string_value(v))) == NULL)
		return err_set(r->e, V_LIMIT, "out of memory");
	return 0;
}

int
read_secret_headers(struct reader *r, const char *ptr, json_t *v)
{
	const char *name, *key;
	json_t *header, *item;
	char p[300];

	if (!json_is_object(v) || json_object_size(v) > EX_SECRETS)
		return reader_bad(r, ptr, false, "expected an object of at most 8 headers");
	json_object_foreach(v, name, header) {
		struct connector_header *to = &r->c->secret_header[r->c->nsecret_headers++];

		snprintf(p, sizeof p, "%.40s/%.200s", ptr, name);
		if (!json_is_object(header))
			return reader_bad(r, p, false, "a secret header is an object, may be empty");
		if (!is_header_name(name) || strlen(name) >= EX_NAME)
			return reader_bad(r, p, true, "not the name of a header that can be set");
		if ((to->name = strdup(name)) == NULL)
			return err_set(r->e, V_LIMIT, "out of memory");
		json_object_foreach(header, key, item)
			if (read_header_member(r, to, p, key, item) != 0)
				return r->e->code;
	}
	return 0;
}

void
secret_headers_done(struct connector *c)
{
	for (size_t i = 0; i < c->nsecret_headers; i++) {
		free(c->secret_header[i].name);
		free(c->secret_header[i].label);
		free(c->secret_header[i].prefix);
	}
}

/* ---- does it fit together? */

static int
check_texts(struct reader *r)
{
	const struct connector *c = r->c;
	const struct { const char *ptr, *text; bool name; } texts[] = {
		{ "/token_header", c->token_header, true },
		{ "/api_key_header", c->api_key_header, true },
		{ "/api_key_query", c->api_key_query, true },
		{ "/token_prefix", c->token_prefix, false },
		{ "/api_key_prefix", c->api_key_prefix, false },
		{ "/basic_username", c->basic_username, false },
		{ "/basic_password", c->basic_password, false },
	};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		if (texts[i].text == NULL)
			continue;
		if (texts[i].name && !is_header_name(texts[i].text))
			return reader_bad(r, texts[i].ptr, false, "not a name that can be sent");
		if (!is_line(texts[i].text))
			return reader_bad(r, texts[i].ptr, false, "expected at most 80 printable "
			    "characters of ASCII");
	}
	if (c->basic_username != NULL && strchr(c->basic_username, ':') != NULL)
		return reader_bad(r, "/basic_username", false, "a user name of Basic has no ':'");
	return 0;
}

int
check_secrets(struct reader *r)
{
	const struct connector *c = r->c;

	if (check_texts(r) != 0)
		return r->e->code;
	if (c->auth_types & AUTH_API_KEY && (c->api_key_header == NULL) ==
	    (c->api_key_query == NULL))
		return reader_bad(r, "", false, "api_key needs either `api_key_header` or "
		    "`api_key_query`");
	if (c->auth_types & AUTH_HEADERS && c->nsecret_headers == 0)
		return reader_bad(r, "", false, "headers needs `secret_headers`");
	if (c->basic_username != NULL && c->basic_password != NULL)
		return reader_bad(r, "/basic_password", true, "one of `basic_username` and "
		    "`basic_password` is what a connection brings");
	for (size_t i = 0; i < c->ngrant_params; i++)
		if (strlen(c->grant_params[i]) >= EX_NAME)
			return reader_bad(r, "/grant_params", false, "names have at most 63 bytes");
	return 0;
}

/* ---- what is asked for */

static const char *
or(const char *label, const char *other)
{
	return label != NULL ? label : other;
}

size_t
connector_secrets(const struct connector *c, enum auth_type t,
    struct connector_secret ret[EX_SECRETS])
{
	size_t n = 0;

	if (t == AUTH_PAT)
		ret[n++] = (struct connector_secret){ "token", "Token" };
	if (t == AUTH_API_KEY)
		ret[n++] = (struct connector_secret){ "key", or(c->api_key_label, "API key") };
	if (t == AUTH_PASSWORD || (t == AUTH_BASIC && c->basic_username == NULL))
		ret[n++] = (struct connector_secret){ "username",
			or(c->basic_username_label, "User name") };
	if (t == AUTH_PASSWORD || (t == AUTH_BASIC && c->basic_password == NULL))
		ret[n++] = (struct connector_secret){ "password",
			or(c->basic_password_label, "Password") };
	for (size_t i = 0; t == AUTH_HEADERS && i < c->nsecret_headers; i++)
		ret[n++] = (struct connector_secret){ c->secret_header[i].name,
			or(c->secret_header[i].label, c->secret_header[i].name) };
	return n;
}

/*
 * headers.c - see headers.h.
 */
#include "vaultd/headers.h"

#include <string.h>
#include <strings.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/json.h"

static json_t *
parse(struct slice fragment, struct err *e)
{
	AUTO(secret) text = { 0 };

	if (secret_set(&text, "{", 1, e) != 0 ||
	    secret_append(&text, fragment.p, fragment.len, e) != 0 ||
	    secret_append(&text, "}", 1, e) != 0)
		return NULL;
	return json_parse((struct slice){ text.p, text.len }, 1u << 20, e);
}

/* RFC 6750 writes Bearer so; what providers call it differs. */
static const char *
scheme(const json_t *o)
{
	const char *type = json_string_value(json_object_get(o, "token_type"));

	return type == NULL || strcasecmp(type, "bearer") == 0 ? "Bearer" : type;
}

/* The one header of a token. */
static json_t *
of_token(const json_t *o, const json_t *token, const struct connector *c, struct err *e)
{
	AUTO(secret) value = { 0 };
	const char *prefix = c != NULL ? c->token_prefix : NULL;
	const char *name = c != NULL && c->token_header != NULL ? c->token_header : "Authorization";
	const char *first = prefix != NULL ? prefix : scheme(o);

	if (secret_append(&value, first, strlen(first), e) != 0 ||
	    (prefix == NULL && secret_append(&value, " ", 1, e) != 0) ||
	    secret_append(&value, json_string_value(token), json_string_length(token), e) != 0)
		return NULL;
	return json_pack("[{s:s, s:s%}]", "name", name, "value", (const char *)value.p, value.len);
}

json_t *
headers_of(struct slice fragment, const struct connector *c, bool raw, struct err *e)
{
	json_auto_t *o = parse(fragment, e);
	json_t *token = json_object_get(o, "access_token"), *ret, *list;

	if (o == NULL) {
		if (e->code != V_LIMIT)
			err_name(e, ERR_RECORD_CORRUPT, "what is stored cannot be read");
		return NULL;
	}
	list = json_is_string(token) ? of_token(o, token, c, e) :
	    json_incref(json_object_get(o, "headers"));
	if (!json_is_array(list)) {
		json_decref(list);
		err_name(e, ERR_RECORD_CORRUPT, "what is stored is neither token nor secrets");
		return NULL;
	}
	ret = json_pack("{s:o}", "headers", list);
	list = json_object_get(o, "query");
	json_object_set_new(ret, "query", json_is_array(list) ? json_incref(list) : json_array());
	if (raw && json_is_string(token))
		json_object_set_new(ret, "secrets", json_pack("{s:O}", "token", token));
	else if (raw)
		json_object_set(ret, "secrets", json_object_get(o, "secrets"));
	return ret;
}

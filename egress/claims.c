/*
 * claims.c - what a JWT says: of an ID token who signed in, of an access token when it ends. See
 * reply.h. No signature is checked: the token came over TLS directly (OIDC Core section 3.1.3.7),
 * and nobody is let in because of it.
 */
#include <stdio.h>
#include <string.h>

#include "common/auto.h"
#include "common/json.h"
#include "common/jsonpath.h"
#include "egress/reply.h"

#define CLAIMS_MAX	(64u << 10)

/* The claims of JWT, a new reference. NULL: it has none. */
static json_t *
claims_of(const struct secret *jwt, struct err *e)
{
	const char *p = jwt->len == 0 ? NULL : memchr(jwt->p, '.', jwt->len), *end;
	AUTO(secret) text = { 0 };
	json_t *o = NULL;
	ssize_t n;

	err_set(e, V_CORRUPT, "the token is not a JWT");
	if (p == NULL || (end = memchr(p + 1, '.', jwt->len - (size_t)(p + 1 - (char *)jwt->p))) ==
	    NULL)
		return NULL;
	if (secret_reserve(&text, (size_t)(end - p), e) != 0)
		return NULL;
	if ((n = b64url_decode(p + 1, (size_t)(end - p - 1), text.p)) <= 0)
		return NULL;
	text.len = (size_t)n;
	o = json_parse((struct slice){ text.p, text.len }, CLAIMS_MAX, e);
	if (o == NULL || json_is_object(o))
		return o;
	json_decref(o);
	err_set(e, V_CORRUPT, "the token's claims are not an object");
	return NULL;
}

struct lifetime
reply_jwt_end(const struct secret *jwt)
{
	struct err e;
	json_auto_t *o = claims_of(jwt, &e);

	return lifetime_of(json_object_get(o, "exp"), EXPIRY_EPOCH_S);
}

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
	json_auto_t *o = claims_of(jwt, e);

	*ret = (struct id_claims){ 0 };
	if (o == NULL)
		return e->code == V_LIMIT ? V_LIMIT : err_set(e, V_CORRUPT, "the ID token is not a "
		    "JWT with claims");
	reply_text(json_object_get(o, "iss"), ret->iss, sizeof ret->iss);
	reply_text(json_object_get(o, "nonce"), ret->nonce, sizeof ret->nonce);
	if (member != NULL && strcmp(member, "refresh_token") != 0)
		reply_name(jsonpath_get(o, member), ret->account, sizeof ret->account);
	ret->aud_ok = has_aud(json_object_get(o, "aud"), client_id);
	return 0;
}

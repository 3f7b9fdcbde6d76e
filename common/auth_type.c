/*
 * auth_type.c - see auth_type.h.
 */
#include "common/auth_type.h"

#include <stddef.h>
#include <string.h>

#define GRANT (AUTH_NEEDS_APP | AUTH_RENEWS)

/* In the order of the bits. */
static const struct {
	enum auth_type	 type;
	const char	*name;
	unsigned	 flags;
} types[] = {
	{ AUTH_OAUTH2_CODE, "oauth2_code", GRANT | AUTH_NEEDS_USER },
	{ AUTH_PAT, "pat", AUTH_STATIC },
	{ AUTH_CLIENT_CREDENTIALS, "oauth2_client_credentials",
	    GRANT | AUTH_REMINTS | AUTH_SERVICE },
	{ AUTH_PASSWORD, "oauth2_password", GRANT },
	{ AUTH_DEVICE, "oauth2_device", GRANT | AUTH_NEEDS_USER },
	{ AUTH_JWT_BEARER, "jwt_bearer", GRANT | AUTH_REMINTS | AUTH_SERVICE },
	{ AUTH_API_KEY, "api_key", AUTH_STATIC },
	{ AUTH_BASIC, "basic", AUTH_STATIC },
	{ AUTH_HEADERS, "headers", AUTH_STATIC },
};
#define NTYPES (sizeof types / sizeof *types)
_Static_assert(1 << NTYPES == AUTH_TYPE_END, "a row for each authentication type");

const char *const client_auth_words[CLIENT_AUTH_END + 1] = {
	[CLIENT_BASIC] = "basic",
	[CLIENT_BASIC_RAW] = "basic_raw",
	[CLIENT_POST] = "post",
	[CLIENT_NONE] = "none",
	[CLIENT_PRIVATE_KEY_JWT] = "private_key_jwt",
	[CLIENT_TLS] = "tls_client_auth",
};

const char *
auth_type_name(enum auth_type t)
{
	for (size_t i = 0; i < NTYPES; i++)
		if (types[i].type == t)
			return types[i].name;
	return "unknown";
}

bool
auth_type_parse(const char *name, enum auth_type *ret)
{
	for (size_t i = 0; i < NTYPES; i++)
		if (strcmp(types[i].name, name) == 0) {
			*ret = types[i].type;
			return true;
		}
	return false;
}

unsigned
auth_type_flags(enum auth_type t)
{
	for (size_t i = 0; i < NTYPES; i++)
		if (types[i].type == t)
			return types[i].flags;
	return 0;
}

const char *
client_auth_name(enum client_auth a)
{
	return a < CLIENT_AUTH_END ? client_auth_words[a] : "unknown";
}

bool
client_auth_has_key(enum client_auth a)
{
	return a == CLIENT_PRIVATE_KEY_JWT || a == CLIENT_TLS;
}

bool
client_auth_parse(const char *name, enum client_auth *ret)
{
	for (int i = 0; i < CLIENT_AUTH_END; i++)
		if (strcmp(client_auth_words[i], name) == 0) {
			*ret = (enum client_auth)i;
			return true;
		}
	return false;
}

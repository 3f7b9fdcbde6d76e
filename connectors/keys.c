/*
 * keys.c - see keys.h. Enum words stand in the order of their enum in catalogue.h.
 */
#include "connectors/keys.h"

#include "connectors/catalogue.h"

#define AT(m) offsetof(struct connector, m)

const struct connector_key connector_keys[] = {
	{ "id", K_STR, AT(id), 0, 0, { 0 } },
	{ "name", K_STR, AT(name), 0, 0, { 0 } },
	{ "version", K_UINT, AT(version), 0, 0, { 0 } },
	{ "auth_types", K_AUTH_TYPES, 0, 0, 0, { 0 } },
	{ "discovery", K_BOOL, AT(discovery), 0, 0, { 0 } },
	{ "issuer", K_URL, AT(issuer), 0, 0, { 0 } },
	{ "authorization_url", K_URL, AT(authorization_url), 0, 0, { 0 } },
	{ "token_url", K_URL, AT(token_url), 0, 0, { 0 } },
	{ "revocation_url", K_URL, AT(revocation_url), 0, 0, { 0 } },
	{ "par_url", K_URL, AT(par_url), 0, 0, { 0 } },
	{ "device_url", K_URL, AT(device_url), 0, 0, { 0 } },
	{ "introspection_url", K_URL, AT(introspection_url), 0, 0, { 0 } },
	{ "api_base", K_URL, AT(api_base), 0, 0, { 0 } },
	{ "variables", K_VARS, 0, 0, 0, { 0 } },
	{ "scope_separator", K_STR, AT(scope_separator), 0, 0, { 0 } },
	{ "scopes_mandatory", K_STRINGS, AT(scopes_mandatory), AT(nmandatory), 0, { 0 } },
	{ "scopes_default", K_STRINGS, AT(scopes_default), AT(ndefault), 0, { 0 } },
	{ "authorize_params", K_PAIRS, AT(authorize_params), AT(nauthorize_params),
	    CONNECTOR_LIST, { 0 } },
	{ "token_params", K_PAIRS, AT(token_params), AT(ntoken_params), CONNECTOR_LIST, { 0 } },
	{ "pkce", K_BOOL, AT(pkce), 0, 0, { 0 } },
	{ "pkce_off_proof", K_STR, AT(pkce_off_proof), 0, 0, { 0 } },
	{ "client_auth", K_ENUM, AT(client_auth), 0, 0, { "basic", "basic_raw", "post", "none",
	    "private_key_jwt", "tls_client_auth" } },
	{ "body_json", K_BOOL, AT(body_json), 0, 0, { 0 } },
	{ "refresh", K_ENUM, AT(refresh), 0, 0, { "rotating", "static", "none" } },
	{ "refresh_reuse_grace_s", K_UINT, AT(refresh_reuse_grace_s), 0, 0, { 0 } },
	{ "refresh_reuse_harmless", K_BOOL, AT(refresh_reuse_harmless), 0, 0, { 0 } },
	{ "on_ambiguous_hold", K_BOOL, AT(on_ambiguous_hold), 0, 0, { 0 } },
	{ "default_expires_s", K_UINT, AT(default_expires_s), 0, 0, { 0 } },
	{ "exchange_timeout_s", K_UINT, AT(exchange_timeout_s), 0, 0, { 0 } },
	{ "account_from", K_ENUM, AT(account_from), 0, 0,
	    { "none", "id_token", "answer", "probe" } },
	{ "account_member", K_STR, AT(account_member), 0, 0, { 0 } },
	{ "revoke", K_ENUM, AT(revoke), 0, 0,
	    { "none", "rfc7009", "rfc7009_token_only", "github" } },
	{ "probe_url", K_URL, AT(probe_url), 0, 0, { 0 } },
	{ "probe_scheme", K_STR, AT(probe_scheme), 0, 0, { 0 } },
	{ "probe_headers", K_PAIRS, AT(probe_headers), AT(nprobe_headers), 4, { 0 } },
	{ "pat_token_type", K_STR, AT(pat_token_type), 0, 0, { 0 } },
	{ "pat_url", K_URL, AT(pat_url), 0, 0, { 0 } },
	{ "loopback_any_port", K_BOOL, AT(loopback_any_port), 0, 0, { 0 } },
	{ "redirect_https_only", K_BOOL, AT(redirect_https_only), 0, 0, { 0 } },
	{ "capture", K_PAIRS, AT(capture), AT(ncapture), 4, { 0 } },
	{ "unverified", K_STR, AT(unverified), 0, 0, { 0 } },
	{ 0 },
};

/*
 * errors.c - the one table of errors a client can see: name, class, whose move it is,
 * whether the same call would work later, and the next step.
 */
#include "common/errors.h"

#include <string.h>

#define VAULT "vaultd.Vault."
#define CONNS "vaultd.Connections."
#define TOKEN "vaultd.Tokens."

static const struct err_row rows[ERR_MAX] = {
	[ERR_NONE] = { VAULT "Internal", V_INTERNAL, OWNER_APPLIANCE, false,
	    "Report the trace to the operator of the vault." },
	[ERR_INTERFACE_NOT_FOUND] = { "org.varlink.service.InterfaceNotFound", V_NOT_FOUND,
	    OWNER_CALLER, false, "org.varlink.service.GetInfo lists the interfaces." },
	[ERR_METHOD_NOT_FOUND] = { "org.varlink.service.MethodNotFound", V_NOT_FOUND,
	    OWNER_CALLER, false,
	    "org.varlink.service.GetInterfaceDescription lists the methods." },
	[ERR_INVALID_PARAMETER] = { "org.varlink.service.InvalidParameter", V_INVALID,
	    OWNER_CALLER, false, "Correct the parameter and call again." },
	[ERR_NOT_FOUND] = { VAULT "NotFound", V_NOT_FOUND, OWNER_CALLER, false,
	    "Check the name: `connection list`, `folder list` and `app list` of vaultctl show "
	    "what you may see." },
	[ERR_PERMISSION_DENIED] = { VAULT "PermissionDenied", V_DENIED, OWNER_ADMIN, false,
	    "Ask a governance admin for a role that has this permission there." },
	[ERR_POLICY_DENIED] = { VAULT "PolicyDenied", V_DENIED, OWNER_ADMIN, false,
	    "Ask a governance admin; the rule named above decides." },
	[ERR_IDENTITY_UNKNOWN] = { VAULT "IdentityUnknown", V_DENIED, OWNER_CALLER, true,
	    "Connect from the process that makes the call, and keep it running." },
	[ERR_NAME_INVALID] = { VAULT "NameInvalid", V_INVALID, OWNER_CALLER, false,
	    "Use 1 to 120 bytes without '/' and control characters." },
	[ERR_NAME_TAKEN] = { VAULT "NameTaken", V_CONFLICT, OWNER_CALLER, false,
	    "Choose another name." },
	[ERR_CONFLICT] = { VAULT "Conflict", V_CONFLICT, OWNER_CALLER, true,
	    "Look again: it was changed meanwhile." },
	[ERR_IN_USE] = { VAULT "InUse", V_STATE, OWNER_CALLER, false,
	    "Remove what uses it first." },
	[ERR_BUSY] = { VAULT "Busy", V_BUSY, OWNER_CALLER, true,
	    "Wait a moment, and keep fewer calls or connections open." },
	[ERR_LIMIT_EXCEEDED] = { VAULT "LimitExceeded", V_LIMIT, OWNER_CALLER, false,
	    "Send less at once." },
	[ERR_HSM_UNAVAILABLE] = { VAULT "HsmUnavailable", V_UNAVAILABLE, OWNER_APPLIANCE,
	    true, "Retry later; an operator can see why with `vaultctl status`." },
	[ERR_HSM_REFUSED] = { VAULT "HsmRefused", V_CORRUPT, OWNER_APPLIANCE, false,
	    "An operator must look: the stored key does not belong to this record or "
	    "token." },
	[ERR_EGRESS_UNAVAILABLE] = { VAULT "EgressUnavailable", V_UNAVAILABLE,
	    OWNER_APPLIANCE, true,
	    "Retry later; an operator can see why with `vaultctl status`." },
	[ERR_STORE_UNWRITABLE] = { VAULT "StoreUnwritable", V_IO, OWNER_APPLIANCE, true,
	    "An operator must free space or repair the disk; nothing was changed." },
	[ERR_AUDIT_UNWRITABLE] = { VAULT "AuditUnwritable", V_IO, OWNER_APPLIANCE, true,
	    "An operator must free space for the audit log; nothing is released or "
	    "changed without it." },
	[ERR_RECORD_CORRUPT] = { VAULT "RecordCorrupt", V_CORRUPT, OWNER_APPLIANCE, false,
	    "An operator must look: the stored record was damaged or edited. Restore it "
	    "from a backup or make the connection anew." },
	[ERR_SEALED] = { VAULT "Sealed", V_STATE, OWNER_APPLIANCE, true,
	    "An operator must run `vaultctl unseal`." },
	[ERR_TIMED_OUT] = { VAULT "TimedOut", V_TIMEOUT, OWNER_APPLIANCE, true,
	    "Retry; if it persists an operator can see why with `vaultctl status`." },
	[ERR_INTERNAL] = { VAULT "Internal", V_INTERNAL, OWNER_APPLIANCE, false,
	    "Report the trace to the operator of the vault." },
	[ERR_CONNECTOR_UNKNOWN] = { "vaultd.Connectors.ConnectorUnknown", V_NOT_FOUND,
	    OWNER_CALLER, false, "`vaultctl connector list` shows what there is." },
	[ERR_CONNECTOR_DISABLED] = { "vaultd.Connectors.ConnectorDisabled", V_DENIED,
	    OWNER_ADMIN, false,
	    "Ask a governance admin to enable the connector in the policy." },
	[ERR_CONNECTOR_INVALID] = { "vaultd.Connectors.ConnectorInvalid", V_INVALID,
	    OWNER_ADMIN, false, "Correct the connector file; `vaultctl connector check "
	    "FILE` says the same." },
	[ERR_POLICY_INVALID] = { "vaultd.Policy.PolicyInvalid", V_INVALID, OWNER_ADMIN,
	    false, "Correct the policy file; the last good set stays in force." },
	[ERR_APP_REQUIRED] = { "vaultd.Apps.AppRequired", V_DENIED, OWNER_ADMIN, false,
	    "A governance admin must register an OAuth app (`vaultctl app add`) and name "
	    "it in the policy, or you name one with --app." },
	[ERR_APP_FORBIDDEN] = { "vaultd.Apps.AppForbidden", V_DENIED, OWNER_CALLER, false,
	    "Leave out --app: the policy decides which OAuth app is used." },
	[ERR_AUTH_TYPE_NOT_ALLOWED] = { CONNS "AuthTypeNotAllowed", V_DENIED, OWNER_ADMIN,
	    false, "Use another authentication type, or ask a governance admin." },
	[ERR_SESSION_EXPIRED] = { CONNS "SessionExpired", V_STATE, OWNER_CALLER, false,
	    "Start the sign-in again and finish it within {limit}." },
	[ERR_STATE_INVALID] = { CONNS "StateInvalid", V_DENIED, OWNER_CALLER, false,
	    "Look at `vaultctl connection list`: if it is not there, start the sign-in again, "
	    "in your own session." },
	[ERR_USER_DENIED] = { CONNS "UserDenied", V_PROVIDER, OWNER_CALLER, false,
	    "Start again and consent; if there is no consent button ask an admin of the "
	    "provider." },
	[ERR_ISSUER_MISMATCH] = { CONNS "IssuerMismatch", V_DENIED, OWNER_ADMIN, false,
	    "Do not repeat it: the answer came from elsewhere. Tell a governance admin." },
	[ERR_CODE_REJECTED] = { CONNS "CodeRejected", V_PROVIDER, OWNER_CALLER, false,
	    "The sign-in took too long or was repeated. Start again." },
	[ERR_SIGNIN_LOST] = { CONNS "SigninLost", V_PROVIDER, OWNER_CALLER, false,
	    "Reconnect: the provider's answer never arrived, and a sign-in works only once." },
	[ERR_REDIRECT_URI_MISMATCH] = { CONNS "RedirectUriMismatch", V_PROVIDER,
	    OWNER_ADMIN, false,
	    "Register exactly {redirect_uri} in {app} at {provider}." },
	[ERR_ACCOUNT_MISMATCH] = { CONNS "AccountMismatch", V_DENIED, OWNER_CALLER, false,
	    "Sign in with the account this connection belongs to, or make another connection. If it is to "
	    "change hands: `--allow-other-account`." },
	[ERR_KEY_REJECTED] = { CONNS "KeyRejected", V_PROVIDER, OWNER_CALLER, false,
	    "Create a new token at the provider with the rights it needs." },
	[ERR_NOT_READY] = { CONNS "NotReady", V_STATE, OWNER_CALLER, false,
	    "Finish the sign-in of this connection, or begin it again: `vaultctl connection "
	    "reconnect`." },
	[ERR_GRANT_REVOKED] = { TOKEN "GrantRevoked", V_PROVIDER, OWNER_CALLER, false,
	    "Reconnect {connection}: {provider} no longer accepts it. Access was removed, the password "
	    "changed, or an admin withdrew it." },
	[ERR_GRANT_LOST_IN_TRANSIT] = { TOKEN "GrantLostInTransit", V_PROVIDER,
	    OWNER_CALLER, false,
	    "Reconnect {connection}: {provider} answered a refresh, and the answer never arrived. Not "
	    "caused by you." },
	[ERR_GRANT_SUSPECT] = { TOKEN "GrantSuspect", V_STATE, OWNER_ADMIN, false,
	    "Reconnect {connection}, or an operator says with `vaultctl adopt` that the copy this "
	    "store was restored from is the only one in use." },
	[ERR_NO_REFRESH_TOKEN] = { TOKEN "NoRefreshToken", V_STATE, OWNER_CALLER, false,
	    "Reconnect {connection}; for longer access enable offline access in {app} and its "
	    "scopes." },
	[ERR_SIGNIN_REQUIRED] = { TOKEN "SigninRequired", V_PROVIDER, OWNER_CALLER, false,
	    "Reconnect {connection}: the organisation asks for sign-in, MFA or consent again. An admin "
	    "can exempt a service account." },
	[ERR_CLIENT_SECRET_WRONG] = { TOKEN "ClientSecretWrong", V_PROVIDER, OWNER_ADMIN,
	    false, "The owner of {app} must check client id and secret (`vaultctl app set-secret`); enter "
	    "the secret's value, not its id. It affects {affected}." },
	[ERR_GRANT_TYPE_NOT_ALLOWED] = { TOKEN "GrantTypeNotAllowed", V_PROVIDER,
	    OWNER_ADMIN, false,
	    "Enable this grant type for {app} at {provider}." },
	[ERR_SCOPE_INVALID] = { TOKEN "ScopeInvalid", V_PROVIDER, OWNER_ADMIN, false,
	    "Enable {scopes} for {app} at {provider}, or ask for fewer." },
	[ERR_SCOPE_INSUFFICIENT] = { TOKEN "ScopeInsufficient", V_PROVIDER, OWNER_CALLER,
	    false, "Connect again and grant {scopes}; what is not offered must be added to {app} first." },
	[ERR_THROTTLED] = { TOKEN "Throttled", V_PROVIDER, OWNER_PROVIDER, true,
	    "Wait, {provider} limits requests: next try {next_try}.{expires}" },
	[ERR_PROVIDER_DOWN] = { TOKEN "ProviderDown", V_UNAVAILABLE, OWNER_PROVIDER, true,
	    "Wait, {provider} has a problem: next try {next_try}.{expires}" },
	[ERR_PROVIDER_REFUSED] = { TOKEN "ProviderRefused", V_PROVIDER, OWNER_PROVIDER,
	    true, "Wait, {provider} did not say why: next try {next_try}. If it persists reconnect "
	    "{connection}." },
	[ERR_UNREACHABLE_DNS] = { TOKEN "UnreachableDns", V_UNAVAILABLE, OWNER_APPLIANCE,
	    true, "An operator must check name resolution for {host}; next try {next_try}." },
	[ERR_UNREACHABLE_CONNECT] = { TOKEN "UnreachableConnect", V_UNAVAILABLE,
	    OWNER_APPLIANCE, true,
	    "An operator must check the firewall rule or proxy for {host}; next try {next_try}." },
	[ERR_UNREACHABLE_TLS] = { TOKEN "UnreachableTls", V_UNAVAILABLE, OWNER_PROVIDER,
	    true, "An operator must check the TLS connection to {host}; next try {next_try}." },
	[ERR_TLS_UNTRUSTED] = { TOKEN "TlsUntrusted", V_UNAVAILABLE, OWNER_APPLIANCE,
	    false, "If TLS is inspected or the CA is private, an operator adds it to "
	    "ca_file of vault-egress.conf." },
	[ERR_HOST_NOT_ALLOWED] = { TOKEN "HostNotAllowed", V_DENIED, OWNER_APPLIANCE,
	    false, "For a local provider or proxy an operator lists its address in "
	    "allow_address of vault-egress.conf." },
	[ERR_BAD_ANSWER] = { TOKEN "BadAnswer", V_PROVIDER, OWNER_PROVIDER, true,
	    "The answer was not one of an OAuth provider: check for a proxy or a captive portal in "
	    "front of {host}." },
	[ERR_OUTCOME_UNKNOWN] = { TOKEN "OutcomeUnknown", V_UNAVAILABLE, OWNER_PROVIDER,
	    true, "Wait: the request was sent and no answer came. The vault settles it: next try "
	    "{next_try}." },
	[ERR_UNPERSISTED] = { TOKEN "Unpersisted", V_IO, OWNER_APPLIANCE, true,
	    "An operator must free space now and not restart: a new token waits to be "
	    "stored." },
	[ERR_WRONG_TENANT] = { TOKEN "WrongTenant", V_PROVIDER, OWNER_ADMIN, false,
	    "Check the tenant, host or region of {app}: {provider} does not know it at {host}." },
	[ERR_OPERATOR_REQUIRED] = { VAULT "OperatorRequired", V_DENIED, OWNER_APPLIANCE, false,
	    "Ask an operator of this vault: root, or a member of operator_group of "
	    "vaultd.conf." },
	[ERR_CLIENT_SECRET_EXPIRED] = { TOKEN "ClientSecretExpired", V_PROVIDER, OWNER_ADMIN,
	    false, "The owner of {app} must create a new client secret at {provider} and give it to the "
	    "vault (`vaultctl app set-secret`): the old one ended{ended}. Then {affected} go on." },
	[ERR_CLIENT_AUTH_ENCODING] = { TOKEN "ClientAuthEncoding", V_PROVIDER, OWNER_ADMIN, false,
	    "The client secret has characters that providers decode differently: register the app "
	    "with --client-auth post, or make another secret." },
	[ERR_CLOCK_SKEW] = { TOKEN "ClockSkew", V_PROVIDER, OWNER_APPLIANCE, true,
	    "An operator must set this machine's clock right (NTP): it differs from the provider's by "
	    "{skew}." },
	[ERR_PASSWORD_REJECTED] = { TOKEN "PasswordRejected", V_PROVIDER, OWNER_CALLER, false,
	    "Give the right password; the vault stops after two tries, or the account would be "
	    "locked. Accounts with MFA or single sign-on cannot use this type." },
	[ERR_KEY_EXPIRED] = { CONNS "KeyExpired", V_PROVIDER, OWNER_CALLER, false,
	    "Create a new key at the provider, and give it to the connection." },
	[ERR_CERT_EXPIRED] = { TOKEN "CertExpired", V_PROVIDER, OWNER_ADMIN, false,
	    "The owner of the OAuth app must have the client certificate renewed." },
	[ERR_CERT_REJECTED] = { TOKEN "CertRejected", V_PROVIDER, OWNER_ADMIN, false,
	    "The owner of the OAuth app must register this vault's client certificate at the "
	    "provider." },
	[ERR_UNREACHABLE_PROXY] = { TOKEN "UnreachableProxy", V_UNAVAILABLE, OWNER_APPLIANCE, true,
	    "An operator must check `proxy` of vault-egress.conf, and that the proxy lets this "
	    "host through." },
	[ERR_CONNECTION_DISABLED] = { CONNS "ConnectionDisabled", V_STATE, OWNER_ADMIN, false,
	    "Ask a governance admin to enable it: `vaultctl connection enable`." },
	[ERR_CONNECTION_LOCKED] = { CONNS "ConnectionLocked", V_STATE, OWNER_CALLER, false,
	    "To restore access sign in again: `vaultctl connection reconnect`." },
	[ERR_CONNECTION_DELETED] = { CONNS "ConnectionDeleted", V_NOT_FOUND, OWNER_CALLER, false,
	    "Use another connection, or make a new one." },
	[ERR_IMMUTABLE] = { CONNS "Immutable", V_INVALID, OWNER_CALLER, false,
	    "Make a new connection; this never changes in one that exists." },
	[ERR_INTERVAL_RANGE] = { CONNS "IntervalRange", V_INVALID, OWNER_CALLER, false,
	    "Give 5 to 1440 minutes, or 0 for the vault's own interval." },
	[ERR_SEQUENCE_UNKNOWN] = { "vaultd.Events.SequenceUnknown", V_INVALID, OWNER_CALLER, false,
	    "Follow from 0, or without a number; the vault may have been put back from a backup." },
	[ERR_GRANT_EXPIRED_IDLE] = { TOKEN "GrantExpiredIdle", V_PROVIDER, OWNER_CALLER, false,
	    "Reconnect {connection}: it was not used for {days}, and {provider} ends connections that "
	    "are not used for {limit}. From then on the vault keeps it alive." },
	[ERR_GRANT_EXPIRED_ABSOLUTE] = { TOKEN "GrantExpiredAbsolute", V_PROVIDER, OWNER_CALLER,
	    false, "Reconnect {connection}: {provider} requires a new sign-in every {limit}." },
	[ERR_GRANT_TEST_MODE] = { TOKEN "GrantTestMode", V_PROVIDER, OWNER_ADMIN, false,
	    "The owner of {app} must publish it: at {provider} connections of an app in testing end "
	    "after {limit}. Then reconnect {connection}." },
	[ERR_GRANT_DISPLACED] = { TOKEN "GrantDisplaced", V_PROVIDER, OWNER_CALLER, false,
	    "Reconnect {connection}, and use one connection for this account or separate accounts: a "
	    "newer connection of the same account replaced this one." },
	[ERR_GRANT_REUSED_ELSEWHERE] = { TOKEN "GrantReusedElsewhere", V_PROVIDER, OWNER_CALLER,
	    false, "Reconnect {connection} after an operator has stopped the other copy of this "
	    "vault: both used the same refresh token." },
	[ERR_WRONG_BROWSER_SESSION] = { CONNS "WrongBrowserSession", V_DENIED, OWNER_CALLER, false,
	    "Start a sign-in of your own with `vaultctl connect`: this one was begun by somebody "
	    "else. Do not finish sign-ins that others send you." },
	[ERR_NO_CONNECTION] = { "vaultd.Bindings.NoConnection", V_STATE, OWNER_CALLER, false,
	    "`vaultctl binding resolve CONSUMER/NAME` tells what was looked at, and what would "
	    "give it a connection." },
	[ERR_CONNECTOR_GONE] = { "vaultd.Connectors.ConnectorGone", V_STATE, OWNER_ADMIN, false,
	    "An operator must put the connector's file back, or its last version into old/ of the "
	    "catalogue; or delete the connection." },
	[ERR_AUTHORIZATION_PENDING] = { CONNS "AuthorizationPending", V_PROVIDER, OWNER_CALLER, true,
	    "Open the address on any device, enter the code and consent; the vault keeps asking." },
	[ERR_DEVICE_CODE_EXPIRED] = { CONNS "DeviceCodeExpired", V_PROVIDER, OWNER_CALLER, false,
	    "Start again, and enter the new code in time." },
	[ERR_AUTH_TYPE_HAS_NO_TOKEN] = { TOKEN "AuthTypeHasNoToken", V_STATE, OWNER_CALLER, false,
	    "Call vaultd.Tokens.Headers, or `vaultctl token get --format header`: it has the headers "
	    "to send, ready made, for every type." },
	[ERR_ACCOUNT_ELSEWHERE] = { CONNS "AccountElsewhere", V_STATE, OWNER_CALLER, false,
	    "Sign in with an account of the host that the OAuth app is for, or have an app registered for "
	    "the account's own (`app add --var`) and connect with that." },
	[ERR_IDEMPOTENCY_KEY_REUSED] = { CONNS "IdempotencyKeyReused", V_INVALID, OWNER_CALLER, false,
	    "Take a new key for what is new; the same key is for the same call again." },
};

static const enum err_id by_class[] = {
	[V_INVALID] = ERR_INVALID_PARAMETER, [V_NOT_FOUND] = ERR_NOT_FOUND,
	[V_DENIED] = ERR_PERMISSION_DENIED,  [V_CONFLICT] = ERR_CONFLICT,
	[V_STATE] = ERR_NOT_READY,	     [V_BUSY] = ERR_BUSY,
	[V_LIMIT] = ERR_LIMIT_EXCEEDED,	     [V_UNAVAILABLE] = ERR_EGRESS_UNAVAILABLE,
	[V_TIMEOUT] = ERR_TIMED_OUT,	     [V_CORRUPT] = ERR_RECORD_CORRUPT,
	[V_IO] = ERR_STORE_UNWRITABLE,	     [V_PROVIDER] = ERR_PROVIDER_REFUSED,
	[V_INTERNAL] = ERR_INTERNAL,
};

const struct err_row *
err_row(unsigned id)
{
	return id < ERR_MAX && rows[id].name != NULL ? &rows[id] : &rows[ERR_INTERNAL];
}

const struct err_row *
err_row_of(const struct err *e)
{
	if (e->id != ERR_NONE)
		return err_row(e->id);
	if (e->code > 0 && e->code < sizeof by_class / sizeof *by_class)
		return err_row(by_class[e->code]);
	return &rows[ERR_INTERNAL];
}

bool
err_of_provider(unsigned id)
{
	switch (id) {
	case ERR_GRANT_LOST_IN_TRANSIT:		/* what the vault finds out by itself */
	case ERR_GRANT_REUSED_ELSEWHERE:
	case ERR_HOST_NOT_ALLOWED:
	case ERR_SIGNIN_LOST:
		return false;
	case ERR_PROVIDER_DOWN:
		return true;
	default:
		return id != ERR_NONE && id < ERR_MAX && rows[id].code == V_PROVIDER;
	}
}

const char *
err_short_name(unsigned id)
{
	return strrchr(err_row(id)->name, '.') + 1;
}

unsigned
err_by_short_name(const char *name)
{
	for (unsigned i = 1; i < ERR_MAX; i++)
		if (err_of_provider(i) && strcmp(err_short_name(i), name) == 0)
			return i;
	return ERR_NONE;
}

const char *
err_owner_name(enum err_owner owner)
{
	static const char *const names[] = { "caller", "admin", "provider", "appliance" };

	return names[owner];
}

/*
 * errors.h - every error a client can see, one row each.
 *
 * To add one: a line here, a line in errors.c, and `error Name` in the IDL of its
 * interface (a test compares the three).
 */
#pragma once

#include <stdbool.h>

#include "common/err.h"

enum err_owner { OWNER_CALLER, OWNER_ADMIN, OWNER_PROVIDER, OWNER_APPLIANCE };

/* The numbers stand in stored records: append, never reorder. */
enum err_id {
	ERR_NONE,
	/* org.varlink.service */
	ERR_INTERFACE_NOT_FOUND,
	ERR_METHOD_NOT_FOUND,
	ERR_INVALID_PARAMETER,
	/* vaultd.Vault: shared by all interfaces */
	ERR_NOT_FOUND,
	ERR_PERMISSION_DENIED,	/* role or ownership lacks the permission */
	ERR_POLICY_DENIED,	/* a rule of a policy file says no */
	ERR_IDENTITY_UNKNOWN,	/* the kernel could not say who asks */
	ERR_NAME_INVALID,
	ERR_NAME_TAKEN,
	ERR_CONFLICT,		/* changed meanwhile */
	ERR_IN_USE,
	ERR_BUSY,
	ERR_LIMIT_EXCEEDED,
	ERR_HSM_UNAVAILABLE,
	ERR_HSM_REFUSED,	/* reached, and it said no: corrupt wrap, wrong line */
	ERR_EGRESS_UNAVAILABLE,
	ERR_STORE_UNWRITABLE,
	ERR_AUDIT_UNWRITABLE,
	ERR_RECORD_CORRUPT,	/* HMAC or tag does not fit: edited or damaged file */
	ERR_SEALED,
	ERR_TIMED_OUT,
	ERR_INTERNAL,
	/* vaultd.Connectors */
	ERR_CONNECTOR_UNKNOWN,
	ERR_CONNECTOR_DISABLED,
	ERR_CONNECTOR_INVALID,
	/* vaultd.Policy */
	ERR_POLICY_INVALID,
	/* vaultd.Apps */
	ERR_APP_REQUIRED,
	ERR_APP_FORBIDDEN,
	/* vaultd.Connections */
	ERR_AUTH_TYPE_NOT_ALLOWED,
	ERR_SESSION_EXPIRED,
	ERR_STATE_INVALID,	/* state unknown, used, or begun by somebody else */
	ERR_USER_DENIED,
	ERR_ISSUER_MISMATCH,
	ERR_CODE_REJECTED,
	ERR_REDIRECT_URI_MISMATCH,
	ERR_ACCOUNT_MISMATCH,
	ERR_KEY_REJECTED,	/* PAT refused by the probe */
	ERR_NOT_READY,		/* pending, deleted */
	/* vaultd.Tokens; what refresh finds (oauth diagnosis) */
	ERR_GRANT_REVOKED,
	ERR_GRANT_LOST_IN_TRANSIT,
	ERR_GRANT_SUSPECT,
	ERR_NO_REFRESH_TOKEN,	/* expired and nothing to renew it with */
	ERR_SIGNIN_REQUIRED,	/* interaction_required, MFA, consent */
	ERR_CLIENT_SECRET_WRONG,
	ERR_GRANT_TYPE_NOT_ALLOWED,
	ERR_SCOPE_INVALID,
	ERR_SCOPE_INSUFFICIENT,
	ERR_THROTTLED,
	ERR_PROVIDER_DOWN,
	ERR_PROVIDER_REFUSED,	/* 4xx without an OAuth error */
	ERR_UNREACHABLE_DNS,
	ERR_UNREACHABLE_CONNECT,
	ERR_UNREACHABLE_TLS,
	ERR_TLS_UNTRUSTED,
	ERR_HOST_NOT_ALLOWED,
	ERR_BAD_ANSWER,
	ERR_OUTCOME_UNKNOWN,	/* ambiguous: sent, and no answer */
	ERR_UNPERSISTED,	/* answered, and the commit still fails */
	ERR_WRONG_TENANT,
	ERR_OPERATOR_REQUIRED,
	ERR_SIGNIN_LOST,
	ERR_CLIENT_SECRET_EXPIRED,
	ERR_CLIENT_AUTH_ENCODING,	/* a secret with reserved characters, refused with Basic */
	ERR_CLOCK_SKEW,
	ERR_PASSWORD_REJECTED,
	ERR_KEY_EXPIRED,
	ERR_CERT_EXPIRED,	/* the client's certificate */
	ERR_CERT_REJECTED,
	ERR_UNREACHABLE_PROXY,
	ERR_CONNECTION_DISABLED,
	ERR_CONNECTION_LOCKED,
	ERR_CONNECTION_DELETED,
	ERR_IMMUTABLE,		/* a member that never changes */
	ERR_INTERVAL_RANGE,
	/* vaultd.Events */
	ERR_SEQUENCE_UNKNOWN,
	/* What became of a grant, more exactly than "revoked" (vaultd/diagnose.h). */
	ERR_GRANT_EXPIRED_IDLE,
	ERR_GRANT_EXPIRED_ABSOLUTE,
	ERR_GRANT_TEST_MODE,	/* the provider ends those of an app in testing */
	ERR_GRANT_DISPLACED,	/* by a newer one of the same account */
	ERR_GRANT_REUSED_ELSEWHERE,	/* another copy of this vault spent it */
	ERR_WRONG_BROWSER_SESSION,	/* a sign-in that somebody else began */
	ERR_NO_CONNECTION,	/* a binding, or a default, that leads nowhere */
	ERR_CONNECTOR_GONE,	/* its file was withdrawn */
	ERR_AUTHORIZATION_PENDING,	/* of a device: nobody has said yes or no yet */
	ERR_DEVICE_CODE_EXPIRED,
	ERR_AUTH_TYPE_HAS_NO_TOKEN,
	ERR_ACCOUNT_ELSEWHERE,	/* a sign-in at another host of the provider than the app's */
	ERR_IDEMPOTENCY_KEY_REUSED,
	ERR_MAX,
};

struct err_row {
	const char	*name;		/* fully qualified, as on the wire */
	enum verr	 code;
	enum err_owner	 owner;		/* whose move it is */
	bool		 retry;		/* would the same call work later? */
	const char	*advice;	/* the next step; {host} and the like: advice.h */
};

/* The row of ID; that of ERR_INTERNAL for an id out of range. Never NULL. */
const struct err_row *err_row(unsigned id);

/* The row that describes E: its own, or the shared one that fits its class. */
const struct err_row *err_row_of(const struct err *e);

/* Can a provider's answer mean ID? What a connector's `error_map` may say. */
bool err_of_provider(unsigned id);
/* The last part of the row's name: "GrantRevoked". */
const char *err_short_name(unsigned id);
/* The id of that, of those a provider's answer can mean; ERR_NONE: there is none. */
unsigned err_by_short_name(const char *name);

/* "caller", "admin", "provider", "appliance". */
const char *err_owner_name(enum err_owner owner);

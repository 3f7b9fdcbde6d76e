/*
 * record.h - the records of the store: one struct, one encode/decode pair per type.
 *
 * Encoded: u8 format | fields (msg.h). Connection, folder, app and grant end with an
 * HMAC-SHA256 under the vault's metadata key over table | key | all bytes before it: a
 * record in an edited file cannot change its owner or folder. Decode checks length and
 * every range; record_tag_ok() checks the HMAC.
 */
#pragma once

#include "common/auth_type.h"
#include "common/envelope.h"
#include "common/exchange.h"
#include "vaultd/conn_state.h"
#include "vaultd/peer.h"
#include "vaultd/store.h"

#define NAME_MAX_LEN	120	/* bytes of UTF-8 */
/* Of 1 to NAME_MAX_LEN bytes, without '/' and the control characters of ASCII and Latin-1
 * (U+0080 to U+009F: terminals obey both). */
bool name_is_good(const char *name);

struct connection {
	struct id	id, folder, app;	/* app null for static types */
	char		name[NAME_MAX_LEN + 1];
	char		connector[EX_NAME];
	uint32_t	connector_version;
	uint32_t	auth_type;		/* enum auth_type */
	enum conn_state	state;
	uid_t		owner;
	int64_t		created, updated, last_refresh_ok;	/* unix s */
	char		account[256];
	char		api_base[256];
	char		scope[EX_SCOPE];	/* granted */
	/* the last failure; cause 0 = none */
	unsigned	cause;			/* enum err_id */
	char		cause_text[160];	/* redacted */
	int64_t		cause_time;
	uint32_t	failures;		/* in a row */
	int64_t		retry_at;		/* unix s: not before, by Retry-After; 0 = by failures */
	int64_t		ambiguous_since;	/* when the first request went out that may have
						   spent the refresh token; 0 = none since the last
						   answer. Other failures leave it */
	/* since format 2 */
	char		description[160];
	enum conn_state	resume;			/* DISABLED: what it was; else 0 */
	int64_t		state_since;		/* unix s */
	bool		shell;			/* imported: owned by nobody until somebody signs in */
	uint8_t		account_class;		/* enum account_class */
	uint32_t	locks;			/* enum conn_lock bits: what an import may not change */
	char		scope_requested[EX_SCOPE];
	struct ex_vars	vars;			/* given by who made it: host, tenant */
	struct ex_vars	captured;		/* told by the provider: realmId, instance_url */
	uint32_t	check_interval_s;	/* 0 = the default */
	/* the last look at the API itself, beside what refreshing says */
	int64_t		last_checked;		/* 0 = never */
	unsigned	check_cause;		/* enum err_id; 0 = it was good */
	uint16_t	check_status;		/* HTTP; 0 = none */
	char		check_text[160];
	uint32_t	ambiguous;		/* failures in a row that say nothing certain: lock-out */
	/* more on the cause */
	enum phase	cause_phase;
	uint16_t	cause_status;		/* HTTP; 0 = none */
	char		cause_code[64];		/* the provider's */
	char		cause_provider_text[320];	/* redacted */
	char		cause_trace[17];	/* of the call or attempt, as in audit */
	uint64_t	cause_generation;	/* of the token then */
	int32_t		skew_s;			/* the provider's clock minus ours, when last told */
	uid_t		disabled_by;		/* DISABLED: who, and what they said */
	char		disabled_note[160];
	/* An API said that a scope is missing, to the vault or to whoever told it; 0 = none did */
	int64_t		gap_time;
	char		gap_scope[256];		/* which; "" = it did not say */
};
enum account_class { ACCOUNT_CLASS_UNKNOWN, ACCOUNT_CLASS_PERSONAL, ACCOUNT_CLASS_SERVICE };
enum conn_lock { LOCK_NAME = 1, LOCK_DESCRIPTION = 2, LOCK_AUTH_TYPE = 4 };

/* What buys new tokens; beside it wraps in TABLE_WRAP. */
struct grant {
	struct id	connection, app;
	uint64_t	version;		/* secret version: AAD of the blob */
	struct id	instance;		/* of the store that got it */
	unsigned char	fingerprint[32];
	int64_t		obtained, refresh_expires;	/* unix s; 0 = unknown */
	struct buf	blob;			/* sealed */
	int64_t		signed_in;		/* since format 2: the sign-in it began with; 0 = unknown */
};
void grant_done(struct grant *g);

/* What callers get. */
struct release {
	struct id	connection;
	uint64_t	version;
	int64_t		obtained, expires;	/* unix s; expires 0 = never */
	uint64_t	generation;		/* of the token, counts up */
	uint64_t	seals;			/* under this DEK: RELEASE_SEALS_MAX */
	struct buf	blob;
};
void release_done(struct release *r);

struct folder {
	struct id	id, parent;		/* parent null: a root */
	uint8_t		class;			/* enum folder_class */
	uid_t		owner;			/* personal: whose */
	char		owner_name[64];		/* refused when uid and name no longer agree */
	char		name[NAME_MAX_LEN + 1];
	int64_t		created;
};

enum app_slot {
	SLOT_EMPTY,
	SLOT_STAGED,		/* to be used once it is promoted */
	SLOT_PREVIOUS,		/* was used: used again if the provider refuses the one in use */
};
struct app {
	struct id	id;
	char		name[NAME_MAX_LEN + 1];
	char		connector[EX_NAME];
	uint32_t	connector_version;
	uint64_t	version;		/* secret version */
	char		client_id[512];
	char		client_auth[32];
	struct ex_vars	vars;
	char		redirect_uri[EX_URL];
	char		scope[EX_SCOPE];	/* offered by default; "" = the connector's */
	char		authorization_url[EX_URL], token_url[EX_URL], issuer[EX_URL];
	bool		iss_required;
	char		owner_note[160], purpose_note[160];
	int64_t		created, rotate_by;
	uid_t		created_by;
	struct buf	blob;			/* sealed client secret with its destination */
	/* since format 2 */
	int64_t		secret_expires;		/* as the provider told when it was made; 0 = not known */
	uint8_t		key_kind;		/* of a key in the HSM; 0 = none */
	char		kid[128];
	int64_t		cert_not_after;		/* of its certificate; 0 = none */
	/* since format 3: a secret beside the one in use */
	enum app_slot	slot;
	uint64_t	slot_version;
	int64_t		slot_since, slot_until;	/* until: PREVIOUS is dropped then; 0 = never */
	struct buf	slot_blob;		/* sealed; its wrap is in TABLE_WRAP, slot 1 */
	enum app_test	tested;			/* of the secret in the slot */
	int64_t		tested_at;
	char		tested_text[160];
	/* what the provider has against the app itself, whoever signs in with it */
	unsigned	flag;			/* enum err_id; 0 = nothing */
	int64_t		flag_time;
	char		flag_text[160];
	struct id	rearm;			/* the next of its connections to try again; null: none */
};
void app_done(struct app *a);

/* What a program calls a connection: consumer/name. Or whom one user wants it to be for himself. */
struct binding {
	struct id	id, folder;
	struct id	connection;		/* null: none yet */
	struct id	of;			/* a user's own: the binding it is of; else null */
	uid_t		user;			/* a user's own: whose */
	char		consumer[NAME_MAX_LEN + 1], name[NAME_MAX_LEN + 1];
	char		connector[EX_NAME];
	char		description[160];
	bool		overridable;		/* users may choose another for themselves */
	bool		per_user;		/* each user's own default, nothing shared */
	int64_t		created, updated;
	uid_t		created_by;
};

struct pending {
	struct id	id, connection, app, folder;
	bool		reconnect;
	uid_t		uid;			/* who began: only they may finish */
	unsigned char	state_hash[32];
	char		name[NAME_MAX_LEN + 1];
	char		redirect_uri[EX_URL];
	char		scope[EX_SCOPE];
	int64_t		expires;		/* unix s; of one that is over: until when it is kept */
	struct buf	blob, wrap;		/* the verifier; DEVICE: the device code */
	/* since format 2 */
	uint8_t		kind;			/* enum exchange_kind: CODE, DEVICE */
	/* DEVICE */
	char		user_code[64];
	char		verification_uri[EX_URL], verification_uri_complete[EX_URL];
	uint32_t	interval_s;		/* between two questions */
	int64_t		next_poll;		/* unix s */
	bool		lost;			/* an answer was lost, and may have held the tokens */
	uint8_t		over;			/* enum session_over */
	unsigned	cause;			/* FAILED: enum err_id */
	char		cause_text[160];	/* redacted */
	/* since format 3 */
	bool		other_account;		/* a reconnect that may be with another one */
	/* since format 4: who began, as policy asks; nobody is there when a device's tokens come */
	size_t		ngids;
	gid_t		gids[PEER_GROUPS];
	char		unit[256];
};
enum session_over { SESSION_WAITS, SESSION_SIGNED_IN, SESSION_FAILED };
void pending_done(struct pending *p);

/* A request to egress that may change a grant; durable before it is sent. */
struct intent {
	struct id	attempt, connection, pending;	/* pending null: a refresh */
	uint8_t		kind;			/* enum exchange_kind */
	uint64_t	grant_version, release_version;
	int64_t		t0;			/* when it began, unix s */
	uint8_t		retries;		/* the one sanctioned retry is counted */
};

/* What became of a deleted connection's access at its provider; stored as numbers. */
enum revocation {
	REVOCATION_QUEUED,	/* it is still tried */
	REVOCATION_DONE,	/* the provider confirmed */
	REVOCATION_NO_WAY,	/* the provider has no endpoint for it, or it is a static secret */
	REVOCATION_SHARED,	/* not asked for: another connection lives by the same refresh token */
	REVOCATION_NOT_WANTED,	/* who deleted it said so */
	REVOCATION_NOTHING,	/* it never had a token */
	REVOCATION_GIVEN_UP,	/* the deadline passed */
	REVOCATION_END,
};
/* "queued", "revoked", ... */
const char *revocation_name(enum revocation r);

/*
 * A deleted connection. While it is QUEUED, its grant, token and keys are still there under its id;
 * then they are gone, and this stays a while to tell.
 */
struct tombstone {
	struct id	id, folder, app;
	char		name[NAME_MAX_LEN + 1];
	char		connector[EX_NAME];
	uint32_t	auth_type;
	uid_t		owner, deleted_by;
	int64_t		deleted, deadline, ended;	/* unix s; ended 0 = queued */
	enum revocation	revocation;
	uint32_t	tries;
	unsigned	cause;			/* enum err_id: why the last try failed; 0 = none */
	char		cause_text[320];
};

/* What a call with an idempotency key made. */
struct made {
	struct id	id;			/* made of user and key */
	uid_t		uid;
	struct id	connection, session;	/* session null: none was begun */
	unsigned char	parameters[32];		/* keyed hash of them, without secrets */
	int64_t		until;			/* unix s */
};

/* Wraps of one DEK: n of them, one per KEK that can open it. */
struct wraps {
	size_t	   n;
	struct buf v[4];
};
void wraps_done(struct wraps *w);

/* encode appends to OUT (without tag); decode checks everything, V_CORRUPT. */
int connection_encode(const struct connection *r, struct buf *out, struct err *e);
int connection_decode(struct slice in, struct connection *ret, struct err *e);
int grant_encode(const struct grant *r, struct buf *out, struct err *e);
int grant_decode(struct slice in, struct grant *ret, struct err *e);
int release_encode(const struct release *r, struct buf *out, struct err *e);
int release_decode(struct slice in, struct release *ret, struct err *e);
int folder_encode(const struct folder *r, struct buf *out, struct err *e);
int folder_decode(struct slice in, struct folder *ret, struct err *e);
int app_encode(const struct app *r, struct buf *out, struct err *e);
int app_decode(struct slice in, struct app *ret, struct err *e);
int binding_encode(const struct binding *r, struct buf *out, struct err *e);
int binding_decode(struct slice in, struct binding *ret, struct err *e);
int pending_encode(const struct pending *r, struct buf *out, struct err *e);
int pending_decode(struct slice in, struct pending *ret, struct err *e);
int intent_encode(const struct intent *r, struct buf *out, struct err *e);
int intent_decode(struct slice in, struct intent *ret, struct err *e);
int tombstone_encode(const struct tombstone *r, struct buf *out, struct err *e);
int tombstone_decode(struct slice in, struct tombstone *ret, struct err *e);
int made_encode(const struct made *r, struct buf *out, struct err *e);
int made_decode(struct slice in, struct made *ret, struct err *e);
int wraps_encode(const struct wraps *r, struct buf *out, struct err *e);
int wraps_decode(struct slice in, struct wraps *ret, struct err *e);

/*
 * The hot path's view of a release record: pointers into IN, no copies. FALSE: corrupt.
 */
struct release_view {
	uint64_t	version, generation;
	int64_t		obtained, expires;
	struct slice	blob;
};
bool release_view(struct slice in, struct release_view *ret);

/* Appends the tag / checks and strips it. KEY: 32 bytes of metadata key. */
void record_tag(const unsigned char *key, enum table t, struct slice k, struct buf *rec);
bool record_tag_ok(const unsigned char *key, enum table t, struct slice k,
    struct slice rec, struct slice *ret_body);

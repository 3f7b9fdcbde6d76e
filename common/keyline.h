/*
 * keyline.h - the key contract, the asker's side: ops, bodies, and which line may ask
 * for what. Real in pkcs11/, a message in vaultd and vault-egress.
 *
 * The mask belongs to the listener of vault-hsm that accepted the connection
 * ("from-vaultd", "from-egress"), never to anything a message says.
 */
#pragma once

#include "common/envelope.h"
#include "common/frame.h"

enum key_op {
	KEY_STATUS = 1,	/* {} -> struct key_status */
	KEY_MAKE,	/* u8 purpose, id record -> 32 bytes DEK (slice), wrap (slice) */
	KEY_UNWRAP,	/* u8 purpose, id record, wrap (slice) -> DEK (slice) */
	KEY_REWRAP,	/* u8 purpose, id record, wrap (slice) -> wrap (slice) under the current KEK */
	/* key pairs of connections: bodies in signing.h */
	KEY_GENERATE,	/* struct pair_make -> struct pair_public */
	KEY_IMPORT,	/* the same, with a PEM */
	KEY_PUBLIC,	/* str key, id record -> struct pair_public */
	KEY_DESTROY,	/* str key, id record -> {} ; also when it is gone already */
	KEY_SIGN_JWT,	/* struct claims -> compact JWS (slice) */
	KEY_SIGN_TLS,	/* str key, id record, u16 scheme, slice to be signed -> signature (slice) */
	KEY_CERTIFY,	/* struct certify -> DER (slice) */
};

enum key_line { LINE_VAULTD = 1, LINE_EGRESS = 2 };

/* States of the token as vault-hsm sees it (docs/ARCHITECTURE.md, HSM states). */
enum key_state {
	KEY_ABSENT,	/* no module answer, no token, no network */
	KEY_STARTING,
	KEY_UNBOUND,	/* token reached, `vault-hsm key init` was never run */
	KEY_READY,
	KEY_SUSPECT,
	KEY_BLOCKED,	/* the PIN guard refuses to log in */
	KEY_MISMATCH,	/* a bound key is missing, weak, or not the one it was */
	KEY_STATE_MAX,
};
const char *key_state_name(enum key_state s);	/* "ABSENT", ... */

#define KEY_KEKS 8
struct key_kek {
	char		id[KEK_ID_LEN + 1];
	enum purpose	purpose;
	uint32_t	generation;
	bool		current;
};

struct key_status {
	enum key_state	 state;
	struct id	 vault;		/* null while UNBOUND or never bound */
	char		 text[256];	/* why, and whose move it is */
	char		 token[64];	/* label */
	uint32_t	 mechanism;	/* CKM_ of new wraps, 0 when unknown */
	uint64_t	 made, unwrapped, refused;	/* since start */
	uint64_t	 uptime_ms;
	size_t		 n;
	struct key_kek	 kek[KEY_KEKS];
};

void key_status_put(struct msg *m, const struct key_status *s);
int key_status_get(struct slice body, struct key_status *ret, struct err *e);

/* Bodies of the two questions that are asked from two roles. */
void key_make_put(struct msg *m, enum purpose purpose, const struct id *record);
int key_make_get(struct slice body, struct secret *ret_dek, struct buf *ret_wrap, struct err *e);
void key_unwrap_put(struct msg *m, enum purpose purpose, const struct id *record,
    struct slice wrap);
int key_unwrap_get(struct slice body, struct secret *ret_dek, struct err *e);

/*
 * A blocking line for a role that may wait (vault-egress's worker, tests): connects to
 * PATH when needed, one question at a time. Errors: V_UNAVAILABLE (ERR_HSM_UNAVAILABLE),
 * or what vault-hsm answered.
 */
struct keyline {
	char		path[108];
	int		fd;		/* -1 = not connected */
	uint32_t	next_id;
};
void keyline_init(struct keyline *k, const char *path);
void keyline_done(struct keyline *k);
int keyline_call(struct keyline *k, enum key_op op, const struct msg *body, int ms,
    struct secret *ret, struct slice *ret_body, struct err *e);
int keyline_make(struct keyline *k, enum purpose purpose, const struct id *record,
    struct secret *ret_dek, struct buf *ret_wrap, struct err *e);
int keyline_unwrap(struct keyline *k, enum purpose purpose, const struct id *record,
    struct slice wrap, struct secret *ret_dek, struct err *e);

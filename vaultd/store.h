/*
 * store.h - the LMDB store: reads on the loop thread, one commit path for writes.
 *
 * A value is stored as u64 generation | bytes; the generation is the number of the
 * commit that wrote it and is what compare-and-set compares. All writes are change
 * sets; they reach store_apply() only from the journal's commit thread (journal.h), many
 * at a time. This is also the seam where a replicated engine can stand later.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/auditlog.h"
#include "common/bytes.h"
#include "common/err.h"

enum table {
	TABLE_META,
	TABLE_CONNECTION,		/* id -> connection */
	TABLE_CONNECTION_BY_FOLDER,	/* folder id | name -> id */
	TABLE_FOLDER,			/* id -> folder */
	TABLE_FOLDER_BY_NAME,		/* parent id | name -> id */
	TABLE_GRANT,			/* connection id -> grant */
	TABLE_RELEASE,			/* connection id -> release */
	TABLE_WRAP,			/* record id | u8 purpose -> wraps */
	TABLE_APP,			/* id -> app */
	TABLE_APP_BY_NAME,		/* name -> id */
	TABLE_BINDING,			/* id -> binding */
	TABLE_PENDING,			/* id -> pending session */
	TABLE_DUE,			/* u64 unix ms | id -> u8 kind */
	TABLE_INTENT,			/* attempt id -> intent */
	TABLE_BY_KEK,			/* KEK id -> u64 count of wraps under it */
	TABLE_CONNECTION_BY_APP,	/* app id | connection id -> nothing */
	TABLE_DEFAULT,			/* folder id | connector -> connection id */
	TABLE_BINDING_BY_CONNECTION,	/* connection or folder id | binding id -> nothing */
	TABLE_IDEMPOTENCY,		/* id, made of uid and key -> what it made */
	TABLE_TOMBSTONE,		/* connection id -> tombstone */
	TABLE_FINGERPRINT,		/* of a refresh token | connection id -> nothing */
	TABLE_EVENT,			/* u64 sequence -> event */
	TABLE_BINDING_BY_NAME,		/* "consumer/name" -> id; with NUL | u32 uid: that user's own */
	TABLE_USED,			/* connection id -> u64 unix s: a token was released */
	/* Tags hold the numbers: new ones go to the end. */
	TABLE_MAX,
};

#define KEY_MAX_LEN	300

/* Expectations besides a generation. */
#define EXPECT_ABSENT	0			/* the key must not exist */
#define EXPECT_ANY	UINT64_MAX
#define KEEP_IF_THERE	(UINT64_MAX - 1)	/* what is there already stays */
#define EXPECT_THERE	(UINT64_MAX - 2)	/* the key must exist, at whatever generation */

enum change_op {
	CHANGE_PUT,
	CHANGE_REMOVE,
	CHANGE_COUNT,		/* TABLE_BY_KEK: add to the count */
	CHANGE_EXPECT,		/* writes nothing: only the expectation */
	CHANGE_EXPECT_NONE,	/* writes nothing: no key begins with this one */
	CHANGE_EVENT,		/* TABLE_EVENT: the value under the next sequence number */
};

struct change {
	enum change_op	op;
	enum table	table;
	unsigned char	key[KEY_MAX_LEN];
	size_t		keylen;
	uint64_t	expect;
	int64_t		add;		/* CHANGE_COUNT */
	struct buf	value;		/* CHANGE_PUT */
};

/* A change set: applied whole or not at all. */
struct changes {
	struct change	*v;
	size_t		 n, cap;
	bool		 failed;	/* sticky: memory ran out or a key is too long */
};
void changes_put(struct changes *c, enum table t, struct slice key, uint64_t expect,
    struct slice value);			/* copies */
void changes_remove(struct changes *c, enum table t, struct slice key, uint64_t expect);
void changes_count(struct changes *c, const char *kek_id, int64_t add);
/* An event of this very change: there is none without the other. The oldest make room. */
void changes_event(struct changes *c, struct slice value);
/*
 * What must hold when the set is applied, for what it leans on and does not change: KEY is there
 * (EXPECT_THERE, or at a generation) or is not (EXPECT_ABSENT); no key of T begins with PREFIX.
 * What earlier changes of the same set did counts.
 */
void changes_expect(struct changes *c, enum table t, struct slice key, uint64_t expect);
void changes_expect_none(struct changes *c, enum table t, struct slice prefix);
void changes_done(struct changes *c);
struct changes changes_take(struct changes *c);

struct store_conf {
	const char	*dir;		/* 0700, exists */
	size_t		 map_size;	/* bytes, 64 GiB from the start */
	size_t		 ballast;	/* bytes kept free for answers in flight */
	unsigned	 events;	/* kept at most; 0 keeps all */
};

struct store;

/* Opens or creates. Holds an exclusive lock on DIR. Errors: V_BUSY (another vaultd),
 * V_CORRUPT (format newer or not ours), V_IO. */
int store_open(const struct store_conf *conf, struct store **ret, struct err *e);
void store_close(struct store *s);

/*
 * Loop thread: the value of KEY, valid until store_read_end() (called once per loop
 * pass). RET_GENERATION may be NULL. Errors: V_NOT_FOUND, V_CORRUPT, V_IO.
 */
int store_get(struct store *s, enum table t, struct slice key, struct slice *ret,
    uint64_t *ret_generation, struct err *e);
/* Walks keys >= FROM that start with PREFIX, in order, until EACH returns false. */
int store_walk(struct store *s, enum table t, struct slice prefix, struct slice from,
    bool (*each)(void *arg, struct slice key, struct slice value, uint64_t generation),
    void *arg, struct err *e);
/* How many keys start with PREFIX; counts no further than MAX. 0 also when it cannot be read. */
size_t store_count(struct store *s, enum table t, struct slice prefix, size_t max);
/* The number that the first or last key of T begins with, 0 when it is empty. */
uint64_t store_first(struct store *s, enum table t);
uint64_t store_last(struct store *s, enum table t);
void store_read_end(struct store *s);
/* Loop thread: counts the commits that touched T, as of what store_get() reads now: what
 * was read stays true for as long as it is the same. 0: it cannot be told. */
uint64_t store_version(struct store *s, enum table t);

/* Commit thread: applies N change sets in one transaction. rc[i] = 0, V_CONFLICT (the
 * others still apply), or the class of a failure of all (V_IO: disk full included).
 * HEAD (may be NULL) and COMMIT are recorded in TABLE_META in the same transaction.
 * On MDB_MAP_FULL returns V_LIMIT with nothing applied: the loop resizes and retries. */
int store_apply(struct store *s, struct changes *const *sets, size_t n, int *rc,
    const struct audit_head *head, uint64_t commit, struct err *e);
/* Loop thread, no read open, commit thread parked. Doubles the map. */
int store_grow(struct store *s, struct err *e);
/* Is there room (map and disk) for BYTES more? Checked before an intent is written. */
bool store_has_room(struct store *s, size_t bytes);

/* What TABLE_META said at open. */
struct store_meta {
	uint32_t	format;
	struct id	vault;		/* null until the first contact with vault-hsm */
	struct id	instance;	/* of this copy of the store */
	bool		adopted;	/* and nothing older lives on elsewhere: see store_adopt */
	uint64_t	commit;		/* number of the last change set */
	uint64_t	epoch;		/* starts of vaultd */
	struct audit_head audit;
};
void store_meta(struct store *s, struct store_meta *ret);
/*
 * A copy of a store that may have gone on elsewhere is another instance: what it got as an
 * earlier one is not to be trusted to be unused until an operator adopts it. Called before
 * there are other threads.
 */
int store_new_instance(struct store *s, struct err *e);
/* Into CHANGES: this instance is adopted. Takes effect for store_meta() at the next open. */
void store_adopt(struct store *s, struct changes *c);
/* A consistent copy into DIR (must exist, be empty), of another instance, by a process of
 * its own; see backup.c. */
int store_backup(struct store *s, const char *dir, struct err *e);
void store_stat(struct store *s, size_t *entries /* [TABLE_MAX] */, size_t *bytes);

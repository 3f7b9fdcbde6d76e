/*
 * store.c - see store.h: opening, reading, growing. Writing is in store_apply.c.
 *
 * One read transaction serves a pass of the loop; it is reset, not ended, so renewing it
 * costs next to nothing. LMDB's own lock file is not relied upon to keep a second vaultd
 * out: the directory is held by flock(2).
 */
#include "vaultd/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/auto.h"
#include "common/errors.h"
#include "vaultd/store_file.h"

#define FORMAT		2	/* 1: without connection_by_app, and more in records */
#define BALLAST_NAME	"ballast"

static const char *const table_names[TABLE_MAX] = {
	[TABLE_META] = "meta",
	[TABLE_CONNECTION] = "connection",
	[TABLE_CONNECTION_BY_FOLDER] = "connection_by_folder",
	[TABLE_FOLDER] = "folder",
	[TABLE_FOLDER_BY_NAME] = "folder_by_name",
	[TABLE_GRANT] = "grant",
	[TABLE_RELEASE] = "release",
	[TABLE_WRAP] = "wrap",
	[TABLE_APP] = "app",
	[TABLE_APP_BY_NAME] = "app_by_name",
	[TABLE_BINDING] = "binding",
	[TABLE_PENDING] = "pending",
	[TABLE_DUE] = "due",
	[TABLE_INTENT] = "intent",
	[TABLE_BY_KEK] = "by_kek",
	[TABLE_CONNECTION_BY_APP] = "connection_by_app",
	[TABLE_DEFAULT] = "default",
	[TABLE_BINDING_BY_CONNECTION] = "binding_by_connection",
	[TABLE_IDEMPOTENCY] = "idempotency",
	[TABLE_TOMBSTONE] = "tombstone",
	[TABLE_FINGERPRINT] = "fingerprint",
	[TABLE_EVENT] = "event",
	[TABLE_USED] = "used",
	[TABLE_BINDING_BY_NAME] = "binding_by_name",
};

int
store_mdb_err(struct err *e, int rc, const char *what)
{
	if (rc == ENOSPC || rc == EIO || rc == EDQUOT || rc == EFBIG || rc == EROFS)
		return err_name(e, ERR_STORE_UNWRITABLE, "%s: %s", what, mdb_strerror(rc));
	if (rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND || rc == MDB_INVALID ||
	    rc == MDB_PANIC)
		return err_set(e, V_CORRUPT, "%s: %s", what, mdb_strerror(rc));
	return err_set(e, V_IO, "%s: %s", what, mdb_strerror(rc));
}

/* ---- opening */

static int
lock_dir(struct store *s, const char *dir, struct err *e)
{
	char path[700];

	snprintf(path, sizeof path, "%s/lock", dir);
	s->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock < 0)
		return err_errno(e, "%s", path);
	if (flock(s->lock, LOCK_EX | LOCK_NB) != 0)
		return err_set(e, V_BUSY, "%s is held by another vaultd", dir);
	return 0;
}

static int
open_env(struct store *s, const struct store_conf *conf, struct err *e)
{
	int rc = mdb_env_create(&s->env);

	if (rc == 0)
		rc = mdb_env_set_mapsize(s->env, conf->map_size);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(s->env, TABLE_MAX);
	if (rc == 0)
		rc = mdb_env_open(s->env, conf->dir, MDB_NOTLS | MDB_NORDAHEAD, 0600);
	return rc == 0 ? 0 : store_mdb_err(e, rc, conf->dir);
}

static int
open_tables(struct store *s, MDB_txn *txn, struct err *e)
{
	for (int t = 0; t < TABLE_MAX; t++) {
		int rc = mdb_dbi_open(txn, table_names[t], MDB_CREATE, &s->dbi[t]);

		if (rc != 0)
			return store_mdb_err(e, rc, table_names[t]);
	}
	return 0;
}

static int
meta_put(struct store *s, MDB_txn *txn, const char *key, const void *p, size_t n,
    struct err *e)
{
	unsigned char value[8 + 64];
	MDB_val k = { strlen(key), (void *)key }, v = { 8 + n, value };
	int rc;

	must(n <= 64);
	memset(value, 0, 8);
	memcpy(value + 8, p, n);
	rc = mdb_put(txn, s->dbi[TABLE_META], &k, &v, 0);
	return rc == 0 ? 0 : store_mdb_err(e, rc, "meta");
}

/* 1 = there, 0 = not there, -1 = of another length. */
static int
meta_get(struct store *s, MDB_txn *txn, const char *key, void *p, size_t n)
{
	MDB_val k = { strlen(key), (void *)key }, v;

	if (mdb_get(txn, s->dbi[TABLE_META], &k, &v) != 0)
		return 0;
	if (v.mv_size != 8 + n)
		return -1;
	memcpy(p, (char *)v.mv_data + 8, n);
	return 1;
}

uint64_t
store_get64(const unsigned char *p)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

void
store_put64(unsigned char *p, uint64_t v)
{
	for (int i = 7; i >= 0; i--, v >>= 8)
		p[i] = (unsigned char)v;
}

static int
load_meta(struct store *s, MDB_txn *txn, struct err *e)
{
	struct store_meta *m = &s->meta;
	unsigned char n[8], head[40];
	struct id adopted;

	m->format = FORMAT;
	if (meta_get(s, txn, "format", n, sizeof n) == 1)
		m->format = (uint32_t)store_get64(n);
	if (m->format != FORMAT)
		return err_set(e, V_CORRUPT, "the store has format %u, this vaultd knows %d: use the "
		    "version that wrote it", m->format, FORMAT);
	if (meta_get(s, txn, "instance", m->instance.b, 16) != 1)
		m->instance = adopted = id_new();
	else if (meta_get(s, txn, "adopted", adopted.b, 16) != 1)
		adopted = (struct id){ 0 };
	m->adopted = id_equal(&adopted, &m->instance);
	meta_get(s, txn, "vault", m->vault.b, 16);
	if (meta_get(s, txn, "commit", n, sizeof n) == 1)
		m->commit = store_get64(n);
	if (meta_get(s, txn, "epoch", n, sizeof n) == 1)
		m->epoch = store_get64(n);
	if (meta_get(s, txn, "audit", head, sizeof head) == 1) {
		m->audit.seq = store_get64(head);
		memcpy(m->audit.hash, head + 8, 32);
	}
	return 0;
}

static int
start_epoch(struct store *s, MDB_txn *txn, struct err *e)
{
	unsigned char n[8];

	store_put64(n, FORMAT);
	if (meta_put(s, txn, "format", n, sizeof n, e) != 0)
		return e->code;
	store_put64(n, ++s->meta.epoch);
	if (meta_put(s, txn, "epoch", n, sizeof n, e) != 0)
		return e->code;
	if (s->meta.adopted && meta_put(s, txn, "adopted", s->meta.instance.b, 16, e) != 0)
		return e->code;
	return meta_put(s, txn, "instance", s->meta.instance.b, 16, e);
}

int
store_new_instance(struct store *s, struct err *e)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(s->env, NULL, 0, &txn);

	if (rc != 0)
		return store_mdb_err(e, rc, "store");
	s->meta.instance = id_new();
	s->meta.adopted = false;
	if (meta_put(s, txn, "instance", s->meta.instance.b, 16, e) != 0) {
		mdb_txn_abort(txn);
		return e->code;
	}
	rc = mdb_txn_commit(txn);
	return rc == 0 ? 0 : store_mdb_err(e, rc, "store");
}

void
store_adopt(struct store *s, struct changes *c)
{
	changes_put(c, TABLE_META, (struct slice){ "adopted", 7 }, EXPECT_ANY,
	    (struct slice){ s->meta.instance.b, 16 });
}

int
store_meta_write(struct store *s, MDB_txn *txn, const struct audit_head *head,
    uint64_t commit, struct err *e)
{
	unsigned char n[8], h[40];

	store_put64(n, commit);
	if (commit != 0 && meta_put(s, txn, "commit", n, sizeof n, e) != 0)
		return e->code;
	if (head == NULL)
		return 0;
	store_put64(h, head->seq);
	memcpy(h + 8, head->hash, 32);
	return meta_put(s, txn, "audit", h, sizeof h, e);
}

static int
prepare(struct store *s, struct err *e)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(s->env, NULL, 0, &txn);

	if (rc != 0)
		return store_mdb_err(e, rc, "store");
	if (open_tables(s, txn, e) != 0 || load_meta(s, txn, e) != 0 ||
	    start_epoch(s, txn, e) != 0) {
		mdb_txn_abort(txn);
		return e->code;
	}
	if ((rc = mdb_txn_commit(txn)) != 0 ||
	    (rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &s->read)) != 0)
		return store_mdb_err(e, rc, "store");
	mdb_txn_reset(s->read);
	return 0;
}

/* Disk held in reserve: given up when a refresh's answer must be stored and the disk is
 * full. */
static int
make_ballast(struct store *s, struct err *e)
{
	int rc;

	if (s->ballast_size == 0)
		return 0;
	s->ballast = openat(s->dirfd, BALLAST_NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->ballast < 0)
		return err_errno(e, "ballast");
	rc = posix_fallocate(s->ballast, 0, (off_t)s->ballast_size);
	s->ballast_there = rc == 0;
	return 0;	/* without it store_has_room() says no until there is space */
}

int
store_open(const struct store_conf *conf, struct store **ret, struct err *e)
{
	struct store *s = calloc(1, sizeof *s);

	if (s == NULL)
		return err_set(e, V_LIMIT, "out of memory");
	s->lock = s->dirfd = s->ballast = -1;
	s->ballast_size = conf->ballast;
	s->events = conf->events;
	s->dirfd = open(conf->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dirfd < 0)
		err_errno(e, "%s", conf->dir);
	else if (lock_dir(s, conf->dir, e) == 0 && open_env(s, conf, e) == 0 &&
	    prepare(s, e) == 0 && make_ballast(s, e) == 0) {
		*ret = s;
		return 0;
	}
	store_close(s);
	return e->code;
}

void
store_close(struct store *s)
{
	if (s == NULL)
		return;
	if (s->read != NULL)
		mdb_txn_abort(s->read);
	if (s->env != NULL)
		mdb_env_close(s->env);
	if (s->ballast >= 0)
		close(s->ballast);
	if (s->dirfd >= 0)
		close(s->dirfd);
	if (s->lock >= 0)
		close(s->lock);
	free(s);
}

void
store_meta(struct store *s, struct store_meta *ret)
{
	*ret = s->meta;
}

/* ---- reading */

static int
begin_read(struct store *s, struct err *e)
{
	int rc;

	if (s->reading)
		return 0;
	/* Before the snapshot: it then shows at least these commits. */
	for (int t = 0; t < TABLE_MAX; t++)
		s->as_of[t] = atomic_load_explicit(&s->changed[t], memory_order_acquire);
	if ((rc = mdb_txn_renew(s->read)) != 0)
		return store_mdb_err(e, rc, "store");
	s->reading = true;
	return 0;
}

void
store_read_end(struct store *s)
{
	if (s->reading)
		mdb_txn_reset(s->read);
	s->reading = false;
}

uint64_t
store_version(struct store *s, enum table t)
{
	struct err e;

	return begin_read(s, &e) == 0 ? s->as_of[t] + 1 : 0;
}

static bool
split(MDB_val v, struct slice *ret, uint64_t *generation)
{
	if (v.mv_size < 8)
		return false;
	*ret = (struct slice){ (char *)v.mv_data + 8, v.mv_size - 8 };
	if (generation != NULL)
		*generation = store_get64(v.mv_data);
	return true;
}

int
store_get(struct store *s, enum table t, struct slice key, struct slice *ret,
    uint64_t *ret_generation, struct err *e)
{
	MDB_val k = { key.len, (void *)key.p }, v;
	int rc;

	if (key.len == 0 || key.len > KEY_MAX_LEN)
		return err_set(e, V_NOT_FOUND, "not in %s", table_names[t]);
	if (begin_read(s, e) != 0)
		return e->code;
	rc = mdb_get(s->read, s->dbi[t], &k, &v);
	if (rc == MDB_NOTFOUND)
		return err_set(e, V_NOT_FOUND, "not in %s", table_names[t]);
	if (rc != 0)
		return store_mdb_err(e, rc, table_names[t]);
	if (!split(v, ret, ret_generation))
		return err_set(e, V_CORRUPT, "a record of %s is cut off", table_names[t]);
	return 0;
}

int
store_walk(struct store *s, enum table t, struct slice prefix, struct slice from,
    bool (*each)(void *arg, struct slice key, struct slice value, uint64_t generation),
    void *arg, struct err *e)
{
	struct slice first = from.len > 0 ? from : prefix, value;
	MDB_val k = { first.len, (void *)first.p }, v;
	MDB_cursor *c;
	uint64_t generation;
	int rc;

	if (begin_read(s, e) != 0)
		return e->code;
	if ((rc = mdb_cursor_open(s->read, s->dbi[t], &c)) != 0)
		return store_mdb_err(e, rc, table_names[t]);
	rc = mdb_cursor_get(c, &k, &v, first.len == 0 ? MDB_FIRST : MDB_SET_RANGE);
	while (rc == 0 && k.mv_size >= prefix.len &&
	    memcmp(k.mv_data, prefix.p, prefix.len) == 0) {
		if (split(v, &value, &generation) &&
		    !each(arg, (struct slice){ k.mv_data, k.mv_size }, value, generation))
			break;
		rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(c);
	if (rc != 0 && rc != MDB_NOTFOUND)
		return store_mdb_err(e, rc, table_names[t]);
	return 0;
}

struct count { size_t n, max; };

static bool
count_one(void *arg, struct slice key, struct slice value, uint64_t generation)
{
	struct count *c = arg;

	(void)key;
	(void)value;
	(void)generation;
	return ++c->n < c->max;
}

size_t
store_count(struct store *s, enum table t, struct slice prefix, size_t max)
{
	struct count c = { 0, max };
	struct err e;

	store_walk(s, t, prefix, prefix, count_one, &c, &e);
	return c.n;
}

static uint64_t
end_of(struct store *s, enum table t, MDB_cursor_op end)
{
	MDB_val k, v;
	MDB_cursor *c;
	struct err e;
	uint64_t n = 0;

	if (begin_read(s, &e) != 0 || mdb_cursor_open(s->read, s->dbi[t], &c) != 0)
		return 0;
	if (mdb_cursor_get(c, &k, &v, end) == 0 && k.mv_size >= 8)
		n = store_get64(k.mv_data);
	mdb_cursor_close(c);
	return n;
}

uint64_t
store_first(struct store *s, enum table t)
{
	return end_of(s, t, MDB_FIRST);
}

uint64_t
store_last(struct store *s, enum table t)
{
	return end_of(s, t, MDB_LAST);
}

/* ---- room */

int
store_grow(struct store *s, struct err *e)
{
	MDB_envinfo info;
	int rc;

	must(!s->reading);	/* resizing under an open read transaction crashes */
	mdb_env_info(s->env, &info);
	rc = mdb_env_set_mapsize(s->env, info.me_mapsize * 2);
	return rc == 0 ? 0 : store_mdb_err(e, rc, "growing the store");
}

static void
restore_ballast(struct store *s)
{
	struct statvfs vfs;

	if (s->ballast_there || s->ballast < 0 || fstatvfs(s->dirfd, &vfs) != 0 ||
	    (size_t)vfs.f_bavail * vfs.f_frsize < 2 * s->ballast_size)
		return;
	s->ballast_there = posix_fallocate(s->ballast, 0, (off_t)s->ballast_size) == 0;
}

void
store_give_ballast(struct store *s)
{
	if (s->ballast >= 0 && s->ballast_there && ftruncate(s->ballast, 0) == 0)
		s->ballast_there = false;
}

bool
store_has_room(struct store *s, size_t bytes)
{
	MDB_envinfo info;
	MDB_stat st;
	struct statvfs vfs;

	restore_ballast(s);
	mdb_env_info(s->env, &info);
	mdb_env_stat(s->env, &st);
	if ((info.me_last_pgno + 1) * st.ms_psize + bytes > info.me_mapsize)
		return true;	/* the map grows when it must */
	if (s->ballast_size > 0 && !s->ballast_there)
		return false;
	return s->ballast_size > 0 || fstatvfs(s->dirfd, &vfs) != 0 ||
	    (size_t)vfs.f_bavail * vfs.f_frsize >= bytes;
}

/* ---- the rest */

/* Opens the copy in DIR enough to change its meta table. */
static int
open_copy(const char *dir, struct store *ret, struct err *e)
{
	MDB_txn *txn;
	int rc = mdb_env_create(&ret->env);

	if (rc == 0)
		rc = mdb_env_set_maxdbs(ret->env, TABLE_MAX);
	if (rc == 0)
		rc = mdb_env_open(ret->env, dir, MDB_NOLOCK, 0600);
	if (rc == 0)
		rc = mdb_txn_begin(ret->env, NULL, 0, &txn);
	if (rc != 0)
		return store_mdb_err(e, rc, dir);
	if (open_tables(ret, txn, e) != 0) {
		mdb_txn_abort(txn);
		return e->code;
	}
	rc = mdb_txn_commit(txn);
	return rc == 0 ? 0 : store_mdb_err(e, rc, dir);
}

int
store_backup(struct store *s, const char *dir, struct err *e)
{
	struct store copy = { 0 };
	int rc = mdb_env_copy2(s->env, dir, 0);

	if (rc != 0)
		return store_mdb_err(e, rc, dir);
	if (open_copy(dir, &copy, e) == 0)
		store_new_instance(&copy, e);
	mdb_env_close(copy.env);
	return e->code;
}

void
store_stat(struct store *s, size_t *entries, size_t *bytes)
{
	MDB_envinfo info;
	MDB_stat st;
	struct err e;

	if (begin_read(s, &e) != 0)
		return;
	for (int t = 0; t < TABLE_MAX; t++)
		if (mdb_stat(s->read, s->dbi[t], &st) == 0)
			entries[t] = st.ms_entries;
	mdb_env_info(s->env, &info);
	mdb_env_stat(s->env, &st);
	*bytes = (info.me_last_pgno + 1) * st.ms_psize;
}

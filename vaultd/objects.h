/*
 * objects.h - from what a caller writes to records: names, ids, folders, and whether a
 * record is what its tag says. Loop thread only.
 *
 * A connection is named by id, by "folder/name", or by a bare name in the caller's own
 * workspace. "personal" is the caller's own workspace, "personal/alice" somebody's,
 * "shared/a/b" a shared folder.
 */
#pragma once

#include <jansson.h>

#include "vaultd/request.h"

/* Parents of the top folders; no records of their own. */
extern const struct id root_personal, root_shared;

/* A connection as found, with where it lies. */
struct target {
	struct connection	c;
	uint64_t		generation;	/* of the record: its `revision` */
	struct folder		f;
};

/* Reads and checks. VERIFIED: the tag must have been checked (ERR_HSM_UNAVAILABLE while
 * the HSM was never reached); without, a wrong tag is refused only when it can be seen. */
int object_connection(struct vault *v, const struct id *id, bool verified,
    struct connection *ret, uint64_t *ret_generation, struct err *e);
int object_folder(struct vault *v, const struct id *id, struct folder *ret, struct err *e);
int object_app(struct vault *v, const struct id *id, struct app *ret,
    uint64_t *ret_generation, struct err *e);

/* The bytes of a tagged record, checked, for those who decode them; WHAT for people. */
int object_tagged(struct vault *v, enum table t, const struct id *id, bool verified,
    const char *what, struct slice *ret, uint64_t *ret_generation, struct err *e);
int object_undecodable(struct err *e, const char *what);

/* The one text for what does not exist and for what may not be seen. */
int object_not_found(struct err *e, const char *what, const char *asked);

/* By what the caller wrote; fill r->object, object_name and object_id on the way.
 * Errors: ERR_NOT_FOUND. */
int object_find_connection(struct request *r, const char *text, bool verified,
    struct target *ret, struct err *e);
/* V_NOT_FOUND with ret->class set for the caller's own workspace not made yet. */
int object_find_folder(struct request *r, const char *path, struct folder *ret,
    struct err *e);
/* "shared/a/b", for nobody in particular. */
int object_shared_folder(struct vault *v, const char *path, struct folder *ret, struct err *e);
/* By id or name. */
int object_find_app(struct vault *v, const char *text, struct app *ret,
    uint64_t *ret_generation, struct err *e);

/* May the caller do that in F? Leaves no trace: for lists, and for what a call is not about. */
bool object_may(const struct request *r, enum policy_action action, const struct folder *f);

/* What policy is asked of O in F, whose path is PATH (borrowed), for UID. */
void object_about(const struct folder *f, const char *path, uid_t uid, struct policy_object *o);
/* r->object from a folder (and the caller). */
void object_set_folder(struct request *r, const struct folder *f);
/* What audit calls it: r->folder/NAME. */
void object_set_name(struct request *r, const char *name);
/* "shared/a/b", "personal/alice", or "personal" for the caller's own (R may be NULL). */
void object_folder_path(struct vault *v, const struct request *r, const struct folder *f,
    char *ret, size_t cap);

/* Key of a name below a parent: parent id | name. */
struct slice object_name_key(const struct id *parent, const char *name,
    unsigned char key[KEY_MAX_LEN]);
/* Name of the caller's workspace in the by-name table: its uid. */
void object_uid_name(uid_t uid, char ret[16]);

/* Tags REC, which is encoded, and adds it to CHANGES. */
int object_put_tagged(struct vault *v, struct changes *c, enum table t, const struct id *id,
    uint64_t expect, struct buf *rec, struct err *e);
/* Encodes, tags and adds to CHANGES. */
int object_put_connection(struct vault *v, struct changes *c, const struct connection *r,
    uint64_t expect, struct err *e);
/* A connection that was not there: R, its name in its folder, and that it uses its app; folder and
 * app must be there still. */
int object_add_connection(struct vault *v, struct changes *c, const struct connection *r,
    struct err *e);
/* R, of generation EXPECT, lies in FOLDER and is called NAME from now on; it is nobody's default there. */
int object_move_connection(struct vault *v, struct changes *c, struct connection *r,
    const struct id *folder, const char *name, uint64_t expect, struct err *e);
/* R, of generation EXPECT, is called NAME from now on; the same folder. */
int object_rename_connection(struct vault *v, struct changes *c, struct connection *r,
    const char *name, uint64_t expect, struct err *e);
/* All there is of R, of generation EXPECT: record, name, its use of its app, tokens, keys and their counts;
 * that it is a default, and bindings lead to it. Its due
 * entries find nothing when their time comes. On an error C is to be given up. */
int object_remove_connection(struct vault *v, struct changes *c, const struct connection *r,
    uint64_t expect, struct err *e);
/*
 * R, of generation EXPECT, becomes the tombstone T, which is new: for everybody it is gone at once, and
 * its name is free. What revoking needs (grant, token, keys, app) stays until object_forget_tokens(),
 * or goes at once when T has ended. No binding may lead to it.
 */
int object_bury_connection(struct vault *v, struct changes *c, const struct connection *r,
    uint64_t expect, const struct tombstone *t, struct err *e);
/* Grant, token, keys with their counts, the use of APP: nothing can open them any more. */
int object_forget_tokens(struct vault *v, struct changes *c, const struct id *connection,
    const struct id *app, struct err *e);
int object_put_tombstone(struct vault *v, struct changes *c, const struct tombstone *r,
    uint64_t expect, struct err *e);
/* ERR_NOT_FOUND. */
int object_tombstone(struct vault *v, const struct id *id, struct tombstone *ret,
    uint64_t *ret_generation, struct err *e);
/* Does a connection that was not deleted, other than CONNECTION, have the refresh token of this
 * fingerprint? RET may be NULL. */
bool object_has_sibling(struct vault *v, const unsigned char fingerprint[32],
    const struct id *connection, struct id *ret);
int object_put_folder(struct vault *v, struct changes *c, const struct folder *r,
    uint64_t expect, struct err *e);
int object_put_app(struct vault *v, struct changes *c, const struct app *r,
    uint64_t expect, struct err *e);
int object_put_grant(struct vault *v, struct changes *c, const struct grant *r,
    uint64_t expect, struct err *e);
int object_put_release(struct vault *v, struct changes *c, const struct release *r,
    uint64_t expect, struct err *e);
/* Wraps of RECORD's DEK for PURPOSE, and the counts by KEK. */
int object_put_wrap(struct vault *v, struct changes *c, const struct id *record,
    enum purpose purpose, struct slice wrap, struct err *e);
int object_remove_wrap(struct vault *v, struct changes *c, const struct id *record,
    enum purpose purpose, struct err *e);
/* The same of a second secret of the record, in SLOT 1. */
int object_put_wrap_at(struct vault *v, struct changes *c, const struct id *record,
    enum purpose purpose, unsigned slot, struct slice wrap, struct err *e);
int object_remove_wrap_at(struct vault *v, struct changes *c, const struct id *record,
    enum purpose purpose, unsigned slot, struct err *e);
int object_wrap_at(struct vault *v, const struct id *record, enum purpose purpose, unsigned slot,
    struct buf *ret, struct err *e);
/* The first wrap, copied. */
int object_wrap(struct vault *v, const struct id *record, enum purpose purpose,
    struct buf *ret, struct err *e);
int object_grant(struct vault *v, const struct id *connection, struct grant *ret,
    uint64_t *ret_generation, struct err *e);
int object_release(struct vault *v, const struct id *connection, struct release *ret,
    uint64_t *ret_generation, struct err *e);

/* "personal", "service", "unknown". */
const char *object_account_class(uint8_t class);
/* For answers. New references. */
json_t *object_connection_json(struct request *r, const struct target *t);
json_t *object_app_json(const struct app *a, uint64_t generation);
json_t *object_folder_json(struct request *r, const struct folder *f);

/* What makes look-ups fast: records whose tag was checked, and where names were found. */
int object_caches_new(struct vault *v, struct err *e);
void object_caches_free(struct vault *v);

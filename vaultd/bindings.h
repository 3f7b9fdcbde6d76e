/*
 * bindings.h - bindings and defaults in the store: what programs call the connections they use, and
 * which connection of a folder is meant where none is named. Loop thread only.
 *
 * Everything is put into a change set of the caller's, so that several can be one change.
 */
#pragma once

#include "vaultd/record.h"
#include "vaultd/vault.h"

/* ---- bindings */

/* By name. Errors: V_NOT_FOUND (without a text for people). */
int binding_find(struct vault *v, const char *consumer, const char *name,
    struct binding *ret, uint64_t *ret_generation, struct err *e);
/* UID's own choice for B. Errors: V_NOT_FOUND. */
int binding_own(struct vault *v, const struct binding *b, uid_t uid, struct binding *ret,
    uint64_t *ret_generation, struct err *e);
int binding_get(struct vault *v, const struct id *id, struct binding *ret,
    uint64_t *ret_generation, struct err *e);

/*
 * B into C: record and indexes. WAS: what it replaces, of generation EXPECT; NULL: it is new, and
 * its name must be free. Folder and connection must be there still.
 */
int binding_put(struct vault *v, struct changes *c, const struct binding *b,
    const struct binding *was, uint64_t expect, struct err *e);
/* B, of generation EXPECT, goes, with what users chose for themselves. */
int binding_remove(struct vault *v, struct changes *c, const struct binding *b,
    uint64_t expect, struct err *e);

/* Bindings that lead to CONNECTION, or lie in a folder: EACH until it returns false. */
int binding_each_of(struct vault *v, const struct id *connection_or_folder,
    bool (*each)(void *arg, const struct binding *b, uint64_t generation), void *arg,
    struct err *e);
/* How many, users' own ones included; at most MAX are counted. */
size_t binding_count_of(struct vault *v, const struct id *connection_or_folder, size_t max);
/* None of them leads to CONNECTION any more: they have none, users' own ones go. */
int binding_unlink(struct vault *v, struct changes *c, const struct id *connection,
    struct err *e);

/* ---- defaults: one per folder and connector */

/* Errors: V_NOT_FOUND; ERR_RECORD_CORRUPT. A default whose connection went is none. */
int default_find(struct vault *v, const struct id *folder, const char *connector,
    struct id *ret_connection, uint64_t *ret_generation, struct err *e);
bool default_is(struct vault *v, const struct connection *r);
/* R is the default of its folder and connector from now on; it must lie there still. */
int default_put(struct vault *v, struct changes *c, const struct connection *r,
    struct err *e);
void default_clear(struct changes *c, const struct id *folder, const char *connector);
/*
 * R goes, or leaves its folder: it is nobody's default there, whatever comes between. For the change
 * set that removes or moves it.
 */
int default_forget(struct vault *v, struct changes *c, const struct connection *r,
    struct err *e);

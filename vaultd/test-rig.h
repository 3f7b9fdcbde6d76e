/*
 * test-rig.h - a vault that is a store in a directory of its own and a metadata key: for the unit tests of
 * what is read and written there.
 */
#pragma once

#include "tests/unit.h"

#include "vaultd/objects.h"
#include "vaultd/vault.h"

static unsigned char rig_key[32] = { 7 };
static struct vault vault;
static uint64_t rig_commit;

/* NAME: of the test, for its directory. */
static inline void
rig_open(const char *name)
{
	static char dir[64];
	struct store_conf conf = { .dir = dir, .map_size = 1 << 24 };
	struct err e = { 0 };

	unit_dir(name, dir);
	T_DO(store_open(&conf, &vault.store, &e), e);
	vault.meta_key = rig_key;
	T_DO(object_caches_new(&vault, &e), e);
	rig_commit = 0;
}

static inline void
rig_close(void)
{
	store_close(vault.store);
	object_caches_free(&vault);
}

/* Applies C and empties it: 0, or V_CONFLICT. */
static inline int
rig_try(struct changes *c)
{
	struct changes *sets[] = { c };
	struct err e = { 0 };
	int rc = 0;

	T_NOT(c->failed);
	store_read_end(vault.store);
	T_DO(store_apply(vault.store, sets, 1, &rc, NULL, ++rig_commit, &e), e);
	changes_done(c);
	return rc;
}

static inline void
rig_apply(struct changes *c)
{
	T_EQ(rig_try(c), 0);
}

/*
 * store_file.h - the store's insides, for store.c and store_apply.c alone.
 */
#pragma once

#include <lmdb.h>
#include <stdatomic.h>

#include "vaultd/store.h"

struct store {
	MDB_env			*env;
	MDB_dbi			 dbi[TABLE_MAX];
	MDB_txn			*read;		/* reset between passes */
	bool			 reading;
	uint64_t		 as_of[TABLE_MAX];	/* `changed` when the reads began */
	_Atomic uint64_t	 changed[TABLE_MAX];	/* commits that touched the table */
	int			 lock, dirfd, ballast;
	size_t			 ballast_size;
	bool			 ballast_there;
	unsigned		 events;	/* kept */
	struct store_meta	 meta;		/* as at open */
};

int store_mdb_err(struct err *e, int rc, const char *what);
int store_meta_write(struct store *s, MDB_txn *txn, const struct audit_head *head,
    uint64_t commit, struct err *e);
uint64_t store_get64(const unsigned char *p);
void store_put64(unsigned char *p, uint64_t v);
/* Frees the reserve so that what is in flight can be stored. */
void store_give_ballast(struct store *s);

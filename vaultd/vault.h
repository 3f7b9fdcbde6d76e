/*
 * vault.h - all that the daemon owns hangs from here.
 */
#pragma once

#include <event2/event.h>

#include "connectors/catalogue.h"
#include "policy/policy.h"
#include "vaultd/clock.h"
#include "vaultd/config.h"
#include "vaultd/journal.h"
#include "vaultd/limits.h"
#include "vaultd/store.h"

struct conn;
struct dek_cache;
struct egress;
struct hsm;
struct names;
struct pacing;
struct schedule;
struct hints;
struct verified;

/* What notice_watch.c saw last. */
struct notice_watch {
	enum journal_state	 journal;
	int64_t			 since;		/* unix s: cannot be written */
	bool			 missed;	/* and that could not be written either */
	bool			 hsm_up;
	uint64_t		 events;	/* version of the table */
};

struct vault {
	struct config		 conf;
	struct event_base	*base;
	struct store		*store;
	struct journal		*journal;
	struct catalogue	 catalogue;
	struct policy		*policy;
	struct limits		 limits;
	struct hsm		*hsm;		/* typed calls to vault-hsm */
	struct egress		*egress;	/* typed calls to vault-egress */
	struct dek_cache	*deks;
	struct names		*names;
	struct verified		*verified;	/* objects.c: records whose tag was checked */
	struct hints		*hints;		/* objects.c: where names were found */
	struct checks		*checks;	/* check.c: under way */
	struct used		*used;		/* used.c */
	struct revoking		*revoking;	/* revoke.c: under way */
	struct schedule		*schedule;	/* due index, attempts */
	struct pacing		*pacing;	/* refreshes that wait for their turn: turn.c */
	struct event		*turn_timer;
	bool			 in_turn;
	struct clock		 clock;		/* deadlines */
	struct conn		*conns, *dirty;
	struct notice_watch	 watch;
	struct request		*followers;	/* see follow.c */
	struct buf		 spare_input;	/* see conn.c */
	struct request		*spare_request;	/* see request.c */
	size_t			 spare_requests;
	struct id		 id;		/* vault id; null until known */
	struct id		 instance;
	bool			 adopted;	/* false: grants of earlier instances are suspect */
	uint64_t		 epoch;
	unsigned char		*meta_key;	/* 32 locked bytes; NULL until unwrapped */
	bool			 sealed, stopping, roles_separate;
	bool			 reloading;	/* a policy reload is under way */
	gid_t			 operator_gid;	/* (gid_t)-1: none */
	uint64_t		 calls;		/* names traces */
	int			 landlock;
	long long		 started_ms;
	char			 policy_error[640];	/* of the last failed reload; "" = good */
};

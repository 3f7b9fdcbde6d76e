/*
 * limits.h - every allocation a client can cause is charged to its uid: connections,
 * requests in flight, bytes, rate. Uids that no policy names share one bucket.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/bytes.h"

#define MESSAGE_MAX	(256u << 10)	/* bytes of one call, NUL included */
#define PIPELINE_MAX	64		/* calls in flight per connection */

struct limits_conf {
	unsigned	connections_per_uid;	/* 512 */
	unsigned	connections;		/* 4096 */
	unsigned	inflight_per_uid;	/* 1024 */
	unsigned	followers_per_uid;	/* 64 */
	size_t		bytes_per_uid, bytes;	/* of buffered input and output */
	unsigned	rate_per_uid;		/* calls per second, token bucket; 0 = none */
};

struct bucket {
	struct bucket	*next;
	uid_t		 uid;
	bool		 shared;		/* of the unnamed */
	unsigned	 connections, inflight, followers;
	size_t		 bytes;
	double		 tokens;
	long long	 refilled_ms;
	/* of request.c, while the audit log has little room: lines left out since REFUSED_AT */
	int64_t		 refused_at;		/* unix s */
	unsigned	 refusals;
};

/* Renewals of a connection that callers forced in this window. */
#define RENEWALS_MAX	30
#define RENEWALS_MS	60000
struct renewals {
	struct id	 connection;
	unsigned	 n;
	long long	 since_ms;
};

struct limits {
	struct limits_conf conf;
	struct renewals	 renewals[1024];	/* by the first bytes of the id */
	unsigned	 connections;
	size_t		 bytes;
	struct bucket	*hash[256];
	struct bucket	 unnamed;
};

void limits_init(struct limits *l, const struct limits_conf *conf);
void limits_done(struct limits *l);
/* The bucket to charge; NAMED: a policy names this uid. NULL: out of memory. */
struct bucket *limits_bucket(struct limits *l, uid_t uid, bool named);
bool limits_connect(struct limits *l, struct bucket *b);	/* false: over the bound */
void limits_disconnect(struct limits *l, struct bucket *b);
/* One more call now; false: ERR_BUSY. */
bool limits_call(struct limits *l, struct bucket *b, long long now_ms);
void limits_call_done(struct bucket *b);
/* One more call that goes on; false: ERR_BUSY. */
bool limits_follow(struct limits *l, struct bucket *b);
void limits_follow_done(struct bucket *b);
/* Charges CHANGE bytes, or gives them back; false: over the bound, none is charged. */
bool limits_bytes(struct limits *l, struct bucket *b, ssize_t change);
/* Charges what cannot be refused any more: the answer of a change that was made. */
void limits_bytes_owed(struct limits *l, struct bucket *b, size_t n);
/* May callers force one more renewal of CONNECTION now? Each is a request to its provider. */
bool limits_may_renew(struct limits *l, const struct id *connection, long long now_ms);
/* One was begun. */
void limits_renewal(struct limits *l, const struct id *connection, long long now_ms);

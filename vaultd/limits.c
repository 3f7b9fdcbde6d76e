/*
 * limits.c - see limits.h.
 */
#include "vaultd/limits.h"

#include <stdlib.h>

#include "common/role.h"

#define IDLE_MS	2000	/* after a second without calls the rate is whole again */

void
limits_init(struct limits *l, const struct limits_conf *conf)
{
	*l = (struct limits){ .conf = *conf };
	l->unnamed.shared = true;
	l->unnamed.tokens = conf->rate_per_uid;
}

void
limits_done(struct limits *l)
{
	for (int i = 0; i < 256; i++)
		while (l->hash[i] != NULL) {
			struct bucket *b = l->hash[i];

			l->hash[i] = b->next;
			free(b);
		}
}

/* Groups can name many uids (and a user namespace has many more): buckets that nobody
 * uses go when somebody else looks for his. */
static void
drop_idle(struct bucket **at, long long now_ms)
{
	while (*at != NULL) {
		struct bucket *b = *at;

		if (b->connections > 0 || b->inflight > 0 || b->bytes > 0 ||
		    now_ms - b->refilled_ms < IDLE_MS) {
			at = &b->next;
			continue;
		}
		*at = b->next;
		free(b);
	}
}

static struct bucket *
make(struct limits *l, struct bucket **at, uid_t uid, long long now_ms)
{
	struct bucket *b = calloc(1, sizeof *b);

	if (b == NULL)
		return NULL;
	*b = (struct bucket){ .next = *at, .uid = uid, .tokens = l->conf.rate_per_uid,
		.refilled_ms = now_ms };
	*at = b;
	return b;
}

struct bucket *
limits_bucket(struct limits *l, uid_t uid, bool named)
{
	struct bucket **at = &l->hash[uid % 256];
	long long now_ms = boot_ms();

	if (!named)
		return &l->unnamed;
	for (struct bucket *b = *at; b != NULL; b = b->next)
		if (b->uid == uid)
			return b;
	drop_idle(at, now_ms);
	return make(l, at, uid, now_ms);
}

bool
limits_connect(struct limits *l, struct bucket *b)
{
	if (l->connections >= l->conf.connections ||
	    b->connections >= l->conf.connections_per_uid)
		return false;
	l->connections++;
	b->connections++;
	return true;
}

void
limits_disconnect(struct limits *l, struct bucket *b)
{
	l->connections--;
	b->connections--;
}

static bool
rate_allows(const struct limits *l, struct bucket *b, long long now_ms)
{
	double rate = l->conf.rate_per_uid;

	b->tokens += (double)(now_ms - b->refilled_ms) * rate / 1000;
	b->refilled_ms = now_ms;
	if (l->conf.rate_per_uid == 0)
		return true;
	if (b->tokens > rate)
		b->tokens = rate;
	if (b->tokens < 1)
		return false;
	b->tokens -= 1;
	return true;
}

bool
limits_call(struct limits *l, struct bucket *b, long long now_ms)
{
	if (b->inflight >= l->conf.inflight_per_uid || !rate_allows(l, b, now_ms))
		return false;
	b->inflight++;
	return true;
}

void
limits_call_done(struct bucket *b)
{
	b->inflight--;
}

bool
limits_follow(struct limits *l, struct bucket *b)
{
	if (b->followers >= l->conf.followers_per_uid)
		return false;
	b->followers++;
	return true;
}

void
limits_follow_done(struct bucket *b)
{
	b->followers--;
}

static bool
has_room(size_t used, size_t most, size_t more)
{
	return used <= most && more <= most - used;
}

bool
limits_bytes(struct limits *l, struct bucket *b, ssize_t change)
{
	if (change > 0 && (!has_room(b->bytes, l->conf.bytes_per_uid, (size_t)change) ||
	    !has_room(l->bytes, l->conf.bytes, (size_t)change)))
		return false;
	b->bytes += (size_t)change;
	l->bytes += (size_t)change;
	return true;
}

void
limits_bytes_owed(struct limits *l, struct bucket *b, size_t n)
{
	b->bytes += n;
	l->bytes += n;
}

static struct renewals *
renewals_of(struct limits *l, const struct id *connection, long long now_ms)
{
	struct renewals *r = &l->renewals[(connection->b[0] << 8 | connection->b[1]) % 1024];

	/* Ids are random: two that share a place take turns, and are bounded all the same. */
	if (!id_equal(&r->connection, connection) || now_ms - r->since_ms >= RENEWALS_MS)
		*r = (struct renewals){ .connection = *connection, .since_ms = now_ms };
	return r;
}

bool
limits_may_renew(struct limits *l, const struct id *connection, long long now_ms)
{
	return renewals_of(l, connection, now_ms)->n < RENEWALS_MAX;
}

void
limits_renewal(struct limits *l, const struct id *connection, long long now_ms)
{
	renewals_of(l, connection, now_ms)->n++;
}

/*
 * limits.c - see limits.h.
 */
#include "vaultd/limits.h"

#include <stdlib.h>

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

/* Buckets of named uids stay: there are as many as policies name. */
struct bucket *
limits_bucket(struct limits *l, uid_t uid, bool named)
{
	struct bucket *b;

	if (!named)
		return &l->unnamed;
	for (b = l->hash[uid % 256]; b != NULL; b = b->next)
		if (b->uid == uid)
			return b;
	if ((b = calloc(1, sizeof *b)) == NULL)
		return NULL;
	b->uid = uid;
	b->tokens = l->conf.rate_per_uid;
	b->next = l->hash[uid % 256];
	l->hash[uid % 256] = b;
	return b;
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

	if (l->conf.rate_per_uid == 0)
		return true;
	b->tokens += (double)(now_ms - b->refilled_ms) * rate / 1000;
	b->refilled_ms = now_ms;
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
limits_bytes(struct limits *l, struct bucket *b, ssize_t change)
{
	if (change > 0 && b->bytes + (size_t)change > l->conf.bytes_per_uid)
		return false;
	b->bytes = change < 0 ? b->bytes - (size_t)-change : b->bytes + (size_t)change;
	return true;
}

/*
 * follow.c - see follow.h.
 */
#include "vaultd/follow.h"

#include <event2/event.h>

#include "vaultd/conn.h"
#include "vaultd/request.h"
#include "vaultd/vault.h"

bool
follow_begin(struct request *r)
{
	struct vault *v = r->vault;

	if (!limits_follow(&v->limits, r->conn->bucket))
		return false;
	r->following = true;
	r->follow_next = v->followers;
	if (v->followers != NULL)
		v->followers->follow_prev = r;
	v->followers = r;
	return true;
}

void
follow_end(struct request *r)
{
	if (!r->following)
		return;
	limits_follow_done(r->conn->bucket);
	*(r->follow_prev != NULL ? &r->follow_prev->follow_next : &r->vault->followers) =
	    r->follow_next;
	if (r->follow_next != NULL)
		r->follow_next->follow_prev = r->follow_prev;
	r->following = false;
}

static void
nothing(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

/* The loop makes another pass at once. */
void
follow_poke(struct vault *v)
{
	static const struct timeval now = { 0, 0 };

	if (v->followers != NULL)
		event_base_once(v->base, -1, EV_TIMEOUT, nothing, NULL, &now);
}

void
follow_sent(struct request *r)
{
	r->idle = true;
	follow_poke(r->vault);
}

void
follow_run(struct vault *v)
{
	struct request *next;
	uint64_t version;
	bool behind = false;

	if (v->followers == NULL)
		return;
	version = store_version(v->store, TABLE_EVENT);
	for (struct request *r = v->followers; r != NULL; r = next) {
		next = r->follow_next;
		if (!r->idle || (!r->behind && r->heard == version && version != 0 &&
		    !r->conn->eof))
			continue;
		r->idle = false;
		r->heard = version;
		if (!request_next(r)) {
			r->idle = true;
			behind |= r->behind;
		}
	}
	if (behind)
		follow_poke(v);
}

/*
 * warn.c - see warn.h.
 */
#include "vaultd/warn.h"

#include "common/auto.h"
#include "common/role.h"
#include "vaultd/notice.h"
#include "vaultd/objects.h"
#include "vaultd/schedule.h"
#include "vaultd/vault.h"

#define DAY 86400

static const int64_t before[] = { 14 * DAY, 7 * DAY, 1 * DAY };
#define WARNINGS (sizeof before / sizeof *before)

int64_t
warn_next(int64_t end, int64_t now, bool at_once)
{
	int64_t over = 0;

	if (end <= now)
		return 0;
	for (size_t i = 0; i < WARNINGS; i++) {
		if (end - before[i] > now)
			return over != 0 && at_once ? over : end - before[i];
		over = end - before[i];
	}
	return at_once ? over : 0;
}

/* ---- what an object has that ends */

struct ends {
	size_t	n;
	struct { int64_t at; const char *text; } v[4];
};

static void
add(struct ends *e, int64_t at, const char *text)
{
	if (at == 0)
		return;
	e->v[e->n].at = at;
	e->v[e->n++].text = text;
}

static struct ends
ends_of_app(const struct app *a)
{
	struct ends e = { 0 };

	if (a == NULL)
		return e;
	add(&e, a->rotate_by, "its client secret is to be replaced by then");
	add(&e, a->secret_expires, "its client secret ends");
	add(&e, a->cert_not_after, "its client certificate ends");
	return e;
}

static struct ends
ends_of_grant(const struct grant *g)
{
	struct ends e = { 0 };

	if (g != NULL)
		add(&e, g->refresh_expires, "the sign-in ends");
	return e;
}

static bool
has(const struct ends *e, int64_t at)
{
	for (size_t i = 0; i < e->n; i++)
		if (e->v[i].at == at)
			return true;
	return false;
}

/* ---- planning */

static void
plan(struct changes *c, const struct id *id, const struct ends *old, const struct ends *now,
    bool at_once)
{
	int64_t t = wall_seconds();

	for (size_t i = 0; i < old->n; i++)
		for (size_t k = 0; k < WARNINGS && !has(now, old->v[i].at); k++)
			due_remove(c, (old->v[i].at - before[k]) * 1000, id, DUE_WARN);
	for (size_t i = 0; i < now->n; i++) {
		int64_t first = warn_next(now->v[i].at, t, at_once);

		if (first > 0 && !has(old, now->v[i].at))
			due_put(c, first * 1000, id, DUE_WARN);
	}
}

void
warn_plan_app(struct changes *c, const struct app *old, const struct app *now)
{
	struct ends was = ends_of_app(old), is = ends_of_app(now);

	plan(c, &now->id, &was, &is, true);
}

/* Its end moves with each refresh, at many providers: that a sign-in lives only ten days is no
 * warning. */
void
warn_plan_grant(struct changes *c, const struct grant *old, const struct grant *now)
{
	struct ends was = ends_of_grant(old), is = ends_of_grant(now);

	plan(c, &now->connection, &was, &is, false);
}

/* ---- due */

/* Of an entry that was planned for another end nothing is told. */
static bool
is_warning_of(int64_t unix_s, int64_t end)
{
	for (size_t i = 0; i < WARNINGS; i++)
		if (unix_s == end - before[i])
			return true;
	return false;
}

/* The one behind that of UNIX_S; a clock that was set back does not bring it again. */
static int64_t
next_after(int64_t end, int64_t unix_s)
{
	int64_t now = wall_seconds();

	return warn_next(end, now > unix_s ? now : unix_s, false);
}

static void
warn_app(struct changes *c, const struct app *a, int64_t unix_s)
{
	struct ends e = ends_of_app(a);

	for (size_t i = 0; i < e.n; i++) {
		int64_t next = next_after(e.v[i].at, unix_s);

		if (!is_warning_of(unix_s, e.v[i].at))
			continue;
		notice_about_app(c, NOTICE_ROTATE_DUE, a, e.v[i].at, e.v[i].text);
		if (next > 0)
			due_put(c, next * 1000, &a->id, DUE_WARN);
	}
}

static void
warn_grant(struct vault *v, struct changes *c, const struct grant *g, int64_t unix_s)
{
	int64_t next = next_after(g->refresh_expires, unix_s);
	struct connection r;
	struct err e;

	if (!is_warning_of(unix_s, g->refresh_expires) ||
	    object_connection(v, &g->connection, false, &r, NULL, &e) != 0)
		return;
	/* Nobody waits for one that does not work, or that is gone. */
	if (r.state == CONN_CONNECTED || r.state == CONN_DEGRADED)
		notice_about_connection(v, c, NOTICE_EXPIRING, &r, g->refresh_expires);
	if (next > 0)
		due_put(c, next * 1000, &g->connection, DUE_WARN);
}

void
warn_due(struct vault *v, struct changes *c, int64_t unix_ms, const struct id *id)
{
	AUTO(app) a = { 0 };
	AUTO(grant) g = { 0 };
	struct err e;

	if (object_app(v, id, &a, NULL, &e) == 0)
		warn_app(c, &a, unix_ms / 1000);
	else if (object_grant(v, id, &g, NULL, &e) == 0)
		warn_grant(v, c, &g, unix_ms / 1000);
}

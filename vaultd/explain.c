/*
 * explain.c - see explain.h.
 */
#include "vaultd/explain.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/advice.h"
#include "common/auto.h"
#include "common/scope.h"
#include "vaultd/objects.h"
#include "vaultd/refresh.h"
#include "vaultd/refresh_rules.h"
#include "vaultd/vault.h"

#define LOOK_MAX 1000	/* connections of one app: more are "over 1000" */

void
explain_host(const char *url, char *ret, size_t cap)
{
	const char *at = strstr(url, "://");

	at = at == NULL ? url : at + 3;
	snprintf(ret, cap, "%.*s", (int)strcspn(at, "/?#"), at);
}

/* ---- others that use the same app */

struct others {
	struct vault		*v;
	const struct connection	*c;
	unsigned		 n, looked;
	bool			 accounts;	/* look at them, do not just count */
	int64_t			 newer;
};

/* Connected as the same account, after C was signed in. */
static void
look_at(struct others *o, const struct id *id)
{
	AUTO(grant) g = { 0 };
	struct connection c;
	struct err e;

	if (id_equal(id, &o->c->id) || object_connection(o->v, id, true, &c, NULL, &e) != 0 ||
	    c.account[0] == '\0' || strcmp(c.account, o->c->account) != 0 ||
	    object_grant(o->v, id, &g, NULL, &e) != 0)
		return;
	if (g.signed_in > o->newer)
		o->newer = g.signed_in;
}

static bool
each_other(void *arg, struct slice key, struct slice value, uint64_t generation)
{
	struct others *o = arg;
	struct id id;

	(void)value;
	(void)generation;
	if (!id_behind(key, sizeof id.b, &id))
		return true;
	o->n++;
	if (o->accounts)
		look_at(o, &id);
	return ++o->looked <= LOOK_MAX;
}

static struct others
others(struct vault *v, const struct connection *c, bool accounts)
{
	struct others o = { .v = v, .c = c, .accounts = accounts && c->account[0] != '\0' };
	struct slice key = { c->app.b, sizeof c->app.b };
	struct err e;

	if (!id_is_null(&c->app) && (o.accounts || !accounts))
		store_walk(v->store, TABLE_CONNECTION_BY_APP, key, key, each_other, &o, &e);
	return o;
}

/* ---- facts */

static void
facts_of_app(struct vault *v, const struct connection *c, struct diagnose_facts *f)
{
	AUTO(app) app = { 0 };
	struct err e;

	if (object_app(v, &c->app, &app, NULL, &e) != 0)
		return;
	f->secret_expires = app.secret_expires;
	f->asserts = app.key_kind != 0 || strcmp(app.client_auth,
	    client_auth_name(CLIENT_PRIVATE_KEY_JWT)) == 0;
}

struct diagnose_facts
explain_facts(struct vault *v, const struct connection *c, int64_t now)
{
	const struct connector *k = catalogue_pinned(&v->catalogue, c->connector,
	    c->connector_version);
	struct diagnose_facts f = { .now = now, .last_ok = c->last_refresh_ok,
		.lost = c->ambiguous_since != 0, .skew_s = c->skew_s };
	AUTO(grant) g = { 0 };
	struct err e;

	if (object_grant(v, &c->id, &g, NULL, &e) == 0) {
		f.signed_in = g.signed_in;
		f.refresh_obtained = g.obtained;
		f.refresh_expires = g.refresh_expires;
		f.foreign = !id_equal(&g.instance, &v->instance);
	}
	if (k != NULL) {
		f.idle_s = k->refresh_idle_s;
		f.absolute_s = k->refresh_absolute_s;
		f.test_s = k->refresh_test_s;
	}
	facts_of_app(v, c, &f);
	f.newer = others(v, c, true).newer;
	return f;
}

int64_t
explain_next_try(struct vault *v, const struct connection *c)
{
	struct refresh_facts f = refresh_facts_of(v, c);

	if (c->failures == 0 || c->cause == ERR_NONE)
		return 0;
	f.now = c->cause_time;		/* as it was planned then */
	return refresh_next_try(c, &f) / 1000;
}

/* ---- values */

static void
add_next_try(struct vault *v, const struct connection *c, struct err *e)
{
	int64_t at = explain_next_try(v, c), left = at - clock_s(&v->clock);
	char span[32];

	if (at == 0 || err_detail_get(e, "next_try") != NULL)
		return;
	advice_span(left, span, sizeof span);
	if (left <= 0)
		err_detail(e, "next_try", "any moment now");
	else
		err_detail(e, "next_try", "in %s", span);
}

static void
add_expires(struct vault *v, const struct connection *c, struct err *e)
{
	struct refresh_facts f = refresh_facts_of(v, c);
	char span[32];

	if (!f.alive || f.expires == 0)
		return;
	advice_span(f.expires - f.now, span, sizeof span);
	err_detail(e, "expires", "in %s", span);
}

static void
add_scopes(const struct connection *c, struct err *e)
{
	char missing[120] = "", word[120];
	size_t n = 0;

	if (e->id != ERR_SCOPE_INSUFFICIENT && e->id != ERR_SCOPE_INVALID)
		return;
	for (const char *at = c->scope_requested; *at != '\0'; ) {
		size_t len = strcspn(at, " ");

		snprintf(word, sizeof word, "%.*s", (int)len, at);
		if (len > 0 && (e->id == ERR_SCOPE_INVALID || !scope_has(c->scope, word)) &&
		    n + strlen(word) + 2 < sizeof missing)
			n += (size_t)snprintf(missing + n, sizeof missing - n, "%s%s",
			    n > 0 ? " " : "", word);
		at += len + (at[len] == ' ');
	}
	if (n > 0)
		err_detail(e, "scopes", "%s", missing);
}

static void
add_spans(struct vault *v, const struct connection *c, struct err *e)
{
	struct diagnose_facts f = explain_facts(v, c, c->cause_time);
	int64_t limit = diagnose_limit_s(e->id, &f);
	char span[32];

	if (limit > 0) {
		advice_span(limit, span, sizeof span);
		err_detail(e, "limit", "%s", span);
	}
	if (e->id == ERR_GRANT_EXPIRED_IDLE && f.last_ok > 0) {
		advice_span(f.now - f.last_ok, span, sizeof span);
		err_detail(e, "days", "%s", span);
	}
	if (e->id == ERR_CLOCK_SKEW)
		err_detail(e, "skew", "%d s", f.skew_s < 0 ? -f.skew_s : f.skew_s);
}

static void
add_affected(struct vault *v, const struct connection *c, struct err *e)
{
	unsigned n;

	if (err_row(e->id)->owner != OWNER_ADMIN || (n = others(v, c, false).n) == 0)
		return;
	if (n > LOOK_MAX)
		err_detail(e, "affected", "more than %d connections", LOOK_MAX);
	else
		err_detail(e, "affected", n == 1 ? "1 connection" : "%u connections", n);
}

static void
add_app(struct vault *v, const struct connection *c, struct err *e)
{
	AUTO(app) app = { 0 };
	char text[120];
	struct err ignored;
	struct tm tm;
	time_t t;

	if (id_is_null(&c->app) || object_app(v, &c->app, &app, NULL, &ignored) != 0)
		return;
	err_detail(e, "app", "%s", app.name);
	explain_host(app.token_url, text, sizeof text);
	if (err_detail_get(e, "host") == NULL)
		err_detail(e, "host", "%s", text);
	if (e->id == ERR_REDIRECT_URI_MISMATCH && err_detail_get(e, "redirect_uri") == NULL)
		err_detail(e, "redirect_uri", "%s", app.redirect_uri);
	t = (time_t)app.secret_expires;
	if (e->id == ERR_CLIENT_SECRET_EXPIRED && t != 0 && gmtime_r(&t, &tm) != NULL &&
	    strftime(text, sizeof text, "%Y-%m-%d", &tm) > 0)
		err_detail(e, "ended", "%s", text);
}

void
explain_add(struct vault *v, const struct connection *c, struct err *e)
{
	const struct connector *k = catalogue_pinned(&v->catalogue, c->connector,
	    c->connector_version);

	if (err_detail_get(e, "provider") != NULL)	/* done before */
		return;
	if (err_detail_get(e, "connection") == NULL)
		err_detail(e, "connection", "%s", c->name);
	if (k != NULL)
		err_detail(e, "provider", "%s", k->name);
	add_app(v, c, e);
	add_scopes(c, e);
	if (e->id == c->cause)
		add_spans(v, c, e);
	add_affected(v, c, e);
	add_next_try(v, c, e);
	add_expires(v, c, e);
}

void
explain(struct vault *v, const struct connection *c, struct err *e)
{
	err_name(e, c->cause, "%s", c->cause_text);
	if (c->cause_code[0] != '\0')
		err_detail(e, "provider_code", "%s", c->cause_code);
	if (c->cause_status != 0)
		err_detail(e, "http_status", "%u", c->cause_status);
	err_detail(e, "phase", "%s", phase_name(c->cause_phase));
	explain_add(v, c, e);
}

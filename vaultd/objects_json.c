/*
 * objects_json.c - records as the answers show them. See objects.h and the IDL.
 */
#include <stdio.h>
#include <string.h>

#include "common/advice.h"
#include "common/auto.h"
#include "common/errors.h"
#include "common/scope.h"
#include "vaultd/bindings.h"
#include "vaultd/conn.h"
#include "vaultd/explain.h"
#include "vaultd/objects.h"
#include "vaultd/used.h"
#include "vaultd/vault.h"

static void
set(json_t *o, const char *key, const char *value)
{
	json_object_set_new(o, key, json_string(value));
}

/* A member whose absence is null. */
static void
set_or_null(json_t *o, const char *key, const char *value)
{
	json_object_set_new(o, key, *value == '\0' ? json_null() : json_string(value));
}

static void
set_int(json_t *o, const char *key, int64_t value)
{
	json_object_set_new(o, key, json_integer(value));
}

static void
set_app(struct request *r, json_t *o, const struct connection *c)
{
	struct app a = { 0 };
	struct err e;
	bool has = !id_is_null(&c->app);

	json_object_set_new(o, "byoa", json_boolean(has));
	if (has && object_app(r->vault, &c->app, &a, NULL, &e) == 0)
		set(o, "app", a.name);
	else
		json_object_set_new(o, "app", json_null());
	app_done(&a);
}

/* What went wrong last, whose move it is, and what to do. */
static void
set_cause(struct request *r, json_t *o, const struct connection *c)
{
	bool has = c->cause != ERR_NONE;
	char advice[ADVICE_MAX] = "";
	struct err e;

	if (has) {
		explain(r->vault, c, &e);
		advice_text(&e, advice, sizeof advice);
	}
	set_or_null(o, "cause", has ? err_row(c->cause)->name : "");
	set_or_null(o, "cause_text", c->cause_text);
	set_int(o, "cause_time", c->cause_time);
	set_or_null(o, "cause_owner", has ? err_owner_name(err_row(c->cause)->owner) : "");
	set_or_null(o, "cause_phase", has ? phase_name(c->cause_phase) : "");
	json_object_set_new(o, "cause_status", c->cause_status == 0 ? json_null() :
	    json_integer(c->cause_status));
	set_or_null(o, "provider_code", c->cause_code);
	set_or_null(o, "provider_text", c->cause_provider_text);
	set_or_null(o, "cause_trace", c->cause_trace);
	set_int(o, "cause_generation", (int64_t)c->cause_generation);
	set_or_null(o, "advice", advice);
	set_int(o, "failures", c->failures);
	set_int(o, "next_try", has ? clock_shown(&r->vault->clock, explain_next_try(r->vault, c)) : 0);
}

static bool
shares_grant(struct request *r, const struct connection *c)
{
	AUTO(grant) g = { 0 };
	struct err e;

	return object_grant(r->vault, &c->id, &g, NULL, &e) == 0 &&
	    object_has_sibling(r->vault, g.fingerprint, &c->id, NULL);
}

/* What works, and will not for long, or not for all. */
static void
set_warnings(struct request *r, json_t *o, const struct connection *c)
{
	json_t *texts = json_array();
	int skew = c->skew_s < 0 ? -c->skew_s : c->skew_s;

	if (shares_grant(r, c))
		json_array_append_new(texts, json_string("the provider gave another connection the same "
		    "refresh token: both are renewed at once, and revoking one ends both"));
	if (skew > SKEW_MAX_S)
		json_array_append_new(texts, json_sprintf("this machine's clock is %s the provider's by "
		    "%d s: have an operator set it (NTP)", c->skew_s < 0 ? "ahead of" : "behind", skew));
	set_int(o, "skew_s", c->skew_s);
	json_object_set_new(o, "warnings", texts);
}

static int64_t
expiry(struct request *r, const struct connection *c)
{
	struct slice key = { c->id.b, sizeof c->id.b }, in;
	struct release_view view;
	struct err e;

	if (store_get(r->vault->store, TABLE_RELEASE, key, &in, NULL, &e) != 0 ||
	    !release_view(in, &view))
		return 0;
	return view.expires;
}

/* When signing in again is due, whatever is renewed until then. */
static int64_t
grant_expiry(struct request *r, const struct connection *c)
{
	AUTO(grant) g = { 0 };
	struct err e;

	return object_grant(r->vault, &c->id, &g, NULL, &e) == 0 ? g.refresh_expires : 0;
}

const char *
object_account_class(uint8_t class)
{
	static const char *const names[] = { "unknown", "personal", "service" };

	return class <= ACCOUNT_CLASS_SERVICE ? names[class] : "unknown";
}

/* Asked for and not granted; where a provider says nothing of what it granted, it is what was asked
 * for. And what an API said is missing. */
static void
set_scopes(json_t *o, const struct connection *c)
{
	const char *requested = c->scope_requested;
	json_t *gap = json_array();

	set_or_null(o, "scope", c->scope);
	set_or_null(o, "scope_requested", requested);
	while (*requested != '\0' && c->scope[0] != '\0') {
		char word[256];
		size_t n = strcspn(requested, " ");

		snprintf(word, sizeof word, "%.*s", (int)n, requested);
		if (n > 0 && n < sizeof word && !scope_has(c->scope, word))
			json_array_append_new(gap, json_string(word));
		requested += n + (requested[n] == ' ');
	}
	json_object_set_new(o, "scope_gap", gap);
	set_or_null(o, "reported_gap", c->gap_scope);
	set_int(o, "reported_gap_time", c->gap_time);
}

/* Version of what is stored, and the KEK that its key is wrapped by. */
static void
set_secret(struct request *r, json_t *o, const struct connection *c)
{
	AUTO(buf) wrap = { 0 };
	struct slice key = { c->id.b, sizeof c->id.b }, in;
	struct release_view view;
	struct wrap_view w;
	struct err e;
	bool has = store_get(r->vault->store, TABLE_RELEASE, key, &in, NULL, &e) == 0 &&
	    release_view(in, &view);

	set_int(o, "secret_version", has ? (int64_t)view.version : 0);
	if (has && object_wrap(r->vault, &c->id, PURPOSE_RELEASE, &wrap, &e) == 0 &&
	    wrap_decode(buf_slice(&wrap), &w, &e) == 0)
		json_object_set_new(o, "key_label", json_stringn(w.kek_id, strnlen(w.kek_id, 16)));
	else
		json_object_set_new(o, "key_label", json_null());
}

static void
set_check(struct request *r, json_t *o, const struct connection *c)
{
	uint32_t s = c->check_interval_s != 0 ? c->check_interval_s : r->vault->conf.check_seconds;

	/* Minutes, rounded up; 0 = it is not checked by itself. */
	set_int(o, "check_interval", (s + 59) / 60);
	set_int(o, "last_checked", c->last_checked);
	set_or_null(o, "check_cause", c->check_cause == ERR_NONE ? "" : err_row(c->check_cause)->name);
	set_or_null(o, "check_text", c->check_text);
	set_or_null(o, "check_advice",
	    c->check_cause == ERR_NONE ? "" : err_row(c->check_cause)->advice);
}

static json_t *
vars_json(const struct ex_vars *v)
{
	json_t *o = json_object();

	for (size_t i = 0; i < v->n; i++)
		set(o, v->v[i].name, v->v[i].value);
	return o;
}

json_t *
object_connection_json(struct request *r, const struct target *t)
{
	const struct connection *c = &t->c;
	json_t *o = json_object();
	char id[ID_TEXT], folder[400], path[600];

	id_text(&c->id, id);
	object_folder_path(r->vault, r, &t->f, folder, sizeof folder);
	snprintf(path, sizeof path, "%s/%s", folder, c->name);
	set(o, "id", id);
	set(o, "path", path);
	set(o, "name", c->name);
	set(o, "folder", folder);
	set(o, "connector", c->connector);
	set_int(o, "connector_version", c->connector_version);
	set(o, "auth_type", auth_type_name(c->auth_type));
	set_app(r, o, c);
	set(o, "state", conn_state_name(c->state));
	set(o, "summary", conn_state_summary(c->state));
	if (t->f.class == FOLDER_PERSONAL) {
		set(o, "owner", t->f.owner_name);
	} else {
		char owner[16];

		object_uid_name(c->owner, owner);
		set(o, "owner", owner);
	}
	set_or_null(o, "account", c->account);
	json_object_set_new(o, "is_default", json_boolean(default_is(r->vault, c)));
	set_or_null(o, "api_base", c->api_base);
	json_object_set_new(o, "captured", vars_json(&c->captured));
	set_or_null(o, "description", c->description);
	set(o, "account_class", object_account_class(c->account_class));
	set_scopes(o, c);
	set_secret(r, o, c);
	set_check(r, o, c);
	set_int(o, "last_used", used_at(r->vault, &c->id));
	set_int(o, "created", c->created);
	set_int(o, "updated", c->updated);
	set_int(o, "expires", clock_shown(&r->vault->clock, expiry(r, c)));
	set_int(o, "refresh_token_expires", clock_shown(&r->vault->clock, grant_expiry(r, c)));
	set_int(o, "last_refresh_ok", c->last_refresh_ok);
	set_int(o, "state_since", c->state_since);
	json_object_set_new(o, "resumes", c->resume == 0 ? json_null() :
	    json_string(conn_state_name(c->resume)));
	set_or_null(o, "disabled_note", c->disabled_note);
	json_object_set_new(o, "disabled_by", c->state == CONN_DISABLED ?
	    json_integer(c->disabled_by) : json_null());
	set_cause(r, o, c);
	set_warnings(r, o, c);
	set_int(o, "revision", (int64_t)t->generation);
	return o;
}

static json_t *
words(const char *text)
{
	json_t *a = json_array();

	while (*text != '\0') {
		size_t n = strcspn(text, " ");

		if (n > 0)
			json_array_append_new(a, json_stringn(text, n));
		text += n + (text[n] == ' ');
	}
	return a;
}

json_t *
object_app_json(const struct app *a, uint64_t generation)
{
	json_t *o = json_object();
	char id[ID_TEXT];

	id_text(&a->id, id);
	set(o, "id", id);
	set(o, "name", a->name);
	set(o, "connector", a->connector);
	set_int(o, "connector_version", a->connector_version);
	set(o, "client_id", a->client_id);
	set(o, "client_auth", a->client_auth);
	set(o, "redirect_uri", a->redirect_uri);
	json_object_set_new(o, "scopes", words(a->scope));
	json_object_set_new(o, "variables", vars_json(&a->vars));
	set(o, "authorization_url", a->authorization_url);
	set(o, "token_url", a->token_url);
	set_or_null(o, "issuer", a->issuer);
	set_or_null(o, "owner", a->owner_note);
	set_or_null(o, "purpose", a->purpose_note);
	set_int(o, "created", a->created);
	set_int(o, "rotate_by", a->rotate_by);
	set_or_null(o, "key_kind", a->key_kind == 0 ? "" : pair_kind_name(a->key_kind));
	set_or_null(o, "kid", a->kid);
	set_int(o, "certificate_expires", a->cert_not_after);
	set_int(o, "secret_expires", a->secret_expires);
	set_int(o, "revision", (int64_t)generation);
	return o;
}

json_t *
object_folder_json(struct request *r, const struct folder *f)
{
	json_t *o = json_object();
	char id[ID_TEXT], path[400];

	id_text(&f->id, id);
	object_folder_path(r->vault, r, f, path, sizeof path);
	set(o, "id", id);
	set(o, "path", path);
	set(o, "class", f->class == FOLDER_SHARED ? "shared" : "personal");
	set_or_null(o, "owner", f->owner_name);
	set_int(o, "created", f->created);
	return o;
}

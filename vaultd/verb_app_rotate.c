/*
 * verb_app_rotate.c - vaultd.Apps.StageSecret, TestSecret, Promote, Retire and Edit: a new client
 * secret beside the old one, tried, put to use, and the old one kept for a while.
 */
#include <stdio.h>
#include <string.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/role.h"
#include "vaultd/egress.h"
#include "vaultd/objects.h"
#include "vaultd/schedule.h"
#include "vaultd/verb_app.h"
#include "vaultd/verbs.h"

#define OVERLAP_DEFAULT_S (7 * 86400)

static const struct field app_fields[] = {
	{ "app", F_STR, offsetof(struct app_args, name), true, NAME_MAX_LEN },
	{ 0 },
};

static int
no_secret(const struct app_args *a, const char *which, struct err *e)
{
	return err_name(e, ERR_CONFLICT, "OAuth app '%s' has no %s secret", a->a.name, which);
}

/* ---- StageSecret */

static const struct field stage_fields[] = {
	{ "app", F_STR, offsetof(struct app_args, name), true, NAME_MAX_LEN },
	{ "client_secret", F_SECRET, offsetof(struct app_args, client_secret), true, 8192 },
	{ 0 },
};

static int
stage_store(struct request *r, struct slice body, struct err *e)
{
	struct app_args *a = r->args;
	AUTO(seal_app_result) res = { 0 };
	struct app *app = &a->a;

	if (seal_app_result_get(body, &res, e) != 0)
		return e->code;
	buf_done(&app->slot_blob);	/* one that was staged before makes room */
	app->slot = SLOT_STAGED;
	app->slot_version = app_next_version(app);
	app->slot_since = wall_seconds();
	app->slot_blob = buf_take(&res.blob);
	app->tested = APP_UNTESTED;
	app->tested_text[0] = '\0';
	r->after = app_reply;
	if (object_put_wrap_at(r->vault, &r->changes, &app->id, PURPOSE_GRANT, 1,
		buf_slice(&res.wrap), e) != 0)
		return e->code;
	return object_put_app(r->vault, &r->changes, app, a->generation, e);
}

static void
stage_sealed(void *arg, int rc, struct slice body, struct err *e)
{
	struct request *r = arg;

	if (rc == 0)
		rc = stage_store(r, body, e);
	request_resume(r, rc, e);
}

static int
stage_run(struct request *r, struct err *e)
{
	struct app_args *a = r->args;
	AUTO(buf) wrap = { 0 };
	AUTO(msg) m = { 0 };
	struct seal_app q = { .app = a->a.id, .version = app_next_version(&a->a) };

	if (a->a.slot == SLOT_PREVIOUS)
		return err_name(e, ERR_IN_USE, "the previous secret of OAuth app '%s' is kept still: "
		    "retire it first", a->a.name);
	if (object_wrap(r->vault, &a->a.id, PURPOSE_GRANT, &wrap, e) != 0)
		return e->code;
	q.old = sealed_of(&a->a.id, a->a.version, &a->a.blob, &wrap);
	q.client_secret = secret_take(&a->client_secret);
	msg_secret(&m);
	seal_app_put(&m, &q);
	seal_app_done(&q);
	request_defer(r);
	egress_call(r->vault->egress, EGRESS_SEAL_APP, &m, EGRESS_SHORT_MS, stage_sealed, r);
	return REQUEST_WAIT;
}

const struct verb verb_app_stage = {
	.method = "vaultd.Apps.StageSecret",
	.help = "a new client secret beside the one in use",
	.action = ACT_APP_ROTATE,
	.flags = VERB_CHANGE | VERB_UNSEALED | VERB_HSM,
	.fields = stage_fields,
	.args_size = sizeof(struct app_args),
	.args_done = app_args_done,
	.object = app_object,
	.run = stage_run,
};

/* ---- TestSecret */

static int
test_store(struct request *r, const struct test_app_result *res, struct err *e)
{
	struct app_args *a = r->args;

	a->a.tested = res->found;
	a->a.tested_at = wall_seconds();
	snprintf(a->a.tested_text, sizeof a->a.tested_text, "%s", res->text);
	r->after = app_reply;
	return object_put_app(r->vault, &r->changes, &a->a, a->generation, e);
}

static void
tested(void *arg, int rc, struct slice body, struct err *e)
{
	struct request *r = arg;
	struct test_app_result res = { 0 };

	if (rc == 0)
		rc = test_app_result_get(body, &res, e);
	if (rc == 0)
		rc = test_store(r, &res, e);
	request_resume(r, rc, e);
}

static int
test_run(struct request *r, struct err *e)
{
	struct app_args *a = r->args;
	AUTO(buf) wrap = { 0 };
	AUTO(msg) m = { 0 };
	struct test_app q;

	if (a->a.slot != SLOT_STAGED)
		return no_secret(a, "staged", e);
	if (object_wrap_at(r->vault, &a->a.id, PURPOSE_GRANT, 1, &wrap, e) != 0)
		return e->code;
	q.app = sealed_of(&a->a.id, a->a.slot_version, &a->a.slot_blob, &wrap);
	test_app_put(&m, &q);
	request_defer(r);
	egress_call(r->vault->egress, EGRESS_TEST_APP, &m, EGRESS_SHORT_MS, tested, r);
	return REQUEST_WAIT;
}

const struct verb verb_app_test = {
	.method = "vaultd.Apps.TestSecret",
	.help = "does the provider take the staged client secret?",
	.action = ACT_APP_ROTATE,
	.flags = VERB_CHANGE | VERB_UNSEALED | VERB_HSM,
	.fields = app_fields,
	.args_size = sizeof(struct app_args),
	.args_done = app_args_done,
	.object = app_object,
	.run = test_run,
};

/* ---- Promote */

static const struct field promote_fields[] = {
	{ "app", F_STR, offsetof(struct app_args, name), true, NAME_MAX_LEN },
	{ "overlap", F_SECONDS, offsetof(struct app_args, overlap), false, 0 },
	{ "secret_expires", F_INT, offsetof(struct app_args, secret_expires), false, 0 },
	{ "rotate_by", F_INT, offsetof(struct app_args, rotate_by), false, 0 },
	{ 0 },
};

static int
promote_run(struct request *r, struct err *e)
{
	struct app_args *a = r->args;
	struct app *app = &a->a;
	int64_t overlap = a->overlap == 0 ? OVERLAP_DEFAULT_S : a->overlap;

	if (app->slot != SLOT_STAGED)
		return no_secret(a, "staged", e);
	if (app->tested == APP_REFUSED)
		return err_name(e, ERR_CONFLICT, "the provider refused the staged secret of OAuth app "
		    "'%s': %s; stage another, or test it again", app->name, app->tested_text);
	if (app_swap(r->vault, &r->changes, app, e) != 0)
		return e->code;
	app->slot = SLOT_PREVIOUS;
	app->slot_until = wall_seconds() + overlap;
	app->secret_expires = a->secret_expires;
	app->rotate_by = a->rotate_by;
	app_absolve(&r->changes, app);
	due_put(&r->changes, app->slot_until * 1000, &app->id, DUE_APP);
	r->after = app_reply;
	return object_put_app(r->vault, &r->changes, app, a->generation, e);
}

const struct verb verb_app_promote = {
	.method = "vaultd.Apps.Promote",
	.help = "use the staged client secret, and keep the one before for a while",
	.action = ACT_APP_ROTATE,
	.flags = VERB_CHANGE,
	.fields = promote_fields,
	.args_size = sizeof(struct app_args),
	.args_done = app_args_done,
	.object = app_object,
	.run = promote_run,
};

/* ---- Retire */

static int
retire_run(struct request *r, struct err *e)
{
	struct app_args *a = r->args;

	if (a->a.slot == SLOT_EMPTY)
		return no_secret(a, "second", e);
	if (app_drop_slot(r->vault, &r->changes, &a->a, e) != 0)
		return e->code;
	r->after = app_reply;
	return object_put_app(r->vault, &r->changes, &a->a, a->generation, e);
}

const struct verb verb_app_retire = {
	.method = "vaultd.Apps.Retire",
	.help = "forget the previous client secret, or a staged one",
	.action = ACT_APP_ROTATE,
	.flags = VERB_CHANGE,
	.fields = app_fields,
	.args_size = sizeof(struct app_args),
	.args_done = app_args_done,
	.object = app_object,
	.run = retire_run,
};

/* ---- Edit */

static const struct field edit_fields[] = {
	{ "app", F_STR, offsetof(struct app_args, name), true, NAME_MAX_LEN },
	{ "name", F_NAME, offsetof(struct app_args, new_name), false, 0 },
	{ "owner", F_STR, offsetof(struct app_args, owner), false, 159 },
	{ "purpose", F_STR, offsetof(struct app_args, purpose), false, 159 },
	{ "scopes", F_STRINGS, offsetof(struct app_args, scopes), false, 200 },
	{ "rotate_by", F_INT, offsetof(struct app_args, rotate_by), false, 0 },
	{ "secret_expires", F_INT, offsetof(struct app_args, secret_expires), false, 0 },
	{ "client_id", F_STR, offsetof(struct app_args, client_id), false, 511 },
	{ "connector", F_STR, offsetof(struct app_args, connector), false, 63 },
	{ "revision", F_INT, offsetof(struct app_args, revision), false, 0 },
	{ 0 },
};

static int
never_changes(const struct app_args *a, struct err *e)
{
	const char *what = a->client_id != NULL && strcmp(a->client_id, a->a.client_id) != 0 ?
	    "client id" : a->connector != NULL && strcmp(a->connector, a->a.connector) != 0 ?
	    "connector" : NULL;

	if (what == NULL)
		return 0;
	return err_name(e, ERR_IMMUTABLE, "the %s of an OAuth app never changes: the sign-ins made "
	    "with it are that client's alone; register another app, and sign in with that", what);
}

static int
rename_app(struct request *r, struct err *e)
{
	struct app_args *a = r->args;
	struct slice value, key;

	if (a->new_name == NULL || strcmp(a->new_name, a->a.name) == 0)
		return 0;
	key = (struct slice){ a->new_name, strlen(a->new_name) };
	if (store_get(r->vault->store, TABLE_APP_BY_NAME, key, &value, NULL, e) != V_NOT_FOUND)
		return err_name(e, ERR_NAME_TAKEN, "there is an OAuth app '%s' already", a->new_name);
	changes_remove(&r->changes, TABLE_APP_BY_NAME,
	    (struct slice){ a->a.name, strlen(a->a.name) }, EXPECT_ANY);
	changes_put(&r->changes, TABLE_APP_BY_NAME, key, EXPECT_ABSENT,
	    id_key(&a->a.id));
	snprintf(a->a.name, sizeof a->a.name, "%s", a->new_name);
	return 0;
}

static int
take_note(char *to, size_t cap, const char *text, const char *parameter, struct err *e)
{
	if (text == NULL)
		return 0;
	if (*text == '\0')
		return err_parameter(e, parameter, "an OAuth app has an owner and a purpose");
	snprintf(to, cap, "%s", text);
	return 0;
}

static int
edit_run(struct request *r, struct err *e)
{
	struct app_args *a = r->args;
	struct app *app = &a->a;

	if (app_check_revision(a, e) != 0 || never_changes(a, e) != 0 || rename_app(r, e) != 0 ||
	    take_note(app->owner_note, sizeof app->owner_note, a->owner, "owner", e) != 0 ||
	    take_note(app->purpose_note, sizeof app->purpose_note, a->purpose, "purpose", e) != 0)
		return e->code;
	if (a->scopes.n > 0) {
		app->scope[0] = '\0';
		if (app_fill_scopes(a, e) != 0)
			return e->code;
	}
	if (a->rotate_by != 0)
		app->rotate_by = a->rotate_by;
	if (a->secret_expires != 0)
		app->secret_expires = a->secret_expires;
	r->after = app_reply;
	return object_put_app(r->vault, &r->changes, app, a->generation, e);
}

const struct verb verb_app_edit = {
	.method = "vaultd.Apps.Edit",
	.help = "change what is said of an OAuth app",
	.action = ACT_APP_EDIT,
	.flags = VERB_CHANGE,
	.fields = edit_fields,
	.args_size = sizeof(struct app_args),
	.args_done = app_args_done,
	.object = app_object,
	.run = edit_run,
};

/*
 * hsm.c - see hsm.h. Status is polled once a second; the first READY of a run adopts the
 * vault's id (a new store) or compares it (an old one), and makes or unwraps the metadata
 * key, under which all records are tagged.
 */
#include "vaultd/hsm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/log.h"
#include "common/role.h"
#include "vaultd/audit_line.h"
#include "vaultd/egress.h"
#include "vaultd/line.h"
#include "vaultd/objects.h"
#include "vaultd/schedule.h"
#include "vaultd/vault.h"

#define POLL_S		1
#define CALL_MS		8000

struct hsm {
	struct vault		*vault;
	struct line		*line;
	struct event		*timer;
	struct key_status	 status;
	bool			 starting;	/* the metadata key is being made or unwrapped */
	bool			 wrong_vault;
	struct secret		 new_key;	/* made, not committed yet */
};

const struct key_status *
hsm_status(const struct hsm *h)
{
	return &h->status;
}

bool
hsm_is_ready(const struct hsm *h)
{
	return line_is_up(h->line) && !h->wrong_vault &&
	    (h->status.state == KEY_READY || h->status.state == KEY_SUSPECT);
}

int
hsm_need(const struct hsm *h, struct err *e)
{
	if (hsm_is_ready(h))
		return 0;
	err_name(e, ERR_HSM_UNAVAILABLE, "the HSM is %s: %.200s", key_state_name(h->status.state),
	    h->status.text);
	err_detail(e, "state", "%s", key_state_name(h->status.state));
	return (int)e->code;
}

/* ---- the metadata key */

static void
begin_work(struct hsm *h, const struct secret *key)
{
	struct vault *v = h->vault;

	h->starting = false;
	v->meta_key = secret_alloc(DEK_LEN);
	must(v->meta_key != NULL);
	memcpy(v->meta_key, key->p, DEK_LEN);
	log_info("the HSM was reached: records are verified from now on");
	egress_greet(v->egress);
}

static void
start_failed(struct hsm *h, const struct err *e)
{
	h->starting = false;
	log_error("the metadata key cannot be had: %s", e->text);
}

static void
key_stored(struct job *j)
{
	struct hsm *h = j->arg;

	if (j->rc == 0)
		begin_work(h, &h->new_key);
	else
		start_failed(h, &j->err);
	secret_done(&h->new_key);
	job_free(j);
}

static void
put_meta_key(struct hsm *h, struct changes *c, const struct buf *wrap, struct err *e)
{
	struct vault *v = h->vault;

	changes_put(c, TABLE_META, (struct slice){ "vault", 5 }, EXPECT_ANY,
	    id_key(&v->id));
	object_put_wrap(v, c, &v->id, PURPOSE_RELEASE, buf_slice(wrap), e);
}

static void
key_made(void *arg, int rc, struct slice body, struct err *e)
{
	struct hsm *h = arg;
	AUTO(buf) wrap = { 0 };
	struct job *j = calloc(1, sizeof *j);

	if (rc == 0)
		rc = key_make_get(body, &h->new_key, &wrap, e);
	if (rc != 0 || j == NULL) {
		start_failed(h, e);
		free(j);
		return;
	}
	put_meta_key(h, &j->changes, &wrap, e);
	audit_line_system(&j->line, h->vault, "vault.initialised", NULL, &h->vault->id, NULL);
	j->has_changes = true;
	j->done = key_stored;
	j->arg = h;
	journal_submit(h->vault->journal, j);
}

static void
key_unwrapped(void *arg, int rc, struct slice body, struct err *e)
{
	struct hsm *h = arg;
	AUTO(secret) key = { 0 };

	if (rc == 0)
		rc = key_unwrap_get(body, &key, e);
	if (rc == 0)
		begin_work(h, &key);
	else
		start_failed(h, e);
}

static bool
has_records(struct vault *v)
{
	static const enum table tables[] = { TABLE_CONNECTION, TABLE_FOLDER, TABLE_APP };

	for (int i = 0; i < 3; i++)
		if (store_count(v->store, tables[i], (struct slice){ "", 0 }, 1) > 0)
			return true;
	return false;
}

static void
start(struct hsm *h)
{
	struct vault *v = h->vault;
	AUTO(msg) m = { 0 };
	AUTO(buf) wrap = { 0 };
	struct err e;

	h->starting = true;
	if (object_wrap(v, &v->id, PURPOSE_RELEASE, &wrap, &e) == 0) {
		key_unwrap_put(&m, PURPOSE_RELEASE, &v->id, buf_slice(&wrap));
		line_call(h->line, KEY_UNWRAP, &m, CALL_MS, key_unwrapped, h);
	} else if (has_records(v)) {
		/* Never make a second one: every tag would turn wrong. */
		err_name(&e, ERR_RECORD_CORRUPT, "the store has records and its metadata key is "
		    "missing: restore it from a backup");
		start_failed(h, &e);
	} else {
		key_make_put(&m, PURPOSE_RELEASE, &v->id);
		line_call(h->line, KEY_MAKE, &m, CALL_MS, key_made, h);
	}
}

/* ---- status */

static void
compare_vault(struct hsm *h)
{
	struct vault *v = h->vault;

	if (id_is_null(&h->status.vault))
		return;
	if (id_is_null(&v->id))
		v->id = h->status.vault;
	h->wrong_vault = !id_equal(&v->id, &h->status.vault);
	if (h->wrong_vault) {
		h->status.state = KEY_MISMATCH;
		snprintf(h->status.text, sizeof h->status.text, "this store belongs to another "
		    "vault than the token's keys: an operator must bring the right pair together");
	}
}

static void
note_change(struct hsm *h, enum key_state was)
{
	if (h->status.state == was)
		return;
	log_info("HSM state=%s was=%s text=%s", key_state_name(h->status.state),
	    key_state_name(was), h->status.text);
	role_statusf("HSM %s", key_state_name(h->status.state));
	if (hsm_is_ready(h))
		schedule_poke(h->vault->schedule);
}

static void
polled(void *arg, int rc, struct slice body, struct err *e)
{
	struct hsm *h = arg;
	enum key_state was = h->status.state;

	if (rc == 0)
		rc = key_status_get(body, &h->status, e);
	if (rc != 0) {
		h->status.state = KEY_ABSENT;
		snprintf(h->status.text, sizeof h->status.text, "%.250s", e->text);
	} else {
		compare_vault(h);
	}
	note_change(h, was);
	if (hsm_is_ready(h) && h->vault->meta_key == NULL && !h->starting)
		start(h);
}

static void
poll_status(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval again = { POLL_S, 0 };
	struct hsm *h = arg;
	AUTO(msg) m = { 0 };

	(void)fd;
	(void)what;
	if (line_is_up(h->line))
		line_call(h->line, KEY_STATUS, &m, CALL_MS, polled, h);
	evtimer_add(h->timer, &again);
}

static void
up(void *arg)
{
	struct hsm *h = arg;

	line_ready(h->line);
	poll_status(-1, 0, h);
}

static void
down(void *arg)
{
	struct hsm *h = arg;
	enum key_state was = h->status.state;

	h->status.state = KEY_ABSENT;
	snprintf(h->status.text, sizeof h->status.text, "vault-hsm is not running");
	note_change(h, was);
}

/* ---- keys for the hot path */

struct unwrap {
	void	(*done)(void *arg, int rc, struct secret *dek, struct err *e);
	void	*arg;
};

static void
unwrapped(void *arg, int rc, struct slice body, struct err *e)
{
	struct unwrap *u = arg;
	AUTO(secret) dek = { 0 };

	if (rc == 0)
		rc = key_unwrap_get(body, &dek, e);
	u->done(u->arg, rc, &dek, e);
	free(u);
}

void
hsm_unwrap(struct hsm *h, const struct id *record, struct slice wrap,
    void (*done)(void *arg, int rc, struct secret *dek, struct err *e), void *arg)
{
	AUTO(msg) m = { 0 };
	AUTO(secret) none = { 0 };
	struct unwrap *u = NULL;
	struct err e;

	if (hsm_need(h, &e) != 0) {
		done(arg, (int)e.code, &none, &e);
		return;
	}
	if ((u = calloc(1, sizeof *u)) == NULL) {
		err_set(&e, V_LIMIT, "out of memory");
		done(arg, (int)e.code, &none, &e);
		return;
	}
	*u = (struct unwrap){ done, arg };
	key_unwrap_put(&m, PURPOSE_RELEASE, record, wrap);
	line_call(h->line, KEY_UNWRAP, &m, CALL_MS, unwrapped, u);
}

int
hsm_new(struct vault *v, struct hsm **ret, struct err *e)
{
	static const struct timeval soon = { 0, 1000 };
	struct hsm *h = calloc(1, sizeof *h);
	struct line_conf conf = {
		.path = v->conf.hsm_socket, .what = "vault-hsm",
		.unavailable = ERR_HSM_UNAVAILABLE, .secret = true, .on_up = up,
		.on_down = down, .arg = h,
	};

	if (h == NULL)
		return err_set(e, V_LIMIT, "out of memory");
	h->vault = v;
	snprintf(h->status.text, sizeof h->status.text, "vault-hsm is not running");
	h->timer = evtimer_new(v->base, poll_status, h);
	h->line = line_new(v->base, &conf);
	if (h->timer == NULL || h->line == NULL)
		return err_set(e, V_LIMIT, "out of memory");	/* vaultd ends */
	evtimer_add(h->timer, &soon);
	*ret = h;
	return 0;
}

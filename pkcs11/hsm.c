/*
 * hsm.c - see hsm.h.
 */
#include "pkcs11/hsm.h"

#include <stdio.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/log.h"
#include "common/role.h"
#include "pkcs11/ckr.h"

/* A line may cause a canary with each damaged wrap it sends: that is not news. */
static enum log_level
level_of(enum key_state was, enum key_state is)
{
	if (is == KEY_SUSPECT || was == KEY_SUSPECT)
		return is == KEY_SUSPECT || is == KEY_READY ? LOG_LEVEL_DEBUG :
							      LOG_LEVEL_WARN;
	return is == KEY_READY || is == KEY_STARTING ? LOG_LEVEL_INFO : LOG_LEVEL_WARN;
}

void
hsm_set(struct hsm *h, enum key_state state, const char *text)
{
	enum key_state was = h->state;

	h->state = state;
	snprintf(h->text, sizeof h->text, "%s", text);
	if (h->recover.note == NULL)
		return;
	if (state != KEY_READY)
		recover_failed(&h->recover, state, text);
	log_at(level_of(was, state), "token is %s token=\"%s\" why=\"%s\"",
	    key_state_name(state), h->module.label, text);
	if (state != KEY_SUSPECT && was != KEY_SUSPECT)
		role_statusf("token %s%s%s", key_state_name(state),
		    *text != '\0' ? ": " : "", text);
}

/* ---- from nothing to READY */

/* Trying again may help. */
static int
failed(struct hsm *h, enum key_state state, struct err *e)
{
	hsm_set(h, state, e->text);
	return e->code;
}

/* It cannot. */
static int
refused(struct hsm *h, enum key_state state, struct err *e)
{
	h->stay = true;
	return failed(h, state, e);
}

int
hsm_reach(struct hsm *h, struct err *e)
{
	struct module *m = &h->module;

	if (module_load(m, &h->conf,
	    h->recover.note != NULL ? h->recover.note->call : NULL, e) != 0)
		return failed(h, KEY_ABSENT, e);
	if (module_init(m, &h->conf, e) != 0 || module_sessions(m, e) != 0)
		return failed(h, KEY_ABSENT, e);
	if (login(m, &h->conf, h->mode, h->pin.len > 0 ? &h->pin : NULL, e) != 0)
		return e->code == V_DENIED ? refused(h, KEY_BLOCKED, e) :
					     failed(h, KEY_ABSENT, e);
	return 0;
}

/* The handle to work with: a session copy where that is possible. */
static int
use_kek(struct hsm *h, struct kek *k, CK_OBJECT_HANDLE *ret_token_key, struct err *e)
{
	CK_OBJECT_HANDLE key, copy;

	if (kek_find(&h->module, k->b->id, &key, e) != 0)
		return e->code;
	copy = kek_copy(&h->module, key);
	k->handle = copy != 0 ? copy : key;
	*ret_token_key = key;
	return 0;
}

static int
bind_kek(struct hsm *h, struct kek *k, struct err *e)
{
	struct mech_key mk = { h->module.session, 0, k->b->id, k->b->purpose };
	CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;

	if (use_kek(h, k, &key, e) != 0 ||
	    kek_check(&h->module, key, k->b->id, h->conf.allow_weak, e) != 0)
		return e->code;
	mk.handle = k->handle;
	if (mech_pick(&h->module, &mk, &k->row, e) != 0 ||
	    kek_kcv_check(&h->module, k->handle, k->b, e) != 0)
		return e->code;
	return 0;
}

/*
 * A key that is not there may come back (a token directory half restored, a replica that
 * lags): that is retried. A key that is wrong is not.
 */
static int
bind_keks(struct hsm *h, struct err *e)
{
	for (size_t i = 0; i < h->binding.n; i++) {
		h->kek[i] = (struct kek){ .b = &h->binding.kek[i] };
		if (bind_kek(h, &h->kek[i], e) == 0)
			continue;
		if (e->code == V_DENIED || e->code == V_CONFLICT)
			return refused(h, KEY_MISMATCH, e);
		if (e->code != V_NOT_FOUND)
			return failed(h, KEY_ABSENT, e);
		err_wrap(e, "a bound KEK is missing (is this the right token?)");
		return failed(h, KEY_MISMATCH, e);
	}
	return 0;
}

int
hsm_start(struct hsm *h, struct err *e)
{
	int rc = binding_load(h->conf.state_dir, &h->binding, e);

	if (rc == V_NOT_FOUND) {
		err_set(e, V_STATE, "no KEKs yet: run `vault-hsm key init` once, then reload "
		    "vault-hsm");
		return refused(h, KEY_UNBOUND, e);
	}
	if (rc != 0)
		return rc == V_CORRUPT ? refused(h, KEY_MISMATCH, e) :
					 failed(h, KEY_ABSENT, e);
	if (hsm_reach(h, e) != 0 || bind_keks(h, e) != 0)
		return e->code;
	hsm_set(h, KEY_READY, "");
	h->probed_ms = boot_ms();
	if (h->recover.note != NULL)
		recover_ready(&h->recover);
	return 0;
}

/* ---- READY, SUSPECT, and back */

const struct kek *
hsm_kek(const struct hsm *h, const char *id)
{
	for (size_t i = 0; i < h->binding.n; i++)
		if (strcmp(h->binding.kek[i].id, id) == 0)
			return &h->kek[i];
	return NULL;
}

const struct kek *
hsm_current(const struct hsm *h, enum purpose purpose)
{
	for (size_t i = 0; i < h->binding.n; i++)
		if (h->binding.kek[i].current && h->binding.kek[i].purpose == purpose)
			return &h->kek[i];
	return NULL;
}

static struct mech_key
key_of(const struct hsm *h, const struct kek *k)
{
	return (struct mech_key){ h->module.session, k->handle, k->b->id, k->b->purpose };
}

/* A fresh session with everything looked up again: old handles may name other keys. */
static int
reopen(struct hsm *h, struct err *e)
{
	CK_OBJECT_HANDLE key;

	if (module_sessions(&h->module, e) != 0 ||
	    login(&h->module, &h->conf, h->mode, NULL, e) != 0)
		return e->code;
	for (size_t i = 0; i < h->binding.n; i++)
		if (use_kek(h, &h->kek[i], &key, e) != 0)
			return e->code;
	return 0;
}

static int
canary(struct hsm *h, const struct kek *k, struct err *e)
{
	struct mech_key mk = key_of(h, k);
	struct id record = id_new();
	unsigned char *dek = secret_alloc(2 * DEK_LEN);
	AUTO(buf) wrap = { 0 };
	struct wrap_view w;
	CK_RV rv;
	bool same;

	if (dek == NULL)
		return err_set(e, V_LIMIT, "secret memory exhausted");
	random_bytes(dek, DEK_LEN);
	rv = mech_wrap(k->row, &h->module, &mk, &record, dek, &wrap);
	if (rv == CKR_OK && wrap_decode(buf_slice(&wrap), &w, e) == 0)
		rv = mech_unwrap(&h->module, &mk, &w, &record, dek + DEK_LEN);
	same = rv == CKR_OK && memcmp(dek, dek + DEK_LEN, DEK_LEN) == 0;
	secret_free(dek);
	if (rv != CKR_OK)
		return module_err(e, rv, "canary");
	return same ? 0 : err_set(e, V_UNAVAILABLE, "canary: the token returned other bytes "
	    "than it was given");
}

/*
 * A call failed: is it the request or the token? 0: the token works (on a new session,
 * so once more may help). Else the process leaves, which is all that can help it.
 */
static int
suspect(struct hsm *h, const struct kek *k, const char *what, struct err *e)
{
	hsm_set(h, KEY_SUSPECT, what);
	deadline_end(&h->module.deadline);
	if (reopen(h, e) == 0 && canary(h, k, e) == 0) {
		hsm_set(h, KEY_READY, "");
		return 0;
	}
	hsm_set(h, e->code == V_DENIED ? KEY_BLOCKED : KEY_ABSENT, e->text);
	h->leave = true;
	return err_name(e, ERR_HSM_UNAVAILABLE, "the token does not answer any more (%s)",
	    what);
}

static void
say(char *out, size_t cap, const char *op, CK_RV rv)
{
	snprintf(out, cap, "%s failed: %s", op, ckr_text(rv).s);
}

int
hsm_wrap(struct hsm *h, const struct kek *k, const struct id *record,
    const unsigned char *dek, struct buf *ret, struct err *e)
{
	char what[80];

	for (int try = 0; try < 2; try++) {
		struct mech_key mk = key_of(h, k);
		CK_RV rv = mech_wrap(k->row, &h->module, &mk, record, dek, ret);

		if (rv == CKR_OK)
			return 0;
		say(what, sizeof what, "wrap", rv);
		if (suspect(h, k, what, e) != 0)
			return e->code;
	}
	/* The canary does the same thing: a token that fails between is not to be trusted. */
	hsm_set(h, KEY_ABSENT, what);
	h->leave = true;
	return err_name(e, ERR_HSM_UNAVAILABLE, "the token works on and off (%s)", what);
}

int
hsm_unwrap(struct hsm *h, const struct kek *k, const struct wrap_view *wrap,
    const struct id *record, unsigned char *dek, struct err *e)
{
	char what[80];

	for (int try = 0; try < 2; try++) {
		struct mech_key mk = key_of(h, k);
		CK_RV rv = mech_unwrap(&h->module, &mk, wrap, record, dek);

		if (rv == CKR_OK)
			return 0;
		say(what, sizeof what, "unwrap", rv);
		if (suspect(h, k, what, e) != 0)
			return e->code;
	}
	return err_name(e, ERR_HSM_REFUSED, "the wrapped key is damaged, or was made for "
	    "another record (%s)", what);
}

int
hsm_suspect(struct hsm *h, const char *what, struct err *e)
{
	return suspect(h, &h->kek[0], what, e);
}

int
hsm_use(struct hsm *h, const char *op, CK_RV (*f)(struct hsm *h, void *arg), void *arg,
    struct err *e)
{
	char what[80];

	for (int try = 0; try < 2; try++) {
		CK_RV rv = f(h, arg);

		if (rv == CKR_OK)
			return 0;
		say(what, sizeof what, op, rv);
		if (rv == CKR_MECHANISM_INVALID)
			break;
		if (suspect(h, &h->kek[0], what, e) != 0)
			return e->code;
	}
	return err_name(e, ERR_HSM_REFUSED, "the token works, and not for this (%s)", what);
}

void
hsm_probe(struct hsm *h)
{
	CK_OBJECT_HANDLE key;
	struct err why, e;

	h->probed_ms = boot_ms();
	if (h->state != KEY_READY)
		return;
	if (module_token_info(&h->module, &why) != 0 ||
	    kek_find(&h->module, h->binding.kek[0].id, &key, &why) != 0)
		suspect(h, &h->kek[0], why.text, &e);
}

void
hsm_status(const struct hsm *h, struct key_status *ret)
{
	*ret = (struct key_status){ .state = h->state, .vault = h->binding.vault,
		.uptime_ms = (uint64_t)(boot_ms() - h->started_ms), .n = h->binding.n };
	snprintf(ret->text, sizeof ret->text, "%s", h->text);
	snprintf(ret->token, sizeof ret->token, "%s", h->module.label);
	for (size_t i = 0; i < 3; i++) {
		ret->made += h->line[i].made;
		ret->unwrapped += h->line[i].unwrapped;
		ret->refused += h->line[i].refused;
	}
	for (size_t i = 0; i < h->binding.n; i++) {
		const struct binding_kek *b = &h->binding.kek[i];

		ret->kek[i].purpose = b->purpose;
		ret->kek[i].generation = b->generation;
		ret->kek[i].current = b->current;
		memcpy(ret->kek[i].id, b->id, sizeof b->id);
		if (b->current && h->kek[i].row != NULL)
			ret->mechanism = (uint32_t)h->kek[i].row->type;
	}
}

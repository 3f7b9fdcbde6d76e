/*
 * login.c - see login.h.
 */
#include "pkcs11/login.h"

#include "common/auto.h"
#include "common/role.h"
#include "pkcs11/ckr.h"

#define PIN_MAX 255

int
login_pin(const struct hsm_conf *c, struct secret *ret, struct err *e)
{
	const char *file = *c->pin_file != '\0' ? c->pin_file : NULL;

	if (role_credential("hsm-pin", file, PIN_MAX, ret, e) == 0)
		return 0;
	err_wrap(e, "no PIN");
	return e->code = V_DENIED;
}

/* What a failed C_Login says about the PIN. Codes that may hide a wrong PIN count. */
static enum guard_outcome
outcome_of(CK_RV rv)
{
	switch (rv) {
	case CKR_OK:
		return GUARD_WORKED;
	case CKR_PIN_INCORRECT:
	case CKR_PIN_INVALID:
	case CKR_PIN_LEN_RANGE:
	case CKR_PIN_LOCKED:
	case CKR_PIN_EXPIRED:
		return GUARD_REFUSED;
	case CKR_USER_ALREADY_LOGGED_IN:
	case CKR_USER_PIN_NOT_INITIALIZED:	/* SoftHSM while another process logs in */
	case CKR_TOKEN_NOT_PRESENT:
	case CKR_DEVICE_REMOVED:
	case CKR_CRYPTOKI_NOT_INITIALIZED:
	case CKR_SESSION_CLOSED:
	case CKR_SESSION_HANDLE_INVALID:
		return GUARD_NO_TRY;
	}
	return GUARD_UNEXPLAINED;
}

static int
check_length(const struct module *m, const struct secret *pin, struct err *e)
{
	CK_ULONG max = m->info.ulMaxPinLen, min = m->info.ulMinPinLen;

	if (max != 0 && max != CK_UNAVAILABLE_INFORMATION && pin->len > max)
		return err_set(e, V_DENIED, "the PIN is longer than the %lu bytes the token "
		    "takes: correct it, then reload vault-hsm", (unsigned long)max);
	if (min != CK_UNAVAILABLE_INFORMATION && pin->len < min)
		return err_set(e, V_DENIED, "the PIN is shorter than the %lu bytes the token "
		    "asks for: correct it, then reload vault-hsm", (unsigned long)min);
	return 0;
}

static int
answer(struct guard *g, CK_RV rv, struct err *e)
{
	enum guard_outcome outcome = outcome_of(rv);
	struct ckr_text text = ckr_text(rv);

	if (guard_leave(g, outcome, text.s, e) != 0)
		return err_wrap(e, "PIN guard");
	if (outcome == GUARD_WORKED || rv == CKR_USER_ALREADY_LOGGED_IN)
		return 0;
	if (outcome == GUARD_REFUSED)
		return err_set(e, V_DENIED, "the token refused the PIN (%s), and it is not "
		    "tried again: correct the PIN, then reload vault-hsm", text.s);
	return err_set(e, V_UNAVAILABLE, "C_Login: %s", text.s);
}

int
login(struct module *m, const struct hsm_conf *c, enum guard_mode mode,
    const struct secret *pin, struct err *e)
{
	__attribute__((cleanup(guard_done))) struct guard g = GUARD_INIT;
	AUTO(secret) own = { 0 };
	CK_RV rv;

	if (module_logged_in(m))
		return 0;
	if (module_token_info(m, e) != 0)
		return e->code;
	if ((m->info.flags & CKF_LOGIN_REQUIRED) == 0)
		return 0;
	if (pin == NULL && login_pin(c, &own, e) != 0)
		return e->code;
	if (pin == NULL)
		pin = &own;
	if (check_length(m, pin, e) != 0 ||
	    guard_enter(&g, c->state_dir, &m->info, pin, mode, e) != 0)
		return e->code;
	rv = module_call(m, login_ms, C_Login, m->session, CKU_USER, pin->p, pin->len);
	return answer(&g, rv, e);
}

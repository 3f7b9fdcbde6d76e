/*
 * module.c - see module.h.
 */
#include "pkcs11/module.h"

#include <p11-kit/p11-kit.h>
#include <p11-kit/uri.h>
#include <string.h>

#include "common/auto.h"
#include "common/log.h"
#include "pkcs11/ckr.h"
#include "pkcs11/config.h"

#define SLOTS_MAX 256

int
module_err(struct err *e, CK_RV rv, const char *what)
{
	return err_set(e, V_UNAVAILABLE, "%s: %s", what, ckr_text(rv).s);
}

static void
uri_free(P11KitUri **uri)
{
	if (*uri != NULL)
		p11_kit_uri_free(*uri);
}

/* The text may hold a PIN by mistake: no message repeats it. */
static int
uri_parse(const char *text, P11KitUri **ret, struct err *e)
{
	__attribute__((cleanup(uri_free))) P11KitUri *uri = p11_kit_uri_new();
	int rc;

	if (uri == NULL)
		return err_set(e, V_LIMIT, "out of memory");
	if (*text == '\0')
		return err_set(e, V_INVALID, "'token' is missing: say which token, such as "
		    "token = pkcs11:token=vault");
	if ((rc = p11_kit_uri_parse(text, P11_KIT_URI_FOR_TOKEN, uri)) != P11_KIT_URI_OK)
		return err_set(e, V_INVALID, "'token' is no PKCS#11 URI: %s",
		    p11_kit_uri_message(rc));
	if (p11_kit_uri_get_pin_value(uri) != NULL || p11_kit_uri_get_pin_source(uri) != NULL)
		return err_set(e, V_INVALID, "'token' must not carry a PIN: use pin_file, or "
		    "the credential hsm-pin");
	if (p11_kit_uri_get_module_path(uri) != NULL ||
	    p11_kit_uri_get_module_name(uri) != NULL)
		return err_set(e, V_INVALID, "'token' must not name a module: use module_path");
	if (p11_kit_uri_any_unrecognized(uri))
		return err_set(e, V_INVALID, "'token' has an attribute that says nothing about "
		    "a token: use token, serial, manufacturer, model");
	*ret = uri;
	uri = NULL;
	return 0;
}

int
module_uri_check(const char *text, struct err *e)
{
	__attribute__((cleanup(uri_free))) P11KitUri *uri = NULL;

	return uri_parse(text, &uri, e);
}

int
module_load(struct module *m, const struct hsm_conf *c, char *note, struct err *e)
{
	*m = (struct module){ .call_ms = c->call_seconds * 1000,
		.login_ms = c->login_seconds * 1000, .init_ms = c->init_seconds * 1000 };
	if (deadline_init(&m->deadline, note, e) != 0)
		return e->code;
	/* Constructors of the module run inside this call. */
	deadline_arm(&m->deadline, "dlopen", m->init_ms);
	m->f = p11_kit_module_load(c->module_path, P11_KIT_MODULE_UNMANAGED);
	deadline_disarm(&m->deadline);
	if (m->f == NULL)
		return err_set(e, V_INVALID, "module_path %s is no PKCS#11 module: %s",
		    c->module_path, p11_kit_message());
	return 0;
}

static CK_RV
initialize(struct module *m)
{
	CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
	CK_RV rv = module_call(m, init_ms, C_Initialize, &args);

	/* We have one thread, so a module without locks is as good. */
	if (rv == CKR_CANT_LOCK)
		rv = module_call(m, init_ms, C_Initialize, NULL);
	return rv;
}

/* PKCS#11 pads with blanks and ends with nothing. */
static void
unpad(char *to, const unsigned char *from, size_t n)
{
	while (n > 0 && (from[n - 1] == ' ' || from[n - 1] == '\0'))
		n--;
	memcpy(to, from, n);
	to[n] = '\0';
	for (; *to != '\0'; to++)
		if ((unsigned char)*to < 0x20 || *to == 0x7f)
			*to = '?';
}

static void
set_info(struct module *m, CK_SLOT_ID slot, const CK_TOKEN_INFO *info)
{
	m->slot = slot;
	m->info = *info;
	unpad(m->label, info->label, sizeof info->label);
	unpad(m->serial, info->serialNumber, sizeof info->serialNumber);
	unpad(m->maker, info->manufacturerID, sizeof info->manufacturerID);
	unpad(m->model, info->model, sizeof info->model);
}

static int
find_token(struct module *m, const P11KitUri *uri, struct err *e)
{
	CK_SLOT_ID slots[SLOTS_MAX];
	CK_ULONG n = SLOTS_MAX;
	unsigned found = 0;
	CK_RV rv = module_call(m, init_ms, C_GetSlotList, CK_TRUE, slots, &n);

	if (rv != CKR_OK)
		return module_err(e, rv, "C_GetSlotList");
	for (CK_ULONG i = 0; i < n && i < SLOTS_MAX; i++) {
		CK_TOKEN_INFO info;

		if (module_call(m, call_ms, C_GetTokenInfo, slots[i], &info) != CKR_OK ||
		    (info.flags & CKF_TOKEN_INITIALIZED) == 0 ||
		    !p11_kit_uri_match_token_info(uri, &info))
			continue;
		if (found++ == 0)
			set_info(m, slots[i], &info);
	}
	if (found == 0)
		return err_set(e, V_UNAVAILABLE, "no token in %lu slots fits 'token': attach "
		    "it, or correct the URI", (unsigned long)n);
	if (found > 1)
		return err_set(e, V_UNAVAILABLE, "%u tokens fit 'token': add its serial "
		    "to the URI (serial=%s is one of them)", found, m->serial);
	return 0;
}

int
module_init(struct module *m, const struct hsm_conf *c, struct err *e)
{
	__attribute__((cleanup(uri_free))) P11KitUri *uri = NULL;
	CK_RV rv;

	if (uri_parse(c->token, &uri, e) != 0)
		return e->code;
	if ((rv = initialize(m)) != CKR_OK)
		return module_err(e, rv, "C_Initialize");
	return find_token(m, uri, e);
}

int
module_token_info(struct module *m, struct err *e)
{
	CK_TOKEN_INFO info;
	CK_RV rv = module_call(m, call_ms, C_GetTokenInfo, m->slot, &info);

	if (rv != CKR_OK)
		return module_err(e, rv, "C_GetTokenInfo");
	set_info(m, m->slot, &info);
	return 0;
}

int
module_scratch(struct module *m, CK_SESSION_HANDLE *ret, struct err *e)
{
	/* Some HSMs have no read-only sessions. */
	CK_RV rv = module_call(m, call_ms, C_OpenSession, m->slot,
	    CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, ret);

	return rv == CKR_OK ? 0 : module_err(e, rv, "C_OpenSession");
}

void
module_scratch_close(struct module *m, CK_SESSION_HANDLE s)
{
	CK_RV rv = module_call(m, call_ms, C_CloseSession, s);

	if (rv != CKR_OK)
		log_debug("C_CloseSession failed rv=%s", ckr_text(rv).s);
}

int
module_sessions(struct module *m, struct err *e)
{
	CK_SESSION_HANDLE old = m->session;

	m->session = 0;
	if (old != 0)
		module_scratch_close(m, old);
	if (m->keeper == 0 && module_scratch(m, &m->keeper, e) != 0)
		return e->code;
	return module_scratch(m, &m->session, e);
}

bool
module_logged_in(struct module *m)
{
	CK_SESSION_INFO i;

	return module_call(m, call_ms, C_GetSessionInfo, m->session, &i) == CKR_OK &&
	    (i.state == CKS_RW_USER_FUNCTIONS || i.state == CKS_RO_USER_FUNCTIONS);
}

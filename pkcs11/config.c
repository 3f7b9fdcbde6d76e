/*
 * config.c - see config.h.
 */
#include "pkcs11/config.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkcs11/module.h"

#define KEY(name, type, member, dflt, help)                                              \
	{ name, type, offsetof(struct hsm_conf, member), dflt, help }

const struct conf_key hsm_conf_keys[] = {
	KEY("state_dir", CONF_PATH, state_dir, "/var/lib/vault-hsm",
	    "binding of the KEKs, key pairs, PIN guard, restart counter"),
	KEY("module_path", CONF_PATH, module_path, NULL,
	    "PKCS#11 module, absolute path of a .so owned by root"),
	KEY("token", CONF_STR, token, NULL,
	    "RFC 7512 URI that selects one token, such as pkcs11:token=vault"),
	KEY("pin_file", CONF_PATH, pin_file, NULL,
	    "file with the user PIN; without it $CREDENTIALS_DIRECTORY/hsm-pin"),
	KEY("call_seconds", CONF_SECONDS, call_seconds, "5s",
	    "a module call that takes longer ends the process, which is started again"),
	KEY("login_seconds", CONF_SECONDS, login_seconds, "30s",
	    "the same for the login"),
	KEY("init_seconds", CONF_SECONDS, init_seconds, "60s",
	    "the same for loading the module, C_Initialize and making a key"),
	KEY("allow_weak_key_attributes", CONF_BOOL, allow_weak, "no",
	    "laboratories only: use KEKs that others could read or misuse"),
	KEY("connection_keys", CONF_UINT, pairs_max, "1000",
	    "how many key pairs of connections there may be in the token"),
	KEY("module_env", CONF_LIST, module_env, NULL,
	    "NAME=VALUE in the environment of the module, may stand several times"),
	KEY("module_paths", CONF_LIST, module_paths, NULL,
	    "what the module must read or write once it is loaded, may stand several times"),
	KEY("secret_memory", CONF_SIZE, secret_memory, "256k",
	    "locked memory for the PIN and for data keys in passing"),
	KEY("secret_mlock_only", CONF_BOOL, secret_mlock_only, "no",
	    "tests only: ordinary locked memory instead of memfd_secret"),
	KEY("log_level", CONF_STR, log_level, "info", "error, warn, info or debug"),
	{ 0 },
};

/* Whoever can write the module owns the PIN. */
static int
check_module(const struct hsm_conf *c, struct err *e)
{
	struct stat st;

	if (*c->module_path == '\0')
		return err_set(e, V_INVALID, "'module_path' is missing: name the PKCS#11 "
		    "module, for SoftHSM /usr/lib/softhsm/libsofthsm2.so");
	if (stat(c->module_path, &st) != 0)
		return err_errno(e, "module_path %s", c->module_path);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return err_set(e, V_INVALID, "module_path %s belongs to uid %u: chown root it",
		    c->module_path, (unsigned)st.st_uid);
	if ((st.st_mode & 022) != 0)
		return err_set(e, V_INVALID, "module_path %s can be written by others: chmod "
		    "go-w it", c->module_path);
	return 0;
}

static int
check_env(const struct hsm_conf *c, struct err *e)
{
	for (size_t i = 0; i < c->module_env.n; i++)
		if (strcspn(c->module_env.v[i], "=") == 0 ||
		    strchr(c->module_env.v[i], '=') == NULL)
			return err_set(e, V_INVALID, "'module_env' must be NAME=VALUE");
	for (size_t i = 0; i < c->module_paths.n; i++)
		if (c->module_paths.v[i][0] != '/')
			return err_set(e, V_INVALID, "'module_paths' must be absolute paths");
	return 0;
}

int
config_load(const char *file, struct hsm_conf *ret, struct err *e)
{
	struct hsm_conf c = { 0 };

	if (conf_load(hsm_conf_keys, file, &c, e) != 0)
		return e->code;
	if (c.call_seconds == 0 || c.login_seconds == 0 || c.init_seconds == 0)
		err_set(e, V_INVALID, "'call_seconds', 'login_seconds' and 'init_seconds' "
		    "must not be 0");
	else if (log_level_parse(c.log_level, &c.level, e) == 0 && check_module(&c, e) == 0 &&
	    check_env(&c, e) == 0 && module_uri_check(c.token, e) == 0) {
		*ret = c;
		return 0;
	}
	config_done(&c);
	return err_wrap(e, "%s", file);
}

void
config_done(struct hsm_conf *c)
{
	conf_free(hsm_conf_keys, c);
}

int
config_module_env(const struct hsm_conf *c, struct err *e)
{
	for (size_t i = 0; i < c->module_env.n; i++) {
		char *entry = c->module_env.v[i], *eq = strchr(entry, '=');
		int rc;

		*eq = '\0';
		rc = setenv(entry, eq + 1, 1);
		*eq = '=';
		if (rc != 0)
			return err_errno(e, "environment of the module");
	}
	return 0;
}

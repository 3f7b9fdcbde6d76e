/*
 * config.h - vault-hsm.conf: what the operator says about the module, the token and
 * the PIN. Read once at start by main.c, borrowed by everybody else.
 */
#pragma once

#include "common/conf.h"
#include "common/log.h"

struct hsm_conf {
	char		*state_dir;
	char		*module_path;
	char		*token;		/* RFC 7512 URI */
	char		*pin_file;	/* "" = $CREDENTIALS_DIRECTORY/hsm-pin */
	unsigned	 call_seconds, login_seconds, init_seconds;
	bool		 allow_weak;
	unsigned	 pairs_max;	/* key pairs of connections */
	struct conf_list module_env;	/* NAME=VALUE */
	struct conf_list module_paths;	/* the module may write there */
	size_t		 secret_memory;
	bool		 secret_mlock_only;
	char		*log_level;
	enum log_level	 level;		/* parsed from log_level */
};

extern const struct conf_key hsm_conf_keys[];

/* Loads FILE and checks what can be checked without the module. V_INVALID, V_IO. */
int config_load(const char *file, struct hsm_conf *ret, struct err *e);
void config_done(struct hsm_conf *c);

/* Puts module_env into the environment, for the module alone to read. */
int config_module_env(const struct hsm_conf *c, struct err *e);

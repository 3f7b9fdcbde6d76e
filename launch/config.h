/*
 * config.h - vault-launch.conf.
 */
#pragma once

#include "common/conf.h"

struct config {
	char	*bin_dir, *conf_dir, *run_dir, *state_dir, *credentials_dir;
	char	*user_vaultd, *user_hsm, *user_egress;
};

extern const struct conf_key config_keys[];

/*
 * config.h - vault-egress.conf.
 */
#pragma once

#include "common/conf.h"

struct config {
	char		*state_dir, *connector_dir, *hsm_socket, *ca_file, *proxy, *log_level;
	struct conf_list allow_address, allow_host;
	unsigned	 host_concurrency, workers;
	size_t		 secret_memory;
	bool		 secret_mlock_only;
};

extern const struct conf_key config_keys[];

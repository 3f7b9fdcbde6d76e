/*
 * config.c - the keys of vault-launch.conf: name, type, default, one line of help.
 */
#include "launch/config.h"

#define AT(member) offsetof(struct config, member)

const struct conf_key config_keys[] = {
	{ "bin_dir", CONF_PATH, AT(bin_dir), "/usr/sbin", "where the programs of the roles are" },
	{ "conf_dir", CONF_PATH, AT(conf_dir), "/etc/vaultd",
	    "vaultd.conf, vault-hsm.conf and vault-egress.conf are here" },
	{ "run_dir", CONF_PATH, AT(run_dir), "/run/vaultd",
	    "sockets and pid files are made here" },
	{ "state_dir", CONF_PATH, AT(state_dir), "/var/lib",
	    "vaultd, vault-hsm and vault-egress below it are made for the roles" },
	{ "credentials_dir", CONF_PATH, AT(credentials_dir), NULL,
	    "handed to vault-hsm as CREDENTIALS_DIRECTORY" },
	{ "user_vaultd", CONF_STR, AT(user_vaultd), "vaultd",
	    "system user of vaultd, when started as root" },
	{ "user_hsm", CONF_STR, AT(user_hsm), "vault-hsm",
	    "system user of vault-hsm, when started as root" },
	{ "user_egress", CONF_STR, AT(user_egress), "vault-egress",
	    "system user of vault-egress, when started as root" },
	{ 0 },
};

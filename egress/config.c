/*
 * config.c - the keys of vault-egress.conf: name, type, default, one line of help.
 */
#include "egress/config.h"

#define AT(member) offsetof(struct config, member)

const struct conf_key config_keys[] = {
	{ "state_dir", CONF_PATH, AT(state_dir), "/var/lib/vault-egress",
	    "the spool of sealed answers lives below it" },
	{ "connector_dir", CONF_PATH, AT(connector_dir), "/usr/share/vaultd/connectors",
	    "the catalogue, one JSON file per connector" },
	{ "hsm_socket", CONF_PATH, AT(hsm_socket), "/run/vault-hsm/from-egress.sock",
	    "where vault-hsm listens for vault-egress" },
	{ "ca_file", CONF_PATH, AT(ca_file), NULL,
	    "more certificate authorities (PEM), for private ones and TLS inspection" },
	{ "proxy", CONF_STR, AT(proxy), NULL, "http://HOST:PORT of an HTTP proxy" },
	{ "allow_address", CONF_LIST, AT(allow_address), NULL,
	    "ADDRESS or ADDRESS/BITS that may be reached although private or loopback" },
	{ "allow_host", CONF_LIST, AT(allow_host), NULL,
	    "only these hosts (or .suffixes) may be reached; none listed: any registered" },
	{ "host_concurrency", CONF_UINT, AT(host_concurrency), "4",
	    "requests to one host at once" },
	{ "workers", CONF_UINT, AT(workers), "32", "requests to all hosts at once" },
	{ "secret_memory", CONF_SIZE, AT(secret_memory), "6M",
	    "locked memory for secrets; see LimitMEMLOCK of the unit" },
	{ "secret_mlock_only", CONF_BOOL, AT(secret_mlock_only), "no",
	    "never use memfd_secret (for memory scans in tests)" },
	{ "log_level", CONF_STR, AT(log_level), "info", "error, warn, info or debug" },
	{ 0 },
};

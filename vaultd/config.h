/*
 * config.h - vaultd.conf(5).
 */
#pragma once

#include "common/conf.h"

struct config {
	char		*state_dir;		/* /var/lib/vaultd */
	char		*policy_dir;		/* /etc/vaultd/policy.d */
	char		*connector_dir;		/* /usr/share/vaultd/connectors */
	char		*hsm_socket;		/* /run/vault-hsm/from-vaultd.sock */
	char		*egress_socket;		/* /run/vault-egress/egress.sock */
	char		*operator_group;	/* "" = uid 0 only */
	char		*redirect_base;		/* http://127.0.0.1:8976/callback */
	size_t		 store_map;		/* 64G */
	size_t		 store_ballast;		/* 8M */
	size_t		 secret_memory;		/* 4M */
	bool		 secret_mlock_only;	/* no; for memory scans */
	size_t		 audit_segment;		/* 16M */
	unsigned	 audit_retention_days;	/* 0 */
	unsigned	 gather_us;		/* 100 */
	unsigned	 dek_cache_entries;	/* 16384 */
	unsigned	 dek_cache_seconds;	/* 1h */
	unsigned	 connections_per_uid, connections, inflight_per_uid, followers_per_uid,
			 rate_per_uid;
	unsigned	 events_kept;		/* 100000 */
	size_t		 bytes_per_uid, bytes;
	unsigned	 session_seconds;	/* 10m */
	unsigned	 lockout_failures;	/* 5; 0 = never */
	unsigned	 refresh_concurrency;	/* 4 */
	unsigned	 refresh_rate;		/* per second; 0 = not limited */
	unsigned	 refresh_background;	/* 256 */
	unsigned	 check_seconds;		/* 1h; 0 = never */
	unsigned	 revoke_seconds;	/* 24h */
	unsigned	 stop_seconds;		/* wait for attempts in flight: 140 */
	bool		 check_policy_owner;	/* yes */
	char		*log_level;		/* info */
};

extern const struct conf_key config_keys[];

#!/usr/bin/env bats
# The systemd units, as far as they can be judged without booting them.

setup() { cd "$BATS_TEST_DIRNAME/../systemd"; }
exposure() { systemd-analyze security --offline=true --threshold="$2" "$1" >/dev/null; }

@test "exposure: vaultd 0.6, vault-hsm 1.2, vault-egress 1.2 at most" {
	command -v systemd-analyze >/dev/null
	exposure vaultd.service 6
	exposure vault-hsm.service 12
	exposure vault-egress.service 12
}
@test "vault-hsm has two listeners, each owned by the role that asks" {
	grep -q '^SocketUser=vaultd$' vault-hsm-vaultd.socket
	grep -q '^SocketUser=vault-egress$' vault-hsm-egress.socket
	grep -q '^FileDescriptorName=from-vaultd$' vault-hsm-vaultd.socket
	grep -q '^FileDescriptorName=from-egress$' vault-hsm-egress.socket
	grep -q '^SocketMode=0600$' vault-hsm-vaultd.socket
	grep -q '^SocketMode=0600$' vault-hsm-egress.socket
}
@test "vault-hsm restarts for ever and has no watchdog; stopping waits for exchanges" {
	grep -q '^Restart=always$' vault-hsm.service
	grep -q '^StartLimitIntervalSec=0$' vault-hsm.service
	! grep -q '^WatchdogSec' vault-hsm.service
	grep -q '^TimeoutStopSec=150$' vaultd.service
	grep -q '^TimeoutStopSec=180$' vault-egress.service
}

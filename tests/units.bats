#!/usr/bin/env bats
# The systemd units, as far as they can be judged without booting them.

setup() { cd "$BATS_TEST_DIRNAME/../systemd"; }
analyze() { command -v systemd-analyze >/dev/null || skip "there is no systemd-analyze here"; }
exposure() { systemd-analyze security --offline=true --threshold="$2" "$1" >/dev/null; }

@test "exposure: vaultd 0.6, vault-hsm 1.2, vault-egress 1.2 at most" {
	analyze
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
	[ "$(grep -c '^WatchdogSec' vault-hsm.service)" = 0 ]
	grep -q '^TimeoutStopSec=150$' vaultd.service
	grep -q '^TimeoutStopSec=180$' vault-egress.service
}
@test "every line of units and drop-ins means something to systemd" {
	analyze
	D=$(mktemp -d)
	cp *.service *.socket "$D"
	# The programs need not be installed here: any that exists does.
	sed -i -E 's|^ExecStart=.*|ExecStart=/bin/true|' "$D"/*.service
	for f in drop-ins/*.conf; do
		unit=$(basename "$f" | grep -oE '^vault-(hsm|egress)').service
		mkdir -p "$D/$unit.d"
		cp "$f" "$D/$unit.d/"
	done
	run systemd-analyze verify --man=no --recursive-errors=no "$D"/*.service "$D"/*.socket
	rm -rf "$D"
	echo "$output"
	[ "$(grep -Ec "$D.*(Unknown|Failed to parse|Invalid|not supported)" <<<"$output")" = 0 ]
}
@test "no role is left out of stopping, confinement or its directories" {
	for r in vaultd vault-hsm vault-egress; do
		for line in "User=$r" "StateDirectory=$r" NoNewPrivileges=yes CapabilityBoundingSet= \
		    LimitCORE=0 MemorySwapMax=0 ProtectSystem=strict RestartPreventExitStatus=78; do
			grep -qFx "$line" $r.service || { echo "$r: $line"; return 1; }
		done
		grep -q "^u $r " sysusers.conf
		grep -q "^d /var/lib/$r 0700 $r $r" tmpfiles.conf
	done
	# They stop in the reverse of the order in which they start.
	grep -q '^After=.*vault-hsm.service' vault-egress.service
	grep -q '^After=.*vault-hsm.service.*vault-egress.service' vaultd.service
}

#!/usr/bin/env bats
# vault-launch with stand-ins for the roles: what it hands them, how it watches them, and
# how it ends them.

setup() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	bed_users
	D=$(mktemp -d /tmp/vaultd-test.XXXXXX)
	chmod 755 "$D"
	mkdir "$D/bin" "$D/etc" "$D/out"
	chmod 777 "$D/out"
	for r in vaultd vault-hsm vault-egress; do
		: >"$D/etc/$r.conf"
		role $r 'trap "exit 0" TERM; while :; do sleep 0.05; done'
	done
	printf '%s\n' "bin_dir = $D/bin" "conf_dir = $D/etc" "run_dir = $D/run" \
	    "state_dir = $D/state" >"$D/etc/vault-launch.conf"
	LAUNCH=
}
teardown() {
	[ -z "$LAUNCH" ] || { kill -9 "$LAUNCH"; wait "$LAUNCH" || true; } 2>/dev/null
	rm -rf "$D"
}

role() {	# NAME BODY: a stand-in, which first notes that it began
	printf '%s\n' '#!/bin/bash' "echo begin \$\$ >>'$D/out/$1'" "$2" >"$D/bin/$1"
	chmod 755 "$D/bin/$1"
}
launch() { CANARY=1 "$BUILD/bin/vault-launch" -c "$D/etc/vault-launch.conf" >"$D/log" 2>&1 3>&- & LAUNCH=$!; }
until_() {	# COMMAND...: at most ten seconds
	local i
	for i in $(seq 100); do
		"$@" && return 0
		sleep 0.1
	done
	cat "$D/log"
	return 1
}
begun() { [ "$(grep -c begin "$D/out/$1" 2>/dev/null)" -ge "$2" ]; }	# ROLE TIMES
all_begun() { begun vaultd 1 && begun vault-hsm 1 && begun vault-egress 1; }
said() { grep -q "$1" "$D/log"; }
gone() { ! kill -0 "$1" 2>/dev/null; }
stop() { kill "$LAUNCH"; local rc=0; wait "$LAUNCH" || rc=$?; LAUNCH=; return $rc; }

@test "a role gets its sockets by name, a clean environment, and nothing else" {
	role vault-hsm "env >$D/out/env; ls -l /proc/\$\$/fd >$D/out/fds; echo \$\$ >$D/out/pid
id -un >$D/out/user; exec sleep 1000"
	printf 'credentials_dir = %s\n' "$D/etc" >>"$D/etc/vault-launch.conf"
	launch
	until_ test -s "$D/out/user"
	grep -qx 'LISTEN_FDS=2' "$D/out/env"
	grep -qx 'LISTEN_FDNAMES=from-vaultd:from-egress' "$D/out/env"
	grep -qx "LISTEN_PID=$(cat "$D/out/pid")" "$D/out/env"
	grep -qx "NOTIFY_SOCKET=$D/run/notify" "$D/out/env"
	grep -qx "CREDENTIALS_DIRECTORY=$D/etc" "$D/out/env"
	[ "$(grep -c CANARY "$D/out/env")" = 0 ]
	[ "$(grep -c 'socket:' "$D/out/fds")" = 2 ]
	[ "$(cat "$D/run/vault-hsm.pid")" = "$(cat "$D/out/pid")" ]
	if [ "$(id -u)" = 0 ]; then
		[ "$(cat "$D/out/user")" = vault-hsm ]
		grep -qx 'VAULTD_ROLE_SEPARATION=on' "$D/out/env"
		[ "$(stat -c '%U %a' "$D/state/vault-hsm")" = 'vault-hsm 700' ]
		[ "$(stat -c '%U %a' "$D/run/hsm-from-vaultd.sock")" = 'vaultd 600' ]
		[ "$(stat -c '%U %a' "$D/run/hsm-from-egress.sock")" = 'vault-egress 600' ]
		[ "$(stat -c '%U %a' "$D/run/egress.sock")" = 'vaultd 600' ]
	else
		grep -qx 'VAULTD_ROLE_SEPARATION=off' "$D/out/env"
		said 'role separation: off'
	fi
	[ "$(stat -c %a "$D/run/vaultd.sock")" = 666 ]
}

@test "a role that dies is started again, later and later, on the same socket" {
	role vault-egress 'exit 1'
	launch
	until_ all_begun
	before=$(stat -c %i "$D/run/vaultd.sock")
	kill -9 "$(cat "$D/run/vaultd.pid")"
	until_ begun vaultd 2
	[ "$(stat -c %i "$D/run/vaultd.sock")" = "$before" ]
	said 'vaultd was ended by signal 9'
	# 0, 0.1, 0.3, 0.7, 1.5, 3.1 seconds: after a good second no more than six.
	sleep 1
	[ "$(grep -c begin "$D/out/vault-egress")" -le 6 ]
	begun vault-hsm 1
	not begun vault-hsm 2
}

@test "a role that cannot run with its configuration ends it all, with status 78" {
	role vault-egress 'sleep 0.3; exit 78'
	launch
	rc=0
	wait "$LAUNCH" || rc=$?
	LAUNCH=
	[ $rc = 78 ]
	said 'vault-egress cannot run with its configuration'
	[ "$(grep -c begin "$D/out/vault-egress")" = 1 ]
}

@test "SIGTERM stops vaultd, then vault-egress, then vault-hsm, and waits for each" {
	: >"$D/out/order"
	chmod 666 "$D/out/order"
	for r in vaultd vault-hsm vault-egress; do
		role $r "trap 'sleep 0.3; echo $r >>$D/out/order; exit 0' TERM; while :; do sleep 0.05; done"
	done
	launch
	until_ all_begun
	sleep 0.2	# the traps are set
	stop
	[ "$(tr '\n' ' ' <"$D/out/order")" = 'vaultd vault-egress vault-hsm ' ]
	[ ! -e "$D/run/vaultd.sock" ]
	[ ! -e "$D/run/vaultd.pid" ]
}

@test "Ctrl-C in a terminal reaches vault-launch alone" {
	launch
	until_ all_begun
	for r in vaultd vault-hsm vault-egress; do
		pid=$(cat "$D/run/$r.pid")
		[ "$(ps -o pgid= -p "$pid" | tr -d ' ')" = "$pid" ]
	done
	stop
}

@test "SIGHUP reaches every role; what they say of themselves is in the log" {
	for r in vaultd vault-hsm vault-egress; do
		role $r "trap 'echo hup >>$D/out/$r.hup' HUP; trap 'exit 0' TERM
python3 -c 'import os, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.sendto(b\"STATUS=from another process\", os.environ[\"NOTIFY_SOCKET\"])'
while :; do sleep 0.05; done"
	done
	role vaultd "exec python3 -c 'import os, signal, socket, time
signal.signal(signal.SIGHUP, lambda *a: open(\"$D/out/vaultd.hup\", \"w\").write(\"hup\"))
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.sendto(b\"READY=1\\nSTATUS=all is well\", os.environ[\"NOTIFY_SOCKET\"])
while True: time.sleep(1)'"
	launch
	until_ said 'vaultd is ready'
	until_ said 'vaultd: all is well'
	until_ all_begun
	sleep 0.5
	kill -HUP "$LAUNCH"
	for r in vaultd vault-hsm vault-egress; do until_ test -s "$D/out/$r.hup"; done
	not said 'from another process'
}

@test "the roles do not outlive it" {
	launch
	until_ all_begun
	sleep 0.2
	pids=$(cat "$D"/run/*.pid)
	kill -9 "$LAUNCH"
	wait "$LAUNCH" || true
	LAUNCH=
	for pid in $pids; do until_ gone "$pid"; done
}

@test "what is missing is said at once, with what to do about it" {
	says() {	# PATTERN
		run "$BUILD/bin/vault-launch" -n -c "$D/etc/vault-launch.conf"
		[ "$status" = 78 ]
		[[ "$output" == *$1* ]] || { echo "$output"; return 1; }
	}
	run "$BUILD/bin/vault-launch" -n -c "$D/etc/vault-launch.conf"
	[ "$status" = 0 ]
	mv "$D/etc/vault-hsm.conf" "$D/etc/x"
	says 'vault-hsm.conf: No such file or directory: set conf_dir'
	mv "$D/etc/x" "$D/etc/vault-hsm.conf"
	chmod 600 "$D/bin/vaultd"
	says 'bin/vaultd: Permission denied: set bin_dir'
	chmod 755 "$D/bin/vaultd"
	if [ "$(id -u)" = 0 ]; then
		echo 'user_hsm = no-such-user' >>"$D/etc/vault-launch.conf"
		says "there is no system user 'no-such-user'"
	fi
	echo 'sokets = yes' >>"$D/etc/vault-launch.conf"
	says 'sokets'
}

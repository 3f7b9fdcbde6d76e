#!/usr/bin/env bats
# A store put back: from a backup, alone, or without its log. Nothing is lost that the copy
# held, and no refresh token is used that another copy may have spent. The tests are one
# story, in this order.

setup_file() {
	[ "$(id -u)" = 0 ] || return 0
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	export AT_TTL=300 BED_PORT=19079
	bed_up
	bed_app
	bed_connect $BED_ALICE --name spent
	bed_connect $BED_ALICE --name unused
	"$BIN/vaultctl" backup before >"$BED/log/backup"
	renew spent >/dev/null		# rotates: the copy's refresh token is spent
	bed_connect $BED_ALICE --name later
	restore "$(cat "$BED/log/backup")"
	bed_export
}
teardown_file() {
	[ "$(id -u)" = 0 ] || return 0
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	bed_stop_again
	bed_down
}
setup() {
	[ "$(id -u)" = 0 ] || skip "needs root: the files are the user vaultd's"
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	[ ! -s "$BED/log/launch.pid" ] || BED_LAUNCH=$(cat "$BED/log/launch.pid")
}
bed_stop_again() { [ -s "$BED/log/launch.pid" ] && BED_LAUNCH=$(cat "$BED/log/launch.pid"); }

vault() { ctl $BED_ALICE "$@"; }
renew() { vault token get "$1" --refused-generation "$(generation "$1")"; }
generation() { vault --json token get "$1" | sed -n 's/.*"generation": \([0-9]*\).*/\1/p'; }
status() { "$BIN/vaultctl" --json status; }
member() { sed -n "s/.*\"$1\": \"\{0,1\}\([^\",]*\).*/\1/p"; }
stop() {	# whoever started it: wait for its end
	kill "$BED_LAUNCH"
	while kill -0 "$BED_LAUNCH" 2>/dev/null; do sleep 0.05; done
}
again() {
	bed_start
	echo "$BED_LAUNCH" >"$BED/log/launch.pid"
	bed_await
}
restore() {	# DIRECTORY of a copy: what it has goes in the place of what is there
	local part
	stop
	for part in store audit; do
		[ -d "$1/$part" ] || continue
		rm -rf "$BED/state/vaultd/$part"
		cp -a "$1/$part" "$BED/state/vaultd/$part"
	done
	again
}
events() { "$BIN/vaultctl" audit cat "$BED/state/vaultd/audit"; }

@test "a restored backup says so first of all" {
	[ "$(status | member adopted)" = false ]
	status | grep -q '"summary": "the store was restored from a copy'
	"$BIN/vaultctl" audit verify "$BED/state/vaultd/audit" | grep -q '^ok'
}

@test "it has what the copy had: living tokens are handed out, later connections are gone" {
	[ -n "$(vault token get spent)" ]
	[ -n "$(vault token get unused)" ]
	run vault token get later
	[ "$status" != 0 ]
	[[ $output == *"no connection"* ]]
}

@test "no rotating refresh token of the copy is used" {
	before=$(bed_ctl stats | grep -o '"refresh_token:[0-9]*":[0-9]*')
	for c in spent unused; do
		run renew $c
		[ "$status" != 0 ]
		[[ $output == *"restored from a copy"*"vaultctl adopt"* ]]
	done
	[ "$(bed_ctl stats | grep -o '"refresh_token:[0-9]*":[0-9]*')" = "$before" ]
}

@test "its user heals a connection by reconnecting" {
	vault connection reconnect spent --no-browser >"$BED/log/re" 2>"$BED/log/re.err" </dev/null 3>&- &
	pid=$!
	for _ in $(seq 50); do grep -q '^https://' "$BED/log/re.err" && break; sleep 0.1; done
	bed_consent "$(grep -m1 '^https://' "$BED/log/re.err")" >/dev/null
	wait $pid
	[ -n "$(renew spent)" ]
	run renew unused
	[[ $output == *"restored from a copy"* ]]
}

@test "only an operator adopts; what was never used since goes on" {
	run vault adopt
	[ "$status" = 4 ]
	"$BIN/vaultctl" adopt
	[ "$(status | member adopted)" = true ]
	[ -n "$(renew unused)" ]
	run "$BIN/vaultctl" adopt
	[ "$status" != 0 ]
	[[ $output == *"adopted already"* ]]
}

@test "adoption lasts over a restart" {
	restore /nonexistent
	[ "$(status | member adopted)" = true ]
	[ -n "$(renew unused)" ]
}

@test "an older store put back without its log is recognised, adopted or not" {
	restore /nonexistent			# all is on disk
	stop
	cp -a "$BED/state/vaultd/store" "$BED/older-store"
	again
	renew unused >/dev/null
	mkdir -p "$BED/older" && mv "$BED/older-store" "$BED/older/store"
	restore "$BED/older"
	[ "$(status | member adopted)" = false ]
	events | grep -q '"event":"store_behind"'
	run renew unused
	[[ $output == *"restored from a copy"* ]]
	"$BIN/vaultctl" adopt
}

@test "so is a store without its log" {
	stop
	rm -rf "$BED/state/vaultd/audit"
	again
	[ "$(status | member adopted)" = false ]
	events | grep -q '"event":"audit_behind"'
	"$BIN/vaultctl" adopt
}

@test "kill -9 and starting again restores nothing" {
	for _ in 1 2 3; do
		vault --json token get spent >/dev/null
		bed_kill vaultd
		sleep 0.3
		bed_await
	done
	[ "$(status | member adopted)" = true ]
}

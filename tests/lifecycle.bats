#!/usr/bin/env bats
# What becomes of a connection: disabled and enabled, edited, moved, listed, deleted.

setup_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	export AT_TTL=300 BED_PORT=19450
	bed_prepare
	policy
	bed_start
	bed_await
	bed_app
	bed_connect $BED_ALICE
	ctl $BED_ADMIN folder create shared/team
	bed_connect $BED_BOB --folder shared/team --name common
	bed_export
}
# Bob keeps the shared folders; Alice uses what is in them.
policy() {
	bed_example_policy
	sed -i "s/\"grants\": \[/&\n    { \"role\": \"folder-admin\", \"to\": [\"$(bed_subject $BED_BOB)\"], \"folder\": \"shared\/**\" },\n    { \"role\": \"auditor\", \"to\": [\"$(bed_subject $BED_AUDITOR)\"] },/" \
	    "$BED/etc/policy.d/story.json"
}
BED_AUDITOR=4703
teardown_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	BIN=$BED/bin
	bed_down
}
setup() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; BED_PORT=19450; }

root_only() { [ "$(id -u)" = 0 ] || skip "only root has more than one user here"; }
token() { ctl "${1:-$BED_ALICE}" token get "${2:-openid}"; }
refused() {	# STATUS PATTERN COMMAND...
	local want=$1 pattern=$2
	shift 2
	run "$@"
	[ "$status" = "$want" ] || { echo "status $status: $output"; return 1; }
	[[ "$output" == *$pattern* ]] || { echo "$output"; return 1; }
}
shows() { ctl $BED_ALICE connection show "$1" | grep -qE "$2"; }	# CONNECTION PATTERN

@test "row 45: a disabled connection gives no token, says why, and goes on when enabled" {
	before=$(token)
	bed_works "$before"
	ctl $BED_ALICE connection disable openid --note 'seen in a log' >/dev/null
	refused 4 "ConnectionDisabled" ctl $BED_ALICE --json token get openid
	refused 4 "seen in a log" ctl $BED_ALICE token get openid
	shows openid '^state +disabled$'
	shows openid '^when enabled +connected$'
	shows openid '^note +seen in a log$'
	ctl $BED_ALICE connection disable openid >/dev/null	# twice is once
	shows openid '^note +seen in a log$'
	ctl $BED_ALICE connection enable openid >/dev/null
	shows openid '^state +connected$'
	bed_works "$(token)"
	[ "$(token)" = "$before" ]
}

@test "row 45: only who may conn.disable disables" {
	root_only
	refused 4 "conn.disable" ctl $BED_ALICE connection disable shared/team/common
	bed_works "$(token $BED_ALICE shared/team/common)"
	ctl $BED_BOB connection disable shared/team/common >/dev/null
	refused 4 "is disabled" token $BED_ALICE shared/team/common
	ctl $BED_BOB connection enable shared/team/common >/dev/null
	bed_works "$(token $BED_ALICE shared/team/common)"
}

@test "row 44: bindings hold a connection, and cascade takes them with it" {
	bed_connect $BED_BOB --folder shared/team --name bound
	ctl $BED_BOB binding create payroll/ledger --folder shared/team --connection shared/team/bound >/dev/null
	refused 1 "1 binding of programs leads to 'bound'" ctl $BED_BOB connection delete shared/team/bound
	bed_works "$(token $BED_ALICE shared/team/bound)"
	ctl $BED_BOB connection delete shared/team/bound --cascade
	refused 3 "that you may see" ctl $BED_BOB connection show shared/team/bound
	ctl $BED_BOB binding delete payroll/ledger
}

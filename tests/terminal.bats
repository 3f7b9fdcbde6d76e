#!/usr/bin/env bats
# vaultctl at a terminal of 80 columns, and where there is none: waiting, tables, progress, what a
# person does wrong.

bats_require_minimum_version 1.5.0

setup_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	export AT_TTL=300 BED_PORT=19500
	bed_prepare
	sed -i 's/"grants": \[/&\n    { "role": "folder-admin", "to": ["everyone"], "folder": "shared\/**" },/' \
	    "$BED/etc/policy.d/story.json"
	bed_start
	bed_await
	bed_app
	bed_connect $BED_ALICE
	bed_export
}
teardown_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	BIN=$BED/bin
	bed_down
}
setup() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; BED_PORT=19500; }

alice() { ctl $BED_ALICE "$@"; }
waits() {	# SAID [OPTION...]: in the background, until it has said why
	alice connection wait openid "${@:2}" >"$BED/log/wait" 2>"$BED/log/wait.err" </dev/null 3>&- &
	WAITER=$!
	bed_within 10 grep -q "$1" "$BED/log/wait.err"
}

# ---- waiting

@test "promise 10: what can be used is not waited for" {
	run -0 alice connection wait openid
	[ "$output" = "openid can be used" ]
	run -3 alice connection wait nothing --timeout 20
	[[ $output == *"no connection 'nothing'"* ]]
	alice --json connection wait openid | python3 -c 'import json,sys; assert json.load(sys.stdin)["connection"]["name"] == "openid"'
}

@test "promise 10: who waits is told why and whose move it is, and goes on when it was made" {
	ctl $BED_ALICE connection disable openid --note 'being looked at'
	waits 'being looked at'
	grep -q '^next .*connection enable' "$BED/log/wait.err"
	grep -q '^move ' "$BED/log/wait.err"
	kill -0 $WAITER
	ctl $BED_ALICE connection enable openid
	wait $WAITER
	[ "$(cat "$BED/log/wait")" = "openid can be used" ]
	bed_works "$(alice token get openid)"
}

@test "promise 10: out of time is exit status 7, with what was waited for" {
	alice connection disable openid --note 'being looked at'
	run -7 alice connection wait openid --timeout 1
	[[ $output == *"error: "*"disabled: being looked at"* ]]
	run -7 alice --json connection wait openid --timeout 1
	[[ $output == *'"error": "vaultd.Connections.ConnectionDisabled"'* ]]
	alice connection enable openid
}

@test "promise 10: a restart of the vault is waited through, also by somebody who waits for it" {
	alice connection disable openid
	waits 'is disabled'
	bed_kill vaultd
	bed_within 10 grep -q 'waiting: .*vaultd' "$BED/log/wait.err"
	bed_await
	kill -0 $WAITER
	alice connection enable openid
	wait $WAITER
}

@test "promise 10: a binding is waited for by what it leads to" {
	ctl $BED_ADMIN folder create shared/waits
	ctl $BED_ADMIN connection create openid --auth-type pat --folder shared/waits --name w \
	    --var issuer="$ISSUER" <<<pat-good-w
	ctl $BED_ADMIN binding create jobs/api --folder shared/waits --connection shared/waits/w
	run -0 ctl $BED_ADMIN connection wait binding:jobs/api
	run -0 ctl $BED_ADMIN connection show binding:jobs/api
	[[ $output == *shared/waits/w* ]]
	run ctl $BED_ADMIN connection wait binding:jobs/other
	[ "$status" != 0 ]
}

# ---- what is shown

@test "promise 10: no time is shown as a number of seconds, and nobody as a number" {
	alice connection disable openid
	alice connection create openid --auth-type pat --name gone --var issuer="$ISSUER" <<<pat-good-gone
	alice connection delete gone
	alice connection show openid >"$BED/log/shown"
	alice connection list >>"$BED/log/shown"
	alice connection deleted >>"$BED/log/shown"
	alice folder list >>"$BED/log/shown"
	ctl $BED_ADMIN app show acme >>"$BED/log/shown"
	ctl $BED_ADMIN binding show jobs/api >>"$BED/log/shown"
	alice events list >>"$BED/log/shown"
	grep -q "^disabled by  *$(id -un $BED_ALICE 2>/dev/null || echo uid-$BED_ALICE)$" "$BED/log/shown"
	run -1 grep -nE '(^|[^0-9a-f.])1[0-9]{9}([^0-9a-f.]|$)| 0$' "$BED/log/shown"
	alice connection enable openid
}

# ---- errors

@test "promise 10: with --json what is wrong with a command line is JSON too, wherever it stands" {
	said() { python3 -c 'import json,sys; e = json.load(sys.stdin); assert e["owner"] == "caller" and not e["retry"]; print(e["message"])' <<<"$output"; }
	run -2 alice connection show x --nope --json
	[[ $(said) == *"no option --nope"* ]]
	run -2 alice --json nosuch
	[[ $(said) == *"no command 'nosuch'"* ]]
	run -2 alice --json token
	said
	run -2 alice --json connect openid --timeout soon
	[[ $(said) == *"--timeout is a whole number"* ]]
	run -2 alice connection show
	[[ $output == "error: "* ]]
	run -2 alice exec openid --nope -- ls --json	# what stands behind -- is the program's
	[[ $output == "error: "* ]]
}

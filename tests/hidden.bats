#!/usr/bin/env bats
# Who may not see a thing gets, to the letter, the answer of one that does not exist. And a uid that
# was given to somebody else is not its last owner.

setup_file() {
	[ "$(id -u)" = 0 ] || return 0
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	export AT_TTL=300 BED_PORT=19070
	bed_prepare
	rm "$BED/etc/policy.d/story.json"
	bed_policy hidden <<P
{ "policies": { "p": { "shared": { "connection_create": "allow", "folder_create": "allow" },
    "connectors": { "*": { "enabled": true } } } },
  "grants": [ { "role": "governance-admin", "to": ["uid:$BED_ADMIN"] },
              { "role": "folder-admin", "to": ["uid:$BED_ADMIN"], "folder": "shared/**" } ],
  "assign": { "tenant": "p" } }
P
	bed_start
	bed_await
	bed_app
	ctl $BED_ADMIN folder create shared/there
	printf pat-good-1 | ctl $BED_ADMIN connection create openid --auth-type pat --folder shared/there \
	    --name x --var issuer="$ISSUER"
	bed_export
}
teardown_file() {
	[ "$(id -u)" = 0 ] || return 0
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	bed_down
	userdel vaultd-test-one 2>/dev/null || userdel vaultd-test-two 2>/dev/null || true
}
setup() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	[ "$(id -u)" = 0 ] || skip "only root has more than one user here"
}

answer() {		# METHOD PARAMETERS: to alice, without what names the call
	ctl $BED_ALICE --json call "$1" "$2" 2>&1 | grep -v '"trace"' | sed 's/shared\/gone/shared\/there/'
}
alike() {		# METHOD PARAMETERS: of shared/there, which is hidden
	local hidden missing
	hidden=$(answer "$1" "$2") missing=$(answer "$1" "${2//shared\/there/shared/gone}")
	[ -n "$hidden" ] && [ "$hidden" = "$missing" ] || { echo "$1"; echo "$hidden"; echo "$missing"; return 1; }
}

@test "what is hidden answers as what does not exist" {
	[ "$(ctl $BED_ADMIN --json connection list --folder shared/there | grep -c '"name": "x"')" = 1 ]
	c='"connection":"shared/there/x"'
	alike vaultd.Tokens.Get "{$c}"
	alike vaultd.Connections.Show "{$c}"
	alike vaultd.Connections.Rename "{$c,\"name\":\"y\"}"
	alike vaultd.Connections.Rename "{$c,\"name\":\"y\",\"revision\":1}"
	alike vaultd.Connections.Delete "{$c,\"revision\":1}"
	alike vaultd.Connections.Reconnect "{$c}"
	f='"folder":"shared/there"'
	alike vaultd.Connections.List "{$f}"
	alike vaultd.Connections.Begin "{\"connector\":\"openid\",$f,\"app\":\"acme\"}"
	alike vaultd.Connections.Create "{\"connector\":\"openid\",$f,\"auth_type\":\"pat\",\"secrets\":{\"token\":\"t\"}}"
	alike vaultd.Folders.Delete '{"path":"shared/there"}'
}

@test "before the HSM was reached that holds too" {
	kill -STOP "$(bed_pid vault-hsm)"
	bed_kill vaultd
	bed_within 10 ctl $BED_ALICE status >/dev/null 2>&1
	run answer vaultd.Tokens.Get '{"connection":"shared/there/x"}'
	[[ $output == *HsmUnavailable* ]]
	alike vaultd.Tokens.Get '{"connection":"shared/there/x"}'
	alike vaultd.Connections.Show '{"connection":"shared/there/x"}'
	kill -CONT "$(bed_pid vault-hsm)"
	bed_await
}

@test "a uid that was given to somebody else does not open the workspace of the last one" {
	userdel vaultd-test-one 2>/dev/null || userdel vaultd-test-two 2>/dev/null || true
	useradd --no-create-home --no-user-group --uid 4791 vaultd-test-one
	printf pat-good-1 | ctl 4791 connection create openid --auth-type pat --name mine --var issuer="$ISSUER"
	[ "$(ctl 4791 token get mine)" = pat-good-1 ]
	usermod --login vaultd-test-two vaultd-test-one
	sleep 11			# what is known of a uid is known so long
	run ctl 4791 token get mine
	userdel vaultd-test-two
	[ "$status" = 4 ]
	[[ $output == *"belongs to 'vaultd-test-one'"* ]]
}

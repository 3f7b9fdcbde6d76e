#!/usr/bin/env bats
# Policy files change under a running vault: SIGHUP takes the new set whole, or none of it.

setup_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	export AT_TTL=300 BED_PORT=19074
	bed_up
	bed_app
	bed_connect $BED_ALICE --name slow
	bed_export
}
teardown_file() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; bed_down; }
setup() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; }

status() { "$BIN/vaultctl" --json status | sed -n "s/.*\"$1\": \"\{0,1\}\([^\"]*\)\"\{0,1\},*$/\1/p"; }
pat() { printf 'pat-good-1' | ctl $BED_ALICE connection create openid --auth-type pat --name "$1" --var issuer="$ISSUER"; }
hash_is_not() { [ "$(status policy_hash)" != "$1" ]; }
error_says() { status policy_error | grep -q "$1"; }

@test "SIGHUP: the next call is judged by the new files" {
	pat before
	hash=$(status policy_hash)
	bed_example_policy
	sed -i 's/"auth_types": \["oauth2_code", "pat"\]/"auth_types": ["oauth2_code"]/' "$BED/etc/policy.d/story.json"
	kill -HUP "$(bed_pid vaultd)"
	bed_within 5 hash_is_not "$hash"
	run pat after
	[ "$status" = 4 ]
	[[ $output == *"auth_types in"*story.json* ]]
}

@test "SIGHUP with a bad file: the last good set stays, and status says file, line and column" {
	hash=$(status policy_hash)
	printf '{\n  "polices": {},\n  "grnts": []\n}\n' | bed_policy bad
	kill -HUP "$(bed_pid vaultd)"
	bed_within 5 error_says 'bad.json:2:3'
	error_says '(and 1 more'
	grep -q 'bad.json:3:3: unknown key .grnts.; did you mean .grants.' "$BED/log/vault"
	[ "$(status policy_hash)" = "$hash" ]
	run pat again
	[ "$status" = 4 ]
	rm "$BED/etc/policy.d/bad.json"
	bed_example_policy
	"$BIN/vaultctl" policy reload
	pat again
}

@test "what fails no set is told: by reload, by show, and in the log" {
	run "$BIN/vaultctl" policy show
	[[ $output != *warning* ]]
	bed_policy spare <<-'P'
		{ "policies": { "spare": { "connectors": { "openid": { "enabled": true,
		      "byoa": { "app_ref": "ghost" } } } } },
		  "grants": [ { "role": "auditor", "to": ["everyone"], "folder": "shared/nowhere/**" } ] }
	P
	run "$BIN/vaultctl" policy reload
	[ "$status" = 0 ]
	[[ $output == *"spare.json:1:26: nobody is assigned policy 'spare'"* ]]
	[[ $output == *"spare.json: app_ref at /policies/spare/connectors/openid/byoa: there is no OAuth app 'ghost'"* ]]
	[[ $output == *"spare.json: grant /grants/0: there is no folder 'shared/nowhere'"* ]]
	grep -q "there is no OAuth app 'ghost'" "$BED/log/vault"
	# The vault is looked at anew: no file has to change.
	ctl $BED_ADMIN folder create shared/nowhere
	run "$BIN/vaultctl" policy show
	[[ $output == *"'ghost'"* ]]
	[[ $output != *"'shared/nowhere'"* ]]
	ctl $BED_ADMIN folder delete shared/nowhere
	rm "$BED/etc/policy.d/spare.json"
	"$BIN/vaultctl" policy reload
}

@test "an action that does not exist is answered with those that do" {
	run ctl $BED_ALICE policy explain connections.create
	[ "$status" = 2 ]
	[[ $output == *"there is no action 'connections.create'; there are: conn.view "*" vault.admin"* ]]
	run ctl $BED_ALICE policy explain
	[ "$status" = 0 ]
	for a in $output; do ctl $BED_ALICE policy explain "$a" --folder shared/x >/dev/null; done
}

@test "a right that is taken away while a call waits is gone" {
	gen=$(ctl $BED_ALICE --json token get slow | sed -n 's/.*"generation": \([0-9]*\).*/\1/p')
	old=$(status policy_hash)
	bed_ctl fault '{"path":"/token","grant_type":"refresh_token","kind":"delay","ms":2500}' >/dev/null
	ctl $BED_ALICE token get slow --refused-generation "$gen" >"$BED/log/got" 2>"$BED/log/said" 3>&- &
	pid=$!
	sleep 1
	sed -i 's/"enabled": true/"enabled": false/' "$BED/etc/policy.d/story.json"
	"$BIN/vaultctl" policy reload >/dev/null
	rc=0
	wait $pid || rc=$?
	[ $rc = 4 ]
	[ ! -s "$BED/log/got" ]
	grep -q "not enabled for you" "$BED/log/said"
	# The line names the policy that refused, not the one it began under.
	cat "$BED"/state/vaultd/audit/audit-* | tr -d '\0' | grep '"event":"end".*"object":"personal/slow"' | tail -1 >"$BED/log/line"
	grep -q '"decision":"deny"' "$BED/log/line"
	grep -q "\"policy_hash\":\"$(status policy_hash)\"" "$BED/log/line"
	[ "$(status policy_hash)" != "$old" ]
	bed_example_policy
	"$BIN/vaultctl" policy reload >/dev/null
	# What the provider gave meanwhile was not lost.
	[ "$(ctl $BED_ALICE --json token get slow | sed -n 's/.*"generation": \([0-9]*\).*/\1/p')" = $((gen + 1)) ]
}

#!/usr/bin/env bats
# Events: what happened, in order, exactly once, for those who may see it - and nobody is held up
# by who listens.

setup_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	export AT_TTL=300 BED_PORT=19430 BED_VAULTD='followers_per_uid = 4'
	bed_up
	bed_app
	bed_connect $BED_ALICE
	bed_export
}
teardown_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	BIN=$BED/bin
	bed_down
}
setup() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; BED_PORT=19430; }

root_only() { [ "$(id -u)" = 0 ] || skip "only root has more than one user here"; }
follow() {	# UID [PARAMETERS]: the pages there are, one answer to a line
	bed_uid "$1" python3 "$BED_ROOT/tests/lib/events.py" "${2:-{\}}" "${@:3}"
}
types() { python3 -c 'import json,sys
for line in sys.stdin:
    for e in json.loads(line)["parameters"]["events"]: print(e["type"], e["path"] or "")'; }
last() { follow "$BED_ADMIN" | tail -1 | sed 's/.*"last": *\([0-9]*\).*/\1/'; }
pat() {	# NAME [OPTION...]: a connection with a static token of alice's
	printf 'pat-good-%s' "$1" | ctl $BED_ALICE connection create-pat openid --name "$1" \
	    --var issuer="$ISSUER" "${@:2}" >/dev/null
}

@test "row 83: a sign-in is told of in order: app, connection, and that it works" {
	run types < <(follow $BED_ALICE '{"connection":"openid"}')
	[ "$output" = "created personal/openid
authenticated personal/openid" ]
	root_only
	follow $BED_ADMIN '{"types":["app_added"]}' | types | grep -qx "app_added acme"
}

@test "row 54: events of what one may not see are not there" {
	root_only
	[ "$(follow $BED_BOB | types | grep -c openid)" = 0 ]
	id=$(bed_shown openid id)
	[ "$(follow $BED_BOB "{\"connection\":\"$id\"}" | types)" = "" ]
	[ -n "$(follow $BED_ALICE "{\"connection\":\"$id\"}" | types)" ]
	follow $BED_BOB '{"connection":"personal/openid"}' | grep -q NotFound
}

@test "row 42, 44: a change of name and the end are events, with what it was called before" {
	from=$(last)
	pat one
	ctl $BED_ALICE connection rename one two
	ctl $BED_ALICE connection delete two
	run types < <(follow $BED_ALICE "{\"since\":$from}")
	[ "$output" = "created personal/one
renamed personal/two
deleted personal/two" ]
	follow $BED_ALICE "{\"since\":$from,\"types\":[\"renamed\"]}" | grep -q '"was": *"one"'
}

@test "row 34: an app's secret that ends soon is told of at once, one time, over a restart too" {
	from=$(last)
	for days in 13 6; do
		printf 'secret-%s' $days | ctl $BED_ADMIN app add "ends-$days" openid --client-id x \
		    --var issuer="$ISSUER" --rotate-by "$(date -d "+$days days" +%F)" >/dev/null
	done
	due() { follow $BED_ADMIN "{\"since\":$from,\"types\":[\"rotate_due\"]}"; }
	two() { [ "$(due | types | wc -l)" = 2 ]; }
	bed_within 10 two
	[ "$(due | types)" = "rotate_due ends-13
rotate_due ends-6" ]
	bed_kill vaultd
	bed_await
	two
	# The next ones are in the future: nothing else is due.
	due | grep -q '"owner": *"admin"'
}

@test "row 83: the policy and the seal are told of" {
	from=$(last)
	echo '{' | bed_policy broken
	run ctl $BED_ADMIN policy reload
	[ "$status" != 0 ]
	rm "$BED/etc/policy.d/broken.json"
	ctl $BED_ADMIN policy reload >/dev/null
	root_only
	"$BIN/vaultctl" seal >/dev/null
	"$BIN/vaultctl" unseal >/dev/null
	run types < <(follow $BED_ADMIN "{\"since\":$from}")
	[ "$output" = "policy_failed 
policy_changed 
sealed 
unsealed " ]
	[ "$(follow $BED_BOB "{\"since\":$from,\"types\":[\"policy_failed\"]}" | types)" = "" ]
}

@test "row 83: the HSM that goes and comes back is told of" {
	from=$(last)
	follow $BED_BOB "{\"since\":$from,\"types\":[\"hsm_up\",\"hsm_down\"]}" more 2 60 >"$BED/log/hsm-events" 3>&- &
	f=$!
	bed_kill vault-hsm
	bed_await
	wait $f
	[ "$(types <"$BED/log/hsm-events")" = "hsm_down 
hsm_up " ]
}

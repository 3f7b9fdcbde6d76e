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

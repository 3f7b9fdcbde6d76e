#!/usr/bin/env bats
# Is a connection still good? What the check says of credential and API, and what it leaves alone.

setup_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	export AT_TTL=300 BED_PORT=19452 BED_VAULTD='check_seconds = 2'
	bed_up
	bed_app
	bed_connect $BED_ALICE
	ctl $BED_ALICE connection edit openid --check-interval 1440 >/dev/null	# not by itself
	bed_export
}
teardown_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	BIN=$BED/bin
	bed_down
}
setup() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; BED_PORT=19452; bed_ctl clear '{}' >/dev/null; }

of() { ctl $BED_ALICE --json connection show "$1" | sed -n "s/.*\"$2\": \(.*[^,]\),*$/\1/p" | head -1; }	# CONNECTION MEMBER
check() { run ctl $BED_ALICE connection check "${1:-openid}"; }
says() { [[ "$output" == *"$(printf '%-15s %s' "$1" "$2")"* ]] || { echo "$output"; return 1; }; }
later() { sleep 11; }	# what was found lately is not asked again
refreshes() { bed_ctl stats | grep -o '"refresh_token:200":[0-9]*' | cut -d: -f3 | grep . || echo 0; }
me() { bed_ctl fault "{\"path\":\"/me\",$1}" >/dev/null; }

@test "row 40: a good connection is good, and no token is renewed to find that" {
	before=$(refreshes)
	check
	[ "$status" = 0 ]
	says credential ok
	says API ok
	[ "$(of openid last_checked)" -gt 0 ]
	check
	[[ "$output" == *"found a moment ago"* ]]
	[ "$(refreshes)" = "$before" ]
}

@test "row 40: a provider that cannot say is no verdict" {
	later
	me '"kind":"status","status":503'
	check
	[ "$status" = 6 ]
	says API unknown
	[[ "$output" == *ProviderDown* ]]
	[ "$(of openid state)" = '"connected"' ]
}

@test "rows 40, 59: 403 is a scope, the connection stays, and a program may report it" {
	later
	before=$(refreshes)
	me '"kind":"status","status":403'
	check
	[ "$status" = 1 ]
	says API forbidden
	[ "$(of openid state)" = '"connected"' ]
	[ "$(of openid reported_gap_time)" -gt 0 ]
	[ "$(refreshes)" = "$before" ]
	ctl $BED_ALICE connection report-forbidden openid --scope 'calendar.write' >/dev/null
	[ "$(of openid reported_gap)" = '"calendar.write"' ]
	[ "$(of openid state)" = '"connected"' ]
}

@test "row 40: 401 renews once, and a token that is good then is good" {
	later
	before=$(refreshes)
	bed_ctl expire-access '{}' >/dev/null
	check
	[ "$status" = 0 ]
	says API ok
	[ "$(refreshes)" = $((before + 1)) ]
}

@test "row 40: 401 to the new token too is a verdict; one that is good again heals it" {
	later
	before=$(refreshes)
	me '"kind":"status","status":401,"count":2'
	check
	[ "$status" = 5 ]
	says API rejected
	[ "$(of openid state)" = '"degraded"' ]
	[ "$(refreshes)" = $((before + 1)) ]
	later
	check
	[ "$status" = 0 ]
	[ "$(of openid state)" = '"connected"' ]
}

@test "row 40: where the connector has no test call nothing is said of the API" {
	printf 'pat-good-1' | ctl $BED_ALICE connection create openid --auth-type pat --name pat --var issuer="$ISSUER" >/dev/null
	check pat
	[ "$status" = 0 ]
	says API not_checked
	[ "$(of pat last_checked)" = 0 ]
	ctl $BED_ALICE connection delete pat >/dev/null
}

@test "row 47: connections are checked by themselves, at their interval" {
	bed_connect $BED_ALICE --name own
	looked() { [ "$(of own last_checked)" -gt "${1:-0}" ]; }
	bed_within 20 looked
	first=$(of own last_checked)
	bed_within 20 looked "$first"
}

@test "row 40: one that is disabled or signed out is told as such, and nobody is asked" {
	ctl $BED_ALICE connection disable openid >/dev/null
	before=$(of openid last_checked)
	later
	check
	[ "$status" = 5 ]
	says credential disabled
	[ "$(of openid last_checked)" = "$before" ]
	ctl $BED_ALICE connection enable openid >/dev/null
}

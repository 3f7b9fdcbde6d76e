#!/usr/bin/env bats
# The refresh engine: grants that are renewed again and again across restarts, whatever a provider
# does to its refresh tokens; turns, limits, and connections that share a refresh token.

setup_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	export AT_TTL=300 BED_PORT=19470 BED_VAULTD=$'refresh_concurrency = 1'
	bed_prepare
	ROTATING=$ISSUER ROTATING_PID=$BED_PROVIDER
	ROTATE=0 bed_provider		# one whose refresh tokens stay
	STATIC=$ISSUER STATIC_PID=$BED_PROVIDER
	ISSUER=$ROTATING BED_PROVIDER=$ROTATING_PID
	for c in static:'"refresh": "static"' limited:'"refresh_limit": 1, "refresh_limit_s": 60'; do
		sed "/\"refresh\":/d; s/\"id\": \"openid\"/\"id\": \"${c%%:*}\", ${c#*:}/" connectors/openid.json \
		    >"$BED/connectors/${c%%:*}.json"
	done
	chmod 644 "$BED"/connectors/*.json
	rm "$BED/etc/policy.d/story.json"
	bed_policy all <<P
{ "policies": { "all": { "connectors": { "*": { "enabled": true } } } },
  "grants": [ { "role": "governance-admin", "to": ["$(bed_subject $BED_ADMIN)"] } ],
  "assign": { "tenant": "all" } }
P
	bed_start
	bed_await
	app openid "$ROTATING"
	app limited "$ROTATING"
	app static "$STATIC"
	export ROTATING STATIC STATIC_PID
	bed_export
}
teardown_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	[ -z "$STATIC_PID" ] || kill "$STATIC_PID"
	if [ -s "$BED/log/launch.pid" ]; then	# one that a test started: no child of this shell
		BED_LAUNCH=$(cat "$BED/log/launch.pid")
		kill "$BED_LAUNCH"
		bed_within 20 ended
	fi
	bed_down
}
setup() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	[ ! -s "$BED/log/launch.pid" ] || BED_LAUNCH=$(cat "$BED/log/launch.pid")
	bed_ctl clear '{}'
	C=e$BATS_TEST_NUMBER
}
app() {		# CONNECTOR ISSUER [CLIENT NAME]: registered at vault and provider
	local ISSUER=$2 client=${3:-$1}
	echo "secret-$1" | ctl $BED_ADMIN --json app add "${4:-app-$1}" "$1" --client-id "$client" \
	    --var issuer="$ISSUER" --scope openid --scope offline_access \
	    --owner tests --purpose tests >"$BED/log/app"
	bed_client "$client" "secret-$1" "$(sed -n 's/.*"redirect_uri": "\(.*\)".*/\1/p' "$BED/log/app")"
}
ended() { ! kill -0 "$BED_LAUNCH" 2>/dev/null; }
vault() { ctl $BED_ALICE "$@"; }
connect() { bed_connect $BED_ALICE "$1" --app "app-$1" --name "${2:-$C}"; }
generation() { vault --json token get "$1" | sed -n 's/.*"generation": \([0-9]*\).*/\1/p'; }
renew() { vault token get "$1" --refused-generation "$(generation "$1")"; }
fault() { bed_ctl fault "{\"path\":\"/token\",\"grant_type\":\"refresh_token\",$1}" >/dev/null; }
restart() {
	kill "$BED_LAUNCH"
	while kill -0 "$BED_LAUNCH" 2>/dev/null; do sleep 0.05; done
	bed_start
	echo "$BED_LAUNCH" >"$BED/log/launch.pid"
	bed_await
}
three_times() {	# CONNECTION FAULT: renewed, restarted, renewed, ...
	local gen reuse
	gen=$(generation "$1") reuse=$(bed_count reuse_detected)
	for i in 1 2 3; do
		[ -z "$2" ] || fault "$2"
		renew "$1" >/dev/null
		[ "$(generation "$1")" = $((gen + i)) ]
		restart
		bed_works "$(vault token get "$1")"
	done
	[ "$(bed_count reuse_detected)" = "$reuse" ]
}

@test "row 37: three renewals in a row across restarts, each with a new refresh token" {
	connect openid
	three_times "$C" ''
}

@test "row 37: three in a row across restarts, the refresh token stays and is repeated" {
	ISSUER=$STATIC
	connect static
	three_times "$C" ''
}

@test "row 18: three in a row across restarts, no refresh token in the answers, nor when they end" {
	ISSUER=$STATIC
	connect static
	three_times "$C" '"kind":"rewrite","delete":["refresh_token","expires_in"]'
	vault --json connection show "$C" >"$BED/shown"
	[ "$(sed -n 's/.*"expires": \([0-9]*\).*/\1/p' "$BED/shown")" -gt $(($(date +%s) + 3400)) ]
}

@test "row 37: who waits overtakes what is only due, and one client has so many requests at once" {
	connect openid wanted
	for i in 1 2 3 4 5 6; do
		connect openid "due$i"
		fault '"kind":"rewrite","set":{"expires_in":6}'
		renew "due$i" >/dev/null
	done
	for i in 1 2 3 4 5 6; do fault '"kind":"delay","ms":1500'; done
	bed_ctl fault '{"path":"/token","grant_type":"refresh_token","kind":"delay","ms":1,"count":99}' >/dev/null
	before=$(bed_count 'refresh_token:200')
	bed_within 10 eval '[ "$(bed_count "fault:delay")" -ge 1 ]'	# the first of them is under way
	renew wanted >/dev/null
	[ $(($(bed_count 'refresh_token:200') - before)) -le 3 ]	# at most the one that ran, and it
	[ "$(bed_count token_most)" = 1 ]
	bed_works "$(vault token get wanted)"
}

@test "row 57: a limit that the connector states is kept, and said" {
	connect limited one
	connect limited two
	renew one >/dev/null
	before=$(bed_count 'refresh_token:200')
	run renew two
	[ "$status" = 6 ]
	[[ $output == *"as its provider allows"*"next try"* ]]
	[ "$(bed_count 'refresh_token:200')" = "$before" ]
}

@test "row 37: two connections with one refresh token: renewed once for both, and it is said" {
	bed_ctl refresh-tokens '{"fresh":true}' >"$BED/before"
	connect openid first
	bed_ctl refresh-tokens '{"fresh":true}' >"$BED/after"
	token=$(python3 -c 'import json,sys; a,b=(set(json.load(open(f))) for f in sys.argv[1:]); print((b-a).pop())' \
	    "$BED/before" "$BED/after")
	bed_ctl fault "{\"path\":\"/token\",\"grant_type\":\"authorization_code\",\"kind\":\"rewrite\",\"set\":{\"refresh_token\":\"$token\"}}" >/dev/null
	connect openid second
	vault connection show second | grep '^warning  *the provider gave another connection the same'
	ok=$(bed_count 'refresh_token:200') reuse=$(bed_count reuse_detected)
	one=$(generation first) two=$(generation second)
	renew first >/dev/null
	[ "$(bed_count 'refresh_token:200')" = $((ok + 1)) ]
	[ "$(generation first)" = $((one + 1)) ]
	[ "$(generation second)" = $((two + 1)) ]
	[ "$(vault token get first)" = "$(vault token get second)" ]
	renew second >/dev/null			# the other way round
	restart
	renew first >/dev/null
	bed_works "$(vault token get second)"
	[ "$(bed_count 'refresh_token:200')" = $((ok + 3)) ]
	[ "$(bed_count reuse_detected)" = "$reuse" ]
}

@test "row 37: two connections with one refresh token, asked for at the same time: one request" {
	ok=$(bed_count 'refresh_token:200') reuse=$(bed_count reuse_detected)
	fault '"kind":"delay","ms":1000'
	one=$(generation first) two=$(generation second)
	vault token get first --refused-generation "$one" >/dev/null 3>&- &
	vault token get second --refused-generation "$two" >/dev/null
	wait $!
	[ "$(bed_count 'refresh_token:200')" = $((ok + 1)) ]
	[ "$(bed_count reuse_detected)" = "$reuse" ]
	bed_works "$(vault token get first)"
}

@test "row 37: what becomes of their one refresh token is said of both" {
	fault '"kind":"status","status":400,"body":{"error":"invalid_grant"}'
	run renew first
	[ "$status" = 5 ]
	[[ $(bed_shown first cause) == *GrantRevoked ]]
	[[ $(bed_shown second cause) == *GrantRevoked ]]
}

@test "row 37: the same refresh token at another OAuth app is no sibling: it gets nothing" {
	app openid "$ROTATING" openid2 app-openid2
	bed_ctl refresh-tokens '{"fresh":true}' >"$BED/before"
	connect openid mine
	bed_ctl refresh-tokens '{"fresh":true}' >"$BED/after"
	token=$(python3 -c 'import json,sys; a,b=(set(json.load(open(f))) for f in sys.argv[1:]); print((b-a).pop())' \
	    "$BED/before" "$BED/after")
	bed_ctl fault "{\"path\":\"/token\",\"grant_type\":\"authorization_code\",\"kind\":\"rewrite\",\"set\":{\"refresh_token\":\"$token\"}}" >/dev/null
	bed_connect $BED_ALICE openid --app app-openid2 --name theirs
	theirs=$(generation theirs) was=$(vault token get theirs)
	renew mine >/dev/null
	[ "$(generation theirs)" = "$theirs" ]
	[ "$(vault token get theirs)" = "$was" ]
	fault '"kind":"status","status":400,"body":{"error":"invalid_grant"}'
	run renew mine
	[ "$status" = 5 ]
	[[ $(bed_shown mine cause) == *GrantRevoked ]]
	[[ $(bed_shown theirs cause) != *GrantRevoked ]]
}

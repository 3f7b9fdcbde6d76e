#!/usr/bin/env bats
# What is wrong with a connection, and what to do: the same name, values and advice from the call
# that fails and from `connection show`, with whose move it is.

setup_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	export AT_TTL=300 BED_PORT=19471
	bed_prepare
	for c in testing:'"refresh_test_s": 3600' idle:'"refresh_idle_s": 3600' \
	    yearly:'"refresh_absolute_s": 3600' plain:'"refresh_reuse_grace_s": 0'; do
		sed "s/\"id\": \"openid\"/\"id\": \"${c%%:*}\", ${c#*:}/" connectors/openid.json \
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
	for c in testing idle yearly plain; do
		echo "secret-$c" | ctl $BED_ADMIN --json app add app-$c $c --client-id $c --owner tests --purpose tests \
		    --var issuer="$ISSUER" --scope openid --scope offline_access \
	    --owner tests --purpose tests >"$BED/log/app"
		bed_client $c "secret-$c" "$(sed -n 's/.*"redirect_uri": "\(.*\)".*/\1/p' "$BED/log/app")"
	done
	bed_export
}
teardown_file() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; bed_down; }
setup() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	bed_ctl clear '{}'
	C=d$BATS_TEST_NUMBER
}

vault() { ctl $BED_ALICE "$@"; }
connect() { bed_connect $BED_ALICE "$1" --app "app-$1" --name "${2:-$C}"; }
shown() { bed_shown "${2:-$C}" "$1"; }
number() { vault --json connection show "$C" | sed -n "s/.*\"$1\": \(-\{0,1\}[0-9]*\).*/\1/p"; }
generation() { vault --json token get "$1" | sed -n 's/.*"generation": \([0-9]*\).*/\1/p'; }
renew() { vault token get "${1:-$C}" --refused-generation "$(generation "${1:-$C}")"; }
asked() { bed_ctl stats | tr ',{' '\n\n' | sed -n 's/"refresh_token:[0-9]*":\([0-9]*\).*/\1/p' | awk '{ n += $1 } END { print n + 0 }'; }
fault() { bed_ctl fault "{\"path\":\"/token\",\"grant_type\":\"refresh_token\",$1}" >/dev/null; }
answers() {	# STATUS BODY [HEADERS]
	fault "\"kind\":\"status\",\"status\":$1,\"body\":$2,\"headers\":${3:-{\}}"
}

@test "row 51: a refused grant: its name, the provider's words, whose move, and what to do, in both places" {
	connect plain
	answers 400 '{"error":"invalid_grant","error_description":"the user left"}'
	run renew
	[ "$status" = 5 ]
	[[ $output == *"Reconnect '$C': "*" no longer accepts it"* ]]
	[ "$(shown cause)" = vaultd.Tokens.GrantRevoked ]
	[ "$(shown provider_code)" = invalid_grant ]
	[ "$(shown provider_text)" = "the user left" ]
	[ "$(shown cause_phase)" = rejected ]
	[ "$(shown cause_owner)" = caller ]
	[ "$(number cause_status)" = 400 ]
	[ "$(number next_try)" = 0 ]
	[[ $(shown advice) == "Reconnect '$C': "* ]]
	vault connection show "$C" | grep '^provider says  *the user left'
	vault connection show "$C" | grep "^next  *Reconnect '$C'"
}

@test "row 51: the attempt that failed is found in the audit log" {
	C=d1
	trace=$(shown cause_trace)
	[ ${#trace} = 16 ]
	"$BIN/vaultctl" audit cat "$BED/state/vaultd/audit" | grep "\"trace\":\"$trace\"" >"$BED/lines"
	grep -q '"action":"refresh.begin"' "$BED/lines"
	grep '"action":"refresh.end"' "$BED/lines" | grep -q GrantRevoked
}

@test "row 51: a wrong app secret is the admin's move: the app, how many it affects, and one attempt" {
	connect plain
	answers 401 '{"error":"invalid_client"}'
	run renew
	[ "$status" != 0 ]
	[[ $output == *"app-plain"* ]]
	[[ $output == *"2 connections"* ]]
	[ "$(shown cause_owner)" = admin ]
	[ "$(shown state)" = degraded ]
	before=$(asked)
	run renew
	[ "$status" != 0 ]
	run renew
	[ "$(asked)" = "$before" ]	# nothing was sent: nothing has changed
	echo secret-plain | ctl $BED_ADMIN app set-secret app-plain >/dev/null
	renew >/dev/null
	[ "$(shown state)" = connected ]
	[ -z "$(shown cause)" ]
}

@test "row 51: throttled: when the next try is, and until when the token lives" {
	connect plain
	answers 429 '{}' '{"retry-after":"30"}'
	run renew
	[ "$status" = 6 ]
	[[ $output == *"next try in "*" s."*"The token that there is ends in "* ]]
	left=$(($(number next_try) - $(date +%s)))
	[ "$left" -gt 20 ]
	[ "$left" -le 31 ]
	vault connection show "$C" | grep '^next try  *in '
}

@test "row 57: another connection of the same OAuth app waits too, and nothing is sent for it" {
	C=d4	# throttled by the last test
	connect idle other
	connect plain same
	before=$(asked)
	run renew same
	[ "$status" = 6 ]
	[[ $output == *"limits this OAuth app"* ]]
	[ "$(asked)" = "$before" ]
	renew other >/dev/null		# another client of the same host does not
}

@test "row 51: a grant of an app in testing, after its days: publish it" {
	connect testing
	answers 400 '{"error":"invalid_grant"}'
	run renew
	[ "$status" = 5 ]
	[ "$(shown cause)" = vaultd.Tokens.GrantTestMode ]
	[[ $(shown advice) == *"'app-testing' must publish it"*"after 60 min"* ]]
	[ "$(shown cause_owner)" = admin ]
}

@test "row 51: one that was not used, and one that reached its end: how long, and the limit" {
	connect idle
	answers 400 '{"error":"invalid_grant"}'
	run renew
	[ "$(shown cause)" = vaultd.Tokens.GrantExpiredIdle ]
	[[ $(shown advice) == *"not used for 60 min"* ]]
	connect yearly old
	C=old
	[ "$(number refresh_token_expires)" -gt "$(date +%s)" ]
	answers 400 '{"error":"invalid_grant"}'
	run renew
	[ "$(shown cause)" = vaultd.Tokens.GrantExpiredAbsolute ]
	[[ $(shown advice) == *"a new sign-in every 60 min"* ]]
}

@test "row 51: the clocks differ: it is shown, and not before they do" {
	connect testing
	vault connection show "$C" | not grep -q '^warning'
	answers 503 '{}' "{\"retry-after\":\"1\",\"date\":\"$(LC_ALL=C date -u -d '+5 minutes' '+%a, %d %b %Y %H:%M:%S GMT')\"}"
	run renew
	[ "$(number skew_s)" -gt 240 ]
	vault connection show "$C" | grep "^warning  *this machine's clock is behind the provider's by"
}

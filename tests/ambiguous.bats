#!/usr/bin/env bats
# What follows a lost answer, by what the connector says of its provider. The provider here is a
# strict one: whoever brings a spent refresh token back loses the grant. It can be asked whether
# one is spent, or not.

setup_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	export AT_TTL=300 BED_PORT=19072
	bed_prepare
	for c in strict:'"refresh": "rotating"' graced:'"refresh_reuse_grace_s": 60' brief:'"refresh_reuse_grace_s": 1' \
	    held:'"on_ambiguous_hold": true' harmless:'"refresh_reuse_harmless": true'; do
		sed "/\"refresh\":/d; s/\"id\": \"openid\"/\"id\": \"${c%%:*}\", ${c#*:}/" connectors/openid.json \
		    >"$BED/connectors/${c%%:*}.json"
	done
	chmod 644 "$BED"/connectors/*.json
	rm "$BED/etc/policy.d/story.json"
	bed_policy lost <<P
{ "policies": { "lost": { "connectors": { "*": { "enabled": true } } } },
  "grants": [ { "role": "governance-admin", "to": ["$(bed_subject $BED_ADMIN)"] } ],
  "assign": { "tenant": "lost" } }
P
	bed_start
	bed_await
	for c in strict graced brief held harmless; do
		echo "secret-$c" | ctl $BED_ADMIN --json app add $c $c --client-id $c --owner tests --purpose tests \
		    --var issuer="$ISSUER" --scope openid --scope offline_access >"$BED/log/app"
		bed_client $c "secret-$c" "$(sed -n 's/.*"redirect_uri": "\(.*\)".*/\1/p' "$BED/log/app")"
		bed_connect $BED_ALICE $c --app $c --name $c
	done
	bed_export
}
teardown_file() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; bed_down; }
setup() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	bed_ctl clear '{}'
	bed_silent_about_tokens
}
vault() { ctl $BED_ALICE "$@"; }
cause_is() { [[ $(bed_shown "$1" cause) == *".$2" ]]; }
healed() { [ -z "$(bed_shown "$1" cause)" ]; }
reuse() { bed_count reuse_detected; }
lose() {		# CONNECTION: the provider renews it, and nobody hears the answer
	local gen
	gen=$(vault --json token get "$1" | sed -n 's/.*"generation": \([0-9]*\).*/\1/p')
	bed_ctl fault '{"path":"/token","grant_type":"refresh_token","kind":"lost_answer"}' >/dev/null
	run vault token get "$1" --refused-generation "$gen"
	[ "$status" != 0 ]
	[ -n "$(vault token get "$1")" ]	# still alive: served
}

@test "within the provider's grace it is used again, and a refusal is a lost answer" {
	before=$(reuse)
	lose graced
	bed_within 10 cause_is graced GrantLostInTransit
	[ "$(reuse)" = $((before + 1)) ]
}

@test "when the grace is over the strict rule holds: not while the token lives" {
	before=$(reuse)
	lose brief
	cause_is brief OutcomeUnknown
	sleep 5
	cause_is brief OutcomeUnknown
	[ "$(reuse)" = "$before" ]
	[ -n "$(vault token get brief)" ]
}

@test "a connector that holds does nothing by itself" {
	before=$(reuse)
	lose held
	cause_is held OutcomeUnknown
	sleep 5
	cause_is held OutcomeUnknown
	[ "$(reuse)" = "$before" ]
}

@test "where reuse is harmless it is used again, and a refusal is not called a withdrawal" {
	lose harmless
	bed_within 10 cause_is harmless GrantLostInTransit
}

@test "a provider that says it is spent: known at once, nothing is sent again, the living token is served" {
	bed_ctl clear '{}'
	before=$(reuse)
	bed_connect $BED_ALICE strict --app strict --name spent
	lose spent
	bed_within 5 cause_is spent GrantLostInTransit
	[ "$(reuse)" = "$before" ]
	[ -n "$(vault token get spent)" ]
	vault connection show spent | grep -q 'says that the refresh token is spent'
}

@test "a provider that says it is not: renewed, but not before a slow request would have arrived" {
	bed_ctl clear '{}'
	before=$(reuse)
	gen=$(vault --json token get strict | sed -n 's/.*"generation": \([0-9]*\).*/\1/p')
	bed_ctl fault '{"path":"/token","grant_type":"refresh_token","kind":"reset"}' >/dev/null
	run vault token get strict --refused-generation "$gen"
	[ "$status" != 0 ]
	sleep 5
	cause_is strict OutcomeUnknown		# 30 seconds, refresh.c
	[ "$(vault --json token get strict | sed -n 's/.*"generation": \([0-9]*\).*/\1/p')" = "$gen" ]
	bed_within 35 healed strict
	[ "$(vault --json token get strict | sed -n 's/.*"generation": \([0-9]*\).*/\1/p')" = $((gen + 1)) ]
	[ "$(reuse)" = "$before" ]
}

#!/usr/bin/env bats
# What follows a lost answer, by what the connector says of its provider. The provider here is a
# strict one: whoever brings a spent refresh token back loses the grant.

setup_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	export AT_TTL=300 BED_PORT=19072
	bed_new
	bed_users
	bed_token
	bed_tls
	bed_provider
	for c in graced:'"refresh_reuse_grace_s": 60' brief:'"refresh_reuse_grace_s": 1' \
	    held:'"on_ambiguous_hold": true' harmless:'"refresh_reuse_harmless": true'; do
		sed "s/\"id\": \"openid\"/\"id\": \"${c%%:*}\", ${c#*:}/" connectors/openid.json \
		    >"$BED/connectors/${c%%:*}.json"
	done
	chmod 644 "$BED"/connectors/*.json
	bed_conf
	bed_keys >"$BED/log/keys"
	bed_policy lost <<P
{ "policies": { "lost": { "connectors": { "*": { "enabled": true } } } },
  "grants": [ { "role": "governance-admin", "to": ["$(bed_subject $BED_ADMIN)"] } ],
  "assign": { "tenant": "lost" } }
P
	bed_start
	bed_await
	for c in graced brief held harmless; do
		echo "secret-$c" | ctl $BED_ADMIN --json app add $c $c --client-id $c \
		    --var issuer="$ISSUER" --scope openid --scope offline_access >"$BED/log/app"
		bed_client $c "secret-$c" "$(sed -n 's/.*"redirect_uri": "\(.*\)".*/\1/p' "$BED/log/app")"
		bed_connect $BED_ALICE $c --app $c --name $c
	done
	export BED ISSUER BED_LAUNCH BED_PROVIDER BED_PIN BIN VAULTD_SOCKET
}
teardown_file() { local b=$BIN; . "$BATS_TEST_DIRNAME/lib/bed.sh"; BIN=$b; bed_down; }
setup() {
	local b=$BIN
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	BIN=$b
	bed_ctl clear '{}'
}
vault() { ctl $BED_ALICE "$@"; }
shown() { vault --json connection show "$1" | sed -n "s/.*\"$2\": \"\(.*\)\",*$/\1/p"; }
cause_is() { [[ $(shown "$1" cause) == *".$2" ]]; }
reuse() { bed_ctl stats | sed -n 's/.*"reuse_detected":\([0-9]*\).*/\1/p' | grep . || echo 0; }
within() {
	local i n=$(($1 * 10))
	shift
	for i in $(seq $n); do
		"$@" && return 0
		sleep 0.1
	done
	return 1
}
lose() {		# CONNECTION: the provider renews it, and nobody hears the answer
	local gen
	gen=$(vault --json token get "$1" | sed -n 's/.*"generation": \([0-9]*\).*/\1/p')
	bed_ctl fault '{"path":"/token","grant_type":"refresh_token","kind":"lost_answer"}' >/dev/null
	run vault token get "$1" --refused-generation "$gen"
	[ "$status" != 0 ]
	cause_is "$1" OutcomeUnknown
	[ -n "$(vault token get "$1")" ]	# still alive: served
}

@test "within the provider's grace it is used again, and a refusal is a lost answer" {
	before=$(reuse)
	lose graced
	within 10 cause_is graced GrantLostInTransit
	[ "$(reuse)" = $((before + 1)) ]
}

@test "when the grace is over the strict rule holds: not while the token lives" {
	before=$(reuse)
	lose brief
	sleep 5
	cause_is brief OutcomeUnknown
	[ "$(reuse)" = "$before" ]
	[ -n "$(vault token get brief)" ]
}

@test "a connector that holds does nothing by itself" {
	before=$(reuse)
	lose held
	sleep 5
	cause_is held OutcomeUnknown
	[ "$(reuse)" = "$before" ]
}

@test "where reuse is harmless it is used again, and a refusal is not called a withdrawal" {
	lose harmless
	within 10 cause_is harmless GrantLostInTransit
}

#!/usr/bin/env bats
# Grants without a person, and sign-ins whose parameters are pushed.

setup_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	export AT_TTL=12 BED_PORT=19441 PAR=1
	bed_prepare
	cat >"$BED/connectors/svc.json" <<'C'
{ "id": "svc", "name": "Service", "version": 1, "auth_types": ["oauth2_client_credentials"],
  "discovery": true, "issuer": "{issuer}", "variables": { "issuer": { "url": true } } }
C
	chmod 644 "$BED/connectors/svc.json"
	bed_policy more <<P
{ "policies": { "p": { "personal": { "workspace": "allow" }, "connectors": { "*": { "enabled": true },
    "openid": { "byoa": { "app_ref": "acme" } } } } }, "assign": { "users": { "$(bed_subject $BED_ALICE)": "p" } } }
P
	bed_start
	bed_await
	bed_app
	bed_export
}
setup() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; BED_PORT=19441; }
teardown_file() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; bed_down; }

alice() { ctl $BED_ALICE "$@"; }
app() {	# NAME SECRET
	printf '%s\n' "$2" | ctl $BED_ADMIN app add "$1" svc --client-id svc-client \
	    --var issuer="$ISSUER" --scope api:read --owner ops --purpose tests
}
minted() { bed_ctl stats | sed -n 's/.*"client_credentials:200":\([0-9]*\).*/\1/p' | grep . || echo 0; }

@test "row 20: client credentials give a token, and another one when it ends, over a restart" {
	bed_ctl client '{"client_id":"svc-client","client_secret":"right-secret-0","redirect_uris":[],"response_types":[],"grant_types":["client_credentials"],"scope":"api:read"}'
	app svc-app right-secret-0
	alice connection create svc --app svc-app
	[ "$(bed_shown svc auth_type)" = oauth2_client_credentials ]
	first=$(alice token get svc)
	[ -n "$first" ]
	bed_kill vaultd
	bed_within 20 alice status
	bed_await
	sleep 12
	second=$(alice token get svc)
	[ -n "$second" ]
	[ "$first" != "$second" ]
	[ "$(minted)" -ge 2 ]
}

@test "row 50: what is handed out is a header too" {
	[[ $(alice token get svc --format header) == "Authorization: Bearer "* ]]
}

@test "row 20: a wrong secret is named, and the name stays free" {
	app svc-bad wrong-secret-0
	run alice connection create svc --app svc-bad --name two
	[ "$status" != 0 ]
	[[ $output == *"error"* && $output != *wrong-secret* ]]
	alice connection create svc --app svc-app --name two
}

@test "row 41: reconnecting buys a new token" {
	first=$(alice token get two)
	alice connection set-secrets two
	[ "$(alice token get two)" != "$first" ]
}

@test "rows 19, 23: a sign-in whose parameters are pushed (RFC 9126)" {
	bed_connect $BED_ALICE
	grep -q 'request_uri=urn' "$BED/log/connect.$BED_ALICE.err"
	not grep -q 'code_challenge' "$BED/log/connect.$BED_ALICE.err"
	[ -n "$(alice token get openid)" ]
}

#!/usr/bin/env bats
# Somebody has the port of the redirect URI. Where the provider takes any port of this machine
# (RFC 8252 section 7.3) the sign-in goes on at another one.

setup_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	export AT_TTL=300 BED_PORT=19069
	bed_prepare
	sed 's/"id": "openid"/"id": "native", "loopback_any_port": true/' connectors/openid.json \
	    >"$BED/connectors/native.json"
	chmod 644 "$BED"/connectors/*.json
	rm "$BED/etc/policy.d/story.json"
	bed_policy any <<P
{ "policies": { "any": { "connectors": { "*": { "enabled": true } } } },
  "grants": [ { "role": "governance-admin", "to": ["$(bed_subject $BED_ADMIN)"] } ],
  "assign": { "tenant": "any" } }
P
	bed_start
	bed_await
	for c in native openid; do
		echo "secret-$c" | ctl $BED_ADMIN --json app add $c $c --client-id $c --owner tests --purpose tests \
		    --var issuer="$ISSUER" --scope openid --scope offline_access >"$BED/log/app"
		uri=$(sed -n 's/.*"redirect_uri": "\(.*\)".*/\1/p' "$BED/log/app")
		bed_ctl client "{\"client_id\":\"$c\",\"client_secret\":\"secret-$c\",
		    \"application_type\":\"native\",\"redirect_uris\":[\"$uri\"]}" >/dev/null
	done
	"$NODE" -e "require('net').createServer().listen($BED_PORT, '127.0.0.1',
	    () => console.log('held'))" >"$BED/log/holder" 2>&1 3>&- &
	export HOLDER=$!
	bed_within 10 grep -q held "$BED/log/holder"
	bed_export
}
teardown_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	kill "$HOLDER"
	bed_down
}
setup() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; }

@test "a provider that takes any port is given another" {
	bed_connect $BED_ALICE native --app native --name n
	[ -n "$(ctl $BED_ALICE token get n)" ]
	[ "$(grep -c "cannot be listened on" "$BED/log/connect.$BED_ALICE.err")" = 0 ]
	not grep -q "%3A$BED_PORT%2F" "$BED/log/connect.$BED_ALICE.err"
}

@test "and so it is when signing in again" {
	ctl $BED_ALICE connection reconnect n --no-browser --timeout 1 </dev/null 2>"$BED/log/again" || true
	grep -q '^https://' "$BED/log/again"
	not grep -q "%3A$BED_PORT%2F" "$BED/log/again"
}

@test "another provider is not: pasting is what is left, and it says why" {
	run ctl $BED_ALICE connect openid --app openid --no-browser </dev/null
	[ "$status" = 7 ]
	[[ $output == *"port $BED_PORT cannot be listened on"* ]]
	[[ $output == *"standard input ended"* ]]
	[ "$(ctl $BED_ALICE --json connection list | grep -c '"name": "openid"')" = 0 ]
}

@test "a port is taken from a caller only where any will do, and no system port" {
	run ctl $BED_ALICE call vaultd.Connections.Begin '{"connector":"openid","app":"openid","port":20000}'
	[[ $output == *"where any_port says"* ]]
	run ctl $BED_ALICE call vaultd.Connections.Begin '{"connector":"native","app":"native","name":"m","port":80}'
	[[ $output == *"1024 to 65535"* ]]
}

#!/usr/bin/env bats
# What a redirect says besides the code: Intuit's realmId, without which nobody knows the API's address;
# Zoho's accounts-server, which says where the account is. Kept with the connection, or refused.

setup_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	export AT_TTL=300 BED_PORT=19530
	bed_prepare
	connectors
	rm "$BED/etc/policy.d/story.json"
	bed_policy any <<P
{ "policies": { "any": { "connectors": { "*": { "enabled": true } } } },
  "grants": [ { "role": "governance-admin", "to": ["$(bed_subject $BED_ADMIN)"] } ],
  "assign": { "tenant": "any" } }
P
	bed_start
	bed_await
	local c
	for c in books desk; do
		echo "secret-$c" | ctl $BED_ADMIN --json app add $c $c --client-id $c --owner tests --purpose tests \
		    --var issuer="$ISSUER" --scope openid --scope offline_access >"$BED/log/app"
		uri=$(sed -n 's/.*"redirect_uri": "\(.*\)".*/\1/p' "$BED/log/app")
		bed_ctl client "{\"client_id\":\"$c\",\"client_secret\":\"secret-$c\",\"redirect_uris\":[\"$uri\"]}" >/dev/null
	done
	bed_export
}
connectors() {	# as quickbooks-online and zoho-crm say it
	python3 - "$BED/connectors" <<'P'
import json, sys
c = json.load(open(sys.argv[1] + '/openid.json'))
def write(name, **more):
    json.dump(dict(c, id=name, **more), open(f'{sys.argv[1]}/{name}.json', 'w'))
write('books', api_base='https://books.example.com/v3/company/{realm}',
      probe_url='{issuer}/api/whoami?company={realm}',
      capture={'realm': {'path': 'realmId', 'from': 'callback', 'type': 'id'}})
write('desk', capture={'server': {'path': '/accounts-server', 'from': 'callback', 'type': 'url', 'hosts': ['token_url']}})
P
	chmod 644 "$BED"/connectors/*.json
}
teardown_file() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; bed_down; }
setup() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; BED_PORT=19530; bed_ctl clear '{}' >/dev/null; }

connect() {	# CONNECTOR NAME [PARAMETERS]
	BED_CONSENT=${3:+--add $3} bed_connect $BED_ALICE "$1" --app "$1" --name "$2"
}
codes() { bed_ctl stats | grep -o '"authorization_code:[0-9]*":[0-9]*' | cut -d: -f3 | paste -sd+ | bc; }
gone() { ! ctl $BED_ALICE connection show "$1" >/dev/null 2>&1; }
member() { python3 -c 'import json, sys; print(json.load(sys.stdin)'"$1"')'; }
finish() { ctl $BED_ALICE --json call vaultd.Connections.Finish "$1"; }
begin() {	# CONNECTOR NAME: $BACK is where the browser ends
	BACK=$(bed_consent "$(ctl $BED_ALICE call vaultd.Connections.Begin \
	    "{\"connector\":\"$1\",\"app\":\"$1\",\"name\":\"$2\"}" | member '["authorization_url"]')" --print)
}
said() {	# PARAMETERS: Finish of $BACK with them
	finish "$(BACK=$BACK MORE=$1 python3 -c 'import json, os, urllib.parse as u
q = dict(u.parse_qsl(u.urlsplit(os.environ["BACK"]).query))
print(json.dumps({"state": q["state"], "code": q["code"], "iss": q["iss"], "parameters": json.loads(os.environ["MORE"])}))')"
}

@test "row 48: what a redirect tells is kept, makes the API's address, and is shown" {
	connect books b1 'realmId=9130357766900000&tracking=x'
	[ "$(ctl $BED_ALICE --json connection show b1 | member '["connection"]["captured"]')" = "{'realm': '9130357766900000'}" ]
	[ "$(bed_shown b1 api_base)" = https://books.example.com/v3/company/9130357766900000 ]
	ctl $BED_ALICE connection show b1 | grep -q '9130357766900000'
	[ "$(ctl $BED_ALICE --json token get b1 | member '["api_base"]')" = https://books.example.com/v3/company/9130357766900000 ]
}

@test "row 48: a pasted address brings it too, and the test call goes where it leads" {
	mkfifo "$BED/fifo"
	exec 9<>"$BED/fifo"
	ctl $BED_ALICE connect books --app books --name b2 --no-browser --paste <"$BED/fifo" \
	    >"$BED/log/b2" 2>"$BED/log/b2.err" 3>&- 9>&- &
	bed_within 10 grep -q '^https://' "$BED/log/b2.err"
	bed_consent "$(grep -m1 '^https://' "$BED/log/b2.err")" --print --add 'realmId=42' >&9
	exec 9>&-
	wait $!
	[ "$(bed_shown b2 api_base)" = https://books.example.com/v3/company/42 ]
	[ "$(ctl $BED_ALICE --json connection check b2 | member '["api"]')" = ok ]
}

@test "row 48: it survives a refresh, which does not tell it again" {
	connect books b3 'realmId=77'
	version=$(ctl $BED_ALICE --json connection show b3 | member '["connection"]["secret_version"]')
	ctl $BED_ALICE token get b3 --refused-generation "$(ctl $BED_ALICE --json token get b3 | member '["generation"]')" >/dev/null
	[ "$(ctl $BED_ALICE --json connection show b3 | member '["connection"]["secret_version"]')" -gt "$version" ]
	[ "$(bed_shown b3 api_base)" = https://books.example.com/v3/company/77 ]
	ctl $BED_ALICE --json connection show b3 | grep -q '"realm": "77"'
}

@test "rows 41, 48: signing in again with another company is refused, with the same one it works" {
	again() { BACK=$(bed_consent "$(ctl $BED_ALICE call vaultd.Connections.Reconnect '{"connection":"b3"}' |
	    member '["authorization_url"]')" --print); }
	again
	run said '{"realmId": "78"}'
	[ "$status" -ne 0 ]
	[[ $output == *AccountMismatch* ]]
	[[ $output == *"realm '77'"* ]]
	bed_works "$(ctl $BED_ALICE token get b3)"
	again
	said '{"realmId": "77"}' >/dev/null
	[ "$(bed_shown b3 api_base)" = https://books.example.com/v3/company/77 ]
}

@test "row 48: where it is missing, or is no id, that is said and the address is not made up" {
	begin books b4
	said '{}' >"$BED/log/b4"
	grep -q "did not say 'realmId' in the redirect" "$BED/log/b4"
	[ "$(member '["connection"]["api_base"]' <"$BED/log/b4")" = None ]
	begin books b5
	said '{"realmId": "1/../../admin"}' >"$BED/log/b5"
	grep -q "did not say 'realmId' in the redirect" "$BED/log/b5"
	[ "$(member '["connection"]["captured"]' <"$BED/log/b5")" = '{}' ]
}

@test "row 48: an account of another host of the provider is refused before its code is sent" {
	before=$(codes)
	run connect desk d1 'accounts-server=https%3A%2F%2Faccounts.example.eu'
	[ "$status" -ne 0 ]
	grep -q 'accounts-server at accounts.example.eu, and this OAuth app is for 127.0.0.1' "$BED/log/connect.$BED_ALICE.err"
	grep -q 'app registered for the account' "$BED/log/connect.$BED_ALICE.err"
	[ "$(codes)" = "$before" ]
	gone d1
	connect desk d1 'accounts-server=https%3A%2F%2F127.0.0.1'
	bed_works "$(ctl $BED_ALICE token get d1)"
	ctl $BED_ALICE --json connection show d1 | grep -q '"server": "https://127.0.0.1"'
}

@test "what is no object of strings, or too much of it, is refused with the parameter's name" {
	begin books b6
	for bad in '[]' '{"realmId": 7}' "{\"realmId\": \"$(printf 'x%.0s' $(seq 300))\"}" \
	    "$(python3 -c 'import json; print(json.dumps({str(i): "" for i in range(33)}))')"; do
		run said "$bad"
		[ "$status" -ne 0 ]
		[[ $output == *InvalidParameter* ]]
	done
	said '{"realmId": "8", "other": "dropped"}' | grep -q '"realm": "8"'
}

@test "row 48: vaultd dies during the exchange, and what the redirect told is not lost" {
	begin books b7
	before=$(codes)
	bed_ctl fault '{"path":"/token","kind":"delay","ms":1500}' >/dev/null
	said '{"realmId": "555"}' >"$BED/log/b7" 2>&1 3>&- &
	pid=$!
	spooled() { find "$BED/state/vault-egress/spool" -name '*.answer' | grep -q .; }
	bed_within 10 spooled
	bed_kill vaultd		# the answer arrives when nobody is there to commit it
	wait $pid || true
	bed_await
	made() { [ "$(bed_shown b7 api_base)" = https://books.example.com/v3/company/555 ]; }
	bed_within 20 made
	[ "$(codes)" = "$((before + 1))" ]
}

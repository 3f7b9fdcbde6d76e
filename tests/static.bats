#!/usr/bin/env bats
# Connections that are a secret: keys, Basic, headers. The provider's API takes `pat-good...` alone.

setup_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	export AT_TTL=300 BED_PORT=19440
	bed_prepare
	connector keyed '"api_key"' '"api_key_header": "Authorization", "api_key_prefix": "Bearer "'
	connector named '"basic"' '"basic_password": ""'
	connector several '"headers"' \
	    '"secret_headers": { "Authorization": { "prefix": "Bearer " }, "X-App": { "label": "App key" } }'
	connector asked '"api_key", "pat"' '"api_key_query": "key"'
	bed_policy story <<P
{ "policies": { "p": { "personal": { "workspace": "allow" }, "connectors": { "*": { "enabled": true } } } },
  "assign": { "tenant": "p" } }
P
	bed_start
	bed_await
	bed_export
}
setup() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; BED_PORT=19440; }
teardown_file() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; bed_down; }

connector() {	# ID TYPES MORE
	cat >"$BED/connectors/$1.json" <<C
{ "id": "$1", "name": "$1", "version": 1, "auth_types": [$2], $3,
  "variables": { "issuer": { "url": true } }, "api_base": "{issuer}/api",
  "probe_url": "{issuer}/api/whoami", "account_from": "probe", "account_member": "login" }
C
	chmod 644 "$BED/connectors/$1.json"
}
alice() { ctl $BED_ALICE "$@"; }
make() { alice connection create "$1" --var issuer="$ISSUER" "${@:2}"; }
headers() { alice --json call vaultd.Tokens.Headers "{\"connection\":\"$1\"${2:-}}"; }

@test "row 22: an API key is handed out as the header it goes into" {
	printf 'pat-good-k' | make keyed
	[ "$(alice token get keyed --format header)" = "Authorization: Bearer pat-good-k" ]
	[ "$(bed_shown keyed account)" = pat-user ]
}

refused_meanwhile() {	# COMMAND...: the policy shuts the connector while the provider is asked
	local policy=$BED/etc/policy.d/story.json
	bed_ctl fault '{"path":"/api/whoami","kind":"delay","ms":3000}' >/dev/null
	"$@" >"$BED/log/late" 2>&1 <<<'pat-good-late' 3>&- &
	late=$!
	bed_within 10 asked_the_provider
	sed -i 's/"enabled": true/"enabled": false/' "$policy"
	"$BIN/vaultctl" policy reload >/dev/null
	rc=0
	wait "$late" || rc=$?
	sed -i 's/"enabled": false/"enabled": true/' "$policy"
	"$BIN/vaultctl" policy reload >/dev/null
	cat "$BED/log/late"
	[ "$rc" = 4 ]
	grep -q 'not enabled' "$BED/log/late"
}
asked_the_provider() { bed_ctl stats | grep -q fault:delay; }

@test "a policy that changed while the provider was asked counts: nothing is stored" {
	refused_meanwhile make keyed --name meanwhile
	run alice connection show meanwhile
	[ "$status" = 3 ]
	printf 'pat-good-m' | make keyed --name meanwhile
}

@test "rows 22, 46: headers count as a use, too" {
	[ "$(used meanwhile)" = 0 ]
	headers meanwhile >/dev/null
	[ "$(used meanwhile)" -gt 0 ]
}
used() { alice --json connection show "$1" | sed -n 's/.*"last_used": \([0-9]*\).*/\1/p'; }

@test "row 52: what has no token says so, and how it is used" {
	run alice token get keyed
	[ "$status" != 0 ]
	[[ $output == *"has no token"* && $output == *"--format header"* ]]
	[[ $output != *pat-good* ]]
}

@test "row 22, Q16: the secret as it is takes conn.use_raw" {
	[[ $(headers keyed) != *secrets* ]]
	[[ $(headers keyed ',"raw":true') == *'"key": "pat-good-k"'* ]]
}

@test "row 26: a bad secret is refused at creation, and its name is free" {
	run make keyed --name again <<<'pat-bad'
	[ "$status" != 0 ]
	[[ $output == *refused* && $output != *pat-bad* ]]
	printf 'pat-good-2' | make keyed --name again
}

@test "row 41: old secrets stay until the new ones prove good" {
	run alice connection set-secrets keyed <<<'pat-bad'
	[ "$status" != 0 ]
	[ "$(alice token get keyed --format header)" = "Authorization: Bearer pat-good-k" ]
	printf 'pat-good-new' | alice connection set-secrets keyed
	[ "$(alice token get keyed --format header)" = "Authorization: Bearer pat-good-new" ]
}

@test "row 41: secrets of another account are refused, and the old ones stay, unless that is wanted" {
	run alice connection set-secrets keyed <<<'pat-good@other'
	[ "$status" = 5 ]
	[[ $output == *"belongs to account 'pat-user'"*"'other'"*--allow-other-account* ]]
	[[ $output != *pat-good* ]]
	[ "$(alice token get keyed --format header)" = "Authorization: Bearer pat-good-new" ]
	[ "$(bed_shown keyed account)" = pat-user ]
	alice connection set-secrets keyed --allow-other-account <<<'pat-good@other'
	[ "$(alice token get keyed --format header)" = "Authorization: Bearer pat-good@other" ]
	[ "$(bed_shown keyed account)" = other ]
	alice connection set-secrets keyed --allow-other-account <<<'pat-good-back'
}

@test "rows 41, 45: a disabled connection gets no other secrets" {
	alice connection disable keyed >/dev/null
	run alice --json connection set-secrets keyed <<<'pat-good-while-off'
	[ "$status" = 4 ]
	[[ $output == *ConnectionDisabled* ]]
	alice connection enable keyed >/dev/null
	[ "$(alice token get keyed --format header)" = "Authorization: Bearer pat-good-back" ]
}

@test "row 17: several secret headers, each asked for by its name" {
	printf 'pat-good-h\napp-1\n' | make several
	alice token get several --format header >"$BED/several"
	grep -qx 'Authorization: Bearer pat-good-h' "$BED/several"
	grep -qx 'X-App: app-1' "$BED/several"
	run alice call vaultd.Connections.Create "{\"connector\":\"several\",\"name\":\"x\",\"secrets\":{\"X-App\":\"a\"},\"variables\":{\"issuer\":\"$ISSUER\"}}"
	[ "$status" != 0 ]
	[[ $output == *"'Authorization' is missing"* ]]
}

@test "row 12: a type is said where there are several" {
	run alice call vaultd.Connections.Create "{\"connector\":\"asked\",\"secrets\":{\"key\":\"k\"}}"
	[ "$status" != 0 ]
	[[ $output == *"say which"* ]]
}

@test "row 15: a type never changes" {
	run alice call vaultd.Connections.SetSecrets '{"connection":"keyed","auth_type":"pat","secrets":{"token":"pat-good-x"}}'
	[ "$status" != 0 ]
	[[ $output == *"never changes"* ]]
	[[ $output != *pat-good-x* ]]
}

verdict() {	# CONNECTION STATUS CREDENTIAL API
	run alice --json connection check "$1"
	[ "$status" = "$2" ] || { echo "status $status: $output"; return 1; }
	[[ $output == *"\"credential\": \"$3\""* ]] || { echo "$output"; return 1; }
	[[ $output == *"\"api\": \"$4\""* ]] || { echo "$output"; return 1; }
	[[ $output != *pat-good* ]]
}
refuse() { bed_ctl fault '{"path":"/api/whoami","kind":"status","status":401,"count":'"$1"'}' >/dev/null; }
later() { sleep 11; }	# what was found lately is not asked again

@test "rows 26, 40: the test call of every static type goes with what its callers get" {
	printf 'pat-good-b' | make named
	printf 'pat-good-p' | make asked --auth-type pat --name token
	for c in keyed named several token; do
		verdict $c 0 ok ok
	done
	refuse 4
	later
	for c in keyed named several token; do
		verdict $c 5 disconnected rejected
		[ "$(bed_shown $c cause)" = vaultd.Connections.KeyRejected ]
		run alice token get $c --format header
		[ "$status" != 0 ]
		[[ $output == *KeyRejected* || $output == *refused* ]]
	done
}

@test "rows 40, 41: a key that was refused comes back with another key, or when the API takes it again" {
	printf 'pat-good-other' | alice connection set-secrets keyed
	[ "$(bed_shown keyed state)" = connected ]
	[ "$(alice token get keyed --format header)" = "Authorization: Bearer pat-good-other" ]
	later
	verdict named 0 ok ok
	[ "$(bed_shown named state)" = connected ]
	verdict several 0 ok ok
	verdict token 0 ok ok
	[ "$(alice token get token)" = pat-good-p ]
}

@test "row 52: a key of the query is no header, and comes as a parameter" {
	run make asked --auth-type api_key <<<'pat-good-q'
	[ "$status" != 0 ]	# this API takes no key in the query: the test call says so
	[[ $output == *refused* ]]
}

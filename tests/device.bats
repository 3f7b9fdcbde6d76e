#!/usr/bin/env bats
# Sign-ins on another device (RFC 8628): asked for until somebody there says yes or no.

setup_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	export AT_TTL=12 BED_PORT=19540
	bed_prepare
	cat >"$BED/connectors/tv.json" <<'C'
{ "id": "tv", "name": "A device", "version": 1, "auth_types": ["oauth2_device"], "discovery": true,
  "issuer": "{issuer}", "variables": { "issuer": { "url": true } }, "refresh": "rotating",
  "account_from": "id_token", "account_member": "sub" }
C
	chmod 644 "$BED/connectors/tv.json"
	bed_policy more <<P
{ "policies": { "p": { "personal": { "workspace": "allow" }, "connectors": { "tv": { "enabled": true,
    "auth_types": ["oauth2_device"], "byoa": { "app_ref": "tv-app" } } } } },
  "assign": { "users": { "$(bed_subject $BED_ALICE)": "p" } } }
P
	bed_start
	bed_await
	printf '%s\n' tv-secret-0 | ctl $BED_ADMIN app add tv-app tv --client-id tv-client --var issuer="$ISSUER" \
	    --scope openid --scope offline_access --scope api:read --owner ops --purpose tests
	bed_ctl client '{"client_id":"tv-client","client_secret":"tv-secret-0","redirect_uris":[],"response_types":[],"grant_types":["urn:ietf:params:oauth:grant-type:device_code","refresh_token"]}'
	bed_export
}
setup() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	bed_ctl clear
	soon
}
teardown() {
	[ -z "${WAITS:-}" ] || kill "$WAITS" 2>/dev/null || true
}
teardown_file() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; bed_down; }

alice() { ctl $BED_ALICE "$@"; }
fault() { bed_ctl fault "$1"; }
# The next codes are asked about each second.
soon() { fault '{"path":"/device/auth","kind":"rewrite","set":{"interval":1}}'; }
polled() {	# WORD: how often that was the answer, "200" for tokens
	bed_ctl stats | sed -n 's/.*"token":{[^}]*device_code:'"$1"'":\([0-9]*\).*/\1/p' | grep . || echo 0
}
begin() {	# [OPTION...]: vaultctl connect, in the background; $URL, $WAITS
	rm -f "$BED/log/tv.err"
	ctl $BED_ALICE connect tv --timeout 40 "$@" >"$BED/log/tv" 2>"$BED/log/tv.err" </dev/null 3>&- &
	WAITS=$!
	bed_within 10 grep -q 'user_code=' "$BED/log/tv.err"
	URL=$(grep -m1 'user_code=' "$BED/log/tv.err")
}
person() { bed_consent "$URL" "$@"; }
# How it ended: its exit status.
over() { local pid=$WAITS; WAITS=; end=0; wait "$pid" || end=$?; }
faulted_with() { bed_ctl stats | grep -q "fault:$1"; }
new_token() { [ "$(alice token get tv)" != "$first" ]; }

@test "rows 12, 17, 23: a device: the code is entered elsewhere, and the vault has the tokens" {
	begin
	person
	over
	grep -q 'connected personal/tv as alice' "$BED/log/tv"
	[ "$(bed_shown tv auth_type)" = oauth2_device ]
	bed_works "$(alice token get tv)"
}

@test "row 17: its tokens are renewed with the refresh token" {
	first=$(alice token get tv)
	bed_within 20 new_token
	bed_works "$(alice token get tv)"
	[ "$(bed_count refresh_token:200)" -ge 1 ]
}

@test "row 23: declined on the device: named, and the name is free again" {
	begin --name no
	person --deny
	over
	[ "$end" = 7 ]
	grep -q 'UserDenied\|declined\|access_denied' "$BED/log/tv.err"
	soon
	begin --name no
	person
	over
	bed_works "$(alice token get no)"
}

@test "row 23: nobody enters the code: it ends when the provider says, and the name is free" {
	bed_ctl clear
	fault '{"path":"/device/auth","kind":"rewrite","set":{"interval":1,"expires_in":3}}'
	begin --name late
	over
	[ "$end" = 7 ]
	grep -q 'code' "$BED/log/tv.err"
	run alice connection show late
	[ "$status" = 3 ]
	fault '{"path":"/token","grant_type":"urn:ietf:params:oauth:grant-type:device_code","kind":"status","status":400,"body":{"error":"expired_token"}}'
	soon
	begin --name late
	over
	[ "$end" = 7 ]
	grep -q 'expired_token' "$BED/log/tv.err"
	run alice connection show late
	[ "$status" = 3 ]
}

@test "row 23: slow_down: the provider is asked five seconds less often, from then on" {
	fault '{"path":"/token","grant_type":"urn:ietf:params:oauth:grant-type:device_code","kind":"status","status":400,"body":{"error":"slow_down"}}'
	session=$(begin_call slow)
	interval_is 1
	bed_within 10 interval_is 6
}
interval_is() { how_it_goes "$session" | grep -q "\"interval\": $1[,}]*$"; }
how_it_goes() { alice call vaultd.Connections.Session "{\"session\":\"$1\"}"; }
begin_call() {	# NAME: its session
	alice call vaultd.Connections.Begin "{\"connector\":\"tv\",\"name\":\"$1\"}" |
	    sed -n 's/.*"session": "\([0-9a-f-]*\)".*/\1/p'
}

refused_by_policy() {	# FROM TO WORDS [OPTION...]: the policy's text becomes another while the person is away
	local policy=$BED/etc/policy.d/more.json before
	before=$(polled 200)
	cp "$policy" "$BED/policy.was"
	begin --name unwanted "${@:4}"
	sed -i "/\"tv\": {/,\$s/$1/$2/" "$policy"
	"$BIN/vaultctl" policy reload >/dev/null
	person
	over
	cat "$BED/policy.was" >"$policy"
	"$BIN/vaultctl" policy reload >/dev/null
	cat "$BED/log/tv.err"
	[ "$end" = 4 ]
	grep -q "$3" "$BED/log/tv.err"
	[ "$(polled 200)" = "$before" ]
	run alice connection show unwanted
	[ "$status" = 3 ]
}

@test "a policy that changed while the code was entered counts: nobody is asked for tokens" {
	refused_by_policy '"enabled": true' '"enabled": false' 'not enabled'
}

@test "so does one that gives the connector another OAuth app" {
	refused_by_policy '"app_ref": "tv-app"' '"app_ref": "another", "locked": true' "locks connector 'tv'"
}

@test "rows 17, 23: vaultd and vault-egress are killed while it waits: it goes on" {
	begin --name again
	bed_kill vaultd
	bed_await
	bed_kill vault-egress
	bed_await
	person
	over
	bed_works "$(alice token get again)"
}

spent() { [ "$(polled 200)" -gt "$before" ]; }
@test "row 23: an answer is lost: the code was spent by it, and that is what is said" {
	before=$(polled 200)
	begin --name lost
	fault '{"path":"/token","grant_type":"urn:ietf:params:oauth:grant-type:device_code","kind":"lost_answer","count":99}'
	person
	bed_within 20 spent
	bed_ctl clear
	over
	[ "$end" = 5 ]
	grep -q 'an answer of the provider was lost' "$BED/log/tv.err"
	run alice connection show lost
	[ "$status" = 3 ]
}

@test "row 23: a provider that fails for a while is asked on" {
	begin --name unwell
	fault '{"path":"/token","grant_type":"urn:ietf:params:oauth:grant-type:device_code","kind":"status","status":503}'
	bed_within 10 faulted_with status
	person
	over
	[ "$end" = 0 ]
	bed_works "$(alice token get unwell)"
}

@test "row 41: signing in again on a device keeps id and name; a no leaves it as it was" {
	before=$(bed_shown tv id)
	alice connection reconnect tv >"$BED/log/tv" 2>"$BED/log/tv.err" </dev/null 3>&- &
	WAITS=$!
	bed_within 10 grep -q 'user_code=' "$BED/log/tv.err"
	URL=$(grep -m1 'user_code=' "$BED/log/tv.err")
	person --deny
	over
	[ "$end" = 7 ]
	bed_works "$(alice token get tv)"
	soon
	alice connection reconnect tv >"$BED/log/tv" 2>"$BED/log/tv.err" </dev/null 3>&- &
	WAITS=$!
	bed_within 10 grep -q 'user_code=' "$BED/log/tv.err"
	URL=$(grep -m1 'user_code=' "$BED/log/tv.err")
	person
	over
	[ "$(bed_shown tv id)" = "$before" ]
	bed_works "$(alice token get tv)"
}

@test "row 23: how a sign-in goes is told to nobody but who began it; what it is for may go meanwhile" {
	session=$(begin_call mine)
	[[ $(how_it_goes "$session") == *'"state": "waiting"'* ]]
	[[ $(how_it_goes "$session") == *'"user_code"'* ]]
	if [ "$(id -u)" = 0 ]; then
		run ctl $BED_BOB call vaultd.Connections.Session "{\"session\":\"$session\"}"
		[ "$status" != 0 ]
		[[ $output == *"not begun by you"* ]]
	fi
	alice connection delete mine
	bed_within 10 ended
}
ended() { ! how_it_goes "$session" >/dev/null 2>&1; }

@test "row 17: the device code is nowhere in the clear, nor are the tokens" {
	bed_ctl refresh-tokens | tr -d '[]" ' | tr ',' '\n' >"$BED/secrets"
	[ -s "$BED/secrets" ]
	bed_ctl device-codes | tr -d '[]" ' | tr ',' '\n' >>"$BED/secrets"
	[ "$(wc -l <"$BED/secrets")" -gt 4 ]
	run grep -rlaF -f "$BED/secrets" "$BED/state" "$BED/log"
	[ "$status" = 1 ]
}

@test "rows 12, 17: what a sign-in may be is said, before anything is asked" {
	run alice connect tv --auth-type oauth2_code
	[ "$status" != 0 ]
	[[ $output == *"oauth2_code"* ]]
	run alice connect tv --auth-type api_key
	[ "$status" = 2 ]
	[[ $output == *"oauth2_device"* ]]
}

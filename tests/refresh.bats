#!/usr/bin/env bats
# Renewing against a provider that misbehaves, over TLS: what is lost, cut, refused or late,
# and roles that die meanwhile. Each test has a connection of its own, named after it, and
# counts what the provider saw: a refresh token goes out twice only in the one retry that
# may cost nothing any more.

setup_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	export AT_TTL=300 BED_PORT=19078
	bed_up
	bed_app
	bed_export
}
teardown_file() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; bed_down; }
setup() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	bed_ctl clear '{}'
	bed_silent_about_tokens
	C=c$BATS_TEST_NUMBER
}

vault() { ctl $BED_ALICE "$@"; }
connect() { bed_connect $BED_ALICE --name "${1:-$C}"; }
reconnect() {
	: >"$BED/log/re.err"
	vault connection reconnect "$C" --no-browser >"$BED/log/re" 2>"$BED/log/re.err" </dev/null 3>&- &
	local pid=$!
	bed_within 5 grep -q '^https://' "$BED/log/re.err"
	bed_consent "$(grep -m1 '^https://' "$BED/log/re.err")" >/dev/null
	wait $pid
}
field() { vault --json token get "$C" | sed -n "s/.*\"$1\": \"\{0,1\}\([^\",]*\).*/\1/p"; }
shown() { bed_shown "$C" "$1"; }
renew() { vault token get "$C" --refused-generation "${1:-$(field generation)}"; }
fault() { bed_ctl fault "{\"path\":\"/token\",\"grant_type\":\"refresh_token\",$1}" >/dev/null; }
short_token() {		# one that ends in SECONDS, as the provider says
	fault "\"kind\":\"rewrite\",\"set\":{\"expires_in\":$1}"
	renew >/dev/null
}
newer_than() { [ "$(field generation)" -gt "$1" ]; }
cause_is() {
	local now
	now=$(shown cause)	# once: it may be another a moment later
	case $now in "" | *.none) [ -z "$1" ] ;; *) [[ $now == *".$1" ]] ;; esac
}

@test "a token is renewed before it ends, with nobody asking" {
	connect
	short_token 6
	before=$(field generation) old=$(field access_token)
	sleep 6
	[ "$(bed_count 'refresh_token:200')" -ge 2 ]
	newer_than "$before"
	new=$(field access_token)
	[ "$new" != "$old" ]
	bed_works "$new"
}

@test "an answer that never came: the living token is served, then one retry, then the truth" {
	connect
	short_token 5
	token=$(field access_token) reuse=$(bed_count reuse_detected)
	fault '"kind":"lost_answer"'
	run renew
	[ "$status" = 6 ] || [ "$status" = 1 ]
	cause_is OutcomeUnknown
	[ "$(field access_token)" = "$token" ]		# still alive: served
	[ "$(bed_count reuse_detected)" = "$reuse" ]	# and nothing was tried meanwhile
	bed_within 10 cause_is GrantLostInTransit
	[ "$(bed_count reuse_detected)" = $((reuse + 1)) ]
	run vault token get "$C"
	[ "$status" = 5 ]
	[[ $output == *"lost"* ]]
	sleep 2
	[ "$(bed_count reuse_detected)" = $((reuse + 1)) ]	# once means once
}

@test "a lost connection comes back by reconnecting: same id, same name" {
	C=c2
	id=$(shown id)
	reconnect
	[ "$(shown id)" = "$id" ]
	[ "$(shown state)" = connected ]
	bed_works "$(field access_token)"
}

@test "a request that died on the way: the same one retry finds the grant unharmed" {
	connect
	short_token 4
	reuse=$(bed_count reuse_detected)
	fault '"kind":"reset"'
	run renew
	[ "$status" != 0 ]
	cause_is OutcomeUnknown
	bed_within 10 cause_is ''
	bed_works "$(field access_token)"
	[ "$(bed_count reuse_detected)" = "$reuse" ]
}

@test "an answer cut in half counts as lost, not as refused" {
	connect
	short_token 5
	token=$(field access_token)
	fault '"kind":"truncate"'
	run renew
	[ "$status" != 0 ]
	cause_is OutcomeUnknown
	[ "$(field access_token)" = "$token" ]
	bed_within 10 cause_is GrantLostInTransit
}

@test "429, and 503 with Retry-After, spend nothing: the token is served, the cause is said" {
	for answer in 429 503; do
		connect "$C-$answer"
		C=$C-$answer
		fault "\"kind\":\"status\",\"status\":$answer,\"headers\":{\"retry-after\":\"5\"},\"body\":{}"
		run renew
		[ "$status" = 6 ]
		[[ $output == *"the provider answered $answer"* ]]
		cause_is Throttled
		bed_works "$(field access_token)"
		bed_within 30 cause_is ""	# by itself, before the next fault is there to be met
		C=c$BATS_TEST_NUMBER
	done
}

@test "Retry-After is kept to by those who ask, and no longer than it says" {
	connect
	fault '"kind":"status","status":429,"headers":{"retry-after":"6"},"body":{}'
	run renew
	cause_is Throttled
	asked=$(bed_count 'refresh_token:200')
	run renew
	[ "$status" = 6 ]
	[ "$(bed_count 'refresh_token:200')" = "$asked" ]
	sleep 6
	[ -n "$(renew)" ]
	cause_is ""
}

@test "500 may have spent it" {
	connect
	fault '"kind":"status","status":500,"body":{}'
	run renew
	[ "$status" != 0 ]
	cause_is OutcomeUnknown
	bed_works "$(field access_token)"
}

@test "an answer without a refresh token keeps the old one; expires_in may be a string" {
	connect
	fault '"kind":"rewrite","delete":["scope"],"set":{"expires_in":"120","token_type":"bearer"}'
	renew >/dev/null
	left=$(($(field expires) - $(date +%s)))
	[ "$left" -gt 100 ]
	[ "$left" -le 120 ]
	bed_works "$(field access_token)"
}

@test "when the refresh token ends is said, where the provider says it" {
	ends() { vault --json connection show "$C" | sed -n 's/.*"refresh_token_expires": \([0-9]*\).*/\1/p'; }
	connect
	[ "$(ends)" = 0 ]
	fault '"kind":"rewrite","set":{"refresh_token_expires_in":86400}'
	renew >/dev/null
	left=$(($(ends) - $(date +%s)))
	[ "$left" -gt 86300 ]
	[ "$left" -le 86400 ]
	vault connection show "$C" | grep '^sign-in ends  *in '
}

@test "consent withdrawn: the sentence says so and whose move it is" {
	connect
	bed_ctl revoke-user '{"user":"alice"}' >/dev/null
	run renew
	[ "$status" = 5 ]
	[[ $output == *"invalid_grant"* ]]
	[[ $output == *"Reconnect"* ]]
	cause_is GrantRevoked
}

@test "vaultd killed while the provider thinks: the answer is found and stored, nothing twice" {
	connect
	generation=$(field generation) ok=$(bed_count 'refresh_token:200') reuse=$(bed_count reuse_detected)
	fault '"kind":"delay","ms":1500'
	renew "$generation" >/dev/null 2>&1 &
	sleep 0.5
	bed_kill vaultd
	wait $! || true
	bed_within 10 newer_than "$generation"
	[ "$(field generation)" = $((generation + 1)) ]
	[ "$(bed_count 'refresh_token:200')" = $((ok + 1)) ]
	[ "$(bed_count reuse_detected)" = "$reuse" ]
	bed_works "$(field access_token)"
	cause_is ''
}

@test "vaultd killed while the provider thinks: who asks the new one first begins no second refresh" {
	connect
	gen=$(field generation) reuse=$(bed_count reuse_detected)
	fault '"kind":"delay","ms":1500'
	renew "$gen" >/dev/null 2>&1 3>&- &
	sleep 0.5	# sent by now
	kill -STOP "$(bed_pid vault-hsm)"
	bed_kill vaultd
	wait $! || true
	sleep 2		# egress has the answer, and the new vaultd has no HSM yet
	kill -STOP "$(bed_pid vault-egress)"
	kill -CONT "$(bed_pid vault-hsm)"
	# Both lines are up, and egress was not asked yet what became of the exchange.
	bed_within 10 eval 'vault --json status | grep -q "\"state\": *\"READY\""'
	renew "$gen" >/dev/null 2>&1 3>&- &
	sleep 0.5
	kill -CONT "$(bed_pid vault-egress)"
	wait $!
	[ "$(field generation)" = $((gen + 1)) ]
	[ "$(bed_count reuse_detected)" = "$reuse" ]
	bed_works "$(field access_token)"
}

@test "vault-egress killed after it sent: unknown, said so, and the living token is served" {
	connect
	reuse=$(bed_count reuse_detected)
	fault '"kind":"delay","ms":4000'
	renew >/dev/null 2>&1 &
	sleep 1.5	# sent by now
	bed_kill vault-egress
	wait $! || true
	bed_within 10 cause_is OutcomeUnknown
	bed_works "$(field access_token)"
	[ "$(bed_count reuse_detected)" = "$reuse" ]
	bed_await
}

@test "vault-hsm killed while the provider thinks: the answer needs no HSM to be kept" {
	connect
	generation=$(field generation)
	fault '"kind":"delay","ms":1000'
	renew "$generation" >/dev/null 2>&1 &
	sleep 0.3
	bed_kill vault-hsm
	wait $! || true
	bed_within 10 newer_than "$generation"
	bed_works "$(field access_token)"
}

@test "a code is exchanged once, whatever happens to its answer" {
	code=$(bed_count 'authorization_code:200')
	bed_ctl fault '{"path":"/token","grant_type":"authorization_code","kind":"lost_answer"}' >/dev/null
	run connect
	[ "$status" != 0 ]
	[ "$(bed_count 'authorization_code:200')" = $((code + 1)) ]
	[ "$(bed_count 'authorization_code:400')" = 0 ]
	grep -q 'error:' "$BED/log/connect.$BED_ALICE.err"
	sleep 2
	[ "$(bed_count 'authorization_code:400')" = 0 ]
	[ "$(shown state)" = disconnected ]
	cause_is SigninLost
	run vault token get "$C"
	[ "$status" != 0 ]
	[[ $output == *"Reconnect"* ]]
	reconnect
	[ "$(shown state)" = connected ]
	bed_works "$(field access_token)"
}

@test "deleting revokes at the provider" {
	connect
	token=$(field access_token) revoked=$(bed_count revoked)
	vault connection delete "$C"
	[ "$(bed_count revoked)" -gt "$revoked" ]
	run bed_works "$token"
	[ "$status" != 0 ]
}

@test "min_ttl: renewed when the token ends sooner, and not for what the provider cannot give" {
	connect
	gen=$(field generation)
	for _ in 1 2 3; do
		vault token get "$C" --min-ttl 99999 >/dev/null
	done
	[ "$(field generation)" = "$gen" ]
	short_token 40
	gen=$(field generation)
	sleep 11			# less than three quarters are left
	vault token get "$C" --min-ttl 20 >/dev/null
	[ "$(field generation)" = "$gen" ]
	vault token get "$C" --min-ttl 35 >/dev/null
	[ "$(field generation)" = $((gen + 1)) ]
}

@test "renewals that callers force are bounded" {
	connect
	ok=$(bed_count 'refresh_token:200')
	for _ in $(seq 32); do
		vault token get "$C" --refused-generation "$(field generation)" >/dev/null 2>"$BED/log/many" || break
	done
	grep -q 'it is not the token' "$BED/log/many"
	[ "$(bed_count 'refresh_token:200')" -le $((ok + 30)) ]
	bed_works "$(field access_token)"
}

@test "a provider that hangs delays nobody else" {
	connect
	other=$C
	connect other
	bed_ctl fault '{"path":"/token","grant_type":"refresh_token","kind":"hang","ms":4000}' >/dev/null
	renew >/dev/null 2>&1 &
	sleep 0.3
	C=other
	begin=$(date +%s%N)
	renew >/dev/null
	bed_works "$(field access_token)"
	[ $((($(date +%s%N) - begin) / 1000000)) -lt 2000 ]
	wait $! || true
}

@test "it is all in the audit log, which verifies" {
	dir=$BED/state/vaultd/audit
	"$BIN/vaultctl" audit verify "$dir" | grep -q '^ok'
	"$BIN/vaultctl" audit cat "$dir" >"$BED/audit"
	grep -q '"action":"refresh.begin"' "$BED/audit"
	grep -q 'GrantLostInTransit' "$BED/audit"
	grep -q 'OutcomeUnknown' "$BED/audit"
}

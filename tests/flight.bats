#!/usr/bin/env bats
# An exchange that is under way, and what happens meanwhile: the vault is told to stop, the user
# signs in again, other hosts are asked, the disk does not take the answer.

setup_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	# A second provider at another host; "localhost" may be the IPv6 one.
	export AT_TTL=300 BED_PORT=19083 BED_EGRESS=$'allow_address = ::1\nworkers = 6\nhost_concurrency = 2'
	bed_prepare
	first=$ISSUER
	HOST=localhost PORT=0 TLS_DIR=$BED/tls AT_TTL=300 "$NODE" "$IDP/server.mjs" >"$BED/log/other" 2>&1 3>&- &
	export OTHER_PID=$!
	bed_within 20 grep -q '^listening' "$BED/log/other"
	OTHER=$(sed -n 's/^listening //p' "$BED/log/other")
	bed_start
	bed_await
	bed_app
	echo other-secret | ctl $BED_ADMIN --json app add other openid --client-id other --owner tests --purpose tests --var issuer="$OTHER" \
	    --scope openid --scope offline_access >"$BED/log/app.other"
	ISSUER=$OTHER bed_client other other-secret "$(sed -n 's/.*"redirect_uri": "\(.*\)".*/\1/p' "$BED/log/app.other")"
	bed_connect $BED_ALICE --name other --app other
	export OTHER
	bed_export
}
teardown_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	if [ -e "$BED/launch.pid" ]; then	# one that a test started: no child of this shell
		BED_LAUNCH=$(cat "$BED/launch.pid")
		kill "$BED_LAUNCH" 2>/dev/null || true
		bed_within 20 ended || true
	fi
	kill "$OTHER_PID" 2>/dev/null || true
	bed_down
}
setup() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	[ ! -e "$BED/launch.pid" ] || BED_LAUNCH=$(cat "$BED/launch.pid")
	SPOOL=$BED/state/vault-egress/spool
	bed_ctl clear '{}' >/dev/null
	bed_silent_about_tokens
	C=c$BATS_TEST_NUMBER
}

vault() { ctl $BED_ALICE "$@"; }
field() { vault --json token get "${2:-$C}" | sed -n "s/.*\"$1\": \"\{0,1\}\([^\",]*\).*/\1/p"; }
ok() { bed_count 'refresh_token:200'; }
reuse() { bed_count reuse_detected; }
fault() { bed_ctl fault "{\"path\":\"/token\",\"grant_type\":\"$1\",$2}" >/dev/null; }
faults_are() { [ "$(bed_count "fault:$1")" = "$2" ]; }	# KIND COUNT
ended() { ! kill -0 "$BED_LAUNCH" 2>/dev/null; }
# In the background, held up by the provider for as long as it says: $PID
renew_held() {		# GENERATION MS
	local met
	met=$(bed_count fault:delay)
	fault refresh_token "\"kind\":\"delay\",\"ms\":$2"
	vault token get "$C" --refused-generation "$1" >"$BED/log/$C" 2>&1 3>&- &
	PID=$!
	bed_within 10 faults_are delay $((met + 1))	# the provider has it
}
stop() { kill "$BED_LAUNCH" && bed_within 30 ended; }
start_again() {
	bed_start
	echo "$BED_LAUNCH" >"$BED/launch.pid"
	bed_await
}
in_spool() { find "$SPOOL" -name '*.answer' | wc -l; }
consent_again() {	# in the background, up to the browser's redirect: $RECONNECT
	: >"$BED/log/re.err"
	vault connection reconnect "$C" --no-browser >"$BED/log/re" 2>"$BED/log/re.err" </dev/null 3>&- &
	RECONNECT=$!
	bed_within 10 grep -q '^https://' "$BED/log/re.err"
	bed_consent "$(grep -m1 '^https://' "$BED/log/re.err")" >/dev/null
}

@test "stopped while the provider thinks: the answer is waited for and stored, then it stops" {
	bed_connect $BED_ALICE --name "$C"
	gen=$(field generation) ok=$(ok) reuse=$(reuse)
	renew_held "$gen" 2000
	[ "$(in_spool)" = 1 ]
	stop
	wait $PID		# who waited was served
	bed_works "$(cat "$BED/log/$C")"
	[ "$(ok)" = $((ok + 1)) ]
	# In the store, not left to be found at the next start.
	[ "$(in_spool)" = 0 ]
	grep -q 'stopping: 1 exchanges in flight' "$BED/log/vault"
	start_again
	[ "$(field generation)" = $((gen + 1)) ]
	[ "$(field access_token)" = "$(cat "$BED/log/$C")" ]
	gen=$(field generation)
	bed_works "$(vault token get "$C" --refused-generation "$gen")"		# the refresh token is the new one
	[ "$(reuse)" = "$reuse" ]
}

@test "stopped while a code is exchanged: the sign-in is not lost" {
	met=$(bed_count fault:delay)
	fault authorization_code '"kind":"delay","ms":2000'
	bed_connect $BED_ALICE --name "$C" 3>&- &
	pid=$!
	bed_within 10 faults_are delay $((met + 1))
	stop
	wait $pid || true	# vaultctl asks the vault that is not there yet
	start_again
	[ "$(bed_shown "$C" state)" = connected ]
	bed_works "$(field access_token)"
	gen=$(field generation)
	bed_works "$(vault token get "$C" --refused-generation "$gen")"
}

@test "while a code is exchanged nothing takes its place: no second answer, no sign-in of that name" {
	met=$(bed_count fault:delay)
	fault authorization_code '"kind":"delay","ms":2000'
	bed_connect $BED_ALICE --name "$C" 3>&- &
	pid=$!
	bed_within 10 faults_are delay $((met + 1))
	state=$(sed -n 's/^https:.*[?&]state=\([^&]*\).*/\1/p' "$BED/log/connect.$BED_ALICE.err")
	run vault call vaultd.Connections.Finish "{\"state\":\"$state\",\"error\":\"access_denied\"}"
	[ "$status" = 6 ]
	[[ $output == *"under way"* ]]
	run vault call vaultd.Connections.Begin "{\"connector\":\"openid\",\"name\":\"$C\"}"
	[ "$status" = 1 ]
	[[ $output == *"already in personal"* ]]
	wait $pid
	[ "$(bed_shown "$C" state)" = connected ]
	bed_works "$(field access_token)"
}

@test "vaultd alone is stopped: the one after it has what came" {
	bed_connect $BED_ALICE --name "$C"
	gen=$(field generation) reuse=$(reuse) pid=$(bed_pid vaultd)
	renew_held "$gen" 1500
	kill "$pid"
	gone() { ! kill -0 "$pid" 2>/dev/null; }
	bed_within 20 gone
	wait $PID
	[ "$(in_spool)" = 0 ]
	bed_await
	[ "$(field generation)" = $((gen + 1)) ]
	[ "$(reuse)" = "$reuse" ]
}

@test "signed in again while a refresh runs: the sign-in is what counts, and nothing is spent twice" {
	bed_connect $BED_ALICE --name "$C"
	id=$(bed_shown "$C" id) gen=$(field generation) reuse=$(reuse)
	renew_held "$gen" 2000
	consent_again
	wait $RECONNECT
	wait $PID || true
	grep -q "^connected personal/$C as alice" "$BED/log/re"
	[ "$(bed_shown "$C" id)" = "$id" ]
	[ "$(bed_shown "$C" state)" = connected ]
	now=$(field generation)
	[ "$now" -gt "$gen" ]
	bed_works "$(field access_token)"
	for _ in 1 2; do
		bed_works "$(vault token get "$C" --refused-generation "$(field generation)")"
	done
	[ "$(reuse)" = "$reuse" ]
}

@test "a refresh that is lost does not take back what the sign-in gave" {
	bed_connect $BED_ALICE --name "$C"
	gen=$(field generation) reuse=$(reuse) met=$(bed_count fault:hang)
	fault refresh_token '"kind":"hang","ms":2000'
	vault token get "$C" --refused-generation "$gen" >"$BED/log/$C" 2>&1 3>&- &
	pid=$!
	bed_within 10 faults_are hang $((met + 1))
	consent_again
	wait $RECONNECT
	wait $pid || true
	[ "$(bed_shown "$C" state)" = connected ]
	[ -z "$(bed_shown "$C" cause)" ]
	bed_works "$(vault token get "$C" --refused-generation "$(field generation)")"
	[ "$(reuse)" = "$reuse" ]
}

@test "a token that is asked for while a sign-in is exchanged: one of the two, and both go on" {
	bed_connect $BED_ALICE --name "$C"
	gen=$(field generation) reuse=$(reuse) met=$(bed_count fault:delay)
	fault authorization_code '"kind":"delay","ms":1500'
	consent_again 3>&- &
	pid=$!
	bed_within 10 faults_are delay $((met + 1))
	bed_works "$(field access_token)"		# the living one
	vault token get "$C" --refused-generation "$gen" >"$BED/log/$C" 2>&1 ||
	    { [ $? = 6 ] && grep -q 'is being reconnected' "$BED/log/$C"; }
	wait $pid
	bed_within 10 grep -q "^connected personal/$C as alice" "$BED/log/re"
	bed_works "$(vault token get "$C" --refused-generation "$(field generation)")"
	[ "$(bed_shown "$C" state)" = connected ]
	[ "$(reuse)" = "$reuse" ]
}

@test "a host that hangs holds two of its own at a time, and nobody else's" {
	names=$(seq -f "$C-%g" 9)		# more than there are workers
	for n in $names; do bed_connect $BED_ALICE --name "$n" || { cat "$BED/log/connect.$BED_ALICE.err" "$BED/log/browser"; return 1; }; done
	met=$(bed_count fault:hang)
	bed_ctl fault '{"path":"/token","grant_type":"refresh_token","kind":"hang","ms":6000,"count":99}' >/dev/null
	pids=
	for n in $names; do
		vault token get "$n" --refused-generation "$(field generation "$n")" >/dev/null 2>&1 3>&- & pids="$pids $!"
	done
	bed_within 10 faults_are hang $((met + 2))
	for _ in 1 2 3; do
		gen=$(field generation other)
		[ "$(vault token get other --refused-generation "$gen")" != "" ]
		[ "$(field generation other)" = $((gen + 1)) ]
	done
	for p in $pids; do kill -0 "$p"; done	# all of them still wait
	[ "$(bed_count fault:hang)" = $((met + 2)) ]
	bed_ctl clear '{}' >/dev/null
	for p in $pids; do wait "$p" || true; done
	# Those whose turn came later were not harmed.
	good=0
	for n in $names; do [ -n "$(bed_shown "$n" cause)" ] || good=$((good + 1)); done
	[ "$good" = 7 ]
}

@test "no file for the answer: nothing is sent, the token is served, and it heals" {
	bed_connect $BED_ALICE --name "$C"
	gen=$(field generation) ok=$(ok)
	chmod 500 "$SPOOL"
	run vault token get "$C" --refused-generation "$gen"
	chmod 700 "$SPOOL"
	[ "$status" = 6 ]
	[[ $output == *"spool cannot be written: nothing was sent"*"operator"* ]]
	[ "$(ok)" = "$ok" ]
	bed_works "$(field access_token)"
	renewed() { vault token get "$C" --refused-generation "$gen" >/dev/null 2>&1; }
	bed_within 20 renewed
	[ "$(field generation)" = $((gen + 1)) ]
	# A sign-in is the same: refused before the code is spent.
	C=${C}code
	chmod 500 "$SPOOL"
	code=$(bed_count 'authorization_code:200')
	run bed_connect $BED_ALICE --name "$C"
	chmod 700 "$SPOOL"
	[ "$status" != 0 ]
	grep -q 'spool cannot be written' "$BED/log/connect.$BED_ALICE.err"
	[ "$(bed_count 'authorization_code:200')" = "$code" ]
}

@test "the file for the answer goes while the provider thinks: said aloud, and the answer is kept all the same" {
	bed_connect $BED_ALICE --name "$C"
	gen=$(field generation) reuse=$(reuse)
	renew_held "$gen" 1500
	[ "$(in_spool)" = 1 ]
	rm "$SPOOL"/*.answer
	wait $PID
	grep -q 'an answer could not be spooled, it is in memory alone' "$BED/log/vault"
	[ "$(field generation)" = $((gen + 1)) ]
	[ "$(field access_token)" = "$(cat "$BED/log/$C")" ]
	bed_kill vaultd
	bed_await
	bed_works "$(vault token get "$C" --refused-generation $((gen + 1)))"
	[ "$(reuse)" = "$reuse" ]
}

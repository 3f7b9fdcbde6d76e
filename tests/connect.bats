#!/usr/bin/env bats
# Every way a sign-in can end: in time or not, pasted or by the browser, declined, repeated, stolen,
# with the wrong account. However it ends it says so, and leaves no half of a connection behind.

setup_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	export AT_TTL=300 BED_PORT=19081
	bed_up
	bed_app
	bed_export
}
teardown_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	stop_again
	bed_down
}
setup() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	bed_ctl clear '{}'
	C=c$BATS_TEST_NUMBER
	OUT=$BED/log/$C FIFO=$BED/fifo.$C
}
teardown() { exec 9>&- || true; }
root_only() { [ "$(id -u)" = 0 ] || skip "only root has more than one user here"; }

vault() { ctl $BED_ALICE "$@"; }
gone() { ! kill -0 "$1" 2>/dev/null; }
stop_again() {		# a vault that a test started: no child of this shell
	[ -e "$BED/launch.pid" ] || return 0
	kill "$(cat "$BED/launch.pid")" && bed_within 20 gone "$(cat "$BED/launch.pid")"
	rm -f "$BED/launch.pid"
}

# vaultctl in the background, with a terminal's patience: what goes to descriptor 9 is pasted.
begin() {		# COMMAND...: $PID, $URL
	[ -p "$FIFO" ] || mkfifo "$FIFO"
	exec 9<>"$FIFO"
	: >"$OUT.err"
	vault "$@" --no-browser <"$FIFO" >"$OUT" 2>"$OUT.err" 3>&- 9>&- &
	PID=$!
	bed_within 10 grep -q '^https://' "$OUT.err"
	URL=$(grep -m1 '^https://' "$OUT.err")
}
connect() { begin connect openid --name "$C" "$@"; }
paste() { printf '%s\n' "$@" >&9; }
ends() {		# STATUS [WORDS...]: that end, and these words of vaultctl's
	local rc=0 want=$1 words
	wait "$PID" || rc=$?
	[ "$rc" = "$want" ] || { echo "status $rc"; cat "$OUT" "$OUT.err"; return 1; }
	for words in "${@:2}"; do
		cat "$OUT" "$OUT.err" | grep -qF -- "$words" || { echo "not said: $words"; cat "$OUT" "$OUT.err"; return 1; }
	done
}
back() { bed_consent "${URL:?}" --print "$@"; }
part() { echo "$1" | sed "s/.*[?&]$2=\([^&]*\).*/\1/" | python3 -c 'import sys, urllib.parse as u; print(u.unquote(sys.stdin.read().strip()))'; }
finish_as() {		# UID REDIRECT [ISSUER]: what vaultctl would hand in
	ctl "$1" --json call vaultd.Connections.Finish \
	    "{\"state\":\"$(part "$2" state)\",\"code\":\"$(part "$2" code)\",\"iss\":\"${3:-$ISSUER}\"}"
}
begin_call() { URL=$(vault call vaultd.Connections.Begin "{\"connector\":\"openid\",\"name\":\"$C\"}" | sed -n 's/.*"authorization_url": "\(.*\)",*/\1/p'); }
exchanges() { bed_ctl stats | grep -o '"authorization_code:[0-9]*":[0-9]*' | cut -d: -f3 | paste_sum; }
paste_sum() { local n sum=0; while read -r n; do sum=$((sum + n)); done; echo $sum; }
nothing_left() {	# and the name can be had again
	run vault connection show "$C"
	[ "$status" = 3 ]
	bed_connect $BED_ALICE --name "$C"
	bed_works "$(vault token get "$C")"
}

@test "the time passes: that is the end, the redirect URI to register is named, the name is free" {
	connect --timeout 1
	ends 7 'no answer came back' "$(sed -n 's/.*"redirect_uri": "\(.*\)".*/\1/p' "$BED/log/app")"
	nothing_left
	C=${C}json
	connect --timeout 1 --json
	ends 7
	python3 -c 'import json, sys; t = sys.stdin.read(); e = json.loads(t[t.index("\n{"):]); assert e["message"] and "http://127.0.0.1" in e["advice"], e' <"$OUT.err"
	nothing_left
}

@test "the end of what can be pasted is an end only where nothing else can come" {
	connect --paste
	exec 9>&-
	ends 7 'standard input ended before an address was pasted'
	nothing_left
	# With a browser to wait for it is none.
	C=${C}listen
	connect
	exec 9>&-
	bed_consent "$URL" >/dev/null
	ends 0 "connected personal/$C as alice"
}

@test "pasted: rubbish and the end of another sign-in are named, then the right address is taken" {
	begin_call
	other=$(back)
	C=${C}mine
	connect --paste
	paste 'what?' '' 'http://127.0.0.1:1/callback?code=x' "$other"
	paste "  $(back)  "
	ends 0 "connected personal/$C as alice" 'That is not the address the browser ended at' \
	    'That is the end of another sign-in'
	[ "$(grep -c 'That is not the address' "$OUT.err")" = 2 ]
	bed_works "$(vault token get "$C")"
	# The other one was not touched by it.
	finish_as $BED_ALICE "$other" >/dev/null
}

@test "an address that was pasted without its end, and then whole" {
	connect --paste
	url=$(back)
	paste "${url%%code=*}"
	paste "$url"
	ends 0 "connected personal/$C"
}

@test "Ctrl-C: it ends at once, and the name is free" {
	mkfifo "$FIFO"
	exec 9<>"$FIFO"
	bed_uid $BED_ALICE script -qec "exec '$BIN/vaultctl' connect openid --name $C --no-browser" /dev/null \
	    <"$FIFO" >"$OUT" 2>&1 3>&- 9>&- &
	PID=$!
	touch "$OUT.err"
	bed_within 10 grep -q 'waiting for the sign-in, [0-9]*:[0-9][0-9] left' "$OUT"
	printf '\003' >&9
	ends 7 'interrupted; nothing was connected'
	nothing_left
}

@test "the callback's port is taken: it says so, asks for pasting, and that works" {
	python3 -c 'import socket, sys, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", 19081)); s.listen()
print("taken", flush=True); time.sleep(60)' >"$BED/log/taken" 3>&- 9>&- &
	taker=$!
	bed_within 10 grep -q taken "$BED/log/taken"
	connect
	paste "$(back)"
	kill $taker
	wait $taker 2>/dev/null || true
	ends 0 "connected personal/$C" 'port 19081 cannot be listened on: Address already in use' 'Then paste the address'
}

@test "declined at the provider: said, also on the page, and nothing is left" {
	connect
	page=$(curl -sS --noproxy '*' "$(back --deny)")
	ends 7 access_denied
	[[ $page == *'Not connected'*access_denied* ]]
	nothing_left
	C=${C}pasted
	connect --paste
	paste "$(back --deny)"
	ends 7 access_denied
	nothing_left
}

@test "the same redirect twice: the second is refused, sends nothing, and harms nothing" {
	begin_call
	url=$(back)
	finish_as $BED_ALICE "$url" >/dev/null
	sent=$(exchanges)
	run finish_as $BED_ALICE "$url"
	[ "$status" = 1 ]
	[[ $output == *vaultd.Connections.StateInvalid* ]]
	[ "$(exchanges)" = "$sent" ]
	bed_works "$(vault token get "$C")"
	gen=$(vault --json token get "$C" | sed -n 's/.*"generation": \([0-9]*\).*/\1/p')
	bed_works "$(vault token get "$C" --refused-generation "$gen")"
}

@test "the same redirect many times at once: one exchange, one connection" {
	begin_call
	url=$(back) sent=$(exchanges)
	bed_ctl fault '{"path":"/token","grant_type":"authorization_code","kind":"delay","ms":500}' >/dev/null
	pids=
	for i in 1 2 3 4 5; do
		finish_as $BED_ALICE "$url" >"$OUT.$i" 2>&1 3>&- & pids="$pids $!"
	done
	good=0
	for p in $pids; do
		if wait "$p"; then good=$((good + 1)); fi
	done
	[ "$good" = 1 ] || { cat "$OUT".?; return 1; }
	[ "$(cat "$OUT".? | grep -c '"error": "vaultd\.\(Connections.StateInvalid\|Vault.Busy\|Vault.Conflict\)"')" = 4 ]
	[ "$(exchanges)" = $((sent + 1)) ]
	bed_works "$(vault token get "$C")"
}

@test "an answer that names another issuer ends the sign-in, and sends nothing" {
	begin_call
	url=$(back) sent=$(exchanges)
	run finish_as $BED_ALICE "$url" https://evil.example
	[ "$status" != 0 ]
	[[ $output == *vaultd.Connections.IssuerMismatch*"$ISSUER"* ]]
	[ "$(exchanges)" = "$sent" ]
	run finish_as $BED_ALICE "$url"
	[[ $output == *vaultd.Connections.StateInvalid* ]]
	nothing_left
}

@test "another user finishes nothing, by the vault or by the browser's way, and ends nothing" {
	root_only
	connect
	url=$(back) sent=$(exchanges)
	run finish_as $BED_BOB "$url"
	[ "$status" = 1 ]
	[[ $output == *"begun by another user"* ]]
	[ "$(bed_uid $BED_BOB curl -sS --noproxy '*' -o /dev/null -w '%{http_code}' "$url")" = 403 ]
	[ "$(exchanges)" = "$sent" ]
	kill -0 $PID
	[ "$(bed_uid $BED_ALICE curl -sS --noproxy '*' -o /dev/null -w '%{http_code}' "$url")" = 200 ]
	ends 0 "connected personal/$C as alice"
}

refused_by_policy() {	# FROM TO WORDS: the policy's text becomes another while the user signs in
	local policy=$BED/etc/policy.d/story.json sent rc=0
	cp "$policy" "$BED/policy.was"
	connect
	sed -i "/\"openid\": {/,\$s/$1/$2/" "$policy"
	"$BIN/vaultctl" policy reload >/dev/null
	sent=$(exchanges)
	paste "$(back)"
	ends 4 "$3" || rc=1
	cat "$BED/policy.was" >"$policy"
	"$BIN/vaultctl" policy reload >/dev/null
	[ $rc = 0 ] || return 1
	[ "$(exchanges)" = "$sent" ]
}

@test "a policy that changed while the user signed in counts" {
	refused_by_policy '"enabled": true' '"enabled": false' "not enabled"
}

@test "so does one that gives the connector another OAuth app" {
	refused_by_policy '"app_ref": "acme"' '"app_ref": "another", "locked": true' \
	    "locks connector 'openid'"
}

@test "reconnecting with another account is refused, and the old grant goes on" {
	bed_connect $BED_ALICE --name "$C"
	id=$(bed_shown "$C" id)
	begin connection reconnect "$C"
	bed_consent "$URL" --user bob --password builder >/dev/null
	ends 5 "belongs to account 'alice'" "with 'bob'"
	[ "$(bed_shown "$C" account)" = alice ]
	[ "$(bed_shown "$C" state)" = connected ]
	gen=$(vault --json token get "$C" | sed -n 's/.*"generation": \([0-9]*\).*/\1/p')
	bed_works "$(vault token get "$C" --refused-generation "$gen")"	# its refresh token too
	# And so it does after one that was not finished, or declined.
	begin connection reconnect "$C" --timeout 1
	ends 7 'no answer came back'
	begin connection reconnect "$C"
	bed_consent "$URL" --deny >/dev/null
	ends 7 access_denied
	begin connection reconnect "$C"
	bed_consent "$URL" >/dev/null
	ends 0 "connected personal/$C as alice"
	[ "$(bed_shown "$C" id)" = "$id" ]
	bed_works "$(vault token get "$C")"
}

@test "row 41: with --allow-other-account it changes hands; id and name stay" {
	bed_connect $BED_ALICE --name "$C"
	id=$(bed_shown "$C" id)
	begin connection reconnect "$C" --allow-other-account
	bed_consent "$URL" --user bob --password builder >/dev/null
	ends 0 "connected personal/$C as bob"
	[ "$(bed_shown "$C" id)" = "$id" ]
	[ "$(bed_shown "$C" account)" = bob ]
	# From then on it is bob's.
	begin connection reconnect "$C"
	bed_consent "$URL" >/dev/null
	ends 5 "belongs to account 'bob'" "with 'alice'"
}

@test "rows 41, 45: a disabled connection is not signed in again" {
	bed_connect $BED_ALICE --name "$C"
	vault connection disable "$C" --note away >/dev/null
	run vault --json connection reconnect "$C" --no-browser
	[ "$status" = 4 ]
	[[ $output == *ConnectionDisabled* ]]
	[[ $output == *away* ]]
	vault connection enable "$C" >/dev/null
	[ "$(bed_shown "$C" state)" = connected ]
}

@test "a sign-in that takes too long: refused, forgotten by itself, the name is free" {
	kill "$BED_LAUNCH" && bed_within 20 gone "$BED_LAUNCH"
	echo 'session_seconds = 2' >>"$BED/etc/vaultd.conf"
	bed_start
	echo "$BED_LAUNCH" >"$BED/launch.pid"
	bed_await
	begin_call
	url=$(back) sent=$(exchanges)
	sleep 3		# over, by the clock; whether the record is gone already does not matter
	run finish_as $BED_ALICE "$url"
	[ "$status" != 0 ]
	[[ $output == *vaultd.Connections.SessionExpired* || $output == *vaultd.Connections.StateInvalid* ]]
	[ "$(exchanges)" = "$sent" ]
	not_there() { ! vault connection show "$C" >/dev/null 2>&1; }
	C=${C}left
	begin_call
	vault connection show "$C" >/dev/null
	bed_within 20 not_there
	C=${C}waits
	connect		# vaultctl waits no longer than the vault does
	ends 7 'no answer came back'
	not_there
	stop_again
}

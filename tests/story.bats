#!/usr/bin/env bats
# The story on the real processes: what must work, what must be refused, and what must be
# said. One vault for the file; each test leaves it serving.

setup_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	export AT_TTL=300 BED_PORT=19076
	bed_up
	bed_app
	bed_connect $BED_ALICE
	bed_export
}
teardown_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	BIN=$BED/bin
	bed_down
}
setup() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; BED_PORT=19076; }

root_only() { [ "$(id -u)" = 0 ] || skip "only root has more than one user here"; }
token() { ctl "${1:-$BED_ALICE}" token get "${2:-openid}"; }
refused() {	# STATUS PATTERN COMMAND...
	local want=$1 pattern=$2
	shift 2
	run "$@"
	[ "$status" = "$want" ] || { echo "status $status: $output"; return 1; }
	[[ "$output" == *$pattern* ]] || { echo "$output"; return 1; }
}

@test "a token is handed out, and the provider accepts it" {
	bed_works "$(token)"
}

@test "the same token is handed out again, and a refused one is renewed once" {
	one=$(token) two=$(token)
	[ "$one" = "$two" ]
	gen=$(ctl $BED_ALICE --json token get openid | sed -n 's/.*"generation": \([0-9]*\).*/\1/p')
	three=$(ctl $BED_ALICE token get openid --refused-generation "$gen")
	[ "$one" != "$three" ]
	four=$(ctl $BED_ALICE token get openid --refused-generation "$gen")
	[ "$three" = "$four" ]
	bed_works "$four"
}

@test "ten programs that want a new token share one refresh" {
	before=$(bed_ctl stats | grep -o '"refresh_token:200":[0-9]*' | cut -d: -f3)
	gen=$(ctl $BED_ALICE --json token get openid | sed -n 's/.*"generation": \([0-9]*\).*/\1/p')
	pids=
	for i in 1 2 3 4 5 6 7 8 9 10; do
		ctl $BED_ALICE token get openid --refused-generation "$gen" >/dev/null & pids="$pids $!"
	done
	for p in $pids; do wait "$p"; done
	after=$(bed_ctl stats | grep -o '"refresh_token:200":[0-9]*' | cut -d: -f3)
	[ $((after - ${before:-0})) = 1 ]
	bed_ctl stats | grep -q '"reuse_detected":0'
}

@test "another user does not even see it, by id or by name" {
	root_only
	id=$(ctl $BED_ALICE --json connection show openid | sed -n 's/.*"id": "\(.*\)",*/\1/p' | head -1)
	refused 3 "there is no connection '$id' that you may see" ctl $BED_BOB token get "$id"
	none=$(echo "$id" | tr 0-9a-f 1-9a-f0)
	refused 3 "there is no connection '$none' that you may see" ctl $BED_BOB token get "$none"
	refused 3 "that you may see" ctl $BED_BOB token get openid
	refused 3 "that you may see" ctl $BED_BOB connection delete "$id"
	[ "$(ctl $BED_BOB --json connection list | tr -d ' \n')" = '{"connections":[]}' ]
}

@test "root may operate the vault, and may not use what is in it" {
	root_only
	id=$(ctl $BED_ALICE --json connection show openid | sed -n 's/.*"id": "\(.*\)",*/\1/p' | head -1)
	refused 3 "that you may see" "$BIN/vaultctl" token get "$id"
}

@test "shared folders: refusals name file, rule and whose move it is" {
	root_only
	ctl $BED_ADMIN folder create shared/team
	refused 4 "/policies/story/shared/connection_create in $BED/etc/policy.d/story.json" \
	    ctl $BED_ALICE connect openid --folder shared/team --no-browser
	[[ "$output" == *"a governance admin's"* ]]
	refused 4 "/policies/story/shared/folder_create in $BED/etc/policy.d/story.json" \
	    ctl $BED_ALICE folder create shared/mine
	refused 3 "no folder 'shared/nothing'" ctl $BED_ALICE connect openid --folder shared/nothing
	ctl $BED_ADMIN folder delete shared/team
}

@test "apps are for governance admins" {
	root_only
	refused 4 "app.edit" ctl $BED_ALICE app add mine openid --client-id x --owner tests --purpose tests --public
	refused 4 "app.view" ctl $BED_ALICE app list
}

@test "the client secret can be set again and never read" {
	echo "$BED_SECRET" | ctl $BED_ADMIN app set-secret acme
	run ctl $BED_ADMIN --json app show acme
	[ "$status" = 0 ]
	[[ $output != *"$BED_SECRET"* ]]
	gen=$(ctl $BED_ALICE --json token get openid | sed -n 's/.*"generation": \([0-9]*\).*/\1/p')
	bed_works "$(ctl $BED_ALICE token get openid --refused-generation "$gen")"
}

@test "a wrong client secret is the admin's move, and the living token is still served" {
	echo wrong-secret | ctl $BED_ADMIN app set-secret acme
	gen=$(ctl $BED_ALICE --json token get openid | sed -n 's/.*"generation": \([0-9]*\).*/\1/p')
	refused 1 "invalid_client" ctl $BED_ALICE token get openid --refused-generation "$gen"
	bed_works "$(token)"
	ctl $BED_ALICE connection show openid | grep -q ClientSecretWrong
	echo "$BED_SECRET" | ctl $BED_ADMIN app set-secret acme
	sleep 3
	bed_works "$(ctl $BED_ALICE token get openid --refused-generation "$gen")"
	ctl $BED_ALICE connection show openid | grep -q '^state *connected'
}

@test "a sign-in that the provider refused, or that nobody finished, leaves its name free" {
	echo wrong | ctl $BED_ADMIN app set-secret acme >/dev/null
	BED_CONSENT= bed_connect $BED_ALICE --name never && return 1
	grep -q "invalid_client" "$BED/log/connect.$BED_ALICE.err"
	[ "$(ctl $BED_ALICE --json connection list | grep -c '"name": "never"')" = 0 ]
	printf '%s\n' "$BED_SECRET" | ctl $BED_ADMIN app set-secret acme >/dev/null
	for i in 1 2; do	# of a client that was killed
		ctl $BED_ALICE --json call vaultd.Connections.Begin '{"connector":"openid","name":"never"}' \
		    >"$BED/log/begun.$i"
	done
	[ "$(ctl $BED_ALICE --json connection list | grep -c '"name": "never"')" = 1 ]
	[ "$(grep -h '"connection"' "$BED"/log/begun.* | sort -u | wc -l)" = 2 ]
	bed_connect $BED_ALICE --name never
	[ -n "$(ctl $BED_ALICE token get never)" ]
	refused 1 "already in personal" ctl $BED_ALICE call vaultd.Connections.Begin \
	    '{"connector":"openid","name":"never"}'
	ctl $BED_ALICE connection delete never >/dev/null
}

@test "declining is a clear end, and leaves nothing behind" {
	BED_CONSENT=--deny run bed_connect $BED_ALICE --name declined
	[ "$status" = 7 ]
	grep -q 'access_denied' "$BED/log/connect.$BED_ALICE.err"
	refused 3 "that you may see" ctl $BED_ALICE connection show declined
}

@test "an answer pasted by another user, or with another state, is refused" {
	root_only
	url=$(ctl $BED_ALICE call vaultd.Connections.Begin '{"connector":"openid","name":"stolen"}' |
	    sed -n 's/.*"authorization_url": "\(.*\)",*/\1/p')
	back=$(bed_consent "$url" --print)
	state=$(echo "$back" | sed 's/.*state=\([^&]*\).*/\1/') code=$(echo "$back" | sed 's/.*code=\([^&]*\).*/\1/')
	refused 1 "begun by another user" ctl $BED_BOB call vaultd.Connections.Finish "{\"state\":\"$state\",\"code\":\"$code\"}"
	case $state in A*) first=B ;; *) first=A ;; esac	# another session's name
	refused 1 "was not begun here" ctl $BED_ALICE call vaultd.Connections.Finish "{\"state\":\"$first${state:1}\",\"code\":\"$code\"}"
	refused 1 "names no issuer" ctl $BED_ALICE call vaultd.Connections.Finish "{\"state\":\"$state\",\"code\":\"$code\"}"
}

@test "a personal access token: probed, sealed, handed out" {
	printf 'pat-good-0123456789' | ctl $BED_ALICE connection create openid --auth-type pat --name pat --var issuer="$ISSUER"
	[ "$(ctl $BED_ALICE token get pat)" = pat-good-0123456789 ]
	ctl $BED_ALICE connection delete pat | grep -q deleted
}

@test "a name leads where it leads now: after a rename, a delete, a second one of that name" {
	pat() { printf "pat-good-$1" | ctl $BED_ALICE connection create openid --auth-type pat --name a \
	    --var issuer="$ISSUER" >/dev/null; }
	pat first
	[ "$(ctl $BED_ALICE token get a)" = pat-good-first ]
	ctl $BED_ALICE connection rename a b >/dev/null
	refused 3 "no connection 'a'" ctl $BED_ALICE token get a
	pat second
	[ "$(ctl $BED_ALICE token get a)" = pat-good-second ]
	[ "$(ctl $BED_ALICE token get b)" = pat-good-first ]
	ctl $BED_ALICE connection delete a >/dev/null
	refused 3 "no connection 'a'" ctl $BED_ALICE token get a
	ctl $BED_ALICE connection rename b a >/dev/null
	[ "$(ctl $BED_ALICE token get a)" = pat-good-first ]
	ctl $BED_ALICE connection delete a >/dev/null
}

@test "rename, list, show, delete" {
	ctl $BED_ALICE connection rename openid work | grep -q 'personal/work'
	bed_works "$(token $BED_ALICE work)"
	bed_works "$(token $BED_ALICE personal/work)"
	refused 2 "not a name" ctl $BED_ALICE connection rename work a/b
	ctl $BED_ALICE connection list | grep -q '^personal/work'
	ctl $BED_ALICE connection rename work openid >/dev/null
}

@test "a bad policy file keeps the last good set, and says line and column" {
	cp "$BED/etc/policy.d/story.json" "$BED/story.good"
	sed -i 's/"byoa": {/"byao": {/' "$BED/etc/policy.d/story.json"
	refused 1 "did you mean 'byoa'" "$BIN/vaultctl" policy reload
	[[ "$output" == *story.json:15:11* ]]
	bed_works "$(token)"
	"$BIN/vaultctl" status | grep -q 'not in force'
	cp "$BED/story.good" "$BED/etc/policy.d/story.json"
	"$BIN/vaultctl" policy reload | grep -q '^hash'
	refused 1 "story.json:15:11" bash -c "sed 's/\"byoa\": {/\"byao\": {/' '$BED/story.good' >$BED/bad-story.json; '$BIN/vaultctl' policy check '$BED/bad-story.json' 2>&1 | sed 's/bad-story/story/'; exit \${PIPESTATUS[0]}"
}

@test "the HSM away: status and lists at once, cached tokens too; then it heals" {
	bed_works "$(token)"
	mv "$BED/token" "$BED/token.away"
	for i in $(seq 100); do "$BIN/vaultctl" --json status | grep -q '"state": "READY"' || break; sleep 0.1; done
	"$BIN/vaultctl" --json status | grep -q '"state": "ABSENT"\|"state": "STARTING"'
	ctl $BED_ALICE connection list | grep -q openid
	bed_works "$(token)"
	gen=$(ctl $BED_ALICE --json token get openid | sed -n 's/.*"generation": \([0-9]*\).*/\1/p')
	refused 6 "HSM" ctl $BED_ALICE token get openid --refused-generation "$gen"
	mv "$BED/token.away" "$BED/token"
	bed_await
	bed_works "$(ctl $BED_ALICE token get openid --refused-generation "$gen")"
}

@test "the provider down: the living token is served, the rest says whose move it is" {
	gen=$(ctl $BED_ALICE --json token get openid | sed -n 's/.*"generation": \([0-9]*\).*/\1/p')
	bed_ctl fault '{"path":"/token","kind":"status","status":429,"headers":{"retry-after":"1"},"body":{}}'
	refused 6 "too many requests" ctl $BED_ALICE token get openid --refused-generation "$gen"
	bed_works "$(token)"
	bed_ctl clear '{}'
}

@test "seal: nothing is released until unsealed" {
	root_only
	"$BIN/vaultctl" seal
	refused 6 "sealed" ctl $BED_ALICE token get openid
	"$BIN/vaultctl" unseal
	bed_works "$(token)"
	refused 4 "for operators" ctl $BED_ALICE seal
}

@test "a backup opens as a store and an audit log of its own" {
	root_only
	path=$("$BIN/vaultctl" backup "b$RANDOM")
	"$BIN/vaultctl" audit verify "$path/audit" | grep -q '^ok'
	[ -s "$path/store/data.mdb" ]
}

@test "a reader of the protocol finds what the documents say" {
	"$BIN/vaultctl" call org.varlink.service.GetInfo | grep -q vaultd.Tokens
	"$BIN/vaultctl" call org.varlink.service.GetInterfaceDescription '{"interface":"vaultd.Tokens"}' | grep -q 'method Get'
	refused 1 "there is no method" "$BIN/vaultctl" call vaultd.Tokens.Take
	refused 2 "did you mean 'connection'" ctl $BED_ALICE call vaultd.Tokens.Get '{"connections":"x"}'
	refused 2 "did you mean 'token get'" "$BIN/vaultctl" token got x
}

@test "a token is not printed to a terminal without --show" {
	run script -qec "'$BIN/vaultctl' token get openid" /dev/null
	[[ "$output" == *"only with --show"* ]]
}

@test "an edited store is recognised: the record is refused, the rest is served" {
	root_only
	id=$(ctl $BED_ALICE --json connection show openid | sed -n 's/.*"id": "\(.*\)",*/\1/p' | head -1)
	ctl $BED_BOB call vaultd.Connections.List >/dev/null
	kill "$BED_LAUNCH"; while kill -0 "$BED_LAUNCH" 2>/dev/null; do sleep 0.05; done
	python3 - "$BED/state/vaultd/store/data.mdb" <<'P'
import sys
# alice's uid in the records of the store becomes bob's: 4701 -> 4702
p = sys.argv[1]; b = open(p, 'rb').read()
a = (4701).to_bytes(4, 'big'); c = (4702).to_bytes(4, 'big')
assert a in b
open(p, 'r+b').write(b.replace(a, c))
P
	bed_start
	echo "$BED_LAUNCH" >"$BED/launch.pid"
	bed_await
	refused 1 "damaged or edited" ctl $BED_BOB token get "$id"
	refused 1 "damaged or edited" ctl $BED_ALICE token get "$id"
	kill "$BED_LAUNCH"; while kill -0 "$BED_LAUNCH" 2>/dev/null; do sleep 0.05; done
}

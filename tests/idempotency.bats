#!/usr/bin/env bats
# The same call again, with the key that it had before: one connection, whatever became of the
# first answer.

setup_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	export AT_TTL=300 BED_PORT=19550
	bed_up
	bed_app
	bed_export
}
teardown_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	BIN=$BED/bin
	bed_down
}
setup() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; BED_PORT=19550; }

alice() { ctl $BED_ALICE "$@"; }
create() {	# KEY NAME [OPTION...]: with the secret of standard input
	alice --json connection create openid --auth-type pat --var issuer="$ISSUER" --idempotency-key "$1" \
	    --name "$2" "${@:3}"
}
begin() {	# KEY NAME [MORE]
	alice --json call vaultd.Connections.Begin "{\"connector\":\"openid\",\"name\":\"$2\",\"idempotency_key\":\"$1\"${3:-}}"
}
member() { sed -n "s/.*\"$1\": \"\(.*\)\",*$/\1/p" | head -1; }
names() { alice --json connection list --all | grep -c "\"path\": \".*/$1\""; }
signs_in() {	# URL: and what comes back is handed in
	bed_consent "$1" --print >"$BED/log/back"
	alice --json call vaultd.Connections.Finish "$(python3 -c 'import json, sys, urllib.parse as u
print(json.dumps(dict(u.parse_qsl(u.urlsplit(open(sys.argv[1]).read().strip()).query))))' "$BED/log/back")"
}

@test "row 27: Create again with its key has the same connection, and makes no other" {
	first=$(printf 'pat-good-1' | create k1 one | member id)
	[ -n "$first" ]
	[ "$(printf 'pat-good-1' | create k1 one | member id)" = "$first" ]
	[ "$(names one)" = 1 ]
	# What it is called now, and what secret is brought, is no part of the call that it was.
	alice connection rename one renamed >/dev/null
	[ "$(printf 'pat-good-2' | create k1 one | member id)" = "$first" ]
	[ "$(alice token get renamed)" = pat-good-1 ]
	[ "$(names one || true)" = 0 ]
}

@test "row 27: with other parameters the key is refused, and no secret is said" {
	printf 'pat-good-1' | create k2 two >/dev/null
	run create k2 three <<<'pat-good-1'
	[ "$status" = 1 ] || { echo "$status $output"; return 1; }
	[[ $output == *IdempotencyKeyReused* ]]
	[[ $output != *pat-good* ]]
	run create k2 two --description other <<<'pat-good-1'
	[[ $output == *IdempotencyKeyReused* ]]
	run begin k2 two
	[ "$status" != 0 ]
	[[ $output == *IdempotencyKeyReused* ]]
	run create "" four <<<'pat-good-1'
	[ "$status" != 0 ]
	[[ $output == *"is not empty"* ]]
	[ "$(names three || true)" = 0 ]
	[ "$(names four || true)" = 0 ]
}

@test "row 27: without a key, or with another, the name is what is taken" {
	run create k3 two <<<'pat-good-1'
	[ "$status" != 0 ]
	[[ $output == *NameTaken* ]]
}

@test "row 27: a key is its user's own" {
	[ "$(id -u)" = 0 ] || skip "only root has more than one user here"
	printf 'pat-good-1' | create k4 four >/dev/null
	mine=$(bed_shown four id)
	printf 'pat-good-b' | ctl $BED_BOB --json connection create openid --auth-type pat --var issuer="$ISSUER" \
	    --idempotency-key k4 --name four >"$BED/log/bob"
	[ -n "$(member id <"$BED/log/bob")" ]
	[ "$(member id <"$BED/log/bob")" != "$mine" ]
}

@test "row 27: of many such calls at once all have the same one" {
	for i in 1 2 3 4 5 6; do
		(printf 'pat-good-1' | create k5 five | member id >"$BED/log/five.$i") 3>&- &
	done
	wait
	[ "$(cat "$BED"/log/five.? | sort -u | wc -l)" = 1 ]
	[ "$(cat "$BED"/log/five.? | wc -l)" = 6 ]
	[ "$(names five)" = 1 ]
}

@test "row 27: what was deleted is not made again by its key" {
	printf 'pat-good-1' | create k6 six >/dev/null
	alice connection delete six >/dev/null
	run create k6 six <<<'pat-good-1'
	[ "$status" = 3 ]
	[ "$(names six || true)" = 0 ]
}

@test "row 27: Begin again with its key: the same connection, another sign-in in place of the first" {
	begin b1 signed >"$BED/log/b1"
	begin b1 signed ',"port":null' >"$BED/log/b2"
	id=$(member connection <"$BED/log/b1")
	[ "$(member connection <"$BED/log/b2")" = "$id" ]
	[ "$(member session <"$BED/log/b2")" != "$(member session <"$BED/log/b1")" ]
	[ "$(names signed)" = 1 ]
	run signs_in "$(member authorization_url <"$BED/log/b1")"
	[[ $output == *StateInvalid* ]] || { echo "$output"; return 1; }
	signs_in "$(member authorization_url <"$BED/log/b2")" >/dev/null
	[ "$(bed_shown signed id)" = "$id" ]
	bed_works "$(alice token get signed)"
	# It is what it is: nothing is begun any more.
	begin b1 signed >"$BED/log/b3"
	[ "$(member connection <"$BED/log/b3")" = "$id" ]
	not grep -q authorization_url "$BED/log/b3"
	run begin b1 other
	[[ $output == *IdempotencyKeyReused* ]]
	alice connect openid --name connected --idempotency-key b2 --no-browser --timeout 1 </dev/null >/dev/null 2>&1 || true
	bed_connect $BED_ALICE --name connected --idempotency-key b2
	alice connect openid --name connected --idempotency-key b2 </dev/null >"$BED/log/again"
	grep -q '^connected personal/connected as alice' "$BED/log/again"
	[ "$(names connected)" = 1 ]
}

@test "row 27: kill -9 at any moment, then the same key: one connection" {
	for ms in 0 3 6 9 12 16 20 30 45 70; do
		printf 'pat-good-k' | create "kill-$ms" "kill-$ms" >/dev/null 2>&1 3>&- & pid=$!
		sleep "$(printf '0.%03d' $((ms + 5)))"
		bed_kill vaultd
		wait $pid || true
		bed_await
		before=$(bed_shown "kill-$ms" id || true)
		id=$(printf 'pat-good-k' | create "kill-$ms" "kill-$ms" | member id)
		[ -n "$id" ]
		[ -z "$before" ] || [ "$before" = "$id" ]
		[ "$(names "kill-$ms")" = 1 ]
		[ "$(alice token get "kill-$ms")" = pat-good-k ]
	done
}

@test "row 27: what is kept of a call holds no secret" {
	printf 'pat-good-nowhere' | create k7 seven >/dev/null
	not grep -raq 'pat-good-nowhere' "$BED/state/vaultd"
}

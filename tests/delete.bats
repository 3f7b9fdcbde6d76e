#!/usr/bin/env bats
# Deleting: gone here at once and for good, revoked at the provider sooner or later, and honest
# about which.

setup_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	export AT_TTL=300 BED_PORT=19451
	bed_up
	bed_app
	bed_export
}
teardown_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	BIN=$BED/bin
	bed_down
}
setup() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; BED_PORT=19451; bed_ctl clear '{}' >/dev/null; }

token() { ctl $BED_ALICE token get "${1:-openid}"; }
refused() {	# STATUS PATTERN COMMAND...
	local want=$1 pattern=$2
	shift 2
	run "$@"
	[ "$status" = "$want" ] || { echo "status $status: $output"; return 1; }
	[[ "$output" == *$pattern* ]] || { echo "$output"; return 1; }
}
id_of() { bed_shown "$1" id | head -1; }
dead() { ! bed_works "$1"; }
became() {	# ID REVOCATION: of a deleted one
	ctl $BED_ALICE --json connection deleted | tr -d ' \n' | grep -o "{[^}]*$1[^}]*}" |
	    grep -q "\"revocation\":\"$2\""
}
fault() { bed_ctl fault "{\"path\":\"/token/revocation\",$1}" >/dev/null; }
grants() { bed_ctl refresh-tokens | tr ',' '\n' | grep -c '"' || true; }
vault_again() { bed_await; }

@test "row 44: a deleted connection is gone, its name is free, and it is revoked" {
	bed_connect $BED_ALICE
	id=$(id_of openid)
	t=$(token)
	bed_works "$t"
	run ctl $BED_ALICE connection delete openid
	[ "$status" = 0 ]
	[ "$output" = "deleted, and revoked at the provider" ]
	dead "$t"
	[ "$(grants)" = 0 ]
	refused 3 "that you may see" ctl $BED_ALICE connection show openid
	refused 3 "ConnectionDeleted" ctl $BED_ALICE --json token get "$id"
	refused 3 "was deleted by uid" ctl $BED_ALICE connection show "$id"
	became "$id" revoked
	bed_connect $BED_ALICE
	bed_works "$(token)"
	ctl $BED_ALICE connection delete openid >/dev/null
}

@test "row 54: a deleted connection is hidden from who could not see it" {
	[ "$(id -u)" = 0 ] || skip "only root has more than one user here"
	id=$(ctl $BED_ALICE --json connection deleted | sed -n 's/.*"id": "\(.*\)",*/\1/p' | head -1)
	[ -n "$id" ]
	refused 3 "there is no connection '$id' that you may see" ctl $BED_BOB connection show "$id"
	[ "$(ctl $BED_BOB --json connection deleted | tr -d ' \n')" = '{"connections":[]}' ]
	[ "$(bed_pages $BED_BOB vaultd.Connections.Deleted 1 id && echo end)" = end ]
	everything=$(ctl $BED_ALICE --json connection deleted | sed -n 's/.*"id": "\(.*\)",*/\1/p')
	[ "$(grep -c . <<<"$everything")" = 2 ]
	[ "$(bed_pages $BED_ALICE vaultd.Connections.Deleted 1 id)" = "$everything" ]
}

@test "row 44, Q17: the provider is away: removed here at once, said so, and revoked later" {
	bed_connect $BED_ALICE
	id=$(id_of openid)
	t=$(token)
	fault '"kind":"status","status":503,"count":1'
	run ctl $BED_ALICE connection delete openid
	[ "$status" = 0 ]
	[[ "$output" == *"revoking is queued"* ]]
	[[ "$output" == *"Removed here, still live there: "*503* ]]
	refused 3 "was deleted" ctl $BED_ALICE token get "$id"
	bed_works "$t"
	became "$id" queued
	bed_within 20 became "$id" revoked
	dead "$t"
}

@test "row 44: vault-egress is away: the delete works, and the grant is revoked when it is back" {
	bed_connect $BED_ALICE
	id=$(id_of openid)
	t=$(token)
	kill -STOP "$(bed_pid vault-egress)"
	run ctl $BED_ALICE connection delete openid --no-wait
	deleted=$status
	run ctl $BED_ALICE token get "$id"
	kill -CONT "$(bed_pid vault-egress)"
	[ "$deleted" = 0 ]
	[ "$status" = 3 ]
	bed_within 20 became "$id" revoked
	dead "$t"
}

@test "row 44: an OAuth app stays while a deleted connection of it is being revoked, and it says until when" {
	bed_connect $BED_ALICE
	id=$(id_of openid)
	fault '"kind":"status","status":503,"count":9999'
	ctl $BED_ALICE connection delete openid >/dev/null
	became "$id" queued
	refused 1 "still being revoked at the provider" ctl $BED_ADMIN app delete acme
	[[ "$output" == *"at most "*" from now"* ]]
	bed_ctl clear '{}' >/dev/null
	bed_within 80 became "$id" revoked
}

@test "row 44: the HSM is away: the delete works, and the grant is revoked when it is back" {
	bed_connect $BED_ALICE
	id=$(id_of openid)
	t=$(token)
	kill -STOP "$(bed_pid vault-hsm)"
	run ctl $BED_ALICE connection delete openid --no-wait
	deleted=$status
	run ctl $BED_ALICE token get "$id"
	kill -CONT "$(bed_pid vault-hsm)"
	[ "$deleted" = 0 ]
	[ "$status" = 3 ]
	bed_within 80 became "$id" revoked
	dead "$t"
}

@test "row 44, Q17: --no-revoke leaves the access at the provider alone" {
	bed_connect $BED_ALICE
	t=$(token)
	before=$(bed_count revoked)
	run ctl $BED_ALICE connection delete openid --no-revoke
	[ "$status" = 0 ]
	[[ "$output" == *"still live there, as you asked"* ]]
	bed_works "$t"
	[ "$(bed_count revoked)" = "$before" ]
}

@test "row 44: a grant that another connection lives by is not revoked" {
	one='{"access_token":"at-one","refresh_token":"rt-common","expires_in":3600,"token_type":"Bearer"}'
	for n in one two; do
		bed_ctl fault "{\"path\":\"/token\",\"kind\":\"status\",\"status\":200,\"body\":$one}" >/dev/null
		bed_connect $BED_ALICE --name $n
	done
	before=$(bed_count revoked)
	run ctl $BED_ALICE connection delete one
	[[ "$output" == *"another connection uses the same grant"* ]]
	[ "$(bed_count revoked)" = "$before" ]
	[ "$(token two)" = at-one ]
	run ctl $BED_ALICE connection delete two
	[ "$output" = "deleted, and revoked at the provider" ]
	[ "$(bed_count revoked)" -gt "$before" ]
}

@test "row 44: an answer that comes after the delete is revoked too" {
	before=$(grants)
	bed_connect $BED_ALICE
	id=$(id_of openid)
	gen=$(ctl $BED_ALICE --json token get openid | sed -n 's/.*"generation": \([0-9]*\).*/\1/p')
	bed_ctl fault '{"path":"/token","kind":"delay","ms":2000}' >/dev/null
	ctl $BED_ALICE token get openid --refused-generation "$gen" >"$BED/log/late" 2>&1 3>&- & pid=$!
	sleep 0.5
	ctl $BED_ALICE connection delete openid --no-wait >/dev/null
	not wait $pid
	grep -q "was deleted" "$BED/log/late"
	bed_within 20 became "$id" revoked
	[ "$(grants)" = "$before" ]
}

@test "row 44: kill -9 of vaultd at any moment of a delete loses nothing" {
	before=$(grants)
	for ms in 0 2 4 6 8 12 16 24 40 80; do
		bed_connect $BED_ALICE --name k
		id=$(id_of k)
		t=$(token k)
		ctl $BED_ALICE connection delete k >/dev/null 2>&1 3>&- & pid=$!
		sleep "$(printf '0.%03d' $((ms + 4)))"
		bed_kill vaultd
		wait $pid || true
		vault_again
		if ctl $BED_ALICE connection show k >/dev/null 2>&1; then
			[ "$(token k)" = "$t" ]
			ctl $BED_ALICE connection delete k >/dev/null
		fi
		bed_within 30 became "$id" revoked
		dead "$t"
		refused 3 "that you may see" ctl $BED_ALICE connection show k
	done
	[ "$(grants)" = "$before" ]
}

@test "row 44: kill -9 while the provider is asked: it is asked again" {
	bed_connect $BED_ALICE
	id=$(id_of openid)
	t=$(token)
	fault '"kind":"delay","ms":3000,"count":1'
	ctl $BED_ALICE connection delete openid >/dev/null 2>&1 3>&- & pid=$!
	sleep 0.7
	bed_kill vaultd
	wait $pid || true
	vault_again
	refused 3 "was deleted" ctl $BED_ALICE token get "$id"
	bed_within 80 became "$id" revoked
	dead "$t"
}

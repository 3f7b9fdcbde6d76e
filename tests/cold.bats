#!/usr/bin/env bats
# A vault with a store and without its HSM: started so, and left so. What needs no key is served,
# the rest is refused at once, and all of it comes back by itself. And the cache of keys, which is
# what serves tokens then, holds nothing that was sealed or deleted.

setup_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	export AT_TTL=300 BED_PORT=19082
	bed_up
	bed_app
	bed_connect $BED_ALICE --name one
	bed_connect $BED_ALICE --name two
	printf 'pat-good-cold' | ctl $BED_ALICE connection create openid --auth-type pat --name pat --var issuer="$ISSUER"
	echo pat-good-new >"$BED/pat"
	bed_stop
	mv "$BED/token" "$BED/token.away"
	bed_start
	bed_export
}
teardown_file() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; bed_down; }
setup() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; }

root_only() { [ "$(id -u)" = 0 ] || skip "only an operator may"; }
# None of them may wait for an answer that will not come: a question to vault-hsm has 8 seconds.
vault() { bed_uid $BED_ALICE timeout 5 "$BIN/vaultctl" "$@"; }
status_has() { timeout 5 "$BIN/vaultctl" --json status 2>/dev/null | grep -q "$1"; }
hsm_away() { ! status_has '"state": "READY"'; }
cached() { timeout 5 "$BIN/vaultctl" --json status | sed -n 's/.*"deks_cached": \([0-9]*\).*/\1/p'; }
take_away() { mv "$BED/token" "$BED/token.away" && bed_within 15 hsm_away; }
bring_back() { mv "$BED/token.away" "$BED/token" && bed_await; }
no_hsm() {		# COMMAND...: refused for that, and not later than at once
	run vault "$@" </dev/null
	[ "$status" = 6 ] && [[ $output == *HSM* && $output != *"in time"* ]] ||
	    { echo "$*: status $status"; echo "$output"; return 1; }
}
serves_without_keys() {
	status_has '"state": "\(ABSENT\|STARTING\)"'
	timeout 5 "$BIN/vaultctl" status >/dev/null
	[ "$(vault --json connection list | grep -c '"name": "\(one\|two\|pat\)"')" = 3 ]
	vault connection show one | grep -q '^account *alice'
	vault folder list >/dev/null
	vault connector list | grep -q '^openid'
}
refuses_the_rest() {
	no_hsm token get one
	no_hsm token get pat
	no_hsm connect openid --name new --no-browser
	no_hsm connection create openid --auth-type pat --name new --var issuer="$ISSUER" --secret-file "$BED/pat"
	no_hsm connection reconnect one --no-browser
	no_hsm connection rename one three
	no_hsm connection delete one
	run ctl $BED_ADMIN --json app set-secret acme <<<"$BED_SECRET"
	[ "$status" = 6 ]
	run vault --json token get one
	[[ $output == *'"error": "vaultd.Vault.HsmUnavailable"'*'"retry": true'* ]]
}

@test "started without the token: status, lists and records at once; secrets and changes not" {
	bed_within 10 status_has '"egress": "up"'
	[ "$(cached)" = 0 ]
	run ctl $BED_ADMIN folder create shared/late	# no half of it is made either
	[ "$status" = 6 ]
	[[ $output == *HSM* ]]
	serves_without_keys
	refuses_the_rest
	run vault token get nothing		# no oracle of what there is
	[[ $output == *HSM* || $output == *"that you may see"* ]]
	[ "$(ls "$BED/state/vaultd/audit" | grep -c '^audit-')" -ge 1 ]
	"$BIN/vaultctl" audit verify "$BED/state/vaultd/audit" | grep -q '^ok'
}

@test "the token comes back: everything works, and nobody was started again" {
	vaultd=$(bed_pid vaultd)
	bring_back
	bed_works "$(vault token get one)"
	bed_works "$(vault token get two)"
	[ "$(vault token get pat)" = pat-good-cold ]
	gen=$(vault --json token get one | sed -n 's/.*"generation": \([0-9]*\).*/\1/p')
	bed_works "$(vault token get one --refused-generation "$gen")"
	[ "$(bed_pid vaultd)" = "$vaultd" ]
	ctl $BED_ADMIN folder create shared/late
	ctl $BED_ADMIN folder delete shared/late
}

@test "started while vault-hsm hangs: the same" {
	kill -STOP "$(bed_pid vault-hsm)"
	bed_kill vaultd
	bed_within 10 status_has '"vault'
	serves_without_keys
	refuses_the_rest
	kill -CONT "$(bed_pid vault-hsm)"
	bed_await
	bed_works "$(vault token get one)"
}

@test "the token goes: what is cached is served, what is not is refused, and it heals" {
	bed_kill vaultd
	bed_await
	bed_works "$(vault token get one)"
	[ "$(cached)" = 1 ]
	take_away
	serves_without_keys
	bed_works "$(vault token get one)"
	no_hsm token get two
	no_hsm token get pat
	[ "$(cached)" = 1 ]
	bring_back
	bed_works "$(vault token get two)"
	[ "$(cached)" = 2 ]
}

@test "seal wipes the cache: after unsealing the HSM is needed again" {
	root_only
	bed_works "$(vault token get one)"
	[ "$(cached)" != 0 ]
	"$BIN/vaultctl" seal
	[ "$(cached)" = 0 ]
	run vault token get one
	[ "$status" = 6 ]
	[[ $output == *sealed* ]]
	take_away
	"$BIN/vaultctl" unseal
	no_hsm token get one
	no_hsm token get pat
	bring_back
	bed_works "$(vault token get one)"
}

@test "a deleted connection is not served from the cache, nor is its name's next one" {
	vault token get pat >/dev/null
	vault token get two >/dev/null
	n=$(cached) id=$(bed_shown pat id)
	vault connection delete pat >/dev/null
	[ "$(cached)" = $((n - 1)) ]
	run vault token get pat
	[ "$status" = 3 ]
	[[ $output == *"that you may see"* && $output != *pat-good* ]]
	run vault token get "$id"
	[ "$status" = 3 ]
	[[ $output == *"was deleted"* && $output != *pat-good* ]]
	printf 'pat-good-next' | vault connection create openid --auth-type pat --name pat --var issuer="$ISSUER"
	[ "$(vault token get pat)" = pat-good-next ]
	run vault token get "$id"
	[ "$status" = 3 ]
	take_away
	[ "$(vault token get pat)" = pat-good-next ]
	run vault token get "$id"
	[ "$status" = 3 ] || [ "$status" = 6 ]
	bring_back
}

@test "a token that was moved on by a refresh is served cached, the new one, while the HSM is away" {
	gen=$(vault --json token get two | sed -n 's/.*"generation": \([0-9]*\).*/\1/p')
	new=$(vault token get two --refused-generation "$gen")
	take_away
	[ "$(vault token get two)" = "$new" ]
	bring_back
	bed_works "$new"
}

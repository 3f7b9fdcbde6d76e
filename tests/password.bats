#!/usr/bin/env bats
# The password grant, a legacy type: the refresh token first, the stored password when that is refused,
# and no third guess at an account.

setup_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	. "$BATS_TEST_DIRNAME/lib/plain.sh"
	export LIFETIME=8 BED_PORT=19560
	plain_up
	bed_export
}
setup() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	. "$BATS_TEST_DIRNAME/lib/plain.sh"
	plain_ctl set '{"password":"word","forget":false}' >/dev/null
}
teardown_file() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; bed_down; }

alice() { ctl $BED_ALICE "$@"; }
create() {	# NAME PASSWORD
	printf '%s' "$2" >"$BED/word"
	printf '%s' "account-$1" >"$BED/user"
	chmod 644 "$BED/word" "$BED/user"
	alice connection create plain --auth-type oauth2_password --app app-plain --name "$1" \
	    --secret-file username="$BED/user" --secret-file password="$BED/word"
}
new_token() { [ "$(alice token get "$1" 2>/dev/null)" != "$2" ]; }
is_state() { [ "$(bed_shown "$1" state)" = "$2" ]; }
good() { curl -sS --noproxy '*' --cacert "$BED/tls/ca.pem" -H "Authorization: Bearer $1" "$ISSUER/api/whoami" | grep '"sub"'; }

@test "row 17: a password makes a connection; its tokens are renewed with the refresh token" {
	create first word
	first=$(alice token get first)
	good "$first"
	passwords=$(plain_stat password)
	bed_within 20 new_token first "$first"
	good "$(alice token get first)"
	[ "$(plain_stat refreshed)" -ge 1 ]
	[ "$(plain_stat password)" = "$passwords" ]
}

@test "row 17: when the refresh token is refused the password is used, over a restart of vaultd" {
	create second word
	second=$(alice token get second)
	plain_ctl set '{"forget":true}' >/dev/null
	passwords=$(plain_stat password)
	bed_kill vaultd
	bed_within 20 alice status
	bed_await
	bed_within 30 new_token second "$second"
	good "$(alice token get second)"
	[ "$(plain_stat password)" -gt "$passwords" ]
	is_state second connected
}

@test "row 17: a wrong password is named, and the name stays free" {
	run create wrong not-the-word
	[ "$status" != 0 ]
	[[ $output == *"assword"* ]]
	[[ $output != *not-the-word* ]]
	create wrong word
}

@test "row 17: a password that was changed is tried twice and no more" {
	create third word
	for c in first second wrong; do alice connection delete $c >/dev/null 2>&1 || true; done
	plain_ctl set '{"password":"another","forget":true}' >/dev/null
	wrong=$(plain_stat wrong_passwords)
	bed_within 120 is_state third disconnected
	[[ $(bed_shown third cause) == *PasswordRejected ]]
	tried=$(($(plain_stat wrong_passwords) - wrong))
	[ "$tried" -ge 1 ]
	[ "$tried" -le 2 ]
	sleep 5
	alice token get third >/dev/null 2>&1 && return 1
	[ $(($(plain_stat wrong_passwords) - wrong)) = "$tried" ]
}

@test "row 41: another password makes it good again" {
	plain_ctl set '{"password":"another"}' >/dev/null
	printf '%s' another >"$BED/word"
	alice connection set-secrets third --secret-file username="$BED/user" --secret-file password="$BED/word"
	is_state third connected
}

@test "the password is nowhere in the clear" {
	plain_ctl set '{"password":"another-word-5ad3"}' >/dev/null
	create hidden another-word-5ad3
	rm "$BED/word"
	grep -rq "$(printf '%s' app-plain)" "$BED/state"	# what is there is found
	not grep -rqF another-word-5ad3 "$BED/state" "$BED/log" "$BED/run"
}

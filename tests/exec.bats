#!/usr/bin/env bats
# vaultctl exec: a program gets its tokens, and nothing else of the vault.

bats_require_minimum_version 1.5.0

setup_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	export AT_TTL=300 BED_PORT=19480
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
setup() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; BED_PORT=19480; }

@test "the program has the token in its environment, under a name made of the connection's" {
	got=$(ctl $BED_ALICE exec openid -- sh -c 'printf %s "$OPENID_TOKEN"')
	[ "$got" = "$(ctl $BED_ALICE token get openid)" ]
	bed_works "$got"
}

@test "the caller names the variable, and the program's arguments are its own" {
	got=$(ctl $BED_ALICE exec T=openid -- sh -c 'printf "%s %s" "$T" "$1"' sh --json)
	[ "$got" = "$(ctl $BED_ALICE token get openid) --json" ]
}

@test "two connections that would be one variable are told, and nothing starts" {
	run ctl $BED_ALICE exec openid openid -- touch "$BED/started"
	[ "$status" = 2 ]
	[[ "$output" == *"OPENID_TOKEN"* ]]
	[ ! -e "$BED/started" ]
}

@test "when one token cannot be had the program does not start" {
	run ctl $BED_ALICE exec openid nothing -- touch "$BED/started"
	[ "$status" = 3 ]
	[ ! -e "$BED/started" ]
}

@test "with --fd the environment has a path, and the token can be read more than once" {
	got=$(ctl $BED_ALICE exec --fd T=openid -- sh -c 'case $T in /dev/fd/*) cat "$T" "$T";; esac')
	one=$(ctl $BED_ALICE token get openid)
	[ "$got" = "$one$one" ]
	run ctl $BED_ALICE exec --fd T=openid -- sh -c 'tr "\0" "\n" </proc/self/environ'
	[ "$status" = 0 ]
	[[ "$output" == *T=/dev/fd/* ]]
	[[ "$output" != *"$one"* ]]
}

@test "a token in a file cannot be changed" {
	run ctl $BED_ALICE exec --fd T=openid -- sh -c 'echo x >>"$T"'
	[ "$status" != 0 ]
}

@test "it has no descriptor but the streams and its tokens" {
	got=$(ctl $BED_ALICE exec openid -- ls -l /proc/self/fd)	# and the directory it reads
	[ "$(grep -c -e '->' <<<"$got")" = 4 ] || { echo "$got"; return 1; }
	[[ "$got" != *socket* ]]
	got=$(ctl $BED_ALICE exec --fd openid -- ls -l /proc/self/fd)
	[ "$(grep -c memfd:token <<<"$got")" = 1 ] || { echo "$got"; return 1; }
	[ "$(grep -c -e '->' <<<"$got")" = 5 ] || { echo "$got"; return 1; }
}

@test "it has the core limit of its caller, not vaultctl's" {
	want=$(ulimit -c)
	[ "$(ctl $BED_ALICE exec openid -- sh -c 'ulimit -c')" = "$want" ]
}

@test "the exit status is the program's, and what cannot be run is told as env does" {
	run ctl $BED_ALICE exec openid -- sh -c 'exit 42'
	[ "$status" = 42 ]
	run -127 ctl $BED_ALICE exec openid -- /nonexistent
	[ "$status" = 127 ]
	run ctl $BED_ALICE exec openid -- /etc/passwd
	[ "$status" = 126 ]
	run ctl $BED_ALICE exec openid
	[ "$status" = 2 ]
	[[ "$output" == *"what is to be run"* ]]
}

#!/usr/bin/env bats
# The first start of a vault, with roles that come late: what is sealed then must open ever
# after.

setup() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	AT_TTL=300 BED_PORT=19071
	bed_prepare
}
teardown() { bed_down; }

hsm_is_ready() { "$BIN/vaultctl" --json status 2>/dev/null | grep -q '"state": *"READY"'; }
it_works() {
	bed_app
	bed_connect $BED_ALICE --name c
	[ -n "$(ctl $BED_ALICE token get c)" ]
	bed_kill vaultd
	bed_await
	[ -n "$(ctl $BED_ALICE token get c)" ]
}

@test "vault-egress hears the hello of a vault without an id, and then its id" {
	bed_start
	bed_within 10 test -s "$BED/run/vault-egress.pid"
	kill -STOP "$(bed_pid vault-egress)"
	bed_within 10 hsm_is_ready
	sleep 0.3	# the metadata key is made: the id is known, the first hello unanswered
	kill -CONT "$(bed_pid vault-egress)"
	bed_await
	it_works
}

@test "vault-hsm comes long after the others" {
	bed_start
	bed_within 10 test -s "$BED/run/vault-hsm.pid"
	kill -STOP "$(bed_pid vault-hsm)"
	bed_within 10 grep -q 'vault-egress is up' "$BED/log/vault"
	run ctl $BED_ADMIN app add early openid --client-id x --owner tests --purpose tests --var issuer="$ISSUER" <<<x
	[ "$status" != 0 ]
	[[ $output == *"HSM"* ]]
	kill -CONT "$(bed_pid vault-hsm)"
	bed_await
	it_works
}

#!/usr/bin/env bats
# What a connection lies in and what it signs in by may go while it is being made: whoever is second
# is told so, and nothing is left that belongs to nobody.

setup_file() {
	[ "$(id -u)" = 0 ] || return 0
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	export AT_TTL=300 BED_PORT=19085
	bed_prepare
	rm "$BED/etc/policy.d/story.json"
	bed_policy folders <<P
{ "policies": { "p": { "shared": { "connection_create": "allow", "folder_create": "allow",
                                   "subfolder_create": "allow" },
    "connectors": { "*": { "enabled": true } } } },
  "grants": [ { "role": "governance-admin", "to": ["uid:$BED_ADMIN"] },
              { "role": "folder-admin", "to": ["uid:$BED_ADMIN"], "folder": "shared/**" } ],
  "assign": { "tenant": "p" } }
P
	bed_start
	bed_await
	bed_app
	bed_export
}
teardown_file() {
	[ "$(id -u)" = 0 ] || return 0
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	bed_down
}
setup() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	[ "$(id -u)" = 0 ] || skip "only root can stop a role"
	OUT=$BED/log/folders.$BATS_TEST_NUMBER
}
teardown() { kill -CONT "$(bed_pid vault-egress)" 2>/dev/null || true; }

admin() { ctl $BED_ADMIN "$@"; }
waits() {		# METHOD PARAMETERS: in the background, for vault-egress
	kill -STOP "$(bed_pid vault-egress)"
	ctl $BED_ADMIN --json call "$1" "$2" >"$OUT" 2>&1 3>&- &
	PID=$!
	sleep 0.5
	kill -0 $PID
}
goes_on() {		# [WORDS]: with this answer; without words it went well
	local rc=0
	kill -CONT "$(bed_pid vault-egress)"
	wait "$PID" || rc=$?
	[ $# -gt 0 ] || [ $rc = 0 ] || { cat "$OUT"; return 1; }
	for words in "$@"; do
		grep -qF -- "$words" "$OUT" || { echo "not said: $words"; cat "$OUT"; return 1; }
	done
}
static() { echo "{\"connector\":\"openid\",\"folder\":\"$1\",\"name\":\"$2\",\"auth_type\":\"pat\",\"secrets\":{\"token\":\"pat-good-1\"},\"variables\":{\"issuer\":\"$ISSUER\"}}"; }
begin() { echo "{\"connector\":\"openid\",\"folder\":\"$1\",\"name\":\"$2\",\"app\":\"${3:-acme}\"}"; }
left() { admin --json connection list | grep -c "\"name\": \"$1\"" || true; }

@test "a folder that is deleted while a static token is looked at" {
	admin folder create shared/a
	waits vaultd.Connections.Create "$(static shared/a one)"
	admin folder delete shared/a
	goes_on vaultd.Vault.NotFound "folder shared/a was deleted meanwhile"
	[ "$(left one)" = 0 ]
	admin folder create shared/a		# the name is free, and nothing comes back with it
	[ "$(admin --json connection list --folder shared/a | grep -c '"id"' || true)" = 0 ]
	admin folder delete shared/a
}

@test "a folder that is deleted while a sign-in begins" {
	admin folder create shared/b
	waits vaultd.Connections.Begin "$(begin shared/b two)"
	admin folder delete shared/b
	goes_on vaultd.Vault.NotFound "folder shared/b was deleted meanwhile"
	[ "$(left two)" = 0 ]
}

@test "the same name twice at once: the second is told that it is taken" {
	admin folder create shared/c
	waits vaultd.Connections.Create "$(static shared/c three)"
	FIRST=$PID
	ctl $BED_ADMIN --json call vaultd.Connections.Create "$(static shared/c three)" \
	    >"$OUT.second" 2>&1 3>&- &
	SECOND=$!
	sleep 0.3
	goes_on || true
	wait "$SECOND" || true
	[ "$(cat "$OUT" "$OUT.second" | grep -c 'vaultd.Vault.NameTaken')" = 1 ]
	[ "$(left three)" = 1 ]
	run admin folder delete shared/c
	[ "$status" != 0 ]
	[[ $output == *"folder shared/c is not empty"* ]]
	admin connection delete shared/c/three
	admin folder delete shared/c
}

@test "an OAuth app that is deleted while a sign-in begins with it" {
	admin folder create shared/d
	printf 's\n' | admin app add other openid --client-id other --owner tests --purpose tests --var issuer="$ISSUER" --scope openid
	waits vaultd.Connections.Begin "$(begin shared/d four other)"
	admin app delete other
	goes_on vaultd.Vault.NotFound "OAuth app 'other' was deleted meanwhile"
	[ "$(left four)" = 0 ]
}

@test "an OAuth app is in use for as long as a connection is there, and no longer" {
	admin --json call vaultd.Connections.Begin "$(begin shared/d five)" >"$OUT"
	run admin app delete acme
	[ "$status" != 0 ]
	[[ $output == *"connections use OAuth app 'acme'"* ]]
	admin connection rename shared/d/five six
	run admin app delete acme
	[ "$status" != 0 ]
	admin connection delete shared/d/six
	admin app delete acme
	admin folder delete shared/d
}

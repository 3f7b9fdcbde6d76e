#!/bin/bash
# run-vault.sh - `make run`: a vault and a local OAuth provider in the foreground, set up
# from nothing in a directory of its own (kept: the next run goes on with it).
set -euo pipefail
. "$(dirname "$0")/lib/bed.sh"
AT_TTL=${AT_TTL:-300} BED_KEEP=1
BED=${VAULTD_RUN_DIR:-/tmp/vaultd-run-$(id -u)}
step() { printf 'run: %s\n' "$*"; }

# One at a time: a second one would take the directory from under the first. What the vault starts
# holds the lock too, so that a vault whose script was killed is not run over.
exec 9>>"$BED.lock"
if ! flock -n 9; then
	step "a vault is running from $BED already. Stop it first: kill $(cat "$BED.lock")" >&2
	exit 1
fi
echo $$ >"$BED.lock"
stop() {
	set +e
	trap '' INT TERM
	bed_down
	rm -f "$BED.lock"
	step "stopped; everything is in $BED"
}
trap stop EXIT
trap 'exit 0' INT TERM HUP

step "a new vault in $BED (what an earlier run left there goes)"
rm -rf "$BED"
bed_new "$BED"
[ "$(id -u)" != 0 ] || step 'system users vaultd, vault-hsm, vault-egress: one per role'
bed_users
step 'a SoftHSM2 token with a PIN of its own'
bed_token
step 'a test certificate authority, and a local OAuth provider over TLS'
bed_tls
bed_provider
step "configuration of the roles in $BED/etc"
bed_conf
step 'two keys in the token: vault-hsm key init'
bed_keys
# Whoever starts it is admin and user at once.
BED_ADMIN=$(id -u) BED_ALICE=$(id -u)
BED_SUBJECT=uid:$(id -u)
bed_subject() { echo "$BED_SUBJECT"; }
bed_uid() { shift; "$@"; }
bed_example_policy
sed -i 's/"except": .*/"except": ["role:folder-admin"]/' "$BED/etc/policy.d/story.json"
step "an example policy: $BED/etc/policy.d/story.json"
bed_start
bed_await
step "the OAuth app 'acme', registered at the vault and at the provider"
bed_app

cat <<T

The vault is serving. In a second terminal, type:

  export VAULTD_SOCKET=$VAULTD_SOCKET
  export PATH=$BIN:\$PATH

  vaultctl status
  vaultctl connect openid          # then open the address it prints, as alice / wonderland
$( [ -n "${DISPLAY:-}" ] || echo "
  No browser on this machine? This plays the person in front of it:
  NODE_EXTRA_CA_CERTS=$BED/tls/ca.pem $NODE $IDP/authorize.mjs 'ADDRESS'
" )
  vaultctl token get openid | cat
  vaultctl folder create shared/team        # refused, with the rule that says so
  vaultctl audit verify $BED/state/vaultd/audit

The log is $BED/log/vault. Ctrl-C, or kill $$, stops everything.
T
wait "$BED_LAUNCH"

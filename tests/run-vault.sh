#!/bin/bash
# run-vault.sh - `make run`: a vault and a local OAuth provider in the foreground, set up
# from nothing in a directory of its own. It stays to be looked at; the next run begins anew.
set -euo pipefail
. "$(dirname "$0")/lib/bed.sh"
AT_TTL=${AT_TTL:-300} BED_KEEP=1
BED=$(realpath -m "${VAULTD_RUN_DIR:-/tmp/vaultd-run-$(id -u)}")
step() { printf 'run: %s\n' "$*"; }
refuse() { step "$*" >&2; exit 1; }

# What is there is removed: only if it is ours.
if [ -n "$(ls -A "$BED" 2>/dev/null)" ] && [ ! -e "$BED/made-by-vaultd-run" ]; then
	refuse "$BED holds what no run made: name another directory with VAULTD_RUN_DIR"
fi
[[ $BED =~ ^[A-Za-z0-9/._-]{1,80}$ ]] ||
	refuse "'$BED' is too long for a socket, or holds more than letters, digits and . _ -"
[ "$(id -u)" != 0 ] || setpriv --reuid 65534 --clear-groups test -x "$(dirname "$BED")" ||
	refuse "the roles have users of their own, who cannot reach $(dirname "$BED")"

# One at a time: a second one would take the directory from under the first. What the vault starts
# holds the lock too, so that a vault whose script was killed is not run over.
exec 9>>"$BED.lock"
if ! flock -n 9; then
	refuse "a vault is running from $BED already. Stop it first: kill $(cat "$BED.lock")"
fi
echo $$ >"$BED.lock"
stop() {
	set +e
	trap '' INT TERM HUP
	bed_down
	rm -f "$BED.lock"
	step "stopped; everything is in $BED"
}
trap stop EXIT
trap 'exit 0' INT TERM HUP

step "a new vault in $BED (what an earlier run left there goes)"
rm -rf "$BED"
bed_new "$BED"
touch "$BED/made-by-vaultd-run"
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
bed_keys >"$BED/log/keys"
# Whoever starts it is admin and user at once.
BED_ADMIN=$(id -u) BED_ALICE=$(id -u)
BED_SUBJECT=uid:$(id -u)
bed_subject() { echo "$BED_SUBJECT"; }
bed_uid() { shift; "$@"; }
bed_example_policy
sed -i 's/"except": .*/"except": ["role:folder-admin"]/' "$BED/etc/policy.d/story.json"
step "an example policy: $BED/etc/policy.d/story.json"
bed_start
echo "$$ $BED_LAUNCH $BED_PROVIDER" >"$BED.lock"
bed_await
step "the OAuth app 'acme', registered at the vault and at the provider"
bed_app

cat >"$BIN/browser" <<T
#!/bin/sh
# Plays the person in front of a browser: BROWSER=$BIN/browser
NODE_EXTRA_CA_CERTS=$BED/tls/ca.pem exec $NODE $IDP/authorize.mjs "\$@" >/dev/null 2>&1
T
chmod 755 "$BIN/browser"

cat <<T

The vault is serving. In a second terminal, type:

  export VAULTD_SOCKET=$VAULTD_SOCKET
  export PATH=$BIN:\$PATH

  vaultctl status
  BROWSER=$BIN/browser vaultctl connect openid
  vaultctl token get openid | cat
  vaultctl folder create shared/team        # refused, with the rule that says so
  vaultctl audit verify $BED/state/vaultd/audit

That browser is a program that signs in as alice and consents. With a real one, leave BROWSER
out: it will warn of the test provider's certificate, and alice's password is wonderland.

The log is $BED/log/vault. Ctrl-C, or kill $$, stops everything.
T
wait "$BED_LAUNCH"

#!/bin/bash
# demo.sh - the main job, unattended and end to end, on real parts: SoftHSM2, LMDB, an
# OAuth provider over TLS. `make demo`. Ends with the line "demo: ok".
set -euo pipefail
. "$(dirname "$0")/lib/bed.sh"
began=$SECONDS
AT_TTL=6 BED_PORT=${BED_PORT:-18976}
trap 'rc=$?; [ $rc = 0 ] || tail -20 "$BED/log/vault" >&2; bed_down' EXIT

say() { printf '\n== %s\n' "$*"; }
run() {		# UID COMMAND...: shows it as typed, then runs it
	local who=$1
	shift
	printf '%s$ vaultctl %s\n' "$who" "$*"
	case $who in
	admin) ctl $BED_ADMIN "$@" ;;
	alice) ctl $BED_ALICE "$@" ;;
	bob) ctl $BED_BOB "$@" ;;
	root) "$BIN/vaultctl" "$@" ;;
	esac
}
refused() {	# must fail, and with this status
	local want=$1 rc=0
	shift
	run "$@" || rc=$?
	[ $rc = "$want" ] || { echo "demo: expected exit status $want, got $rc"; exit 1; }
}
token() { "$@" token get openid | cut -c1-12; }

say 'A vault: a SoftHSM2 token, an LMDB store, an example policy, three roles'
bed_up
cat "$BED/log/keys"
run admin status

say 'The governance admin registers the organisation'"'"'s own OAuth app, the default by policy'
echo "admin$ vaultctl app add acme openid --client-id acme-vault --var issuer=$ISSUER \\"
echo "           --scope openid --scope offline_access --scope api:read \\"
echo "           --owner 'team tools' --purpose 'the tests'                  # the secret on stdin"
bed_app
run admin app show acme
echo "admin$ grep -B1 app_ref policy.d/story.json"
grep -B1 app_ref "$BED/etc/policy.d/story.json"
run admin policy check "$BED/etc/policy.d/story.json"
run root policy reload

say 'alice connects: authorization code with PKCE, consent in a browser'
echo 'alice$ vaultctl connect openid'
bed_connect $BED_ALICE || { cat "$BED/log/connect.$BED_ALICE.err" "$BED/log/browser"; exit 1; }
cat "$BED/log/connect.$BED_ALICE"
run alice connection show openid

say 'A program of alice gets a token through the client library'
cp "$BUILD/example/get-token" "$BED/bin/"
chmod 755 "$BED/bin/get-token"
first=$(bed_uid $BED_ALICE "$BED/bin/get-token" openid)
echo "get-token: ${first:0:16}..."
curl -sS --noproxy '*' --cacert "$BED/tls/ca.pem" -H "Authorization: $first" "$ISSUER/api/whoami"
echo

say 'It expires; the vault has renewed it'
sleep 7
second=$(bed_uid $BED_ALICE "$BED/bin/get-token" openid)
echo "get-token: ${second:0:16}..."
[ "$first" != "$second" ]
curl -sS --noproxy '*' --cacert "$BED/tls/ca.pem" -H "Authorization: $second" "$ISSUER/api/whoami" |
    grep -q '"sub":"alice"' && echo 'the provider accepts it'

say 'Every role is killed; the vault comes back by itself'
for role in vaultd vault-egress vault-hsm; do
	echo "kill -9 $role"
	bed_kill $role
done
sleep 0.5
bed_await
third=$(bed_uid $BED_ALICE "$BED/bin/get-token" openid)
echo "get-token: ${third:0:16}..."
curl -sS --noproxy '*' --cacert "$BED/tls/ca.pem" -H "Authorization: $third" "$ISSUER/api/whoami" |
    grep -q '"sub":"alice"' && echo 'the provider accepts it'

say 'Refusals: each says what, by which rule, and whose move it is'
if [ "$(id -u)" = 0 ]; then
	id=$(ctl $BED_ALICE --json connection show openid | sed -n 's/.*"id": "\(.*\)",*/\1/p' | head -1)
	refused 3 bob token get "$id"
	run admin folder create shared/team
	refused 4 alice connect openid --folder shared/team --no-browser
	refused 4 alice folder create shared/mine
else
	echo '(another user, and users without the admin role: not run, there is only one user here)'
fi

say 'The audit log tells it all, and verifies'
dir=$BED/state/vaultd/audit
"$BIN/vaultctl" audit cat "$dir" | grep -c '"event"' | sed 's/$/ lines/'
"$BIN/vaultctl" audit cat "$dir" | grep '"decision":"deny"' | cut -c90-420 || true
"$BIN/vaultctl" audit verify "$dir"
for secret in "$BED_SECRET" "$BED_PIN"; do
	if grep -rqaF "$secret" "$BED/state/vaultd" "$BED/log/vault"; then
		echo 'demo: a secret is in a file'
		exit 1
	fi
done
echo
echo "demo: $((SECONDS - began)) seconds"
echo 'demo: ok'

#!/bin/bash
# inside.sh - run by boot-vault.sh in a booted systemd, as root: sets the vault up as an
# administrator would, starts the units, and lets a user get a token.
set -euo pipefail
SHARE=/run/host/share
. "$SHARE/tests/lib/bed.sh"
BED=/run/bed BIN=/usr/bin BED_PORT=8976 AT_TTL=60
mkdir -p "$BED"/{tls,log}
mkdir -p /etc/systemd/system/{vault-hsm,vault-egress,vaultd}.service.d
trap 'rc=$?; [ $rc = 0 ] || { systemctl --no-pager status "vault*" || true; journalctl -b --no-pager -n 60; }' EXIT
step() { printf 'boot: %s\n' "$*"; }
main_pid() { systemctl show -P MainPID "$1"; }
must_be() {	# UNIT STATE
	[ "$(systemctl is-active "$1")" = "$2" ] || { echo "$1 is not $2"; return 1; }
}

step 'make install; system users and directories from sysusers.d and tmpfiles.d'
tar -C "$SHARE/installed" -c . | tar -C / -x --no-same-owner --keep-directory-symlink
ldconfig
systemd-sysusers
systemd-tmpfiles --create vaultd.conf
systemctl daemon-reload

step 'a SoftHSM2 token; its PIN as an encrypted credential'
BED_PIN=$(od -An -N6 -tx1 /dev/urandom | tr -d ' \n')
install -d -o vault-hsm -g vault-hsm -m 700 /var/lib/vault-hsm/tokens
printf '%s\n' 'directories.tokendir = /var/lib/vault-hsm/tokens' 'objectstore.backend = file' \
    'log.level = ERROR' >/etc/vaultd/softhsm2.conf
SOFTHSM2_CONF=/etc/vaultd/softhsm2.conf setpriv --reuid vault-hsm --regid vault-hsm --clear-groups \
    softhsm2-util --init-token --free --label vault --so-pin "so$BED_PIN" --pin "$BED_PIN" >/dev/null
mkdir -p -m 700 /etc/credstore.encrypted
printf %s "$BED_PIN" | systemd-creds encrypt --with-key=host --name=hsm-pin - \
    /etc/credstore.encrypted/vault-hsm.pin 2>/dev/null
printf '%s\n' 'module_path = /usr/lib/softhsm/libsofthsm2.so' 'token = pkcs11:token=vault' \
    'module_env = SOFTHSM2_CONF=/etc/vaultd/softhsm2.conf' \
    'module_paths = /var/lib/vault-hsm/tokens' >>/etc/vaultd/vault-hsm.conf
cp /usr/share/vaultd/drop-ins/vault-hsm-softhsm.conf /etc/systemd/system/vault-hsm.service.d/
systemd-run --quiet --pipe --wait \
    -p LoadCredentialEncrypted=hsm-pin:/etc/credstore.encrypted/vault-hsm.pin \
    /usr/sbin/vault-hsm key init

step 'a provider on loopback, opened to vault-egress by a drop-in'
bed_tls
install -m 644 "$BED/tls/ca.pem" /etc/vaultd/ca.pem
bed_provider
printf '%s\n' 'ca_file = /etc/vaultd/ca.pem' 'allow_address = 127.0.0.1' >>/etc/vaultd/vault-egress.conf
printf '[Service]\nWatchdogSec=3\nIPAddressAllow=127.0.0.1\n' \
    >/etc/systemd/system/vault-egress.service.d/test.conf
printf '[Service]\nWatchdogSec=3\n' >/etc/systemd/system/vaultd.service.d/test.conf

step 'the policy of the story; the units'
rm /etc/vaultd/policy.d/*
ln -s /etc/vaultd "$BED/etc"
bed_example_policy
systemctl daemon-reload
systemctl enable --quiet --now vaultd.socket vault-hsm-vaultd.socket vault-hsm-egress.socket \
    vault-egress.socket vaultd.service vault-hsm.service vault-egress.service
await() {
	local i
	for i in $(seq 150); do
		vaultctl --json status >"$BED/log/status" 2>&1 || true
		grep -q '"state": *"READY"' "$BED/log/status" &&
		    grep -q '"egress": *"up"' "$BED/log/status" && return 0
		sleep 0.1
	done
	cat "$BED/log/status"
	return 1
}
unset VAULTD_SOCKET	# where the units put it
await
for unit in vaultd vault-hsm vault-egress; do must_be $unit.service active; done
grep -q '"role_separation": *true' "$BED/log/status"
vaultctl status

step 'each role is its own user, and confined'
for unit in vaultd vault-hsm vault-egress; do
	[ "$(ps -o user:20= -p "$(main_pid $unit)")" = "$unit" ]
	grep -Eq '^Seccomp:.2$' "/proc/$(main_pid $unit)/status"
	grep -Eq '^NoNewPrivs:.1$' "/proc/$(main_pid $unit)/status"
	grep -Eq '^CapEff:.0+$' "/proc/$(main_pid $unit)/status"
	systemd-analyze --no-pager security $unit | tail -1
done
connects() {	# USER SOCKET: curl's status 7 is "cannot connect"
	local rc=0
	setpriv --reuid "$1" --regid "$1" --clear-groups \
	    curl -s -m 1 --unix-socket "$2" http://line/ >/dev/null || rc=$?
	[ $rc != 7 ]
}
refused() { if connects "$@"; then echo "$1 can connect to $2"; return 1; fi; }
connects vaultd /run/vault-hsm/from-vaultd.sock
refused vault-egress /run/vault-hsm/from-vaultd.sock
refused vaultd /run/vault-hsm/from-egress.sock
refused vault-egress /run/vault-egress/egress.sock

step 'alice connects, and a program of hers gets a token'
bed_app
bed_connect $BED_ALICE || { cat "$BED/log/connect.$BED_ALICE.err" "$BED/log/browser"; exit 1; }
header() { bed_uid $BED_ALICE "$SHARE/get-token" openid; }
works() {
	curl -sS --cacert "$BED/tls/ca.pem" -H "Authorization: $(header)" "$ISSUER/api/whoami" |
	    grep -q '"sub":"alice"'
}
works
if ctl $BED_BOB token get personal/uid-$BED_ALICE/openid 2>/dev/null; then
	echo 'bob got the token of alice'
	exit 1
fi

step 'a client is known by the unit it runs in'
whoami=$(systemd-run --quiet --pipe --wait --unit=bank.service -p User=nobody \
    vaultctl --json call vaultd.Vault.WhoAmI '{}')
grep -q '"unit": *"bank.service"' <<<"$whoami" || { echo "$whoami"; exit 1; }

step 'watchdogs are fed'
sleep 7
for unit in vaultd vault-hsm vault-egress; do
	[ "$(systemctl show -P NRestarts $unit)" = 0 ] || { echo "$unit was started again"; exit 1; }
done

step 'every role is killed, and comes back'
for unit in vaultd vault-egress vault-hsm; do kill -9 "$(main_pid $unit)"; done
sleep 1
await
works
systemctl reload vaultd.service vault-hsm.service
await
works

step 'stop and start again: vaultd first, vault-hsm last'
systemctl stop vaultd.service vault-egress.service vault-hsm.service \
    vaultd.socket vault-egress.socket vault-hsm-vaultd.socket vault-hsm-egress.socket
journalctl -b --no-pager -o short-monotonic -u vaultd -u vault-egress -u vault-hsm |
    sed -n 's/.*Stopped \([a-z-]*\)\.service.*/\1/p' | tr '\n' ' ' | grep -q 'vaultd vault-egress vault-hsm $'
[ ! -e /run/vaultd/vaultd.sock ]
systemctl start vaultd.service vault-egress.service vault-hsm.service
await
works
vaultctl audit verify /var/lib/vaultd/audit | head -1

step 'no secret in the journal or in the store'
for secret in "$BED_SECRET" "$BED_PIN" "$(header | cut -d' ' -f2)"; do
	[ "$(journalctl -b --no-pager | grep -caF "$secret")" = 0 ] ||
	    { echo 'a secret is in the journal'; exit 1; }
	if grep -rqaF "$secret" /var/lib/vaultd /var/lib/vault-egress; then
		echo 'a secret is in a file'
		exit 1
	fi
done
echo 'boot: ok'

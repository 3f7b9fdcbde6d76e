# hsm.sh - vault-hsm alone, the real binary, with a SoftHSM token of its own for each test.
# faultmod stands between them where something must go wrong on demand. Sourced by bats files.

. "$(dirname "${BASH_SOURCE[0]}")/not.sh"
B=${BUILD:-build}
case $B in /*) ;; *) B=$PWD/$B ;; esac
HSM=$B/bin/vault-hsm
TOOL=$B/tests/hsmtool
FAULTMOD=$B/tests/faultmod.so
SOFTHSM=${SOFTHSM2_MODULE:-/usr/lib/softhsm/libsofthsm2.so}
PIN=87654321
R1=00112233445566778899aabbccddeeff
R2=ffeeddccbbaa99887766554433221100

hsm_setup() {
	D=$(mktemp -d /tmp/hsm.XXXXXX)
	V=$D/run/from-vaultd.sock
	G=$D/run/from-egress.sock
	mkdir -p "$D/state" "$D/run" "$D/tokens"
	printf '%s\n' "directories.tokendir = $D/tokens" 'objectstore.backend = file' \
	    'objectstore.umask = 0077' 'log.level = ERROR' >"$D/softhsm2.conf"
	export SOFTHSM2_CONF=$D/softhsm2.conf
	softhsm2-util --init-token --free --label vault --so-pin 12345678 --pin $PIN \
	    >/dev/null
	pin $PIN
	: >"$D/ctl"
	conf "$FAULTMOD"
}

hsm_teardown() {
	[ -z "${SUP:-}" ] || { kill "$SUP" 2>/dev/null; wait "$SUP" 2>/dev/null; } || true
	[ -n "${BATS_ERROR_STATUS:-}" ] && [ -f "$D/log" ] && tail -25 "$D/log"
	rm -rf "$D"
}

pin() { (umask 077; printf '%s' "$1" >"$D/pin"); }

conf() {	# MODULE [LINE...]
	printf '%s\n' "state_dir = $D/state" "module_path = $1" \
	    'token = pkcs11:token=vault' "pin_file = $D/pin" \
	    "module_env = SOFTHSM2_CONF=$SOFTHSM2_CONF" "module_env = FAULTMOD_REAL=$SOFTHSM" \
	    "module_env = FAULTMOD_CTL=$D/ctl" "module_paths = $D" 'secret_mlock_only = yes' \
	    "${@:2}" >"$D/conf"
}

ctl() {		# LINE...: what faultmod does from now on
	printf '%s\n' "log $D/calls" "$@" >"$D/ctl.new"
	mv "$D/ctl.new" "$D/ctl"
}

start() {
	"$TOOL" run "$D/run" "$HSM" -c "$D/conf" 2>>"$D/log" 3>&- &
	SUP=$!
	for _ in $(seq 100); do [ -S "$G" ] && break; sleep 0.02; done
}

again() { end_it; sleep 0.15; }
# The running one; and only when there is a next one the caller goes on.
end_it() {
	local pid=$(cat "$D/run/pid") i
	kill -9 "$pid"
	for i in $(seq 200); do
		[ "$(cat "$D/run/pid")" != "$pid" ] && return 0
		sleep 0.02
	done
	return 1
}
init() { "$HSM" -c "$D/conf" key init; }
await() { "$TOOL" await "$V" "$1" "${2:-5}"; }
calls() { grep -c " $1 " "$D/calls" || true; }
starts() { wc -l <"$D/run/starts"; }
p11() { pkcs11-tool --module "$SOFTHSM" --token-label vault --login --pin $PIN "$@" 2>&1; }
kek() { sed -n "s/^kek \([0-9a-f]*\) $1 .*/\1/p" "$D/state/binding"; }
hex() { printf '%s' "$1" | od -An -tx1 | tr -d ' \n'; }
objects() { p11 -O | grep -c '^Secret Key' || true; }

#!/bin/bash
# boot-vault.sh - the units in a real systemd: installs what `make install` installs into
# the tree of prepare.sh, boots it, and runs inside.sh there: a token is handed out.
#
#   tests/bed/boot-vault.sh [JOURNAL]	the journal of the boot goes there
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
export BUILD=${BUILD:-$ROOT/build}
case $BUILD in /*) ;; *) BUILD=$ROOT/$BUILD ;; esac
if [ "$(id -u)" != 0 ]; then
	echo 'boot: not run: booting a systemd takes root'
	exit 0
fi
"$HERE/prepare.sh"
SHARE=$(mktemp -d /tmp/vaultd-share.XXXXXX)
trap 'rm -rf "$SHARE"' EXIT
make -C "$ROOT" --no-print-directory -s install DESTDIR="$SHARE/installed" >/dev/null
make -C "$ROOT" --no-print-directory -s "$BUILD/example/get-token"
install -m 755 "$BUILD/example/get-token" "$SHARE"
mkdir -p "$SHARE/tests" "$SHARE/connectors"
cp -a "$ROOT/tests/lib" "$ROOT/tests/idp" "$SHARE/tests/"
cp "$HERE/inside.sh" "$SHARE/"
chmod 755 "$SHARE"
"$HERE/boot.sh" -t 180 -s "$SHARE" ${1:+-j "$1"} 'bash /run/host/share/inside.sh'

#!/bin/bash
# prepare.sh - a small Debian whose PID 1 is systemd, with what the roles need to run, made
# once and kept: DIR/root (default build/bed/root). From the Debian archive; as root.
#
#   tests/bed/prepare.sh [DIR]
set -euo pipefail
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
DIR=${1:-${BUILD:-$ROOT/build}/bed}
VERSION=1	# of this recipe: another one makes the tree anew

[ "$(cat "$DIR/root.version" 2>/dev/null)" = "$VERSION" ] && exit 0
if [ "$(id -u)" != 0 ]; then
	echo 'bed: making a root tree takes root: type `sudo make check-long`' >&2
	exit 1
fi
# Programs of this machine run inside: the release must be the same.
suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-bookworm}")
packages=systemd,systemd-sysv,dbus,libnss-systemd,procps,util-linux,openssl,curl,ca-certificates
packages+=,softhsm2,liblmdb0,libevent-core-2.1-7,libevent-pthreads-2.1-7,libjansson4,libcurl4
packages+=,libp11-kit0,libseccomp2,libssl3,libstdc++6,libatomic1

missing=()
for p in mmdebstrap:mmdebstrap systemd-container:systemd-nspawn; do
	command -v "${p#*:}" >/dev/null || missing+=("${p%:*}")
done
if [ ${#missing[@]} -gt 0 ]; then
	export DEBIAN_FRONTEND=noninteractive
	apt-get -qq update >/dev/null
	apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
fi

echo "bed: making a Debian $suite with systemd in $DIR (once)"
mkdir -p "$DIR"
rm -rf "$DIR/root" "$DIR/root.version"
mmdebstrap --quiet --variant=minbase --include="$packages" \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' "$suite" "$DIR/root"

# ---- quick to boot, and nothing in it that a test would have to wait for
cd "$DIR/root"
echo 0123456789abcdef0123456789abcdef >etc/machine-id	# not a first boot
echo bed >etc/hostname
: >etc/fstab
: >etc/resolv.conf
for unit in getty.target serial-getty@.service console-getty.service apt-daily.timer \
    systemd-firstboot.service apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer \
    e2scrub_all.timer e2scrub_reap.service systemd-network-generator.service; do
	ln -sf /dev/null "etc/systemd/system/$unit"
done
mkdir -p etc/systemd/{system.conf.d,journald.conf.d} etc/systemd/system/multi-user.target.wants
printf '[Manager]\nDefaultTimeoutStopSec=10s\nShowStatus=no\n' >etc/systemd/system.conf.d/bed.conf
printf '[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\n' >etc/systemd/journald.conf.d/bed.conf
cat >etc/systemd/system/bed.service <<'U'
[Unit]
Description=The command of boot.sh
After=multi-user.target
[Service]
Type=exec
ExecStart=/bin/bash /run/host/job/run
TimeoutStartSec=infinity
Environment=SYSTEMD_PAGER=cat SYSTEMD_COLORS=0 HOME=/root
WorkingDirectory=/root
KillMode=mixed
U
ln -sf ../bed.service etc/systemd/system/multi-user.target.wants/bed.service
echo "$VERSION" >"$DIR/root.version"

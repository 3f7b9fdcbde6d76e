#!/bin/bash
# boot.sh - boots the tree of prepare.sh in a container of its own (systemd-nspawn), runs a
# command in it, prints what it prints, and ends with its exit status. As root; the tree is
# never changed (what is written goes to a tmpfs over it).
#
#   tests/bed/boot.sh [-s DIR] [-t SECONDS] [-j JOURNAL] COMMAND
#
#   -s  a directory that the command finds, read-only, as /run/host/share
#   -t  at most so long (120); then everything in the container is killed
#   -j  the journal of the boot goes there
# Exit status 125: the system did not get as far as the command.
set -euo pipefail
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
TREE=${BUILD:-$ROOT/build}/bed/root
SHARE='' SECONDS_MOST=120 JOURNAL=''
while getopts s:t:j: o; do
	case $o in
	s) SHARE=$(readlink -f "$OPTARG") ;;
	t) SECONDS_MOST=$OPTARG ;;
	j) JOURNAL=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# = 1 ] || { sed -n '2,/^set/p' "$0" | sed '$d; s/^# \{0,1\}//'; exit 2; }
TREE=$(readlink -f "$TREE")

WORK=$(mktemp -d /tmp/vaultd-boot.XXXXXX)
CGROUP=''
cleanup() {
	local i
	if [ -n "$CGROUP" ] && [ -d "$CGROUP" ]; then
		echo 1 >"$CGROUP/cgroup.kill" 2>/dev/null || true	# only what is in here
		for i in 1 2 3 4 5 6 7 8 9 10; do
			find "$CGROUP" -depth -type d -exec rmdir {} + 2>/dev/null || true
			[ -d "$CGROUP" ] || break
			sleep 0.2
		done
	fi
	if mountpoint -q "$WORK/cgroup"; then umount "$WORK/cgroup"; fi
	rm -rf "$WORK"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

mkdir "$WORK/job"
printf '%s\n' "$1" >"$WORK/job/command"
: >"$WORK/job/out"
cat >"$WORK/job/run" <<'R'
cd /run/host/job
bash command >out 2>&1 </dev/null
echo $? >status
journalctl -b --no-pager >journal 2>/dev/null
exec systemctl exit --no-block
R

# A cgroup of our own: it ends with us, whatever happens, and boots can run side by side.
hierarchy=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
if [ -z "$hierarchy" ]; then
	hierarchy=$WORK/cgroup
	mkdir "$hierarchy"
	mount -t cgroup2 none "$hierarchy"
fi
CGROUP=$hierarchy/vaultd-boot.$$
mkdir "$CGROUP"

# nspawn must find a unified hierarchy, and must not take away what the units use
# themselves: its own filter would silently disable Landlock, mlock and the BPF of
# IPAddressDeny=.
export WORK TREE SHARE
(
	echo "$BASHPID" >"$CGROUP/cgroup.procs"
	exec timeout -k 5 "$SECONDS_MOST" unshare -m --propagation private bash -euc '
		mount -t cgroup2 none /sys/fs/cgroup
		mount -t tmpfs -o mode=755 tmpfs /run/systemd
		exec systemd-nspawn -D "$TREE" --boot --volatile=overlay --register=no \
		    --keep-unit --machine=bed --hostname=bed --quiet --console=pipe \
		    --private-network --link-journal=no --resolv-conf=off --capability=all \
		    --system-call-filter=@known --no-new-privileges=no \
		    --kill-signal=SIGRTMIN+4 --bind="$WORK/job:/run/host/job" \
		    ${SHARE:+--bind-ro="$SHARE:/run/host/share"}'
) </dev/null >"$WORK/console" 2>&1 &
container=$!
tail -n +1 -f --pid="$container" -s 0.1 "$WORK/job/out" &
wait "$container" || true
wait
[ -z "$JOURNAL" ] || cp "$WORK/job/journal" "$JOURNAL" 2>/dev/null || true
if [ ! -s "$WORK/job/status" ]; then
	echo 'boot: the command did not end:' >&2
	tail -20 "$WORK/console" >&2
	exit 125
fi
exit "$(cat "$WORK/job/status")"

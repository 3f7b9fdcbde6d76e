#!/bin/bash
# herd.sh [CONNECTIONS [RATE]] - CONNECTIONS tokens that all end at the same time, due at once after the
# vault was away, at a provider that allows RATE requests a second: nobody's token runs out, and no more
# requests are under way than refresh_concurrency.
#
# The arithmetic. The work takes N/RATE seconds; half as much again and a few are given: WORK. A token is
# due a third of its life before its end when it lives three minutes at most, else a fifth (15 minutes at
# most), so that the last one made must live 3 or 5 times WORK. All end at the same moment: what was made
# before it lives longer by as much, and is due by then, too. The vault is stopped when all are made and
# started WORK before their end. 100,000 at 200/s: 500 s of work, and tokens of an hour or a little more.
set -euo pipefail
. "$(dirname "$0")/lib/bed.sh"
. "$(dirname "$0")/lib/plain.sh"
N=${1:-600}
CAP=${CAP:-16} TRY=$((N < 100 ? N : 100))
export RATE=0 LIFETIME=7200
LIMIT=${2:-200}
BED_PORT=${BED_PORT:-19510}
BED_VAULTD="refresh_concurrency = $CAP
refresh_rate = $LIMIT
dek_cache_entries = 0
inflight_per_uid = 65536
bytes_per_uid = 64M
check_seconds = 0"
BED_EGRESS="host_concurrency = $CAP"
trap 'rc=$?; [ $rc = 0 ] || { echo "herd: FAILED, see $BED"; BED_KEEP=1; tail -20 "$BED/log/vault"; }; bed_down' EXIT
plain_up

work=$((N * 3 / 2 / LIMIT + 14))
life=$((work <= 60 ? work * 3 : work * 5))
at() { date +%s; }

t0=$(date +%s%N)
plain_fill 0 "$TRY" >/dev/null
each_us=$((($(date +%s%N) - t0) / 1000 / TRY))
ends=$(($(at) + each_us * N / 1000000 * 5 / 4 + life + 2))
plain_ctl set "{\"ends_at\":$ends}" >/dev/null
echo "herd: $N connections take about $((each_us * N / 1000000)) s to make; all end in $((ends - $(at))) s"
plain_fill "$TRY" "$((N + TRY))" >/dev/null	# the first few live long and are not of the herd
filled=$(at)
left=$((ends - filled))
[ "$left" -ge "$life" ] || work=$((left <= 180 ? left / 3 : left / 5))
bed_stop
echo "herd: made; the vault is away until $work s before the end, for $((left - work)) s"
plain_ctl set "{\"rate\":$LIMIT}" >/dev/null
while [ "$(at)" -lt $((ends - work)) ]; do sleep 0.2; done
before=$(plain_stat refreshed)
bed_start
bed_await
while [ "$(plain_stat refreshed)" -lt $((before + N)) ] && [ "$(at)" -lt $((ends + work)) ]; do sleep 0.5; done
refreshed=$(($(plain_stat refreshed) - before))
echo "herd: $refreshed of $N renewed in $(awk -v a="$(plain_stat first)" -v b="$(plain_stat last)" 'BEGIN { printf "%.1f", b - a }') s, the last $(awk -v e="$ends" -v b="$(plain_stat last)" 'BEGIN { printf "%.1f", e - b }') s before the end; most under way $(plain_stat most) of $CAP; $(plain_stat throttled) told to wait; reuse $(plain_stat reuse)"
[ "$refreshed" = "$N" ]
[ "$(plain_stat late)" = 0 ]
[ "$(plain_stat reuse)" = 0 ]
[ "$(plain_stat refused)" = 0 ]
[ "$(plain_stat most)" -le "$CAP" ]
# And each of them once.
[ "$(plain_ctl ledger | awk -F'\t' '$2 > 1' | wc -l)" = 0 ]
[ "$(plain_ctl ledger | awk -F'\t' '$5 == "alive" && $3 == 0' | wc -l)" = $((N + TRY)) ]
bed_stop
"$BIN/vaultctl" audit verify "$BED/state/vaultd/audit" | head -1
echo 'herd: ok'

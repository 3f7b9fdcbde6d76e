#!/bin/bash
# bench.sh - figures, one a line: name<TAB>value<TAB>unit; also in build/bench.tsv. Ratios
# compare medians of interleaved rounds in this same run, with one client program.
#   ROUNDS=5 SECONDS_EACH=2 KEYS=100000 tests/bench/bench.sh
set -euo pipefail
. "$(dirname "$0")/../lib/bed.sh"
. "$(dirname "$0")/../lib/plain.sh"
ROUNDS=${ROUNDS:-5} EACH=${SECONDS_EACH:-2} KEYS=${KEYS:-100000}
LOAD=$BUILD/bench/load
OUT=$BUILD/bench.tsv
: >"$OUT"
BED_PORT=19300 AT_TTL=3600
BED_VAULTD='dek_cache_entries = 100000
connections_per_uid = 4096
bytes_per_uid = 256M
inflight_per_uid = 65536'
trap 'kill ${ECHO_PID:-} ${REDIS_PID:-} 2>/dev/null || true; bed_down' EXIT
ulimit -n 65536 2>/dev/null || true

say() { printf '%s\t%s\t%s\n' "$@" | tee -a "$OUT"; }
median() { sort -g | awk '{v[NR]=$1} END {print (NR%2) ? v[(NR+1)/2] : (v[NR/2]+v[NR/2+1])/2}'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN {printf "%.3f", a/b}'; }
counted() { timeout 5 "$BIN/vaultctl" --json status | sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p" | head -1; }
per_batch() { awk -v n=$(($(counted "$1") - $3)) -v b=$(($(counted "$2") - $4)) 'BEGIN {printf "%.1f", (b > 0 ? n / b : 0)}'; }
rss() { awk '/VmRSS/{print $2}' "/proc/$(bed_pid vaultd)/status"; }

prepare() {	# a vault of its own with $1 connections
	bed_new
	bed_users
	bed_token
	bed_tls
	cp "$BED/connectors/openid.json" "$BED/bench.json"
	printf '%s' '{"id":"bench","name":"Bench","version":1,"auth_types":["pat"]}' \
	    >"$BED/connectors/bench.json"
	chmod 644 "$BED/connectors/bench.json"
	bed_conf
	sed -i 's/^secret_memory = .*/secret_memory = 7M/' "$BED/etc/vaultd.conf"
	bed_keys >/dev/null
	bed_policy bench <<<'{"policies":{"b":{"connectors":{"bench":{"enabled":true}}}},"grants":[{"role":"auditor","to":["uid:0"]}],"assign":{"tenant":"b"}}'
	bed_start
	bed_await
	"$LOAD" -s "$VAULTD_SOCKET" -m fill -c 8 -k "$1" -v 1300 >/dev/null
}

restart_ms() {	# from the start of the next process after a kill -9 to its first answer
	local pid t0 t1
	pid=$(bed_pid vaultd)
	kill -9 "$pid"
	until [ "$(bed_pid vaultd)" != "$pid" ]; do sleep 0.001; done	# the launcher waits, not vaultd
	t0=$(date +%s%N)
	until timeout 5 "$BIN/vaultctl" status >/dev/null 2>&1; do sleep 0.001; done
	t1=$(date +%s%N)
	bed_await
	echo $(((t1 - t0) / 1000000))
}

# ---- start-up and memory with 10 connections
prepare 10
few=$(rss)
say rss_10_connections "$few" KiB
for i in 1 2 3 4 5 6 7 8 9; do restart_ms; done >"$BED/start"
say startup_10_connections "$(median <"$BED/start")" ms
say startup_10_connections_min "$(sort -g "$BED/start" | head -1)" ms
say startup_10_connections_max "$(sort -g "$BED/start" | tail -1)" ms
first=$(median <"$BED/start")
for i in 1 2 3 4 5 6 7 8 9; do restart_ms; done >"$BED/start"
again=$(median <"$BED/start")
say startup_a_a "$(ratio "$again" "$first")" ratio	# what the same thing twice differs by
bed_down

# ---- and with many
prepare "$KEYS"
say commits_per_batch_c8 "$(per_batch commits commit_batches 0 0)" commits
many=$(rss)
say "rss_${KEYS}_connections" "$many" KiB
say memory_per_connection "$(awk -v a="$many" -v b="$few" -v n="$KEYS" 'BEGIN {printf "%.0f", (a - b) * 1024 / n}')" bytes
for i in 1 2 3 4 5 6 7 8 9; do restart_ms; done >"$BED/start"
say "startup_${KEYS}_connections" "$(median <"$BED/start")" ms
say "startup_${KEYS}_vs_10" "$(ratio "$(median <"$BED/start")" "$first")" ratio
say "startup_${KEYS}_connections_min" "$(sort -g "$BED/start" | head -1)" ms
say "startup_${KEYS}_connections_max" "$(sort -g "$BED/start" | tail -1)" ms

# ---- what it is compared with
"$BUILD/bench/echo" "$BED/run/echo.sock" 1500 &
ECHO_PID=$!
redis-server --port 0 --unixsocket "$BED/run/redis.sock" --save '' --appendonly no \
    --daemonize no --dir "$BED" >/dev/null 2>&1 &
REDIS_PID=$!
sleep 0.5
awk -v n="$KEYS" 'BEGIN { v = sprintf("%01400d", 0); for (i = 0; i < n; i++) printf "SET b%07d %s\r\n", i, v }' |
    redis-cli -s "$BED/run/redis.sock" --pipe >/dev/null

# Keys into the cache, pages into memory.
"$LOAD" -s "$VAULTD_SOCKET" -m vault -c 50 -t 8 -k "$KEYS" >/dev/null

for c in 1 50 500; do
	lines=$(counted lines) batches=$(counted line_batches)
	for r in $(seq "$ROUNDS"); do
		"$LOAD" -s "$VAULTD_SOCKET" -m vault -c $c -t "$EACH" -k "$KEYS" >>"$BED/vault.$c"
		"$LOAD" -s "$BED/run/redis.sock" -m redis -c $c -t "$EACH" -k "$KEYS" >>"$BED/redis.$c"
		"$LOAD" -s "$BED/run/echo.sock" -m echo -c $c -t "$EACH" -k "$KEYS" >>"$BED/echo.$c"
	done
	for s in vault redis echo; do
		n=$s
		[ $s = vault ] && n=token_get
		say "${n}_c$c" "$(cut -f1 "$BED/$s.$c" | median)" 1/s
		say "${n}_c${c}_p50" "$(cut -f2 "$BED/$s.$c" | median)" us
		say "${n}_c${c}_p99" "$(cut -f3 "$BED/$s.$c" | median)" us
	done
	say "audit_lines_per_flush_c$c" "$(per_batch lines line_batches "$lines" "$batches")" lines
	for s in redis echo; do
		say "token_get_c${c}_vs_$s" "$(ratio "$(cut -f1 "$BED/vault.$c" | median)" "$(cut -f1 "$BED/$s.$c" | median)")" ratio
	done
done
"$LOAD" -s "$VAULTD_SOCKET" -m vault -c 1 -t "$EACH" -k "$KEYS" -1 | cut -f1 >"$BED/once"
say token_get_new_connection_c1 "$(cat "$BED/once")" 1/s
"$LOAD" -s "$VAULTD_SOCKET" -m vault -c 50 -t "$EACH" -k "$KEYS" -1 | cut -f1 >"$BED/once"
say token_get_new_connection_c50 "$(cat "$BED/once")" 1/s
bed_down
BED=

# ---- refreshes from end to end: forced one by one of REFRESHES connections, and what the provider gives a
# bare client in the same run
REFRESHES=${REFRESHES:-400} AT_ONCE=16
BED_VAULTD="refresh_concurrency = $AT_ONCE
inflight_per_uid = 65536
bytes_per_uid = 64M"
BED_EGRESS="host_concurrency = $AT_ONCE"
plain_up
plain_fill 0 "$REFRESHES" 8 >/dev/null
bare() { NODE_EXTRA_CA_CERTS=$BED/tls/ca.pem "$NODE" "$(dirname "$0")/post.mjs" "$ISSUER" "$REFRESHES" "$AT_ONCE"; }
for r in 1 2 3; do
	bare >>"$BED/bare"
	t0=$(date +%s%N) before=$(plain_stat refreshed)
	bed_uid $BED_ALICE "$BED/bin/load" -s "$VAULTD_SOCKET" -m fill -c $AT_ONCE -n 0 -k "$REFRESHES" \
	    -j "{\"method\":\"vaultd.Tokens.Get\",\"parameters\":{\"connection\":\"b@\",\"refused_generation\":$r}}" >/dev/null
	t1=$(date +%s%N)
	awk -v n=$(($(plain_stat refreshed) - before)) -v ns=$((t1 - t0)) 'BEGIN {printf "%.1f\n", n / (ns / 1e9)}' >>"$BED/vault.r"
	bare >>"$BED/bare.again"
done
say refreshes "$(median <"$BED/vault.r")" 1/s
say refreshes_bare_client "$(median <"$BED/bare")" 1/s
say refreshes_vs_bare "$(ratio "$(median <"$BED/vault.r")" "$(median <"$BED/bare")")" ratio
say refreshes_bare_a_a "$(ratio "$(median <"$BED/bare.again")" "$(median <"$BED/bare")")" ratio

# ---- the scheduler: reading an entry that is due, committing a turn of 128, queueing one
mkdir "$BED/due"
"$BUILD/bench/due" "$BED/due" 10 100000 1000000 | while read -r n read commit queue; do
	say "due_read_$n" "$read" ns
	say "due_commit_turn_$n" "$commit" us
	say "due_queue_$n" "$queue" ns
done

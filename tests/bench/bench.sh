#!/bin/bash
# bench.sh - `make bench`: one line a figure, NAME<TAB>VALUE<TAB>UNIT, also in
# $BUILD/bench.tsv. Rounds are interleaved, figures are medians, and the client is the same
# for every server: trust the ratios, not the absolute numbers.
#
#	BENCH_ROUNDS=7 BENCH_SECONDS=1 BENCH_CONNECTIONS=100000 BENCH_STARTS=9
set -euo pipefail
. "$(dirname "$0")/../lib/bed.sh"
ROUNDS=${BENCH_ROUNDS:-7} SECONDS_EACH=${BENCH_SECONDS:-1}
MANY=${BENCH_CONNECTIONS:-100000} STARTS=${BENCH_STARTS:-9}
TOKEN_BYTES=1200		# makes an answer of about 1.4 KB
LOAD=$BUILD/bench/load
OUT=$BUILD/bench.tsv
BED_PORT=$((20000 + RANDOM % 10000))
BED_VAULTD='dek_cache_entries = 120000'

echo_pid='' redis_pid=''
cleanup() {
	local rc=$?
	[ $rc = 0 ] || tail -20 "$BED/log/vault" >&2
	[ -z "$echo_pid" ] || kill "$echo_pid" 2>/dev/null || true
	[ -z "$redis_pid" ] || kill "$redis_pid" 2>/dev/null || true
	bed_down
	exit $rc
}
trap cleanup EXIT
trap 'exit 1' INT TERM

figure() { printf '%s\t%s\t%s\n' "$1" "$2" "$3" | tee -a "$OUT"; }
note() { printf '# %s\n' "$*" >&2; }
median() { sort -g | awk '{v[NR] = $1} END {printf "%.10g\n", NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }
since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN {printf "%.6f\n", b - a}'; }
divide() { awk -v a="$1" -v b="$2" -v f="${3:-%.3f}" 'BEGIN {printf f "\n", b ? a / b : 0}'; }

# ---- the vault: 10 connections, and a copy of it that grows to many

bench_policy() {
	cat >"$BED/connectors/bench.json" <<'P'
{ "id": "bench", "name": "Static tokens, for measuring", "version": 1, "auth_types": ["pat"] }
P
	chmod 644 "$BED/connectors/bench.json"
	bed_policy bench <<'P'
{
  "policies": {
    "bench": {
      "personal": { "workspace": "allow" },
      "connectors": { "bench": { "enabled": true, "auth_types": ["pat"] } }
    }
  },
  "assign": { "tenant": "bench" }
}
P
}

# LMDB numbers its write transactions: the larger of the two in the meta pages.
transactions() {
	local page
	for page in 0 4096; do
		od -An -t u8 -j $((page + 144)) -N 8 "$BED/state/vaultd/store/data.mdb"
	done | sort -n | tail -1 | tr -d ' '
}

prepare() {
	local before begin
	bed_new
	bed_users
	bed_token
	bed_conf
	sed -i 's/^secret_memory.*/secret_memory = 7M/' "$BED/etc/vaultd.conf"
	bed_keys >"$BED/log/keys"
	bench_policy
	bed_start
	bed_await
	"$LOAD" fill "$VAULTD_SOCKET" -n 10 -b $TOKEN_BYTES >"$BED/ids.10"
	bed_stop
	cp -a --sparse=always "$BED/state/vaultd" "$BED/state/vaultd.10"
	bed_start
	bed_await
	note "making $MANY connections"
	before=$(transactions)
	begin=$EPOCHREALTIME
	"$LOAD" fill "$VAULTD_SOCKET" -n $((MANY - 10)) -b $TOKEN_BYTES -o 10 >"$BED/ids.new"
	figure create_rate "$(divide $((MANY - 10)) "$(since "$begin")" %.0f)" 1/s
	figure commit_batch_create "$(divide $((MANY - 10)) $(($(transactions) - before)) %.1f)" changes
	cat "$BED/ids.10" "$BED/ids.new" >"$BED/ids.$MANY"
	ANSWER=$("$LOAD" touch "$VAULTD_SOCKET" -i "$BED/ids.$MANY")
	figure answer_bytes "$ANSWER" B
}

# ---- the peers: the floor, and what everybody knows

peers() {
	"$BUILD/bench/echo" "$BED/echo.sock" "$ANSWER" 3>&- &
	echo_pid=$!
	redis-server --port 0 --unixsocket "$BED/redis.sock" --save '' --appendonly no \
	    --dir "$BED" >"$BED/log/redis" 2>&1 3>&- &
	redis_pid=$!
	for _ in $(seq 100); do
		[ -S "$BED/echo.sock" ] && [ -S "$BED/redis.sock" ] && break
		sleep 0.05
	done
	# an answer of redis has 9 bytes around its value
	"$LOAD" fill "$BED/redis.sock" -f redis -i "$BED/ids.$MANY" -b $((ANSWER - 9))
}

# ---- reading: every load for every server, then all again

measure() {	# VERB SERVER NAME OPTION...: one more line "rps p50 p99 cpu" for NAME
	local verb=$1 server=$2 name=$3 socket=$BED/$2.sock
	shift 3
	[ "$server" != vault ] || socket=$VAULTD_SOCKET
	SERVER_PID=${PID[$server]} "$LOAD" "$verb" "$socket" -f "$server" -i "$BED/ids.$MANY" \
	    -t "$SECONDS_EACH" "$@" >>"$BED/figures/$name.$server"
}
column() { cut -d' ' -f"$2" "$BED/figures/$1" | median; }
figures() {	# NAME SERVER
	local name=$1 what
	case $2 in vault) what=token_get_$name ;; *) what=${2}_$name ;; esac
	figure "${what}_rate" "$(column "$name.$2" 1)" 1/s
	figure "${what}_p50" "$(column "$name.$2" 2)" us
	figure "${what}_p99" "$(column "$name.$2" 3)" us
	figure "${what}_cpu" "$(column "$name.$2" 4)" us/request
}

# Writes of the journal's thread: two for a batch, its lines and the word to the loop.
audit_writes() { cat /proc/"$(bed_pid vaultd)"/task/*/io 2>/dev/null | awk '$1 == "syscw:" {print $2}'; }

reads() {
	local round name server
	declare -A PID=([vault]=$(bed_pid vaultd) [echo]=$echo_pid [redis]=$redis_pid)
	declare -A LOADS=([c1]='-c 1' [c50]='-c 50' [c500]='-c 500' [c50p16]='-c 50 -p 16')
	mkdir -p "$BED/figures"
	for round in $(seq "$ROUNDS"); do
		note "round $round of $ROUNDS"
		for name in c1 c50 c500 c50p16; do
			for server in vault echo redis; do
				measure read "$server" "$name" ${LOADS[$name]}
			done
		done
		for server in vault echo redis; do
			measure fresh "$server" fresh -c 50
		done
	done
	for name in c1 c50 c500 c50p16 fresh; do
		for server in vault echo redis; do
			figures "$name" "$server"
		done
		for server in redis echo; do
			figure "token_get_${name}_vs_$server" \
			    "$(divide "$(column "$name.vault" 1)" "$(column "$name.$server" 1)")" ratio
		done
	done
}

batches() {	# how many answers one write of the audit log carries
	local name before after rate writes
	for name in 50 500; do
		before=$(audit_writes)
		rate=$("$LOAD" read "$VAULTD_SOCKET" -i "$BED/ids.$MANY" -c $name -t "$SECONDS_EACH" | cut -d' ' -f1)
		after=$(audit_writes)
		writes=$(paste <(echo "$before") <(echo "$after") | awk '{d = $2 - $1; if (d > most) most = d} END {print most / 2}')
		# the client warms up for 0.3 s before it counts
		[ -z "$before" ] || figure "audit_batch_c$name" \
		    "$(awk -v r="$rate" -v t="$SECONDS_EACH" -v w="$writes" 'BEGIN {printf "%.1f", r * (t + 0.3) / w}')" lines
	done
}

# ---- starting, and what it takes to hold them

memory() { awk '/^VmRSS/ {print $2}' "/proc/$(bed_pid vaultd)/status"; }

start_once() {	# 10|MANY: ms to the first answer, ms to the first token, and memory then
	local begin
	begin=$EPOCHREALTIME
	bed_start
	"$LOAD" ready "$VAULTD_SOCKET"
	since "$begin" >>"$BED/figures/serving.$1"
	"$LOAD" ready "$VAULTD_SOCKET" -i "$BED/ids.$1"
	since "$begin" >>"$BED/figures/token.$1"
	memory >>"$BED/figures/memory.$1"
	bed_stop
}

starts() {
	local n what
	bed_stop
	mv "$BED/state/vaultd" "$BED/state/vaultd.$MANY"
	for _ in $(seq "$STARTS"); do
		for n in 10 "$MANY"; do
			mv "$BED/state/vaultd.$n" "$BED/state/vaultd"
			start_once "$n"
			mv "$BED/state/vaultd" "$BED/state/vaultd.$n"
		done
	done
	for what in serving token; do
		for n in 10 "$MANY"; do
			figure "start_${what}_$n" "$(median <"$BED/figures/$what.$n" | awk '{printf "%.1f", $1 * 1000}')" ms
		done
		# What two series of the same thing differ by: odd and even starts with 10.
		figure "start_${what}_aa" "$(divide "$(awk 'NR % 2' "$BED/figures/$what.10" | median)" \
		    "$(awk 'NR % 2 == 0' "$BED/figures/$what.10" | median)")" ratio
		figure "start_${what}_spread" "$(sort -g "$BED/figures/$what.10" |
		    awk 'NR == 1 {a = $1} {b = $1} END {printf "%.3f", b / a}')" 'largest/smallest'
		figure "start_${what}_${MANY}_vs_10" "$(divide "$(median <"$BED/figures/$what.$MANY")" \
		    "$(median <"$BED/figures/$what.10")")" ratio
	done
	for n in 10 "$MANY"; do
		figure "memory_$n" "$(median <"$BED/figures/memory.$n")" KiB
	done
}

: >"$OUT"
prepare
peers
reads
batches
figure "memory_${MANY}_read" "$(memory)" KiB
starts
note "load average $(cut -d' ' -f1-3 /proc/loadavg), $(nproc) processors; figures are in $OUT"

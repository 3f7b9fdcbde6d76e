#!/bin/bash
# steps.sh [CONNECTIONS [REFRESHES [STRIDE]]] - renews CONNECTIONS tokens at once, again and again, and kills
# vaultd or vault-egress with SIGKILL at each step of it in turn: every write, sync, file and message,
# before it and after it; with a STRIDE at each STRIDEth alone. Until each step was met once, and the provider has answered REFRESHES times.
#
# Afterwards no grant is lost whose answer was in the spool, nothing was sent twice but the one
# sanctioned retry of a lost answer, and the provider's reuse of refresh tokens is explained for each
# account. Root only: it watches system calls.
set -euo pipefail
. "$(dirname "$0")/lib/bed.sh"
N=${1:-1} WANTED=${2:-0} STRIDE=${3:-1}
AT_TTL=${AT_TTL:-5} BED_PORT=$((19700 + RANDOM % 200))
STEPKILL=$BUILD/tests/stepkill
[ "$(id -u)" = 0 ] && [ -x "$STEPKILL" ] ||
    { echo 'steps: not run: needs root and x86_64'; exit 0; }
USERS=$(seq -s, -f 'u%.0f:word' "$N")
export USERS
trap 'rc=$?; [ $rc = 0 ] || { echo "steps: FAILED, see $BED"; BED_KEEP=1; tail -20 "$BED/log/vault"; }; bed_down' EXIT
bed_up
bed_app
bed_silent_about_tokens

connect() {	# NUMBER
	BED_CONSENT="--user u$1 --password word" bed_connect $BED_ALICE --name "u$1" --timeout 30
}
show() { ctl $BED_ALICE --json connection show "$1"; }
member() { sed -n "s/.*\"$1\": \"\{0,1\}\([^\",]*\).*/\1/p" | head -1; }
generation() { ctl $BED_ALICE --json token get "$1" 2>/dev/null | member generation; }
# By what callers want, not by what an API refused: that is bounded. A quarter of its life must be over.
renew() {	# NUMBER: a new token, if there may be one now
	ctl $BED_ALICE token get "u$1" --min-ttl 3600 >/dev/null 2>"$BED/log/renew.$1" || true
}
renew_all() {
	local i pids=
	for i in $(seq "$N"); do renew "$i" & pids="$pids $!"; done
	for i in $pids; do wait "$i" || true; done
}
answers() { bed_count 'refresh_token:200'; }

for i in $(seq "$N"); do connect "$i"; done

# The end of stepkill's input, of which bash holds two copies.
ungive() {
	local mine=$1
	exec {mine}>&-
	[ -z "${K[1]:-}" ] || eval "exec ${K[1]}>&-"
}

# How long an answer is in memory alone: from its last byte to the end of the sync of its file.
window() {
	coproc K { "$STEPKILL" "$(bed_pid vault-egress)" 0; }
	local line said="$BED/log/timeline" pid=$K_PID in out
	exec {out}<&"${K[0]}" {in}>&"${K[1]}"
	read -r line <&"$out"
	renew 1
	ungive "$in"
	cat <&"$out" >"$said"
	exec {out}<&-
	wait "$pid" || true
	awk '/recvfrom|read/ && /after/ && /socket:/ { got = $3 }
	    /spool\// && /after fdatasync|after fsync/ { synced = $3; at = got }
	    END { if (synced) printf "steps: an answer is in memory alone for %d us (system calls watched)\n", synced - at }' "$said"
}

rounds=0 verdict=
once() {	# ROLE STEP: renews, and kills ROLE there; $verdict
	local line pid out in
	rounds=$((rounds + 1))
	coproc K { "$STEPKILL" "$(bed_pid "$1")" "$2"; }
	pid=$K_PID
	exec {out}<&"${K[0]}" {in}>&"${K[1]}"	# bash closes its own when the process ends
	read -r line <&"$out"
	renew_all
	ungive "$in"
	verdict=$(cat <&"$out")
	exec {out}<&-
	wait "$pid" 2>/dev/null || true
	echo "$1 $2: $verdict" >>"$BED/log/steps"
	bed_await
	case $verdict in killed*) settle "$1 $verdict" ;; esac
}
step() {	# ROLE STEP: false when there is no such step in a whole renewal
	local before tries
	for tries in $(seq 40); do
		before=$(generation u1 || true)
		once "$1" "$2"
		case $verdict in killed*) return 0 ;; esac
		[ "$N" = 1 ] && [ "$(generation u1 || true)" = "$before" ] || return 1
		sleep 0.5		# nothing was renewed: it was too early to try again
	done
	echo "steps: u1 is not renewed any more"
	show u1
	exit 1
}

# Until a connection is renewed again, or lost. An unknown outcome has its one retry when its token
# ends; of many, those that are not waited for.
heal() {	# NUMBER
	local before after tries
	before=$(generation "u$1" || true)
	for tries in $(seq 200); do
		[ "$(show "u$1" | member state)" != disconnected ] || return 1
		renew "$1"
		after=$(generation "u$1" || true)
		[ -z "$after" ] || [ "$after" = "$before" ] || return 0
		[ "$N" = 1 ] || return 0
		sleep 0.2
	done
	echo "steps: u$1 does not come back"
	show "u$1"
	exit 1
}

# What is lost is told with the step that it was lost at, and signs in again.
lost=0
settle() {	# WHAT WAS DONE
	local i
	for i in $(seq "$N"); do
		if heal "$i"; then continue; fi
		lost=$((lost + 1))
		echo "u$i $(show "u$i" | member cause) $1" >>"$BED/log/lost"
		ctl $BED_ALICE connection delete "u$i" >/dev/null 2>&1 || true
		connect "$i"
	done
}

window
for role in ${ROLES:-vaultd vault-egress}; do
	n=1
	while step $role $n; do n=$((n + STRIDE)); done
	echo "steps: $role was killed at step 1 to $((n - STRIDE)), $STRIDE apart"
	[ "$n" -gt 8 ]
done
while [ "$(answers)" -lt "$WANTED" ]; do
	step vaultd $((1 + RANDOM % 200)) || true
	step vault-egress $((1 + RANDOM % 100)) || true
done

echo "steps: $rounds rounds, $(answers) refreshes, $lost grants lost on the way"
[ ! -e "$BED/log/lost" ] || cut -d' ' -f2- "$BED/log/lost" | sort | uniq -c
# Lost are answers that no spool had: of a vault-egress that died between sending and the last sync of
# the spool's file. vaultd's death loses none.
if grep -v ' vault-egress killed' "$BED/log/lost" 2>/dev/null; then
	echo 'steps: a grant was lost although vault-egress lived'
	exit 1
fi
kept=$(sed -n 's/^vault-egress .*killed at \([0-9]*\) before fdatasync .*answer$/\1/p' "$BED/log/steps" | sort -n | tail -1)
if [ "$N" = 1 ] && [ -n "$kept" ] && sed -n 's/.* vault-egress killed at \([0-9]*\) .*/\1/p' "$BED/log/lost" |
    awk -v kept="$kept" '$1 >= kept { late = 1 } END { exit !late }'; then
	echo "steps: a grant was lost whose answer was in the spool (step $kept)"
	exit 1
fi
bed_stop
"$BIN/vaultctl" audit verify "$BED/state/vaultd/audit" | head -1
for i in $(seq "$N"); do
	seen=$(bed_ctl stats | sed -n "s/.*\"reuse_of\":{[^}]*\"u$i\":\([0-9]*\).*/\1/p")
	told=$(grep -c "^u$i " "$BED/log/lost" 2>/dev/null || true)
	if [ "${seen:-0}" -gt "${told:-0}" ]; then
		echo "steps: the provider saw u$i's refresh token ${seen} times too often, ${told:-0} are explained"
		exit 1
	fi
done
[ -z "${BED_KEEP:-}" ] || echo "steps: kept in $BED"
echo 'steps: ok'

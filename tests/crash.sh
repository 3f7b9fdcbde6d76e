#!/bin/bash
# crash.sh [CYCLES] - connect and refresh cycles while roles are killed with SIGKILL at
# random moments. Afterwards every connection works or says exactly why not, the audit log
# verifies, and the provider saw no refresh token twice but for the one sanctioned retry.
set -euo pipefail
. "$(dirname "$0")/lib/bed.sh"
CYCLES=${1:-50}
AT_TTL=25 BED_PORT=$((19100 + RANDOM % 500))
trap 'rc=$?; [ $rc = 0 ] || { echo "crash: FAILED, see $BED"; BED_KEEP=1; tail -30 "$BED/log/vault"; }; bed_down' EXIT
bed_up
bed_app

killer() {	# one random role, at a random moment of the next half second
	local roles=(vaultd vault-egress vault-hsm) role
	role=${roles[n % 3]}
	sleep "0.$(printf %03d $((RANDOM % 400)))"
	kill -9 "$(cat "$BED/run/$role.pid")" 2>/dev/null || true
}

connected=0 failed=0 renewed=0
for n in $(seq "$CYCLES"); do
	# a provider that takes its time: most kills hit an exchange in flight
	bed_ctl clear '{}' >/dev/null
	bed_ctl fault "{\"path\":\"/token\",\"kind\":\"delay\",\"ms\":$((RANDOM % 300))}" >/dev/null
	killer &
	k=$!
	if [ $((n % 5)) = 1 ]; then
		if bed_connect $BED_ALICE --name "c$n" --timeout 20; then
			connected=$((connected + 1))
		else
			failed=$((failed + 1))
			grep -h '^error' "$BED/log/connect.$BED_ALICE.err" >>"$BED/log/interrupted" || true
		fi
	else
		name=$(ctl $BED_ALICE --json connection list 2>/dev/null | sed -n 's/.*"name": "\(.*\)",*/\1/p' | shuf -n1 || true)
		gen=$(ctl $BED_ALICE --json token get "${name:-none}" 2>/dev/null | sed -n 's/.*"generation": \([0-9]*\).*/\1/p' || true)
		if [ -n "$gen" ] && ctl $BED_ALICE token get "$name" --refused-generation "$gen" >/dev/null 2>&1; then
			renewed=$((renewed + 1))
		fi
	fi
	wait $k
	bed_await
done
[ ! -e "$BED/log/interrupted" ] || sort "$BED/log/interrupted" | uniq -c | cut -c1-150
echo "crash: $CYCLES cycles: $connected connected, $failed sign-ins interrupted, $renewed renewed"

# Open intents settle within seconds, and what stays unknown when its token has ended: then
# the one retry is due. After that each connection must answer for itself.
bed_ctl clear '{}' >/dev/null
sleep 3
bed_await
for _ in $(seq 40); do
	ctl $BED_ALICE --json connection list | tr -d '\n' |
	    grep -c '"state": "\(connected\|degraded\)"[^}]*OutcomeUnknown' >/dev/null || break
	sleep 1
done
works=0 explained=0
for name in $(ctl $BED_ALICE --json connection list | sed -n 's/.*"name": "\(.*\)",*/\1/p'); do
	gen=$(ctl $BED_ALICE --json token get "$name" 2>/dev/null | sed -n 's/.*"generation": \([0-9]*\).*/\1/p' || true)
	token=$(ctl $BED_ALICE token get "$name" ${gen:+--refused-generation "$gen"} 2>"$BED/log/why" || true)
	if [ -n "$token" ] && curl -sS --noproxy '*' --cacert "$BED/tls/ca.pem" \
	    -H "Authorization: Bearer $token" "$ISSUER/api/whoami" | grep -q '"sub":"alice"'; then
		works=$((works + 1))
	elif ctl $BED_ALICE connection show "$name" |
	    grep -Ec 'GrantLostInTransit|SigninLost|state +pending' >/dev/null; then
		explained=$((explained + 1))
	else
		echo "crash: $name neither works nor says why:"
		cat "$BED/log/why"
		ctl $BED_ALICE connection show "$name"
		exit 1
	fi
done
# A retry after a lost answer is sanctioned, once for each grant that it shows to be lost;
# nothing else may bring a refresh token back.
ctl $BED_ALICE --json connection list | sed -n 's/^ *"\(state\|cause_text\)": \(.*\),$/\2/p' |
    paste -d' ' - - | sort | uniq -c
lost=$(ctl $BED_ALICE --json connection list | grep -c 'GrantLostInTransit"' || true)
reuse=$(bed_ctl stats | sed 's/.*"reuse_detected":\([0-9]*\).*/\1/')
echo "crash: $works work, $explained say why; $lost lost in transit; reuse seen by the provider: $reuse"
[ "$works" -gt 0 ] && [ "$connected" -gt 0 ] && [ "$renewed" -gt 0 ]
for role in vaultd vault-egress vault-hsm; do
	[ "$(grep -c "$role was ended by signal 9" "$BED/log/vault")" -ge $((CYCLES / 10)) ]
done
[ "$reuse" -le "$lost" ]
bed_stop
"$BIN/vaultctl" audit verify "$BED/state/vaultd/audit" | head -1
cut_lines=$(cat "$BED"/state/vaultd/audit/audit-* | tr -d '\0' | grep -c '"event":"audit_\(behind\|differs\|damaged\)"' || true)
[ "$cut_lines" = 0 ]
echo 'crash: ok'

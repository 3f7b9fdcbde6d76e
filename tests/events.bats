#!/usr/bin/env bats
# Events: what happened, in order, exactly once, for those who may see it - and nobody is held up
# by who listens.

setup_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	export AT_TTL=300 BED_PORT=19430 BED_VAULTD=$'followers_per_uid = 4\nevents_kept = 600'
	bed_up
	bed_app
	bed_connect $BED_ALICE
	bed_export
}
teardown_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	BIN=$BED/bin
	bed_down
}
setup() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; BED_PORT=19430; }

root_only() { [ "$(id -u)" = 0 ] || skip "only root has more than one user here"; }
follow() {	# UID [PARAMETERS]: the pages there are, one answer to a line
	bed_uid "$1" python3 "$BED_ROOT/tests/lib/events.py" "${2:-{\}}" "${@:3}"
}
types() { python3 -c 'import json,sys
for line in sys.stdin:
    for e in json.loads(line)["parameters"]["events"]: print(e["type"], e["path"] or "")'; }
last() { follow "$BED_ADMIN" | tail -1 | sed 's/.*"last": *\([0-9]*\).*/\1/'; }
pat() {	# NAME [OPTION...]: a connection with a static token of alice's
	printf 'pat-good-%s' "$1" | ctl $BED_ALICE connection create openid --auth-type pat --name "$1" \
	    --var issuer="$ISSUER" "${@:2}" >/dev/null
}
reconnect() {	# CONNECTION: alice signs in again in the browser
	ctl $BED_ALICE connection reconnect "$1" --no-browser >"$BED/log/again" 2>"$BED/log/again.err" \
	    </dev/null 3>&- &
	local pid=$!
	bed_within 10 grep -q '^https://' "$BED/log/again.err"
	bed_consent "$(grep -m1 '^https://' "$BED/log/again.err")" >/dev/null
	wait $pid
}

@test "row 83: a sign-in is told of in order: app, connection, and that it works" {
	run types < <(follow $BED_ALICE '{"connection":"openid"}')
	[ "$output" = "created personal/openid
authenticated personal/openid" ]
	root_only
	follow $BED_ADMIN '{"types":["app_added"]}' | types | grep -qx "app_added acme"
}

@test "row 54: events of what one may not see are not there" {
	root_only
	[ "$(follow $BED_BOB | types | grep -c openid)" = 0 ]
	id=$(bed_shown openid id)
	[ "$(follow $BED_BOB "{\"connection\":\"$id\"}" | types)" = "" ]
	[ -n "$(follow $BED_ALICE "{\"connection\":\"$id\"}" | types)" ]
	follow $BED_BOB '{"connection":"personal/openid"}' | grep -q NotFound
}

@test "row 42, 44: a change of name and the end are events, with what it was called before" {
	from=$(last)
	pat one
	ctl $BED_ALICE connection rename one two
	ctl $BED_ALICE connection delete two
	run types < <(follow $BED_ALICE "{\"since\":$from}")
	[ "$output" = "created personal/one
renamed personal/two
deleted personal/two" ]
	follow $BED_ALICE "{\"since\":$from,\"types\":[\"renamed\"]}" | grep -q '"was": *"one"'
}

@test "row 34: an app's secret that ends soon is told of at once, one time, over a restart too" {
	from=$(last)
	for days in 13 6; do
		printf 'secret-%s' $days | ctl $BED_ADMIN app add "ends-$days" openid --client-id x --owner tests --purpose tests \
		    --var issuer="$ISSUER" --rotate-by "$(date -d "+$days days" +%F)" >/dev/null
	done
	due() { follow $BED_ADMIN "{\"since\":$from,\"types\":[\"rotate_due\"]}"; }
	two() { [ "$(due | types | wc -l)" = 2 ]; }
	bed_within 10 two
	[ "$(due | types)" = "rotate_due ends-13
rotate_due ends-6" ]
	bed_kill vaultd
	bed_await
	two
	# The next ones are in the future: nothing else is due.
	due | grep -q '"owner": *"admin"'
}

@test "row 83: the policy and the seal are told of" {
	from=$(last)
	echo '{' | bed_policy broken
	run ctl $BED_ADMIN policy reload
	[ "$status" != 0 ]
	rm "$BED/etc/policy.d/broken.json"
	ctl $BED_ADMIN policy reload >/dev/null
	root_only
	"$BIN/vaultctl" seal >/dev/null
	"$BIN/vaultctl" unseal >/dev/null
	run types < <(follow $BED_ADMIN "{\"since\":$from}")
	[ "$output" = "policy_failed 
policy_changed 
sealed 
unsealed " ]
	[ "$(follow $BED_BOB "{\"since\":$from,\"types\":[\"policy_failed\"]}" | types)" = "" ]
}

@test "row 83: the HSM that goes and comes back is told of" {
	from=$(last)
	follow $BED_BOB "{\"since\":$from,\"types\":[\"hsm_up\",\"hsm_down\"]}" more 2 60 >"$BED/log/hsm-events" 3>&- &
	f=$!
	bed_kill vault-hsm
	bed_await
	wait $f
	[ "$(types <"$BED/log/hsm-events")" = "hsm_down 
hsm_up " ]
}

# Renames a connection of alice's as often as is said, one call after the other; prints how many
# calls worked, and the slowest call's milliseconds.
renames() {	# CONNECTION TIMES
	bed_uid $BED_ALICE python3 - "$1" "$2" <<'P'
import json, os, socket, sys, time
s = socket.socket(socket.AF_UNIX); s.connect(os.environ["VAULTD_SOCKET"])
name, good, slowest = sys.argv[1], 0, 0.0
for i in range(int(sys.argv[2])):
    new = "%s-%d" % (sys.argv[1], i) if i + 1 < int(sys.argv[2]) else sys.argv[1]
    t = time.monotonic()
    s.sendall(json.dumps({"method": "vaultd.Connections.Rename",
                          "parameters": {"connection": name, "name": new}}).encode() + b"\0")
    answer = b""
    while not answer.endswith(b"\0"):
        answer += s.recv(65536)
    slowest = max(slowest, time.monotonic() - t)
    good += b'"error"' not in answer.split(b'"cause"')[0]
    name = new
print(good, int(slowest * 1000))
P
}

@test "row 83: who follows and never reads holds nobody up, and is told what it missed" {
	pat slow
	from=$(last)
	# Connects, calls, and reads nothing until it is told to.
	mkfifo "$BED/run/now"
	chmod 666 "$BED/run/now"
	bed_uid $BED_ALICE python3 - "$from" "$BED/run/now" >"$BED/log/slow" 3>&- <<'P' &
import json, os, socket, sys
s = socket.socket(socket.AF_UNIX); s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
s.connect(os.environ["VAULTD_SOCKET"])
s.sendall(json.dumps({"method": "vaultd.Events.Follow", "more": True,
                      "parameters": {"since": int(sys.argv[1])}}).encode() + b"\0")
open(sys.argv[2]).read()
buffered, lost, got = b"", 0, []
s.settimeout(30)
while not got or got[-1]["type"] != "deleted":
    buffered += s.recv(65536)
    while b"\0" in buffered:
        one, buffered = buffered.split(b"\0", 1)
        p = json.loads(one)["parameters"]
        if p["lost"]:
            got.append({"sequence": got[-1]["sequence"] + p["lost"], "type": "lost"})
            lost += p["lost"]
        got += p["events"]
numbers = [e["sequence"] for e in got]
step = [b - a for a, b in zip(numbers, numbers[1:])]
print("lost" if lost else "whole", "in order" if min(step) >= 1 else "disorder",
      len(numbers) == len(set(numbers)))
P
	f=$!
	read -r good slowest < <(renames slow 1000)
	[ "$good" = 1000 ]
	echo "slowest of 1000 changes: $slowest ms"
	bed_works "$(ctl $BED_ALICE token get openid)"
	# What it does not read is not kept for it.
	ctl $BED_ALICE connection delete slow >/dev/null
	echo >"$BED/run/now"
	wait $f
	cat "$BED/log/slow"
	[ "$(cat "$BED/log/slow")" = "lost in order True" ]
}

@test "row 83: two who follow hear all, in order and once, over kill -9 of the vault" {
	pat twice
	from=$(last)
	for i in 1 2; do
		bed_uid $BED_ALICE timeout 60 "$BIN/vaultctl" --json events follow --since "$from" >"$BED/log/f$i" 2>"$BED/log/f$i.err" 3>&- &
		eval "f$i=$!"
	done
	renames twice 20 >/dev/null
	bed_kill vaultd
	bed_await
	renames twice 20 >/dev/null
	bed_kill vaultd
	bed_await
	ctl $BED_ALICE connection delete twice >/dev/null
	ended() { [ "$(cat "$BED/log/f1" "$BED/log/f2" | grep -c '"type":"deleted"')" = 2 ]; }
	bed_within 30 ended
	kill $(pgrep -P $f1) $(pgrep -P $f2) || true
	follow $BED_ALICE "{\"since\":$from}" | python3 -c 'import json,sys
for line in sys.stdin:
    for e in json.loads(line)["parameters"]["events"]: print(e["sequence"], e["type"])' >"$BED/log/all"
	[ "$(grep -c renamed "$BED/log/all")" = 40 ]
	for i in 1 2; do
		python3 -c 'import json,sys
for line in sys.stdin: e = json.loads(line); print(e["sequence"], e["type"])' <"$BED/log/f$i" |
		    diff - "$BED/log/all"
		grep -q waiting "$BED/log/f$i.err"
	done
}

@test "a uid follows so often and no more; who is gone, or ends it, counts no more" {
	bed_uid $BED_ALICE python3 - <<'P'
import json, os, socket
def follower(more=True, **parameters):
    s = socket.socket(socket.AF_UNIX); s.settimeout(20)
    s.connect(os.environ["VAULTD_SOCKET"])
    s.sendall(json.dumps({"method": "vaultd.Events.Follow", "more": more,
                          "parameters": parameters}).encode() + b"\0")
    return s
def answer(s):
    a = b""
    while not a.endswith(b"\0"):
        a += s.recv(1)
    return json.loads(a[:-1])
four = [follower() for _ in range(4)]
assert all(answer(s)["continues"] for s in four)
busy = answer(follower())
assert busy["error"] == "vaultd.Vault.Busy", busy
assert "continues" not in answer(follower(more=False))
# Calls behind it wait; it ends with the sending side, then they are answered.
four[0].sendall(b'{"method":"vaultd.Vault.WhoAmI"}\0')
four[0].shutdown(socket.SHUT_WR)
end = answer(four[0])
assert "continues" not in end and end["parameters"]["complete"], end
assert "uid" in answer(four[0])["parameters"]
assert four[0].recv(1) == b""
four[1].close()
two = [follower(), follower()]
while True:                     # the vault hears of the one that left in its time
    answers = [answer(s) for s in two]
    if all("continues" in a for a in answers):
        break
    two = [s if "continues" in a else follower() for s, a in zip(two, answers)]
    two = [follower() if s.fileno() < 0 else s for s in two]
unknown = answer(follower(since=10**12, more=False))
assert unknown["error"] == "vaultd.Events.SequenceUnknown", unknown
wrong = answer(follower(types=["nonsense"], more=False))
assert wrong["error"].endswith("InvalidParameter") and wrong["parameters"]["parameter"] == "types"
P
}

@test "row 83: people read events as lines, programs as JSON" {
	from=$(last)
	pat shown
	ctl $BED_ALICE connection rename shown with-a-name-that-is-so-long-that-a-line-of-80-columns-is-full
	ctl $BED_ALICE events list --since "$from" >"$BED/log/list"
	grep -qE '^[0-9-]+ [0-9:]+ +created +personal/shown$' "$BED/log/list"
	grep -qE '^ +was shown$' "$BED/log/list"
	ctl $BED_ALICE --json events list --type created --since "$from" | grep -q '"type": "created"'
	run ctl $BED_ALICE events list --type nonsense
	[ "$status" = 2 ]
	[[ "$output" == *"there is no type of event 'nonsense'"* ]]
}

@test "row 45, 46, 83: a grant that was revoked is told of, with whose move it is; so is the way back" {
	from=$(last)
	bed_ctl revoke-user '{"user":"alice"}' >/dev/null
	gen=$(ctl $BED_ALICE --json token get openid | sed -n 's/.*"generation": \([0-9]*\).*/\1/p')
	run ctl $BED_ALICE token get openid --refused-generation "$gen"
	[ "$status" = 5 ]
	ctl $BED_ALICE events list openid --since "$from" >"$BED/log/list"
	grep -qE '^[0-9-]+ [0-9:]+ +needs_reconnect +personal/openid$' "$BED/log/list"
	grep -qE '^ +GrantRevoked: ' "$BED/log/list"
	grep -qE "^ +next Reconnect 'personal/openid'" "$BED/log/list"
	[ "$(awk 'length > 80' "$BED/log/list" | wc -l)" = 0 ]
	follow $BED_ALICE "{\"since\":$from,\"types\":[\"needs_reconnect\"]}" >"$BED/log/event"
	grep -q '"old_state": "connected", "state": "disconnected", "cause": "vaultd.Tokens.GrantRevoked"' "$BED/log/event"
	grep -q '"owner": "caller"' "$BED/log/event"
	reconnect openid
	[ "$(follow $BED_ALICE "{\"since\":$from,\"connection\":\"openid\"}" | types)" = "needs_reconnect personal/openid
reconnected personal/openid" ]
	# One that works and is signed in again anyway.
	reconnect openid
	[ "$(follow $BED_ALICE "{\"since\":$from,\"connection\":\"openid\"}" | types | grep -c '^reconnected')" = 2 ]
}

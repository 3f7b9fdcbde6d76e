#!/usr/bin/env bats
# The audit log as an auditor reads it: allowed, denied and failed calls, each line whole JSON that
# names who, what, which rule and under which policy; the chain checked by another program than
# ours; no secret; and no edit of any kind that `vaultctl audit verify` does not find and place.

setup_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	# Small segments, so that there are several: one is the least the vault takes.
	export AT_TTL=300 BED_PORT=19080 BED_VAULTD='audit_segment = 64k'
	bed_up
	bed_app
	tell_the_story
	bed_export
}
teardown_file() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; bed_down; }
setup() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; }

alice() { ctl $BED_ALICE "$@"; }
secret() { printf '%s\n' "$1" >>"$BED/secrets"; }
fails() {		# NAME COMMAND...: its error, with the trace, is kept as NAME
	local to=$BED/log/error.$1
	shift
	! "$@" 2>"$to" >/dev/null </dev/null || { echo "did not fail: $*"; return 1; }
}

# Calls of every kind, and what they must have left: $BED/secrets, $BED/log/error.*
tell_the_story() {
	local url back gen policy=$BED/etc/policy.d/story.json
	secret "$BED_SECRET"
	secret "$BED_PIN"
	url=$(alice call vaultd.Connections.Begin '{"connector":"openid"}' | sed -n 's/.*"authorization_url": "\(.*\)",*/\1/p')
	back=$(bed_consent "$url" --print)
	echo "$back" | sed 's/.*[?&]code=\([^&]*\).*/\1/' >>"$BED/secrets"
	echo "$back" | sed 's/.*[?&]state=\([^&]*\).*/\1/' >>"$BED/secrets"
	fails stranger alice --json call vaultd.Connections.Finish \
	    "{\"state\":\"$(echo "$back" | sed 's/.*[?&]state=\([^&]*\).*/\1/' | rev)\",\"code\":\"x\"}"
	printf '%s\n' "$back" | alice call vaultd.Connections.Finish "$(echo "$back" |
	    python3 -c 'import json, sys, urllib.parse as u; print(json.dumps(dict(u.parse_qsl(u.urlsplit(sys.stdin.read().strip()).query))))')" >"$BED/log/finish"
	bed_ctl refresh-tokens '{}' | tr -d '[]"' | tr , '\n' >>"$BED/secrets"
	alice token get openid >>"$BED/secrets"
	gen=$(alice --json token get openid | sed -n 's/.*"generation": \([0-9]*\).*/\1/p')
	secret "$(alice token get openid --refused-generation "$gen")"
	bed_ctl refresh-tokens '{}' | tr -d '[]"' | tr , '\n' >>"$BED/secrets"
	secret 'pat-good/with+"other"=signs'
	tail -1 "$BED/secrets" | tr -d '\n' | alice connection create openid --auth-type pat --name 'pat "1"' --var issuer="$ISSUER" >/dev/null
	alice connection rename 'pat "1"' pat >/dev/null

	# Failed: nothing of that name; a client secret that the provider does not take.
	fails nothing alice --json token get nothing
	bed_ctl fault '{"path":"/token","kind":"status","status":401,"body":{"error":"invalid_client"}}' >/dev/null
	fails client alice --json token get openid --refused-generation $((gen + 1))

	# Denied: by policy, and by there being nothing that one may see.
	fails connector alice --json call vaultd.Connections.Create '{"connector":"github","auth_type":"pat","secrets":{"token":"pat-of-a-connector-that-is-off"}}'
	secret pat-of-a-connector-that-is-off
	if [ "$(id -u)" = 0 ]; then
		fails folder alice --json folder create shared/mine
		fails bob ctl $BED_BOB --json token get "$(bed_shown openid id)"
		fails app alice --json app list
	fi

	# Another policy from here on.
	"$BIN/vaultctl" --json policy show | sed -n 's/.*"hash": "\(.*\)",*/\1/p' >"$BED/hashes"
	sed -i 's/"subfolder_create": "deny"/"subfolder_create": "allow"/' "$policy"
	"$BIN/vaultctl" policy reload >/dev/null
	"$BIN/vaultctl" --json policy show | sed -n 's/.*"hash": "\(.*\)",*/\1/p' >>"$BED/hashes"
	for _ in $(seq 300); do alice token get pat >/dev/null; done
	alice connection delete pat >/dev/null
}

log_text() {		# as it is in the files, not as vaultctl prints it
	local f
	for f in "$BED"/state/vaultd/audit/audit-*.log; do tr -d '\0' <"$f"; done
}

@test "every line is JSON with all it must have, numbered and chained" {
	log_text >"$BED/text"
	[ "$(ls "$BED"/state/vaultd/audit/audit-*.log | wc -l)" -gt 1 ]
	python3 - "$BED" <<'P'
import datetime, hashlib, json, re, sys
bed = sys.argv[1]
def once(pairs):
    assert len({k for k, _ in pairs}) == len(pairs), f'a member stands twice: {pairs}'
    return dict(pairs)
hashes = open(f'{bed}/hashes').read().split()
assert len(set(hashes)) == 2
raw = open(f'{bed}/text', 'rb').read()
assert raw.endswith(b'\n')
prev, last, open_calls, in_force = hashlib.sha256(b'vaultd audit log, line 0').hexdigest(), '', {}, hashes[0]
events, actions = set(), set()
for i, text in enumerate(raw.split(b'\n')[:-1]):
    l = json.loads(text.decode('utf-8'), object_pairs_hook=once)
    where = f'line {i + 1}: {text.decode()}'
    assert l['seq'] == i + 1, where
    assert l['prev'] == prev, where
    prev = hashlib.sha256(text + b'\n').hexdigest()
    datetime.datetime.strptime(l['t'], '%Y-%m-%dT%H:%M:%S.%fZ')
    assert l['t'] >= last, where
    last = l['t']
    events.add(l['event'])
    actions.add(l['action'])
    if l['action'] == 'vaultd.Policy.Reload':
        in_force = hashes[1]            # its own line may have either
        assert l['policy_hash'] in hashes, where
    else:
        assert l['policy_hash'] == in_force, where
    if l['event'] == 'system':
        assert l['outcome'] == 'ok' or l['message'], where
        continue
    assert l['event'] in ('call', 'begin', 'end'), where
    assert re.fullmatch('[0-9a-f]{16}', l['trace']), where
    assert isinstance(l['uid'], int) and re.fullmatch(r'vaultd\.\w+\.\w+', l['action']), where
    if l['event'] == 'begin':
        assert 'outcome' not in l and l['trace'] not in open_calls, where
        open_calls[l['trace']] = l
    else:
        assert l['outcome'] == 'ok' or (re.fullmatch(r'vaultd\.\w+\.\w+', l['outcome']) and l['message']), where
    if l['event'] == 'end':
        b = open_calls.pop(l['trace'])
        assert all(b[k] == l[k] for k in ('uid', 'action')), where
    if l.get('outcome') == 'ok':
        assert l['decision'] == 'allow', where
    if 'decision' in l:
        assert l['decision'] in ('allow', 'deny') and l['level'], where
        file, pointer = l['rule'].split('#')
        at = json.load(open(file)) if file else {}
        for part in pointer.split('/')[1:] if file else []:
            at = at[int(part)] if isinstance(at, list) else at[part]     # the rule is there
assert not open_calls, open_calls
assert {'system', 'call', 'begin', 'end'} <= events
assert {'vaultd.Apps.Add', 'vaultd.Connections.Begin', 'vaultd.Connections.Finish', 'vaultd.Tokens.Get',
    'vaultd.Connections.Create', 'vaultd.Connections.Rename', 'vaultd.Connections.Delete',
    'vaultd.Policy.Reload', 'vaultd.start', 'refresh.begin', 'refresh.end'} <= actions, actions
P
}

line_of() {		# NAME: the line of a call that failed, by the trace that its caller was given
	local trace
	trace=$(sed -n 's/.*"trace": "\(.*\)",*/\1/p' "$BED/log/error.$1")
	[ -n "$trace" ]
	grep "\"trace\":\"$trace\"" "$BED/text" | tail -1
}
says() {		# NAME MEMBER VALUE...: of its line
	python3 - "$(line_of "$1")" "${@:2}" <<'P'
import json, sys
line, want = json.loads(sys.argv[1]), sys.argv[2:]
for member, value in zip(want[::2], want[1::2]):
    assert str(line.get(member)) == value, f'{member}: {line.get(member)}, not {value}: {line}'
P
}

@test "failed and denied calls: who, what, which rule, and why" {
	log_text >"$BED/text"
	alice=$([ "$(id -u)" = 0 ] && echo $BED_ALICE || id -u) story=$BED/etc/policy.d/story.json
	says nothing event call uid "$alice" action vaultd.Tokens.Get outcome vaultd.Vault.NotFound
	says stranger action vaultd.Connections.Finish outcome vaultd.Connections.StateInvalid
	says client event end uid "$alice" action vaultd.Tokens.Get object personal/openid decision allow \
	    outcome vaultd.Tokens.ClientAuthEncoding id "$(bed_shown openid id)"
	says connector uid "$alice" object personal/github connector github decision deny level tenant \
	    policy story rule "$story#/policies/story/connectors" outcome vaultd.Connectors.ConnectorDisabled
	[ "$(id -u)" = 0 ] || skip "only root has more than one user here"
	says folder uid $BED_ALICE action vaultd.Folders.Create object shared/mine decision deny policy story \
	    rule "$story#/policies/story/shared/folder_create" outcome vaultd.Vault.PolicyDenied
	# bob is told that there is nothing; the auditor is told what he asked for.
	says bob uid $BED_BOB action vaultd.Tokens.Get id "$(bed_shown openid id)" decision deny \
	    outcome vaultd.Vault.NotFound
	says app uid $BED_ALICE action vaultd.Apps.List decision deny outcome vaultd.Vault.PermissionDenied
}

@test "no secret is in it, in any form" {
	log_text >"$BED/text"
	[ "$(wc -l <"$BED/secrets")" -ge 8 ]
	python3 - "$BED/secrets" "$BED/text" <<'P'
import base64, json, sys, urllib.parse
text = open(sys.argv[2], 'rb').read()
for s in open(sys.argv[1]).read().split('\n'):
    if not s:
        continue
    b = s.encode()
    forms = [b, urllib.parse.quote(s, safe='').encode(), urllib.parse.unquote(s).encode(), json.dumps(s)[1:-1].encode(),
        json.dumps(s)[1:-1].replace('/', '\\/').encode(), b.hex().encode(), base64.b64encode(b).rstrip(b'='),
        base64.urlsafe_b64encode(b).rstrip(b'=')]
    for f in forms:
        assert len(f) >= 6 and f not in text, s
assert b'acme' in text and b'personal/pat' in text       # what is no secret is found
P
}

# ---- edits: each on a copy, found by the program that has nothing but the files, and the head

copy() {		# $C, its $HEAD, and the number of lines in its first file
	local i
	C=$BATS_TEST_TMPDIR/audit
	for i in $(seq 20); do		# of one moment: what vaultd does by itself has lines too
		rm -rf "$C"
		mkdir "$C"
		HEAD=$("$BIN/vaultctl" audit head)
		cp "$BED"/state/vaultd/audit/audit-*.log "$C"
		[ "$("$BIN/vaultctl" audit head)" != "$HEAD" ] || break
	done
	FIRST=$(ls "$C" | head -1) LAST=$(ls "$C" | tail -1)
	N=$(tr -d '\0' <"$C/$FIRST" | wc -l)
}
edit() {		# FILE PYTHON: of its lines L, newlines included; the file keeps its size
	python3 - "$C/$1" "$2" <<'P'
import sys
path, what = sys.argv[1:]
b = open(path, 'rb').read()
n = b.index(b'\0')
L = [l + b'\n' for l in b[:n].split(b'\n')[:-1]]
exec(what)
t = b''.join(L)
open(path, 'wb').write(t + b'\0' * (len(b) - len(t)))
P
}
verify() { "$BIN/vaultctl" audit verify "$C" "$@"; }
finds() {		# FAULT LINE [FILE]: with nothing but the files
	run verify
	[ "$status" = 1 ] && [[ $output == "$1: "*"at line $2 (${3:-$FIRST}, byte "* ]] ||
	    { echo "wanted $1 at line $2 of ${3:-$FIRST}"; echo "$output"; return 1; }
}

@test "untouched it verifies, also against the head noted elsewhere" {
	copy
	verify | grep -q '^ok'
	verify --head "$HEAD" | grep -q "^head: $HEAD"
	# What it cannot vouch for is said.
	verify | grep -q 'cannot vouch for lines behind the last one'
}

@test "one byte, wherever in a line, is found in its place" {
	copy
	cp "$C/$FIRST" "$BATS_TEST_TMPDIR/good"
	len=$(tr -d '\0' <"$C/$FIRST" | sed -n 7p | wc -c) at=$(tr -d '\0' <"$C/$FIRST" | head -6 | wc -c)
	for ((i = 0; i < len; i += 9)); do
		cp "$BATS_TEST_TMPDIR/good" "$C/$FIRST"
		edit "$FIRST" "L[6] = L[6][:$i] + bytes([L[6][$i] ^ 1]) + L[6][$i + 1:]"
		run verify
		# In the line itself when it is no line any more, else at the next, which does not fit.
		[ "$status" = 1 ] && [[ $output =~ (edited|missing|reordered|torn):\ .*\ at\ line\ [78]\ \($FIRST ]] ||
		    { echo "byte $((at + i))"; echo "$output"; return 1; }
	done
	cp "$BATS_TEST_TMPDIR/good" "$C/$FIRST"
	edit "$FIRST" 'L[6] = L[6].replace(b"\"uid\":", b"\"uid\":1")'
	finds edited 8
	cp "$BATS_TEST_TMPDIR/good" "$C/$FIRST"
	verify | grep -q '^ok'
}

@test "a line removed, put in, doubled, or moved is found in its place" {
	copy
	cp "$C/$FIRST" "$BATS_TEST_TMPDIR/good"
	again() { cp "$BATS_TEST_TMPDIR/good" "$C/$FIRST"; }
	edit "$FIRST" 'del L[9]'
	finds missing 10
	again
	edit "$FIRST" 'del L[0]'
	finds missing 2		# before the first that is left
	again
	edit "$FIRST" 'L[9], L[10] = L[10], L[9]'
	finds missing 10
	again
	edit "$FIRST" 'L.insert(10, L[9])'
	finds reordered 11
	again
	edit "$FIRST" 'L[4:4] = [L[8]]'
	finds missing 5
	# With numbers that fit, the chain does not.
	again
	edit "$FIRST" 'del L[9]
L = [l if i < 9 else l.replace(b"\"seq\":%d" % (i + 2), b"\"seq\":%d" % (i + 1), 1) for i, l in enumerate(L)]'
	finds edited 10
	again
	edit "$FIRST" 'L[2] = b"{}\n"'
	finds edited 3
}

@test "a whole file removed, or two of them exchanged, is found in its place" {
	copy
	mv "$C/$FIRST" "$BATS_TEST_TMPDIR/first"
	run verify
	[ "$status" = 1 ]
	[[ $output == "missing: the oldest segments are gone"* ]]
	copy
	[ "$(ls "$C" | wc -l)" -ge 3 ]
	second=$(ls "$C" | sed -n 2p) third=$(ls "$C" | sed -n 3p)
	rm "$C/$second"
	finds missing $((N + 1)) "$third"
	copy
	mv "$C/$second" "$C/x" && mv "$C/$third" "$C/$second" && mv "$C/x" "$C/$third"
	finds missing $((N + 1)) "$second"
}

@test "a tail cut off: mid-line by itself, whole lines by the head that was noted" {
	copy
	n=${HEAD%%:*} m=$(tr -d '\0' <"$C/$LAST" | wc -l)
	edit "$LAST" 'L[-1] = L[-1][:30]'
	finds torn "$n" "$LAST"
	copy
	edit "$LAST" 'del L[-1]'
	verify | grep -q '^ok'		# only the head can tell
	run verify --head "$HEAD"
	[ "$status" = 1 ]
	[[ $output == "truncated: the log ends at line $((n - 1)); line $n was noted"* ]]
	copy
	rm "$C/$LAST"
	run verify --head "$HEAD"
	[ "$status" = 1 ]
	[[ $output == "truncated: the log ends at line $((n - m)); line $n was noted"* ]]
	# Written anew from somewhere on, as whoever owns the files could: its head is another.
	copy
	edit "$LAST" 'L[-1] = L[-1].replace(b"\"event\":\"", b"\"event\":\"not_", 1)'
	verify | grep -q '^ok'
	run verify --head "$HEAD"
	[ "$status" = 1 ]
	[[ $output == "edited: the log differs from the head that was noted at line"* ]]
	# Text behind the end, which nobody would read.
	copy
	printf '{"seq":' | dd of="$C/$LAST" bs=1 seek=65000 conv=notrunc 2>/dev/null
	run verify
	[ "$status" = 1 ]
	[[ $output == garbage:* ]]
	# And all of it gone is no empty log.
	rm "$C"/*
	run verify
	[ "$status" = 1 ]
	[[ $output == *"holds no line"* ]]
}

@test "the running vault knows its own head: a tail cut off under it is found" {
	C=$BED/state/vaultd/audit
	[ "$("$BIN/vaultctl" audit verify | head -1 | cut -c1-2)" = ok ]
	last=$(ls "$C" | grep '^audit-' | tail -1)
	cp -p "$C/$last" "$BATS_TEST_TMPDIR/kept"
	n=$("$BIN/vaultctl" audit head | cut -d: -f1)
	edit "$last" 'del L[-1]'
	run "$BIN/vaultctl" audit verify
	dd if="$BATS_TEST_TMPDIR/kept" of="$C/$last" conv=notrunc 2>/dev/null
	[ "$status" = 1 ]
	[[ $output == "truncated: the log ends at line $((n - 1)); line $n was noted"* ]]
	"$BIN/vaultctl" audit verify | grep -q '^ok'
}

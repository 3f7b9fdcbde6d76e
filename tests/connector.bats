#!/usr/bin/env bats
# `vaultctl connector check`, which needs no vault: what is shipped is good, and of what is not it
# says file, line and column, so that an editor goes there.

setup() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	F=$BATS_TEST_TMPDIR/mine.json
	cp "$BED_ROOT/connectors/github.json" "$F"
}
check() { "$BUILD/bin/vaultctl" connector check "$@" 2>&1; }
place() {		# TEXT: line:column of it in the file, as an editor counts
	awk -v t="$1" '{ i = index($0, t); if (i) { print NR ":" i; exit } }' "$F"
}
wrong() {		# AT WORDS: exit status 1, and this said of this place
	run check "$F"
	[ "$status" = 1 ] && [[ $output == *"$F:$1: "*$2* ]] || { echo "wanted $F:$1: $2"; echo "$output"; return 1; }
}

@test "every connector that is shipped is good" {
	run check "$BED_ROOT"/connectors/*.json
	[ "$status" = 0 ]
	[ "$(grep -c ': ok: ' <<<"$output")" = "$(ls "$BED_ROOT"/connectors/*.json | wc -l)" ]
}

@test "a key that is not one: where, and which was meant" {
	sed -i 's/"token_url"/"token_ulr"/' "$F"
	wrong "$(place '"token_ulr"')" token_ulr
	[[ $output == *"did you mean 'token_url'"* ]]
}

@test "a value of another kind, and one that is not allowed" {
	sed -i 's/"version": 1/"version": "one"/' "$F"
	wrong "$(place '"one"')" 'a number'
	cp "$BED_ROOT/connectors/github.json" "$F"
	sed -i 's/"client_auth": "post"/"client_auth": "shout"/' "$F"
	wrong "$(place '"shout"')" 'basic_raw post none'
	cp "$BED_ROOT/connectors/github.json" "$F"
	sed -i 's|"token_url": "https:|"token_url": "http:|' "$F"
	wrong "$(place '"http:')" https
}

@test "a key that stands twice, and text that is no JSON" {
	sed -i 's/	"id": "github",/	"id": "github", "id": "other",/' "$F"
	run check "$F"
	[ "$status" = 1 ]
	[[ $output == *"$F:3:"*duplicate* ]]
	cp "$BED_ROOT/connectors/github.json" "$F"
	sed -i '5s/,$//' "$F"
	run check "$F"
	[ "$status" = 1 ]
	[[ $output == *"$F:6:"* ]]
	printf '{"id":"\xff"}' >"$F"
	run check "$F"
	[ "$status" = 1 ]
	[[ $output == *"$F:1:"* ]]
	: >"$F"
	run check "$F"
	[ "$status" = 1 ]
	[[ $output == *"$F"* ]]
}

@test "of several files each is told of, and one that is wrong is enough" {
	sed -i 's/"scopes_default"/"scope_default"/' "$F"
	run check "$BED_ROOT/connectors/gitlab.json" "$F" "$BED_ROOT/connectors/openid.json" "$BATS_TEST_TMPDIR/none.json"
	[ "$status" = 1 ]
	[ "$(grep -c ': ok: ' <<<"$output")" = 2 ]
	[[ $output == *"$F:$(place '"scope_default"'): "* ]]
	[[ $output == *none.json* ]]
}

@test "for programs: an array of places, empty when all is well" {
	"$BUILD/bin/vaultctl" --json connector check "$F" | python3 -c 'import json, sys; assert json.load(sys.stdin) == []'
	sed -i 's/"token_url"/"token_ulr"/' "$F"
	"$BUILD/bin/vaultctl" --json connector check "$F" >"$BATS_TEST_TMPDIR/out" && return 1
	python3 - "$BATS_TEST_TMPDIR/out" "$F" "$(place '"token_ulr"')" <<'P'
import json, sys
found = json.load(open(sys.argv[1]))
at = [(f['file'], f'{f["line"]}:{f["column"]}') for f in found]
assert (sys.argv[2], sys.argv[3]) in at, found
assert any(f.get('suggestion') == 'token_url' for f in found), found
P
}

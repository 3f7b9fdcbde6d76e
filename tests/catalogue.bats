#!/usr/bin/env bats
# The catalogue: what it holds, that editors can check it, its versions, and new files made of an
# issuer's metadata.

setup_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	export AT_TTL=300 BED_PORT=19400
	bed_prepare
	sed -i 's/"connectors": *{/"connectors": { "*": { "enabled": true }, "gitlab": { "enabled": false },/' "$BED/etc/policy.d/story.json"
	bed_start
	bed_await
	bed_export
}
teardown_file() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; bed_down; }
setup() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; }

show() { ctl $BED_ADMIN connector show "$1"; }
again() {	# the roles that read the catalogue, anew
	bed_kill vault-egress
	bed_kill vaultd
	bed_await
}
pat() { printf 'pat-good-1' | ctl $BED_ALICE connection create "$1" --auth-type pat --name "$2"; }
static_connector() {	# ID VERSION [FILE]
	printf '{"id":"%s","name":"Static","version":%s,"auth_types":["pat"],"api_base":"https://v%s.example.com"}' \
	    "$1" "$2" "$2" >"$BED/connectors/${3:-$1.json}"
	chmod 644 "$BED/connectors/${3:-$1.json}"
}
in_use() { "$BIN/vaultctl" --json connector show "$1" | python3 -c 'import json, sys
print(*(":".join(str(u[k]) for k in ("version", "apps", "connections", "kept")) for u in json.load(sys.stdin)["connector"]["in_use"]))'; }

@test "files and schema: a validator of JSON Schema finds nothing wrong, and what is wrong it finds" {
	python3 - "$BED_ROOT" <<'P'
import glob, json, os, sys
import jsonschema
root = sys.argv[1]
schema = json.load(open(root + '/docs/connector.schema.json'))
jsonschema.Draft7Validator.check_schema(schema)
v = jsonschema.Draft7Validator(schema)
files = glob.glob(root + '/connectors/*.json') + glob.glob(root + '/connectors/old/*.json')
assert len(files) > 80
for f in files:
    c = json.load(open(f))
    assert os.path.samefile(os.path.join(os.path.dirname(f), c['$schema']), root + '/docs/connector.schema.json'), f
    bad = [e.message for e in v.iter_errors(c)]
    assert not bad, (f, bad)
good = json.load(open(root + '/connectors/slack.json'))
for change in ({'tokenurl': 'https://a.example'}, {'revoke': 'shout'}, {'version': '1'},
               {'token_url': 'http://a.example'}, {'auth_types': []}, {'auth_types': ['magic']},
               {'headers': {'a b': 'c'}}, {'variables': {'a': {'suffix': 'example.com'}}}):
    assert list(v.iter_errors({**good, **change})), change
del good['id']
assert list(v.iter_errors(good))
P
}

@test "row 7: every provider is in the vault, and what nobody verified is shown" {
	ctl $BED_ADMIN --json connector list >"$BATS_TEST_TMPDIR/list"
	python3 - "$BED_ROOT" >"$BATS_TEST_TMPDIR/said" <<'P'
import glob, json, sys
for f in sorted(glob.glob(sys.argv[1] + '/connectors/*.json')):
    c = json.load(open(f))
    print('|'.join(c.get(k, '') for k in ('id', 'unverified', 'requirements')))
P
	[ "$(wc -l <"$BATS_TEST_TMPDIR/said")" -gt 80 ]
	while IFS='|' read -r id unverified todo; do
		grep -q "\"id\": *\"$id\"" "$BATS_TEST_TMPDIR/list" || { echo "no $id"; return 1; }
		"$BIN/vaultctl" connector show "$id" >"$BATS_TEST_TMPDIR/show" </dev/null
		tr -s ' \n' ' ' <"$BATS_TEST_TMPDIR/show" >"$BATS_TEST_TMPDIR/flat"
		grep -qF -- "$unverified" "$BATS_TEST_TMPDIR/flat" || { echo "$id: $unverified"; cat "$BATS_TEST_TMPDIR/show"; return 1; }
		grep -qF -- "$todo" "$BATS_TEST_TMPDIR/flat" || { echo "$id: $todo"; return 1; }
	done <"$BATS_TEST_TMPDIR/said"
}

@test "the list is for people: 80 columns, by type, by text" {
	ctl $BED_ADMIN connector list >"$BATS_TEST_TMPDIR/list"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/list")" -gt 80 ]
	# On a terminal, that is.
	script -qec "$BIN/vaultctl connector list" /dev/null </dev/null | tr -d '\r' >"$BATS_TEST_TMPDIR/terminal"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/terminal")" -gt 80 ]
	wide=$(LC_ALL=C.UTF-8 grep -E '^.{81,}' "$BATS_TEST_TMPDIR/terminal" || true)
	echo "$wide"
	[ -z "$wide" ]
	run ctl $BED_ADMIN connector list --auth-type api_key
	[[ $output == *openai* ]]
	[[ $output != *slack* ]]
	run ctl $BED_ADMIN connector list --text SALESFORCE
	[ "${#lines[@]}" = 3 ]
	run ctl $BED_ADMIN connector list --auth-type magic
	[ "$status" = 2 ]
	[[ $output == *"oauth2_code pat"* ]]
}

@test "row 7: unknown, missing and disabled are told apart; an alias is as good as the id" {
	run ctl $BED_ADMIN connector show githup
	[ "$status" = 3 ]
	[[ $output == *"there is no connector 'githup'"* ]]
	run ctl $BED_ADMIN connector show
	[ "$status" = 2 ]
	run show github-oauth-app
	echo "$output"
	[[ $output == *"github-oauth-app"* ]]
	run pat gitlab denied
	echo "$output"
	[ "$status" = 4 ]
	[[ $output == *"connector 'gitlab' is not enabled"* ]]
}

@test "row 7: what was made with a version stays with it; operators see who uses an old one" {
	static_connector openid-lite 1
	again
	pat openid-lite one
	mkdir -p "$BED/connectors/old"
	chmod 755 "$BED/connectors/old"
	mv "$BED/connectors/openid-lite.json" "$BED/connectors/old/openid-lite@1.json"
	static_connector openid-lite 2
	again
	pat openid-lite two
	echo "in use: $(in_use openid-lite)"
	[ "$(in_use openid-lite)" = '1:0:1:True 2:0:1:True' ]
	run "$BIN/vaultctl" connector show openid-lite
	[[ $output == *"version 1 (old) by 0 apps and 1 connections"* ]]
	run ctl $BED_ALICE connector show openid-lite
	[[ $output != *"in use"* ]]
	[ "$(ctl $BED_ALICE token get one)" = pat-good-1 ]
	rm "$BED/connectors/old/openid-lite@1.json"
	again
	[ "$(in_use openid-lite)" = '1:0:1:False 2:0:1:True' ]
	[ "$(ctl $BED_ALICE token get one)" = pat-good-1 ]
}

@test "row 7: a connector that is withdrawn while connections of it live is gone: not unknown, and not worth another try" {
	rm "$BED/connectors/openid-lite.json"
	again
	run ctl $BED_ALICE --json token get two
	[ "$status" = 1 ]
	[[ $output == *ConnectorGone* ]]
	[[ $output == *'"retry": false'* ]]
	run pat openid-lite three
	[ "$status" = 3 ]
	[[ $output == *"there is no connector"* ]]
	ctl $BED_ALICE connection delete two
	static_connector openid-lite 3 old/openid-lite@3.json
	again
	[ "$(ctl $BED_ALICE token get one)" = pat-good-1 ]	# what there is goes on
	run pat openid-lite three				# nothing new is made
	[ "$status" = 3 ]
}

@test "two files for one connector, or an old version that is newer, do not start" {
	cp "$BED_ROOT/connectors/slack.json" "$BATS_TEST_TMPDIR/a.json"
	mkdir "$BATS_TEST_TMPDIR/old"
	cp "$BED_ROOT/connectors/slack.json" "$BATS_TEST_TMPDIR/old/slack@1.json"
	run "$BIN/vaultctl" policy check --connectors "$BATS_TEST_TMPDIR" "$BED/etc/policy.d/story.json"
	[ "$status" = 1 ]
	[[ $output == *"not older than version 1"* ]]
}

@test "connector add: a file made of an issuer's metadata, which works" {
	run ctl $BED_ALICE connector add --issuer "$ISSUER"
	echo "$output"
	[ "$status" = 4 ]
	run "$BIN/vaultctl" connector add
	[ "$status" = 2 ]
	"$BIN/vaultctl" connector add --issuer "$ISSUER" --id acme-id --name 'Acme ID' --output "$BATS_TEST_TMPDIR/acme.json"
	run "$BIN/vaultctl" connector check "$BATS_TEST_TMPDIR/acme.json"
	[ "$status" = 0 ]
	[[ $output == *"ok: acme-id, version 1; unverified: "* ]]
	grep -q "\"token_url\": \"$ISSUER/token\"" "$BATS_TEST_TMPDIR/acme.json"
	python3 - "$BED_ROOT/docs/connector.schema.json" "$BATS_TEST_TMPDIR/acme.json" <<'P'
import json, jsonschema, sys
jsonschema.validate(json.load(open(sys.argv[2])), json.load(open(sys.argv[1])))
P
	run "$BIN/vaultctl" connector add --issuer "$ISSUER" --output "$BATS_TEST_TMPDIR/acme.json"
	[ "$status" = 1 ]	# never over a file that is there
	[[ $output == *exists* ]]
	"$BIN/vaultctl" connector add --issuer "$ISSUER" | grep -q '"id": "127-0-0-1'
}

@test "connector add: an issuer that names itself otherwise, none, and none that is https" {
	run "$BIN/vaultctl" connector add --issuer "$ISSUER/"
	echo "$output"
	[ "$status" != 0 ]
	[[ $output == *"names issuer '$ISSUER'"* ]]
	run "$BIN/vaultctl" connector add --issuer "$ISSUER/nothing/here"
	echo "$status $output"
	[ "$status" != 0 ]
	[[ $output == *404* ]]
	run "$BIN/vaultctl" connector add --issuer "http://${ISSUER#https://}"
	[ "$status" = 2 ]
	[[ $output == *"plain https URL"* ]]
	run "$BIN/vaultctl" connector add --issuer https://10.11.12.13
	[ "$status" != 0 ]
	[[ $output == *"not allowed"* ]]
}

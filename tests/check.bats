#!/usr/bin/env bats
# vaultctl policy check and connector check: files alone, no vault.

setup() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	cd "$BATS_TEST_TMPDIR"
	CTL=$BUILD/bin/vaultctl CATALOGUE=$BED_ROOT/connectors
}

good() { printf '{"policies": {"a": {"connectors": {"github": {"enabled": true}}}}, "assign": {"tenant": "a"}}\n'; }
member() { python3 -c 'import json,sys; print(json.load(sys.stdin)[int(sys.argv[1])][sys.argv[2]])' "$@"; }

@test "every file that is wrong is told, each with its place" {
	printf '{\n  "polices": {}\n}\n' >one.json
	printf '{ "assign": { "tenant": "x" } , }\n' >two.json
	good >three.json
	run "$CTL" policy check --connectors "$CATALOGUE" one.json two.json three.json four.json
	[ "$status" = 1 ]
	[[ $output == *"one.json:2:3: unknown key 'polices'; did you mean 'policies'?"* ]]
	[[ $output == *"two.json:1:33: "* ]]
	[[ $output == *"four.json: No such file or directory"* ]]
	[[ $output != *"three.json"* ]]
}

@test "what a bad file may have defined is not held against the others" {
	printf '{ "policies": \n' >bad.json
	printf '{ "assign": { "tenant": "x" } }\n' >refers.json
	run "$CTL" policy check --connectors "$CATALOGUE" bad.json refers.json
	[ "$status" = 1 ]
	[[ $output != *refers.json* ]]
	run "$CTL" policy check --connectors "$CATALOGUE" refers.json
	[ "$status" = 1 ]
	[[ $output == *"refers.json:1:25: expected the name of a policy"* ]]
}

@test "as JSON: an array on standard output, empty when all is well" {
	good | sed 's/github/githup/; s/true/1/' >bad.json
	good >good.json
	out=$("$CTL" --json policy check --connectors "$CATALOGUE" bad.json) && false
	[ "$(member 0 file <<<"$out")" = bad.json ]
	[ "$(member 0 line <<<"$out")" = 1 ]
	[ "$(member 0 column <<<"$out")" = 36 ]
	[ "$(member 0 suggestion <<<"$out")" = github ]
	[ "$(member 1 message <<<"$out")" = 'expected true or false' ]
	[ "$(member 1 suggestion <<<"$out")" = None ]
	out=$("$CTL" --json policy check --connectors "$CATALOGUE" good.json)
	[ "$out" = '[]' ]
	printf '{\n"id": "x",\n"nmae": "y" }\n' >c.json
	out=$("$CTL" --json connector check "$CATALOGUE/github.json" c.json) && false
	[ "$(member 0 file <<<"$out")" = c.json ]
	[ "$(member 0 line <<<"$out")" = 3 ]
	[ "$(member 0 suggestion <<<"$out")" = name ]
	[ "$("$CTL" --json connector check "$CATALOGUE"/*.json)" = '[]' ]
}

@test "what fails no set is a warning" {
	printf '{"policies": {"a": {}, "b": {}}, "assign": {"tenant": "a"}}\n' >one.json
	run "$CTL" policy check --connectors "$CATALOGUE" one.json
	[ "$status" = 0 ]
	[[ $output == *"warning: one.json:1:29: nobody is assigned policy 'b'"* ]]
	printf '{"policies": {"a": {}}}\n' >one.json
	run "$CTL" policy check --connectors "$CATALOGUE" one.json
	[ "$status" = 0 ]
	[[ $output == *"warning: no file says in "* ]]
}

@test "names of connectors are checked against a catalogue, or it is said that they were not" {
	good | sed 's/github/githup/' >bad.json
	run "$CTL" policy check --connectors "$CATALOGUE" bad.json
	[ "$status" = 1 ]
	[[ $output == *"there is no connector 'githup'; did you mean 'github'?"* ]]
	run "$CTL" policy check --connectors "$BATS_TEST_TMPDIR/none" bad.json
	[ "$status" = 1 ]
	[[ $output == *"--connectors"* ]]
	[ ! -e /usr/share/vaultd/connectors ] || return 0
	run "$CTL" policy check bad.json
	[ "$status" = 0 ]
	[[ $output == *"names of connectors were not checked"* ]]
}

@test "a hopeless file is told in part, and soon" {
	python3 -c 'import json; print(json.dumps({"grants": [{"role": "nobody", "to": []}] * 120000}))' >big.json
	run timeout 120 "$CTL" policy check --connectors "$CATALOGUE" big.json
	[ "$status" = 1 ]
	[ "$(grep -c '^big.json:1:' <<<"$output")" = 100 ]
	[[ $output == *"only the first 100 are shown"* ]]
}

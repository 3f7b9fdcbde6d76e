#!/usr/bin/env bats
# The documents say what the code has: verbs, errors, commands, options, keys.

setup() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; cd "$BED_ROOT"; }

@test "every verb is in the IDL, and every method of the IDL is a verb" {
	diff <(sed -n 's/.*\.method = "\(.*\)",/\1/p' vaultd/*.c | grep -v '^org.varlink\|^unknown' | sort) \
	    <(for f in docs/*.varlink; do sed -n "s/^method \([A-Za-z]*\)(.*/$(basename "$f" .varlink).\1/p" "$f"; done | sort)
}
@test "every named error is in the IDL" {
	for name in $(grep -o '\(VAULT\|CONNS\|TOKEN\) "[A-Za-z]*"\|"vaultd\.[A-Za-z]*\.[A-Za-z]*"' common/errors.c |
	    sed 's/VAULT "/vaultd.Vault./; s/CONNS "/vaultd.Connections./; s/TOKEN "/vaultd.Tokens./; s/"//g' | grep -v '\.$' | sort -u); do
		grep -q "^error ${name##*.} " "docs/${name%.*}.varlink" || { echo "$name"; return 1; }
	done
}
@test "every command and option of vaultctl is in its manual" {
	"$BUILD/bin/vaultctl" --help | sed -n 's/^  \([a-z][a-z -]*[a-z]\)   .*/\1/p' >"$BATS_TEST_TMPDIR/commands"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/commands")" -gt 30 ]
	while read -r c; do
		grep -qE "^\.It Cm ${c// / (Cm )?}" docs/man/vaultctl.1 || { echo "command $c"; return 1; }
		for o in $("$BUILD/bin/vaultctl" $c --help | grep -o -- '--[a-z-]*' | sort -u); do
			grep -q -- "Fl -${o#--}" docs/man/vaultctl.1 || { echo "option $o of $c"; return 1; }
		done
	done <"$BATS_TEST_TMPDIR/commands"
}
@test "every configuration key is in vaultd.conf(5)" {
	for r in vaultd vault-egress vault-launch vault-hsm; do
		for k in $("$BUILD/bin/$r" -h | sed -n 's/^#\{0,1\}\([a-z_]*\) = .*/\1/p'); do
			grep -q "^\.It Ic $k" docs/man/vaultd.conf.5 || { echo "$r: $k"; return 1; }
		done
	done
}
@test "every key of connector and policy files is in its manual" {
	for k in $(sed -n 's/^	{ "\([a-z_0-9]*\)", K_.*/\1/p' connectors/keys.c); do
		grep -qE "^\.It Ic $k( |\$)" docs/man/vault-connector.5 || { echo "$k"; return 1; }
	done
	for k in $(grep -o 'keys\[\] = {[^}]*}' <(cat policy/load*.c | tr -d '\n') | grep -o '"[a-z_]*"' | tr -d '"' | sort -u); do
		grep -qE "^\.(It )?Ic $k( |\$)" docs/man/vault-policy.5 || { echo "$k"; return 1; }
	done
	for a in $(grep -o '"[a-z]*\.[a-z_]*"' policy/roles.c | tr -d '"'); do
		grep -qwF "$a" docs/man/vault-policy.5 || { echo "$a"; return 1; }
	done
}
@test "the schemas have the keys of connector and policy files, and no other" {
	diff <(sed -n 's/^	{ "\([a-z_0-9]*\)", K_.*/\1/p' connectors/keys.c | sort) \
	    <(python3 -c 'import json; print("\n".join(k for k in json.load(open("docs/connector.schema.json"))["properties"] if k[0] != "$"))' | sort)
	for k in $(grep -o 'keys\[\] = {[^}]*}' <(cat policy/load*.c | tr -d '\n') | grep -o '"[a-z_]*"' | tr -d '"' | sort -u); do
		grep -q "\"$k\": {" docs/policy.schema.json || { echo "$k"; return 1; }
	done
	for f in connectors/*.json policy/examples/*.json; do
		s=$(sed -n 's/.*"$schema": "\(.*\)".*/\1/p' "$f")
		[ -s "$(dirname "$f")/$s" ] || { echo "$f: $s"; return 1; }
	done
}
@test "every option and command of the roles is in its manual" {
	for r in vaultd vault-hsm vault-egress vault-launch; do
		for o in $("$BUILD/bin/$r" -h | sed '/^$/q' | grep -o '[[ |]-[a-zA-Z]\b' | tr -dc 'a-zA-Z\n' | sort -u); do
			grep -qE "^\.It Fl $o( |\$)" docs/man/$r.8 || { echo "$r -$o"; return 1; }
		done
	done
	for c in 'key init' 'key status' 'pin try' 'pair list' 'pair destroy'; do
		"$BUILD/bin/vault-hsm" -h | grep -q "$c"
		grep -q "^\.It Cm $c" docs/man/vault-hsm.8
	done
}
@test "the manual pages are well formed" {
	mandoc -Tlint -W warning docs/man/*
	for p in vaultd.8 vault-hsm.8 vault-egress.8 vault-launch.8 vaultctl.1 libvaultd.3 vaultd.conf.5 vault-policy.5 vault-connector.5; do
		[ -s "docs/man/$p" ]
	done
}
@test "every public function is in libvaultd(3)" {
	for f in $(grep -o '	vaultd_[a-z_]*' client/libvaultd.map); do
		grep -q "Fn $f\|Nm $f\|Fo $f" docs/man/libvaultd.3 || { echo "$f"; return 1; }
	done
}
@test "the project speaks of itself alone" {
	git ls-files | xargs grep -nE '/work/|registry\.npmjs|deb\.debian\.org|shared/design' -- | not grep -v '^tests/docs.bats'
}

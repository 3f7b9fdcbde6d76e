#!/usr/bin/env bats
# After the story no grant secret is anywhere: not in a file of the vault, not in a log, an
# audit line, an environment, or the memory of the live vaultd - while planted controls are
# found by the same searches.

setup_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	# memfd_secret cannot be read even by root: the scan needs pages it could see.
	export AT_TTL=300 BED_PORT=19077 BED_VAULTD='secret_mlock_only = yes' \
	    BED_HSM='secret_mlock_only = yes' BED_EGRESS='secret_mlock_only = yes'
	bed_up
	bed_app
	bed_connect $BED_ALICE
	gen=$(ctl $BED_ALICE --json token get openid | sed -n 's/.*"generation": \([0-9]*\).*/\1/p')
	ctl $BED_ALICE token get openid --refused-generation "$gen" >/dev/null
	printf 'pat-good-c0ntr0l-secret' | ctl $BED_ALICE connection create openid --auth-type pat --name pat \
	    --var issuer="$ISSUER" >/dev/null
	bed_export
}
teardown_file() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; bed_down; }
setup() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; }

# The provider's refresh tokens (its opaque ids), as it knows them.
refresh_tokens() { bed_ctl refresh-tokens '{}' | tr -d '[]"' | tr , '\n'; }

@test "no file of the vault, and no log, holds a secret in any form" {
	{ echo "$BED_SECRET"; echo "$BED_PIN"; echo pat-good-c0ntr0l-secret; refresh_tokens; } >"$BED/needles"
	[ "$(wc -l <"$BED/needles")" -ge 4 ]
	mkdir -p "$BED/haystack"
	[ "$(id -u)" != 0 ] || "$BIN/vaultctl" backup secrets >/dev/null
	cp "$BED"/log/* "$BED/haystack/"
	rm "$BED/haystack/provider" "$BED/haystack/browser"	# the other side's
	cp -r "$BED"/state/vaultd "$BED"/state/vault-egress "$BED"/state/vault-hsm "$BED/haystack/"
	python3 - "$BED/needles" "$BED/haystack" <<'P'
import base64, json, os, sys, urllib.parse
def forms(s):
    b = s.encode()
    yield b
    yield urllib.parse.quote(s, safe='').encode()
    yield json.dumps(s)[1:-1].encode()
    for e in (base64.b64encode, base64.urlsafe_b64encode):
        for shift in range(3):
            t = e(b'\0' * shift + b).rstrip(b'=')
            yield t[shift + 1 if shift else 0:-1]
needles = [f for s in open(sys.argv[1]).read().split() for f in forms(s) if len(f) >= 6]
files = 0
for top, _, names in os.walk(sys.argv[2]):
    for n in names:
        data = open(os.path.join(top, n), 'rb').read()
        files += 1
        for x in needles:
            assert x not in data, f'a secret is in {os.path.join(top, n)}'
assert files > 8
control = 'acme-vault'.encode()          # the client id is no secret: the search sees it
assert any(control in open(os.path.join(t, n), 'rb').read() for t, _, ns in os.walk(sys.argv[2]) for n in ns)
P
}

@test "the memory of vaultd holds no grant secret, and a planted control is found" {
	[ "$(id -u)" = 0 ] || skip "only root may read another process's memory"
	ctl $BED_ALICE token get pat >/dev/null
	{ echo "$BED_SECRET"; echo "$BED_PIN"; echo pat-good-c0ntr0l-secret; refresh_tokens; } >"$BED/needles"
	run "$BUILD/tests/memscan" "$(bed_pid vaultd)" <"$BED/needles"
	echo "$output"
	[ "$status" = 0 ]
	printf 'vaultd.Tokens.Get\n' | "$BUILD/tests/memscan" "$(bed_pid vaultd)" | grep -q 'found 1 raw'
	"$BUILD/tests/memscan" -p "$(bed_pid vaultd)"	# in the arena and in the heap
}

@test "no secret is in an environment or a command line" {
	[ "$(id -u)" = 0 ] || skip "only root may read the environment of a role"
	for role in vaultd vault-hsm vault-egress; do
		for f in environ cmdline; do
			tr '\0' '\n' <"/proc/$(bed_pid $role)/$f" >"$BED/seen"
			[ -s "$BED/seen" ] || [ $f = environ ]
			run grep -cF -e "$BED_SECRET" -e "$BED_PIN" "$BED/seen"
			[ "$output" = 0 ]
		done
	done
}

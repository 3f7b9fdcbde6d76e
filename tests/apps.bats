#!/usr/bin/env bats
# OAuth apps of the organisation's own: what they say of themselves, and secrets that are replaced
# without a gap.

setup_file() {
	[ "$(id -u)" = 0 ] || return 0
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	export AT_TTL=300 BED_PORT=19461
	bed_up
	bed_app
	bed_connect $BED_ALICE
	bed_export
}
teardown_file() {
	[ "$(id -u)" = 0 ] || return 0
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	bed_down
}
setup() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	[ "$(id -u)" = 0 ] || skip "only root has more than one user here"
	BED_PORT=19461
}

admin() { ctl $BED_ADMIN "$@"; }
alice() { ctl $BED_ALICE "$@"; }
refused() {	# STATUS PATTERN COMMAND...
	local want=$1 pattern=$2
	shift 2
	run "$@"
	[ "$status" = "$want" ] || { echo "status $status: $output"; return 1; }
	[[ "$output" == *$pattern* ]] || { echo "$output"; return 1; }
}
of_app() { admin --json app show "${2:-acme}" | sed -n "s/^    \"$1\": \"*\([^\",]*\)\"*,*$/\1/p"; }
at_provider() {	# SECRET: what the provider takes from now on
	bed_client acme-vault "$1" "$(of_app redirect_uri)"
}
renew() {	# the next token is a new one
	local gen
	gen=$(alice --json token get openid | sed -n 's/.*"generation": \([0-9]*\).*/\1/p')
	alice token get openid --refused-generation "$gen"
}

@test "row 35: an app names who answers for it and what it is for" {
	refused 2 "--owner and --purpose are required" admin app add x openid --client-id x --public
	run admin --json call vaultd.Apps.Add '{"name":"x","connector":"openid","client_id":"x","owner":"","purpose":"p"}'
	[[ $output == *InvalidParameter* ]]
	admin app edit acme --owner "team two"
	[ "$(of_app owner)" = "team two" ]
	run admin --json call vaultd.Apps.Edit '{"app":"acme","purpose":""}'
	[[ $output == *InvalidParameter* ]]
}

@test "row 31: several connections share an app, which says how many" {
	[ "$(of_app connections)" = 1 ]
	bed_connect $BED_BOB
	[ "$(of_app connections)" = 2 ]
	refused 1 "connections use OAuth app 'acme'" admin app delete acme
}

@test "row 30, row 33: an app is edited at the revision that was seen; client id and connector never change" {
	run admin --json call vaultd.Apps.Edit '{"app":"acme","client_id":"other"}'
	[[ $output == *vaultd.Connections.Immutable* ]]
	run admin --json call vaultd.Apps.Edit '{"app":"acme","connector":"github"}'
	[[ $output == *vaultd.Connections.Immutable* ]]
	rev=$(of_app revision)
	admin app edit acme --rotate-by 2099-01-31 --revision "$rev"
	refused 6 "changed since revision $rev" admin app edit acme --name other --revision "$rev"
	admin app edit acme --name acme2
	[ "$(of_app name acme2)" = acme2 ]
	refused 3 "no OAuth app 'acme'" admin app show acme
	admin app edit acme2 --name acme
	admin --json app show acme | not grep -qF "$BED_SECRET"
}

@test "row 34: a new secret is staged, tried, promoted; the old one is kept until it is retired" {
	refused 6 "no staged secret" admin app promote acme
	printf 'new-secret-1\n' | admin app stage-secret acme
	renew >/dev/null			# by the old one still
	refused 1 "refused it: invalid_client" admin app test-secret acme
	refused 6 "refused the staged secret" admin app promote acme
	at_provider new-secret-1
	run admin app test-secret acme
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *"the provider took it: it said invalid_request, and invalid_client to a wrong one"* ]]
	admin app promote acme
	bed_works "$(renew)"
	admin app show acme | grep -q "^secret 1, previous, ends in [67] d"
	printf 'x\n' | refused 1 "is kept still: retire it first" admin app stage-secret acme
	admin app retire acme
	admin app show acme | not grep -q previous
	bed_works "$(renew)"
	refused 6 "no second secret" admin app retire acme
}

@test "row 34: a promoted secret that the provider refuses after all gives way to the one before" {
	printf 'never-good\n' | admin app stage-secret acme
	admin app promote acme			# not tried
	run renew
	bed_within 10 bed_works_now
	admin app show acme | grep -q "^secret [0-9]*, staged"
	[ "$(of_app problem)" = null ]
	admin app retire acme
}
bed_works_now() { bed_works "$(renew)"; }

@test "what the provider has against the app is said of the app, and a new secret starts its connections again" {
	at_provider changed-at-the-provider
	run renew
	[ "$status" != 0 ]
	[ "$(of_app problem)" = vaultd.Tokens.ClientSecretWrong ]
	[ "$(bed_shown openid state)" = degraded ]
	alice token get openid >/dev/null	# what lives is served
	printf 'changed-at-the-provider\n' | admin app set-secret acme
	[ "$(of_app problem)" = null ]
	bed_within 15 connected
	bed_works "$(renew)"
}
connected() { [ "$(bed_shown openid state)" = connected ]; }

@test "app.rotate is a permission of its own" {
	refused 4 "app.rotate" alice app stage-secret acme --secret-file /dev/null || refused 4 "app.rotate" alice app retire acme
}

@test "the end of the overlap forgets the previous secret by itself" {
	printf 'changed-at-the-provider\n' | admin app stage-secret acme
	admin --json call vaultd.Apps.Promote '{"app":"acme","overlap":2}' >/dev/null
	bed_within 15 no_previous
	bed_works "$(renew)"
}
no_previous() { ! admin app show acme | grep -q previous; }

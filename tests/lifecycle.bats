#!/usr/bin/env bats
# What becomes of a connection: disabled and enabled, edited, moved, listed, deleted.

setup_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	export AT_TTL=300 BED_PORT=19450
	bed_prepare
	policy
	bed_start
	bed_await
	bed_app
	bed_connect $BED_ALICE
	ctl $BED_ADMIN folder create shared/team
	bed_connect $BED_BOB --folder shared/team --name common
	bed_export
}
# Bob keeps the shared folders; Alice uses what is in them.
policy() {
	bed_example_policy
	sed -i "s/\"grants\": \[/&\n    { \"role\": \"folder-admin\", \"to\": [\"$(bed_subject $BED_BOB)\"], \"folder\": \"shared\/**\" },\n    { \"role\": \"auditor\", \"to\": [\"$(bed_subject $BED_AUDITOR)\"] },/" \
	    "$BED/etc/policy.d/story.json"
	# The carrier sees shared/team and may move what is there, and the guest sees shared/ops alone.
	sed -i "s/\"to\": \[\"everyone\"\], \"folder\": \"shared\/\*\*\"/\"to\": [\"$(bed_subject $BED_ALICE)\", \"$(bed_subject $BED_BOB)\"], \"folder\": \"shared\/**\" },\n    { \"role\": \"carrier\", \"to\": [\"$(bed_subject $BED_CARRIER)\"], \"folder\": \"shared\/team\" },\n    { \"role\": \"automation-user\", \"to\": [\"$(bed_subject $BED_GUEST)\"], \"folder\": \"shared\/ops\"/; s/^  \"grants\"/  \"roles\": { \"carrier\": [\"conn.view\", \"folder.view\", \"conn.move\"] },\n&/" \
	    "$BED/etc/policy.d/story.json"
}
BED_AUDITOR=4703 BED_CARRIER=4704 BED_GUEST=4705
teardown_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	BIN=$BED/bin
	bed_down
}
setup() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; BED_PORT=19450; }

root_only() { [ "$(id -u)" = 0 ] || skip "only root has more than one user here"; }
token() { ctl "${1:-$BED_ALICE}" token get "${2:-openid}"; }
refused() {	# STATUS PATTERN COMMAND...
	local want=$1 pattern=$2
	shift 2
	run "$@"
	[ "$status" = "$want" ] || { echo "status $status: $output"; return 1; }
	[[ "$output" == *$pattern* ]] || { echo "$output"; return 1; }
}
shows() { ctl $BED_ALICE connection show "$1" | grep -qE "$2"; }	# CONNECTION PATTERN

@test "row 45: a disabled connection gives no token, says why, and goes on when enabled" {
	before=$(token)
	bed_works "$before"
	ctl $BED_ALICE connection disable openid --note 'seen in a log' >/dev/null
	refused 4 "ConnectionDisabled" ctl $BED_ALICE --json token get openid
	refused 4 "seen in a log" ctl $BED_ALICE token get openid
	shows openid '^state +disabled$'
	shows openid '^when enabled +connected$'
	shows openid '^note +seen in a log$'
	ctl $BED_ALICE connection disable openid >/dev/null	# twice is once
	shows openid '^note +seen in a log$'
	ctl $BED_ALICE connection enable openid >/dev/null
	shows openid '^state +connected$'
	bed_works "$(token)"
	[ "$(token)" = "$before" ]
}

@test "row 45: only who may conn.disable disables" {
	root_only
	refused 4 "conn.disable" ctl $BED_ALICE connection disable shared/team/common
	bed_works "$(token $BED_ALICE shared/team/common)"
	ctl $BED_BOB connection disable shared/team/common >/dev/null
	refused 4 "is disabled" token $BED_ALICE shared/team/common
	ctl $BED_BOB connection enable shared/team/common >/dev/null
	bed_works "$(token $BED_ALICE shared/team/common)"
}

@test "row 44: bindings hold a connection, and cascade takes them with it" {
	bed_connect $BED_BOB --folder shared/team --name bound
	ctl $BED_BOB binding create payroll/ledger --folder shared/team --connection shared/team/bound >/dev/null
	refused 1 "1 binding of programs leads to 'bound'" ctl $BED_BOB connection delete shared/team/bound
	bed_works "$(token $BED_ALICE shared/team/bound)"
	ctl $BED_BOB connection delete shared/team/bound --cascade
	refused 3 "that you may see" ctl $BED_BOB connection show shared/team/bound
	ctl $BED_BOB binding delete payroll/ledger
}

of() { ctl $BED_ALICE --json connection show "$1" | sed -n "s/.*\"$2\": \(.*[^,]\),*$/\1/p" | head -1; }	# CONNECTION MEMBER

@test "row 2: a connection shows all its fields" {
	token >/dev/null
	for member in id name folder connector connector_version auth_type app byoa state summary owner \
	    account is_default api_base description account_class scope scope_requested scope_gap \
	    secret_version key_label check_interval last_checked check_cause last_used created updated \
	    last_refresh_ok cause revision; do
		ctl $BED_ALICE --json connection show openid | grep -q "\"$member\":"
	done
	[ "$(of openid last_used)" -gt 0 ]
	[ "$(of openid secret_version)" -gt 0 ]
	[ "$(of openid check_interval)" = 60 ]
	[ "$(of openid scope_gap)" = "[]" ]
	ctl $BED_ALICE connection show openid | awk 'length > 100 { exit 1 }'
}

@test "row 2: when a connection was last used survives a restart" {
	token >/dev/null
	used=$(of openid last_used)
	kill "$(bed_pid vaultd)"
	sleep 0.5
	bed_await
	[ "$(of openid last_used)" = "$used" ]
}

@test "rows 42, 47, 64, Q12: editing, with what may not be said" {
	ctl $BED_ALICE connection edit openid --description 'for the tests' --check-interval 15 \
	    --account-class service >/dev/null
	[ "$(of openid description)" = '"for the tests"' ]
	[ "$(of openid check_interval)" = 15 ]
	[ "$(of openid account_class)" = '"service"' ]
	for minutes in 4 1441; do
		refused 2 "5 to 1440 minutes" ctl $BED_ALICE connection edit openid --check-interval $minutes
	done
	[ "$(of openid check_interval)" = 15 ]
	ctl $BED_ALICE connection edit openid --check-interval default >/dev/null
	[ "$(of openid check_interval)" = 60 ]
	[ "$(of openid description)" = '"for the tests"' ]
	refused 2 "personal, service or unknown" ctl $BED_ALICE connection edit openid --account-class nobody
}

@test "row 42: who edits what somebody else changed meanwhile is told" {
	revision=$(of openid revision)
	ctl $BED_ALICE connection edit openid --description one --revision "$revision" >/dev/null
	refused 6 "changed since revision $revision" \
	    ctl $BED_ALICE connection edit openid --description two --revision "$revision"
	[ "$(of openid description)" = '"one"' ]
}

@test "row 15: the authentication type never changes" {
	refused 2 "Immutable" ctl $BED_ALICE --json call vaultd.Connections.Edit \
	    '{"connection":"openid","auth_type":"pat"}'
	refused 2 "Immutable" ctl $BED_ALICE --json call vaultd.Connections.Edit \
	    '{"connection":"openid","connector":"github"}'
	ctl $BED_ALICE --json call vaultd.Connections.Edit \
	    '{"connection":"openid","auth_type":"oauth2_code"}' >/dev/null
}

@test "row 27: names are unique where they are" {
	bed_connect $BED_ALICE --name second
	refused 1 "already in personal" ctl $BED_ALICE connection edit second --name openid
	ctl $BED_ALICE connection edit second --name third >/dev/null
	refused 3 "that you may see" ctl $BED_ALICE connection show second
	ctl $BED_ALICE connection delete third >/dev/null
}

@test "row 49, Q13: moving needs the rights of both sides, and nobody shares a person's account" {
	root_only
	ctl $BED_ADMIN folder create shared/ops
	id=$(of shared/team/common id)
	bed_works "$(token $BED_ALICE shared/team/common)"
	refused 4 "conn.move" ctl $BED_ALICE connection move shared/team/common shared/ops
	refused 4 "everybody there would act as its account" ctl $BED_ALICE connection move openid shared/team
	refused 3 "no folder" ctl $BED_BOB connection move shared/team/common shared/none
	ctl $BED_BOB connection move shared/team/common shared/ops --name moved >/dev/null
	refused 3 "that you may see" ctl $BED_ALICE connection show shared/team/common
	[ "$(of shared/ops/moved id)" = "$id" ]
	bed_works "$(token $BED_ALICE shared/ops/moved)"
	bed_connect $BED_BOB --folder shared/team --name moved
	refused 1 "already in shared/team" ctl $BED_BOB connection move shared/ops/moved shared/team
	ctl $BED_BOB connection delete shared/team/moved >/dev/null
	ctl $BED_BOB connection move shared/ops/moved shared/team --name common >/dev/null
	[ "$(of shared/team/common id)" = "$id" ]
}

@test "row 49: who may move it and not use it does not get the use of it by moving it home" {
	root_only
	bed_connect $BED_CARRIER --name own		# there is a workspace
	run ctl $BED_CARRIER token get shared/team/common
	[ "$status" = 4 ]
	refused 4 "needs conn.use" ctl $BED_CARRIER connection move shared/team/common personal
	bed_works "$(token $BED_ALICE shared/team/common)"
}

@test "rows 49, 54: moved, it keeps its name; where it lay before is told to nobody who may not see that" {
	root_only
	ctl $BED_BOB connection move shared/team/common shared/ops >/dev/null
	events() { bed_uid "$1" python3 "$BED_ROOT/tests/lib/events.py" '{"types":["moved"]}'; }
	events $BED_GUEST | grep -q shared/ops/common
	[ "$(events $BED_GUEST | grep -c shared/team)" = 0 ]
	events $BED_ALICE | grep -q '"was": *"shared/team"'
	ctl $BED_BOB connection move shared/ops/common shared/team >/dev/null
	[[ $(of shared/team/common state) == *connected* ]]
}

@test "rows 38, 36: lists are filtered, and filters that contradict each other refused" {
	names() { ctl $BED_ALICE --json connection list "$@" | sed -n 's/.*"path": "\(.*\)",*/\1/p' | sort | tr '\n' ' '; }
	printf 'pat-good-list' | ctl $BED_ALICE connection create openid --auth-type pat --name list-pat --var issuer="$ISSUER" >/dev/null
	[ "$(names --folder personal)" = "personal/list-pat personal/openid " ]
	[ "$(names --folder personal --byoa)" = "personal/openid " ]
	[ "$(names --folder personal --no-byoa)" = "personal/list-pat " ]
	[ "$(names --folder personal --auth-type pat)" = "personal/list-pat " ]
	[ "$(names --folder personal --connector github)" = "" ]
	ctl $BED_ALICE connection disable list-pat >/dev/null
	[ "$(names --folder personal --state disabled)" = "personal/list-pat " ]
	[ "$(names --all --account-class service)" = "personal/openid " ]
	refused 2 "say one of them" ctl $BED_ALICE connection list --folder personal --all
	refused 2 "no connection has such a state" ctl $BED_ALICE connection list --state broken
	ctl $BED_ALICE connection delete list-pat >/dev/null
}

@test "row 38: pages hold every connection once" {
	for n in a b c d e; do
		printf 'pat-good-page' | ctl $BED_ALICE connection create openid --auth-type pat --name page-$n --var issuer="$ISSUER" >/dev/null
	done
	everything=$(ctl $BED_ALICE --json connection list | sed -n 's/.*"path": "\(.*\)",*/\1/p')
	[ "$(bed_pages $BED_ALICE vaultd.Connections.List 2 path)" = "$everything" ]
	# One call looks at four times its limit at most: what a filter leaves out costs pages, too.
	[ "$(bed_pages $BED_ALICE vaultd.Connections.List 1 path '"auth_type":"pat"' | grep -c /page-)" = 5 ]
	ctl $BED_ALICE --json call vaultd.Connections.List '{"limit":1,"connector":"none"}' >"$BED/log/page"
	not grep -q '"path"' "$BED/log/page"
	grep -q '"next"' "$BED/log/page"
	refused 2 "of the page before" ctl $BED_ALICE --json call vaultd.Connections.List '{"after":"x"}'
	refused 2 "begin again" ctl $BED_ALICE --json call vaultd.Connections.List '{"after":"0123456789abcdef0123456789abcdef:x"}'
	for n in a b c d e; do ctl $BED_ALICE connection delete page-$n >/dev/null; done
}

@test "row 39: an export has all of them, for auditors alone, and nothing secret" {
	root_only
	t=$(token)
	ctl $BED_AUDITOR connection export >"$BED/log/export"
	[ "$(grep -c '"name":"openid"' "$BED/log/export")" = 1 ]
	[ "$(grep -c '"name":"common"' "$BED/log/export")" = 1 ]
	not grep -qF "$t" "$BED/log/export"
	not grep -qF "$BED_SECRET" "$BED/log/export"
	refused 4 "conn.export" ctl $BED_ALICE connection export
}

@test "row 49: a move into one's own workspace makes that, and takes the old folder's default away" {
	root_only
	id=$(of shared/team/common id | tr -d '"')
	ctl $BED_BOB connection set-default shared/team/common >/dev/null
	[ "$(of shared/team/common is_default)" = true ]
	ctl $BED_BOB connection move shared/team/common personal >/dev/null
	ctl $BED_BOB connection show common | grep -q "$id"
	ctl $BED_BOB --json connection show common | grep -q '"is_default": false'
	bed_works "$(token $BED_BOB common)"
	refused 3 "that you may see" ctl $BED_ALICE connection show "$id"
	bed_connect $BED_BOB --folder shared/team --name common
	[ "$(of shared/team/common is_default)" = false ]
}

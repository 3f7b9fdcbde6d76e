#!/usr/bin/env bats
# Bindings and defaults: which connection a program gets, and why.

setup_file() {
	[ "$(id -u)" = 0 ] || return 0
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	export AT_TTL=300 BED_PORT=19460
	bed_prepare
	rm "$BED/etc/policy.d/story.json"
	bed_policy bindings <<P
{ "policies": { "p": { "shared": { "connection_create": "allow", "folder_create": "allow",
                                   "subfolder_create": "allow" },
                       "connectors": { "*": { "enabled": true } } },
                "none": { "personal": { "workspace": "deny" }, "connectors": { "*": { "enabled": true } } } },
  "grants": [ { "role": "governance-admin", "to": ["uid:$BED_ADMIN"] },
              { "role": "folder-admin", "to": ["uid:$BED_ADMIN"], "folder": "shared/**" },
              { "role": "auditor", "to": ["uid:4703"] },
              { "role": "automation-user", "to": ["uid:$BED_ALICE", "uid:$BED_BOB"], "folder": "shared/team/**" } ],
  "assign": { "tenant": "p" } }
P
	bed_start
	bed_await
	ctl $BED_ADMIN folder create shared/team
	ctl $BED_ADMIN folder create shared/secret
	for n in one two; do pat $BED_ADMIN shared/team $n; done
	pat $BED_ADMIN shared/secret hidden
	pat $BED_ALICE personal mine
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
}

pat() {		# UID FOLDER NAME
	printf 'pat-good-%s\n' "$3" | ctl "$1" connection create openid --auth-type pat --folder "$2" \
	    --name "$3" --var issuer="$ISSUER"
}
admin() { ctl $BED_ADMIN "$@"; }
alice() { ctl $BED_ALICE "$@"; }
bob() { ctl $BED_BOB "$@"; }
refused() {	# STATUS PATTERN COMMAND...
	local want=$1 pattern=$2
	shift 2
	run "$@"
	[ "$status" = "$want" ] || { echo "status $status: $output"; return 1; }
	[[ "$output" == *$pattern* ]] || { echo "$output"; return 1; }
}

@test "row 55: a binding leads to its connection, and a program asks for it by its own name" {
	admin binding create app/a --folder shared/team --connection shared/team/one
	[ "$(alice token get binding:app/a)" = pat-good-one ]
	admin binding set app/a --connection shared/team/two
	[ "$(alice token get binding:app/a)" = pat-good-two ]
	[ "$(alice token get shared/team/one)" = pat-good-one ]
	refused 3 "no connection 'binding:app/none' that you may see" alice token get binding:app/none
	refused 3 "no connection 'binding:app' that you may see" alice token get binding:app
	admin binding delete app/a
	refused 3 "no connection 'binding:app/a' that you may see" alice token get binding:app/a
}

@test "row 75: a binding without a connection leads nowhere until one is set, and says whose move it is" {
	admin binding create app/b --folder shared/team --connector openid
	run alice --json token get binding:app/b
	[ "$status" != 0 ]
	[[ $output == *'"vaultd.Bindings.NoConnection"'* ]]
	[[ $output == *'"owner": "admin"'* ]]
	admin binding set app/b --overridable yes
	run alice --json token get binding:app/b
	[[ $output == *'"owner": "caller"'* ]]
	[[ $output == *'vaultctl binding override app/b CONNECTION'* ]]
	alice binding override app/b mine
	[ "$(alice token get binding:app/b)" = pat-good-mine ]
	refused 1 "app/b has no connection yet" bob token get binding:app/b
	admin binding delete app/b
}

@test "row 55: a user's own choice counts for him alone, and only where users may choose" {
	admin binding create app/c --folder shared/team --connection shared/team/one
	refused 4 "do not choose a connection of their own" alice binding override app/c mine
	admin binding set app/c --overridable yes
	alice binding override app/c mine
	[ "$(alice token get binding:app/c)" = pat-good-mine ]
	[ "$(bob token get binding:app/c)" = pat-good-one ]
	admin binding set app/c --overridable no
	[ "$(alice token get binding:app/c)" = pat-good-one ]
	admin binding set app/c --overridable yes
	alice binding override app/c --forget
	[ "$(alice token get binding:app/c)" = pat-good-one ]
	refused 3 "no connection 'personal/mine'" bob binding override app/c personal/mine
	refused 3 "no connection 'shared/secret/hidden'" alice binding override app/c shared/secret/hidden
	admin binding delete app/c
}

@test "row 43, row 55: each user's own: the default of his workspace, and nothing shared" {
	admin binding create app/d --folder shared/team --connector openid --per-user yes
	refused 1 "you have no default of openid in your workspace" alice token get binding:app/d
	alice connection set-default mine
	[ "$(alice token get binding:app/d)" = pat-good-mine ]
	refused 1 "you have no default of openid in your workspace" bob token get binding:app/d
	refused 2 "take one away" admin binding set app/d --connection shared/team/one
	alice connection clear-default mine
	admin binding delete app/d
}

@test "row 43: binding, then own workspace, then folder, then nothing; and the path is explained" {
	admin binding create app/e --folder shared/team --connector openid --overridable yes
	run alice binding resolve app/e
	[ "$status" = 1 ]
	[[ $output == *"1. your own choice for app/e: you have made none"* ]]
	[[ $output == *"2. the connection of app/e: it has none"* ]]
	[[ $output == *"3. the default of openid in your workspace: none is set"* ]]
	[[ $output == *"4. the default of openid in shared/team: none is set"* ]]
	admin connection set-default shared/team/two
	[ "$(alice token get binding:app/e)" = pat-good-two ]
	run alice binding resolve app/e
	[ "$status" = 0 ]
	[[ $output == *"4. the default of openid in shared/team: shared/team/two"* ]]
	[[ $output == *"app/e -> shared/team/two, connected"* ]]
	alice connection set-default mine
	[ "$(alice token get binding:app/e)" = pat-good-mine ]
	[ "$(bob token get binding:app/e)" = pat-good-two ]
	admin binding set app/e --connection shared/team/one
	[ "$(alice token get binding:app/e)" = pat-good-one ]
	alice --json binding resolve app/e | grep -q '"step": "binding"'
	alice connection clear-default mine
	admin connection clear-default shared/team/two
	admin binding delete app/e
}

@test "row 43: one default per folder and connector; it is shown, and one takes the other's place" {
	admin connection set-default shared/team/one
	[ "$(alice token get default:shared/team/openid)" = pat-good-one ]
	admin connection set-default shared/team/two
	[ "$(alice token get default:shared/team/openid)" = pat-good-two ]
	[ "$(admin --json connection list --folder shared/team | grep -c '"is_default": true')" = 1 ]
	admin connection clear-default shared/team/one	# which it is not
	[ "$(alice token get default:shared/team/openid)" = pat-good-two ]
	refused 4 "conn.default" alice connection set-default shared/team/one
	admin connection clear-default shared/team/two
	refused 1 "there is no default for shared/team/openid" alice token get default:shared/team/openid
	refused 3 "that you may see" alice token get default:shared/secret/openid
}

@test "row 43: a default that is deleted is one no more, also when another gets its name" {
	pat $BED_ADMIN shared/team gone
	admin connection set-default shared/team/gone
	admin connection delete shared/team/gone
	refused 1 "there is no default" alice token get default:shared/team/openid
	pat $BED_ADMIN shared/team gone
	refused 1 "there is no default" alice token get default:shared/team/openid
	admin connection delete shared/team/gone
}

@test "row 77: who gives a program a connection must be allowed to use it, and it must exist" {
	refused 3 "no connection 'shared/team/none'" admin binding create app/f --folder shared/team --connection shared/team/none
	refused 4 "binding.edit" alice binding create app/f --folder shared/team --connection shared/team/one
	refused 3 "there is no binding 'app/f'" admin binding show app/f
}

@test "row 55: pages hold every binding once, whatever users chose for themselves" {
	for n in 1 2 3 4 5 6; do
		admin binding create pages/$n --folder shared/team --connection shared/team/one --overridable yes >/dev/null
		alice binding override pages/$n mine >/dev/null
		bob binding override pages/$n shared/team/two >/dev/null
	done
	everything=$(admin --json binding list | sed -n 's/.*"binding": "\(.*\)",*/\1/p')
	[ "$(grep -c pages/ <<<"$everything")" = 6 ]
	[ "$(bed_pages $BED_ADMIN vaultd.Bindings.List 1 binding)" = "$everything" ]
	[ "$(bed_pages $BED_ADMIN vaultd.Bindings.List 1 binding '"consumer":"pages"' | grep -c .)" = 6 ]
	[ "$(bed_pages $BED_ADMIN vaultd.Bindings.List 1 binding '"folder":"shared/secret"' && echo end)" = end ]
	for n in 1 2 3 4 5 6; do admin binding delete pages/$n >/dev/null; done
}

@test "what the caller may not see stays hidden: the binding, and where it leads" {
	admin binding create app/g --folder shared/secret --connection shared/secret/hidden
	refused 3 "no binding 'app/g' that you may see" alice binding show app/g
	refused 3 "no connection 'binding:app/g' that you may see" alice token get binding:app/g
	[ "$(alice --json binding list | grep -c app/g || true)" = 0 ]
	admin binding delete app/g
	admin binding create app/h --folder shared/team --connection shared/secret/hidden
	refused 3 "no connection 'binding:app/h' that you may see" alice token get binding:app/h
	run alice binding resolve app/h
	[ "$status" = 1 ]
	[[ $output != *hidden* ]]
	[[ $output == *"a connection that you may not see"* ]]
	admin binding delete app/h
}

@test "a folder with bindings is not empty; a revision that is over is refused; names are there once" {
	admin folder create shared/full
	admin binding create app/i --folder shared/full --connector openid
	refused 1 "not empty" admin folder delete shared/full
	refused 1 "there is a binding app/i already" admin binding create app/i --folder shared/team --connector openid
	refused 6 "changed since revision 1" admin binding set app/i --overridable yes --revision 1
	admin binding delete app/i
	admin folder delete shared/full
}

@test "a connection that is deleted is what no binding leads to" {
	pat $BED_ADMIN shared/team leaves
	admin binding create app/j --folder shared/team --connection shared/team/leaves --overridable yes
	alice binding override app/j shared/team/leaves
	refused 1 "bindings of programs lead to 'leaves'" admin connection delete shared/team/leaves
	admin connection delete shared/team/leaves --cascade
	refused 1 "app/j has no connection yet" alice token get binding:app/j
	alice --json binding show app/j | grep -q '"override": null'
	admin --json binding show app/j | grep -q '"bound": false'
	admin binding delete app/j
}

@test "row 72, row 10: grants reach nested folders, and a folder says what one may do there" {
	admin folder create shared/team/eu
	run alice --json folder show shared/team/eu
	[ "$status" = 0 ]
	[[ $output == *'"conn.use"'* ]]
	[[ $output != *'"conn.edit"'* ]]
	admin --json folder show shared/team | grep -q '"folders": 1'
	admin --json folder show shared/team | grep -q '"conn.edit"'
	refused 3 "that you may see" alice folder show shared/secret
	admin folder delete shared/team/eu
}

@test "row 8, row 9: a workspace is its owner's alone; an auditor lists what is in it and uses nothing" {
	who=$(alice --json connection show mine | sed -n 's/.*"owner": "\(.*\)",*/\1/p')
	id=$(alice --json connection show mine | sed -n 's/^    "id": "\(.*\)",*/\1/p')
	refused 3 "that you may see" bob connection list --folder "personal/$who"
	refused 3 "that you may see" admin connection list --folder "personal/$who"
	ctl 4703 --json connection list --folder "personal/$who" | grep -q '"name": "mine"'
	refused 3 "that you may see" ctl 4703 token get "$id"
	refused 3 "that you may see" ctl 4703 connection list --folder personal/nobody-there
	grep -ah "\"object\":\"personal/$who\"" "$BED"/state/vaultd/audit/audit-*.log | grep -a "\"uid\":4703" | grep -q "\"decision\":\"allow\""
}

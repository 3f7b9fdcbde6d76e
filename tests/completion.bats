#!/usr/bin/env bats
# client/vaultctl.bash: what bash gets to choose from. The last test has a vault to ask.

setup() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	. "$BED_ROOT/client/vaultctl.bash"
	export VAULTD_SOCKET=${VAULTD_SOCKET:-/nonexistent}
	export PATH=$BUILD/bin:$PATH
	cd "$BATS_TEST_TMPDIR"
}
teardown() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; [ -z "${BED:-}" ] || bed_down; }

comp() {	# WORD...: as readline splits a line; the last one is being typed
	COMP_WORDS=(vaultctl "$@") COMP_CWORD=$#
	COMPREPLY=()
	_vaultctl vaultctl "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
}
offers() {	# WANTED...: these and no others
	diff <(printf '%s\n' "$@" | sort) <(printf '%s\n' "${COMPREPLY[@]}" | sort)
}
has() {		# WANTED...: these among others
	local w
	for w; do printf '%s\n' "${COMPREPLY[@]}" | grep -qxF -- "$w" || { echo "no $w: ${COMPREPLY[*]}"; return 1; }; done
}

@test "every command of the help is found word by word" {
	while read -r c; do
		set -- $c
		comp "$1"; has "$1"
		[ -z "${2:-}" ] || { comp "$1" ""; has "$2"; }
	done < <(vaultctl --help | sed -n 's/^  \([a-z][a-z -]*[a-z]\)   .*/\1/p')
	comp con; offers connect connection connector
	comp connection re; offers reconnect rename report-forbidden
	comp nosuch ""; offers ""
	comp help pol; offers policy
	comp --json st; offers status
	comp --; offers --json --socket --help --version
}

@test "every option of every command is found" {
	while read -r c; do
		comp $c --
		has --json --help
		for o in $(vaultctl $c --help | grep -o -- '^  --[a-z-]*'); do has "$o"; done
	done < <(vaultctl --help | sed -n 's/^  \([a-z][a-z -]*[a-z]\)   .*/\1/p')
	comp token get x --f; offers --format
	comp connect github --paste --pa; offers ""
	comp connect github --scope a --sc; offers --scope
	comp token get -- --f; offers ""
}

@test "values of options: words" {
	comp token get x --format ""; offers token header env json
	comp token get x --format = he; offers header
	comp token get x --format =; offers token header env json
	comp policy explain conn.create --auth-type p; offers pat
	comp connect github --timeout ""; offers ""
	comp policy explain conn.c; offers conn.create
}

@test "files where files are meant, whatever they are called" {
	mkdir -p policy.d 'my files'
	touch one.json 'two words.json' 'my files/x'
	comp policy check ""; offers policy.d 'my files' one.json 'two words.json'
	comp policy check one.json tw; offers 'two words.json'
	comp policy check 'my\ f'; offers 'my files'
	comp connector check "\"two w"; offers 'two words.json'
	comp audit verify ""; offers policy.d 'my files'
	comp policy check --connectors p; offers policy.d
	comp app set-secret a --secret-file = o; offers one.json
	comp --socket o; offers one.json
}

@test "without a vault there are no names, and nobody waits" {
	comp token get ""; offers ""
	comp connect github --folder ""; offers ""
}

@test "names are those of the vault, quoted as the line needs it" {
	export AT_TTL=300 BED_PORT=19068
	bed_up
	bed_app
	for n in plain 'two words' 'a:b' "it's"; do
		printf 'pat-good-1' | ctl $BED_ALICE connection create openid --auth-type pat --name "$n" --var issuer="$ISSUER"
	done
	ctl $BED_ADMIN folder create 'shared/the team'
	ask() { # UID WORD...: complete as this user
		local uid=$1
		shift
		vaultctl() { ctl "$uid" "$@"; }
		comp "$@"
	}
	ask $BED_ALICE token get ""
	offers personal/plain 'personal/two\ words' personal/a:b "personal/it\\'s"
	ask $BED_ALICE token get tw; offers 'two\ words'
	ask $BED_ALICE token get 'two\ w'; offers 'two\ words'
	ask $BED_ALICE token get '"personal/two w'; offers 'personal/two words'
	ask $BED_ALICE token get personal/a : ""; offers b
	ask $BED_ALICE connection show pl; offers plain
	ask $BED_ALICE connect openi; offers openid
	ask $BED_ALICE connect op; has openid
	ask $BED_ADMIN app show ""; offers acme
	ask $BED_ADMIN connect openid --app = ""; offers acme
	ask $BED_ADMIN folder delete ""; offers 'shared/the\ team'
	ask $BED_ADMIN connect openid --folder = sha; offers 'shared/the\ team'
}

# bash completion for vaultctl(1)
_vaultctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} words
	local commands
	commands=$(vaultctl --help 2>/dev/null | sed -n 's/^  \([a-z][a-z -]*[a-z]\)   .*/\1/p')
	case $COMP_CWORD in
	1) words="$(echo "$commands" | cut -d' ' -f1 | sort -u) --json --socket --help" ;;
	*)
		words=$(echo "$commands" | sed -n "s/^${COMP_WORDS[1]} //p")
		if [ -z "$words" ] || [ "$COMP_CWORD" -gt 2 ]; then
			words=$(vaultctl "${COMP_WORDS[1]}" "${COMP_WORDS[2]}" --help 2>/dev/null |
			    grep -o -- '--[a-z-]*' | sort -u)
			words="$words $(vaultctl --json connection list 2>/dev/null |
			    sed -n 's/.*"path": "\(.*\)",*/\1/p')"
		fi
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _vaultctl vaultctl

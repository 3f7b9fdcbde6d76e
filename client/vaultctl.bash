# bash completion for vaultctl(1)
_vaultctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} commands help words i said=() global=()
	# Without the options in front, said is what was typed of the command.
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--socket) global+=(--socket "${COMP_WORDS[++i]}") ;;
		-*) ;;
		*) said+=("${COMP_WORDS[i]}") ;;
		esac
	done
	if [ "${COMP_WORDS[COMP_CWORD - 1]}" = --socket ]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
	fi
	commands=$(vaultctl --help 2>/dev/null | sed -n 's/^  \([a-z][a-z -]*[a-z]\)   .*/\1/p')
	if [ ${#said[@]} = 0 ]; then
		words="$(cut -d' ' -f1 <<<"$commands" | sort -u) --json --socket --help --version"
	elif [ ${#said[@]} = 1 ] && ! grep -qx -- "${said[0]}" <<<"$commands"; then
		words=$(sed -n "s/^${said[0]} //p" <<<"$commands")
	else
		help=$(vaultctl "${said[@]:0:2}" --help 2>/dev/null ||
		    vaultctl "${said[0]}" --help 2>/dev/null)
		words="$(grep -o -- '--[a-z-]*' <<<"$help" | sort -u) --json"
		case $cur,$help in
		-*) ;;
		*,*" CONNECTION"*)
			words="$words $(vaultctl "${global[@]}" --json connection list 2>/dev/null |
			    sed -n 's/.*"path": "\(.*\)",*/\1/p')" ;;
		*,*" CONNECTOR"*)
			words="$words $(vaultctl "${global[@]}" --json connector list 2>/dev/null |
			    sed -n 's/^ *"id": "\(.*\)",*/\1/p')" ;;
		*,*" FILE..."* | *,*"[DIRECTORY]"*)
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			return ;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _vaultctl vaultctl

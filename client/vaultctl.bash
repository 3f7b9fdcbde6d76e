# bash completion for vaultctl(1): `vaultctl --complete` knows what may come next, here is what
# the shell does to words.

# A word as it was typed becomes what the program would get: quotes and backslashes go.
_vaultctl_plain() {
	case $1 in
	\'*) plain=${1#\'} plain=${plain%\'} ;;
	\"*) plain=${1#\"} plain=${plain%\"} ;;
	*) IFS= read -d '' plain <<<"$1" || :	# without -r: takes backslashes away
	    plain=${plain%$'\n'}
	    case $plain in '~/'*) plain=$HOME/${plain#'~/'} ;; esac ;;
	esac
}

# readline ends words at '=' and ':' too; they are put together again. typed is the last one,
# kept is how much in front of it stays as it is when a completion is put in.
_vaultctl_words() {
	local i word glue=no
	words=() kept=0
	for ((i = 1; i <= COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [ ${#words[@]} -gt 0 ] && { [ $glue = yes ] || [[ $word == [=:] || $word == := ]]; }; then
			typed=${words[-1]}$word
			words[-1]=$typed
		else
			typed=$word
			words+=("$word")
		fi
		[[ $word == *[=:] ]] && glue=yes || glue=no
	done
	word=${COMP_WORDS[COMP_CWORD]}
	case $word in *[=:]) word= ;; esac
	_vaultctl_plain "${typed%"$word"}"
	kept=${#plain}
}

_vaultctl_files() {	# files or directories, by the value alone when it stands behind --OPTION=
	local value=$plain lead= flag=-f
	case $value in --*=*) lead=${value%%=*}= value=${value#*=} ;; esac
	[ "$1" = directories ] && flag=-d
	mapfile -t COMPREPLY < <(compgen $flag -- "$value")
	COMPREPLY=("${COMPREPLY[@]/#/$lead}")
	compopt -o filenames 2>/dev/null || :	# readline quotes them itself
	quote=readline
}

_vaultctl() {
	local words typed kept plain i ctl=${1:-vaultctl} quote=
	type -P "$ctl" >/dev/null || ctl=vaultctl
	_vaultctl_words
	case ${COMP_WORDS[COMP_CWORD]} in \'* | \"*) quote=open ;; esac
	for i in "${!words[@]}"; do
		_vaultctl_plain "${words[i]}"
		words[i]=$plain
	done
	mapfile -t COMPREPLY < <("$ctl" --complete "${words[@]}" 2>/dev/null)
	case ${COMPREPLY[0]} in
	$'\t'*) _vaultctl_files "${COMPREPLY[0]#$'\t'}" ;;
	esac
	for i in "${!COMPREPLY[@]}"; do
		COMPREPLY[i]=${COMPREPLY[i]:kept}
		[ -n "$quote" ] || printf -v "COMPREPLY[i]" %q "${COMPREPLY[i]}"
	done
}
complete -F _vaultctl vaultctl

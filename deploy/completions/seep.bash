# SPDX-License-Identifier: BSD-2-Clause
# Bash completion for seep. Options are asked of `seep COMMAND --help`, so they are never stale.

_seep_commands() {
	"$1" --help 2>/dev/null | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\)  .*/\1/p'
}

_seep_options() {
	"$1" "$2" --help 2>/dev/null | grep -oE '^ +(-., )?--[a-z-]+' | grep -oE -- '--[a-z-]+'
}

# The words a value can be, for options that list them ("--by process|cgroup|pod").
_seep_values() {
	"$1" "$2" --help 2>/dev/null | sed -n "s/^ .*$3 \([a-z]*|[a-z|]*\).*/\1/p" | tr '|' ' '
}

_seep_incidents() {
	"$1" leaks --all --json 2>/dev/null | grep -oE '"id": ?"[^"]*"' | cut -d'"' -f4
}

_seep() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} cmd='' i

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--socket) ((i++)) ;;
		-*) ;;
		*) cmd=${COMP_WORDS[i]}; break ;;
		esac
	done
	[[ $cmd == trace && $prev == -o ]] && prev=--format
	case $prev in
	--socket | --config | --state-dir | --output | --cgroup | --host-root | --kubelet-* | -O)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--by | --sort | --color | --format)
		if [[ -n $cmd ]]; then
			mapfile -t COMPREPLY < <(compgen -W "$(_seep_values "$1" "$cmd" "$prev")" -- "$cur")
			return
		fi
		;;
	esac
	if [[ -z $cmd ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_seep_commands "$1") --help --version --socket" -- "$cur")
	elif [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_seep_options "$1" "$cmd")" -- "$cur")
	elif [[ $cmd == show ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_seep_incidents "$1")" -- "$cur")
	else
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	fi
}

complete -o filenames -F _seep seep

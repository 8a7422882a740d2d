# bash completion for trivet(8).  Verbs, options and daemons come from the command's own
# help, names of instances, checks, upstreams and servers from what runs.

_trivet_names() # LABEL: its values in the metrics of the running daemons
{
	trivet metrics 2>/dev/null | sed -n 's/^[^#{]*{\(.*,\)\{0,1\}'"$1"'="\([^"]*\)".*/\2/p' | sort -u
}

_trivet()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local verb='' i usage words='' n=0

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--run-dir) ((i++)) ;;
		-*) ;;
		*) if [[ -z $verb ]]; then verb=${COMP_WORDS[i]}; else ((n++)); fi ;;
		esac
	done
	COMPREPLY=()
	case $prev in
	--run-dir | --state-dir) mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
	-c | --keepalived | --nginx) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
	--only) mapfile -t COMPREPLY < <(compgen -W 'vrrpd checkd proxyd' -- "$cur"); return ;;
	--for | -i) return ;;
	esac
	if [[ -z $verb ]]; then
		words="--run-dir --json --help --version $(trivet --help 2>/dev/null | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p')"
	else
		usage=$(trivet "$verb" --help 2>/dev/null | sed -n 's/^usage: //p')
		if [[ $cur == -* ]]; then
			words="--json --run-dir $(grep -oE -- '(^|[[ ])--?[a-z][a-z-]*' <<<"$usage" | tr -d '[ ')"
		else
			case $verb in
			why | failover | priority) words=$(_trivet_names instance) ;;
			pause | force) ((n)) || words=$(_trivet_names check) ;;
			resume) words="$(_trivet_names check) $(_trivet_names instance)" ;;
			drain | maintenance | ready | weight | close)
				case $n in
				0) words=$(_trivet_names upstream) ;;
				1) words=$(_trivet_names server) ;;
				esac ;;
			restart) words='vrrpd checkd proxyd trivet-runner' ;;
			check) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
			esac
			[[ $verb != force || $n -ne 1 ]] || words='up down auto'
		fi
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _trivet trivet

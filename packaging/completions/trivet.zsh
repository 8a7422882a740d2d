#compdef trivet
# zsh completion for trivet(8).  Verbs, options and daemons come from the command's own
# help, names of instances, checks, upstreams and servers from what runs.

_trivet_names() # LABEL: its values in the metrics of the running daemons
{
	local -a names
	names=(${(fu)"$(trivet metrics 2>/dev/null | sed -n 's/^[^#{]*{\(.*,\)\{0,1\}'"$1"'="\([^"]*\)".*/\2/p')"})
	compadd -a names
}

_trivet()
{
	local verb usage i
	local -a verbs options
	integer n=0

	for ((i = 2; i < CURRENT; i++)); do
		case $words[i] in
		--run-dir) ((i++)) ;;
		-*) ;;
		*) if [[ -z $verb ]]; then verb=$words[i]; else ((n++)); fi ;;
		esac
	done
	case $words[CURRENT-1] in
	--run-dir | --state-dir) _files -/; return ;;
	-c | --keepalived | --nginx) _files; return ;;
	--only) compadd vrrpd checkd proxyd; return ;;
	--for | -i) return ;;
	esac
	if [[ -z $verb ]]; then
		verbs=(${(f)"$(trivet --help 2>/dev/null | sed -n 's/^  \([a-z][a-z]*\)  *\(.*\)/\1:\2/p')"})
		_describe -t commands verb verbs
		compadd -- --run-dir --json --help --version
		return
	fi
	if [[ $PREFIX == -* ]]; then
		usage=$(trivet $verb --help 2>/dev/null | sed -n 's/^usage: //p')
		options=(${(f)"$(grep -oE -- '(^|[[ ])--?[a-z][a-z-]*' <<<$usage | tr -d '[ ')"})
		compadd -- --json --run-dir $options
		return
	fi
	case $verb in
	why | failover | priority) _trivet_names instance ;;
	pause) ((n)) || _trivet_names check ;;
	force)
		case $n in
		0) _trivet_names check ;;
		1) compadd up down auto ;;
		esac ;;
	resume) _trivet_names check; _trivet_names instance ;;
	drain | maintenance | ready | weight | close)
		case $n in
		0) _trivet_names upstream ;;
		1) _trivet_names server ;;
		esac ;;
	restart) compadd vrrpd checkd proxyd trivet-runner ;;
	check) _files ;;
	esac
}

_trivet "$@"

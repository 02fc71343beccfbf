# shellcheck shell=bash
# Completion of agentfensefs(1) for bash: options, also those after -o and its commas, presets (those
# of the program that is being completed), levels and files.

# Candidates for a value of kind $1 that begins with $2, one a line; $3 is the program.
_agentfensefs_values()
{
	case $1 in
	short) compgen -W '-f -d -o -0 -C -h -V' -- "$2" ;;
	long) compgen -W '--explain --check --presets --json --null --source --options --policy
		--preset --rule --default --audit --audit-all --cache --passthrough --threads
		--foreground --ready-fd --hold-fd --lend --delta --quota --quota-files --volatile --debug --help --version' -- "$2" ;;
	options) compgen -W 'policy= preset= rule= default= audit= audit_all cache= passthrough=
		threads= foreground ready_fd= hold_fd= lend= delta= quota= quota_files= volatile ro allow_other allow_root fsname= noatime noexec
		nosuid nodev' -- "$2" ;;
	preset) compgen -W "$("$3" --presets 2>/dev/null | cut -f 1)" -- "$2" ;;
	default) compgen -W 'none view read write' -- "$2" ;;
	rule) [[ $2 == *:* ]] || compgen -W 'none: view: read: write:' -- "$2" ;;
	cache) compgen -W 'auto never always' -- "$2" ;;
	passthrough) compgen -W 'auto no' -- "$2" ;;
	source | delta) compgen -d -- "$2" ;;
	policy | audit | file) compgen -f -- "$2" ;;
	esac
}

_agentfensefs()
{
	local line=${COMP_LINE:0:COMP_POINT} words word='' before kind value last kept cut

	# Bash has split the words at = and : too (COMP_WORDBREAKS).
	read -ra words <<<"$line"
	if [[ $line == *[[:space:]] ]]; then words+=(''); fi
	word=${words[-1]} before=${words[-2]} value=$word last=${word##*,}
	case $before,$word in
	-o,* | --options,*)
		kind=options value=$last
		if [[ $last == *=* ]]; then kind=${last%%=*} value=${last#*=}; fi ;;
	-C,*) kind=source ;;
	*,--*=*) kind=${word%%=*} kind=${kind#--} value=${word#*=} ;;
	*,--*) kind=long ;;
	*,-*) kind=short ;;
	--policy,* | --preset,* | --rule,* | --default,* | --audit,* | --cache,* | --passthrough,* | \
		--source,* | --delta,* | --threads,* | --ready-fd,* | --hold-fd,* | --lend,*) kind=${before#--} ;;
	*) kind='file' ;;
	esac

	# What is before the value stays; bash replaces only what follows the last word break.
	kept=${word%"$value"} cut=${word%"${word##*[=:]}"}
	mapfile -t COMPREPLY < <(_agentfensefs_values "$kind" "$value" "$1")
	COMPREPLY=("${COMPREPLY[@]/#/"$kept"}")
	COMPREPLY=("${COMPREPLY[@]#"$cut"}")
	case $kind in
	policy | audit | file | source | delta) compopt -o filenames ;;
	rule) compopt -o nospace ;;
	esac 2>/dev/null
	# A comma or a space may come next.
	case $before in -o | --options) compopt -o nospace 2>/dev/null ;; esac
}

complete -F _agentfensefs agentfensefs

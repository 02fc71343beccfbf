# bash completion for afsyncd(8).
# shellcheck shell=bash

_afsyncd()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	local options='--dry-run --diff --json --null --only --exclude --conflict --hold --no-hold --preset
		--policy --rule --state --undo --undo-keep --history --fsck --discard --daemon --table --quiet --verbose
		--help --version -n -0 -p -P -r -q -v -h'

	# bash splits a word at =.
	if [ "$cur" = = ]; then
		cur=
	elif [ "$prev" = = ]; then
		prev=${COMP_WORDS[COMP_CWORD-2]}
	fi
	case $prev in
	--conflict) mapfile -t COMPREPLY < <(compgen -W 'lww keep both fail merge' -- "$cur") ;;
	--only | --table | -P | --policy) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	-p | --preset)
		mapfile -t COMPREPLY < <(compgen -W "$(agentfensefs --presets 2>/dev/null | cut -f1)" -- "$cur")
		;;
	-r | --rule) mapfile -t COMPREPLY < <(compgen -W 'none: view: read: write:' -- "$cur") ;;
	--state) mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
	--exclude | --hold | --undo-keep) COMPREPLY=() ;;
	*)
		case $cur in
		-*) mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur") ;;
		*) mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
		esac
		;;
	esac
}

complete -o filenames -F _afsyncd afsyncd

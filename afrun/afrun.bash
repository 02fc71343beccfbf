# bash completion for afrun(1).
# shellcheck shell=bash

_afrun()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} i
	local with_value=' -C --source -p --preset -P --policy -r --rule -e --env --env-file -w --workdir
		-n --net -u --user -t --timeout --kill-after --bind --ro-bind --mount-at --channel -R --runtime --image --docker --report --audit -c
		-D --delta --delta-size --sync --conflict --state -m --memory --pids --cpus --cpu-shares --limits
		-S --session --idle '
	local options='--source --preset --policy --rule --delta --delta-size --sync --conflict --state --direct
		--env --env-file --workdir --mount-at --ro-bind --bind --channel --runtime --image --docker --net --user --timeout --kill-after
		--memory --pids --cpus --cpu-shares --limits --report --audit --dry-run --verbose --quiet --help --version
		--session --start --idle --status --diff --merge --stop --list --json -C -R -p -P -r -D -e -w -n -u -t -m -S -c -v -q -h'

	# After the first word that is no option, or --, it is the command's own line.
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--) i=$((i + 1)) && break ;;
		-*) [[ $with_value == *[[:space:]]"${COMP_WORDS[i]}"[[:space:]]* ]] && i=$((i + 1)) ;;
		*) break ;;
		esac
	done
	if [ "$i" -lt "$COMP_CWORD" ] || [ "${COMP_WORDS[COMP_CWORD-1]}" = -- ]; then
		if declare -F _command_offset >/dev/null; then
			_command_offset "$i"
		else
			mapfile -t COMPREPLY < <(compgen -c -f -- "$cur")
		fi
		return
	fi
	case $prev in
	-C | --source | -D | --delta | --state) mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
	-p | --preset)
		mapfile -t COMPREPLY < <(compgen -W "$(agentfensefs --presets 2>/dev/null | cut -f1)" -- "$cur")
		;;
	-P | --policy | --env-file | --report | --audit | --bind | --ro-bind)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		;;
	-r | --rule) mapfile -t COMPREPLY < <(compgen -W 'none: view: read: write:' -- "$cur") ;;
	--sync) mapfile -t COMPREPLY < <(compgen -W 'success always never' -- "$cur") ;;
	--limits) mapfile -t COMPREPLY < <(compgen -W 'best-effort strict' -- "$cur") ;;
	--conflict) mapfile -t COMPREPLY < <(compgen -W 'lww keep both fail merge' -- "$cur") ;;
	-S | --session) mapfile -t COMPREPLY < <(compgen -W "$(afrun --list 2>/dev/null | awk '$2 != "channel" { print $1 }')" -- "$cur") ;;
	--channel)
		mapfile -t COMPREPLY < <(compgen -W "$(afrun --list 2>/dev/null | awk '$2 == "channel" { print $1 }')" -- "$cur")
		;;
	-R | --runtime) mapfile -t COMPREPLY < <(compgen -W 'bwrap docker' -- "$cur") ;;
	--image) mapfile -t COMPREPLY < <(compgen -W "$(docker image ls --format '{{.Repository}}:{{.Tag}}' 2>/dev/null)" -- "$cur") ;;
	--docker) mapfile -t COMPREPLY < <(compgen -c -- "$cur") ;;
	-e | --env) mapfile -t COMPREPLY < <(compgen -e -- "$cur") ;;
	-n | --net) mapfile -t COMPREPLY < <(compgen -W 'none host' -- "$cur") ;;
	-u | --user) mapfile -t COMPREPLY < <(compgen -u -- "$cur") ;;
	-w | --workdir | -t | --timeout | --kill-after | --mount-at | --delta-size | -m | --memory | --pids | --cpus | --cpu-shares | --idle | -c) COMPREPLY=() ;;
	*)
		case $cur in
		-*) mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur") ;;
		*) mapfile -t COMPREPLY < <(compgen -c -- "$cur") ;;
		esac
		;;
	esac
}

complete -o filenames -F _afrun afrun

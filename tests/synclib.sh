# shellcheck shell=bash
# What the cases of merging share, sourced after lib.sh.
#
#     new_source SCRIPT          S: a new source, made by the script in it; D: where its delta will be
#     sandbox DELTA SCRIPT       runs the script in a mount of S that writes to DELTA
#     afsync [OPTION]... ARG...  afsyncd with its state in $T/state, for at most 60 s: OUT is its output
#                                with @ for NUL, ERR its messages, STATUS its status
#     plan                       what afsync -n prints of D
#     tree_of DIR                a line for each entry of it but .agentfense: type, mode, path, content's
#                                sum or target
#     run_in DIR SCRIPT          the script, natively
#
# PRESET is the policy's preset.

PRESET=full-access
af_sources=0
STATE=(--state "$T/state")

run_in()
{
	(cd "$1" && umask 022 && eval "$2") || diag "failed in $1: $2"
}

new_source()
{
	af_sources=$((af_sources + 1))
	S=$T/source$af_sources
	D=$T/delta$af_sources
	mkdir "$S"
	run_in "$S" "$1"
}

sandbox()
{
	mount_fs -o "preset=$PRESET,delta=$1" "$S" "$T/mnt" || return
	run_in "$T/mnt" "$2"
	# Unmounted, but for a moment not yet let go of.
	umount_fs "$T/mnt" && wait_for 10 flock -n "$1/meta/lock" true
}

# shellcheck disable=SC2034 # ERR and STATUS are for the case
afsync()
{
	local state=("${STATE[@]}")
	case " $* " in *' --fsck '* | *' --discard '*) state=() ;; esac
	STATUS=0
	timeout 60 "$AFSYNCD" "${state[@]}" "$@" >"$T/out" 2>"$T/err" || STATUS=$?
	OUT=$(tr '\0' '@' <"$T/out")
	ERR=$(cat "$T/err")
}

plan()
{
	afsync -n "$D"
	printf '%s\n' "$OUT"
}

tree_of()
{
	(
		cd "$1" || exit
		# shellcheck disable=SC2016 # for the inner shell
		find . -mindepth 1 -path ./.agentfense -prune -o -type f -printf '%y %m %P ' \
			-exec sh -c 'md5sum <"$1"' - {} \; -o -printf '%y %m %P %l\n' | sort
	)
}

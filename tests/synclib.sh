# shellcheck shell=bash
# What the cases of merging share, sourced after lib.sh.
#
#     new_source SCRIPT          S: a new source, made by the script in it; D: where its delta will be
#     sandbox DELTA SCRIPT       runs the script in a mount of S that writes to DELTA
#     afsync [OPTION]... ARG...  afsyncd with its state in $T/state, for at most 60 s: OUT is its output
#                                with @ for NUL, ERR its messages, STATUS its status
#     plan                       what afsync -n prints of D
#     bounded ARG...             afsync for at most 10 s: TIMELY is 0 if it ended by itself
#     make_outside               $T/outside, $T/canary: what no merge may touch
#     intact NAME                a check that it did not
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
	timeout "${AF_SECONDS:-60}" "$AFSYNCD" "${state[@]}" "$@" >"$T/out" 2>"$T/err" || STATUS=$?
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

# shellcheck disable=SC2034 # TIMELY is for the case
bounded()
{
	local AF_SECONDS=10
	afsync "$@"
	TIMELY=0
	[ "$STATUS" -le 2 ] || TIMELY=1
}

make_outside()
{
	rm -rf "$T/outside" "$T/canary"
	mkdir "$T/outside"
	echo canary >"$T/outside/file"
	echo canary >"$T/canary"
	af_outside_was=$(outside)
}

# Reading shows in no time where the filesystem is mounted relatime: so it is not looked for here.
outside()
{
	tree_of "$T/outside"
	stat -c '%n %i %h %Y %Z %a %U' "$T/outside" "$T/outside/file" "$T/canary"
	cat "$T/canary"
}

intact()
{
	is "$(outside 2>&1)" "$af_outside_was" "$1: nothing outside was touched"
}

# shellcheck shell=bash
# What the cases of afrun share, on top of lib.sh.
#
#     fresh_source           $SRC: a source of the case's user, with output/, a secret and a file
#     run ARGS...            afrun --direct -q -C $SRC ARGS...; with AF_DELTA=1 not --direct, but with
#                            a temporary delta, merged in the end ($DIRECT is --direct, or nothing)
#     start_run ARGS...      the same in the background: $RUN is its pid; wait_for it
#     lies PATH              where what a run writes to this path of the source lies: in the source, or
#                            in the delta of a run that goes on or was not merged
#     is_there PATH          whether a run has written that file
#     inside ARGS...         run -- with the test programs at /opt/tests
#     is_in_state PID T      whether it is stopped (or another letter of ps)
#     process_named COMM     the pid of a descendant of the case with this name (bounded wait)

SRC=$T/src
DIRECT=--direct
[ -z "${AF_DELTA:-}" ] || DIRECT=

fresh_source()
{
	rm -rf "$SRC"
	mkdir -p "$SRC/output"
	echo text >"$SRC/file"
	echo SECRET=1 >"$SRC/.env"
}

run()
{
	"$AFRUN" ${DIRECT:+"$DIRECT"} -q -C "$SRC" "$@"
}

start_run()
{
	"$AFRUN" ${DIRECT:+"$DIRECT"} -q -C "$SRC" "$@" &
	# shellcheck disable=SC2034 # for the cases
	# shellcheck disable=SC2034 # the case's
	RUN=$!
}

lies()
{
	local delta
	for delta in "$SRC"/.agentfense/deltas/*/upper; do
		[ -s "$delta/$1" ] && printf '%s\n' "$delta/$1" && return 0
	done
	printf '%s\n' "$SRC/$1"
}

is_there()
{
	[ -s "$(lies "$1")" ]
}

inside()
{
	run --ro-bind "$BUILD/tests:/opt/tests" "$@"
}

# The status of CMD, whose output goes where it went.
status_of()
{
	local status=0
	"$@" || status=$?
	echo "$status"
}

find_named()
{
	local pid name
	for pid in $(af_descendants); do
		name=
		read -r name 2>/dev/null <"/proc/$pid/comm"
		[ "$name" = "$1" ] && echo "$pid" && return 0
	done
	return 1
}

process_named()
{
	wait_for 10 find_named "$1" >/dev/null && find_named "$1"
}

# Whether process $1 is in the state $2, as ps(1) says it in a letter.
is_in_state()
{
	[ "$(ps -o stat= -p "$1" | cut -c1)" = "$2" ]
}

need_sandbox()
{
	command -v bwrap >/dev/null || skip_all 'bwrap is not installed'
	[ -c /dev/fuse ] || skip_all 'no /dev/fuse'
	fresh_source
}

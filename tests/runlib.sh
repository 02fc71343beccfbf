# shellcheck shell=bash
# What the cases of afrun share, on top of lib.sh.
#
#     fresh_source           $SRC: a source of the case's user, with output/, a secret and a file
#     run ARGS...            afrun --direct -q -C $SRC ARGS...
#     start_run ARGS...      the same in the background: $RUN is its pid; wait_for it
#     inside ARGS...         run -- with the test programs at /opt/tests
#     is_in_state PID T      whether it is stopped (or another letter of ps)
#     process_named COMM     the pid of a descendant of the case with this name (bounded wait)

SRC=$T/src

fresh_source()
{
	rm -rf "$SRC"
	mkdir -p "$SRC/output"
	echo text >"$SRC/file"
	echo SECRET=1 >"$SRC/.env"
}

run()
{
	"$AFRUN" --direct -q -C "$SRC" "$@"
}

start_run()
{
	"$AFRUN" --direct -q -C "$SRC" "$@" &
	# shellcheck disable=SC2034 # for the cases
	# shellcheck disable=SC2034 # the case's
	RUN=$!
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

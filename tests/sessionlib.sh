# shellcheck shell=bash
# What the cases of sessions share, on top of runlib.sh. Sessions are found in $XDG_RUNTIME_DIR, which is
# the case's own.
#
#     start_session NAME ARGS...   on $SRC, where all may be written; ended with the case
#     text NAME TEXT               runs TEXT in it, with nothing on stdin
#     says NAME TEXT EXPECTED WHAT     what TEXT prints (stdout and stderr)
#     exits NAME TEXT STATUS WHAT      how it ends

export XDG_RUNTIME_DIR=$T/runtime
mkdir -m 700 "$XDG_RUNTIME_DIR"

start_session()
{
	local name=$1
	shift
	timeout 60 "$AFRUN" ${DIRECT:+"$DIRECT"} -q -C "$SRC" -r 'write:/**' -S "$name" --start "$@" </dev/null
}

text()
{
	timeout 60 "$AFRUN" -S "$1" -c "$2" </dev/null
}

says()
{
	is "$(text "$1" "$2" 2>&1)" "$3" "$4"
}

exits()
{
	local status=0
	text "$1" "$2" >/dev/null 2>&1 || status=$?
	is "$status" "$3" "$4"
}

stop_session()
{
	timeout 60 "$AFRUN" -S "$1" --stop </dev/null
}

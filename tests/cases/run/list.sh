#!/bin/bash
# --list: the deltas that runs have left. (Sessions and channels are in the cases of those.)
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/runlib.sh"
need_sandbox
export XDG_RUNTIME_DIR=$T/runtime
mkdir -m 700 "$XDG_RUNTIME_DIR"

list()
{
	"$AFRUN" -C "$SRC" --list "$@"
}

is "$(list; list --json)" '[]' 'nothing is there'
"$AFRUN" -q -C "$SRC" -- sh -c 'echo one >output/one; exit 1' 2>/dev/null
like "$(list)" $'^[0-9]{8}T[0-9]{6}-[0-9]+\tkept\t-\t[0-9-]+T[0-9:]+\t'"$SRC"$'/\\.agentfense/deltas/[0-9T-]+$' 'what a run has left'
is "$("$AFSYNCD" -n "$(list | cut -f 5)")" $'A\toutput/one' 'where afsyncd finds it'
is "$(cd "$SRC" && "$AFRUN" --list)" "$(list)" 'the current directory is the default'
is "$(cd "$T" && "$AFRUN" --list)" '' 'elsewhere there is none'
is "$(list --json | python3 -c 'import json, os, sys, time
for kept in json.load(sys.stdin):
    print(kept["source"], os.path.isdir(kept["kept"]), 0 <= time.time() - kept["since"] < 100)')" "$SRC True True" '--json'
"$AFRUN" -q -C "$SRC" -- sh -c 'echo two >output/two; exit 1' 2>/dev/null
is "$(list | wc -l)" 2 'two of them'
is "$(list | cut -f 1)" "$(list | cut -f 1 | sort)" 'in their order'
"$AFRUN" -q -C "$SRC" -- sh -c 'echo three >output/three; sleep 60' &
run=$!
sleeps() { pgrep -f '^sleep 60$' >/dev/null && [ -s "$(echo "$SRC"/.agentfense/deltas/*/upper/output/three)" ]; }
wait_for 20 sleeps
is "$(list | wc -l)" 2 'one that is in use is not left'
kill -9 "$run"
wait "$run" 2>/dev/null
three() { [ "$(list | wc -l)" -eq 3 ]; }
check 'that of a run that was killed is' wait_for 10 three
list | cut -f 5 | while read -r delta; do "$AFSYNCD" -q "$delta"; done
is "$(cat "$SRC"/output/*)" $'one\nthree\ntwo' 'all of them merged by what it prints'
is "$(list)" '' 'and then there is none'

mkdir "$T/state"
"$AFRUN" -q -C "$SRC" --state "$T/state" -- sh -c 'echo x >output/x; exit 1' 2>/dev/null
is "$(list)" '' 'with a state elsewhere'
like "$(list --state "$T/state")" "$T/state/deltas/" '--state says where'
is "$("$AFRUN" --list -C "$T/nowhere" 2>&1; echo $?)" \
	"afrun: --source: $T/nowhere: No such file or directory"$'\n125' 'no such directory'
is "$(list -p read 2>&1; echo $?)" \
	$'afrun: --preset: has no meaning with --status, --diff, --merge, --stop or --list\n125' 'what means nothing'
list --json >/dev/full 2>"$T/err"
is "$? $(cat "$T/err")" '125 afrun: stdout: No space left on device' 'what cannot be written is told'
done_testing

#!/bin/bash
# Many runs of one source at once: nothing that any of them wrote is lost, and nothing is left behind.
. "$(dirname "$0")/../../lib.sh"
. "$(dirname "$0")/../../runlib.sh"
. "$(dirname "$0")/../../rundelta.sh"
need_sandbox

fresh
cat >"$SRC/job" <<'JOB'
#!/bin/sh -e
mkdir -p out
echo "$1" >"out/$1"
echo "$1" >"d/$1"
echo "$1" >>"$((1 + $1 % 5)).$1"
JOB
chmod 755 "$SRC/job"
seq 200 | (cd "$T" && xargs -P 50 -I{} "$AFRUN" -q -C ./src -p development -- ./job {}) >"$T/out" 2>"$T/err"
is "$?" 0 '200 runs, 50 at a time'
is "$(cat "$T/out" "$T/err")" '' 'have nothing to say'
is "$(cat "$SRC"/out/* | sort -n | xargs)" "$(seq 200 | xargs)" 'and lose nothing'
is "$(cat "$SRC"/d/[0-9]* | sort -n | xargs)" "$(seq 200 | xargs)" 'nor in a directory that was there'
is "$(cat "$SRC"/[0-9]* | sort -n | xargs)" "$(seq 200 | xargs)" 'nor at the top'
is "$(kept)" '' 'and leave no delta'
is "$(find "$SRC" ! -path '*/.agentfense/*' -name '.*' -type f)" "$SRC/.env" 'nor a file'
check 'nor a process' wait_for 10 af_no_process
is "$(mounts_below "$T")" '' 'nor a mount'

# Those that write nothing make and remove what the others use.
fresh
seq 60 | xargs -P 12 -I{} "$AFRUN" -q -C "$SRC" -p development -- \
	sh -c 'test $(({} % 3)) -ne 0 || echo {} >d/{}' >"$T/out" 2>&1
is "$? $(cat "$T/out")" '0 ' 'among those that write nothing'
is "$(cat "$SRC"/d/[0-9]* | sort -n | xargs)" "$(seq 3 3 60 | xargs)" 'none is lost either'
is "$(kept)" '' 'and no delta is left'
fresh
seq 60 | xargs -P 12 -I{} "$AFRUN" -q -C "$SRC" -p development -- true >"$T/out" 2>&1
is "$? $(cat "$T/out")" '0 ' 'where none writes'
check 'nothing at all is left' test ! -e "$SRC/.agentfense"

# N that all write one file before the first of them is merged.
N=10
all_written()
{
	[ "$(find "$SRC/.agentfense/deltas" -path '*/upper/f' -size +0 2>/dev/null | wc -l)" -eq "$N" ]
}
together()
{
	local script=$1 i pids=()
	shift
	fresh
	seq 100 >"$SRC/f"
	for ((i = 1; i <= N; i++)); do
		loud "$@" -- sh -ec "$script; until [ -e go ]; do sleep 0.1; done" "$i" 2>"$T/err.$i" &
		pids+=($!)
	done
	wait_for 30 all_written || diag 'not all have written'
	echo >"$SRC/go"
	wait "${pids[@]}"
}
# shellcheck disable=SC2016 # for the shell inside
one='echo "version $0" >f'
versions=$(seq -f 'version %.0f' "$N" | sort)

together "$one" --conflict both
is "$(cat "$SRC"/f "$SRC"/f.conflict-* | sort)" "$versions" '--conflict both: every version is there'
is "$(kept)" '' 'and no delta'
is "$(grep -hv 'waiting for another merge' "$T"/err.*)" '' 'and nobody complains'
together "$one" --conflict keep
is "$(kept | wc -l)" "$((N - 1))" '--conflict keep: the first is merged, the others are kept'
is "$(cat "$SRC/f" "$SRC"/.agentfense/deltas/*/upper/f | sort)" "$versions" 'every version is there'
is "$(cat "$T"/err.* | sed -n 's/.*the rest: kept in \([^;]*\);.*/\1/p' | sort)" "$(kept | sort)" \
	'and each is named'
for delta in $(kept); do
	[ "$("$AFSYNCD" -n "$delta" | cut -f 1,2)" = $'C\tf' ] || echo "$delta"
done >"$T/out"
is "$(cat "$T/out")" '' 'as a conflict'
# shellcheck disable=SC2016 # for the shell inside
together 'sed -i "$((10 * $0 - 5))s/.*/version $0/" f' --conflict merge
is "$(grep version "$SRC/f" | sort)" "$versions" '--conflict merge: all are in the file'
is "$(wc -l <"$SRC/f")" 100 'and nothing else has changed'
together "$one" --conflict lww
like "$(cat "$SRC/f")" '^version [0-9]+$' '--conflict lww: one of them is there'
is "$(kept)" '' 'and nothing is kept'
done_testing

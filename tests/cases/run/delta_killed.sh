#!/bin/bash
# Runs that are killed: the source is whole, what was written is kept, and found again.
. "$(dirname "$0")/../../lib.sh"
. "$(dirname "$0")/../../runlib.sh"
. "$(dirname "$0")/../../rundelta.sh"
need_sandbox

# victim NAME SCRIPT: kills that process of a run with SIGKILL when the script has written `here`.
victim()
{
	fresh
	start -q -- sh -c "$2; echo >here; sleep 60" 2>/dev/null
	wait_for 10 is_written here || diag 'nothing was written'
	kill -9 "$(process_named "$1")"
	wait "$RUN" 2>/dev/null
	delta=$(kept)
	wait_for 10 is_free "$delta" || diag 'somebody still has the delta'
}

for name in afrun agentfensefs bwrap; do
	victim "$name" 'echo x >>f; rm d/g'
	is "$(cat "$SRC/f" "$SRC/d/g")" $'one\ntwo' "$name killed: the source is whole"
	is "$("$AFSYNCD" -n "$delta" | cut -f 1,2)" $'D\td/g\nM\tf\nA\there' 'its delta is kept'
	check 'with no process' wait_for 10 af_no_process
	check 'and can be merged' "$AFSYNCD" -q "$delta"
	is "$(cat "$SRC/f")" $'one\nx' 'it is there'
done

# The next run names it.
victim afrun 'echo x >>f'
like "$(loud -v -- true 2>&1)" "1 delta of earlier runs kept in $SRC/.agentfense/deltas; .afsyncd -n $delta. shows" \
	'names it with -v'
is "$(loud -- true 2>&1)" '' 'and not in a script'
if command -v script >/dev/null; then
	export AFRUN SRC
	like "$(script -qec '"$AFRUN" -C "$SRC" -p development -- true' /dev/null </dev/null)" \
		"1 delta of earlier runs kept in .*afsyncd -n $delta. shows" 'but on a terminal'
	unlike "$(script -qec '"$AFRUN" -q -C "$SRC" -p development -- true' /dev/null </dev/null)" \
		'earlier' 'unless -q'
else
	skip 'on a terminal' 'script(1) is not installed'
fi
is "$(kept)" "$delta" 'and leaves it there'

# What was killed before it wrote is nobody's.
fresh
start -q -- sleep 60
is_up() { flock -n "$SRC"/.agentfense/deltas/*/meta/lock true 2>/dev/null; [ $? -eq 1 ]; }
check 'a run that writes nothing' wait_for 10 is_up
loud -v -- true 2>"$T/err"
is "$(cat "$T/err")" '' 'is nothing to speak of while it runs'
is "$(kept | wc -l)" 1 'and left alone'
kill -9 "$RUN"
wait "$RUN" 2>/dev/null
check 'nothing of it goes on' wait_for 10 af_no_process
is "$(kept | wc -l)" 1 'killed, it leaves a directory'
check 'and the next run' run -- true
check 'takes that away' test ! -e "$SRC/.agentfense"

# Killed while afsyncd waits for another merge, or merges.
contents()
{
	cat "$SRC"/d/[0-9]* | sort | uniq -c | sed 's/^ *//'
}
merging()
{
	fresh
	for ((i = 0; i < 300; i++)); do echo old >"$SRC/d/$i"; done
	check 'a merge before' run -- sh -c 'echo x >>f'
	exec 7<"$SRC/.agentfense/lock"
	flock 7
	start -q -- sh -c 'for i in d/[0-9]*; do echo new >$i; done' 2>"$T/err"
	merger=$(process_named afsyncd)
}
merging
kill -9 "$RUN"
wait "$RUN" 2>/dev/null
exec 7<&-
check 'afrun killed when it merges' wait_for 10 af_no_process
is "$(contents)" '300 new' 'the merge ends well'
check 'and the next run' run -- true
is "$(kept)" '' 'removes what that left'

merging
kill -9 "$RUN" "$merger"
wait "$RUN" 2>/dev/null
exec 7<&-
check 'both killed before it begins' wait_for 10 af_no_process
is "$(contents)" '300 old' 'the source is as it was'
check 'and can be merged' "$AFSYNCD" -q "$(kept)"
is "$(contents)" '300 new' 'into the new one'

merging
kill "$merger"
wait "$RUN"
is "$?" 0 "afsyncd alone is ended: the run's status is the command's"
like "$(cat "$T/err")" "^afrun: the merge was cut short; .* kept in $(kept);" 'and it is told'
exec 7<&-
is "$(contents)" '300 old' 'the source is as it was'
check 'merged by the next one' "$AFSYNCD" -q "$(kept)"
is "$(contents)" '300 new' 'it is there'

for ms in 020 060 120 200 300; do
	merging
	exec 7<&-
	sleep "0.$ms"
	kill -9 "$RUN" "$merger" 2>/dev/null
	wait "$RUN" 2>/dev/null
	wait_for 10 af_no_process || diag 'something goes on'
	is "$(contents | awk '{ n += $1 } /(old|new)$/ { ok += $1 } END { print n, ok }')" '300 300' \
		"killed after $ms ms of a merge: each file is old or new"
	[ -z "$(kept)" ] || "$AFSYNCD" -q "$(kept)"
	is "$(contents)" '300 new' 'and then new'
done
done_testing

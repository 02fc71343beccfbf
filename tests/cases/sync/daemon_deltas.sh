#!/bin/bash
# --daemon on deltas that are not as they should be, on sources that come and go, and on many of them.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/synclib.sh"
. "$ROOT/tests/daemonlib.sh"

JOURNALS=$BUILD/tests/journals
mkdir "$T/deltas" "$T/state" "$T/aside"
new_source 'echo 0 >a'
S1=$S
rows "$T/deltas/* $S1 state=$T/state"
serve

# passes: all that was there before has been looked at, once another delta is merged.
passes=0
passed()
{
	passes=$((passes + 1))
	S=$S1 sandbox "$T/deltas/next" "echo $passes >next"
	wait_for 5 holds "$S1/next" "$passes"
}
# told NAME TEXT: whether it is all, and said once, that was logged of the delta.
told() { is "$(grep -F "$T/deltas/$1:" "$log" | sed "s,^afsyncd: $T/deltas/$1: ,,")" "$2" "$3"; }
# move NAME: what was made aside comes to where it is seen.
move() { mv "$T/aside/$1" "$T/deltas/$1"; }

# ---- damaged ------------------------------------------------------------------------------------

for name in header empty torn lock version plain; do
	sandbox "$T/aside/$name" "echo $name >$name"
done
printf x | dd of="$T/aside/header/meta/log" bs=1 seek=1 conv=notrunc status=none
"$JOURNALS" dump "$T/aside/version/meta" log | sed '1s/ [0-9]*$/ 99/' >"$T/text"
"$JOURNALS" make "$T/aside/version/meta" log <"$T/text"
: >"$T/aside/empty/meta/log"
truncate -s -3 "$T/aside/torn/meta/log"
rm "$T/aside/lock/meta/lock"
mkdir -p "$T/aside/none/other"
for name in header empty torn lock version none; do
	move "$name"
done
check 'damaged deltas' passed
check '... of which one is torn at its end' said "$T/deltas/torn: $S1: 1 change merged"
check '... of one that is no delta it is told after a while' said "$T/deltas/none: not merged"
passed
told header 'not merged: meta/log: damaged' 'a damaged log is told, once'
told empty 'not merged: meta/log: damaged' 'an empty one'
told version 'not merged: meta/log: made by another version' 'another version'
told lock 'not merged: meta/lock: No such file or directory' 'no lock'
told none 'not merged: no delta: meta: No such file or directory' 'no delta at all'
like "$(grep "deltas/torn:" "$log" | head -n 1)" 'meta/log: its end is torn off' 'a torn log is told'
is "$(cd "$S1" && ls -d header empty lock version 2>/dev/null)" '' 'nothing of them is merged'

# ---- one in the place of another ----------------------------------------------------------------

move plain
check 'one that was made elsewhere' wait_for 5 holds "$S1/plain" plain
mv "$T/deltas/plain" "$T/aside/plain"
sandbox "$T/aside/second" 'echo second >second'
mv "$T/aside/second" "$T/deltas/plain"
check 'another one at its path' wait_for 5 holds "$S1/second" second
mount_fs -o "preset=full-access,delta=$T/deltas/plain" "$S1" "$T/mnt"
echo third >"$T/mnt/third"
umount_fs "$T/mnt"
check '... is watched' wait_for 5 holds "$S1/third" third

sandbox "$T/aside/dry" 'echo dry >dry' && move dry && wait_for 5 holds "$S1/dry" dry
S=$S1 sandbox "$T/aside/volatile" 'true'
rm -r "$T/aside/volatile"
mount_fs -o "preset=full-access,volatile,delta=$T/deltas/volatile" "$S1" "$T/mnt"
echo volatile >"$T/mnt/volatile"
umount_fs "$T/mnt"
check 'a volatile one' wait_for 5 holds "$S1/volatile" volatile
mount_fs -o "preset=full-access,volatile,delta=$T/deltas/volatile" "$S1" "$T/mnt"
echo again >"$T/mnt/volatile"
umount_fs "$T/mnt"
check '... again' wait_for 5 holds "$S1/volatile" again

# ---- sources ------------------------------------------------------------------------------------

new_source 'echo 2 >a'
S2=$S
sandbox "$T/aside/foreign" 'echo foreign >foreign' && move foreign
check 'one that was made on another source' passed
told foreign "not merged: it was made on another directory than $S1, on $S2; afsyncd DELTA SOURCE does it all the same" \
	'... is not merged, which is told once'
is "$(ls "$S1/foreign" "$S2/foreign" 2>/dev/null)" '' '... anywhere'
rows "$T/deltas/foreign $S2 state=$T/state2" "$T/deltas/* $S1 state=$T/state"
reload
check '... until the table says so' wait_for 5 holds "$S2/foreign" foreign

mv "$S2" "$S2.away"
S=$S2.away sandbox "$T/deltas/foreign" 'echo more >more'
check 'the source is not there' said "deltas/foreign: not merged: $S2: there is no such directory; waiting for it"
mv "$S2.away" "$S2"
check '... and when it is again' wait_for 8 holds "$S2/more" more

# ---- what fails ---------------------------------------------------------------------------------

rows "$T/deltas/foreign $S2 state=$T/file/state2" "$T/deltas/* $S1 state=$T/state"
touch "$T/file"
reload
S=$S2 sandbox "$T/deltas/foreign" 'echo failed >failed'
check 'a merge that fails' said "$T/deltas/foreign: into $S2: failed: $T/file/state2: it is no directory of ours"
sleep 0.2
is "$(grep -c "$T/deltas/foreign: into" "$log")" 1 '... is not tried again and again'
rm "$T/file"
mkdir "$T/file"
reload
check '... but at SIGHUP' wait_for 5 holds "$S2/failed" failed

# ---- many, and who waits ------------------------------------------------------------------------

# The state's lock is ours: whoever merges into that source waits.
exec 7>>"$T/state/lock"
flock 7
S=$S1
for i in $(seq 100); do
	sandbox "$T/deltas/many$i" "echo $i >many$i"
done
S=$S2 sandbox "$T/deltas/foreign" 'echo first >first'
check 'a source that is locked does not keep others waiting' wait_for 5 holds "$S2/first" first
is "$(cd "$S1" && ls -d many* 2>/dev/null)" "" '... its own wait'
exec 7>&-
all_there() { [ "$(cd "$S1" && cat many* 2>/dev/null | wc -l)" = 100 ]; }
check 'a hundred deltas' wait_for 20 all_there
check '... a line each' wait_for 5 eval '[ "$(grep -c "deltas/many.*: 1 change merged (" "$log")" = 100 ]'
is "$(grep -c waiting "$log")" 1 '... that they waited is none (but for the source above)'

# ---- the end ------------------------------------------------------------------------------------

exec 7>>"$T/state/lock"
flock 7
S=$S1 sandbox "$T/deltas/late" 'echo late >late'
merging() { pgrep -P "$daemon_pid" >/dev/null; }
wait_for 5 merging
kill -TERM "$daemon_pid"
sleep 0.3
check 'SIGTERM during a merge: it waits' kill -0 "$daemon_pid"
exec 7>&-
wait "$daemon_pid"
is "$?:$(cat "$S1/late")" '0:late' '... until that has ended'

serve
exec 7>>"$T/state/lock"
flock 7
S=$S1 sandbox "$T/deltas/late" 'echo later >late'
wait_for 5 merging
kill -TERM "$daemon_pid"
sleep 0.1
kill -TERM "$daemon_pid"
wait "$daemon_pid"
is "$?:$(cat "$S1/late")" '0:late' 'a second SIGTERM: the merge is to end as well'
check '... which is told' said "deltas/late: into $S1: ended by signal 15"
exec 7>&-
serve
check '... and made good by the next one' wait_for 5 holds "$S1/late" later
end_daemon

# Nobody reads what it says.
"$AFSYNCD" --daemon --table "$table" </dev/null 2>&1 | head -n 1 >"$log" &
wait_for 5 eval '[ -s "$log" ]'
S=$S1 sandbox "$T/deltas/late" 'echo unheard >late'
check 'nobody reads its messages: it goes on' wait_for 5 holds "$S1/late" unheard
daemon_pid=$(pgrep -f -- "--daemon --table $table\$")
kill "$daemon_pid"
wait_for 5 eval '! kill -0 "$daemon_pid" 2>/dev/null'

# ---- no watches ---------------------------------------------------------------------------------

# The number of watches is a user namespace's own.
if unshare -Ur true 2>/dev/null; then
	S=$S1
	for i in $(seq 20); do
		sandbox "$T/deltas/few$i" "echo $i >few$i"
	done
	: >"$log"
	unshare -Ur sh -c 'echo 20 >/proc/sys/user/max_inotify_watches && exec "$@"' - \
		"$AFSYNCD" --daemon --table "$table" 2>"$log" </dev/null &
	daemon_pid=$!
	few_there() { [ "$(cd "$S1" && cat few* 2>/dev/null | wc -l)" = 20 ]; }
	check 'more directories than can be watched' wait_for 10 few_there
	check '... which is told, and what to do' said 'max_user_watches: from now on all is looked at every 2 s'
	sandbox "$T/deltas/few20" 'echo more >>few20'
	check '... and they are looked at' wait_for 8 eval '[ "$(tail -n 1 "$S1/few20")" = more ]'
	is "$(grep -c max_user_watches "$log")" 1 '... once'
	end_daemon
else
	skip 'more directories than can be watched' 'no user namespaces'
fi

done_testing

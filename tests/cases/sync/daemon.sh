#!/bin/bash
# --daemon: deltas are merged as their mounts end, by watching; what it says, and how it is told what to do.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/synclib.sh"
. "$ROOT/tests/daemonlib.sh"

# How often a process has gone to sleep.
work_of() { awk '/^voluntary_ctxt_switches/ { print $2 }' "/proc/$1/status"; }

mkdir "$T/deltas" "$T/state"
new_source 'echo 0 >a; echo 0 >b'
S1=$S
rows "$T/deltas/* $S1 state=$T/state"

# One that is there at the start, one that comes, one that is mounted.
sandbox "$T/deltas/early" 'echo early >early'
mount_fs -o "preset=full-access,delta=$T/deltas/busy" "$S1" "$T/busy"
echo busy >"$T/busy/busy"
serve
check 'what ended before it began is merged' wait_for 5 holds "$S1/early" early
check 'it says how many rows it has' said "^afsyncd: $table: 1 rows\$"
check 'a line a merge' said "^afsyncd: $T/deltas/early: $S1: 1 change merged \(.*\)\$"
is "$(sed -n 's/.*early: .*(\(.*\))$/\1/p' "$log")" "$("$AFSYNCD" --history --state "$T/state" "$S1" | awk 'NR == 1 { print $1 }')" \
	'... with its name in the history'
sandbox "$T/deltas/late" 'echo late >late'
check 'a delta that comes later' wait_for 2 holds "$S1/late" late
[ ! -e "$S1/busy" ] && [ -e "$T/deltas/busy/upper/busy" ]
ok $? 'what is mounted is not merged'
before=$(date +%s%N)
umount_fs "$T/busy"
check 'when its mount ends it is' wait_for 2 holds "$S1/busy" busy
took=$((($(date +%s%N) - before) / 1000000))
[ "$took" -lt 2000 ]
ok $? "... soon ($took ms)"
said "$T/deltas/busy:"
is "$(grep -c "$T/deltas/busy:" "$log")" 1 '... and once'
sandbox "$T/deltas/late" 'echo later >late'
check 'a delta that is used again' wait_for 2 holds "$S1/late" later

# The mount's process is killed: nobody says good-bye.
mount_fs -o "preset=full-access,delta=$T/deltas/killed" "$S1" "$T/mnt"
echo killed >"$T/mnt/killed"
kill -KILL "$(daemon_of "$T/mnt")"
check 'a killed mount ends as well' wait_for 2 holds "$S1/killed" killed
umount_fs "$T/mnt"

# It sleeps when there is nothing to do.
wait_for 5 eval '[ "$(work_of "$daemon_pid")" = "$(sleep 0.3; work_of "$daemon_pid")" ]'
before=$(work_of "$daemon_pid")
sleep 1
is "$(work_of "$daemon_pid")" "$before" 'nothing to do: it does not even wake up'

# What stays is tried once, and again when the delta has changed.
rows "$T/deltas/* $S1 state=$T/state,conflict=keep"
kill -HUP "$daemon_pid"
check 'SIGHUP: the table is read again' said "^afsyncd: $table: read again: 1 rows\$"
mount_fs -o "preset=full-access,delta=$T/deltas/keep" "$S1" "$T/mnt"
echo ours >"$T/mnt/a"
echo ours >"$T/mnt/c"
echo theirs >"$S1/a"
umount_fs "$T/mnt"
check 'what stays is told' said "^afsyncd: $T/deltas/keep: $S1: 1 change merged, 1 left \(.*\); a: conflict: "
is "$(cat "$S1/a" "$S1/c" | paste -sd ' ')" 'theirs ours' '... and is not merged'
sleep 0.5
is "$(grep -c "$T/deltas/keep:" "$log")" 1 '... once' || diag "$(cat "$log")"
sandbox "$T/deltas/keep" 'echo ours >d'
check '... and again when there is more' wait_for 2 holds "$S1/d" ours
check 'what is held back' sandbox "$T/deltas/held" 'mkdir .vscode; echo x >.vscode/tasks.json; echo x >e'
check '... stays as well' said "^afsyncd: $T/deltas/held: .*2 left \(.*\); .*held back"
[ ! -e "$S1/.vscode/tasks.json" ] && [ -e "$S1/e" ]
ok $? '... and only that'

# A damaged one is nothing to the others.
sandbox "$T/deltas/keep" 'echo more >f'
wait_for 2 holds "$S1/f" more
mkdir -p "$T/deltas/bad/meta" "$T/deltas/bad/upper" "$T/deltas/bad/work" "$T/deltas/empty" "$T/deltas/odd/meta/log"
cp "$T/deltas/keep/meta/log" "$T/deltas/bad/meta/log"
: >"$T/deltas/bad/meta/lock"
printf x | dd of="$T/deltas/bad/meta/log" bs=1 seek=20 conv=notrunc status=none
touch "$T/deltas/file"
sandbox "$T/deltas/good" 'echo good >good'
check 'bad deltas beside a good one' wait_for 2 holds "$S1/good" good
rm -r "$T/deltas/bad" "$T/deltas/empty" "$T/deltas/odd"
sandbox "$T/deltas/gone" 'echo gone >gone'
# Not before the merge has ended: who takes a delta away from under it makes its end a failure.
check 'a delta is merged' said "^afsyncd: $T/deltas/gone: $S1: 1 change merged"
rm -r "$T/deltas/gone"
sandbox "$T/deltas/gone" 'echo again >gone'
check 'a delta removed and made again' wait_for 2 holds "$S1/gone" again || { diag "$(cat "$log")"; sleep 5; diag "later $(cat "$S1/gone"; tail -n 2 "$log")"; }

# Rows that come and go.
mkdir "$T/wrong"
new_source 'echo 0 >a'
S2=$S
rows "# a comment" "" "$T/other*/deep/*	$S2   state=$T/state2   # another" 'relative /x' "/only" \
	"$T/x $S2 conflict=perhaps" "$T/x $S2 colour=red" "$T/x $S2 undo-keep=-1" "$T/x $S2 no-hold=1" \
	"$T/x $S2 policy" "$T/x $S2 a b" "$T/../x $S2" "$T/x/ $S2 hold=*.o,no-hold" "$T/x $S2 conflict=lww,conflict=both" \
	"$T/x $S2 state=relative" "$T/x $S2 rule=perhaps:/a" "$T/other*/deep/* $S2" "/ $S2" "$T/with\\040blank/* $S2 state=$T/state2,defaults" \
	"$T/sharp#sharp/* $S2 state=$T/state2,no-hold,exclude=*.o,undo-keep=1"
kill -HUP "$daemon_pid"
check 'bad rows are left out' said "^afsyncd: $table: read again: 3 rows\$"
is "$(grep "^afsyncd: $table:[0-9]" "$log" | sed "s,^afsyncd: $table:,,;s,$T,T,g;s,: .*,,")" "$(seq 4 18)" \
	'... each with its line'
check '... and why' said "^afsyncd: $table:6: perhaps: not lww, keep, both, fail or merge\$"
S=$S1
sandbox "$T/deltas/late" 'echo unseen >unseen'
S=$S2
mkdir -p "$T/other1/deep" "$T/with blank" "$T/sharp#sharp"
sandbox "$T/other1/deep/delta" 'echo 1 >one'
check 'directories of the pattern that come later' wait_for 2 holds "$S2/one" 1
sandbox "$T/with blank/delta" 'echo 1 >two'
check '\040 in a row' wait_for 2 holds "$S2/two" 1
sandbox "$T/sharp#sharp/delta" 'mkdir .vscode; echo 1 >.vscode/tasks.json; echo 1 >x.o; echo 1 >three'
check '# within a word' wait_for 2 holds "$S2/three" 1
is "$(cat "$S2/.vscode/tasks.json"):$(ls "$S2/x.o" 2>/dev/null)" 1: '... and the options of a row'
[ ! -e "$S1/unseen" ]
ok $? 'a row that is gone is'
mv "$table" "$table.old"
kill -HUP "$daemon_pid"
check 'a table that cannot be read' said "^afsyncd: $table: No such file or directory\$"
sandbox "$T/with blank/delta" 'echo 2 >two'
check '... leaves the old one' wait_for 2 holds "$S2/two" 2
end_daemon

# Without a table it does not begin.
STATE=()
afsync --daemon --table "$table"
is "$STATUS" 2 'no table: 2'
like "$ERR" "^afsyncd: $table: No such file or directory\$" '... and why'
is "$OUT" '' '... on standard error'

# Without --table it is the system's.
if is_root; then
	rows "/nonexistent/* $S1"
	serve_etc()
	{
		mount -t tmpfs tmpfs /etc && mkdir /etc/agentfense &&
			cp "$table" /etc/agentfense/afsyncd.tab && exec timeout --preserve-status 1 "$AFSYNCD" --daemon
	}
	export -f serve_etc
	export table AFSYNCD
	unshare -m bash -c serve_etc 2>"$log"
	is $? 0 'without --table it serves'
	check '... /etc/agentfense/afsyncd.tab' said '^afsyncd: /etc/agentfense/afsyncd.tab: 1 rows$'
fi

# Many at once.
S=$S1
rows "$T/deltas/* $S1 state=$T/state"
for i in $(seq 60); do
	mkdir "$T/many$i"
	mount_fs -o "preset=full-access,delta=$T/deltas/many$i" "$S1" "$T/many$i"
	echo "$i" >"$T/many$i/many$i"
done
serve
for i in $(seq 60); do
	umount "$T/many$i" 2>/dev/null || fusermount3 -u "$T/many$i"
done
all_there() { [ "$(cd "$S1" && cat many* 2>/dev/null | wc -l)" = 60 ]; }
check 'sixty mounts that end at once' wait_for 20 all_there
check '... a line each' wait_for 5 eval '[ "$(grep -c "deltas/many.*: 1 change merged (" "$log")" = 60 ]'
kill -INT "$daemon_pid"
wait "$daemon_pid"
is $? 0 'it ends at SIGINT with 0'

# A service manager is told.
listen()
{
	python3 - "$1" "$2" <<-'EOT' &
	import socket, sys
	s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	name = sys.argv[1]
	s.bind("\0" + name[1:] if name[0] == "@" else name)
	out = open(sys.argv[2], "w", buffering=1)
	s.settimeout(20)
	out.write("bound\n")
	while True:
	    text = s.recv(4096).decode()
	    out.write(text.replace("\n", " ") + "\n")
	    if text == "STOPPING=1":
	        break
	EOT
	listener=$!
	wait_for 5 grep -qs bound "$2"
}
for name in "$T/notify" "@agentfense-test-$$"; do
	rm -f "$T/told"
	listen "$name" "$T/told"
	export NOTIFY_SOCKET=$name
	serve
	check "READY=1 to ${name%%[-/]*}" wait_for 5 grep -qx READY=1 "$T/told"
	kill -HUP "$daemon_pid"
	wait_for 5 eval '[ "$(grep -cx READY=1 "$T/told")" = 2 ]'
	end_daemon
	wait "$listener"
	unset NOTIFY_SOCKET
	is "$(sed 's/USEC=[0-9]*/USEC=N/' "$T/told" | paste -sd,)" \
		'bound,READY=1,RELOADING=1 MONOTONIC_USEC=N,READY=1,STOPPING=1' '... all of it'
done

done_testing

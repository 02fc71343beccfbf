#!/bin/bash
# --channel: a directory that those sandboxes share that name it. Files, FIFOs and sockets; its size; its
# end with its last user, or not; --status, --stop and --list.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/runlib.sh"
. "$ROOT/tests/sessionlib.sh"
need_sandbox

status()
{
	"$AFRUN" --channel "$1" --status "${@:2}"
}

# What the state of channel $1 says of $2.
state()
{
	status "$1" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$2"
}

has_users()
{
	[ "$(state "$1" users 2>/dev/null)" = "$2" ]
}

no_channel()
{
	[ ! -e "$XDG_RUNTIME_DIR/afrun" ]
}

# A sandbox on channel $1 that waits until the file "end" is in it: $RUN is its pid.
hold()
{
	start_run --channel "$1" -- sh -c 'until [ -e "/run/channel/$1/end" ]; do sleep 0.02; done' - "$1" "${@:2}"
}

let_go()
{
	run --channel "$1" -- touch "/run/channel/$1/end"
	wait "$RUN"
}

# ---- one sandbox
is "$(run -- sh -c 'ls -d /run/channel 2>&1' | grep -c channel$)" 0 'without --channel there is no directory'
is "$(run --channel a -- sh -c 'cd /run/channel && stat -c %a . a && ls')" $'755\n777\na' 'a directory by the name'
check 'gone with its user' no_channel
is "$(run --channel a -- ls -A /run/channel/a)" '' 'and it is a new one then'
is "$(run --channel a --channel b,size=4M --channel a -- ls /run/channel)" $'a\nb' 'several, one of them twice'
check 'all gone' no_channel
is "$(run --channel a -- sh -c 'exit 5'; echo $?)" 5 "the command's status"

# ---- two of them
hold two
check 'a user is counted' wait_for 10 has_users two 1
run --channel two -- sh -c 'umask 077; cd /run/channel/two; echo hello >file; mkdir dir; echo x >dir/deep; mkfifo fifo'
check 'what one has left stays while another is there' \
	run --channel two -- sh -c 'cd /run/channel/two; test "$(cat file)" = hello && echo more >>file && echo y >dir/deep'
is "$(run --channel two -- cat /run/channel/two/file)" $'hello\nmore' 'and each may change it'
check 'a file may be removed by another' run --channel two -- rm /run/channel/two/dir/deep
(run --channel two -- sh -c 'echo through >/run/channel/two/fifo') &
is "$(timeout 20 "$AFRUN" ${DIRECT:+"$DIRECT"} -q -C "$SRC" --channel two -- cat /run/channel/two/fifo)" through 'a FIFO'
wait $!
cat >"$SRC/server.py" <<'EOF'
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
os.umask(0o77)
s.bind("/run/channel/two/socket")
s.listen()
c, _ = s.accept()
c.sendall(b"answer to " + c.recv(100))
EOF
cat >"$SRC/client.py" <<'EOF'
import socket
s = socket.socket(socket.AF_UNIX)
s.connect("/run/channel/two/socket")
s.sendall(b"question")
print(s.recv(100).decode())
EOF
start_other=$RUN
start_run --channel two -- python3 server.py
server=$RUN
RUN=$start_other
wait_for 10 run --channel two -- test -S /run/channel/two/socket
is "$(timeout 20 "$AFRUN" ${DIRECT:+"$DIRECT"} -q -C "$SRC" --channel two -- python3 client.py)" 'answer to question' \
	'a socket, though each has a network of its own'
wait "$server"
run --channel two -- sh -c '
	cd /run/channel/two; exec 9>lock; flock 9; touch locked; until [ -e tried ] || [ -e end ]; do sleep 0.02; done' &
locker=$!
wait_for 10 run --channel two -- test -e /run/channel/two/locked
refute 'a lock is seen by the other, so flock(1) can be used' run --channel two -- flock -n /run/channel/two/lock true
run --channel two -- touch /run/channel/two/tried
wait "$locker"
if is_root; then
	check 'root for another user, on what root has left' run -u nobody --channel two -- sh -c '
		cd /run/channel/two; echo nobody >>file && echo x >nobodys && mkdir nobodys.d'
	check 'and the other way' run --channel two -- sh -c '
		cd /run/channel/two; echo more >>nobodys && touch nobodys.d/x && rm -r nobodys nobodys.d'
	is "$(run --channel two -- stat -c %u:%g /run/channel/two/fifo)" 0:0 "each of root's runs is the owner"
else
	skip 3 'only root chooses the user'
fi
is "$(run --channel other -- ls -A /run/channel/other)" '' 'another name is another directory'
check 'its user is still there' kill -0 "$RUN"
let_go two
check 'gone with the last' no_channel

# ---- its size
is "$(run --channel s,size=1M -- sh -c 'stat -f -c "%b %S" /run/channel/s' | awk '{ print $1 * $2 }')" 1048576 'size='
like "$(run --channel s,size=1M -- sh -c 'head -c 2M /dev/zero >/run/channel/s/big' 2>&1)" 'No space left' 'more does not fit'
like "$(run --channel s,size=64K -- sh -c 'for i in $(seq 200); do mkdir /run/channel/s/$i || exit; done' 2>&1)" \
	'No space left' 'nor any number of names'
is "$(run --channel s -- sh -c 'stat -f -c "%b %S" /run/channel/s' | awk '{ print $1 * $2 }')" 67108864 'the usual size'

# ---- kept
check 'keep' run --channel k,keep -- sh -c 'echo left >/run/channel/k/file'
is "$(state k users) $(state k kept)" '0 True' 'it stays'
like "$(status k)" $'^k\tchannel\t[0-9]+\t[0-9-]+T[0-9:]+\t0 users, [0-9]+ of 65536 KiB, kept$' '--status'
is "$(run --channel k -- cat /run/channel/k/file)" left 'with what is in it'
like "$("$AFRUN" --list)" $'^k\tchannel\t' '--list'
is "$("$AFRUN" --list --json | python3 -c 'import json, sys; print([c["channel"] for c in json.load(sys.stdin)])')" "['k']" \
	'--list --json'
check '--stop' "$AFRUN" --channel k --stop
check 'ends it' no_channel
like "$("$AFRUN" --channel k --stop 2>&1; echo $?)" $'^afrun: channel: k: there is none\n125$' 'once'
hold k,keep
check 'one that is in use' wait_for 10 has_users k 1
kill "$RUN"
wait "$RUN"
check 'is kept when its user was killed' has_users k 0
hold k
wait_for 10 has_users k 1
check '--stop while it is used' "$AFRUN" --channel k --stop
check 'leaves it to its users' has_users k 1
let_go k
check 'and it ends with them' no_channel

# ---- ends
hold e
wait_for 10 has_users e 1
kill -9 "$RUN"
wait "$RUN" 2>/dev/null
check 'afrun killed: no user any more' wait_for 10 no_channel
hold e
wait_for 10 has_users e 1
holder=$(state e pid)
err=$T/err
exec 3>&2 2>"$err"
hold f
exec 2>&3 3>&-
wait_for 10 has_users f 1
f=$(state f pid)
kill -9 "$f"
wait "$RUN"
is $? 125 'its holder killed: the sandbox ends'
like "$(cat "$err")" 'channel: the process that holds it ended' 'and that is said'
check 'a new one has the name then' run --channel f -- true
kill "$holder"
check 'and the one that was in use is swept' wait_for 10 no_channel

# One whose holder does not answer is not waited for without end.
hold g
wait_for 10 has_users g 1
holder=$(state g pid)
kill -STOP "$holder"
is "$(run --channel g -- true 2>&1; echo $?)" \
	$'afrun: --channel: g: somebody holds its name and does not answer\n125' 'a holder that is stopped'
kill -CONT "$holder"
let_go g
check 'gone with its user' no_channel

# ---- many at once
for i in $(seq 20); do
	run --channel many -- sh -c 'exec 9>/run/channel/many/lock; flock 9; echo x >>/run/channel/many/log; wc -l </run/channel/many/log' &
	pids[i]=$!
done >"$T/many"
hold many
wait "${pids[@]}"
is "$(wc -l <"$T/many")" 20 'twenty come and go at once'
let_go many
check 'gone' no_channel

# ---- a session
start_session job --channel talk
says job 'echo $PWD; ls /run/channel; echo word >/run/channel/talk/w' $'/workspace\ntalk' 'a session has channels'
is "$(run --channel talk -- cat /run/channel/talk/w)" word 'shared with a run'
like "$(text job 'true' 2>&1; "$AFRUN" -S job --channel x -c true 2>&1)" "--channel: belongs to the session's --start" 'a text has none'
kill -9 "$(state talk pid)"
no_session()
{
	! "$AFRUN" -S job --status >/dev/null 2>&1
}
check 'its holder killed: the session ends' wait_for 10 no_session
check 'nothing is left' wait_for 10 no_channel

# ---- refused
refused()
{
	local message
	message=$("$AFRUN" "${@:2}" 2>&1 </dev/null)
	is "$? $message" "125 afrun: $1" "refused: ${*:2}"
}
refused '--channel: a/b: a name has 1 to 64 of A-Z a-z 0-9 . _ -, and begins with no dot or dash' --channel a/b -- true
refused '--channel: : a name has 1 to 64 of A-Z a-z 0-9 . _ -, and begins with no dot or dash' --channel '' -- true
refused '--channel: ..: a name has 1 to 64 of A-Z a-z 0-9 . _ -, and begins with no dot or dash' --channel .. -- true
refused '--channel: a: size=0: not keep, nor size= and a size such as 16M' --channel a,size=0 -- true
refused '--channel: a: kept: not keep, nor size= and a size such as 16M' --channel a,kept -- true
refused '--channel: --status and --stop are of one, and run no command' --channel a --channel b --stop
refused '--channel: --status and --stop are of one, and run no command' --channel a --status true
refused "--preset: has no meaning with a channel's --status or --stop" --channel a -p read --stop
like "$("$AFRUN" -C "$SRC" --channel a --dry-run -- true)" 'channel\.a is a tmpfs.*' '--dry-run shows it'
like "$("$AFRUN" -C "$SRC" --channel a --dry-run -- true)" '--bind [^ ]*/channel\.a /run/channel/a ' 'and where it is bound'
check 'and makes none' no_channel
done_testing

#!/bin/bash
# afrun -S NAME --merge: what a session has written is merged while it lives, and what is open there, or
# where it stands, goes on. So is a mount of its own held (agentfensefs hold_fd).
# shellcheck disable=SC2016 # the shell inside expands
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/runlib.sh"
. "$ROOT/tests/sessionlib.sh"
need_sandbox
mkdir "$SRC/sub"
echo one >"$SRC/a"
echo read >"$SRC/r"

merge()
{
	timeout 60 "$AFRUN" -S "$1" --merge </dev/null
}

DIRECT=
start_session job
exits job 'mkdir new; cd new; echo n >n; echo two >../a; mv ../r ../moved; rm -r ../sub; exec 7>>held 8<../a 6<>../both; echo l1 >&7; echo b1 >&6' \
	0 'a text'
is "$(cat "$SRC/a")" one 'the source is as it was'
check 'it is merged' merge job
is "$(cat "$SRC"/{a,moved,both,new/n,new/held})" $'two\nread\nb1\nn\nl1' 'all of it is in the source'
refute 'what was removed is gone' ls -d "$SRC/sub" "$SRC/r"
is "$(timeout 60 "$AFRUN" -S job --diff)" '' 'and no longer in the delta'

# ---- what goes on
says job 'pwd; ls; cat n' $'/workspace/new\nheld\nn\nn' 'the directory that it made, and where it stands'
says job 'echo l2 >&7; echo b2 >&6; cat held ../both; cat <&8' $'l1\nl2\nb1\nb2\ntwo' 'open files are read and written'
is "$(cat "$SRC"/{new/held,both})" $'l1\nb1' 'and what is written is not the source'"'"'s yet'
check 'it is merged again' merge job
is "$(cat "$SRC"/{new/held,both})" $'l1\nl2\nb1\nb2' '... until then'
echo outside >"$SRC/a"
is "$(text job 'sleep 1.2; cat ../a')" outside 'what others write is seen, since the delta has no copy'
check 'with nothing to merge' merge job
exits job 'exec 7>&- 6>&-; echo three >>n; ln n n2; rm n; ln -s n2 l' 0 'a text'
check 'names' merge job
is "$(cd "$SRC/new" && ls && cat l)" $'held\nl\nn2\nn\nthree' 'names are merged'
exits job 'echo x >gone; exec 7<>gone; rm gone; echo y >&7' 0 'a file that has no name is open'
check 'merged beside it' merge job
says job 'cat /proc/self/fd/7; echo z >&7; cat <&7; exec 7>&-' $'y' 'it goes on'
exits job 'echo x >one; ln one other; sleep 1; exec 7>>one; rm one' 0 'a file is open by a name that it has no more'
is "$(merge job 2>&1; echo $?)" "afrun: session: job: it cannot be merged now: it ends, writes to the source itself (--direct), or has a file open of which a name was removed"$'\n125' \
	'that cannot be merged'
exits job 'echo x >&7; exec 7>&-' 0 'until it is closed'
check 'then it can' merge job
is "$(cat "$SRC/new/other")" $'x\nx' 'and is whole'

# ---- beside what runs
exits job '(while :; do echo tick >>../ticks; echo tick >../last; mkdir -p d/e; mv d/e d/f; rm -r d; done) >/dev/null 2>&1 & echo $! >/tmp/busy' 0 'a job that never rests'
for _ in 1 2 3 4 5 6 7 8; do
	merge job 2>"$T/err" || break
done
is "$? $(cat "$T/err")" '0 ' 'is merged again and again'
exits job 'kill %1; wait %1 2>/dev/null; true' 0 'it ends'
check 'the rest' merge job
is "$(text job 'wc -l <../ticks')" "$(wc -l <"$SRC/ticks")" 'none of its writes is lost'
is "$(sort -u "$SRC/ticks")" tick '... or broken'
"$AFRUN" -S job -c 'sleep 1; echo done >../late' </dev/null &
wait_for 10 eval '[ "$("$AFRUN" -S job --status | cut -f 2)" = running ]'
check 'a text that runs is waited for' merge job
wait "$!"
is "$(cat "$SRC/late")" 'done' 'and merged'

# ---- conflicts stay
stop_session job
start_session keep --conflict keep
exits keep 'echo mine >a; echo new >b; exec 7>>a; echo more >&7' 0 'a text'
sleep 0.05
echo theirs >"$SRC/a"
is "$(merge keep 2>&1; echo $?)" $'afrun: session: keep: not all could be merged; `afrun -S keep --diff` shows the rest\n1' \
	'a conflict'
is "$(cat "$SRC/a" "$SRC/b")" $'theirs\nnew' 'the rest is merged'
says keep 'echo last >&7; cat a; cat b' $'mine\nmore\nlast\nnew' 'and what is not stays, open as it is'
stop_session keep 2>/dev/null
is "$(cat "$SRC/a")" theirs 'until its end'
rm -rf "$SRC/.agentfense/deltas"

# ---- limits, refusals
start_session small --delta-size 300K
exits small 'head -c 200000 /dev/zero >big1' 0 'a delta of bounded size'
exits small 'head -c 200000 /dev/zero >big2' 1 'is full'
check 'is merged' merge small
exits small 'head -c 200000 /dev/zero >big3; rm -f big2' 0 'and has room again'
exits small 'head -c 200000 /dev/zero >big4' 1 '... as much as it had'
stop_session small 2>/dev/null
rm -f "$SRC"/big*
DIRECT=--direct
start_session straight
like "$(merge straight 2>&1)" 'writes to the source itself' '--direct has nothing to merge'
stop_session straight
DIRECT=
like "$(merge none 2>&1)" 'there is none' 'no such session'
is "$(timeout 60 "$AFRUN" -S x --merge -- true 2>&1 </dev/null; echo $?)" \
	$'afrun: true: --status, --diff, --merge, --stop and --list run no command\n125' 'it runs nothing'

# ---- killed
start_session cut
exits cut 'for i in $(seq 300); do echo $i >f$i; done; exec 7>>f1' 0 'many files'

"$AFRUN" -S cut --merge </dev/null >/dev/null 2>&1 &
asker=$!
kill -9 "$asker"
wait "$asker" 2>/dev/null
says cut 'echo on >&7; cat f1' $'1\non' 'whoever asked is killed, and it goes on'
check 'merged' merge cut
is "$(cat "$SRC/f1" "$SRC/f300")" $'1\non\n300' 'all of it'
server=$(timeout 60 "$AFRUN" -S cut --status | cut -f 3)
exits cut 'echo end >f2' 0 'a text'
kill -9 "$server"
check 'a server that is killed leaves nothing' wait_for 20 eval '! pgrep -f "agentfensefs.*hold_fd" >/dev/null'
done_testing

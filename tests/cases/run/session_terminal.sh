#!/bin/bash
# Sessions on a terminal: a text there has one of its own, with job control; without a text it is an
# interactive shell, of the same state. Typed and read through tmux(1), as a person would.
# shellcheck disable=SC2016 # the shells inside expand
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/runlib.sh"
. "$ROOT/tests/sessionlib.sh"
. "$ROOT/tests/tmuxlib.sh"
command -v tmux >/dev/null || skip_all 'tmux is not installed'
need_sandbox

wipe()
{
	tmux_ send-keys -t job -R
	types "$1" 'a clean screen' C-l
}

start_session job
tmux_ new-session -d -s job -x 77 -y 33 "env PS1='outside% ' TERM=screen bash --norc --noprofile +o history"
wait_for 20 shows 'outside%'
ok $? 'a terminal'

# ---- a text
types '/dev/pts/[0-9]+ 33 77' 'a text has a terminal, of the right size' '"$AFRUN" -S job -c "echo \$(tty) \$(stty size)"' Enter
types 'name\? hi joe' 'it asks and is answered' \
	'"$AFRUN" -S job -c "read -p \"name? \" n; echo name? hi \$n" 2>/dev/null' Enter joe Enter
wipe 'outside%'
tmux_ send-keys -t job '"$AFRUN" -S job -c "trap : INT; echo begun; sleep 100"; echo status $?' Enter
wait_for 20 shows begun
types '(\^C)?status 130' 'Ctrl-C interrupts its command' C-c
wipe 'outside%'
tmux_ send-keys -t job '"$AFRUN" -S job -c "trap - INT; echo begun; while :; do :; done"; echo status $?' Enter
wait_for 20 shows begun
types '(\^C)?status 130' 'Ctrl-C interrupts the shell itself' C-c
wipe 'outside%'
tmux_ send-keys -t job '"$AFRUN" -S job -c "echo begun; sleep 101; echo stopped \$?"; echo status $?' Enter
wait_for 20 shows begun
types 'status 0' 'Ctrl-Z stops its command, and the text goes on' C-z
types '\[1\][+ ]*Stopped *sleep 101' 'which is a job then' '"$AFRUN" -S job -c jobs' Enter
types 'sleep 101' 'that fg brings back on another terminal' '"$AFRUN" -S job -c fg; echo left $?' Enter
types '(\^C)?left 130' 'and Ctrl-C ends' C-c

# ---- an interactive shell
wipe 'outside%'
types '/workspace[#$]' 'without a text it is interactive' '"$AFRUN" -S job; echo left $?' Enter
types 'v=1 w=two' 'commands of several lines' 'v=1' Enter 'for i in two' Enter 'do w=$i; done; echo v=$v w=$w' Enter
types '/workspace/output[#$]' 'the prompt tells where' 'cd output' Enter
tmux_ send-keys -t job 'echo begun; sleep 102' Enter
wait_for 20 shows begun
types '\^?C?/workspace/output[#$]' 'Ctrl-C' C-c
types 'status 130' 'its status' 'echo status $?' Enter
types '.*syntax error near.*' 'a mistake' 'echo )' Enter
types 'still 2' 'ends nothing' 'echo still $?' Enter
types 'again 2' 'the last line again, and changed' Up Home C-k 'echo again 2' Enter
types 'abc' 'an editor' 'vi -u NONE new' Enter i abc Escape
tmux_ send-keys -t job ':wq' Enter
wait_for 10 is_there output/new
types 'abc' 'that has written' Enter 'cat new' Enter
types 'left 5' 'exit leaves it' 'exit 5' Enter
says job 'pwd; echo $v $w; cat new; echo $-' $'/workspace/output\n1 two\nabc\nhBc' 'the session has its state'
types '/workspace/output[#$]' 'interactive again' '"$AFRUN" -S job; echo left $?' Enter
types 'left 1' 'Ctrl-D leaves it' 'false' Enter C-d
types 'echo' "the caller's terminal is as before" 'stty -a | grep -ow echo' Enter

# ---- hanging up
types '/workspace/output[#$]' 'interactive again' '"$AFRUN" -S job' Enter
types '\[1\] [0-9]+' 'with a job' 'sleep 103 &' Enter
tmux_ kill-server
wait_for 20 eval '"$AFRUN" -S job --status | grep -q idle'
ok $? 'a terminal that is gone ends the text'
says job 'echo alive; pwd' $'alive\n/workspace/output' 'and not the session'
is "$(stop_session job; cat "$SRC/output/new")" abc 'it is merged'
wait_for 20 af_no_process
ok $? 'nothing is left'
done_testing

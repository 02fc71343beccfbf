#!/bin/bash
# A session is one real shell: what stays between texts, what a text may do without ending it, how it
# ends, and whose descriptors it has.
# shellcheck disable=SC2016 # the shell inside expands
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/runlib.sh"
. "$ROOT/tests/sessionlib.sh"
need_sandbox
mkdir "$SRC/sub"

check 'it starts' start_session job
is "$(start_session job 2>&1)" 'afrun: session: job: it lives already; `afrun -S job --status` shows it' \
	'a name is given once'

# ---- what stays
exits job 'cd sub; export A=1; plain=2; arr=(x "y z"); f() { echo f:$A:$plain; }; set -f; umask 027' 0 'a text'
says job 'pwd' /workspace/sub 'the directory stays'
says job 'echo "$A $plain ${arr[1]}"; printenv A' $'1 2 y z\n1' 'variables'
says job 'f' 'f:1:2' 'functions'
says job 'echo *; umask; set +f' $'*\n0027' 'options and umask'
exits job 'shopt -s expand_aliases nullglob; alias hi="echo hello"' 0 'a text with an alias'
says job 'hi; echo [x]*' hello 'aliases and shell options'
exits job 'trap "echo trapped" USR1; exec 7>/tmp/seven; readonly R=1; declare -A h=([k]=v)' 0 'a text with a trap'
says job 'kill -USR1 $$; echo seven >&7; cat /tmp/seven; echo ${h[k]}' $'trapped\nseven\nv' \
	'traps, descriptors, arrays'
says job 'false' '' 'a text that fails'
says job 'echo $?' 1 'its status is the next one'"'"'s $?'
exits job 'sleep 300 >/dev/null 2>&1 & echo $! >/tmp/sleep' 0 'a text starts a job'
says job 'jobs -r | sed "s/  */ /g"; kill -0 $(</tmp/sleep) && echo lives' \
	$'[1]+ Running sleep 300 > /dev/null 2>&1 &\nlives' 'jobs go on'
says job 'kill %1; wait %1; echo $?' 143 'and are waited for'
says job 'history | wc -l; echo $-' $'0\nhBc' 'no history, no odd options'

# ---- nothing ends it but itself
exits job 'exit 3; echo no' 3 'exit'
says job 'exit 4 | cat; (exit 5); echo $?' 5 'exit in a subshell'
says job 'g() { local v=7; exit 6; }; g; echo no' '' 'exit in a function'
says job 'echo "<$v>"' '<>' 'its variables are gone'
exits job 'for i in 1 2; do while :; do exit 8; done; done' 8 'exit in loops'
says job 'break; echo on' $'bash: line 1: break: only meaningful in a `for'"', \`while', or \`until' loop"$'\non' \
	'and no loop is left over'
exits job 'set -e; false; echo no' 1 'set -e'
says job 'echo ${-//[^e]/}; set +e' e 'set -e stays on'
exits job 'set -e; g() { false; }; g; echo no' 1 'set -e in a function'
exits job 'set +e' 0 'set +e'
exits job 'exec sh -c "exit 9"' 9 'exec: the status is the command'"'"'s'
says job 'exec echo gone; echo no' gone 'exec: its output is, and the text ends'
says job 'pwd; f; kill -USR1 $$; echo $SHLVL' $'/workspace/sub\nf:1:2\ntrapped\n1' 'exec: all is still there'
exits job 'exec nosuch' 127 'exec of nothing'
exits job 'exec /' 126 'exec of a directory'
exits job 'printf "echo script \$1\n" >/tmp/script; chmod 755 /tmp/script' 0 'a script without a first line'
says job 'exec /tmp/script arg' 'script arg' 'exec of it'
exits job 'exec 8<&0; exec <&- >&- 2>&-' 0 'exec closes what it likes'
says job 'echo on' on 'and the next has its own'
exits job 'for i in {0..9} {190..255}; do eval "exec $i>&-"; done' 0 'exec closes all there is'
says job 'echo on' on 'and the session goes on'
exits job 'echo ${nothing:?is unset}; echo no' 1 'an unset variable'
exits job 'R=2; echo no' 1 'a readonly variable'
exits job 'set -u; echo $nothing; echo no' 1 'set -u'
exits job 'set +u; return 5' 2 'return'
exits job '"' 2 'an open quote'
exits job 'if true; then' 2 'an open if'
exits job 'cat <<E
here' 0 'an open here-document'
exits job '# comment' 0 'a comment'
exits job '' 0 'nothing'
exits job 'true &' 0 'an ampersand at the end'
exits job 'false' 1 'its status is not the last one'"'"'s'
exits job '(((' 2 'parentheses'
exits job 'kill -INT $$; sleep 20; echo no' 130 'SIGINT to itself'
exits job 'kill -TERM $$; sleep 20; echo no' 143 'SIGTERM to itself'
exits job 'kill -HUP $$; sleep 20; echo no' 129 'SIGHUP to itself'
exits job 'trap : INT TERM PIPE; trap - INT TERM PIPE; kill -TERM $$; sleep 20; echo no' 143 'also when a trap was taken away'
for signal in USR2 PIPE ALRM QUIT; do
	exits job "kill -$signal \$\$; sleep 20; echo no" $((128 + $(kill -l $signal))) "SIG$signal to itself"
done
is "$("$AFRUN" -S job -c 'while echo y; do :; done' </dev/null 2>/dev/null | head -n 1)" y \
	'a pipe that closes while the shell itself writes'
exits job 'sh -c "kill -SEGV \$\$"' 139 'a command that crashes'
exits job 'f 2>&1 >/dev/full' 1 'a full disk'
says job 'printf "no newline"' 'no newline' 'no final newline'
says job 'printf "\0\377\e]0;x\a" | od -An -tx1' ' 00 ff 1b 5d 30 3b 78 07' 'odd bytes'
says job 'echo on; f' $'on\nf:1:2' 'all is still there'
says job 'env | grep -c -e PRELOAD -e AFRUN' 0 'nothing of ours is in the environment'
says job 'ls /proc/self/fd' $'0\n1\n2\n3' 'a command inherits 0, 1 and 2 only'

# ---- the text: words, -c, stdin
is "$("$AFRUN" -S job printf '%s|' 'a b' '$A' "it's" '*' </dev/null)" "a b|\$A|it's|*|" 'words are words'
is "$(printf 'echo one\necho $A' | "$AFRUN" -S job)" $'one\n1' 'a text from stdin'
is "$(printf 'echo a\0b' | "$AFRUN" -S job)" 'ab' 'a NUL in it is left out, as bash does'
big=$(head -c 3000000 /dev/zero | tr '\0' x)
is "$(printf 'x=%s; echo ${#x}' "$big" | "$AFRUN" -S job)" 3000000 'a long one'

# ---- descriptors are the caller's own
head -c 1000000 /dev/urandom >"$T/random"
check 'a megabyte both ways' cmp <("$AFRUN" -S job -c cat <"$T/random") "$T/random"
"$AFRUN" -S job -c 'echo out; echo err >&2' </dev/null >"$T/out" 2>"$T/err"
is "$(cat "$T/out") $(cat "$T/err")" 'out err' 'stdout and stderr are two'
"$AFRUN" -S job -c 'echo once; exec 9>&1; echo more >&9' </dev/null >>"$T/out"
is "$(tr '\n' ' ' <"$T/out")" 'out once more ' 'and the very ones: a file is appended to'
is "$("$AFRUN" -S job -c 'read l; echo $l; cat' <<<$'1\n2')" $'1\n2' 'stdin'
is "$("$AFRUN" -S job -c 'yes' </dev/null 2>/dev/null | head -n 1)" y 'a pipe that closes'
"$AFRUN" -S job -c 'echo x' </dev/null >&- 2>/dev/null
is $? 1 'a closed stdout is closed'
"$AFRUN" -S job -c '[ ! -e /proc/self/fd/0 ]' <&-
is $? 0 'a closed stdin'
says job 'echo on' on 'the next has its own'

# ---- time
status=0; "$AFRUN" -S job -t 0.2 -c 'sleep 30; echo no' </dev/null >"$T/out" 2>&1 || status=$?
is "$status" 124 'a text that takes too long'
status=0; "$AFRUN" -S job -t 0.2 -c 'while :; do :; done' </dev/null >>"$T/out" 2>&1 || status=$?
is "$status" 124 'one that is busy in the shell itself'
status=0; "$AFRUN" -S job -t 0.2 --kill-after 0.1 -c 'trap "" TERM INT HUP; (trap "" TERM; sleep 30); echo no' \
	</dev/null >>"$T/out" 2>&1 || status=$?
is "$status" 124 'one that ignores it'
status=0; "$AFRUN" -S job -t 0.2 --kill-after 0.1 -c 'trap "echo t" TERM INT HUP; while :; do sleep 0.05; done' \
	</dev/null >>"$T/out" 2>&1 || status=$?
is "$status" 124 'one that has traps for it'
status=0; "$AFRUN" -S job -t 0.2 --kill-after 0.1 -c 'setsid -f sleep 301; read x </dev/zero' \
	</dev/null >>"$T/out" 2>&1 || status=$?
is "$status" 124 'one with a process that went away'
says job 'trap - TERM INT HUP; pgrep -x sleep; pwd; f' $'/workspace/sub\nf:1:2' \
	'all they have started is gone, all else is there'
unlike "$(cat "$T/out")" no 'and nothing of them went on'

# ---- asking
like "$("$AFRUN" -S job --status)" $'^job\tidle\t[0-9]+\t[-0-9T:]+\t'"$SRC\$" '--status'
like "$("$AFRUN" -S job --status --json)" \
	'^\{"session":"job","pid":[0-9]+,"state":"idle","caller":null,"waiting":0,"commands":[0-9]+,' '--status --json'
check '--json is JSON' python3 -c 'import json, sys; json.loads(sys.argv[1])' "$("$AFRUN" -S job --status --json)"
like "$("$AFRUN" --list)" '^job'$'\t' '--list'
check '--list --json is JSON' python3 -c 'import json, sys; assert json.loads(sys.argv[1])[0]["session"] == "job"' \
	"$("$AFRUN" --list --json)"

DIRECT='' start_session delta
text delta 'echo "what was written" >new.txt'
like "$("$AFRUN" -S delta --diff)" $'\n[+][+][+] b/new.txt\n.*\n[+]what was written' '--diff shows what it has written'
check '... and merges nothing' test ! -e "$SRC/new.txt"
says delta 'cat new.txt; rm new.txt' 'what was written' '... and the session goes on with it'
stop_session delta
is "$("$AFRUN" -S job --diff 2>&1; echo $?)" \
	$'afrun: session: job: it writes to the source itself (--direct)\n125' '--diff where there is no delta'

check 'it stops' stop_session job
wait_for 10 af_no_process
ok $? 'and nothing is left running'
is "$(ls -A "$XDG_RUNTIME_DIR")" '' 'nor a file'
is "$("$AFRUN" --list; "$AFRUN" --list --json)" '[]' 'nor a line'
"$AFRUN" -S job -c true 2>"$T/err"
is "$? $(cat "$T/err")" '125 afrun: session: job: there is none; `afrun -S job --start` starts one' 'a text for none'
"$AFRUN" -S job --status 2>"$T/err"
is $? 125 '--status of none'
"$AFRUN" -S job --stop 2>"$T/err"
is $? 125 '--stop of none'

# ---- what does not fit together
refused()
{
	local expected=$1
	shift
	"$AFRUN" "$@" </dev/null >"$T/out" 2>"$T/err"
	is "$? $(cat "$T/err")" "125 afrun: $expected" "refused: $*"
}
long=$(printf '%065d' 0)
for name in '' . .x -x a/b 'a b' "$long" $'a\nb' é; do
	"$AFRUN" -S "$name" --start </dev/null >"$T/out" 2>"$T/err"
	is $? 125 "a bad name: $(printf %q "$name")"
	like "$(cat "$T/err")" 'a name has 1 to 64 of A-Z a-z 0-9' "and why: $(printf %q "$name")"
done
refused '--source: belongs to the session'"'"'s --start' -S x -C / true
refused '--net: belongs to the session'"'"'s --start' -S x -n host true
refused '--env: belongs to the session'"'"'s --start' -S x -e A=1 -c true
refused '--idle: belongs to the session'"'"'s --start' -S x --idle 5 -c true
refused '--json: belongs to the session'"'"'s --start' -S x --json -c true
refused '--timeout: is for a command; --idle ends a session' -S x --start -t 5
refused '--start: -c: a session is started first, and then given commands' -S x --start -c true
refused '--start: true: a session is started first, and then given commands' -S x --start true
refused '--start, --status, --diff, --merge, --stop: which session? -S NAME' --start
refused '--list: is of all sessions; --status is of one' -S x --list
refused '--start, --status, --diff, --merge, --stop, --list: only one of them' -S x --start --stop
refused '--idle, --json: are for sessions: -S NAME' --idle 5 true
refused 'true: --status, --diff, --merge, --stop and --list run no command' -S x --stop true
refused '--source: has no meaning with --status, --diff, --merge, --stop or --list' -S x --stop -C /
is "$(ls -A "$XDG_RUNTIME_DIR")" '' 'and nothing was made'
done_testing

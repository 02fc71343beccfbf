#!/bin/bash
# How sessions end, what becomes of what they wrote, and who waits for whom: --stop, --idle, signals,
# kill -9 of any of their processes; callers that queue, and callers that are killed.
# shellcheck disable=SC2016 # the shell inside expands
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/runlib.sh"
. "$ROOT/tests/sessionlib.sh"
need_sandbox

is_gone()
{
	af_no_process && [ -z "$(ls -A "$XDG_RUNTIME_DIR")" ]
}
gone()
{
	wait_for 20 is_gone
	ok $? "$1: nothing is left"
}

runs_text()
{
	"$AFRUN" -S "$1" --status 2>/dev/null | grep -q running
}
waiting_are()
{
	"$AFRUN" -S a --status --json | grep -q "\"waiting\":$1,"
}

# ---- the end
start_session a
exits a 'echo made >made; trap "echo bye >bye" EXIT' 0 'it writes'
[ -n "$DIRECT" ] || is "$(ls "$SRC")" $'file\noutput' 'its source is as it was'
is "$(stop_session a 2>&1; echo $?)" 0 '--stop'
is "$(cat "$SRC/made" "$SRC/bye")" $'made\nbye' 'then it is merged, and the EXIT trap has run'
gone '--stop'

fresh_source
start_session a --idle 0.3
exits a 'sleep 0.6; echo made >made' 0 'a text longer than the idle limit'
gone '--idle'
is "$(cat "$SRC/made")" made 'idle: it is merged'

for signal in TERM INT HUP; do
	fresh_source
	start_session a
	text a 'echo made >made'
	kill "-$signal" "$("$AFRUN" -S a --status | cut -f3)"
	gone "SIG$signal to it"
	is "$(cat "$SRC/made")" made "SIG$signal to it: it is merged"
done

fresh_source
start_session a --report "$T/report"
text a 'echo made >made; cat .env' 2>/dev/null
stop_session a 2>/dev/null
check 'the report is of the session' python3 - "$T/report" <<'END'
import json, sys
report = json.load(open(sys.argv[1]))
assert report["exit"] == 0 and not report["timed_out"] and report["wall_s"] > 0, report
assert any(each["path"] == "/.env" for each in report["refused"]), report
END
gone 'with a report'

fresh_source
start_session a
text a 'echo made >made'
status=0; text a 'kill -9 $$' 2>"$T/err" || status=$?
is "$status $(cat "$T/err")" '125 afrun: session: it ended before the command did' 'a text that kills the shell'
gone 'the shell was killed'
[ -n "$DIRECT" ] || refute 'what failed is not merged' test -e "$SRC/made"
rm -rf "$SRC/.agentfense"

# ---- kill -9 of each of its processes
for who in afrun agentfensefs bwrap afrun-inside bash; do
	fresh_source
	start_session a
	text a 'echo made >made; sleep 300 >/dev/null 2>&1 &'
	timeout 30 "$AFRUN" -S a -c 'sleep 200; echo no' </dev/null >"$T/out" 2>"$T/err" &
	caller=$!
	wait_for 10 runs_text a
	case $who in
	afrun) kill -9 "$("$AFRUN" -S a --status | cut -f3)" ;;
	bash) kill -9 "$(pgrep -P "$(process_named afrun-inside)" bash)" ;;
	*) kill -9 "$(process_named "$who")" ;;
	esac
	status=0; wait "$caller" || status=$?
	is "$status" 125 "kill -9 of $who: the caller is told"
	wait_for 20 af_no_process
	ok $? "kill -9 of $who: nothing is left running"
	start_session a
	is "$?" 0 "kill -9 of $who: the name can be used again"
	stop_session a 2>/dev/null
	gone "kill -9 of $who"
	rm -rf "$SRC/.agentfense"
done

# ---- callers
fresh_source
start_session a
seq 30 | xargs -P 10 -I{} "$AFRUN" -S a -c 'n=$((n + 1)); echo {} >>order; [ $(wc -l <order) = $n ]'
is $? 0 'thirty callers, ten at a time, one after the other'
says a 'echo $n; sort -un order | wc -l' $'30\n30' 'each once'

env --default-signal=INT "$AFRUN" -S a -c 'echo $BASHPID >first; while [ ! -e go ]; do sleep 0.02; done; echo one >>log' </dev/null &
one=$!
wait_for 10 runs_text a
"$AFRUN" -S a -c 'echo two >>log' </dev/null &
two=$!
wait_for 10 waiting_are 1
ok $? 'one runs, one waits'
"$AFRUN" -S a -c 'echo three >>log' </dev/null &
three=$!
wait_for 10 waiting_are 2
kill -9 "$two"
wait "$two" 2>/dev/null
wait_for 10 waiting_are 1
ok $? 'who is killed waits no longer'
kill -TERM "$three"
wait "$three"
is $? 143 'who is ended waits no longer'
kill -INT "$one"
status=0; wait "$one" || status=$?
is "$status" 130 'SIGINT to the caller interrupts its text'
says a 'cat log 2>&1' 'cat: log: No such file or directory' 'and no text of them has run'

"$AFRUN" -S a -c 'sleep 300 & sleep 301 & (sleep 302; echo no >no); echo no >no' </dev/null >/dev/null 2>&1 &
one=$!
wait_for 10 pgrep -f '^sleep 302' >/dev/null
kill -9 "$one"
wait "$one" 2>/dev/null
says a 'pgrep -c "^sleep"; ls no' $'0\nls: cannot access '"'no': No such file or directory" \
	'a caller that is killed: its text is ended, its jobs too'
text a 'sleep 300 >/dev/null 2>&1 &'
"$AFRUN" -S a -c 'sleep 301' </dev/null &
one=$!
wait_for 10 pgrep -f '^sleep 301' >/dev/null
kill -9 "$one"
wait "$one" 2>/dev/null
says a 'pgrep -af "^sleep" | cut -d" " -f2-' 'sleep 300' 'but not those of an earlier one'

"$AFRUN" -S a -c 'sleep 303; echo no >no' </dev/null 2>/dev/null &
one=$!
wait_for 10 pgrep -f '^sleep 303' >/dev/null
kill -TSTP "$one"
wait_for 10 is_in_state "$one" T
ok $? 'SIGTSTP to the caller stops it'
stopped=$(pgrep -f "^sleep 303")
wait_for 10 is_in_state "$stopped" T
ok $? 'and its command'
kill -CONT "$one"
wait_for 10 is_in_state "$stopped" S
ok $? 'SIGCONT continues both'
"$AFRUN" -S a -c 'echo no >no' </dev/null 2>"$T/err" &
two=$!
wait_for 10 waiting_are 1
is "$(stop_session a; echo $?)" 0 '--stop while a text runs'
status=0; wait "$one" || status=$?
is "$status" 143 'its caller is told'
status=0; wait "$two" || status=$?
is "$status" 125 'who has waited, too'
refute 'and nothing of them has run' test -e "$SRC/no"
gone 'the end'

# ---- starting
fresh_source
"$AFRUN" -C "$SRC" -S b --start -P "$T/none" </dev/null 2>"$T/err"
is $? 125 'a session that cannot be set up'
like "$(cat "$T/err")" 'none' 'says why'
gone 'a session that cannot be set up'
out=$(start_session b 2>&1)
is "$? $out" '0 ' 'whoever reads what --start says sees its end'
seq 8 | xargs -P 8 -I{} "$AFRUN" ${DIRECT:+"$DIRECT"} -q -C "$SRC" -S same --start 2>"$T/err"
is "$(grep -c 'it lives already' "$T/err")" 7 'of eight at once with one name one is there'
seq 8 | xargs -P 8 -I{} "$AFRUN" ${DIRECT:+"$DIRECT"} -q -C "$SRC" -S each{} --start
is "$("$AFRUN" --list | cut -f1 | tr '\n' ' ')" 'b each1 each2 each3 each4 each5 each6 each7 each8 same ' \
	'many with names of their own'
"$AFRUN" --list | cut -f1 | xargs -P 10 -I{} "$AFRUN" -S {} --stop
gone 'all of them'
mkdir "$T/odd" && chmod 755 "$T/odd"
mkdir -m 755 "$T/odd/afrun"
XDG_RUNTIME_DIR=$T/odd "$AFRUN" ${DIRECT:+"$DIRECT"} -C "$SRC" -S b --start </dev/null 2>"$T/err"
is "$? $(cat "$T/err")" "125 afrun: session: $T/odd/afrun: it must be yours, and closed to others (0700)" \
	'a directory that others can enter'
done_testing

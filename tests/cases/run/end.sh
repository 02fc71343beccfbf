#!/bin/bash
# How a run ends: by signals, by time, and when any of its processes is killed. Nothing is left, which
# the library checks at the end.
# shellcheck disable=SC2016 # the shells inside expand
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/runlib.sh"
need_sandbox

# Starts a run that has a daemon (double-forked, ignoring SIGTERM), and waits until it is there.
start_with_daemon()
{
	fresh_source
	start_run "$@" -- sh -c 'trap "" TERM HUP INT; (setsid sh -c "trap \"\" TERM HUP; echo \$\$ >output/daemon; sleep 300" &)
		while ! [ -s output/daemon ]; do sleep 0.02; done; trap - TERM HUP INT; echo up >output/up; exec tail -f /dev/null'
	wait_for 20 is_there output/up
}

ended()
{
	wait "$RUN"
	STATUS=$?
	wait_for 10 af_no_process
	ok $? "$1: nothing is left running"
}

for name in TERM HUP USR1 USR2; do
	start_with_daemon
	kill -"$name" "$RUN"
	ended "SIG$name to afrun"
	is "$STATUS" $((128 + $(kill -l "$name"))) "SIG$name ends the command, and is its status"
done 2>/dev/null

# A shell starts background commands with SIGINT ignored; as a job of its own it is not.
fresh_source
set -m
start_run -- sh -c 'trap "echo caught >output/caught; exit 33" INT; echo up >output/up; while :; do sleep 0.02; done'
set +m
wait_for 20 is_there output/up
kill -INT "$RUN"
ended 'SIGINT that is handled'
is "$STATUS" 33 'the command decides what SIGINT does'
is "$(cat "$(lies output/caught)")" caught 'and its handler ran'

fresh_source
start_run -- sh -c 'trap "exit 1" INT; echo up >output/up; while ! [ -e output/go ]; do sleep 0.02; done; exit 7'
wait_for 20 is_there output/up
kill -INT "$RUN"
touch "$SRC/output/go"
ended 'SIGINT that the caller ignores'
is "$STATUS" 7 'an ignored signal stays ignored'

fresh_source
set -m
start_run -- sh -c 'echo up >output/up; while ! [ -e output/go ]; do sleep 0.02; done; exit 6'
set +m
wait_for 20 is_there output/up
kill -TSTP "$RUN"
check 'SIGTSTP stops afrun too, once the command has stopped' wait_for 10 is_in_state "$RUN" T
touch "$SRC/output/go"
kill -CONT "$RUN"
ended 'SIGCONT'
is "$STATUS" 6 'SIGCONT lets the command go on'

# ---- time
start=$SECONDS
is "$(status_of run -t 0.5 -- sleep 60)" 124 'a timeout'
is "$(status_of run -t 0.5 --kill-after 0.3 -- sh -c 'trap "" TERM; sleep 60; sleep 60')" 124 'one that needs SIGKILL'
is "$(status_of run -t 30 -- sh -c 'exit 3')" 3 'one that is not needed'
is "$(run -t 0.5 -- sh -c 'trap "echo bye; exit 0" TERM; while :; do sleep 0.02; done')" bye 'SIGTERM comes first'
start_with_daemon -t 1 --kill-after 0.2
ended 'a timeout with a daemon that ignores SIGTERM'
is "$STATUS" 124 'is told too'
[ $((SECONDS - start)) -lt 60 ]
ok $? 'none waited for what it ran'
run --report "$T/report" -t 0.2 -- sleep 60
like "$(cat "$T/report")" '"exit":124,"signal":15,"timed_out":true' 'the report says so'

# ---- background processes end with the command
fresh_source
run -- sh -c 'sleep 300 & setsid sleep 300 & exit 0'
wait_for 10 af_no_process
ok $? 'what the command leaves running ends with it'

# ---- any process killed
for who in afrun agentfensefs bwrap afrun-inside tail; do
	start_with_daemon
	pid=$(process_named "$who")
	kill -9 "$pid"
	ended "kill -9 of $who"
	case $who in
	afrun | tail) expected=137 ;;
	*) expected=125 ;;
	esac
	is "$STATUS" "$expected" "kill -9 of $who: the status"
	is "$(cat "$SRC/file")" text "kill -9 of $who: the source is whole"
done 2>"$T/err"

# At any moment: each process as soon as it is there, with growing delays.
killed=0
for delay in 0 0.002 0.005 0.01 0.02 0.04; do
	for who in afrun agentfensefs bwrap afrun-inside; do
		fresh_source
		start_run -- sleep 300
		pid=$(process_named "$who") || continue
		sleep "$delay"
		kill -9 "$pid"
		wait "$RUN"
		wait_for 10 af_no_process && killed=$((killed + 1))
	done
done 2>"$T/err"
is "$killed" 24 'killed at any moment of the start, nothing is left'

# ---- a runtime that fails half-way, with a process of its own that waits for what never comes
mkdir "$T/bin"
printf '#!/bin/sh\nsleep 300 &\nexit 1\n' >"$T/bin/bwrap"
chmod 755 "$T/bin/bwrap"
fresh_source
began=$SECONDS
PATH=$T/bin:$PATH "$AFRUN" ${DIRECT:+"$DIRECT"} -C "$SRC" -- true 2>"$T/err"
is $? 125 'a runtime that fails half-way: the status'
like "$(cat "$T/err")" '^afrun: sandbox: it could not be set up' 'a runtime that fails half-way: the message'
ok $((SECONDS - began >= 20)) 'a runtime that fails half-way: told at once'
wait_for 10 af_no_process
ok $? 'a runtime that fails half-way: nothing is left running'
done_testing

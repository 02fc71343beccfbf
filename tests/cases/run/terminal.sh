#!/bin/bash
# A command whose stdin is a terminal has one of its own: size, signals, job control; and the caller's
# is as it was afterwards.
# shellcheck disable=SC2016 # the shells inside expand
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/runlib.sh"
command -v script >/dev/null || skip_all 'script(1) is not installed'
need_sandbox

# Runs a shell command on a new terminal; what is typed there comes from descriptor 6.
export AFRUN SRC T DIRECT
on_terminal()
{
	TERM=dumb SHELL=/bin/sh timeout 60 script -qec "$1" /dev/null <&6
}
typed()
{
	printf '%b' "$1" >&6
}
mkfifo "$T/keys"
exec 6<>"$T/keys"

is "$(on_terminal '"$AFRUN" $DIRECT -q -C "$SRC" -- tty' | tr -d '\r')" /dev/pts/0 \
	'the command has a terminal of the sandbox'
is "$(on_terminal 'stty rows 33 cols 77; "$AFRUN" $DIRECT -q -C "$SRC" -- stty size' | tr -d '\r')" \
	'33 77' "of the caller's size"
on_terminal 'stty -g >"$T/before"; "$AFRUN" $DIRECT -q -C "$SRC" -- stty raw -echo; stty -g >"$T/after"' >"$T/out"
is "$(cat "$T/after")" "$(cat "$T/before")" "the caller's terminal is as before"
on_terminal 'stty -g >"$T/before"; "$AFRUN" $DIRECT -q -C "$SRC" -- sh -c "kill -9 \$\$"; stty -g >"$T/after"' >"$T/out"
is "$(cat "$T/after")" "$(cat "$T/before")" 'also when the command was killed'
is "$(on_terminal '"$AFRUN" $DIRECT -q -C "$SRC" -- sh -c "test -t 1 && echo yes" | cat')" '' \
	'a stdout that is no terminal stays none'
is "$(on_terminal '"$AFRUN" $DIRECT -q -C "$SRC" -- sh -c "test -t 0 && echo yes" | cat' | tr -d '\r')" yes \
	'while stdin is one'
on_terminal '"$AFRUN" $DIRECT -q -C "$SRC" -- sh -c "exit 21"' >"$T/out"
is $? 21 'the status comes through'
is "$(on_terminal '"$AFRUN" $DIRECT -q -C "$SRC" -- sh -c "ls /dev/console /dev/pts | grep -v ptmx"' 2>&1 | tr -d '\r' | tail -n 1)" 0 \
	'no other terminal is there'
run -- head -c 200000 /dev/zero | tr '\0' x | fold -w 80 >"$SRC/long"
is "$(on_terminal '"$AFRUN" $DIRECT -q -C "$SRC" -- cat long' | tr -d '\r' | md5sum)" "$(md5sum <"$SRC/long")" \
	'long output is whole'

# begin COMMAND: on a terminal, in the background, until typed text and the command have ended it.
begin()
{
	fresh_source
	on_terminal "$1" >"$T/out" 2>&1 &
	SCRIPT=$!
}
end()
{
	wait "$SCRIPT"
	STATUS=$?
}

no_afrun()
{
	! find_named afrun >/dev/null
}

begin '"$AFRUN" $DIRECT -q -C "$SRC" -- sh -c "trap \"exit 44\" INT; echo up >output/up; while :; do sleep 0.02; done"'
wait_for 20 is_there output/up
typed '\003'
end
is "$STATUS" 44 'Ctrl-C reaches the command'

begin 'tty >"$T/tty"; "$AFRUN" $DIRECT -q -C "$SRC" -- sh -c "echo up >output/up; until [ \"\$(stty size)\" = \"40 100\" ]; do sleep 0.02; done"'
wait_for 20 is_there output/up
stty -F "$(cat "$T/tty")" rows 40 cols 100
end
is "$STATUS" 0 'a change of size is passed on'

begin '"$AFRUN" $DIRECT -q -C "$SRC" -- cat >"$T/copy"'
typed 'one line\n\004'
end
is "$(cat "$T/copy")" 'one line' 'in a pipeline the end of typed text arrives'

begin '"$AFRUN" $DIRECT -q -C "$SRC" -- bash --norc -i'
typed 'echo up >output/up\n'
wait_for 20 is_there output/up
typed 'sleep 300\n'
sleeper=$(process_named sleep)
typed '\032'
wait_for 20 is_in_state "$sleeper" T
typed 'jobs >output/jobs\n'
is_stopped() { grep -qs Stopped "$(lies output/jobs)"; }
check 'a shell inside has job control' wait_for 20 is_stopped
typed 'kill %1; exit\nexit\n'
end

begin 'exec bash --norc -i'
typed '"$AFRUN" $DIRECT -q -C "$SRC" -- sh -c "echo up >output/up; exec cat"\n'
wait_for 20 is_there output/up
typed '\032'
# Until then what is typed is the command's.
wait_for 20 is_in_state "$(process_named afrun)" T
typed 'jobs >"$T/jobs"\n'
check 'Ctrl-Z stops the command, and afrun for the shell outside' wait_for 20 grep -qs Stopped "$T/jobs"
typed 'fg\n'
wait_for 20 is_in_state "$(process_named cat)" S
typed 'back again\n\004'
wait_for 20 no_afrun
typed 'echo "ended $?" >"$T/ended"; exit\n'
wait_for 20 test -s "$T/ended"
end
is "$(cat "$T/ended")" 'ended 0' 'fg continues it'
like "$(cat "$T/out")" 'back again.*back again' 'with its terminal'
done_testing

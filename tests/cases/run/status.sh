#!/bin/bash
# Exit statuses and streams: exactly the command's own, and afrun's where there is none.
# shellcheck disable=SC2016 # the shells inside expand
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/runlib.sh"
need_sandbox
err=$T/err

quietly()
{
	status_of "$@" 2>"$err"
}

for status in 0 1 2 42 123 124 125 126 127 128 255; do
	is "$(quietly run -- sh -c "exit $status")" "$status" "the command's own $status"
done
for name in HUP INT KILL TERM SEGV USR1 PIPE; do
	is "$(quietly run -- sh -c "kill -$name \$\$; sleep 60")" $((128 + $(kill -l "$name"))) "killed by $name"
done
is "$(quietly run -- no-such-command)" 127 'not found'
is "$(cat "$err")" 'afrun: no-such-command: No such file or directory' 'and said so, in one line'
is "$(quietly run -- /workspace/no/such)" 127 'a path that is not there'
is "$(quietly run -- /workspace/file)" 126 'not executable'
is "$(cat "$err")" 'afrun: /workspace/file: Permission denied' 'and said so'
is "$(quietly run -- /workspace)" 126 'a directory'
is "$(quietly run -w nowhere -- true)" 125 'a working directory that is not there'
is "$(quietly run -C "$T/nowhere" -- true)" 125 'a source that is not there'
is "$(quietly run -C "$SRC/file" -- true)" 125 'a source that is a file'
is "$(quietly run -p no-such-preset -- true)" 125 'a preset that is not there'
is "$(quietly run -r 'wirte:/x' -- true)" 125 'a bad rule'
is "$(quietly run -P "$T/no.conf" -- true)" 125 'a policy file that is not there'
is "$(quietly run --no-such-option)" 125 'an unknown option'
is "$(cat "$err")" 'afrun: --no-such-option: no such option, or not used so; see afrun --help' 'and said so'
is "$(quietly run -t)" 125 'an option without its value'
is "$(quietly run -t soon -- true)" 125 'a bad duration'
is "$(quietly run -n some -- true)" 125 'a bad network'
is "$(quietly run -c true -- true)" 125 'both -c and a command'
is "$(quietly run --ro-bind "$T/nowhere" -- true)" 125 'a bind that is not there'
is "$(quietly run --ro-bind "$T:/workspace" -- true)" 125 'a bind over the view'
is "$(quietly run --mount-at relative -- true)" 125 'a relative place for the view'
is "$(quietly run --report "$T/no/where" -- true)" 125 'a report that cannot be written'
is "$(quietly run --report fd:77 -- true)" 125 'a report to a closed descriptor'
for option in "-D $T/d" '--sync never' '--conflict keep' '--delta-size 1M' "--state $T/s"; do
	# shellcheck disable=SC2086 # an option and its value
	is "$(quietly run --direct $option -- true)" 125 "--direct and $option"
	like "$(cat "$err")" '^afrun: --direct: there is no delta then' 'which is what it says'
done
is "$(quietly "$AFRUN" -C "$SRC" --sync now -- true)" 125 'a bad --sync'
is "$(quietly "$AFRUN" -C "$SRC" --conflict x -- true)" 125 'a bad --conflict'
is "$(quietly "$AFRUN" -C "$SRC" --delta-size x -- true)" 125 'a bad --delta-size'
for option in '-m 0' '-m x' '-m 1X' '-m 9999999999T' '--pids 0' '--pids x' '--cpus 0' '--cpus .' '--cpus 1.2.3' \
	'--cpus -1' '--cpu-shares 1' '--cpu-shares 262145' '--limits perhaps'; do
	# shellcheck disable=SC2086 # an option and its value
	is "$(quietly run $option -- true)" 125 "a bad $option"
	like "$(cat "$err")" "^afrun: --[a-z-]+: ${option#* }: not " 'which is what it says'
done
is "$(quietly "$AFRUN" -C "$SRC" -D "$T/no/where" -- true)" 125 'a delta in no directory'
check '--help' "$AFRUN" --help
like "$("$AFRUN" --version)" '^afrun [0-9]' '--version'

# ---- what runs
is "$(run -c 'echo "$0"; pwd')" $'/bin/sh\n/workspace' '-c'
is "$(echo 'echo from stdin; exit 3' | run)" 'from stdin' 'neither: text from stdin'
is "$(echo 'exit 3' | quietly run)" 3 'with its status'
head -c 300000 /dev/zero | tr '\0' '#' >"$T/long"
printf '\necho end\n' >>"$T/long"
is "$(run <"$T/long")" end 'longer than any argument may be'
is "$(run -- printf '%s|' 'a b' '' '*' "'" '$x' '-c')" "a b||*|'|\$x|-c|" 'arguments arrive as they were'
is "$(run -- sh -c 'cat; echo done' <<<'input')" $'input\ndone' 'stdin arrives'
printf 'echo script\n' >"$SRC/output/script"
chmod +x "$SRC/output/script"
is "$(run -- ./output/script)" script 'a script without #! runs with sh, as execvp(3) has it'
is "$(run -w output -- pwd)" /workspace/output '-w below the view'
is "$(run -w /tmp -- pwd)" /tmp '-w elsewhere'
is "$(run --mount-at /view/here -- pwd)" /view/here '--mount-at'

# ---- streams, byte for byte
head -c 1048576 /dev/urandom >"$T/random"
run -- cat <"$T/random" >"$T/copy"
is $? 0 'a megabyte through'
check 'is the same' cmp "$T/random" "$T/copy"
run -- sh -c 'cat >&2' <"$T/random" 2>"$T/copy"
check 'by stderr too' cmp "$T/random" "$T/copy"
head -c 1048576 /dev/urandom | tee "$T/random" | run -- cat | cat >"$T/copy"
check 'and through pipes' cmp "$T/random" "$T/copy"
run -- sh -c 'cat >output/copy' <"$T/random"
check 'and into a file of the view' cmp "$T/random" "$SRC/output/copy"
is "$(run -- yes | head -n 1)" y '| head -1 ends it'
run -- yes | head -n 1 >"$T/first"
is "${PIPESTATUS[0]}" 141 'by SIGPIPE, as outside'
# shellcheck disable=SC2069 # on purpose
is "$(run -- sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)" err 'stderr is apart'
# (Not by run(), whose subshell would hold the stream.)
"$AFRUN" ${DIRECT:+"$DIRECT"} -q -C "$SRC" -- sh -c 'exec 1>&-; while ! [ -e output/seen ]; do sleep 0.02; done; exit 5' |
	{ cat && touch "$SRC/output/seen"; }
got=${PIPESTATUS[0]}
is "$got" 5 'a stream that the command closes is closed'
run -- sh -c '[ -e /proc/$$/fd/0 ] && exit 1; exit 9' <&-
is $? 9 'a closed stdin stays closed'
run -- sh -c '[ -e /proc/$$/fd/1 ] && exit 1; exit 9' >&-
is $? 9 'a closed stdout too'
run -- sh -c '[ -e /proc/$$/fd/2 ] && exit 1; exit 9' 2>&-
is $? 9 'a closed stderr too'
is "$(run -- true 2>&1)" '' 'nothing is said where there is nothing to say'
done_testing

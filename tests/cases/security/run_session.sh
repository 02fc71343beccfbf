#!/bin/bash
# Sessions under attack: who else can call one, what a text can reach of what runs it, what it can say in
# its end's place, and what it can do to the next caller.
# shellcheck disable=SC2016 # the shell inside expands
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/runlib.sh"
. "$ROOT/tests/sessionlib.sh"
need_sandbox
start_session job

# ---- from inside: no more than in any run
says job 'grep -E "^(NoNewPrivs|Seccomp|CapEff|CapBnd):" /proc/self/status | tr -s "\t\n" " "' \
	'CapEff: 0000000000000000 CapBnd: 0000000000000000 NoNewPrivs: 1 Seccomp: 2 ' \
	'no privileges, no capabilities, the filter'
says job 'cat .env 2>&1' 'cat: .env: No such file or directory' 'what is hidden is'
says job 'cat /proc/1/environ /proc/1/maps 2>&1 | sort -u' \
	$'cat: /proc/1/environ: Permission denied\ncat: /proc/1/maps: Permission denied' 'the first process is closed'
for i in {0..40}; do
	exits job "readlink /proc/1/fd/$i || head -c 0 /proc/1/fd/$i" 1 "its descriptor $i, too"
done
exits job 'kill -KILL 1; kill -STOP 1; kill -TERM 1; sleep 0.1' 0 'it takes no signal'
says job 'echo alive' alive 'and lives'
says job 'find / -xdev -name "*.sock" 2>/dev/null; ls /run' '' 'no socket of a session is to be found'
says job 'ls -l /proc/$$/fd | grep -c -e memfd -e afrun' 0 'the shell has no library, no text of ours open'
exits job ': >/proc/$$/fd/198' 1 'its socket cannot be opened anew'

# ---- the end of a text is not to be forged
text job 'printf "\0\0\0\0"; sleep 0.2; exit 7' >"$T/out" 2>&1
is $? 7 'what looks like an end on stdout is none'
status=0; text job 'printf "\0\0\0\0" >&198; sleep 0.2; exit 7' >"$T/out" 2>&1 || status=$?
is "$status" 7 'nor what is written to the socket that is the shell'"'"'s'
says job 'echo x >&198' 'bash: line 1: 198: Bad file descriptor' 'which is not to be had'
exits job 'exec 198>/tmp/x 2>/dev/null || exit 3' 3 'nor replaced'
exits job '(read -t 5 -u 198 x) 2>/dev/null & (mapfile -u 198 x) 2>/dev/null & exit 0' 0 'a job that would take the next text'
says job 'echo mine' mine 'does not'
exits job 'read -t 0.2 -u 198 x; [ $? -gt 128 ]' 0 'nor is there anything to be read'
says job 'echo next' next 'the next text has its own output'
says job '(sleep 0.3; printf "\5\0\0\0" >&198) 2>/dev/null & exit 0' '' 'a job that would end the next text'
status=0; text job 'sleep 0.6; exit 7' >"$T/out" 2>&1 || status=$?
is "$status" 7 'does not'
exits job 'python3 -c "import os; os.fstat(198)"' 1 'no command inherits it'

# ---- what stays of one caller for the next
echo private >"$T/private"
"$AFRUN" -S job -c 'exec 5<&0; cat >/dev/null' <"$T/private"
says job 'cat <&5; (exec 5<&-); cat /dev/stdin' '' 'a descriptor that was kept is at its end, as its owner read it'
"$AFRUN" -S job -c 'sleep 300 >/dev/null 2>&1 & exec 1>&-' </dev/null >"$T/out"
says job 'exec 5<&-; ls /proc/$$/fd | xargs' '0 1 198 2' 'the shell keeps none of a caller'"'"'s 0, 1 and 2'

# ---- from outside: another user
if is_root; then
	as_user true
	chmod 711 "$T"
	refute 'another user cannot list the directory' as_user ls "$XDG_RUNTIME_DIR/afrun"
	XDG_RUNTIME_DIR=$XDG_RUNTIME_DIR as_user "$AFRUN" -S job -c 'id' </dev/null >"$T/out" 2>"$T/err"
	is $? 125 'nor call the session'
	chmod 755 "$XDG_RUNTIME_DIR" "$XDG_RUNTIME_DIR/afrun"
	chmod 666 "$XDG_RUNTIME_DIR/afrun/job.sock"
	status=0
	as_user python3 - "$XDG_RUNTIME_DIR/afrun/job.sock" >"$T/out" 2>&1 <<'END' || status=$?
import socket, struct, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.settimeout(10)
s.connect(sys.argv[1])
try:
    s.send(b"\0" * 128)
    end = s.recv(128)
except (BrokenPipeError, ConnectionResetError):
    sys.exit(0)
sys.exit(0 if end == b"" else 1)
END
	is "$status" 0 'also where the directory was opened to them by mistake'
	[ "$status" = 0 ] || diag "$(cat "$T/out")"
	chmod 700 "$XDG_RUNTIME_DIR/afrun"
	# One that is there before us, as in /tmp.
	mkdir "$T/theirs" && chmod 777 "$T/theirs"
	as_user mkdir -m 777 "$T/theirs/afrun"
	XDG_RUNTIME_DIR=$T/theirs start_session other 2>"$T/err"
	is $? 125 'a directory of somebody else is not used'
	ln -s "$XDG_RUNTIME_DIR/afrun" "$T/link" && mkdir "$T/linked" && ln -s "$T/theirs/afrun" "$T/linked/afrun"
	XDG_RUNTIME_DIR=$T/linked start_session other 2>"$T/err"
	is $? 125 'nor a link to one'
else
	skip 'other users' 'only root can be two'
fi

# ---- nonsense on the socket
python3 - "$XDG_RUNTIME_DIR/afrun/job.sock" <<'END'
import os, random, socket, sys
random.seed(1)
for i in range(300):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect(sys.argv[1])
    size = random.choice([0, 1, 4, 8, 100, 4000, random.randrange(200)])
    try:
        socket.send_fds(s, [bytes(random.randrange(24) if j % 4 == 0 else 0 for j in range(size))],
                        [0] * random.randrange(5))
    except (BrokenPipeError, ConnectionResetError):
        pass
    s.close()
END
is $? 0 'nonsense is said to the session'
says job 'echo alive' alive 'and it lives'
before=$(find "/proc/$("$AFRUN" -S job --status | cut -f3)/fd" | wc -l)
for i in {1..20}; do "$AFRUN" -S job --status >/dev/null; text job 'cat </dev/null'; done
is "$(find "/proc/$("$AFRUN" -S job --status | cut -f3)/fd" | wc -l)" "$before" 'no descriptor is left of callers'

# ---- a fork bomb (bounded), and a text that starts what it can and goes away
if is_root; then
	stop_session job
	start_session job --pids 60 2>/dev/null
	status=0
	timeout 60 "$AFRUN" -S job -t 1 --kill-after 0.2 -c \
		'for i in {1..200}; do (while :; do (sleep 300) & sleep 0.01; done) & done; wait' </dev/null >"$T/out" 2>&1 || status=$?
	is "$status" 124 'a fork bomb is ended with its text'
	says job 'pgrep -c sleep; echo alive' $'0\nalive' 'nothing of it is left, and the session lives'
fi
stop_session job
wait_for 20 af_no_process
ok $? 'nothing is left'
done_testing

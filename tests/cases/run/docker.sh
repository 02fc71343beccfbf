#!/bin/bash
# -R docker: the same options, exit statuses, streams and report as with bwrap, in a real container; and
# that nothing of it is left, whoever is killed.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/runlib.sh"
. "$ROOT/tests/dockerlib.sh"
need_sandbox
need_docker
docker=$(command -v docker)

report()
{
	python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$T/report" "$1"
}

# ---- what is there
is "$(docked -- cat /etc/motd /workspace/file)" $'only in the image\ntext' 'the image, and the view'
is "$(docked -- pwd)" /workspace 'it starts in the view'
is "$(docked -w output -- pwd)" /workspace/output '--workdir'
is "$(docked --mount-at /srv/code -- sh -c 'pwd; cat file')" $'/srv/code\ntext' '--mount-at'
is "$(docked -- sh -c 'ls /.afrun; mount | grep -c "on /workspace "')" $'control\ninside\n1' 'the view is there once'
is "$(docked -- sh -c 'echo x >/tmp/x && echo y >~/y && echo z >/var/tmp/z && cat /tmp/x ~/y /var/tmp/z')" $'x\ny\nz' \
	'places to write to'
like "$(docked -- sh -c 'echo x >/etc/x' 2>&1)" 'Read-only file system' 'the image is read-only'
is "$(A=caller docked -e A -e B='two words' -- sh -c 'echo "$A $B $HOME $PATH"')" \
	'caller two words /home/user /usr/local/bin:/usr/bin:/bin' 'the environment'
start_run -R docker --image "$IMAGE" -e SECRET=hidden-value -- sleep 60
wait_for 20 eval '[ -n "$(docker ps -q)" ]'
is "$(ps -eo args | grep -c '[h]idden-value')" 0 'no value of -e is in ps'
is "$(docker ps -q | xargs docker inspect | grep -c hidden-value)" 0 'nor in docker inspect'
like "$(docker ps --format '{{.Names}} {{.Label "afrun.source"}}')" "^afrun-[A-Za-z0-9]{6} $SRC\$" 'its name and its label'
is "$(docker ps -q --filter label=afrun | wc -l)" 1 'and the label by which they are all found'
kill "$RUN"
wait "$RUN"
is $? 143 'SIGTERM is passed on'
check 'nothing is left' nothing_left

# ---- how it ends
docked -- sh -c 'exit 3'
is $? 3 "the command's status"
docked -- sh -c 'kill -9 $$'
is $? 137 'a signal'
like "$(docked -- nosuch 2>&1; echo $?)" $'^afrun: nosuch: No such file or directory\n127$' 'not found'
like "$(docked -- /workspace/file 2>&1; echo $?)" $'^afrun: /workspace/file: Permission denied\n126$' 'not runnable'
like "$(docked -w /nowhere -- true 2>&1; echo $?)" $'^afrun: --workdir: /nowhere: No such file or directory\n125$' 'no such place'
began=$SECONDS
docked -t 0.5 --kill-after 0.5 -- sh -c 'trap "" TERM; (trap "" TERM; setsid sleep 60 &) & while :; do sleep 1; done'
is $? 124 '--timeout'
check '... in its time' [ $((SECONDS - began)) -lt 8 ]
check 'and all inside is gone' nothing_left
like "$(run -R docker --image nosuch:image -- true 2>&1; echo $?)" 'nothing was run.*125$' 'no such image'
like "$(run -R docker --image "$IMAGE" --docker nosuch -- true 2>&1; echo $?)" $'^afrun: nosuch: cannot be run: No such file or directory\n125$' 'no such client'
check 'nothing is left of those' nothing_left

# ---- streams
head -c 1000000 /dev/urandom >"$T/random"
check 'a megabyte both ways' cmp "$T/random" <(docked -- cat <"$T/random")
is "$(docked -- sh -c 'echo out; echo err >&2' 2>/dev/null)" out 'stdout'
is "$(docked -- sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)" err 'stderr'
is "$(docked -- sh -c 'cat' <&- 2>&1)" "cat: read error: Bad file descriptor" 'a closed stdin is closed'
is "$(docked -- sh -c 'yes' | head -n 1)" y 'a reader that goes'
is "$(echo 'echo from stdin; echo $((6 * 7))' | docked)" $'from stdin\n42' 'commands from stdin'
is "$(timeout 60 script -qec "$AFRUN $DIRECT -q -C $SRC -R docker --image $IMAGE -- sh -c 'test -t 0 && test -t 1 && tty; exit 5'" /dev/null </dev/null |
	tr -d '\r\000' | sed 's/\^@//')" /dev/pts/0 'a terminal of its own'

# ---- the policy, the delta
is "$(docked -- sh -c 'ls -a; cat .env' 2>&1 | grep -c -e .env)" 1 'a hidden file is not there'
like "$(docked -- sh -c 'echo x >>file' 2>&1)" 'Permission denied' 'nor is a read-only one written'
docked --report "$T/report" -- sh -c 'echo made >output/made; echo x >>file' 2>/dev/null
is "$(report runtime) $(report exit) $(report refused | grep -c file)" 'docker 1 1' 'the report'
run_delta()
{
	"$AFRUN" -q -C "$SRC" -R docker --image "$IMAGE" "$@"
}
run_delta -- sh -c 'echo merged >output/new'
is "$(cat "$SRC/output/new")" merged 'merged'
run_delta -D "$T/delta" --sync never -- sh -c 'echo later >output/new'
is "$(cat "$SRC/output/new") $(cat "$T/delta/upper/output/new")" 'merged later' 'or kept in a delta'
is "$(stat -c %u:%g "$SRC/output/new")" 0:0 "what it makes is root's, as the source is"
like "$(run_delta --delta-size 1M --sync never -- sh -c 'dd if=/dev/zero of=output/big bs=65536 count=50' 2>&1)" 'No space left' '--delta-size'
rm -rf "$SRC/.agentfense"
is "$(docked -u 12345:54321 -- sh -c 'id -u; id -g')" $'12345\n54321' '--user'
mkdir "$T/odd, \"name\""
echo odd >"$T/odd, \"name\"/file"
is "$(docked --ro-bind "$T/odd, \"name\":/opt/odd" -- sh -c 'cat /opt/odd/file; echo x >/opt/odd/file' 2>/dev/null)" odd '--ro-bind, of an odd name'
chmod 777 "$T"/odd*
docked --bind "$T/odd, \"name\":/opt/odd" -- sh -c 'echo made >/opt/odd/made'
is "$(cat "$T"/odd*/made)" made '--bind'
mkdir -p "$T/up/src"
echo seen >"$T/up/seen"
echo secret >"$T/up/src/file"
is "$(run -C "$T/up/src" -R docker --image "$IMAGE" --ro-bind "$T/up:/opt/t" -- \
	sh -c 'cat /opt/t/seen /opt/t/src/file; ls /opt/t/src' 2>/dev/null)" seen \
	'a bind from above the source does not show the source'

is "$(docked --mount-at /tmp -- sh -c 'pwd; cat file')" $'/tmp\ntext' 'the view in the place of what would be empty'
docked --bind "$T/odd, \"name\":/tmp" -- sh -c 'echo x >/tmp/intmp'
is "$(cat "$T"/odd*/intmp)" x 'and a bind'
mkdir -p "$T/above/below"
mount -t tmpfs below "$T/above/below"
is "$(docked --ro-bind "$T/above:/opt/above" -- true 2>&1; echo $?)" \
	"afrun: --ro-bind: $T/above: something is mounted below it, which docker would not make read-only"$'\n125' \
	'a bind that would be read-only at its top alone'
umount "$T/above/below"

# ---- limits are docker's
docked -m 50M --report "$T/report" -- sh -c 'head -c 200000000 /dev/zero | tail -c 150000000 >/dev/null' 2>/dev/null
is "$(report limit)" memory '--memory'
check 'the peak of it' [ "$(report peak_memory_bytes)" -gt 40000000 ]
docked --pids 8 --report "$T/report" -- sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1 & done; wait' 2>/dev/null
is "$(report limit)" pids '--pids'
docked --cpus 0.2 --report "$T/report" -- sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done'
is "$(report limit)" cpus '--cpus'
check 'user time is that of the command' python3 -c 'import json, sys; assert json.load(open(sys.argv[1]))["user_s"] > 0.05' "$T/report"

# ---- a channel and a session
run --channel c,keep -- sh -c 'echo word >/run/channel/c/w'
is "$(docked --channel c -- sh -c 'cat /run/channel/c/w; echo back >>/run/channel/c/w')" word 'a channel with a sandbox of bwrap'
is "$(run --channel c -- cat /run/channel/c/w)" $'word\nback' 'both ways'
"$AFRUN" --channel c --stop
check 'a session' docked -S job --start
is "$("$AFRUN" -S job -c 'cd /tmp; A=5; sleep 60 >/dev/null 2>&1 & f() { echo "$PWD $A"; }' </dev/null; "$AFRUN" -S job -c 'f; exit 4' </dev/null; echo $?)" $'/tmp 5\n4' 'keeps its state'
"$AFRUN" -S job -t 0.3 -c 'sleep 60' </dev/null
is $? 124 'and outlives a timeout'
check '--stop' "$AFRUN" -S job --stop
check 'nothing is left of it' nothing_left

# ---- who is killed
killed()
{
	start_run -R docker --image "$IMAGE" -- sleep 61
	wait_for 20 docker_runs_sleep
	"$@"
	wait "$RUN" 2>/dev/null
	STATUS=$?
	check "... nothing is left" wait_for 20 nothing_left
	is "$(pgrep -cf '^sleep 61')" 0 '... and nothing runs'
}
docker_runs_sleep()
{
	[ "$(pgrep -cf '^sleep 61')" -gt 0 ]
}
kill_daemon()
{
	pkill -9 -P "$RUN" -x agentfensefs
}
kill_client()
{
	pkill -9 -P "$RUN" -x docker
	sleep 0.3
	check 'the command goes on without the client' pgrep -f '^sleep 61'
	kill "$RUN"
}
kill_afrun()
{
	kill -9 "$RUN"
}
kill_afrun_and_daemon()
{
	kill -STOP "$RUN"
	pkill -9 -P "$RUN" -x agentfensefs
	kill -9 "$RUN"
}
kill_container()
{
	docker kill "$(docker ps -q)" >/dev/null
}
killed kill_afrun 2>/dev/null
ok 0 'afrun killed'
killed kill_daemon 2>/dev/null
is "$STATUS" 125 'agentfensefs killed'
killed kill_client
is "$STATUS" 143 'the client killed'
killed kill_container 2>/dev/null
is "$STATUS" 125 'the container killed'
killed kill_afrun_and_daemon 2>/dev/null
ok 0 'afrun and agentfensefs killed'

start_run -R docker --image "$IMAGE" -- sleep 61
wait_for 20 docker_runs_sleep
kill -9 "$(process_named afrun-keeper)"
kill "$RUN"
wait "$RUN"
is $? 143 'the keeper killed'
check '... nothing is left' nothing_left

# All of ours at once: what is left then goes with the next run, or the next look.
start_run -R docker --image "$IMAGE" -- sleep 61
wait_for 20 docker_runs_sleep
keeper=$(process_named afrun-keeper)
kill -STOP "$RUN"
kill -9 "$keeper"
pkill -9 -P "$RUN" -x agentfensefs
kill -9 "$RUN"
wait "$RUN" 2>/dev/null
wait_for 20 no_container
check 'with its keeper killed too, something is left' test -d "$XDG_RUNTIME_DIR/afrun"
"$AFRUN" --list
check 'and --list sweeps it' nothing_left

# A client that is busy with something else, as with an image, and ends in time, or does not.
cat >"$T/client" <<'EOF'
#!/bin/sh
case $1 in
rm) exec docker "$@" ;;
esac
[ -z "$STUBBORN" ] || trap "" TERM
while :; do sleep 0.1; done
EOF
chmod +x "$T/client"
for STUBBORN in '' yes; do
	export STUBBORN
	start_run -R docker --docker "$T/client" --image "$IMAGE" -- true
	wait_for 20 eval '[ -e "$(echo "$XDG_RUNTIME_DIR"/afrun/docker.*/control)" ]'
	wait_for 20 process_named client >/dev/null
	began=$SECONDS
	kill "$RUN"
	wait "$RUN"
	is $? 143 "ended before there is a container${STUBBORN:+, by a client that does not care}"
	check '... soon' [ $((SECONDS - began)) -lt "${STUBBORN:+1}4" ]
	check '... and nothing is left' nothing_left
done
unset STUBBORN
# The client is looked for where the caller is, and stops with the run.
cd "$T" || exit
start_run -R docker --docker ./client --image "$IMAGE" -- true
cd / || exit
wait_for 20 process_named client >/dev/null
check 'a client by a relative path' process_named client
kill -TSTP "$RUN"
check 'SIGTSTP before there is a command' wait_for 5 is_in_state "$RUN" T
kill -CONT "$RUN"
kill "$RUN"
wait "$RUN"
check 'nothing is left of it' nothing_left

# A long name of the directory.
long=$T/runtime-$(printf '%080d' 0)
mkdir -m 700 "$long"
is "$(XDG_RUNTIME_DIR=$long docked --channel "$(printf '%064d' 0)" -- ls /run/channel)" "$(printf '%064d' 0)" 'a channel, by long names'
is "$(ls -A "$long"; grep -c "$long" /proc/self/mounts)" 0 'and nothing is left'

# ---- refused, and shown
refused()
{
	is "$("$AFRUN" -C "$SRC" "${@:2}" 2>&1 </dev/null; echo $?)" "afrun: $1"$'\n125' "refused: ${*:2}"
}
refused '--runtime: podman: not one of bwrap, docker' -R podman -- true
refused '--runtime: docker: in which image? --image IMAGE' -R docker -- true
refused '--image: needs --runtime docker' --image x -- true
refused '--docker: needs --runtime docker' --docker x -- true
refused '--image: -v: not the name of an image' -R docker --image -v -- true
is "$(as_user "$AFRUN" -C / -R docker --image x -- true 2>&1; echo $?)" \
	$'afrun: --runtime: docker: only root can make a mount that docker sees\n125' 'an ordinary user'
shown=$("$AFRUN" -C "$SRC" -R docker --image "$IMAGE" -m 1G -n host --dry-run -- echo hello)
like "$shown" $'\n'"docker run --rm --name afrun-XXXXXX .*--network host .*--memory 1073741824 .*$IMAGE /\\.afrun/control"$'\n' '--dry-run'
like "$shown" $'\necho hello\n' 'with the command'
check 'and nothing was made' nothing_left
is "$(run -R docker --docker "$docker" --image "$IMAGE" -- echo by path)" 'by path' '--docker'
end_docker
done_testing

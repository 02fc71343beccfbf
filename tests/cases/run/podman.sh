#!/bin/bash
# -R docker --docker podman: what podman(1) does otherwise than docker makes no difference.
# shellcheck disable=SC2016 # the shells inside expand
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/runlib.sh"
. "$ROOT/tests/dockerlib.sh"
need_sandbox
is_root || skip_all 'only root can make a mount that docker sees'
for program in podman busybox; do
	command -v "$program" >/dev/null || skip_all "$program is not installed"
done

# With its state, images and limits here, and what asks least of the machine. (Where memory runs out, conmon
# leaves a file in the current directory.)
flags=(--root "$T/podman/root" --runroot "$T/podman/run" --tmpdir "$T/podman/tmp" --storage-driver vfs
	--cgroup-manager cgroupfs --events-backend file)
! command -v runc >/dev/null || flags+=(--runtime runc)
mkdir "$T/bin" "$T/podman"
printf '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n' >"$T/podman/conf"
printf '#!/bin/sh\ncd %q; export CONTAINERS_CONF=%q\nexec %q %s "$@"\n' "$T" "$T/podman/conf" "$(command -v podman)" \
	"${flags[*]@Q}" >"$T/bin/my-podman"
chmod +x "$T/bin/my-podman"
# For dockerlib.sh.
docker()
{
	"$T/bin/my-podman" "$@"
}
docked()
{
	run -R docker --docker "$T/bin/my-podman" --image "localhost/$IMAGE" "$@"
}
make_image 2>"$T/said"
docker run --rm --network none "$IMAGE" true 2>>"$T/said" </dev/null || {
	sed 's/^/# /' "$T/said"
	skip_all 'podman does not run here'
}

report()
{
	python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$T/report" "$1"
}

# ---- what is there, how it ends
is "$(docked -- cat /etc/motd /workspace/file 2>&1)" $'only in the image\ntext' 'the image, and the view'
is "$(docked -- sh -c 'echo x >/tmp/x && echo y >~/y && echo z >/var/tmp/z && cat /tmp/x ~/y /var/tmp/z' 2>&1)" \
	$'x\ny\nz' 'places to write to'
like "$(docked -- sh -c 'echo x >/etc/x' 2>&1)" 'Read-only file system' 'the image is read-only'
is "$(docked -- sh -c 'cat .env; exit 3' 2>&1; echo $?)" $'cat: can\'t open \'.env\': No such file or directory\n3' \
	'the policy, and the status'
is "$(docked -- sh -c 'kill -9 $$'; echo $?)" 137 'a signal'
like "$(docked -- nosuch 2>&1; echo $?)" $'^afrun: nosuch: No such file or directory\n127$' 'not found'
docked -t 0.5 --kill-after 0.5 -- sh -c 'trap "" TERM; while :; do sleep 1; done'
is $? 124 '--timeout'
head -c 1000000 /dev/urandom >"$T/random"
check 'a megabyte both ways' cmp "$T/random" <(docked -- cat <"$T/random")
is "$(docked -- sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)" err 'and nothing of podman on stderr'
is "$(docked -u 12345:54321 -- sh -c 'id -u; id -g; echo x >~/x && cat ~/x' 2>&1)" $'12345\n54321\nx' '--user, whose home it is'
docked -- sh -c 'echo made >output/made'
is "$(cat "$SRC/output/made")" made 'what is written is in the source'

# An empty directory hides it, which podman would fill with what is there.
mkdir -p "$T/up/src"
echo seen >"$T/up/seen"
echo secret >"$T/up/src/file"
is "$(run -C "$T/up/src" -R docker --docker "$T/bin/my-podman" --image "$IMAGE" --ro-bind "$T/up:/opt/t" -- \
	sh -c 'cat /opt/t/seen; cat /opt/t/src/file; ls /opt/t/src' 2>/dev/null)" seen \
	'a bind from above the source does not show the source'

# ---- limits, a session
docked -m 50M --report "$T/report" -- sh -c 'head -c 200000000 /dev/zero | tail -c 150000000 >/dev/null' 2>/dev/null
is "$(report limit)" memory '--memory'
docked --pids 8 --report "$T/report" -- sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1 & done; wait' 2>/dev/null
is "$(report limit)" pids '--pids'
check 'a session' docked -S job --start
is "$("$AFRUN" -S job -c 'A=5; cd /tmp' </dev/null; "$AFRUN" -S job -c 'echo "$PWD $A"; exit 4' </dev/null; echo $?)" \
	$'/tmp 5\n4' 'keeps its state'
check '--stop' "$AFRUN" -S job --stop
check 'nothing is left of all that' nothing_left

# ---- who is killed
sleeps()
{
	find_named sleep >/dev/null
}
no_sleep()
{
	! sleeps
}
killed()
{
	start_run -R docker --docker "$T/bin/my-podman" --image "$IMAGE" -- sleep 61
	wait_for 20 sleeps
	"$@"
	wait "$RUN" 2>/dev/null
	STATUS=$?
	check '... nothing is left' wait_for 20 nothing_left
	check '... and nothing runs' wait_for 20 no_sleep
}
kill_afrun()
{
	kill -9 "$RUN"
}
end_afrun()
{
	kill "$RUN"
}
kill_client()
{
	pkill -9 -P "$RUN" -x podman
	kill "$RUN"
}
kill_daemon()
{
	pkill -9 -P "$RUN" -x agentfensefs
}
kill_container()
{
	docker kill "$(docker ps -q)" >/dev/null
}
killed end_afrun
is "$STATUS" 143 'SIGTERM is passed on'
killed kill_afrun 2>/dev/null
ok 0 'afrun killed'
killed kill_client
is "$STATUS" 143 'the client killed'
killed kill_daemon 2>/dev/null
is "$STATUS" 125 'agentfensefs killed'
killed kill_container 2>/dev/null
is "$STATUS" 125 'the container killed'
done_testing

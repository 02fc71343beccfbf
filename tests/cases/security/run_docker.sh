#!/bin/bash
# What is tried from inside a container of ours, and what an image might try.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/runlib.sh"
. "$ROOT/tests/dockerlib.sh"
need_sandbox
need_docker

# But for what supposes the host's own tree, ids that are mapped, and personalities, which docker refuses.
names=(user-namespaces mounts kernel-objects the-machine first-process only-our-processes sockets terminals
	no-descriptors)
[ "$(uname -m)" != x86_64 ] || names+=(i386-calls x32-calls)

attacks()
{
	local line
	while IFS= read -r line; do
		case $line in
		'ok '*) ok 0 "$1: ${line#ok }" ;;
		'not ok '*) ok 1 "$1: ${line#not ok }" ;;
		'exit 0') ;;
		'exit '*) ok 1 "$1: $line" ;;
		*) diag "${line#\# }" ;;
		esac
	done < <(docked --ro-bind "$BUILD/tests:/opt/tests" "${@:2}" -- /opt/tests/attack /tmp "${names[@]}" 2>&1; echo "exit $?")
}
attacks 'own source'
attacks 'host network' -n host
attacks 'as nobody' -u nobody

status=$(docked -- cat /proc/self/status)
for set in CapInh CapPrm CapEff CapBnd CapAmb; do
	like "$status" "$set:[[:space:]]*0000000000000000" "$set is empty"
done
like "$status" 'NoNewPrivs:[[:space:]]*1' 'no new privileges'
like "$status" 'Seccomp:[[:space:]]*2' 'a filter is on'
uid=$(docked -- id -u)
check "for root's own source the id is one that owns nothing" [ "$uid" -gt 1879048192 ]

# ---- our own first process
for file in environ mem maps root/etc/passwd cwd fd/0; do
	refute "not of it: /proc/1/$file" docked -- sh -c "head -c 1 /proc/1/$file"
done
docked -- sh -c 'kill -9 1; kill -TERM 1; sleep 0.2'
is $? 0 'it is not to be killed from inside'
like "$(docked -- bash -c 'exec 3<>/.afrun/control' 2>&1)" 'No such device' 'its socket is no file'
is "$(docked --ro-bind /usr:/usr --ro-bind /lib:/lib --ro-bind /lib64:/lib64 -- python3 -c '
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
try:
    s.connect("/.afrun/control")
except OSError as error:
    print(error.strerror)' 2>&1)" 'Connection refused' 'nobody listens there any more'
refute 'its program is not to be written' docked -- sh -c 'echo x >/.afrun/inside'
refute 'nor replaced' docked -- sh -c 'rm -f /.afrun/inside || mv /.afrun /x'

# ---- the host
for path in "$HOME" "$SRC" "$T" "$XDG_RUNTIME_DIR" /var/run/docker.sock /run/docker.sock; do
	is "$(docked -- sh -c 'test -e "$1" && echo seen' - "$path")" '' "not there: $path"
done
for path in /proc/sys/kernel/hostname /proc/sysrq-trigger /sys/kernel/uevent_helper /proc/1/oom_score_adj; do
	refute "not to be written: $path" docked -- sh -c ": >>$path"
done
is "$(docked -- sh -c 'ls /sys/class/net' | tr '\n' ' ')" 'lo ' 'no network'
is "$(docked -- sh -c 'ps | grep -c [d]ockerd')" 0 'no process of the host'
is "$(docked -- sh -c 'find / -xdev -perm /6000 2>/dev/null | wc -l')" 0 'nothing is set-id'
check 'two do not see each other' [ "$(docked -- sh -c 'ls /proc | grep -c "^[0-9]"')" -lt 8 ]

# ---- an image that means ill
make_ill()
{
	docker create --name ill "$IMAGE" sh >/dev/null
	docker export ill | docker import "$@" - ill >/dev/null
	docker rm ill >/dev/null
}
make_ill -c 'ENV LD_PRELOAD=/evil.so' -c 'ENV FROM_IMAGE=1' -c 'ENTRYPOINT ["/bin/sh", "-c", "echo entry"]' \
	-c 'USER 0' -c 'WORKDIR /etc' -c 'HEALTHCHECK --interval=1s CMD touch /workspace/output/healthcheck' -c 'CMD ["evil"]' -c 'VOLUME /etc'
is "$(run -R docker --image ill -- sh -c 'env; id -u; pwd; sleep 2.5; ls output' | grep -e IMAGE -e PRELOAD -e entry -e '^0$' -e etc -e health)" '' \
	'its environment, user, program, directory and check are not used'
root=$T/ill
mkdir -p "$root/etc" "$root/real"
ln -s /etc "$root/workspace"
ln -s ../../../../../../../../"$T" "$root/.afrun"
ln -s / "$root/run"
docker create --name ill "$IMAGE" sh >/dev/null
mkdir "$T/tree"
docker export ill | tar -C "$T/tree" -x
docker rm ill >/dev/null
rm -rf "$T/tree/run" "$T/tree/workspace"
cp -a "$root/." "$T/tree/"
tar -C "$T/tree" -c . | docker import - links >/dev/null
rm -rf "$T/tree" "$root"
run -R docker --image links -- sh -c 'cat /workspace/file; ls -a /.afrun/' >/dev/null 2>&1
is "$(find "$T" -maxdepth 1 \( -name control -o -name inside \))" '' 'links of an image lead nowhere outside of it'
is "$(cat "$SRC/file")" text 'the source is as it was'

# A group of the image whose name is the number that was asked for.
as_user true
gid=$(id -g aftest)
docker create --name ill "$IMAGE" sh >/dev/null
printf '%s:x:0:\nroot:x:0:aftest\n' "$gid" >"$T/group"
printf 'aftest:x:%s:%s::/:/bin/sh\n' "$(id -u aftest)" "$gid" >"$T/passwd"
docker cp "$T/group" ill:/etc/group
docker cp "$T/passwd" ill:/etc/passwd
docker export ill | docker import - groups >/dev/null
docker rm ill >/dev/null
out=$(run -u aftest -R docker --image groups -- sh -c 'id -G' 2>&1)
status=$?
[ "$out" = "$gid" ] || { [ "$status" -eq 125 ] && [[ $out == *'other groups than were asked for'* ]]; }
ok $? 'an image gives no groups' || diag "$status $out"
is "$(run -u aftest -R docker --image "$IMAGE" -- id -G)" "$gid" 'the groups that were asked for'

# Its volumes go with the container, also where the client was killed.
make_ill -c 'VOLUME /var/volume'
start_run -R docker --image ill -- sleep 62
wait_for 20 eval '[ "$(pgrep -cf "^sleep 62")" -gt 0 ]'
pkill -9 -P "$RUN" -x docker
kill "$RUN"
wait "$RUN"
# Docker takes it away in its own time.
no_volume()
{
	[ "$(docker volume ls -q | wc -l)" -eq 0 ]
}
check 'no volume is left' wait_for 10 no_volume

# ---- outside
start_run -R docker --image "$IMAGE" -- sleep 62
wait_for 20 eval '[ "$(pgrep -cf "^sleep 62")" -gt 0 ]'
is "$(stat -c %a "$XDG_RUNTIME_DIR/afrun")" 700 'nobody else reaches the view by its path'
as_user true
chmod 711 "$T" "$XDG_RUNTIME_DIR"
refute 'tried' as_user ls "$XDG_RUNTIME_DIR"/afrun/docker.*/view
kill "$RUN"
wait "$RUN"
chmod 700 "$T" "$XDG_RUNTIME_DIR"
check 'nothing is left' nothing_left
end_docker
done_testing

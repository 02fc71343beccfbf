#!/bin/bash
# What is tried from inside the sandbox, and fails: tests/fixtures/attack.c, and what needs a part
# outside (servers, descriptors, files, processes).
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/runlib.sh"
need_sandbox

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
	done < <(inside "${@:2}" -- /opt/tests/attack /tmp 2>&1; echo "exit $?")
}

attacks 'own source'
attacks 'host network' -n host
if is_root; then
	as_user true
	chown -R aftest: "$SRC"
	attacks "a user's source"
	attacks 'as nobody' -u nobody
	fresh_source
fi

# ---- the status that the kernel itself tells
status=$(run -- cat /proc/self/status)
for set in CapInh CapPrm CapEff CapBnd CapAmb; do
	like "$status" "$set:[[:space:]]*0000000000000000" "$set is empty"
done
like "$status" 'NoNewPrivs:[[:space:]]*1' 'no new privileges'
like "$status" 'Seccomp:[[:space:]]*2' 'a filter is on'
is "$(run -- sh -c 'grep -c . /proc/self/uid_map')" 1 'one id is mapped'
run -- sh -c 'test "$(awk "{print \$1}" /proc/self/uid_map)" = "$(id -u)"'
ok $? 'the id inside is the one that is mapped'
# The number of the id outside: as the filesystem sees a file that the sandbox makes in a bind.
mkdir "$T/bind"
chmod 777 "$T/bind"
run --bind "$T/bind:/opt/bind" -- sh -c 'echo x >/opt/bind/made'
if is_root; then
	[ "$(stat -c %u "$T/bind/made")" -ge 1879048192 ]
	ok $? "for root's own source the id outside is one that owns nothing"
else
	is "$(stat -c %u "$T/bind/made")" "$(id -u)" "the id outside is the caller's own"
fi
unlike "$(run -- cat /proc/mounts)" "$SRC|agentfense[^f]" 'mounts do not name the source'
is "$(run -- awk '$2 != "/dev/null" && $4 !~ /nosuid/ {print $2}' /proc/mounts)" '' 'all mounts are nosuid'
is "$(run -- awk '$2 == "/workspace" {print $1}' /proc/mounts)" workspace 'the view has a neutral name'

# ---- what cannot be named
secret=$HOME/secret
echo secret >"$secret"
for path in "$HOME" "$secret" "$SRC" "$T" /root/.bashrc /etc/shadow /sys/fs/fuse /mnt /proc/1/root/etc; do
	is "$(run -- sh -c 'test -e "$1" && echo seen' - "$path")" '' "not there: $path"
done
is "$(run -- sh -c 'ls -A /home/* /root /run /tmp /var/tmp 2>/dev/null | grep -v :$')" '' \
	'homes and temporary directories are empty'
is "$(run -- cat .env 2>&1)" 'cat: .env: No such file or directory' 'a secret does not exist'
mkdir -p "$T/above"
mv "$SRC" "$T/above/src"
SRC=$T/above/src
is "$(run --ro-bind "$T/above:/opt/above" -- sh -c 'cat /opt/above/src/.env; ls -A /opt/above/src' 2>/dev/null)" '' \
	'a bind of a directory above does not show the source'
SRC=$T/src
fresh_source

# ---- processes outside
is "$(run -- sh -c "kill -0 $$ 2>/dev/null; echo \$?")" 1 "no signal to the caller's shell"
like "$(run -- sh -c 'ls -d /proc/[0-9]* | wc -l')" '^[2-5]$' 'only processes of the sandbox are seen'

# ---- descriptors of the caller
got=$(run -- sh -c 'ls /proc/self/fd | tr "\n" " "' 7</ 8<"$secret" 9<>"$T/nine")
is "$got" '0 1 2 3 ' 'no descriptor is inherited (3 is that of ls itself)'
got=$(run -- sh -c 'cat <&8' 8<"$secret" 2>/dev/null)
is "$got" '' 'and none can be read'

# ---- the environment
got=$(AF_LEAK=leaked run -- sh -c 'cat /proc/[0-9]*/environ 2>/dev/null | tr "\0" "\n"')
unlike "$got" leaked "the caller's environment is not there"
like "$got" 'PATH=' 'and the own one can be read'
start_run -e AF_VALUE=hunter2 -- sh -c 'echo "$AF_VALUE" >output/value; exec sleep 60'
wait_for 10 is_there output/value
ok $? 'a value of -e arrives'
is "$(cat "$(lies output/value)")" hunter2 'as it was'
is "$(ps -eo args | grep -c '[h]unter2')" 0 'and does not show in ps'
kill -TERM "$RUN"
wait "$RUN"
is $? 143 'SIGTERM ends it'

# ---- the network
mkfifo "$T/hold"
"$BUILD/tests/peer" listen "af-$$" <"$T/hold" >"$T/port" &
peer=$!
exec 5>"$T/hold"
wait_for 10 test -s "$T/port"
port=$(cat "$T/port")
is "$("$BUILD/tests/peer" connect "af-$$" "$port" | tr '\n' ' ')" 'abstract OK loopback OK ' 'the servers answer outside'
is "$(inside -- /opt/tests/peer connect "af-$$" "$port" | tr '\n' ' ')" \
	'abstract ECONNREFUSED loopback ECONNREFUSED ' '--net none reaches neither'
is "$(inside -n host -- /opt/tests/peer connect "af-$$" "$port" | tail -n 1)" 'loopback OK' \
	'--net host reaches the loopback'
is "$(run -- sh -c 'cat /proc/net/dev | tail -n +3 | cut -d: -f1 | tr -d " "')" lo 'only the loopback is there'
exec 5>&-
wait "$peer"

# ---- two sandboxes
start_run -- sh -c 'echo mine >/tmp/mine; echo up >output/up; exec sleep 60'
wait_for 10 is_there output/up
like "$(run -- sh -c 'ls /tmp; ls -d /proc/[0-9]* | wc -l')" '^[2-5]$' "another's files and processes are not there"
kill -TERM "$RUN"
wait "$RUN"

# ---- setuid programs give nothing
su=$(find -L /usr/bin /bin -maxdepth 1 -perm -4000 -user root -print -quit 2>/dev/null)
if [ -n "$su" ]; then
	is "$(run -- sh -c 'cat /proc/self/mountinfo | grep -c " /usr .*nosuid"')" 1 'setuid bits below /usr do not count'
else
	skip 'setuid bits below /usr' 'no such program here'
fi
done_testing

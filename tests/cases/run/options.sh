#!/bin/bash
# What each option does: policy, environment, ids, places, reports, the dry run. And the usual tools.
# shellcheck disable=SC2016 # the shells inside expand
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/runlib.sh"
need_sandbox

# ---- policy
is "$(run -- sh -c 'cat file; cat .env 2>&1; echo x >new 2>/dev/null || echo refused; echo y >output/y; cat output/y')" \
	$'text\ncat: .env: No such file or directory\nrefused\ny' 'agent-safe is the default'
is "$(cat "$SRC/output/y")" y 'and what is written gets into the source'
is "$(run -p read-only -- sh -c 'cat .env; echo x >output/x 2>/dev/null || echo refused')" $'SECRET=1\nrefused' '-p'
is "$(run -r write:/new -r none:/file -- sh -c 'echo x >new; cat new; ls')" $'x\nnew\noutput' '-r comes after the preset'
printf 'read("**")\nnone("output/")\n' >"$T/mine.conf"
is "$(run -P "$T/mine.conf" -- ls -A)" $'.env\nfile\nnew' "-P takes the preset's place"
is "$(cd "$T" && run -P mine.conf -- ls)" $'file\nnew' 'a relative policy file'
echo 'a,b' >"$SRC/a,b"
is "$(run -r 'none:/a,b' -- ls)" $'file\nnew\noutput' 'a comma in a rule'
rm "$SRC/a,b"

# ---- environment
is "$(TERM=dumb run -- env | sed 's/=.*//' | sort | tr '\n' ' ')" 'HOME LANG PATH TERM USER ' 'nothing else is set'
is "$(X=outside run -e X -e Y='two words' -e NOT_SET -e HOME=/tmp -- sh -c 'echo "$X|$Y|${NOT_SET-unset}|$HOME"')" \
	'outside|two words|unset|/tmp' '-e'
printf '#c\nA=1\nB=x y\n' >"$T/env"
is "$(run --env-file "$T/env" -e B=later -- sh -c 'echo "$A|$B"')" '1|later' '--env-file, in order'
is "$(run -- sh -c 'cd && touch here && pwd')" "$(run -- sh -c 'echo $HOME')" 'HOME is there and writable'

# ---- ids
is "$(run -- sh -c 'id -un; id -gn; getent passwd $(id -u) | cut -d: -f3')" \
	"$(printf '%s\n' "$(id -un)" "$(id -gn)" "$(id -u)")" 'the ids have their names'
is "$(run -- stat -c '%u:%g' file)" "$(id -u):$(id -g)" 'files have their owners'
run -- sh -c 'echo x >output/mine'
is "$(stat -c '%u:%g' "$SRC/output/mine")" "$(id -u):$(id -g)" "what is made is the caller's"
if is_root; then
	is "$(run -u nobody -- id -u)" "$(id -u nobody)" '-u NAME'
	is "$(run -u 12345:23456 -- id -u)" 12345 '-u UID:GID'
	is "$(run -u 12345:23456 -- id -g)" 23456 'with that group'
	is "$(run -u root -- id -u)" 0 '-u root looks like root'
	as_user true
	rm -rf "$SRC/.agentfense"
	chown -R aftest: "$SRC"
	is "$(run -- id -un)" aftest "root runs as the source's owner"
	run -- sh -c 'echo x >output/theirs'
	is "$(stat -c %U "$SRC/output/theirs")" aftest 'who owns what is made'
	rm -rf "$SRC/.agentfense"
	chown -R 0:0 "$SRC"
else
	is "$(status_of run -u root -- true 2>/dev/null)" 125 'only root may choose'
fi

# ---- places
mkdir -p "$T/tools/in"
echo tool >"$T/tools/in/t"
chmod -R a+rX "$T/tools"
is "$(run --ro-bind "$T/tools:/opt/tools" -- sh -c 'cat /opt/tools/in/t; echo x 2>/dev/null >/opt/tools/in/t || echo read-only')" \
	$'tool\nread-only' '--ro-bind'
chmod -R a+rwX "$T/tools"
run --bind "$T/tools" -- sh -c 'echo new >"$1/in/n"' - "$T/tools"
is "$(cat "$T/tools/in/n")" new '--bind, at its own place'
mkdir "$T/a:b"
is "$(run --ro-bind "$T/a\\:b:/opt/x\\:y" -- ls /opt)" x:y 'a colon in a name'
is "$(run -- sh -c 'touch /tmp/a /run/b /dev/shm/c /var/tmp/d && ls /tmp /run /dev/shm' | tr -s '\n' ' ')" \
	'/dev/shm: c /run: b /tmp: a d ' 'private places are writable'
is "$(run -- sh -c 'cat /etc/hostname; hostname')" $'sandbox\nsandbox' 'a neutral host name'

# ---- report, audit
run --report "$T/report" -- sh -c 'cat .env; cat .env; echo x >file; exit 3' 2>/dev/null
report=$(cat "$T/report")
like "$report" '^\{"argv":\["sh","-c",.*\],"source":"'"$SRC"'","policy":\["preset=agent-safe"\],"runtime":"bwrap","exit":3,"signal":null,"timed_out":false,"limit":null,"wall_s":[0-9.]+,"user_s":[0-9.]+,"sys_s":[0-9.]+,"peak_memory_bytes":[0-9]+,"refused":\[.*\],"refused_uncounted":0,"merged":\[\],"kept":\[\],"conflicts":\[\],"held":\[\],"delta":null\}$' 'the report has its keys'
like "$report" '"path":"/.env","op":"lookup","count":' 'a hidden path that was asked for is counted'
like "$report" '"path":"/file","op":"[a-z]+","count":1' 'and one that was refused'
is "$(run --report - -- true | cut -c1-9)" '{"argv":[' 'a report to stdout'
run --report fd:9 -- sh -c 'kill -9 $$' 9>"$T/report"
like "$(cat "$T/report")" '"exit":137,"signal":9' 'a report to a descriptor'
run --audit "$T/audit" -- cat .env 2>/dev/null
like "$(cat "$T/audit")" '"op":"lookup","path":"/.env"' '--audit'
run --report "$T/report" -- no-such-command 2>/dev/null
like "$(cat "$T/report")" '"exit":127,' 'a report of what could not be run'
run -p no-such-preset --report "$T/report" -- true 2>/dev/null
like "$(cat "$T/report")" '"exit":125,' 'a report where nothing was'

# ---- dry run
dry=$("$AFRUN" ${DIRECT:+"$DIRECT"} -C "$SRC" -e SECRET=hidden --dry-run -- echo 'two words')
is "$?" 0 '--dry-run'
like "$dry" "agentfensefs -f .*-o preset=agent-safe .*$SRC" 'shows the mount'
like "$dry" 'bwrap --unshare-all' 'and the sandbox'
like "$dry" "echo 'two words'" 'and the command, quoted'
unlike "$dry" hidden 'and no values'
check 'all of it is shell' bash -n <<<"$dry"
like "$(run -v -- true 2>&1; echo)" '^$' 'a quiet run'

# ---- usual tools
is "$(run -- bash -c 'a=(1 2); echo ${#a[@]}')" 2 bash
if command -v git >/dev/null; then
	is "$(run -p full-access -w output -- sh -c 'git init -q r && cd r && git config user.email a@b && git config user.name n &&
		echo x >f && git add f && git commit -qm m && git log --format=%s')" m git
fi
if command -v gcc >/dev/null && command -v make >/dev/null; then
	printf 'int main(void) { return 7; }\n' >"$SRC/output/m.c"
	check 'make and gcc' run -w output -- make -s m CC=gcc
	is "$(status_of run -w output -- ./m)" 7 'and what they made'
	if command -v gdb >/dev/null; then
		like "$(run -w output -- gdb -q -batch -ex run ./m 2>&1)" 'exited with code 07' 'gdb on a child of its own'
	fi
fi
[ -x /usr/bin/python3 ] && is "$(run -w output -- sh -c '/usr/bin/python3 -c "print(6*7)"')" 42 python3
[ -x /usr/bin/sqlite3 ] && is "$(run -w output -- sqlite3 t.db 'create table t(a); insert into t values(5); select a from t')" 5 sqlite3
done_testing
